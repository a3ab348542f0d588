"""GGUF models in this process, on llama.cpp."""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Generator
from contextlib import closing
from typing import Any

from smolagents.models.base import Messages, Model
from smolagents.models.chat_templates import tell_of_tools
from smolagents.models.constrained_calls import read_constrained_call, tool_call_schema
from smolagents.models.llama_engine import EngineSettings, LlamaEngine, binding, default_threads
from smolagents.types.messages import (
    ChatMessage,
    ChatMessageStreamDelta,
    agglomerate_stream_deltas,
)
from smolagents.types.usage import TokenUsage

__all__ = ["LlamaCppModel"]

_SMALL_FILE = 4_000_000_000
"""Bytes of a model file below which prompts are to be short: about 7 billion parameters at 4 bits."""


class LlamaCppModel(Model):
    """A GGUF model that runs in this process, with no server and no key.

    Replies stream, stop at stop sequences and can be held to a JSON schema (`response_format`) or a grammar
    (`grammar=` with a call). Tool calls are held to the tools' schemas, so they are always well-formed. The prompt of
    one step is the start of the next one's, and what was computed for it is used again.

    Args:
        model_id: A name of the catalogue (`python -m smolagents.models.catalogue list`), fetched on first use; the
            path of a `.gguf` file; or a repository of the Hub, "owner/name", together with `filename`. None for the
            catalogue's default.
        filename: Name of the file in the repository.
        n_ctx: Tokens of context, prompt and reply together. 0 for what the model was trained with, which may take
            much memory.
        n_threads: Threads to compute with; None to choose by the processors at hand.
        no_extra_bufts: Use the weights as they lie in the file rather than repacked for the processor. Measured with
            the catalogue's models on 2 cores of an AVX2 machine: half the load time, 30 % less memory, and no slower.
        n_gpu_layers: Layers to put on a GPU, if the installed `xllamacpp` has GPU support; -1 to choose.
        n_parallel: Conversations computed at once. They share `n_ctx`. More are answered in turn.
        max_tokens: Most tokens of a reply; None for no limit but the context.
        temperature: 0 for the likeliest token each time; small models write their best code so.
        mmproj: Path of the projector file of a model that sees images.
        chat_template: Jinja template of the conversation, in place of the file's own.
        verbose: Let the engine log to the standard error stream.
        engine_options: Further attributes of `xllamacpp.CommonParams`, such as `{"cache_ram_mib": 0}`.
        **kwargs: Sent with every call, such as `seed`, `top_p` or `repeat_penalty`; and the arguments of `Model`.

    Raises:
        MissingExtraError: `xllamacpp` is not installed.
        ValueError: `model_id` is none of these.
        AgentGenerationError: the file cannot be fetched or loaded.
    """

    def __init__(
        self,
        model_id: str | os.PathLike[str] | None = None,
        filename: str | None = None,
        *,
        n_ctx: int = 8192,
        n_threads: int | None = None,
        no_extra_bufts: bool = True,
        n_gpu_layers: int = -1,
        n_parallel: int = 1,
        max_tokens: int | None = 2048,
        temperature: float = 0.0,
        mmproj: str | None = None,
        chat_template: str | None = None,
        verbose: bool = False,
        engine_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        from smolagents.models.catalogue import DEFAULT_MODEL, find_file

        kwargs.setdefault("flatten_messages_as_text", mmproj is None)
        name = DEFAULT_MODEL if model_id is None else os.fspath(model_id)
        super().__init__(model_id=name, **kwargs)
        self.filename = filename
        self.n_ctx = n_ctx
        self.n_threads = n_threads
        self.no_extra_bufts = no_extra_bufts
        self.n_gpu_layers = n_gpu_layers
        self.n_parallel = n_parallel
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.mmproj = mmproj
        self.chat_template = chat_template
        self.verbose = verbose
        self.engine_options = engine_options
        binding()  # what is missing is said before a file is fetched for nothing
        path = os.path.abspath(find_file(name, filename))
        self._engine = LlamaEngine.shared(
            EngineSettings(
                path=path,
                n_ctx=n_ctx,
                n_threads=n_threads or default_threads(),
                n_parallel=n_parallel,
                n_gpu_layers=n_gpu_layers,
                no_extra_bufts=no_extra_bufts,
                mmproj=None if mmproj is None else os.path.abspath(mmproj),
                chat_template=chat_template,
                verbose=verbose,
                options=tuple(sorted((engine_options or {}).items())),
            )
        )
        self._finalizer = weakref.finalize(self, self._engine.release)
        self.prefers_compact_prompts = os.path.getsize(path) < _SMALL_FILE

    @property
    def supports_stop_parameter(self) -> bool:
        return True

    def close(self) -> None:
        """Free the memory, unless another model object uses the same file with the same settings."""
        self._finalizer()

    def generate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        with closing(
            self.generate_stream(messages, stop_sequences, response_format, tools_to_call_from, **kwargs)
        ) as deltas:
            return agglomerate_stream_deltas(deltas)

    async def agenerate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        # Through the stream, so that cancelling the task stops the engine.
        deltas = self.agenerate_stream(messages, stop_sequences, response_format, tools_to_call_from, **kwargs)
        return agglomerate_stream_deltas([delta async for delta in deltas])

    def code_reply_arguments(self, opening: str, closing: str) -> dict[str, Any]:
        """Holds a reply to a thought and a block of code. Small models otherwise tend to answer without code."""
        return {"grammar": code_reply_grammar(opening)} if self.prefers_compact_prompts else {}

    def generate_stream(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> Generator[ChatMessageStreamDelta, None, None]:
        """Answer a conversation piece by piece. Arguments and errors as in `generate`."""
        body = self._body(messages, stop_sequences, response_format, tools_to_call_from, kwargs)
        return self._stream(body, constrained_call=bool(tools_to_call_from))

    def _stream(self, body: dict[str, Any], constrained_call: bool) -> Generator[ChatMessageStreamDelta, None, None]:
        with closing(self._engine.chat(body)) as chunks:
            deltas = (delta for delta in map(_delta_of, chunks) if delta != ChatMessageStreamDelta())
            yield from read_constrained_call(deltas) if constrained_call else deltas

    def _body(
        self,
        messages: Messages,
        stop_sequences: list[str] | None,
        response_format: dict[str, Any] | None,
        tools: list[Any] | None,
        kwargs: dict[str, Any],
    ) -> dict[str, Any]:
        if tools and response_format is not None:
            raise ValueError("a reply cannot both call a tool and follow response_format; give one of the two")
        defaults = {"max_tokens": self.max_tokens, "temperature": self.temperature}
        body = self._prepare_completion_kwargs(
            messages,
            stop_sequences=None if tools else stop_sequences,
            convert_images_to_image_urls=True,
            **{name: value for name, value in defaults.items() if value is not None} | kwargs,
        )
        body["cache_prompt"] = True
        body["stream_options"] = {"include_usage": True}
        body.pop("tool_choice", None)
        if tools:
            tell_of_tools(body["messages"], tools, self.tool_name_key, self.tool_arguments_key)
            body.update(_constraint(tool_call_schema(tools, self.tool_name_key, self.tool_arguments_key)))
        elif response_format is not None:
            body.update(_constraint_of_format(response_format))
        return body


def _delta_of(chunk: dict[str, Any]) -> ChatMessageStreamDelta:
    usage = chunk.get("usage")
    counts = None
    if usage:
        details = usage.get("prompt_tokens_details") or {}
        counts = TokenUsage(
            usage["prompt_tokens"], usage["completion_tokens"], cached_input_tokens=details.get("cached_tokens")
        )
    choices = chunk.get("choices")
    if not choices:
        return ChatMessageStreamDelta(token_usage=counts)
    delta = choices[0].get("delta") or {}
    return ChatMessageStreamDelta(
        content=delta.get("content") or None,
        reasoning_content=delta.get("reasoning_content") or None,
        finish_reason=choices[0].get("finish_reason"),
        token_usage=counts,
    )


def code_reply_grammar(opening: str) -> str:
    """Grammar of a thought on one line, then `opening` on a line of its own, then code."""
    import json

    quoted = json.dumps(f"\n{opening}\n")
    if _has_llguidance():
        return f'%llguidance {{}}\nstart: "Thought: " THOUGHT {quoted} CODE\nTHOUGHT: /[^<`\\n]{{8,400}}/\nCODE: /(.|\\n)+/'
    return f'root ::= "Thought: " [^<`\\n]+ {quoted} [^\\x00]+'


def _constraint_of_format(response_format: dict[str, Any]) -> dict[str, Any]:
    kind = response_format.get("type")
    if kind == "json_schema":
        described = response_format.get("json_schema")
        schema = described.get("schema") if isinstance(described, dict) else None
        if not isinstance(schema, dict):
            raise ValueError(
                "response_format has the type 'json_schema' and no schema; "
                'write {"type": "json_schema", "json_schema": {"name": …, "schema": {…}}}'
            )
        return _constraint(schema)
    if kind == "json_object":
        schema = response_format.get("schema")
        return _constraint(schema if isinstance(schema, dict) else {"type": "object"})
    if kind in (None, "text"):
        return {}
    raise ValueError(f"response_format has the unknown type {kind!r}; use 'json_schema', 'json_object' or 'text'")


def _constraint(schema: dict[str, Any]) -> dict[str, Any]:
    """The request's part that holds the reply to a schema; on one line where the engine can, to save tokens."""
    if not _has_llguidance():
        return {"json_schema": schema}
    import json

    layout = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
    return {"grammar": f"%llguidance {{}}\nstart: %json {json.dumps({**schema, 'x-guidance': layout})}"}


@functools.cache
def _has_llguidance() -> bool:
    return str(binding().json_schema_to_grammar({"type": "object"})).startswith("%llguidance")
