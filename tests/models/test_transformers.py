"""TransformersModel with PyTorch on the processor, on tiny random models: structure, never quality."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed; `make engines` installs it")
pytest.importorskip("transformers", reason="transformers is not installed; `make engines` installs it")

from smolagents import CodeAgent, ToolCallingAgent, tool
from smolagents.models import TransformersModel, agglomerate_stream_deltas
from smolagents.types.errors import AgentGenerationError, MissingExtraError
from support.model_helpers import user
from support.tiny_transformers import CHAT_TEMPLATE, CONTEXT, save_tiny_llama, save_tiny_smolvlm

SCHEMA = {
    "type": "object",
    "properties": {"ripe": {"type": "boolean"}, "colour": {"enum": ["red", "green"]}},
    "required": ["ripe", "colour"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "fruit", "schema": SCHEMA}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def model(folder) -> TransformersModel:
    return TransformersModel(str(folder), max_new_tokens=40)


@pytest.fixture(scope="module")
def vision_folder(tmp_path_factory) -> Path:
    return save_tiny_smolvlm(tmp_path_factory.mktemp("vlm"))


@pytest.fixture(scope="module")
def vision_model(vision_folder) -> TransformersModel:
    return TransformersModel(str(vision_folder), max_new_tokens=12)


def script(model: TransformersModel, reply: str, then: str = "<|im_end|>") -> dict[str, Any]:
    """Arguments that have the model write `reply` whatever it is asked, and then end."""
    import torch

    tokens = itertools.cycle(model.tokenizer.encode(reply + then, add_special_tokens=False))

    def processor(input_ids, scores):
        forced = torch.full_like(scores, -torch.inf)
        forced[:, next(tokens)] = 0
        return forced

    return {"logits_processor": [processor]}


def test_a_reply_and_its_counts(model):
    message = model.generate(user("hello"))
    assert message.role == "assistant"
    assert message.content
    assert message.finish_reason == "length"
    assert message.token_usage.output_tokens == 40
    prompt = model.tokenizer.apply_chat_template(user("hello"), add_generation_prompt=True, return_dict=True)
    assert message.token_usage.input_tokens == len(prompt["input_ids"])
    assert message.model_id == model.model_id


@pytest.mark.parametrize("name", ["max_new_tokens", "max_tokens", "max_completion_tokens"])
def test_the_most_tokens_of_a_reply(model, name):
    message = model.generate(user("hello"), **{name: 3})
    assert (message.token_usage.output_tokens, message.finish_reason) == (3, "length")


def test_max_tokens_of_the_constructor_takes_precedence(folder):
    model = TransformersModel(str(folder), max_new_tokens=9, max_tokens=2)
    assert model.generate(user("x")).token_usage.output_tokens == 2


def test_the_reply_is_what_the_library_generates(model):
    inputs = model.tokenizer.apply_chat_template(
        user("hello"), add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    output = model.model.generate(**inputs, max_new_tokens=40)
    text = model.tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert model.generate(user("hello")).content == text


def test_the_stream_is_the_reply(model):
    deltas = list(model.generate_stream(user("hello")))
    whole = model.generate(user("hello"))
    assert len([delta for delta in deltas if delta.content]) > 10
    assert [delta.token_usage is not None for delta in deltas].count(True) == 1
    assert agglomerate_stream_deltas(deltas) == whole


def test_async_calls_give_the_same(model):
    async def main():
        deltas = [delta async for delta in model.agenerate_stream(user("hello"))]
        return deltas, await asyncio.gather(*(model.agenerate(user("hello")) for _ in range(4)))

    deltas, replies = asyncio.run(main())
    expected = model.generate(user("hello"))
    assert agglomerate_stream_deltas(deltas) == expected
    assert replies == [expected] * 4


def test_threads_share_one_model(model):
    questions = [f"question {number} " * (number + 1) for number in range(6)]
    expected = [model.generate(user(question), max_new_tokens=15).content for question in questions]
    answers: dict[int, str] = {}

    def ask(number):
        if number % 2:
            answers[number] = model.generate(user(questions[number]), max_new_tokens=15).content
        else:
            deltas = model.generate_stream(user(questions[number]), max_new_tokens=15)
            answers[number] = agglomerate_stream_deltas(deltas).content

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(questions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[number] for number in range(len(questions))] == expected


def test_stop_sequences_end_the_reply_and_are_left_out(model):
    reply = "Thought: easy.\n<code>\nfinal_answer('sunny')\n</code> and more and more"
    message = model.generate(user("x"), stop_sequences=["Observation:", "</code>"], **script(model, reply))
    assert message.content == "Thought: easy.\n<code>\nfinal_answer('sunny')\n"
    assert message.finish_reason == "stop"
    tokens = len(model.tokenizer.encode(reply[: reply.index(" and more")]))
    assert message.token_usage.output_tokens <= tokens + 1  # nothing is generated after the stop sequence
    deltas = list(model.generate_stream(user("x"), ["</code>"], **script(model, reply)))
    assert agglomerate_stream_deltas(deltas).content == message.content


def test_a_reply_that_the_model_ends(model):
    message = model.generate(user("x"), **script(model, "Grüße, 你好世界 ☀️"))
    assert (message.content, message.finish_reason) == ("Grüße, 你好世界 ☀️", "stop")
    assert message.token_usage.output_tokens == len(model.tokenizer.encode("Grüße, 你好世界 ☀️<|im_end|>"))


def test_thoughts_are_apart(model, folder):
    script_ = script(model, "<think>Hm, </code>.</think>Yes.</code>No.")
    message = model.generate(user("x"), ["</code>"], **script_)
    assert (message.reasoning_content, message.content) == ("Hm, </code>.", "Yes.")
    thinker = TransformersModel(str(folder), apply_chat_template_kwargs={"thinking": True})
    message = thinker.generate(user("x"), **script(thinker, "Hm.\n</think>\n\nYes."))
    assert (message.reasoning_content.strip(), message.content) == ("Hm.", "Yes.")


def test_stopping_criteria_for_the_library_itself(model):
    inputs = model.tokenizer("hello", return_tensors="pt")
    criteria = model.make_stopping_criteria(["you"], model.tokenizer)
    output = model.model.generate(
        **inputs, max_new_tokens=30, stopping_criteria=criteria, **script(model, "how are you today")
    )
    text = model.tokenizer.decode(output[0, inputs["input_ids"].shape[1] :])
    assert text.startswith("how are you")
    assert len(text) < len("how are you today")


def test_beams(model):
    message = model.generate(user("hello"), num_beams=2, max_new_tokens=8)
    assert message.token_usage.output_tokens == 8
    assert message.content


def test_sampling_and_seeds(model):
    def sampled(**arguments):
        return model.generate(user("hello"), max_new_tokens=20, **arguments).content

    assert sampled(temperature=5.0, seed=1) == sampled(temperature=5.0, seed=1) != sampled(temperature=5.0, seed=2)
    assert sampled(temperature=0) == sampled()


class Endless:
    """Has the model write on and on, and counts its steps."""

    def __init__(self):
        self.steps = 0

    def __call__(self, input_ids, scores):
        self.steps += 1
        return scores.index_fill(1, input_ids.new([0, 1, 2]), -1e9)  # the tokens that end a reply


@pytest.mark.parametrize("streamed", [False, True])
def test_cancelling_stops_the_engine(model, streamed):
    endless = Endless()
    arguments = {"max_new_tokens": 480, "logits_processor": [endless]}

    async def consume():
        if streamed:
            async for _ in model.agenerate_stream(user("x"), **arguments):
                pass
        else:
            await model.agenerate(user("x"), **arguments)

    async def main():
        task = asyncio.create_task(consume())
        while endless.steps < 3:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    with model._lock:  # free once the engine has stopped
        assert endless.steps < 480


def test_closing_a_stream_stops_the_engine(model):
    endless = Endless()
    stream = model.generate_stream(user("x"), max_new_tokens=480, logits_processor=[endless])
    next(stream)
    stream.close()
    with model._lock:
        assert endless.steps < 480


def test_waiting_in_line_can_be_cancelled(model):
    async def main():
        task = asyncio.create_task(model.agenerate(user("x")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with model._lock:
        asyncio.run(main())
    assert model.generate(user("x"), max_new_tokens=2).token_usage.output_tokens == 2


def test_a_program_may_end_in_the_middle_of_a_stream(folder):
    program = f"""
