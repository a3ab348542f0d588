"""Tools that run a `transformers` model."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from smolagents._imports import require
from smolagents.tools.base import Tool

__all__ = ["PipelineTool", "PreTool"]


@dataclass
class PreTool:
    """A tool on the Hub that is not loaded yet."""

    name: str
    inputs: dict[str, str]
    output_type: type
    task: str
    description: str
    repo_id: str


class PipelineTool(Tool):
    """Base of tools that prepare an input, run a model, and read its output.

    Models and processors given by name are loaded before the first call, with the package `transformers`.

    Args:
        model: The model, or its name or path; by default `default_checkpoint`.
        pre_processor: What prepares the input, or its name; by default the model's.
        post_processor: What reads the output, or its name; by default the pre-processor.
        device: Where the model runs, such as "cpu" or "cuda:0"; by default where it was put, or the best there is.
        device_map: Passed on when the model is loaded; `device` is then not used.
        model_kwargs: Passed on when the model is loaded.
        token: Key for the Hugging Face Hub.
        **hub_kwargs: Passed on when anything is loaded: `revision`, `cache_dir`…

    Raises:
        ValueError: there is neither a model nor a default one.
    """

    model_class: Any = None
    """The class that loads the model; None for `transformers.AutoModel`."""
    pre_processor_class: Any = None
    """The class that loads the pre-processor; None for `transformers.AutoProcessor`."""
    post_processor_class: Any = None
    """The class that loads the post-processor; None for `transformers.AutoProcessor`."""
    default_checkpoint: str | None = None
    name = "pipeline"
    description = "Runs a model on the inputs."
    inputs: dict[str, dict[str, Any]] = {"inputs": {"type": "any", "description": "What to give to the model."}}
    output_type = "any"
    skip_forward_signature_validation = True

    def __init__(
        self,
        model: Any = None,
        pre_processor: Any = None,
        post_processor: Any = None,
        device: Any = None,
        device_map: Any = None,
        model_kwargs: dict[str, Any] | None = None,
        token: str | None = None,
        **hub_kwargs: Any,
    ) -> None:
        super().__init__()
        if model is None:
            if self.default_checkpoint is None:
                raise ValueError(f"{type(self).__name__} has no default model; give one as model=")
            model = self.default_checkpoint
        self.model = model
        self.pre_processor = model if pre_processor is None else pre_processor
        self.post_processor = post_processor
        self.device = device
        self.device_map = device_map
        self.model_kwargs = {} if model_kwargs is None else dict(model_kwargs)
        if device_map is not None:
            self.model_kwargs["device_map"] = device_map
        self.hub_kwargs = {**hub_kwargs, "token": token}

    def setup(self) -> None:
        """Load what was given by name, and put the model on its device."""
        if isinstance(self.pre_processor, str):
            loader = self.pre_processor_class or _transformers(self).AutoProcessor
            self.pre_processor = loader.from_pretrained(self.pre_processor, **self.hub_kwargs)
        if isinstance(self.model, str):
            loader = self.model_class or _transformers(self).AutoModel
            self.model = loader.from_pretrained(self.model, **self.model_kwargs, **self.hub_kwargs)
        if self.post_processor is None:
            self.post_processor = self.pre_processor
        elif isinstance(self.post_processor, str):
            loader = self.post_processor_class or _transformers(self).AutoProcessor
            self.post_processor = loader.from_pretrained(self.post_processor, **self.hub_kwargs)
        if self.device is None:
            self.device = getattr(self.model, "device", None) if self.device_map is not None else _best_device()
        if self.device_map is None and self.device is not None and hasattr(self.model, "to"):
            self.model.to(self.device)
        super().setup()

    def encode(self, raw_inputs: Any) -> Any:
        """Prepare the inputs for the model."""
        return self.pre_processor(raw_inputs)

    def forward(self, inputs: Any) -> Any:
        """Run the model."""
        with _without_gradients():
            return self.model(**inputs)

    def decode(self, outputs: Any) -> Any:
        """Read the model's outputs."""
        return self.post_processor(outputs)

    def _work(self, *args: Any, **kwargs: Any) -> Any:
        """Encode, run and decode."""
        encoded = _moved(self.encode(*args, **kwargs), self.device)
        outputs = self.forward(encoded)
        return self.decode(_moved(outputs, "cpu"))


def _transformers(tool: Tool) -> Any:
    return require("transformers", extra="transformers", needed_for=type(tool).__name__)


def _best_device() -> Any:
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _without_gradients() -> Any:
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.no_grad()


def _moved(value: Any, device: Any) -> Any:
    """Tensors, alone or in lists and mappings, on `device`."""
    torch = sys.modules.get("torch")
    if torch is None or device is None:
        return value
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_moved(item, device) for item in value)
    if isinstance(value, dict):
        return {key: _moved(item, device) for key, item in value.items()}
    return value.to(device) if hasattr(value, "keys") and hasattr(value, "to") else value
