"""Models of a hundred providers through the `litellm` library, alone or behind its router."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from smolagents._imports import require
from smolagents.models.chat_completions import ChatCompletionsModel, ChunkReader
from smolagents.models.endpoints import is_on_this_machine, without_credentials
from smolagents.models.wire import Reader
from smolagents.types.errors import AgentGenerationError, MissingExtraError
from smolagents.types.messages import ChatMessage, ChatMessageStreamDelta

__all__ = ["LiteLLMModel", "LiteLLMRouterModel"]

_TEXT_ONLY = ("ollama", "groq", "cerebras")
"""Providers whose APIs take contents as text only."""


class LiteLLMModel(ChatCompletionsModel):
    """A model of any provider that `litellm` knows.

    Args:
        model_id: Provider and model, such as "anthropic/claude-sonnet-4-5"; see https://docs.litellm.ai/docs/providers.
        api_base: URL of the server; None for the provider's own.
        api_key: The key; None for the provider's environment variable, such as `ANTHROPIC_API_KEY`.
        custom_role_conversions: Roles to replace, such as `{"system": "user"}`.
        flatten_messages_as_text: Send each content as one text; None to do so for the providers that take nothing
            else: ollama, groq and cerebras.
        **kwargs: Sent with every call, such as `temperature`; and the arguments of `ApiModel`.

    Raises:
        MissingExtraError: `litellm` is not installed.
        ValueError: no model is named.
    """

    provider_name: ClassVar[str | None] = "litellm"

    def __init__(
        self,
        model_id: str | None = None,
        api_base: str | None = None,
        api_key: str | None = None,
        custom_role_conversions: Mapping[Any, Any] | None = None,
        flatten_messages_as_text: bool | None = None,
        **kwargs: Any,
    ) -> None:
        if not model_id:
            raise ValueError(
                f"{type(self).__name__} needs a model: give model_id=…, such as 'anthropic/claude-sonnet-4-5'"
            )
        self.api_base = api_base
        self._api_key = api_key
        self._own_client = kwargs.get("client") is None
        if flatten_messages_as_text is None:
            flatten_messages_as_text = model_id.startswith(_TEXT_ONLY)
        super().__init__(
            model_id,
            custom_role_conversions=custom_role_conversions,
            flatten_messages_as_text=flatten_messages_as_text,
            **kwargs,
        )

    def create_client(self) -> Any:
        """The library itself, whose functions are the client."""
        return _litellm(type(self).__name__)

    def _call_arguments(self, parameters: dict[str, Any]) -> dict[str, Any]:
        arguments = {**parameters, "messages": [_with_thinking(message) for message in parameters["messages"]]}
        arguments.setdefault("max_retries", 0)  # calls are repeated here, and not twice over
        key = self._api_key
        if key is None and is_on_this_machine(self.api_base) and str(self.model_id).startswith("openai/"):
            key = os.environ.get("OPENAI_API_KEY") or "none"
        for name, value in (("api_base", self.api_base), ("api_key", key)):
            if value is not None:
                arguments.setdefault(name, value)
        return arguments

    def _create(self, parameters: dict[str, Any]) -> Any:
        arguments = self._call_arguments(parameters)
        with self._telling():
            response = self.client.completion(**arguments)
        return _Stream(response, self) if arguments.get("stream") else response

    async def _acreate(self, parameters: dict[str, Any]) -> Any:
        arguments = self._call_arguments(parameters)
        with self._telling():
            response = await self.client.acompletion(**arguments)
        return _AsyncStream(response, self) if arguments.get("stream") else response

    def _message(self, response: Any) -> ChatMessage:
        message = super()._message(response)
        usage = message.token_usage
        if usage is not None:
            if not usage.total_tokens:  # what the library says where the provider says nothing
                message.token_usage = None
            else:
                hidden = getattr(response, "_hidden_params", None)
                usage.cost = hidden.get("response_cost") if isinstance(hidden, dict) else None
        blocks = getattr(response.choices[0].message, "thinking_blocks", None)
        if blocks:
            message.provider_items = [*(message.provider_items or ()), *map(_item, blocks)]
        return message

    def _reader(self) -> Reader:
        return _StreamReader()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Let errors tell what the library hides: that the server was never reached, and when to call again."""
        try:
            yield
        except Exception as error:
            if "No module named 'mcp" in str(error):  # which some versions import for any tools but do not install
                raise MissingExtraError("mcp", "litellm", f"{type(self).__name__} with tools") from None
            if _was_not_reached(error):
                failure = AgentGenerationError(
                    without_credentials(
                        f"{self._where()} cannot be reached ({error}); check api_base, that the server runs, and that "
                        "the network lets you through"
                    )
                )
                failure.kind = "unreachable"
                raise failure from error
            headers = getattr(error, "litellm_response_headers", None)
            known = getattr(getattr(error, "response", None), "headers", None)
            if headers and known is not None:
                with suppress(Exception):
                    known.update(
                        {name: headers[name] for name in ("retry-after", "retry-after-ms") if name in headers}
                    )
            raise

    def _where(self) -> str:
        return self.api_base or str(self.model_id)

    def _explain(self, error: Exception) -> str | None:
        if not any(cls.__module__.partition(".")[0] in ("litellm", "openai") for cls in type(error).__mro__):
            return None
        status = getattr(error, "status_code", None)
        remedy = {
            401: self._key_remedy(),
            403: "this key may not use that model or server",
            404: f"check model_id ({self.model_id!r}) and api_base",
            408: "give timeout=<seconds> to wait longer",
            429: "too many calls, or no credit; requests_per_minute=… spaces calls out",
        }.get(status or 0)
        said = str(getattr(error, "message", None) or error)
        if "LLM Provider NOT provided" in said:
            remedy = f"write model_id as <provider>/<model>, such as 'openai/{self.model_id}'"
        status_text = f" with status {status}" if status else ""
        return f"{self._where()} answered{status_text}: {said}" + (f"; {remedy}" if remedy else "")

    def _key_remedy(self) -> str:
        missing: list[str] = []
        with suppress(Exception):
            missing = _litellm(type(self).__name__).validate_environment(self.model_id)["missing_keys"]
        named = (
            f"the environment variable {' or '.join(missing)}" if missing else "the provider's environment variable"
        )
        return f"check the key: {named}, or api_key"