from smolagents import TransformersModel
model = TransformersModel({str(folder)!r}, max_new_tokens=450, eos_token_id=0)
stream = model.generate_stream([{{"role": "user", "content": "x"}}])
print(bool(next(stream)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    assert (result.returncode, result.stdout) == (0, "True\n"), result.stderr


def test_tools_are_told_through_the_template(model, weather, tmp_path):
    def prompt_of(model):
        generation = model._generation(user("x"), None, None, [weather], {})
        return model.tokenizer.decode(generation._inputs["input_ids"][0])

    assert '"name": "get_weather"' in prompt_of(model)
    call = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>'
    message = model.generate(user("x"), tools_to_call_from=[weather], max_new_tokens=99, **script(model, call))
    (parsed,) = model.parse_tool_calls(message).tool_calls
    assert (parsed.function.name, parsed.function.arguments) == ("get_weather", {"city": "Rome"})

    plain = CHAT_TEMPLATE[CHAT_TEMPLATE.index("{%- for message") :]  # a template that knows no tools
    untold = TransformersModel(str(save_tiny_llama(tmp_path, plain)))
    assert "get_weather(city: string, days?: integer)" in prompt_of(untold)


def test_a_template_that_refuses_system_messages(tmp_path):
    refusing = (
        "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system role') }}"
        "{% endif %}{{ message['content'] }}{% endfor %}"
    )
    model = TransformersModel(str(save_tiny_llama(tmp_path, refusing)), max_new_tokens=4)
    generation = model._generation([{"role": "system", "content": "Be kind."}, *user("Hi.")], None, None, None, {})
    assert model.tokenizer.decode(generation._inputs["input_ids"][0]) == "Be kind.\nHi."


def test_images_are_seen(vision_model, tmp_path):
    from PIL import Image

    def ask(image):
        content = [{"type": "text", "text": "what?"}, {"type": "image", "image": image}]
        return vision_model.generate([{"role": "user", "content": content}])

    red, blue = (Image.new("RGB", (40, 30), colour) for colour in ("red", "blue"))
    red.save(tmp_path / "red.png")
    first = ask(red)
    assert first.content == ask(str(tmp_path / "red.png")).content == ask((tmp_path / "red.png").read_bytes()).content
    assert first.content != ask(blue).content
    text_only = vision_model.generate(user("what?"))
    assert first.token_usage.input_tokens >= text_only.token_usage.input_tokens + 4
    assert vision_model.generate([{"role": "system", "content": "Be kind."}, *user("what?")]).content
    deltas = vision_model.generate_stream(
        [{"role": "user", "content": [{"type": "image", "image": red}, {"type": "text", "text": "what?"}]}]
    )
    assert agglomerate_stream_deltas(deltas).content


def test_images_that_cannot_be_read(vision_model, model):
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,bm90IGFuIGltYWdl"}}
    with pytest.raises(ValueError, match="message 0 has an image that cannot be read"):
        vision_model.generate([{"role": "user", "content": [part]}])
    with pytest.raises(ValueError, match="takes text only"):
        model.generate([{"role": "user", "content": [part]}])


def test_forms_hold(model, folder):
    for arguments in ({}, {"temperature": 3.0, "seed": 5}):
        message = model.generate(user("x"), response_format=FORMAT, max_new_tokens=80, **arguments)
        value = json.loads(message.content)
        assert set(value) == {"ripe", "colour"}
        assert value["colour"] in ("red", "green")
        assert message.finish_reason == "stop"
    deltas = list(model.generate_stream(user("x"), response_format=FORMAT, max_new_tokens=80))
    assert set(json.loads(agglomerate_stream_deltas(deltas).content)) == {"ripe", "colour"}
    assert model.generate(user("x"), grammar='root ::= "yes" | "no"').content in ("yes", "no")
    assert model.generate(user("x"), grammar='start: "yes" | "no"').content in ("yes", "no")
    code = model.generate(user("x"), **model.code_reply_arguments("<code>", "</code>"), max_new_tokens=430)
    assert re.match(r"Thought: [^\n]+\n<code>\n", code.content)
    thinker = TransformersModel(str(folder), apply_chat_template_kwargs={"thinking": True})
    thought = iter(thinker.tokenizer.encode("Hm.</think>"))

    def think(input_ids, scores):
        token = next(thought, None)
        return (
            scores if token is None else scores.new_full(scores.shape, -1e9).index_fill(1, input_ids.new([token]), 0)
        )

    message = thinker.generate(user("x"), response_format=FORMAT, logits_processor=[think])
    assert message.reasoning_content == "Hm."
    assert set(json.loads(message.content)) == {"ripe", "colour"}


def test_device_map_and_dtype(folder):
    import torch

    model = TransformersModel(str(folder), device_map="auto", torch_dtype="bfloat16", max_new_tokens=3)
    assert model.model.dtype is torch.bfloat16
    assert model.generate(user("x")).token_usage.output_tokens == 3
    assert TransformersModel(str(folder), dtype=torch.float16).to_dict()["torch_dtype"] == "float16"
    assert TransformersModel(str(folder), {"": "cpu"}).model.device.type == "cpu"


def test_it_is_made_again_from_its_dictionary(folder):
    model = TransformersModel(
        str(folder),
        torch_dtype="float32",
        max_new_tokens=4,
        repetition_penalty=1.3,
        model_kwargs={"token": "hf_secret"},
    )
    saved = json.loads(json.dumps(model.to_dict()))
    assert saved == {
        "model_id": str(folder), "torch_dtype": "float32", "max_new_tokens": 4, "repetition_penalty": 1.3,
        "flatten_messages_as_text": True, "model_kwargs": {},
    }  # fmt: skip
    assert TransformersModel.from_dict(saved).generate(user("x")) == model.generate(user("x"))


def test_small_models_want_compact_prompts(model):
    assert model.prefers_compact_prompts is True


def test_a_code_agent_end_to_end(model):
    steps = iter(
        [
            "Thought: I shall add them.\n<code>\nx = 20 + 22\nprint(x)\n</code>",
            "Thought: I have it now.\n<code>\nfinal_answer(x)\n</code>",
        ]
    )

    class Scripted(TransformersModel):
        def __init__(self):
            self.__dict__.update(model.__dict__)

        def _generation(self, messages, stop_sequences, response_format, tools, kwargs):
            forced = script(self, next(steps), then="<|im_end|>")
            self._loaded.context = None
            return super()._generation(
                messages, stop_sequences, response_format, tools, {**kwargs, "max_new_tokens": 200, **forced}
            )

    for stream in (False, True):
        agent = CodeAgent(tools=[], model=Scripted(), stream_outputs=stream, verbosity_level=0)
        assert agent.run("What is 20 + 22?") == 42
        assert agent.monitor.get_total_token_counts().output_tokens > 10
        steps = iter(
            [
                "Thought: I shall add them.\n<code>\nx = 6 * 7\n</code>",
                "Thought: I have it now.\n<code>\nfinal_answer(x)\n</code>",
            ]
        )


def test_a_tool_calling_agent_end_to_end(model):
    steps = iter(
        ['{"name": "double", "arguments": {"number": 21}}', '{"name": "final_answer", "arguments": {"answer": "42"}}']
    )

    @tool
    def double(number: int) -> int:
        """Doubles a number.

        Args:
            number: The number.
        """
        return 2 * number

    class Scripted(TransformersModel):
        def __init__(self):
            self.__dict__.update(model.__dict__)

        def _generation(self, messages, stop_sequences, response_format, tools, kwargs):
            forced = script(self, next(steps))
            self._loaded.context = None
            return super()._generation(
                messages, stop_sequences, response_format, tools, {**kwargs, "max_new_tokens": 200, **forced}
            )

    agent = ToolCallingAgent(tools=[double], model=Scripted(), verbosity_level=0)
    assert agent.run("Double 21.") == "42"
    assert any("42" in str(step.observations) for step in agent.memory.steps if hasattr(step, "observations"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"temprature": 1}, "refused the arguments.*temprature"),
        ({"max_new_tokens": 0}, "0; give a whole number above 0"),
        ({"max_tokens": "many"}, "'many'; give a whole number"),
        ({"temperature": -1}, "temperature is -1"),
        ({"response_format": {"type": "json_schema"}}, "response_format is .*; write"),
        ({"response_format": {"type": "xml"}}, "response_format is .*xml.*; write"),
        ({"grammar": "root ::= ("}, r"the grammar cannot be read: Expected '\)'"),
        ({"grammar": "start: NOTHING"}, "grammar or schema cannot be used: .*NOTHING"),
        ({"grammar": 'start: "a"', "num_beams": 2}, "cannot be searched with beams"),
        ({"grammar": 'start: "a"', "response_format": {"type": "json_object"}}, "one of the two"),
    ],
)
def test_bad_requests_are_explained(model, arguments, says):
    with pytest.raises(ValueError, match=says):
        model.generate(user("x"), **arguments)


