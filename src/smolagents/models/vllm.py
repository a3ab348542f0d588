"""Models in this process on the `vllm` library: many tokens a second on a GPU, and replies held to a form."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from smolagents._imports import require
from smolagents.models.base import Messages, Model
from smolagents.models.chat_templates import tell_of_tools
from smolagents.models.finish_reasons import normalized_finish_reason
from smolagents.models.hub_models import explain_load_failure, find_model, hub_arguments, on_one_line
from smolagents.models.local_engine import checked_limit
from smolagents.models.local_text import ReplyReader, opens_thought
from smolagents.types.errors import AgentGenerationError
from smolagents.types.messages import ChatMessage, ChatMessageStreamDelta, MessageRole, agglomerate_stream_deltas
from smolagents.types.usage import TokenUsage

__all__ = ["VLLMModel"]

_EXTRA = "vllm"
_MAX_TOKENS = 4096


class VLLMModel(Model):
    """A model of the Hub, or of a folder, that runs in this process on vLLM. Models that see images take them.

    Calls of several threads are answered one after the other, and a call that has begun runs to its end. For many
    agents at once, or to stream, start vLLM's server and use `OpenAIModel` with its address.

    Args:
        model_id: Name of a repository of the Hub, or a folder.
        model_kwargs: Further arguments of `vllm.LLM`, such as `{"max_model_len": 16384}` or `{"revision": …}`.
        apply_chat_template_kwargs: Further arguments of the chat template, such as `{"enable_thinking": False}`.
        **kwargs: Arguments of `vllm.SamplingParams` for every call, such as `temperature` or `max_tokens` (4096 if it
            is not given); and the arguments of `Model`.

    Raises:
        MissingExtraError: `vllm` is not installed.
        ValueError: `model_id` is a folder that holds no model, or can be no name of a repository.
        AgentGenerationError: the model cannot be fetched or loaded.
    """

    def __init__(
        self,
        model_id: str,
        model_kwargs: dict[str, Any] | None = None,
        apply_chat_template_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model_id=str(model_id), **kwargs)
        self.model_kwargs = model_kwargs
        self.apply_chat_template_kwargs = apply_chat_template_kwargs
        self._lock = threading.Lock()
        vllm = require("vllm", extra=_EXTRA, needed_for="VLLMModel")
        given = dict(model_kwargs or {})
        find_model(str(model_id), hub_arguments(given))
        try:
            self.model: Any = vllm.LLM(model=str(model_id), **given)
            self.tokenizer: Any = self.model.get_tokenizer()
        except Exception as error:
            raise explain_load_failure(error, str(model_id), "VLLMModel") from error

    @property
    def supports_stop_parameter(self) -> bool:
        return True

    def cleanup(self) -> None:
        """Free the GPU. The model cannot be used afterwards."""
        import gc

        with self._lock:
            model, self.model, self.tokenizer = self.model, None, None
            if model is None:
                return
            engine = getattr(model, "llm_engine", None)
            # Where the engine runs in a process of its own, this ends it.
            shutdown = getattr(getattr(engine, "engine_core", None), "shutdown", None)
            if shutdown is not None:
                shutdown()
            del model, engine
        parallel = require("vllm.distributed.parallel_state", extra=_EXTRA, needed_for="VLLMModel")
        parallel.destroy_model_parallel()
        parallel.destroy_distributed_environment()
        gc.collect()
        torch = require("torch", extra=_EXTRA, needed_for="VLLMModel")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def generate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        parameters = self._prepare_completion_kwargs(
            messages,
            stop_sequences,
            response_format,
            tools_to_call_from=tools_to_call_from,
            convert_images_to_image_urls=True,
            **kwargs,
        )
        conversation = parameters.pop("messages")
        tools = parameters.pop("tools", None)
        parameters.pop("tool_choice", None)
        form = parameters.pop("response_format", None)
        options = dict(self.apply_chat_template_kwargs or {})
        template = options.pop("chat_template", None)
        add_generation_prompt = options.pop("add_generation_prompt", True)
        with self._lock:
            if self.model is None:
                raise AgentGenerationError("this model was cleaned up; make a new one")
            if tools_to_call_from and "tools" not in str(template or getattr(self.tokenizer, "chat_template", "")):
                tell_of_tools(conversation, tools_to_call_from, self.tool_name_key, self.tool_arguments_key)
                tools = None
            try:
                (output,) = self.model.chat(
                    conversation,
                    sampling_params=_sampling_params(parameters, form),
                    use_tqdm=False,
                    chat_template=template,
                    add_generation_prompt=add_generation_prompt,
                    tools=tools,
                    chat_template_kwargs=options or None,
                )
            except (TypeError, ValueError) as error:
                raise ValueError(f"vLLM refused this call: {on_one_line(error)}") from error
            except Exception as error:
                raise AgentGenerationError(f"vLLM failed to generate: {on_one_line(error)}") from error
        return self._message(output)

    def _message(self, output: Any) -> ChatMessage:
        reply = output.outputs[0]
        # vLLM has cut the text at the stop sequences already.
        reader = ReplyReader((), thinks_first=opens_thought(output.prompt or ""))
        deltas = [delta for delta in (reader.feed(reply.text), reader.rest()) if delta is not None]
        deltas.append(
            ChatMessageStreamDelta(
                finish_reason=normalized_finish_reason(reply.finish_reason),
                token_usage=TokenUsage(
                    len(output.prompt_token_ids or ()),
                    len(reply.token_ids),
                    cached_input_tokens=getattr(output, "num_cached_tokens", None),
                ),
                model_id=self.model_id,
            )
        )
        message = agglomerate_stream_deltas(deltas, role=MessageRole.ASSISTANT)
        message.raw = output
        return message


def _sampling_params(parameters: dict[str, Any], form: Any) -> Any:
    """`vllm.SamplingParams` from the parameters of a call, in the words of chat APIs too.

    Raises:
        ValueError: a parameter is wrong.
    """
    vllm = require("vllm", extra=_EXTRA, needed_for="VLLMModel")
    arguments = dict(parameters)
    arguments["max_tokens"] = checked_limit(arguments, _MAX_TOKENS)
    structure = _structure_of(form)
    grammar = arguments.pop("grammar", None)
    if grammar is not None:
        structure["grammar"] = grammar
    if structure:
        sampling = require("vllm.sampling_params", extra=_EXTRA, needed_for="VLLMModel")
        if hasattr(sampling, "StructuredOutputsParams"):
            arguments["structured_outputs"] = sampling.StructuredOutputsParams(**structure)
        else:  # before version 0.11
            arguments["guided_decoding"] = sampling.GuidedDecodingParams(**structure)
    return vllm.SamplingParams(**arguments)


def _structure_of(form: Any) -> dict[str, Any]:
    if form is None:
        return {}
    kind = form.get("type") if isinstance(form, Mapping) else None
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"json_object": True}
    described = form.get("json_schema") if kind == "json_schema" else None
    schema = described.get("schema") if isinstance(described, Mapping) else None
    if not isinstance(schema, Mapping):
        raise ValueError(
            f"response_format is {form!r:.200}; "
            'write {"type": "json_schema", "json_schema": {"name": …, "schema": {…}}}'
        )
    return {"json": dict(schema)}
