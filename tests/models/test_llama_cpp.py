"""The local engine, on a tiny random model: structure, never quality."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from smolagents.models import LlamaCppModel, agglomerate_stream_deltas
from smolagents.types.errors import AgentGenerationError
from support.model_helpers import user
from support.tiny_gguf import write_tiny_gguf

SCHEMA = {
    "type": "object",
    "properties": {"ripe": {"type": "boolean"}, "colour": {"enum": ["red", "green"]}},
    "required": ["ripe", "colour"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "fruit", "schema": SCHEMA}}


def test_a_reply_and_its_counts(tiny_model):
    message = tiny_model.generate(user("hello"))
    assert message.role == "assistant"
    assert message.content
    assert message.finish_reason in ("stop", "length")
    assert message.token_usage.input_tokens > len("hello")  # a token for each byte, and the template's
    assert 0 < message.token_usage.output_tokens <= 48
    assert tiny_model.generate(user("hello"), max_tokens=3).token_usage.output_tokens == 3
    assert tiny_model.generate(user("hello"), max_tokens=3).finish_reason == "length"


def test_the_stream_is_the_reply(tiny_model):
    deltas = list(tiny_model.generate_stream(user("hello")))
    whole = tiny_model.generate(user("hello"))
    assert len([delta for delta in deltas if delta.content]) > 3
    assert [delta.token_usage is not None for delta in deltas].count(True) == 1
    joined = agglomerate_stream_deltas(deltas)
    assert joined.content == whole.content
    assert joined.token_usage.output_tokens == whole.token_usage.output_tokens


def test_async_calls_give_the_same(tiny_model):
    async def main():
        deltas = [delta async for delta in tiny_model.agenerate_stream(user("hello"))]
        replies = await asyncio.gather(*(tiny_model.agenerate(user("hello")) for _ in range(5)))
        return deltas, replies

    deltas, replies = asyncio.run(main())
    expected = tiny_model.generate(user("hello")).content
    assert agglomerate_stream_deltas(deltas).content == expected
    assert {reply.content for reply in replies} == {expected}


def test_stop_sequences_end_the_reply_and_are_left_out(tiny_model):
    content = tiny_model.generate(user("hello"), max_tokens=40).content
    stop = next(letter for letter in content[5:] if letter.isascii())
    stopped = tiny_model.generate(user("hello"), stop_sequences=[stop], max_tokens=40)
    assert stopped.content == content[: content.index(stop)]
    assert stopped.finish_reason == "stop"


def test_json_schema_holds(tiny_model):
    value = json.loads(tiny_model.generate(user("x"), response_format=FORMAT).content)
    assert set(value) == {"ripe", "colour"}
    assert value["colour"] in ("red", "green")


def test_grammar_holds(tiny_model):
    assert tiny_model.generate(user("x"), grammar='root ::= "yes" | "no"').content in ("yes", "no")


@pytest.mark.parametrize("streamed", [False, True])
def test_tool_calls_are_well_formed(tiny_model, weather, final_answer, streamed):
    tools = [weather, final_answer]
    if streamed:
        message = agglomerate_stream_deltas(
            tiny_model.generate_stream(user("x"), tools_to_call_from=tools, max_tokens=900)
        )
    else:
        message = tiny_model.generate(user("x"), stop_sequences=["}"], tools_to_call_from=tools, max_tokens=900)
    (call,) = tiny_model.parse_tool_calls(message).tool_calls
    assert message.finish_reason == "tool_calls"
    if call.function.name == "get_weather":
        assert call.function.arguments["city"] in ("Paris", "Rome")
    else:
        assert call.function.name == "final_answer"
        assert isinstance(call.function.arguments["answer"], bool)


def test_the_model_is_told_of_tools_that_the_prompt_does_not_name(tiny_model, weather):
    def prompt_tokens(system):
        messages = [{"role": "system", "content": system}, *user("x")]
        return tiny_model.generate(messages, tools_to_call_from=[weather]).token_usage.input_tokens

    assert prompt_tokens("Use get_weather.") + 20 < prompt_tokens("Use some tool...")


def test_the_start_of_a_conversation_is_computed_once(tiny_model):
    long = [{"role": "system", "content": "be brief " * 60}, *user("one")]
    tiny_model.generate(long)
    again = tiny_model.generate([*long, {"role": "assistant", "content": "1"}, *user("two")])
    assert again.token_usage.cached_input_tokens > 500


def test_leaving_a_stream_stops_the_engine(tiny_model):
    endless = {"max_tokens": 1900, "grammar": 'root ::= "a"+'}
    stream = tiny_model.generate_stream(user("x"), **endless)
    next(stream)
    stream.close()
    assert _engine_threads_end()

    async def main():
        seen = 0

        async def consume():
            nonlocal seen
            async for _ in tiny_model.agenerate_stream(user("x"), **endless):
                seen += 1
                asyncio.current_task().cancel()

        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(consume())
        return seen

    assert asyncio.run(main()) < 1000
    assert _engine_threads_end()


def _engine_threads_end():
    for thread in threading.enumerate():
        if thread.name == "llama.cpp":
            thread.join(timeout=5)
    return not any(thread.name == "llama.cpp" for thread in threading.enumerate())


def test_a_conversation_that_is_too_long(tiny_model):
    with pytest.raises(AgentGenerationError, match=r"has \d+ tokens and the model's context holds 2048.*n_ctx"):
        tiny_model.generate(user("x" * 5000))


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"response_format": {"type": "xml"}}, ValueError, "unknown type 'xml'"),
        ({"response_format": {"type": "json_schema"}}, ValueError, "no schema"),
        ({"grammar": "bad"}, AgentGenerationError, "grammar"),
        ({"max_tokens": "many"}, AgentGenerationError, "max_tokens"),
    ],
)
def test_bad_requests_are_explained(tiny_model, arguments, error, says):
    with pytest.raises(error, match=says):
        tiny_model.generate(user("x"), **arguments)


def test_a_tool_call_and_a_format_at_once_are_refused(tiny_model, weather):
    with pytest.raises(ValueError, match="one of the two"):
        tiny_model.generate(user("x"), response_format=FORMAT, tools_to_call_from=[weather])


def test_images_are_refused_before_the_engine_is_asked(tiny_model):
    message = {"role": "user", "content": [{"type": "image", "image": "a.png"}]}
    with pytest.raises(ValueError, match="takes text only"):
        tiny_model.generate([message])


def test_models_with_equal_settings_share_one_engine(tiny_gguf):
    options = {"n_threads": 1, "n_ctx": 512, "max_tokens": 4}
    first, second = LlamaCppModel(tiny_gguf, **options), LlamaCppModel(tiny_gguf, **options)
    start = time.monotonic()
    first.close()
    first.close()
    assert second.generate(user("x")).token_usage.output_tokens == 4
    second.close()
    with pytest.raises(AgentGenerationError, match="closed"):
        second.generate(user("x"))
    assert time.monotonic() - start < 5


def test_models_are_loaded_and_freed_at_once(tiny_gguf):
    for n_ctx in range(256, 276):
        LlamaCppModel(tiny_gguf, n_threads=1, n_ctx=n_ctx).close()


def test_it_is_made_again_from_its_dictionary(tiny_gguf):
    model = LlamaCppModel(tiny_gguf, n_threads=1, n_ctx=512, max_tokens=4, seed=3)
    saved = json.loads(json.dumps(model.to_dict()))
    assert saved == {
        "model_id": str(tiny_gguf), "n_threads": 1, "n_ctx": 512, "max_tokens": 4, "seed": 3, "flatten_messages_as_text": True,
    }  # fmt: skip
    again = LlamaCppModel.from_dict(saved)
    assert again.generate(user("x")).content == model.generate(user("x")).content


def test_small_models_want_compact_prompts(tiny_model):
    assert tiny_model.prefers_compact_prompts is True


@pytest.mark.parametrize(
    ("model_id", "options", "error", "says"),
    [
        ("no/such/file.gguf", {}, ValueError, "there is no model file 'no/such/file.gguf'"),
        ("gpt-4o", {}, ValueError, "neither a file nor a model of the catalogue .*qwen2.5-coder-0.5b.*filename="),
        (__file__, {}, AgentGenerationError, "is no GGUF file"),
    ],
)
def test_what_cannot_be_loaded_is_explained(model_id, options, error, says):
    with pytest.raises(error, match=says):
        LlamaCppModel(model_id, **options)


def test_a_damaged_file_and_an_unknown_option_are_explained(tmp_path, tiny_gguf):
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(tiny_gguf.read_bytes()[:20_000])
    with pytest.raises(AgentGenerationError, match=r"could not load .*damaged\.gguf"):
        LlamaCppModel(damaged, n_threads=1, n_ctx=512)
    with pytest.raises(ValueError, match="no option 'n_gadgets'"):
        LlamaCppModel(tiny_gguf, n_threads=1, n_ctx=512, engine_options={"n_gadgets": 1})


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nobody_can_connect_to_the_engine(tmp_path):
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    program = f"""
import os
from smolagents.models import LlamaCppModel
model = LlamaCppModel({str(path)!r}, n_threads=1, n_ctx=512, max_tokens=4)
model.generate([{{"role": "user", "content": "x"}}])
sockets = {{os.readlink(f"/proc/self/fd/{{fd}}")[8:-1] for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{{fd}}") or True
            if os.path.islink(f"/proc/self/fd/{{fd}}") and os.readlink(f"/proc/self/fd/{{fd}}").startswith("socket:")}}
for table in ("tcp", "tcp6"):
    lines = [line.split() for line in open(f"/proc/self/net/{{table}}").readlines()[1:]]
    assert not [line for line in lines if line[9] in sockets], "an open port"
for line in open("/proc/self/net/unix").readlines()[1:]:
    fields = line.split()
    if fields[6] in sockets and len(fields) > 7:
        assert not os.path.exists(fields[7]), "a socket file"
stream = model.generate_stream([{{"role": "user", "content": "x"}}], max_tokens=400)
next(stream)
print("left in the middle of a stream")
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "left in the middle of a stream\n", "")


def test_the_environment_is_left_as_it_was(tiny_model):
    assert "GOMP_SPINCOUNT" not in os.environ
