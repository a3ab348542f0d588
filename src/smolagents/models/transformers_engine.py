"""The `transformers` library as an engine: models loaded, and replies generated token by token."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from smolagents._imports import require
from smolagents.models.hub_models import OUT_OF_MEMORY, explain_load_failure, find_model, hub_arguments, on_one_line
from smolagents.models.local_engine import Generation
from smolagents.models.local_text import IncrementalDecoder, ReplyReader
from smolagents.models.token_constraints import TokenConstraint
from smolagents.types.errors import AgentGenerationError

__all__ = ["LoadedModel", "StopOnText", "TransformersGeneration", "load", "stopping_criteria"]

_NEEDED_FOR = "TransformersModel"
_EXTRA = "transformers"


@dataclass
class LoadedModel:
    """What was loaded."""

    model: Any
    tokenizer: Any
    processor: Any | None
    """Of models that see images; else None."""
    context: int | None
    """Tokens that prompt and reply may have together, where the model has a limit."""

    def decode(self, tokens: list[int]) -> str:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def ends(self, arguments: Mapping[str, Any]) -> frozenset[int]:
        """Tokens that end a reply."""
        ends = arguments.get("eos_token_id", self.model.generation_config.eos_token_id)
        return frozenset([ends] if isinstance(ends, int) else ends or ())


def load(
    model_id: str,
    device_map: Any = None,
    dtype: Any = None,
    trust_remote_code: bool = False,
    model_kwargs: Mapping[str, Any] | None = None,
) -> LoadedModel:
    """Load a model with its tokenizer, and with its processor if it sees images.

    Raises:
        MissingExtraError: a package is not installed.
        ValueError: there is no such folder.
        AgentGenerationError: the model cannot be loaded; the message says why.
    """
    torch, transformers = _torch(), _transformers()
    require("accelerate", extra=_EXTRA, needed_for=_NEEDED_FOR)
    given = dict(model_kwargs or {})
    source = {**hub_arguments(given), "trust_remote_code": trust_remote_code}
    if find_model(model_id, given):
        source["local_files_only"] = given["local_files_only"] = True
    try:
        config = given.get("config")
        if config is None:
            config = given["config"] = transformers.AutoConfig.from_pretrained(model_id, **source)
        if dtype is not None:
            given["dtype"] = dtype
        sees = _sees_images(config)
        loader = transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
        model = loader.from_pretrained(
            model_id,
            device_map=default_device(torch) if device_map is None else device_map,
            trust_remote_code=trust_remote_code,
            **given,
        )
        processor = transformers.AutoProcessor.from_pretrained(model_id, **source) if sees else None
        tokenizer = (
            transformers.AutoTokenizer.from_pretrained(model_id, **source)
            if processor is None
            else processor.tokenizer
        )
    except Exception as error:
        raise explain_load_failure(error, model_id, _NEEDED_FOR) from error
    model.eval()
    return LoadedModel(model, tokenizer, processor, _context_of(model.config))


def default_device(torch: Any) -> str:
    """Where to compute: on a GPU if there is one."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _sees_images(config: Any) -> bool:
    auto = require("transformers.models.auto.modeling_auto", extra=_EXTRA, needed_for=_NEEDED_FOR)
    own = getattr(config, "auto_map", None) or {}
    if own:
        return "AutoModelForImageTextToText" in own
    return type(config) in auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING


def _context_of(config: Any) -> int | None:
    text = config.get_text_config()
    limit = getattr(text, "max_position_embeddings", None)
    if not isinstance(limit, int) or limit <= 0:
        return None
    scaling = getattr(text, "rope_scaling", None) or {}
    factor = scaling.get("factor") if isinstance(scaling, Mapping) else None
    if factor:
        limit = max(limit, int((scaling.get("original_max_position_embeddings") or limit) * factor))
    return limit


class StopOnText:
    """Stops a generation at a stop sequence in its text. Each token is read once.

    Called as the stopping criteria of `transformers` are.

    Args:
        tokenizer: Turns tokens into text.
        stop_sequences: Where to stop.
    """

    def __init__(self, tokenizer: Any, stop_sequences: list[str]) -> None:
        self._reader = ReplyReader(stop_sequences)
        self._decoder = IncrementalDecoder(
            lambda tokens: str(tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))
        )
        self._seen = 0

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        length = input_ids.shape[1]
        # What stands before the first new token is the prompt, whose length is not told.
        text = self._decoder.feed(input_ids[0, self._seen or length - 1 :].tolist())
        self._seen = length
        self._reader.feed(text)
        return _all(input_ids, self._reader.stopped)


