"""MLXModel with MLX on the processor, on the tiny model that TransformersModel is tested with."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

pytest.importorskip("mlx_lm", reason="mlx-lm is not installed; `make engines` installs it")
pytest.importorskip("torch", reason="PyTorch, which writes the model, is not installed; `make engines` installs it")

from smolagents import CodeAgent
from smolagents.models import MLXModel, TransformersModel, agglomerate_stream_deltas
from smolagents.types.errors import AgentGenerationError, MissingExtraError
from support.model_helpers import user
from support.tiny_transformers import CONTEXT, save_tiny_llama


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def model(folder):
    return MLXModel(str(folder), max_tokens=30)


def script(model, reply, then="<|im_end|>"):
    """Arguments that have the model write `reply` whatever it is asked, and then end."""
    import mlx.core as mx

    tokens = iter(model.tokenizer.encode(reply + then, add_special_tokens=False) + [0] * 100)

    def processor(_tokens, logits):
        wanted = next(tokens)
        return mx.where(mx.arange(logits.shape[-1]) == wanted, 0.0, -1e9)[None]

    return {"logits_processors": [processor]}


def test_it_answers_as_the_same_weights_do_elsewhere(model, folder):
    elsewhere = TransformersModel(str(folder), max_new_tokens=30, torch_dtype="float32")
    message, other = model.generate(user("hello")), elsewhere.generate(user("hello"))
    assert message == other


def test_the_stream_is_the_reply(model):
    deltas = list(model.generate_stream(user("hello")))
    assert len([delta for delta in deltas if delta.content]) > 10
    assert agglomerate_stream_deltas(deltas) == model.generate(user("hello"))


def test_async_calls_give_the_same(model):
    async def main():
        deltas = [delta async for delta in model.agenerate_stream(user("hello"))]
        return deltas, await asyncio.gather(*(model.agenerate(user("hello")) for _ in range(3)))

    deltas, replies = asyncio.run(main())
    expected = model.generate(user("hello"))
    assert agglomerate_stream_deltas(deltas) == expected
    assert replies == [expected] * 3


def test_leaving_stops_the_engine(model):
    async def main():
        async for _ in model.agenerate_stream(user("x"), max_tokens=480, logit_bias={2: -1e9}):
            break

    asyncio.run(main())
    with model._lock:
        pass  # free once the engine has stopped


def test_stops_and_ends(model):
    reply = "Thought: easy.\n<code>\nfinal_answer('sunny')\n</code> and more"
    message = model.generate(user("x"), stop_sequences=["</code>"], **script(model, reply))
    assert (message.content, message.finish_reason) == ("Thought: easy.\n<code>\nfinal_answer('sunny')\n", "stop")
    message = model.generate(user("x"), **script(model, "<think>Hm.</think>Grüße, 你好世界 ☀️"))
    assert (message.reasoning_content, message.content) == ("Hm.", "Grüße, 你好世界 ☀️")
    assert message.finish_reason == "stop"
    message = model.generate(user("x"), max_tokens=3)
    assert (message.finish_reason, message.token_usage.output_tokens) == ("length", 3)


def test_sampling_and_seeds(model):
    def sampled(**arguments):
        return model.generate(user("hello"), max_tokens=20, **arguments).content

    hot = {"temperature": 5.0, "top_p": 0.99, "repetition_penalty": 1.1}
    assert sampled(**hot, seed=1) == sampled(**hot, seed=1) != sampled(**hot, seed=2)
    assert sampled(temperature=0) == sampled()


def test_forms_hold(model):
    schema = {"type": "object", "properties": {"ripe": {"type": "boolean"}}, "required": ["ripe"]}
    schema["additionalProperties"] = False
    form = {"type": "json_schema", "json_schema": {"name": "fruit", "schema": schema}}
    for arguments in ({}, {"temperature": 3.0, "seed": 5}):
        message = model.generate(user("x"), response_format=form, max_tokens=80, **arguments)
        assert json.loads(message.content) in ({"ripe": True}, {"ripe": False})
        assert message.finish_reason == "stop"
    assert model.generate(user("x"), grammar='root ::= "yes" | "no"').content in ("yes", "no")


def test_tools(model, weather):
    call = '{"name": "get_weather", "arguments": {"city": "Rome"}}'
    message = model.generate(user("x"), tools_to_call_from=[weather], max_tokens=99, **script(model, call))
    (parsed,) = model.parse_tool_calls(message).tool_calls
    assert (parsed.function.name, parsed.function.arguments) == ("get_weather", {"city": "Rome"})
    without = model.generate(user("x"), max_tokens=1).token_usage.input_tokens
    assert message.token_usage.input_tokens > without + 20


def test_a_code_agent_end_to_end(folder):
    replies = iter(
        [
            "Thought: I shall add them.\n<code>\nx = 20 + 22\n</code>",
            "Thought: I have it now.\n<code>\nfinal_answer(x)\n</code>",
        ]
    )

    class Scripted(MLXModel):
        def _generation(self, messages, stop_sequences, response_format, tools, kwargs):
            self.model.args.max_position_embeddings = 10**6
            return super()._generation(
                messages, stop_sequences, response_format, tools, {**kwargs, **script(self, next(replies))}
            )

    assert CodeAgent(tools=[], model=Scripted(str(folder)), verbosity_level=0).run("What is 20 + 22?") == 42


def test_it_is_made_again_from_its_dictionary(folder):
    model = MLXModel(str(folder), load_kwargs={"lazy": True}, max_tokens=4)
    saved = json.loads(json.dumps(model.to_dict()))
    assert saved == {
        "model_id": str(folder), "load_kwargs": {"lazy": True}, "max_tokens": 4, "flatten_messages_as_text": True,
    }  # fmt: skip
    assert MLXModel.from_dict(saved).generate(user("x")) == model.generate(user("x"))


def test_what_is_wrong_is_explained(model, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"refused the arguments.*temprature"):
        model.generate(user("x"), temprature=1)
    with pytest.raises(ValueError, match=r"sampler is given, so temp would not be heeded"):
        model.generate(user("x"), temperature=1, sampler=None)
    with pytest.raises(ValueError, match="cannot be drafted"):
        model.generate(user("x"), response_format={"type": "json_object"}, draft_model=model.model)
    with pytest.raises(AgentGenerationError, match=rf"has \d+ tokens and the model's context holds {CONTEXT}"):
        model.generate(user("x " * CONTEXT))
    with pytest.raises(ValueError, match="there is no folder '/no/such/place'"):
        MLXModel("/no/such/place")
    (tmp_path / "config.json").write_text('{"model_type": "novel"}')
    with pytest.raises(AgentGenerationError, match="MLXModel cannot load"):
        MLXModel(str(tmp_path))
    monkeypatch.setitem(sys.modules, "mlx_lm", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'smolagents\[mlx-lm\]'"):
        MLXModel("any/model")