class LiteLLMRouterModel(LiteLLMModel):
    """A group of deployments behind `litellm`'s router, which balances the load and goes on to the next on failures.

    Args:
        model_id: Name of a group of `model_list`.
        model_list: Deployments, as https://docs.litellm.ai/docs/routing has them: dictionaries with `model_name`, the
            group's name, and `litellm_params`.
        client_kwargs: Further arguments of `litellm.Router`, such as `{"routing_strategy": "simple-shuffle"}`.
        custom_role_conversions: Roles to replace, such as `{"system": "user"}`.
        flatten_messages_as_text: As in `LiteLLMModel`; None to do so if a deployment of the group needs it.
        **kwargs: Sent with every call, such as `temperature`; and the arguments of `ApiModel`.

    Raises:
        MissingExtraError: `litellm` is not installed.
        ValueError: the list has no such group.
    """

    def __init__(
        self,
        model_id: str,
        model_list: list[dict[str, Any]],
        client_kwargs: dict[str, Any] | None = None,
        custom_role_conversions: Mapping[Any, Any] | None = None,
        flatten_messages_as_text: bool | None = None,
        **kwargs: Any,
    ) -> None:
        groups = sorted({str(deployment.get("model_name")) for deployment in model_list})
        if model_id not in groups:
            raise ValueError(f"model_list has no group {model_id!r}, only {', '.join(groups) or 'none'}")
        self.model_list = model_list
        self.client_kwargs = dict(client_kwargs or {})
        if flatten_messages_as_text is None:
            flatten_messages_as_text = any(
                str(deployment.get("litellm_params", {}).get("model")).startswith(_TEXT_ONLY)
                for deployment in model_list
                if deployment.get("model_name") == model_id
            )
        super().__init__(
            model_id,
            custom_role_conversions=custom_role_conversions,
            flatten_messages_as_text=flatten_messages_as_text,
            **kwargs,
        )

    def create_client(self) -> Any:
        """The router."""
        return _litellm(type(self).__name__).Router(model_list=self.model_list, **self.client_kwargs)

    def _call_arguments(self, parameters: dict[str, Any]) -> dict[str, Any]:
        arguments = super()._call_arguments(parameters)
        if "max_retries" not in parameters:
            del arguments["max_retries"]  # the router has its own way of going on
        return arguments

    def _message(self, response: Any) -> ChatMessage:
        message = super()._message(response)
        message.model_id = getattr(response, "model", None)
        return message