def _all(input_ids: Any, done: bool) -> Any:
    return input_ids.new_full((input_ids.shape[0],), done, dtype=_torch().bool)


def stopping_criteria(stop_sequences: list[str], tokenizer: Any) -> Any:
    """Criteria for the `stopping_criteria` of a model's `generate` that end it at a stop sequence."""
    return _transformers().StoppingCriteriaList([StopOnText(tokenizer, stop_sequences)])


def _torch() -> Any:
    return require("torch", extra=_EXTRA, needed_for=_NEEDED_FOR)


def _transformers() -> Any:
    return require("transformers", extra=_EXTRA, needed_for=_NEEDED_FOR)


class TransformersGeneration(Generation):
    """One reply on its way through the model.

    Args:
        loaded: The model.
        inputs: What the tokenizer or the processor made of the conversation.
        arguments: Further arguments of the model's `generate`, `max_new_tokens` among them.
        reader: Reads the text.
        seed: Makes what is sampled repeatable; None to leave it to chance.
        model_id: The model, for the message.
        constraint: What holds the reply to a form.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        inputs: dict[str, Any],
        arguments: dict[str, Any],
        reader: ReplyReader,
        seed: int | None,
        model_id: str | None,
        constraint: TokenConstraint | None = None,
    ) -> None:
        prompt = int(inputs["input_ids"].shape[1])
        super().__init__(
            loaded.decode,
            reader,
            prompt,
            arguments["max_new_tokens"],
            loaded.ends(arguments),
            model_id,
        )
        self._loaded = loaded
        self._inputs = inputs
        self._arguments = arguments
        self._seed = seed
        self._seen = self._bound = prompt
        self._constraint = constraint
        self._beams = (arguments.get("num_beams") or 1) > 1

    def produce(self) -> None:
        arguments = dict(self._arguments)
        transformers = _transformers()
        criteria = transformers.StoppingCriteriaList([*(arguments.pop("stopping_criteria", None) or ()), self])
        if self._constraint is not None:
            processors = [*(arguments.pop("logits_processor", None) or ()), self._constrained]
            arguments["logits_processor"] = transformers.LogitsProcessorList(processors)
        try:
            with self._seeded():
                output = self._loaded.model.generate(**self._inputs, **arguments, stopping_criteria=criteria)
        except Exception as error:
            raise self._explained(error) from error
        self.take(output[0, self._seen :].tolist())  # of beams, which one is the reply is known at the end only

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        """Read the new tokens, and tell whether to stop. Called as stopping criteria are, after each step."""
        if not self._beams:
            self.take(input_ids[0, self._seen :].tolist())
            self._seen = input_ids.shape[1]
        return _all(input_ids, self.done)

    def _constrained(self, input_ids: Any, scores: Any) -> Any:
        """Leave those of the next tokens that the form allows. Called as processors of logits are, before each step."""
        assert self._constraint is not None
        self._constraint.take(input_ids[0, self._bound :].tolist())
        self._bound = input_ids.shape[1]
        mask = self._constraint.allowed(scores.shape[-1])
        if mask is None:
            return scores
        torch = _torch()
        refused = torch.frombuffer(mask, dtype=torch.uint8).to(scores.device) == 0
        return scores.masked_fill(refused, -torch.inf)

    @contextlib.contextmanager
    def _seeded(self) -> Iterator[None]:
        if self._seed is None:
            yield
            return
        torch = _torch()
        with torch.random.fork_rng():
            torch.manual_seed(self._seed)
            yield

    def _explained(self, error: Exception) -> Exception:
        said = on_one_line(error)
        if isinstance(error, MemoryError) or any(words in said for words in OUT_OF_MEMORY):
            torch = _torch()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            return AgentGenerationError(
                f"there is too little memory to answer a conversation of {self.prompt_tokens} tokens ({said}). Shorten "
                "the conversation, lower max_new_tokens, or use a smaller or a quantized model"
            )
        if isinstance(error, (ValueError, TypeError)):
            return ValueError(f"transformers refused the arguments of this call: {said}")
        return AgentGenerationError(f"transformers failed to generate: {type(error).__name__}: {said}")
