"""Claude on Anthropic's own API and SDK: thinking that is sent back, and marks for its prompt cache."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from smolagents._imports import require
from smolagents.models.anthropic_wire import (
    StreamReader,
    item_of,
    mark_for_cache,
    usage_of,
    wire_blocks,
    wire_choice,
    wire_tool,
)
from smolagents.models.blocks import json_schema_of, system_and_turns
from smolagents.models.blocks_model import BlocksModel
from smolagents.models.bridge import PerLoop
from smolagents.models.endpoints import connection_failure, is_on_this_machine, without_credentials
from smolagents.models.wire import Reader
from smolagents.types.errors import AgentGenerationError
from smolagents.types.messages import (
    ChatMessage,
    ChatMessageToolCall,
    ChatMessageToolCallFunction,
    MessageRole,
)

__all__ = ["AnthropicModel"]

_MOST_UNSTREAMED = 21_333
"""Reply length, in tokens, beyond which the SDK makes no call that is not streamed, as it may take ten minutes."""


class AnthropicModel(BlocksModel):
    """A Claude model on Anthropic's API, on Anthropic's own SDK.

    Thinking comes back as `reasoning_content`; its signed blocks are kept in `provider_items` and sent back.

    Args:
        model_id: The model's name, such as "claude-sonnet-5-5".
        api_base: URL of the server; None for Anthropic's, or `ANTHROPIC_BASE_URL`.
        api_key: The key; None for the environment variable `ANTHROPIC_API_KEY`, or whatever else the SDK signs in
            with. A server on this machine needs none.
        max_tokens: Longest reply in tokens, thinking included; the API requires one.
        thinking: What the API's `thinking` says, such as `{"type": "adaptive"}`; a number stands for a budget of so
            many tokens. None to leave it to the model.
        cache: Mark the tools, the system prompt and the last two turns of the user for the prompt cache, which makes
            what is sent again cheaper. "5m" or "1h" says how long it is kept; True is the API's default, 5 minutes.
        client_kwargs: Further arguments of the SDK's client, such as `{"timeout": 60}`.
        custom_role_conversions: Roles to replace, such as `{"system": "user"}`.
        flatten_messages_as_text: Send each content as one text.
        **kwargs: Sent with every call, such as `temperature` or `service_tier`; and the arguments of `ApiModel`.

    Raises:
        MissingExtraError: the SDK is not installed.
        ValueError: there is no key, or an argument is wrong.
    """

    provider_name: ClassVar[str | None] = "anthropic"

    def __init__(
        self,
        model_id: str,
        api_base: str | None = None,
        api_key: str | None = None,
        max_tokens: int = 16_000,
        thinking: dict[str, Any] | int | None = None,
        cache: bool | str = True,
        client_kwargs: dict[str, Any] | None = None,
        custom_role_conversions: Mapping[Any, Any] | None = None,
        flatten_messages_as_text: bool = False,
        **kwargs: Any,
    ) -> None:
        if cache not in (True, False, "5m", "1h"):
            raise ValueError(f"cache is {cache!r}; use True, False, '5m' or '1h'")
        if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 0:
            raise ValueError(f"max_tokens is {max_tokens!r}; give the longest reply in tokens")
        self.api_base = api_base
        self.max_tokens = max_tokens
        self.thinking = thinking
        self.cache = cache
        self.client_kwargs = dict(client_kwargs or {})
        self._api_key = api_key
        self._own_client = kwargs.get("client") is None
        self._async_clients: PerLoop[Any] = PerLoop(self._create_async_client, lambda client: client.close())
        super().__init__(
            model_id,
            custom_role_conversions=custom_role_conversions,
            flatten_messages_as_text=flatten_messages_as_text,
            **kwargs,
        )

    def create_client(self) -> Any:
        """The SDK's client."""
        anthropic = require("anthropic", extra="anthropic", needed_for=type(self).__name__)
        arguments = self._client_arguments()
        try:
            client = anthropic.Anthropic(**arguments)
        except anthropic.AnthropicError as error:
            raise ValueError(
                f"{type(self).__name__} cannot sign in: {error} "
                "Set the environment variable ANTHROPIC_API_KEY, or give api_key=…"
            ) from error
        signs_in = any(getattr(client, name, None) for name in ("api_key", "auth_token", "credentials"))
        if not signs_in and "default_headers" not in arguments and "http_client" not in arguments:
            base = arguments.get("base_url") or os.environ.get("ANTHROPIC_BASE_URL")
            if not is_on_this_machine(base):
                raise ValueError(
                    f"{type(self).__name__} has no API key{f' for {without_credentials(base)}' if base else ''}: "
                    "set the environment variable ANTHROPIC_API_KEY, or give api_key=…"
                )
            self._api_key = "none"
            client = anthropic.Anthropic(**self._client_arguments())
        return client

    def _create_async_client(self) -> Any:
        anthropic = require("anthropic", extra="anthropic", needed_for=type(self).__name__)
        arguments = self._client_arguments()
        arguments.pop("http_client", None)  # it is a blocking one
        return anthropic.AsyncAnthropic(**arguments)

    def _client_arguments(self) -> dict[str, Any]:
        # Calls are tried again here, where limits and pauses are known, and not in the SDK as well.
        arguments = {
            "base_url": self.api_base,
            "api_key": self._api_key,
            "max_retries": 0,
            **self.client_kwargs,
        }
        return {name: value for name, value in arguments.items() if value is not None}

    def _can_await(self) -> bool:
        return self._own_client

    def _create(self, parameters: dict[str, Any]) -> Any:
        request = self._request(parameters)
        if request.get("stream") or request["max_tokens"] <= _MOST_UNSTREAMED:
            return self.client.messages.create(**request)
        with self.client.messages.stream(**request) as stream:
            return stream.get_final_message()

    async def _acreate(self, parameters: dict[str, Any]) -> Any:
        client = await self._async_clients.get()
        request = self._request(parameters)
        if request.get("stream") or request["max_tokens"] <= _MOST_UNSTREAMED:
            return await client.messages.create(**request)
        async with client.messages.stream(**request) as stream:
            return await stream.get_final_message()

    def _fit(self, parameters: dict[str, Any]) -> dict[str, Any]:
        fit = super()._fit(parameters)
        thinking = _thinking(fit.get("thinking", self.thinking))
        if thinking is not None and thinking.get("type") != "disabled":
            # Neither a forced call nor these go with thinking:
            # https://platform.claude.com/docs/en/build-with-claude/extended-thinking#feature-compatibility
            if fit.get("tool_choice") == "required":
                fit["tool_choice"] = "auto"
            for name in ("temperature", "top_k"):
                fit.pop(name, None)
        return fit

    def _request(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Parameters in the words of OpenAI's chat API as Anthropic's API has them."""
        given = dict(parameters)
        system, turns = system_and_turns(given.pop("messages"))
        longest = given.pop("max_tokens", None) or given.pop("max_completion_tokens", None)
        given.pop("max_completion_tokens", None)
        request: dict[str, Any] = {
            "model": given.pop("model"),
            "max_tokens": self.max_tokens if longest is None else longest,
            "messages": [{"role": turn["role"], "content": wire_blocks(turn["content"])} for turn in turns],
        }
        last = request["messages"][-1]
        if last["role"] == "assistant" and last["content"][-1].get("type") == "text":
            last["content"][-1]["text"] = last["content"][-1]["text"].rstrip()  # the API refuses it otherwise
        if system:
            request["system"] = wire_blocks(system)
        for name in ("extra_headers", "extra_query", "timeout"):
            if name in given:
                request[name] = given.pop(name)
        if given.pop("stream", False):
            request["stream"] = True
        given.pop("stream_options", None)
        tools = given.pop("tools", None)
        choice = given.pop("tool_choice", None)
        if tools:
            request["tools"] = [wire_tool(tool) for tool in tools]
            if choice is not None:
                request["tool_choice"] = wire_choice(choice)
        stop = given.pop("stop", None)
        if stop:
            request["stop_sequences"] = stop
        thinking = _thinking(given.pop("thinking", self.thinking))
        if thinking is not None:
            request["thinking"] = thinking
        # The SDK's methods name other parameters in other versions; in the body they are the API's own.
        body = {**given, **(given.pop("extra_body", None) or {})}
        body.pop("extra_body", None)
        form = json_schema_of(body.pop("response_format", None))
        if form is not None:
            body["output_config"] = {
                **(body.get("output_config") or {}),
                "format": {"type": "json_schema", "schema": self._strict(form[1])},
            }
        if body:
            request["extra_body"] = body
        if self.cache and "cache_control" not in body:
            mark_for_cache(request, {"type": "ephemeral"} | ({"ttl": self.cache} if self.cache is not True else {}))
        return request

    def _strict(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema in the part of JSON Schema that the API takes; what it does not take is told in descriptions."""
        anthropic = require("anthropic", extra="anthropic", needed_for=type(self).__name__)
        strict: dict[str, Any] = anthropic.transform_schema(schema)
        return strict

    def _message(self, response: Any) -> ChatMessage:
        if not isinstance(getattr(response, "content", None), list):
            raise AgentGenerationError(f"the server's answer holds no message: {response!r:.200}")
        texts: list[str] = []
        thoughts: list[str] = []
        calls: list[ChatMessageToolCall] = []
        items: list[dict[str, Any]] = []
        for block in response.content:
            if block.type == "text":
                texts.append(block.text)
            elif block.type == "tool_use":
                function = ChatMessageToolCallFunction(name=block.name, arguments=block.input)
                calls.append(ChatMessageToolCall(function=function, id=block.id, type="function"))
            elif block.type == "thinking":
                thoughts.append(block.thinking)
                items.append(item_of({"type": "thinking", "thinking": block.thinking, "signature": block.signature}))
            elif block.type == "redacted_thinking":
                items.append(item_of({"type": "redacted_thinking", "data": block.data}))
        return ChatMessage(
            role=MessageRole.ASSISTANT,
            content="".join(texts) if texts or not calls else None,
            tool_calls=calls or None,
            raw=response,
            token_usage=usage_of(response.usage),
            reasoning_content="\n".join(filter(None, thoughts)) or None,
            finish_reason=response.stop_reason,
            provider_items=items or None,
            model_id=getattr(response, "model", None),
        )

    def _reader(self) -> Reader:
        return StreamReader().read

    def _explain(self, error: Exception) -> str | None:
        import anthropic

        if not isinstance(error, anthropic.AnthropicError):
            return None
        url = str(getattr(self.client, "base_url", None) or self.api_base or "the server").rstrip("/")
        unanswered = connection_failure(error, anthropic, url)
        if unanswered is not None:
            return unanswered
        status = getattr(error, "status_code", None)
        said, kind = _said(error)
        remedy = {
            401: "check the key: the environment variable ANTHROPIC_API_KEY, or api_key",
            403: "this key may not use that model or server",
            404: f"check model_id ({self.model_id!r}) and api_base, which does not end in /v1",
            413: "the request is too large; send less, or smaller images",
            429: "too many calls or tokens; requests_per_minute=… spaces calls out",
            529: "the API is overloaded; try again later, or with another model",
        }.get(status or 0)
        if kind == "overloaded_error":
            remedy = "the API is overloaded; try again later, or with another model"
        elif "credit balance" in said:
            remedy = "add credit to the account at https://platform.claude.com"
        status_text = f" with status {status}" if status and status >= 400 else ""
        return f"{url} answered{status_text}: {said}" + (f"; {remedy}" if remedy else "")


def _thinking(given: Any) -> dict[str, Any] | None:
    if given is None or isinstance(given, dict):
        return given
    if isinstance(given, bool) or not isinstance(given, int):
        raise ValueError(
            f"thinking is {given!r}; give a number of tokens, or what the API takes: {{'type': 'adaptive'}}"
        )
    return {"type": "enabled", "budget_tokens": given}


def _said(error: Exception) -> tuple[str, str]:
    """The API's own words, and its name for what went wrong."""
    body = getattr(error, "body", None)
    inner = body.get("error") if isinstance(body, dict) else None
    if isinstance(inner, dict) and inner.get("message"):
        return str(inner["message"]), str(inner.get("type") or "")
    return str(getattr(error, "message", None) or error), ""
