"""Facts about models: by family, by the user, and learned from what providers refuse."""

from __future__ import annotations

import asyncio
import json

import pytest

from smolagents.models import ModelFacts, OpenAIModel, agglomerate_stream_deltas
from smolagents.models.facts import facts_about, fitted
from smolagents.models.lessons import lesson_of
from smolagents.types.errors import AgentGenerationError
from support.model_helpers import user
from support.wire import Answer, chunk, completion, serve_answers

OK = Answer(completion({"content": "one STOP two"}))


def model(url, model_id="some-model", **kwargs):
    return OpenAIModel(model_id, api_base=url, api_key="k", **kwargs)


def refusal(message, status=400, **more):
    return Answer({"error": {"message": message, "type": "invalid_request_error", **more}}, status=status)


@pytest.mark.parametrize(
    ("model_id", "facts"),
    [
        ("gpt-4o", {}),
        ("openai/o3-mini", {"max_tokens_parameter": "max_completion_tokens", "fixed_temperature": True}),
        ("gpt-5-mini-2025-08-07", {"accepts_stop": False, "fixed_temperature": True, "returns_reasoning": True}),
        ("gpt-5.2", {"accepts_stop": False, "fixed_temperature": False}),
        ("gpt-5-chat-latest", {"fixed_temperature": False, "returns_reasoning": False}),
        ("moonshotai/Kimi-K2-Thinking", {"reasoning_replay": "reasoning_content"}),
        ("MiniMaxAI/MiniMax-M2", {"reasoning_replay": "think_tags"}),
        ("deepseek-reasoner", {"returns_reasoning": True, "reasoning_replay": None}),
        ("o1-mini", {"system_role": "user"}),
    ],
)
def test_families(model_id, facts):
    known = facts_about(model_id)
    assert {name: getattr(known, name) for name in facts} == facts


def test_parameters_are_sent_as_the_family_takes_them():
    with serve_answers(OK) as wire:
        made = model(wire.url, "gpt-5", temperature=0.2, max_tokens=7)
        assert made.generate(user("x"), stop_sequences=["STOP"]).content == "one "
        model(wire.url, "gpt-5", facts={"accepts_stop": True, "fixed_temperature": False}, temperature=0.2).generate(
            user("x"), stop_sequences=["STOP"]
        )
        first, second = wire.requests
    assert set(first) == {"model", "messages", "max_completion_tokens"}
    assert (second["stop"], second["temperature"]) == (["STOP"], 0.2)


def test_facts_are_checked_and_saved():
    for facts, says in (
        ({"accepts_stopp": False}, "no fact 'accepts_stopp'.*accepts_stop,"),
        ({"accepts_stop": "no"}, "use True or False"),
        ({"system_role": "boss"}, "use one of"),
        ({"refused": "seed"}, r"give a list of names: \['seed'\]"),
    ):
        with pytest.raises(ValueError, match=says):
            model("http://localhost:1", facts=facts)
    made = model("http://localhost:1", facts={"accepts_stop": False, "refused": ["seed"]}, max_concurrency=3)
    again = OpenAIModel.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again.known_facts == made.known_facts == ModelFacts(accepts_stop=False, refused=frozenset({"seed"}))
    assert again.max_concurrency == 3


def ways(made, **kwargs):
    """The four ways to call, each to its content."""

    async def streamed():
        return agglomerate_stream_deltas([delta async for delta in made.agenerate_stream(user("x"), **kwargs)])

    return [
        lambda: made.generate(user("x"), **kwargs),
        lambda: agglomerate_stream_deltas(made.generate_stream(user("x"), **kwargs)),
        lambda: asyncio.run(made.agenerate(user("x"), **kwargs)),
        lambda: asyncio.run(streamed()),
    ]


@pytest.mark.parametrize("way", range(4))
def test_a_refused_parameter_is_learned_in_every_way_to_call(way):
    message = "Unsupported parameter: 'stop' is not supported with this model."
    answer = (
        OK
        if way in (0, 2)
        else Answer(events=[chunk({"content": "one ST"}), chunk({"content": "OP two"}, "stop"), "[DONE]"])
    )
    with serve_answers(refusal(message, param="stop", code="unsupported_parameter"), answer) as wire:
        made = model(wire.url)
        call = ways(made, stop_sequences=["STOP"])[way]
        assert call().content == "one "
        assert call().content == "one "
        assert ["stop" in request for request in wire.requests] == [True, False, False]
    assert not made.supports_stop_parameter


def test_several_refusals_in_one_call_and_max_tokens_under_its_other_name():
    with serve_answers(
        refusal(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        ),
        refusal(
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported."
        ),
        refusal("Unrecognized request argument supplied: seed"),
        OK,
    ) as wire:
        made = model(wire.url, max_tokens=5, temperature=0.2, seed=1)
        assert made.generate(user("x")).content == "one STOP two"
        made.generate(user("x"))
        assert len(wire.requests) == 5
        assert set(wire.requests[-1]) == {"model", "messages", "max_completion_tokens"}


@pytest.mark.parametrize(
    "message",
    [
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "System role not supported",
        "This model doesn't support system messages. Try again without system messages.",
        "Developer instruction is not enabled for models/gemma-3",
    ],
)
def test_system_messages_are_given_the_users_role_where_there_is_no_system_role(message):
    messages = [{"role": "system", "content": "s"}, *user("u")]
    with serve_answers(refusal(message), OK) as wire:
        made = model(wire.url)
        made.generate(messages)
        assert wire.requests[-1]["messages"] == [{"role": "user", "content": "s\nu"}]
    assert messages[0]["role"] == "system"