def test_a_conversation_that_is_too_long(folder):
    model = TransformersModel(str(folder))
    with pytest.raises(
        AgentGenerationError, match=rf"has \d+ tokens and the model's context holds {CONTEXT}; shorten"
    ):
        model.generate(user("x " * CONTEXT))
    nearly = model.generate(user("x" * (CONTEXT - 100)), eos_token_id=0)
    assert nearly.token_usage.total_tokens == CONTEXT
    assert nearly.finish_reason == "length"


def test_no_messages_and_no_template(model, tmp_path):
    with pytest.raises(ValueError, match="no messages"):
        model.generate([])
    base = TransformersModel(str(save_tiny_llama(tmp_path, None)))
    with pytest.raises(ValueError, match=r"has no chat template.*Instruct"):
        base.generate(user("x"))


def test_too_little_memory(model, monkeypatch):
    import torch

    def generate(**arguments):
        torch.empty(1 << 50)

    monkeypatch.setattr(model.model, "generate", generate)
    with pytest.raises(AgentGenerationError, match="too little memory to answer a conversation of 17 tokens"):
        model.generate(user("hi"))


def test_folders_that_are_no_models(tmp_path):
    with pytest.raises(ValueError, match="there is no folder '/no/such/place'"):
        TransformersModel("/no/such/place")
    with pytest.raises(ValueError, match=r"holds no model: it has no config\.json"):
        TransformersModel(str(tmp_path))
    with pytest.raises(ValueError, match="neither a folder nor a name"):
        TransformersModel("not a name!!")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(AgentGenerationError, match=r"cannot load .*model\.safetensors"):
        TransformersModel(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "novel"}')
    with pytest.raises(AgentGenerationError, match=r"novel.*newer version"):
        TransformersModel(str(tmp_path))
    (tmp_path / "config.json").write_text('{"auto_map": {"AutoConfig": "own.Config"}}')
    with pytest.raises(AgentGenerationError, match="trust_remote_code=True"):
        TransformersModel(str(tmp_path))


def test_without_the_packages(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(
        MissingExtraError, match=r"response_format with TransformersModel needs the package 'llguidance'"
    ):
        model.generate(user("x"), response_format={"type": "json_object"})
    for package in ("accelerate", "transformers", "torch"):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingExtraError, match=rf"'{package}'.*pip install 'smolagents\[transformers\]'"):
            TransformersModel("any/model")
