"""OpenAI's models as Azure serves them, in deployments of one's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from smolagents._imports import require
from smolagents.models.openai import OpenAIModel

__all__ = ["AzureOpenAIModel", "AzureOpenAIServerModel"]


class AzureOpenAIModel(OpenAIModel):
    """A model deployed on Azure, on OpenAI's own SDK.

    What is known of a family of models goes by its name. A deployment that is not named after its model may need
    `facts={"accepts_stop": False}` and the like; what Azure refuses is learned in any case.

    Args:
        model_id: Name of the deployment, such as "gpt-4o-mini".
        azure_endpoint: URL of the resource, such as "https://example.openai.azure.com/"; None for the environment
            variable `AZURE_OPENAI_ENDPOINT`.
        api_key: The key; None for `AZURE_OPENAI_API_KEY`, or the token in `AZURE_OPENAI_AD_TOKEN`.
        api_version: Version of the API, such as "2024-10-21"; None for `OPENAI_API_VERSION`.
        client_kwargs: Further arguments of the SDK's client, such as `{"azure_ad_token_provider": …, "timeout": 60}`.
        custom_role_conversions: Roles to replace, such as `{"system": "user"}`.
        **kwargs: Sent with every call, such as `temperature`; and the arguments of `OpenAIModel` and `ApiModel`.

    Raises:
        MissingExtraError: the SDK is not installed.
        ValueError: the endpoint, the key or the version is missing.
    """

    def __init__(
        self,
        model_id: str,
        azure_endpoint: str | None = None,
        api_key: str | None = None,
        api_version: str | None = None,
        client_kwargs: dict[str, Any] | None = None,
        custom_role_conversions: Mapping[Any, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.azure_endpoint = azure_endpoint
        self.api_version = api_version
        super().__init__(
            model_id,
            api_key=api_key,
            client_kwargs=client_kwargs,
            custom_role_conversions=custom_role_conversions,
            **kwargs,
        )

    def create_client(self) -> Any:
        """The SDK's client."""
        openai = require("openai", extra="openai", needed_for=type(self).__name__)
        return openai.AzureOpenAI(**self._client_arguments())

    def _create_async_client(self) -> Any:
        openai = require("openai", extra="openai", needed_for=type(self).__name__)
        arguments = self._client_arguments()
        arguments.pop("http_client", None)  # it is a blocking one
        return openai.AsyncAzureOpenAI(**arguments)

    def _client_arguments(self) -> dict[str, Any]:
        given = {
            "azure_endpoint": self.azure_endpoint,
            "api_key": self._api_key,
            "api_version": self.api_version,
            "organization": self.organization,
            "project": self.project,
            "max_retries": 0,  # calls are repeated here, and not twice over
            **self.client_kwargs,
        }
        arguments = {name: value for name, value in given.items() if value is not None}
        lacking = [
            f"{what} (the environment variable {variables[0]}, or {names[0]}=…)"
            for what, names, variables in _NEEDED
            if not any(name in arguments for name in names) and not any(map(os.environ.get, variables))
        ]
        if lacking:
            raise ValueError(f"{type(self).__name__} lacks {' and '.join(lacking)}")
        return arguments

    def _explain(self, error: Exception) -> str | None:
        meaning = super()._explain(error)
        status = getattr(error, "status_code", None)
        if meaning is None or status is None:
            return meaning
        url = str(getattr(self.client, "base_url", None) or self.azure_endpoint or "Azure").rstrip("/")
        said = str(getattr(error, "message", None) or error).removeprefix(f"Error code: {status} - ")
        remedy = {
            401: "check the key (the environment variable AZURE_OPENAI_API_KEY, or api_key) and azure_endpoint, whose "
            "resource it must be of",
            403: "this key, or this network, may not use the resource",
            404: f"check that there is a deployment named {self.model_id!r}, azure_endpoint, and that api_version "
            f"({self.api_version or os.environ.get('OPENAI_API_VERSION')}) exists",
            429: "more calls or tokens than the deployment's quota; requests_per_minute=… spaces calls out",
        }.get(status)
        if getattr(error, "code", None) == "content_filter":
            remedy = "the deployment's content filter stopped the prompt"
        return f"{url} answered with status {status}: {said}" + (f"; {remedy}" if remedy else "")


AzureOpenAIServerModel = AzureOpenAIModel

_NEEDED = (
    ("an endpoint", ("azure_endpoint", "base_url"), ("AZURE_OPENAI_ENDPOINT",)),
    (
        "an API key",
        ("api_key", "azure_ad_token", "azure_ad_token_provider"),
        ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"),
    ),
    ("a version of the API", ("api_version",), ("OPENAI_API_VERSION",)),
)
