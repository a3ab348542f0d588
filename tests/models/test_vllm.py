"""VLLMModel against a stand-in with the shapes of vLLM's `LLM`, `SamplingParams` and `RequestOutput`.

vLLM needs a GPU and gigabytes of packages, so what is tested here is what this library hands it and reads from it. The
shapes are those of versions 0.8 to 0.33; a parameter that they do not have is refused here as it is there.
"""

from __future__ import annotations

import json
import sys
import types
from dataclasses import dataclass, field
from typing import Any

import pytest

from smolagents import CodeAgent
from smolagents.models import VLLMModel
from smolagents.types.errors import AgentGenerationError, MissingExtraError
from support.model_helpers import user

SCHEMA = {"type": "object", "properties": {"ripe": {"type": "boolean"}}}
TEMPLATE = (
    "{% for tool in tools %}{{ tool }}{% endfor %}{% for message in messages %}{{ message.content }}{% endfor %}"
)


@dataclass
class StructuredOutputsParams:
    json: Any = None
    regex: str | None = None
    choice: list[str] | None = None
    grammar: str | None = None
    json_object: bool | None = None


@dataclass
class SamplingParams:
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: Any = None
    max_tokens: int | None = 16
    structured_outputs: StructuredOutputsParams | None = None


@dataclass
class CompletionOutput:
    text: str
    token_ids: list[int]
    finish_reason: str | None = "stop"


@dataclass
class RequestOutput:
    prompt: str
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]
    num_cached_tokens: int | None = None


@dataclass
class LLM:
    model: str
    max_model_len: int | None = None
    trust_remote_code: bool = False
    calls: list[dict[str, Any]] = field(default_factory=list)
    replies: list[str] = field(default_factory=lambda: ["Hello."])
    prompt: str = "hi\n"
    template: str | None = TEMPLATE

    def get_tokenizer(self):
        return types.SimpleNamespace(chat_template=self.template)

    def chat(self, messages, sampling_params=None, use_tqdm=True, *, chat_template=None, add_generation_prompt=True,
             tools=None, chat_template_kwargs=None):  # fmt: skip
        if sampling_params.max_tokens > 10_000:
            raise ValueError("max_tokens is more than the model's context")
        self.calls.append({
            "messages": messages, "params": sampling_params, "tools": tools, "options": chat_template_kwargs,
            "template": chat_template,
        })  # fmt: skip
        text = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        ends = [text.find(stop) for stop in sampling_params.stop or () if stop in text]
        text = text[: min(ends)] if ends else text
        return [RequestOutput(self.prompt, [1, 2, 3], [CompletionOutput(text, list(range(len(text))))], 2)]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    return str(tmp_path)


@pytest.fixture
def vllm(monkeypatch):
    package, sampling = types.ModuleType("vllm"), types.ModuleType("vllm.sampling_params")
    package.LLM, package.SamplingParams = LLM, SamplingParams
    sampling.StructuredOutputsParams = StructuredOutputsParams
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", sampling)
    return sampling


def test_a_reply_and_its_counts(vllm, folder):
    model = VLLMModel(folder, {"max_model_len": 512}, {"enable_thinking": False}, temperature=0.5)
    message = model.generate(user("hi"), stop_sequences=["o."], max_tokens=7)
    assert (message.content, message.finish_reason, message.model_id) == ("Hell", "stop", folder)
    assert message.token_usage.dict() == {
        "input_tokens": 3, "output_tokens": 4, "total_tokens": 7, "cached_input_tokens": 2,
    }  # fmt: skip
    (call,) = model.model.calls
    assert call["messages"] == user("hi")
    assert call["options"] == {"enable_thinking": False}
    assert call["params"] == SamplingParams(temperature=0.5, stop=["o."], max_tokens=7)
    assert model.model.max_model_len == 512


