"""What a model thought, apart from what it said."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from smolagents import AgentLogger, ChatMessage, CodeAgent, MessageRole, ToolCallingAgent, get_clean_message_list
from smolagents.models import OpenAIModel, agglomerate_stream_deltas
from smolagents.models.reasoning import ThoughtSplitter, split_reasoning
from smolagents.testing import ScriptedModel, tool_call, tool_calls
from support.model_helpers import user
from support.wire import Answer, chunk, completion, serve_answers

CODE = "<code>\nfinal_answer(6)\n</code>"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("<think>Hm.</think>Yes.", ("Hm.", "Yes.")),
        ("\n<think>\nHm.\n</think>\n\nYes.", ("Hm.", "Yes.")),
        ("<think>\n\n</think>\n\nYes.", (None, "Yes.")),
        ("<think>a</think><think>b</think>c", ("a\nb", "c")),
        ("[THINK]Hm.[/THINK]Yes.", ("Hm.", "Yes.")),
        ("<thinking>Hm.</thinking>Yes.", ("Hm.", "Yes.")),
        ("Hm, the template opened it.</think>Yes.", ("Hm, the template opened it.", "Yes.")),
        ("<think>cut off in the middle", ("cut off in the middle", "")),
        ("No thought. <think>x</think>", (None, "No thought. <think>x</think>")),
        ("", (None, "")),
        ("<thin", (None, "<thin")),
    ],
)
def test_thoughts_in_tags(text, parts):
    assert split_reasoning(text) == parts


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<thinking>", "[THINK]", "<", "think>", " ", "\n", "a", "b<c"]), max_size=8)
    .map("".join).filter(lambda text: not ("think>" in text.replace("<think>", "", 1) and not text.lstrip().startswith(("<think", "[TH")))),
    st.integers(1, 5),
)  # fmt: skip
def test_a_stream_is_split_as_its_whole_text_is(text, size):
    splitter = ThoughtSplitter()
    pieces = [splitter.feed(text[start : start + size]) for start in range(0, len(text), size)] + [splitter.flush()]
    thought, answer = ("".join(parts).strip() for parts in zip(*pieces, strict=True))
    whole = split_reasoning(text)
    if whole[0] is None and whole[1] == text:  # no thought at its start: all of it is the answer
        assert (thought, answer) == ("", text.strip())
    else:
        assert (thought.replace("\n", "").replace(" ", ""), answer) == (
            (whole[0] or "").replace("\n", "").replace(" ", ""),
            whole[1].strip(),
        )


@settings(deadline=None)
@given(st.text(alphabet="<thinkg>/[THINK] a\n", max_size=60), st.integers(1, 7))
def test_no_text_is_lost_but_tags(text, size):
    splitter = ThoughtSplitter(thinking=True)
    pieces = [splitter.feed(text[start : start + size]) for start in range(0, len(text), size)] + [splitter.flush()]
    seen = "".join(part for pair in pieces for part in pair)
    letters = sum(letter.isalpha() for letter in text)
    tags = ("<think>", "</think>", "<thinking>", "</thinking>", "[THINK]", "[/THINK]")
    assert sum(letter.isalpha() for letter in seen) >= letters - sum(8 * text.count(tag) for tag in tags)


def openai(url, **kwargs):
    return OpenAIModel("some-model", api_base=url, api_key="k", **kwargs)


def streamed(*texts):
    return Answer(events=[*(chunk({"content": text}) for text in texts), chunk({}, "stop"), "[DONE]"])


def test_think_blocks_are_split_off_in_whole_replies_and_in_streams():
    pieces = ["<th", "ink>Let me ", "see.</thi", "nk>\n\nThe ", "answer"]
    with serve_answers(Answer(completion({"content": "".join(pieces)})), streamed(*pieces)) as wire:
        whole = openai(wire.url).generate(user("x"))
        deltas = list(openai(wire.url).generate_stream(user("x")))
    assert (whole.reasoning_content, whole.content) == ("Let me see.", "The answer")
    message = agglomerate_stream_deltas(deltas)
    assert (message.reasoning_content, message.content) == ("Let me see.", "The answer")
    assert [delta.reasoning_content for delta in deltas][:2] == ["Let me ", "see."]


def test_templates_that_open_the_thought():
    facts = {"thinks_first": True}
    with serve_answers(streamed("Hm", "m</think>", "Yes")) as wire:
        message = agglomerate_stream_deltas(openai(wire.url, facts=facts).generate_stream(user("x")))
        assert (message.reasoning_content, message.content) == ("Hmm", "Yes")
    # A server that tells thought from answer itself, or a reply without thought, is read rightly all the same.
    events = [chunk({"reasoning_content": "Hm"}), chunk({"content": "Yes"}, "stop"), "[DONE]"]
    with serve_answers(Answer(events=events), streamed("Yes, ", "sir")) as wire:
        made = openai(wire.url, facts=facts)
        message = agglomerate_stream_deltas(made.generate_stream(user("x")))
        assert (message.reasoning_content, message.content) == ("Hm", "Yes")
        assert agglomerate_stream_deltas(made.generate_stream(user("x"))).content == "Yes, sir"


def test_stop_sequences_in_thoughts_do_not_cut():
    with serve_answers(streamed("<think>Observation: a</think>b Obser", "vation: c")) as wire:
        made = openai(wire.url, facts={"accepts_stop": False})
        message = agglomerate_stream_deltas(made.generate_stream(user("x"), stop_sequences=["Observation:"]))
    assert (message.reasoning_content, message.content) == ("Observation: a", "b ")


def console():
    return Console(file=io.StringIO(), width=100, force_terminal=False)


def test_an_agent_shows_thoughts_and_runs_only_what_was_said():
    thought = "<think>I could run <code>\nraise SystemExit\n</code> but no.</think>"
    logger = AgentLogger(console=console())
    agent = CodeAgent(tools=[], model=ScriptedModel([thought + CODE]), logger=logger)
    assert agent.run("x") == 6
    (step,) = agent.memory.steps[1:]
    assert "SystemExit" in step.model_output_message.reasoning_content
    assert "SystemExit" not in "".join(message.text for message in step.to_messages())
    assert "Reasoning" in logger.console.file.getvalue()
    assert "SystemExit" in logger.console.file.getvalue()
    # A function for a model, too.
    assert CodeAgent(tools=[], model=lambda messages: thought + CODE, verbosity_level=-1).run("x") == 6


def test_a_thought_goes_back_only_where_it_is_wanted():
    answers = [
        Answer(completion({"content": "<code>\nprint(1)\n</code>", "reasoning_content": "Hm."})),
        Answer(completion({"content": CODE})),
    ]
    sent = {}
    for replay in (None, "reasoning_content", "think_tags"):
        with serve_answers(*answers) as wire:
            made = openai(wire.url, facts={"reasoning_replay": replay}, flatten_messages_as_text=True)
            assert CodeAgent(tools=[], model=made, verbosity_level=-1).run("x") == 6
            (sent[replay],) = (m for m in wire.requests[1]["messages"] if m["role"] == "assistant")
    said = {"role": "assistant", "content": "<code>\nprint(1)\n</code>"}
    assert sent[None] == said
    assert sent["reasoning_content"] == {**said, "reasoning_content": "Hm."}
    assert sent["think_tags"] == {**said, "content": f"<think>\nHm.\n</think>\n\n{said['content']}"}


def test_a_thought_that_is_refused_is_not_sent_again():
    refusal = Answer({"error": {"message": "property 'messages.1.reasoning_content' is unsupported"}}, status=400)
    messages = [*user("x"), ChatMessage(MessageRole.ASSISTANT, "y", reasoning_content="Hm."), *user("z")]
    with serve_answers(refusal, Answer(completion({"content": "ok"}))) as wire:
        made = OpenAIModel("kimi-k2-thinking", api_base=wire.url, api_key="k")
        assert made.generate(messages).content == "ok"
        assert [request["messages"][1] for request in wire.requests] == [
            {"role": "assistant", "content": "y", "reasoning_content": "Hm."},
            {"role": "assistant", "content": "y"},
        ]


def test_details_in_pieces_are_put_together_kept_and_sent_back():
    def piece(text, **more):
        return chunk({"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": text, **more}]})

    events = [piece("Let "), piece("me see", signature="s1"), chunk({"content": "y"}), chunk({}, "stop"), "[DONE]"]
    whole = {"type": "reasoning.text", "index": 0, "text": "Let me see", "signature": "s1"}
    with serve_answers(Answer(events=events), Answer(completion({"content": "ok"}))) as wire:
        made = openai(wire.url, facts={"reasoning_replay": "reasoning_details"})
        message = agglomerate_stream_deltas(made.generate_stream(user("x")))
        assert message.provider_items == [{"provider": "reasoning_details", "item": whole}]
        again = ChatMessage.from_dict(json.loads(json.dumps(message.dict())))
        made.generate([*user("x"), again, *user("z")])
        assert wire.requests[1]["messages"][1] == {"role": "assistant", "content": "y", "reasoning_details": [whole]}


def test_items_of_a_provider_survive_memory_and_go_to_no_other():
    item = {"provider": "anthropic", "item": {"type": "thinking", "thinking": "Hm.", "signature": "abc"}}
    first = tool_calls(tool_call("python_interpreter", {"code": "1"}))
    first.provider_items, first.reasoning_content = [item], "Hm."
    model = ScriptedModel([first, tool_calls(tool_call("final_answer", {"answer": 6}))])
    agent = ToolCallingAgent(tools=[], model=model, add_base_tools=True, verbosity_level=-1)
    assert agent.run("x") == 6
    messages = model.requests[1].messages
    clean = get_clean_message_list(messages, {"tool-call": "assistant", "tool-response": "user"}, provider="anthropic")
    assert [m.get("provider_items") for m in clean if m["role"] == "assistant"] == [[item["item"]]]
    for message in get_clean_message_list(messages, provider="openai-responses"):
        assert set(message) == {"role", "content"}
    assert agent.memory.get_full_steps()[1]["model_output_message"]["provider_items"] == [item]


def test_a_reply_of_mere_thought_that_was_cut_is_told_so():
    cut = ChatMessage(MessageRole.ASSISTANT, "<think>and on and on", finish_reason="max_tokens")
    model = ScriptedModel([cut, CODE])
    assert CodeAgent(tools=[], model=model, verbosity_level=-1).run("x") == 6
    assert "cut off because it was too long" in model.requests[1].text
    assert "and on and on" not in model.requests[1].text
