"""Models on Hugging Face's inference providers and endpoints."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from smolagents.models.bridge import PerLoop
from smolagents.models.chat_completions import ChatCompletionsModel

__all__ = ["InferenceClientModel"]


class InferenceClientModel(ChatCompletionsModel):
    """A model on Hugging Face's inference providers, or on an endpoint of one's own.

    Args:
        model_id: The model's name on the Hub.
        provider: Name of a provider, such as "together"; None or "auto" for the first of those chosen in the user's
            settings.
        token: Hugging Face token; None for the environment variable `HF_TOKEN`, or the login of the `hf` command.
        timeout: Seconds to wait for an answer.
        client_kwargs: Further arguments of `huggingface_hub.InferenceClient`.
        custom_role_conversions: Roles to replace, such as `{"system": "user"}`.
        api_key: Another name of `token`.
        bill_to: Name of the organization that pays.
        base_url: URL of a server to use in place of a provider.
        **kwargs: Sent with every call, such as `max_tokens`; and the arguments of `ApiModel`.

    Raises:
        ValueError: both `token` and `api_key` are given.
    """

    def __init__(
        self,
        model_id: str = "Qwen/Qwen3-Coder-30B-A3B-Instruct",
        provider: str | None = None,
        token: str | None = None,
        timeout: float = 120,
        client_kwargs: dict[str, Any] | None = None,
        custom_role_conversions: Mapping[Any, Any] | None = None,
        api_key: str | None = None,
        bill_to: str | None = None,
        base_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        if token is not None and api_key is not None:
            raise ValueError("token and api_key are two names of one thing; give one of them")
        self.provider = provider
        self.timeout = timeout
        self.client_kwargs = dict(client_kwargs or {})
        self.bill_to = bill_to
        self.base_url = base_url
        self._token = token if token is not None else api_key
        self._own_client = kwargs.get("client") is None
        self._async_clients: PerLoop[Any] = PerLoop(self._create_async_client, lambda client: client.close())
        super().__init__(model_id, custom_role_conversions=custom_role_conversions, **kwargs)

    def create_client(self) -> Any:
        """The Hub library's client."""
        from huggingface_hub import InferenceClient

        return InferenceClient(**self._client_arguments())

    def _create_async_client(self) -> Any:
        from huggingface_hub import AsyncInferenceClient

        return AsyncInferenceClient(**self._client_arguments())

    def _client_arguments(self) -> dict[str, Any]:
        arguments = {
            "model": None if self.base_url else self.model_id,
            "provider": None if self.base_url else self.provider,
            "token": self._token,
            "timeout": self.timeout,
            "bill_to": self.bill_to,
            "base_url": self.base_url,
            **self.client_kwargs,
        }
        return {name: value for name, value in arguments.items() if value is not None}

    def _call_arguments(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The arguments of the client's method; parameters that it does not name go into the request's body."""
        arguments = {name: value for name, value in parameters.items() if name in _PARAMETERS}
        further = {name: value for name, value in parameters.items() if name not in _PARAMETERS}
        if further:
            arguments["extra_body"] = {**further, **(arguments.get("extra_body") or {})}
        form = arguments.get("response_format")
        if self.base_url and isinstance(form, dict) and form.get("type") == "json_schema":
            # For a server by URL the client would write the schema as only one kind of server reads it.
            schema = form["json_schema"]["schema"]
            arguments["response_format"] = {"type": "json_object", "value": schema, "schema": schema}
        return arguments

    def _seller(self) -> str | None:
        if self.base_url or not self.provider or self.provider == "auto":
            return self.base_url  # with "auto" it is not told who answered
        return f"https://router.huggingface.co/{self.provider}"

    def _check_token(self) -> None:
        """Say what is missing before the network is asked."""
        if self.base_url or self._token or not self._own_client or self.client_kwargs:
            return
        from huggingface_hub import get_token

        if not get_token():
            raise ValueError(
                "InferenceClientModel has no Hugging Face token: set the environment variable HF_TOKEN "
                "(get one at https://huggingface.co/settings/tokens), run `hf auth login`, or give token=…"
            )

    def _create(self, parameters: dict[str, Any]) -> Any:
        self._check_token()
        arguments = self._call_arguments(parameters)
        if not arguments.get("stream"):
            return self.client.chat_completion(**arguments)
        # The client holds the connections of its streams until it is closed, so each stream has a client of its own.
        client = self.create_client() if self._own_client else self.client
        try:
            return _Stream(client.chat_completion(**arguments), client if self._own_client else None)
        except BaseException:
            if self._own_client:
                client.close()
            raise

    async def _acreate(self, parameters: dict[str, Any]) -> Any:
        self._check_token()
        arguments = self._call_arguments(parameters)
        if not arguments.get("stream"):
            return await (await self._async_clients.get()).chat_completion(**arguments)
        client = self._create_async_client()
        try:
            return _AsyncStream(await client.chat_completion(**arguments), client)
        except BaseException:
            await client.close()
            raise

    def _can_await(self) -> bool:
        return self._own_client

    def _explain(self, error: Exception) -> str | None:
        from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError

        where = self.base_url or f"Hugging Face inference ({self.model_id}, provider {self.provider or 'auto'})"
        if isinstance(error, InferenceTimeoutError):
            return f"{where} did not answer in {self.timeout} s; give timeout=… to wait longer"
        if isinstance(error, HfHubHTTPError):
            status = getattr(error.response, "status_code", None)
            remedy = {
                401: "check the token: the environment variable HF_TOKEN, or token",
                402: "the account has no credit left for inference; bill_to=… names an organization that pays",
                403: "this token may not call inference providers; give it that permission",
                404: f"check model_id ({self.model_id!r}) and provider ({self.provider or 'auto'})",
                429: "too many calls; requests_per_minute=… spaces calls out",
            }.get(status or 0)
            said = _said(error)
            return f"{where} answered with status {status}: {said}" + (f"; {remedy}" if remedy else "")
        if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore2"):
            return f"{where} cannot be reached ({error}); check base_url and the network"
        return None


_PARAMETERS = frozenset(
    [
        "messages",
        "model",
        "stream",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "n",
        "presence_penalty",
        "response_format",
        "seed",
        "stop",
        "stream_options",
        "temperature",
        "tool_choice",
        "tool_prompt",
        "tools",
        "top_logprobs",
        "top_p",
        "extra_body",
    ]
)


def _said(error: Exception) -> str:
    """The server's own words, without the advice of the client where there are some."""
    said = str(getattr(error, "server_message", None) or error)
    try:
        told = ast.literal_eval(said) if said.startswith("{") else said  # a dictionary is told as Python writes it
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return said
    return str(told["message"]) if isinstance(told, dict) and told.get("message") else said


class _Stream:
    """The chunks of a stream, and the client that holds its connection."""

    def __init__(self, chunks: Any, client: Any) -> None:
        self._chunks = chunks
        self._client = client

    def __iter__(self) -> Iterator[Any]:
        return iter(self._chunks)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


class _AsyncStream:
    """The chunks of a stream, and the client that holds its connection."""

    def __init__(self, chunks: Any, client: Any) -> None:
        self._chunks = chunks
        self._client = client

    def __aiter__(self) -> AsyncIterator[Any]:
        iterator: AsyncIterator[Any] = aiter(self._chunks)
        return iterator

    async def aclose(self) -> None:
        await self._client.close()
