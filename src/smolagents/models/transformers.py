"""Models of the Hub in this process, on the `transformers` library: text, and images where the model sees them."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from smolagents.models.base import Messages
from smolagents.models.chat_templates import as_template_parts, render, tell_of_tools
from smolagents.models.local_engine import LocalEngineModel, checked_limit, fitted_limit
from smolagents.models.local_text import ReplyReader, opens_thought
from smolagents.models.token_constraints import ConstraintMaker, can_constrain, code_reply_grammar
from smolagents.models.transformers_engine import TransformersGeneration, load, stopping_criteria

__all__ = ["TransformersModel"]

_DEFAULT_MODEL = "HuggingFaceTB/SmolLM2-1.7B-Instruct"
_SMALL = 7_000_000_000
"""Parameters below which prompts are to be short."""
_TAIL = 8
"""Tokens at a prompt's end that are looked at for the opening of a thought."""


class TransformersModel(LocalEngineModel):
    """A model of the Hub, or of a folder, that runs in this process on PyTorch.

    Models that see images take them in messages. Replies can be held to a JSON schema (`response_format`) or a grammar
    (`grammar=` with a call, in llguidance's form of Lark or in GBNF), which begins after a thought. Calls of several threads are answered one after the other.

    Args:
        model_id: Name of a repository of the Hub, or a folder. None for a small model of 1.7 billion parameters.
        device_map: Where the weights go: a device such as "cuda:1", "auto" to spread them, or a dictionary. None for
            a GPU if there is one, else the processor.
        torch_dtype: Type of the weights, such as "bfloat16" or "auto"; None for what the installed `transformers`
            chooses.
        trust_remote_code: Run code that the repository brings.
        model_kwargs: Further arguments of `from_pretrained`, such as `{"revision": …}` or
            `{"quantization_config": …}`.
        max_new_tokens: Most tokens of a reply.
        max_tokens: Another name of `max_new_tokens`; it takes precedence.
        apply_chat_template_kwargs: Further arguments of the chat template, such as `{"enable_thinking": False}`.
        dtype: Another name of `torch_dtype`.
        **kwargs: Arguments of the model's `generate`, such as `do_sample`, `temperature` or `repetition_penalty`;
            `seed`; and the arguments of `Model`. A `temperature` above 0 turns sampling on, and one of 0 off.

    Raises:
        MissingExtraError: a package is not installed.
        ValueError: `model_id` is a folder that holds no model, or can be no name of a repository.
        AgentGenerationError: the model cannot be fetched or loaded.
    """

    def __init__(
        self,
        model_id: str | None = None,
        device_map: Any = None,
        torch_dtype: Any = None,
        trust_remote_code: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        max_new_tokens: int = 4096,
        max_tokens: int | None = None,
        apply_chat_template_kwargs: dict[str, Any] | None = None,
        *,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        name = _DEFAULT_MODEL if model_id is None else str(model_id)
        flatten = kwargs.pop("flatten_messages_as_text", None)
        super().__init__(model_id=name, **kwargs)
        self.device_map = device_map
        chosen = torch_dtype if torch_dtype is not None else dtype
        self.torch_dtype = None if chosen is None else str(chosen).removeprefix("torch.")
        self.trust_remote_code = trust_remote_code
        self.model_kwargs = model_kwargs
        self.max_new_tokens = max_new_tokens if max_tokens is None else max_tokens
        self.apply_chat_template_kwargs = apply_chat_template_kwargs
        self._loaded = load(name, device_map, self.torch_dtype, trust_remote_code, self.model_kwargs)
        self.model = self._loaded.model
        self.tokenizer = self._loaded.tokenizer
        self.processor = self._loaded.processor
        self.flatten_messages_as_text = self.processor is None if flatten is None else flatten
        self.prefers_compact_prompts = self.model.num_parameters() < _SMALL
        self._lock_of_tokenizer = threading.Lock()
        self._constraints = ConstraintMaker(self.tokenizer, "transformers", "TransformersModel")

    def code_reply_arguments(self, opening: str, closing: str) -> dict[str, Any]:
        """Holds a reply to a thought and a block of code. Small models otherwise tend to answer without code."""
        searched = self.kwargs.get("num_beams", 1) > 1 or "assistant_model" in self.kwargs
        if not self.prefers_compact_prompts or searched or not can_constrain(self.tokenizer):
            return {}
        return {"grammar": code_reply_grammar(opening)}

    def make_stopping_criteria(self, stop_sequences: list[str], tokenizer: Any) -> Any:
        """Criteria for the `stopping_criteria` of a model's `generate` that end it at a stop sequence."""
        return stopping_criteria(stop_sequences, tokenizer)

    def _generation(
        self,
        messages: Messages,
        stop_sequences: list[str] | None,
        response_format: Any,
        tools: list[Any] | None,
        kwargs: dict[str, Any],
    ) -> TransformersGeneration:
        parameters = self._prepare_completion_kwargs(
            messages, stop_sequences, tools_to_call_from=tools, convert_images_to_image_urls=True, **kwargs
        )
        conversation = parameters.pop("messages")
        schemas = parameters.pop("tools", None)
        stops = parameters.pop("stop", None) or []
        seed = parameters.pop("seed", None)
        parameters.pop("tool_choice", None)
        limit = checked_limit(parameters, self.max_new_tokens)
        grammar = self._constraints.grammar_of(response_format, parameters.pop("grammar", None))
        arguments = _generate_arguments(parameters)
        inputs = self._inputs(conversation, tools, schemas)
        tokens = inputs["input_ids"]
        arguments["max_new_tokens"] = fitted_limit(limit, tokens.shape[1], self._loaded.context)
        if arguments.get("pad_token_id") is None and self.model.generation_config.pad_token_id is None:
            pad = self.tokenizer.pad_token_id
            arguments["pad_token_id"] = pad if pad is not None else self.tokenizer.eos_token_id
        thinks_first = opens_thought(self.tokenizer.decode(tokens[0, -_TAIL:]))
        reader = ReplyReader([stops] if isinstance(stops, str) else stops, thinks_first)
        constraint = None
        if grammar is not None:
            if (arguments.get("num_beams") or 1) > 1 or "assistant_model" in arguments:
                raise ValueError("a reply that is held to a form cannot be searched with beams or an assistant model")
            thought = self._loaded.decode if thinks_first else None
            constraint = self._constraints.make(grammar, self._loaded.ends(arguments), thought)
        return TransformersGeneration(self._loaded, inputs, arguments, reader, seed, self.model_id, constraint)

    def _inputs(
        self, conversation: list[dict[str, Any]], tools: list[Any] | None, schemas: list[dict[str, Any]] | None
    ) -> dict[str, Any]:
        options = dict(self.apply_chat_template_kwargs or {})
        writer = self.tokenizer if self.processor is None else self.processor
        template = options.get("chat_template") or writer.chat_template or self.tokenizer.chat_template
        if tools and "tools" not in str(template):
            tell_of_tools(conversation, tools, self.tool_name_key, self.tool_arguments_key)
            schemas = None
        apply: Callable[[list[dict[str, Any]]], Any] = partial(
            writer.apply_chat_template,
            **{"add_generation_prompt": True, "tools": schemas, **options},
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        if self.processor is not None:
            conversation = as_template_parts(conversation)
        with self._lock_of_tokenizer:
            inputs = render(apply, conversation, str(self.model_id))
        if "token_type_ids" not in inspect.signature(self.model.forward).parameters:
            inputs.pop("token_type_ids", None)  # some tokenizers make them for every model
        device, dtype = self.model.device, self.model.dtype
        return {
            name: value.to(device, dtype) if value.is_floating_point() else value.to(device)
            for name, value in inputs.items()
            if hasattr(value, "is_floating_point")
        }


def _generate_arguments(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a call, in the words of chat APIs too, as `generate` takes them."""
    arguments = dict(parameters)
    temperature = arguments.get("temperature")
    if temperature is not None:
        if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or temperature < 0:
            raise ValueError(f"temperature is {temperature!r}; give a number from 0 up")
        arguments.setdefault("do_sample", temperature > 0)
    if arguments.get("do_sample") is False:  # what only sampling heeds is warned of otherwise
        arguments.update(temperature=None, top_p=None, top_k=None)
    return arguments
