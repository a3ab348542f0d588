"""Tools that prepare, run a model and read its output."""

from __future__ import annotations

import numpy as np
import pytest

from smolagents.default_tools import SpeechToTextTool
from smolagents.tools import PipelineTool
from smolagents.types.agent_types import AgentText


class Doubling(PipelineTool):
    name = "doubling"
    description = "Doubles."
    inputs = {"text": {"type": "string", "description": "A number."}}
    output_type = "string"

    def encode(self, text):
        return {"n": self.pre_processor(text)}

    def decode(self, outputs):
        return self.post_processor(outputs)


def test_encode_forward_decode():
    tool = Doubling(model=lambda n: n * 2, pre_processor=int, post_processor=str)
    assert tool("21") == "42"
    assert isinstance(tool(text="21", sanitize_inputs_outputs=True), AgentText)


def test_a_model_given_by_name_is_loaded_before_the_first_call():
    loaded = []

    class Loader:
        @classmethod
        def from_pretrained(cls, name, **kwargs):
            loaded.append((name, kwargs))
            return lambda n: n + 1

    class Named(Doubling):
        model_class = Loader
        default_checkpoint = "some/model"

    tool = Named(pre_processor=int, post_processor=str, token="t", revision="r", model_kwargs={"x": 1})
    assert loaded == []
    assert tool("1") == tool("1") == "2"
    assert loaded == [("some/model", {"x": 1, "token": "t", "revision": "r"})]


def test_without_a_model_it_says_so():
    with pytest.raises(ValueError, match="Doubling has no default model"):
        Doubling()


def test_speech_to_text_reads_samples_with_their_rate():
    class Processor:
        def __call__(self, samples, sampling_rate, return_tensors):
            return {"input_features": [len(samples), sampling_rate]}

        def batch_decode(self, outputs, skip_special_tokens):
            return [f" {outputs} "]

    class Whisper:
        def generate(self, features):
            return features

    tool = SpeechToTextTool(model=Whisper(), pre_processor=Processor())
    assert tool.name == "transcriber"
    assert tool((8_000, np.zeros(5))) == "[5, 8000]"
    assert tool(audio=np.zeros(3)) == "[3, 16000]"