def test_what_cannot_be_left_out_is_an_error_at_once(weather):
    for message in (
        "Unsupported parameter: 'response_format' is not supported with this model.",
        "tools param requires --jinja flag",
        "Invalid value for temperature: 7",
        "This model's maximum context length is 8 tokens, however you requested max_tokens",
    ):
        with serve_answers(refusal(message)) as wire:
            with pytest.raises(AgentGenerationError, match="status 400") as caught:
                model(wire.url, temperature=7, max_tokens=5).generate(
                    user("x"), response_format={"type": "json_object"}, tools_to_call_from=[weather]
                )
            assert len(wire.requests) == 1
            assert (caught.value.kind, caught.value.status) == ("bad_request", 400)


def test_a_parameter_is_refused_once_only():
    with serve_answers(refusal("Unsupported parameter: 'stop' is not supported with this model.")) as wire:
        with pytest.raises(AgentGenerationError):
            model(wire.url).generate(user("x"), stop_sequences=["STOP"])
        assert len(wire.requests) == 2


class Refusal(Exception):
    status_code = 400


SENT = {
    "model": "m", "messages": [{"role": "system", "content": "s"}], "stop": ["a"], "temperature": 0.2, "top_p": 0.9, "max_tokens": 5,
    "tools": [], "tool_choice": "required", "stream_options": {}, "parallel_tool_calls": False, "presence_penalty": 1, "seed": 3,
}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        # OpenAI and Azure
        ("Error code: 400 - {'error': {'message': \"Unsupported parameter: 'stop' is not supported with this model.\", 'param': 'stop'}}", {"accepts_stop": False}),
        ("Unrecognized request argument supplied: stream_options", {"refused": {"stream_options"}}),
        ("Unknown parameter: 'parallel_tool_calls'.", {"refused": {"parallel_tool_calls"}}),
        # LiteLLM
        ("litellm.UnsupportedParamsError: openai does not support parameters: ['stop'], for model=o3. To drop these, set `litellm.drop_params=True`", {"accepts_stop": False}),
        ("litellm.UnsupportedParamsError: gpt-5 models (including gpt-5-codex) don't support temperature=0.2. Only temperature=1 is supported.", {"fixed_temperature": True}),
        # llama.cpp
        ("Unsupported param: presence_penalty", {"refused": {"presence_penalty"}}),
        ("tool_choice param requires --jinja flag", {"accepts_required_tool_choice": False}),
        # vLLM
        ("tool_choice = \"required\" is not supported!", {"accepts_required_tool_choice": False}),
        ("[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options'), 'msg': 'Extra inputs are not permitted', 'input': {}}]", {"refused": {"stream_options"}}),
        # Bedrock
        ("ValidationException: This model doesn't support the stopSequences field. Remove stopSequences and try again.", {"accepts_stop": False}),
        ("Malformed input request: #: extraneous key [top_p] is not permitted", {"fixed_temperature": True}),
        ("This model doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again.", {"accepts_required_tool_choice": False}),
        # Anthropic
        ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", {"refused": {"top_p"}}),
        ("Thinking may not be enabled when tool_choice forces tool use.", {"accepts_required_tool_choice": False}),
        ("temperature: Extra inputs are not permitted", {"fixed_temperature": True}),
        # xAI, Groq, Mistral, Gemini, DeepSeek, Qwen
        ("Model grok-4 does not support parameter stop.", {"accepts_stop": False}),
        ("Argument not supported on this model: presencePenalty", {"refused": {"presence_penalty"}}),
        ("property 'seed' is unsupported, did you mean 'speed'?", {"refused": {"seed"}}),
        ("{'detail': [{'type': 'extra_forbidden', 'loc': ['body', 'parallel_tool_calls'], 'msg': 'Extra inputs are not permitted'}]}", {"refused": {"parallel_tool_calls"}}),
        ("Invalid JSON payload received. Unknown name \"seed\": Cannot find field.", {"refused": {"seed"}}),
        ("deepseek-reasoner does not support this tool_choice", {"accepts_required_tool_choice": False}),
        ("The tool_choice parameter does not support being set to required or object in thinking mode", {"accepts_required_tool_choice": False}),
        # none of our parameters, or no refusal
        ("Invalid 'temperature': decimal above maximum value.", None),
        ("The model 'stop' does not exist", None),
        ("messages: text content blocks must be non-empty", None),
    ],
)  # fmt: skip
def test_the_words_of_providers(message, changes):
    lesson = lesson_of(Refusal(message), SENT, ModelFacts())
    assert (None if lesson is None else lesson[0]) == changes


def test_fitting_changes_nothing_that_was_given():
    given = {
        "messages": [{"role": "system", "content": [{"type": "text", "text": "s"}]}, {"role": "user", "content": "u"}],
        "stop": ["a"],
    }
    before = json.dumps(given)
    fit = fitted(given, ModelFacts(accepts_stop=False, system_role="user"))
    assert json.dumps(given) == before
    assert fit == {"messages": [{"role": "user", "content": [{"type": "text", "text": "s\nu"}]}]}


def test_a_constructors_stop_cuts_too():
    with serve_answers(OK) as wire:
        assert model(wire.url, "o3", stop=["STOP"]).generate(user("x")).content == "one "
        assert "stop" not in wire.requests[0]
