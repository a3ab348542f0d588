"""Patience with servers: calls spaced out in time, and repeated when they were refused for haste."""

from __future__ import annotations

import heapq
import logging
import math
import random
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from smolagents.models.endpoints import without_credentials
from smolagents.models.failures import is_rate_limit_error

__all__ = ["RateLimiter", "Retrying", "is_rate_limit_error"]

T = TypeVar("T")
LoggerAndLevel = tuple[logging.Logger, int]
_MAX_RETRY_AFTER = 300.0
"""Seconds; a server that asks for more is not waited for that long."""


class RateLimiter:
    """Spaces calls evenly in time, over all threads and tasks that share it.

    Args:
        requests_per_minute: Most calls in a minute; None for no limit.

    Raises:
        ValueError: the limit is not positive.
    """

    def __init__(self, requests_per_minute: float | None = None) -> None:
        if requests_per_minute is not None and requests_per_minute <= 0:
            raise ValueError(f"requests_per_minute is {requests_per_minute}; give a positive number, or None")
        self._interval = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._next = 0.0
        self._given_back: list[float] = []
        self._lock = threading.Lock()

    def _reserve(self) -> tuple[float, float]:
        """Take the next free slot; its time, and the seconds until it."""
        with self._lock:
            now = time.monotonic()
            while self._given_back:
                slot = heapq.heappop(self._given_back)
                if slot >= now:
                    return slot, slot - now
            slot = max(now, self._next)
            self._next = slot + self._interval
            return slot, slot - now

    def _give_back(self, slot: float) -> None:
        """A caller who was cancelled while it waited needs its slot no more."""
        with self._lock:
            heapq.heappush(self._given_back, slot)

    def throttle(self) -> None:
        """Wait until the next call may be made."""
        if not self._interval:
            return
        slot, seconds = self._reserve()
        if seconds > 0:
            try:
                time.sleep(seconds)
            except BaseException:
                self._give_back(slot)
                raise

    async def athrottle(self) -> None:
        """Wait until the next call may be made, without blocking the event loop."""
        if not self._interval:
            return
        slot, seconds = self._reserve()
        if seconds > 0:
            import asyncio

            try:
                await asyncio.sleep(seconds)
            except BaseException:
                self._give_back(slot)
                raise


class Retrying:
    """Calls a function again when it fails in a way that may pass.

    A server that says `Retry-After` is waited for that long, if longer than the wait planned.

    Args:
        max_attempts: Calls in all.
        wait_seconds: Wait before the second call, in seconds.
        exponential_base: Factor from one wait to the next.
        jitter: Lengthen each wait by up to its own length at random, so that callers do not return all at once.
        retry_predicate: Which exceptions are worth another call; None for all.
        reraise: Kept for compatibility: the last exception is always raised as it is.
        before_sleep_logger: Logger and level for a line before each wait.
        after_logger: Logger and level for a line after each failed call.
    """

    def __init__(
        self,
        max_attempts: int = 1,
        wait_seconds: float = 0.0,
        exponential_base: float = 2.0,
        jitter: bool = True,
        retry_predicate: Callable[[BaseException], bool] | None = None,
        reraise: bool = False,
        before_sleep_logger: LoggerAndLevel | None = None,
        after_logger: LoggerAndLevel | None = None,
    ) -> None:
        if max_attempts < 1:
            raise ValueError(f"max_attempts is {max_attempts}; give 1 or more")
        self.max_attempts = max_attempts
        self.wait_seconds = wait_seconds
        self.exponential_base = exponential_base
        self.jitter = jitter
        self.retry_predicate = retry_predicate
        self.reraise = reraise
        self.before_sleep_logger = before_sleep_logger
        self.after_logger = after_logger

    def __call__(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call `fn` with the arguments until it succeeds, or raise its last exception."""
        attempt = 1
        while True:
            try:
                return fn(*args, **kwargs)
            except Exception as error:
                seconds = self._wait_after(error, attempt, fn)
                if seconds is None:
                    raise
            if seconds > 0:
                time.sleep(seconds)
            attempt += 1

    async def acall(self, fn: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Await `fn` with the arguments until it succeeds, or raise its last exception."""
        attempt = 1
        while True:
            try:
                return await fn(*args, **kwargs)
            except Exception as error:
                seconds = self._wait_after(error, attempt, fn)
                if seconds is None:
                    raise
            if seconds > 0:
                import asyncio

                await asyncio.sleep(seconds)
            attempt += 1

    def _wait_after(self, error: Exception, attempt: int, fn: Any) -> float | None:
        """Seconds to wait before the next call; None when there is to be none."""
        model_id = getattr(getattr(fn, "__self__", None), "model_id", None)
        name = model_id or getattr(fn, "__qualname__", type(fn).__name__)
        if self.after_logger is not None:
            logger, level = self.after_logger
            logger.log(level, "call %d of %s failed: %s", attempt, name, without_credentials(str(error)))
        if attempt >= self.max_attempts or (self.retry_predicate is not None and not self.retry_predicate(error)):
            return None
        seconds = self.wait_seconds * self.exponential_base ** (attempt - 1)
        if self.jitter:
            seconds *= 1 + random.random()
        seconds = max(seconds, _retry_after(error))
        if self.before_sleep_logger is not None:
            logger, level = self.before_sleep_logger
            told = without_credentials(" ".join(str(error).split()))
            logger.log(level, "%s failed (%s); trying again in %.1f s", name, told, seconds)
        return seconds


def _retry_after(error: BaseException) -> float:
    """Seconds that the server asks for: `retry-after-ms`, or `retry-after` as seconds or as an HTTP date (RFC 9110)."""
    response = getattr(error, "response", None)
    headers: Any = getattr(response, "headers", None)
    if headers is None and isinstance(response, dict):  # boto3's
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders")
    try:
        milliseconds, asked = headers.get("retry-after-ms"), headers.get("retry-after")
    except AttributeError:
        return 0.0
    try:
        seconds = float(milliseconds) / 1000 if milliseconds else float(asked or 0)
    except (TypeError, ValueError):
        seconds = _seconds_until(asked)
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER) if math.isfinite(seconds) else 0.0


def _seconds_until(date: Any) -> float:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(str(date)).timestamp() - time.time()
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
