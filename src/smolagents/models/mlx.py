"""Models in Apple's MLX format in this process, on the `mlx-lm` library."""

from __future__ import annotations

import inspect
import threading
from functools import partial
from typing import Any

from smolagents._imports import require
from smolagents.models.base import Messages
from smolagents.models.chat_templates import render, tell_of_tools
from smolagents.models.hub_models import OUT_OF_MEMORY, explain_load_failure, find_model, on_one_line
from smolagents.models.local_engine import Generation, LocalEngineModel, checked_limit, fitted_limit
from smolagents.models.local_text import ReplyReader, opens_thought
from smolagents.models.token_constraints import ConstraintMaker, TokenConstraint, can_constrain, code_reply_grammar
from smolagents.types.errors import AgentGenerationError

__all__ = ["MLXModel"]

_EXTRA = "mlx-lm"
_MAX_TOKENS = 4096
_SMALL = 4_000_000_000
"""Bytes of weights below which prompts are to be short: about 7 billion parameters at 4 bits."""
_TAIL = 8
"""Tokens at a prompt's end that are looked at for the opening of a thought."""


class MLXModel(LocalEngineModel):
    """A model in MLX format, of the Hub or of a folder, that runs in this process.

    Replies can be held to a JSON schema (`response_format`) or a grammar (`grammar=` with a call, in llguidance's form of
    Lark or in GBNF), which begins after a thought. Calls of several threads are answered one after the other.

    Args:
        model_id: Name of a repository of the Hub, such as "mlx-community/Qwen2.5-Coder-7B-Instruct-4bit", or a folder.
        trust_remote_code: Run code that the repository brings.
        load_kwargs: Further arguments of `mlx_lm.load`, such as `{"adapter_path": …}`.
        apply_chat_template_kwargs: Further arguments of the chat template, such as `{"enable_thinking": False}`.
        **kwargs: For every call: `max_tokens` (4096 if it is not given); `temperature`, 0 if it is not given, `top_p`
            and further arguments of `mlx_lm.sample_utils.make_sampler`; `repetition_penalty` and further arguments
            of `make_logits_processors`; `seed`; arguments of `mlx_lm.stream_generate`; and the arguments of `Model`.

    Raises:
        MissingExtraError: `mlx-lm` is not installed.
        ValueError: `model_id` is a folder that holds no model, or can be no name of a repository.
        AgentGenerationError: the model cannot be fetched or loaded.
    """

    def __init__(
        self,
        model_id: str,
        trust_remote_code: bool = False,
        load_kwargs: dict[str, Any] | None = None,
        apply_chat_template_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("flatten_messages_as_text", True)
        super().__init__(model_id=str(model_id), **kwargs)
        self.trust_remote_code = trust_remote_code
        self.load_kwargs = load_kwargs
        self.apply_chat_template_kwargs = apply_chat_template_kwargs
        self._lock_of_tokenizer = threading.Lock()
        self.model, self.tokenizer = _load(str(model_id), trust_remote_code, load_kwargs or {})
        self._constraints = ConstraintMaker(self.tokenizer._tokenizer, _EXTRA, "MLXModel")
        self.prefers_compact_prompts = _bytes_of(self.model) < _SMALL

    def code_reply_arguments(self, opening: str, closing: str) -> dict[str, Any]:
        """Holds a reply to a thought and a block of code. Small models otherwise tend to answer without code."""
        drafted = "draft_model" in self.kwargs
        if not self.prefers_compact_prompts or drafted or not can_constrain(self.tokenizer._tokenizer):
            return {}
        return {"grammar": code_reply_grammar(opening)}

    def _generation(
        self,
        messages: Messages,
        stop_sequences: list[str] | None,
        response_format: Any,
        tools: list[Any] | None,
        kwargs: dict[str, Any],
    ) -> Generation:
        parameters = self._prepare_completion_kwargs(
            messages, stop_sequences, tools_to_call_from=tools, convert_images_to_image_urls=True, **kwargs
        )
        conversation = parameters.pop("messages")
        schemas = parameters.pop("tools", None)
        stops = parameters.pop("stop", None) or []
        parameters.pop("tool_choice", None)
        limit = checked_limit(parameters, _MAX_TOKENS)
        grammar = self._constraints.grammar_of(response_format, parameters.pop("grammar", None))
        options = dict(self.apply_chat_template_kwargs or {})
        if tools and "tools" not in str(options.get("chat_template") or self.tokenizer.chat_template):
            tell_of_tools(conversation, tools, self.tool_name_key, self.tool_arguments_key)
            schemas = None
        arguments = {"add_generation_prompt": True, "tools": schemas, **options, "tokenize": True}
        with self._lock_of_tokenizer:
            prompt = render(partial(self.tokenizer.apply_chat_template, **arguments), conversation, str(self.model_id))
        tokens = [int(token) for token in prompt]
        context = getattr(getattr(self.model, "args", None), "max_position_embeddings", None)
        limit = fitted_limit(limit, len(tokens), context if isinstance(context, int) else None)
        thinks_first = opens_thought(self.tokenizer.decode(tokens[-_TAIL:]))
        reader = ReplyReader([stops] if isinstance(stops, str) else stops, thinks_first)
        constraint = None
        if grammar is not None:
            if "draft_model" in parameters:
                raise ValueError("a reply that is held to a form cannot be drafted by another model")
            thought = self.tokenizer.decode if thinks_first else None
            constraint = self._constraints.make(grammar, frozenset(self.tokenizer.eos_token_ids), thought)
        return _MLXGeneration(self, tokens, limit, parameters, reader, constraint)


class _MLXGeneration(Generation):
    def __init__(
        self,
        owner: MLXModel,
        prompt: list[int],
        limit: int,
        parameters: dict[str, Any],
        reader: ReplyReader,
        constraint: TokenConstraint | None,
    ) -> None:
        tokenizer = owner.tokenizer
        super().__init__(
            partial(tokenizer.decode, skip_special_tokens=True, clean_up_tokenization_spaces=False),
            reader,
            len(prompt),
            limit,
            frozenset(tokenizer.eos_token_ids),
            owner.model_id,
        )
        self._owner = owner
        self._prompt = prompt
        self._seed = parameters.pop("seed", None)
        self._arguments = _stream_arguments(parameters)
        self._constraint = constraint
        self._begun = False
        if constraint is not None:
            processors = [*(self._arguments.get("logits_processors") or ()), self._constrained]
            self._arguments["logits_processors"] = processors

    def _constrained(self, tokens: Any, logits: Any) -> Any:
        """Leave those of the next tokens that the form allows. Called before each step."""
        assert self._constraint is not None
        mx = require("mlx.core", extra=_EXTRA, needed_for="MLXModel")
        if self._begun:  # what comes first is the prompt
            self._constraint.take([int(tokens[-1].item())])
        self._begun = True
        mask = self._constraint.allowed(logits.shape[-1])
        if mask is None:
            return logits
        return mx.where(mx.array(memoryview(mask)) > 0, logits, mx.array(-mx.inf, dtype=logits.dtype))

    def produce(self) -> None:
        mlx_lm = require("mlx_lm", extra=_EXTRA, needed_for="MLXModel")
        if self._seed is not None:
            require("mlx.core", extra=_EXTRA, needed_for="MLXModel").random.seed(self._seed)
        try:
            pieces = mlx_lm.stream_generate(
                self._owner.model, self._owner.tokenizer, self._prompt, max_tokens=self.limit, **self._arguments
            )
            try:
                for piece in pieces:
                    self.take([int(piece.token)])
                    if self.done:
                        return
            finally:
                pieces.close()
        except (TypeError, ValueError) as error:
            raise ValueError(f"mlx-lm refused the arguments of this call: {on_one_line(error)}") from error
        except Exception as error:
            said = on_one_line(error)
            remedy = ""
            if isinstance(error, MemoryError) or any(words in said for words in OUT_OF_MEMORY):
                remedy = "; shorten the conversation, or use a smaller or a more quantized model"
            raise AgentGenerationError(f"mlx-lm failed to generate: {said}{remedy}") from error


def _stream_arguments(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a call, in the words of chat APIs too, as `mlx_lm.stream_generate` takes them."""
    utils = require("mlx_lm.sample_utils", extra=_EXTRA, needed_for="MLXModel")
    arguments = dict(parameters)
    if "temperature" in arguments:
        arguments["temp"] = arguments.pop("temperature")
    for make, name in ((utils.make_sampler, "sampler"), (utils.make_logits_processors, "logits_processors")):
        known = inspect.signature(make).parameters
        given = {key: arguments.pop(key) for key in list(arguments) if key in known}
        if given and name in arguments:
            raise ValueError(
                f"{name} is given, so {', '.join(sorted(given))} would not be heeded; give one of the two"
            )
        if given:
            arguments[name] = make(**given)
    return arguments


def _load(model_id: str, trust_remote_code: bool, load_kwargs: dict[str, Any]) -> tuple[Any, Any]:
    mlx_lm = require("mlx_lm", extra=_EXTRA, needed_for="MLXModel")
    given = dict(load_kwargs)
    source = {"revision": given["revision"]} if given.get("revision") else {}
    path = model_id
    if find_model(model_id, source):
        path = _folder_of(model_id, source)
    given["tokenizer_config"] = {"trust_remote_code": trust_remote_code, **(given.get("tokenizer_config") or {})}
    if "trust_remote_code" in inspect.signature(mlx_lm.load).parameters:
        given.setdefault("trust_remote_code", trust_remote_code)
    try:
        model, tokenizer = mlx_lm.load(path, **given)[:2]
    except Exception as error:
        raise explain_load_failure(error, model_id, "MLXModel") from error
    return model, tokenizer


def _folder_of(model_id: str, source: dict[str, Any]) -> str:
    """The folder itself, or that of the Hub's cache."""
    import os

    if os.path.isdir(model_id):
        return model_id
    from huggingface_hub import try_to_load_from_cache

    return os.path.dirname(str(try_to_load_from_cache(model_id, "config.json", **source)))


def _bytes_of(model: Any) -> int:
    utils = require("mlx.utils", extra=_EXTRA, needed_for="MLXModel")
    return sum(int(weights.nbytes) for _, weights in utils.tree_flatten(model.parameters()))