def test_forms(vllm, folder):
    model = VLLMModel(folder)
    form = {"type": "json_schema", "json_schema": {"name": "fruit", "schema": SCHEMA}}
    model.generate(user("hi"), response_format=form)
    model.generate(user("hi"), response_format={"type": "json_object"})
    model.generate(user("hi"), grammar='root ::= "a"')
    assert [call["params"].structured_outputs for call in model.model.calls] == [
        StructuredOutputsParams(json=SCHEMA),
        StructuredOutputsParams(json_object=True),
        StructuredOutputsParams(grammar='root ::= "a"'),
    ]
    with pytest.raises(ValueError, match="response_format is"):
        model.generate(user("hi"), response_format={"type": "json_schema"})


def test_forms_of_earlier_versions(vllm, folder, monkeypatch):
    vllm.GuidedDecodingParams = StructuredOutputsParams
    del vllm.StructuredOutputsParams

    @dataclass
    class Earlier:
        max_tokens: int
        guided_decoding: Any = None
        stop: Any = None

    monkeypatch.setattr(sys.modules["vllm"], "SamplingParams", Earlier)
    model = VLLMModel(folder)
    model.generate(user("hi"), response_format={"type": "json_object"})
    assert model.model.calls[0]["params"].guided_decoding == StructuredOutputsParams(json_object=True)


def test_tools(vllm, folder, weather):
    model = VLLMModel(folder)
    model.model.replies = ['{"name": "get_weather", "arguments": {"city": "Rome"}}']
    message = model.parse_tool_calls(model.generate(user("hi"), tools_to_call_from=[weather]))
    assert message.tool_calls[0].function.arguments == {"city": "Rome"}
    assert model.model.calls[0]["tools"][0]["function"]["name"] == "get_weather"
    model.tokenizer.chat_template = "{{ messages }}"
    model.generate(user("hi"), tools_to_call_from=[weather])
    assert model.model.calls[1]["tools"] is None
    assert "get_weather(" in model.model.calls[1]["messages"][0]["content"]


def test_thoughts_and_images(vllm, folder):
    model = VLLMModel(folder)
    model.model.replies, model.model.prompt = ["Hm.</think>Yes."], "<|im_start|>assistant\n<think>\n"
    png = b"\x89PNG\r\n\x1a\n"
    message = model.generate([{"role": "user", "content": [{"type": "image", "image": png}]}])
    assert (message.reasoning_content, message.content) == ("Hm.", "Yes.")
    (part,) = model.model.calls[0]["messages"][0]["content"]
    assert part["image_url"]["url"].startswith("data:image/png;base64,")


def test_an_agent_end_to_end(vllm, folder):
    model = VLLMModel(folder)
    model.model.replies = ["<code>\nx = 20 + 22\n</code>", "<code>\nfinal_answer(x)\n</code>"]
    assert CodeAgent(tools=[], model=model, verbosity_level=0).run("What is 20 + 22?") == 42


def test_it_is_made_again_from_its_dictionary(vllm, folder):
    model = VLLMModel(folder, {"max_model_len": 512}, temperature=0.5)
    saved = json.loads(json.dumps(model.to_dict()))
    assert saved == {"model_id": folder, "model_kwargs": {"max_model_len": 512}, "temperature": 0.5}
    assert VLLMModel.from_dict(saved).model.max_model_len == 512


def test_what_is_wrong_is_explained(vllm, folder, monkeypatch):
    model = VLLMModel(folder)
    with pytest.raises(ValueError, match=r"vLLM refused this call.*temprature"):
        model.generate(user("hi"), temprature=1)
    with pytest.raises(ValueError, match=r"vLLM refused this call.*context"):
        model.generate(user("hi"), max_tokens=20_000)
    with pytest.raises(ValueError, match="give a whole number above 0"):
        model.generate(user("hi"), max_tokens=0)
    monkeypatch.setattr(model.model, "chat", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(AgentGenerationError, match="vLLM failed to generate: division by zero"):
        model.generate(user("hi"))
    with pytest.raises(AgentGenerationError, match=r"VLLMModel cannot load .*max_model_length"):
        VLLMModel(folder, {"max_model_length": 5})
    with pytest.raises(ValueError, match="there is no folder"):
        VLLMModel("/no/such/place")
    model.model = None
    with pytest.raises(AgentGenerationError, match="was cleaned up"):
        model.generate(user("hi"))


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'smolagents\[vllm\]'"):
        VLLMModel("any/model")
