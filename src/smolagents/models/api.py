"""What models behind a network API share: a client, patience, roles."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from smolagents.models.base import Model
from smolagents.models.retrying import RateLimiter, Retrying, is_rate_limit_error

__all__ = ["ApiModel"]

logger = logging.getLogger(__name__)


class ApiModel(Model):
    """Base of models that are called over a network.

    Args:
        model_id: The model's name at its provider.
        custom_role_conversions: Roles to replace, such as `{"system": "user"}` where a model has no system role.
        client: A client of the provider's SDK, ready made; None to have `create_client` make one.
        requests_per_minute: Most calls in a minute; None for no limit.
        retry: Call again, up to three times, when the provider says that too many calls came.
        **kwargs: Sent with every call.
    """

    def __init__(
        self,
        model_id: str,
        custom_role_conversions: Mapping[Any, Any] | None = None,
        client: Any | None = None,
        requests_per_minute: float | None = None,
        retry: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(model_id=model_id, **kwargs)
        self.custom_role_conversions = custom_role_conversions
        self.requests_per_minute = requests_per_minute
        self.retry = retry
        self.rate_limiter = RateLimiter(requests_per_minute)
        self.retryer = Retrying(
            max_attempts=4 if retry else 1,
            wait_seconds=5.0,
            retry_predicate=is_rate_limit_error,
            before_sleep_logger=(logger, logging.WARNING),
        )
        self.client = client if client is not None else self.create_client()

    def create_client(self) -> Any:
        """Make the client of the provider's SDK."""
        raise NotImplementedError(f"{type(self).__name__} must define create_client()")
