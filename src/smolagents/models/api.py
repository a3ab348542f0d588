"""What models behind a network API share: a client, patience, limits, and facts about the model that may be learned."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from smolagents.models.base import Model
from smolagents.models.endpoints import without_credentials
from smolagents.models.facts import ModelFacts, checked_facts, facts_about, fitted
from smolagents.models.failures import is_transient_error
from smolagents.models.lessons import lesson_of
from smolagents.models.limits import ConcurrencyLimiter
from smolagents.models.retrying import RateLimiter, Retrying

__all__ = ["ApiModel"]

logger = logging.getLogger(__name__)

_ATTEMPTS = 5
_FIRST_WAIT = 2.0
"""Seconds. With doubling and jitter the waits add up to between half a minute and a whole one, the span over which
providers count their limits."""


class ApiModel(Model):
    """Base of models that are called over a network.

    Args:
        model_id: The model's name at its provider.
        custom_role_conversions: Roles to replace, such as `{"system": "user"}` where a model has no system role.
        client: A client of the provider's SDK, ready made; None to have `create_client` make one.
        requests_per_minute: Most calls in a minute; None for no limit.
        retry: Call again, up to four times and after growing pauses, when a call failed in a way that may pass: the
            HTTP statuses 408, 409, 429 and 5xx, timeouts, and connections that broke.
        max_concurrency: Most calls under way at once, streams included, over all threads and event loops; None for
            no limit.
        facts: What is known of the model beyond the table of families, or against it, by the names of `ModelFacts`,
            such as `{"accepts_stop": False}`.
        **kwargs: Sent with every call.

    Raises:
        ValueError: a limit is not positive, or a fact is unknown.
    """

    def __init__(
        self,
        model_id: str,
        custom_role_conversions: Mapping[Any, Any] | None = None,
        client: Any | None = None,
        requests_per_minute: float | None = None,
        retry: bool = True,
        max_concurrency: int | None = None,
        facts: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model_id=model_id, **kwargs)
        self.custom_role_conversions = custom_role_conversions
        self.requests_per_minute = requests_per_minute
        self.retry = retry
        self.max_concurrency = max_concurrency
        self.facts = None if facts is None else dict(facts)
        self._given_facts = checked_facts(facts)
        self._learned_facts: dict[str, Any] = {}
        self._known_facts: tuple[str | None, ModelFacts] | None = None
        self._facts_lock = threading.Lock()
        self.rate_limiter = RateLimiter(requests_per_minute)
        self.concurrency_limiter = ConcurrencyLimiter(max_concurrency)
        self.retryer = Retrying(
            max_attempts=_ATTEMPTS if retry else 1,
            wait_seconds=_FIRST_WAIT,
            retry_predicate=is_transient_error,
            before_sleep_logger=(logger, logging.WARNING),
        )
        self.client = client if client is not None else self.create_client()

    def create_client(self) -> Any:
        """Make the client of the provider's SDK."""
        raise NotImplementedError(f"{type(self).__name__} must define create_client()")

    @property
    def known_facts(self) -> ModelFacts:
        """What is known of the model: by its family, by what the user said, and by what its provider refused."""
        known = self._known_facts
        if known is None or known[0] != self.model_id:
            facts = replace(facts_about(self.model_id), **{**self._given_facts, **self._learned_facts})
            known = self._known_facts = (self.model_id, facts)
        return known[1]

    @property
    def supports_stop_parameter(self) -> bool:
        """Whether stop sequences are sent with a call; where not, replies are cut after they come."""
        return self.known_facts.accepts_stop

    def _fit(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters of a call as this model takes them. They are in the words of OpenAI's chat API."""
        return fitted(parameters, self.known_facts)

    def _learn_from(self, error: Exception, sent: Mapping[str, Any]) -> bool:
        """Remember what a refusal says about the model. Returns whether the call is worth making again for that."""
        with self._facts_lock:
            lesson = lesson_of(error, sent, self.known_facts)
            if lesson is None:
                return False
            changes, words = lesson
            self._learned_facts.update(changes)
            self._known_facts = None
        told = without_credentials(" ".join(str(error).split()))
        logger.warning("%s: %s, as the provider refused it (%s)", self.model_id, words, told)
        return True