class _StreamReader(ChunkReader):
    """Reads the chunks of one stream, with what the library adds to those of OpenAI."""

    def __init__(self) -> None:
        super().__init__()
        self._thoughts: list[dict[str, Any]] = []

    def __call__(self, chunk: Any) -> ChatMessageStreamDelta:
        delta = super().__call__(chunk)
        if delta.token_usage is not None:
            delta.token_usage.cost = getattr(chunk.usage, "cost", None)
        for choice in chunk.choices:
            for block in getattr(choice.delta, "thinking_blocks", None) or ():
                self._add_thought(dict(block))
        if delta.finish_reason is not None and self._thoughts:
            delta.provider_items = [*(delta.provider_items or ()), *map(_item, self._thoughts)]
            self._thoughts = []
        return delta

    def _add_thought(self, piece: dict[str, Any]) -> None:
        """Put pieces of a thought together; its signature ends it."""
        last = self._thoughts[-1] if self._thoughts else None
        same = last is not None and last.get("type") == piece.get("type") == "thinking"
        if last is not None and same and not last.get("signature"):
            last["thinking"] = (last.get("thinking") or "") + (piece.get("thinking") or "")
            last["signature"] = piece.get("signature") or ""
        else:
            self._thoughts.append(piece)


class _Stream:
    """The chunks of a stream, and the connection that they come from."""

    def __init__(self, chunks: Any, model: LiteLLMModel) -> None:
        self._chunks = chunks
        self._model = model

    def __iter__(self) -> Iterator[Any]:
        with self._model._telling():
            yield from self._chunks

    def close(self) -> None:
        for held in _held_by(self._chunks):
            close = getattr(held, "close", None)
            if callable(close):
                with suppress(Exception):
                    close()


class _AsyncStream:
    """The chunks of a stream, and the connection that they come from."""

    def __init__(self, chunks: Any, model: LiteLLMModel) -> None:
        self._chunks = chunks
        self._model = model

    async def __aiter__(self) -> AsyncIterator[Any]:
        with self._model._telling():
            async for chunk in self._chunks:
                yield chunk

    async def aclose(self) -> None:
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            await close()


def _held_by(stream: Any) -> Iterator[Any]:
    """What a stream of the library reads from, from the inside out: its parts differ from provider to provider."""
    parts = [stream]
    for part in parts:
        for name in ("completion_stream", "streaming_response", "response_iterator", "response"):
            inner = getattr(part, name, None)
            if inner is not None and not any(inner is known for known in parts):
                parts.append(inner)
    return iter(parts[:0:-1])


def _litellm(needed_for: str) -> Any:
    """The library, quiet: it neither fetches its table of prices when imported nor prints advice when a call fails."""
    if "litellm" not in sys.modules:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm = require("litellm", extra="litellm", needed_for=needed_for)
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    return litellm


def _item(block: Any) -> dict[str, Any]:
    return {"provider": "litellm", "item": {name: value for name, value in dict(block).items() if value is not None}}


def _with_thinking(message: dict[str, Any]) -> dict[str, Any]:
    if "provider_items" not in message:
        return message
    given = dict(message)
    given["thinking_blocks"] = given.pop("provider_items")
    return given


def _was_not_reached(error: BaseException) -> bool:
    link: BaseException | None = error
    for _ in range(10):
        if link is None:
            return False
        if type(link).__name__ in ("ConnectError", "ConnectionRefusedError", "gaierror", "ClientConnectorError"):
            return True
        link = link.__cause__ or link.__context__
    return False
