"""Models of OpenAI, and of the many servers that speak its chat completions API."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from smolagents._imports import require
from smolagents.models import responses
from smolagents.models.base import Messages
from smolagents.models.bridge import PerLoop
from smolagents.models.chat_completions import ChatCompletionsModel
from smolagents.models.endpoints import connection_failure, is_on_this_machine, without_credentials
from smolagents.models.wire import Reader
from smolagents.types.messages import ChatMessage

__all__ = ["OpenAIModel", "OpenAIServerModel"]


class OpenAIModel(ChatCompletionsModel):
    """A model behind OpenAI's API, or behind a server that speaks it, on OpenAI's own SDK.

    Args:
        model_id: The model's name, such as "gpt-5.2".
        api_base: URL of the server, such as "http://localhost:8080/v1"; None for OpenAI's, or `OPENAI_BASE_URL`.
        api_key: The key; None for the environment variable `OPENAI_API_KEY`. A server on this machine needs none.
        organization: OpenAI organization; None for `OPENAI_ORG_ID`.
        project: OpenAI project; None for `OPENAI_PROJECT_ID`.
        client_kwargs: Further arguments of the SDK's client, such as `{"timeout": 60}`.
        custom_role_conversions: Roles to replace, such as `{"system": "user"}`.
        flatten_messages_as_text: Send each content as one text, for servers that take no list of parts.
        api: "chat" for chat completions, which all servers have; "responses" for OpenAI's newer API, in which reasoning
            models get back what they thought.
        **kwargs: Sent with every call, such as `temperature` or `max_completion_tokens`; and the arguments of
            `ApiModel`.

    Raises:
        MissingExtraError: the SDK is not installed.
        ValueError: there is no key, or no such API.
    """

    def __init__(
        self,
        model_id: str,
        api_base: str | None = None,
        api_key: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        client_kwargs: dict[str, Any] | None = None,
        custom_role_conversions: Mapping[Any, Any] | None = None,
        flatten_messages_as_text: bool = False,
        api: Literal["chat", "responses"] = "chat",
        **kwargs: Any,
    ) -> None:
        if api not in ("chat", "responses"):
            raise ValueError(f'api is {api!r}; use "chat" or "responses"')
        self.api = api
        self.api_base = api_base
        self.organization = organization
        self.project = project
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
        if api == "responses":
            self._given_facts["accepts_stop"] = False  # this API knows no stop sequences
            self._gives_reasons = True

    def create_client(self) -> Any:
        """The SDK's client."""
        openai = require("openai", extra="openai", needed_for=type(self).__name__)
        return openai.OpenAI(**self._client_arguments())

    def _create_async_client(self) -> Any:
        openai = require("openai", extra="openai", needed_for=type(self).__name__)
        arguments = self._client_arguments()
        arguments.pop("http_client", None)  # it is a blocking one
        return openai.AsyncOpenAI(**arguments)

    def _client_arguments(self) -> dict[str, Any]:
        arguments = {
            "base_url": self.api_base,
            "api_key": self._api_key,
            "organization": self.organization,
            "project": self.project,
            "max_retries": 0,  # calls are repeated here, and not twice over
            **self.client_kwargs,
        }
        if arguments["api_key"] is None and not os.environ.get("OPENAI_API_KEY"):
            base = arguments["base_url"] or os.environ.get("OPENAI_BASE_URL")
            if not is_on_this_machine(base):
                raise ValueError(
                    f"{type(self).__name__} has no API key{f' for {without_credentials(base)}' if base else ''}: "
                    "set the environment variable OPENAI_API_KEY, or give api_key=…"
                )
            arguments["api_key"] = "none"
        return arguments

    def _create(self, parameters: dict[str, Any]) -> Any:
        if self.api == "responses":
            return self.client.responses.create(**responses.responses_arguments(parameters))
        return self.client.chat.completions.create(**parameters)

    async def _acreate(self, parameters: dict[str, Any]) -> Any:
        client = await self._async_clients.get()
        if self.api == "responses":
            return await client.responses.create(**responses.responses_arguments(parameters))
        return await client.chat.completions.create(**parameters)

    def _message(self, response: Any) -> ChatMessage:
        if self.api == "responses":
            return responses.message_of_response(response, self._stores())
        return super()._message(response)

    def _reader(self) -> Reader:
        return responses.EventReader(self._stores()) if self.api == "responses" else super()._reader()

    def _stores(self) -> bool:
        return self.kwargs.get("store") is True

    def _parameters(
        self,
        messages: Messages,
        stop_sequences: list[str] | None,
        response_format: dict[str, str] | None,
        tools_to_call_from: list[Any] | None,
        kwargs: Mapping[str, Any],
        stream: bool = False,
    ) -> dict[str, Any]:
        if self.api == "chat":
            return super()._parameters(
                messages, stop_sequences, response_format, tools_to_call_from, kwargs, stream=stream
            )
        extra: dict[str, Any] = {"store": False, **({"stream": True} if stream else {})}
        if self.known_facts.returns_reasoning:
            extra["include"] = [responses.ENCRYPTED]
        return self._prepare_completion_kwargs(
            messages,
            stop_sequences=stop_sequences,
            response_format=response_format,
            tools_to_call_from=tools_to_call_from,
            custom_role_conversions={**responses.TOOL_ROLES, **(self.custom_role_conversions or {})},
            convert_images_to_image_urls=True,
            provider=responses.PROVIDER,
            **{
                "model": self.model_id,
                **extra,
                **{name: self.kwargs[name] for name in extra if name in self.kwargs},
                **kwargs,
            },
        )

    def _can_await(self) -> bool:
        return self._own_client

    def _explain(self, error: Exception) -> str | None:
        import openai

        if not isinstance(error, openai.OpenAIError):
            return None
        url = str(getattr(self.client, "base_url", None) or self.api_base or "the server").rstrip("/")
        unanswered = connection_failure(error, openai, url)
        if unanswered is not None:
            return unanswered
        status = getattr(error, "status_code", None)
        said = getattr(error, "message", None) or str(error)
        said = said.removeprefix(f"Error code: {status} - ")
        remedy = {
            401: "check the key: the environment variable OPENAI_API_KEY, or api_key",
            403: "this key may not use that model or server",
            404: f"check model_id ({self.model_id!r}) and api_base, which often ends in /v1",
            429: "too many calls, or no credit; requests_per_minute=… spaces calls out",
        }.get(status or 0)
        status_text = f" with status {status}" if status else ""
        return f"{url} answered{status_text}: {said}" + (f"; {remedy}" if remedy else "")


OpenAIServerModel = OpenAIModel
