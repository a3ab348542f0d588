"""Calls spaced out and repeated."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import pytest

from smolagents.models import is_rate_limit_error
from smolagents.models.retrying import RateLimiter, Retrying


class Refused(Exception):
    def __init__(self, status, retry_after=None):
        super().__init__(f"status {status}")
        self.status_code = status
        self.response = SimpleNamespace(headers={"retry-after": retry_after} if retry_after else {})


class Flaky:
    def __init__(self, *errors):
        self.errors = list(errors)
        self.times = []

    def __call__(self, value):
        self.times.append(time.monotonic())
        if self.errors:
            raise self.errors.pop(0)
        return value

    async def later(self, value):
        return self(value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Refused(429), True),
        (Refused(500), False),
        (RuntimeError("Rate limit reached"), True),
        (RuntimeError("Too Many Requests"), True),
        (RuntimeError("bad key"), False),
    ],
)
def test_rate_limit_errors(error, expected):
    assert is_rate_limit_error(error) is expected


def test_it_calls_again_until_it_succeeds_or_has_tried_enough(caplog):
    log = logging.getLogger("test_retrying")
    retry = Retrying(3, 0.01, retry_predicate=is_rate_limit_error, before_sleep_logger=(log, logging.WARNING))
    assert retry(Flaky(Refused(429), Refused(429)), 5) == 5
    assert asyncio.run(retry.acall(Flaky(Refused(429), Refused(429)).later, 5)) == 5
    assert "trying again in" in caplog.text
    for flaky in (Flaky(*[Refused(429)] * 3), Flaky(Refused(500))):
        with pytest.raises(Refused):
            retry(flaky, 5)
        with pytest.raises(Refused):
            asyncio.run(retry.acall(Flaky(Refused(500)).later, 5))
    with pytest.raises(ValueError, match="max_attempts is 0"):
        Retrying(0)


def test_waits_grow_and_the_server_may_ask_for_longer():
    flaky = Flaky(Refused(429), Refused(429), Refused(429, retry_after="0.3"))
    assert Retrying(4, 0.05, jitter=False)(flaky, 1) == 1
    waits = [b - a for a, b in pairwise(flaky.times)]
    assert waits[0] >= 0.05
    assert waits[1] >= 0.1
    assert waits[2] >= 0.3


def test_the_limit_holds_over_threads_and_tasks():
    limiter = RateLimiter(requests_per_minute=1200)  # one in 50 ms
    times = []

    def call():
        limiter.throttle()
        times.append(time.monotonic())

    async def acall():
        await limiter.athrottle()
        times.append(time.monotonic())

    async def tasks():
        await asyncio.gather(acall(), acall(), acall())

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join()
    assert max(times) - min(times) >= 0.05 * 5 - 0.01
    RateLimiter().throttle()
    with pytest.raises(ValueError, match="positive"):
        RateLimiter(0)
