"""Writing down what is said."""

from __future__ import annotations

from typing import Any

from smolagents.tools.pipeline import PipelineTool
from smolagents.types.agent_types import AgentAudio

__all__ = ["SpeechToTextTool"]


class SpeechToTextTool(PipelineTool):
    """Transcribes speech with a Whisper model. Needs the extras "transformers" and "audio"."""

    default_checkpoint = "openai/whisper-large-v3-turbo"
    name = "transcriber"
    description = "Transcribes speech: returns the text that is said in an audio."
    inputs = {"audio": {"type": "audio", "description": "The audio: a path, or samples."}}
    output_type = "string"

    def setup(self) -> None:
        if isinstance(self.model, str) and self.model_class is None:
            from smolagents._imports import require

            transformers = require("transformers", extra="transformers", needed_for="SpeechToTextTool")
            self.model_class = transformers.WhisperForConditionalGeneration
            self.pre_processor_class = self.pre_processor_class or transformers.WhisperProcessor
        super().setup()

    def encode(self, audio: Any) -> Any:
        held = AgentAudio(audio)
        samples = held.to_raw()
        return self.pre_processor(samples, sampling_rate=held.samplerate, return_tensors="pt")

    def forward(self, inputs: Any) -> Any:
        return self.model.generate(inputs["input_features"])

    def decode(self, outputs: Any) -> str:
        return str(self.pre_processor.batch_decode(outputs, skip_special_tokens=True)[0]).strip()
