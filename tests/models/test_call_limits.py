"""Calls under way at once, over threads, tasks and event loops."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from smolagents.models import OpenAIModel
from smolagents.models.limits import ConcurrencyLimiter
from smolagents.models.retrying import RateLimiter
from support.model_helpers import user
from support.wire import Answer, chunk, completion, serve_answers


class Counter:
    """Counts who is in, and the most there ever were."""

    def __init__(self):
        self.now = self.most = self.entered = 0
        self._lock = threading.Lock()

    def __enter__(self):
        with self._lock:
            self.now += 1
            self.entered += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_):
        with self._lock:
            self.now -= 1


def test_threads_and_tasks_of_several_loops_share_the_places():
    limiter, counter = ConcurrencyLimiter(3), Counter()

    def call():
        for _ in range(10):
            with limiter.turn(), counter:
                time.sleep(0.001)

    async def acall():
        for _ in range(10):
            async with limiter.aturn():
                with counter:
                    await asyncio.sleep(0.001)

    async def tasks():
        await asyncio.gather(*(acall() for _ in range(10)))

    threads = [threading.Thread(target=call) for _ in range(10)]
    threads += [threading.Thread(target=asyncio.run, args=(tasks(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert counter.entered == 300
    assert 1 < counter.most <= 3
    assert limiter._free == 3


def test_places_are_given_in_the_order_in_which_they_were_asked_for():
    limiter, order = ConcurrencyLimiter(1), []

    def call():
        with limiter.turn():
            order.append("thread")

    async def acall(name):
        async with limiter.aturn():
            order.append(name)

    async def main():
        async with limiter.aturn():
            first = asyncio.create_task(acall("a"))
            await asyncio.sleep(0)
            thread = threading.Thread(target=call)
            thread.start()
            while len(limiter._waiting) < 2:
                await asyncio.sleep(0)
            last = asyncio.create_task(acall("b"))
            await asyncio.sleep(0)
        await asyncio.gather(first, last)
        thread.join()

    asyncio.run(main())
    assert order == ["a", "thread", "b"]


def test_who_is_cancelled_takes_no_place_along():
    limiter = ConcurrencyLimiter(1)

    async def wait():
        async with limiter.aturn():
            await asyncio.sleep(60)

    async def main():
        async with limiter.aturn():
            waiting = [asyncio.create_task(wait()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()  # while it waits
            await asyncio.sleep(0)
        waiting[1].cancel()  # when its turn has come, and before it knows
        waiting[2].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.wait_for(limiter.aturn().__aenter__(), 5)

    asyncio.run(main())


def test_a_loop_that_was_closed_while_a_task_of_it_waited_blocks_nobody():
    limiter = ConcurrencyLimiter(1)
    loop = asyncio.new_event_loop()

    async def wait():
        async with limiter.aturn():
            pass

    with limiter.turn():
        task = loop.create_task(wait())
        loop.run_until_complete(asyncio.sleep(0))
        task._log_destroy_pending = False
        loop.close()
    with limiter.turn():
        pass
    task.get_coro().close()


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "3"])
def test_a_limit_that_is_none_is_refused(limit):
    with pytest.raises(ValueError, match="max_concurrency is"):
        ConcurrencyLimiter(limit)


def test_a_stream_holds_its_place_until_it_ends():
    events = [chunk({"content": "a"}), chunk({"content": "b"}, "stop"), "[DONE]"]
    with serve_answers(Answer(events=events), Answer(completion({"content": "ok"}))) as wire:
        model = OpenAIModel("m", api_base=wire.url, api_key="k", max_concurrency=1)
        stream = model.generate_stream(user("x"))
        assert next(stream).content == "a"
        other = threading.Thread(target=model.generate, args=(user("x"),))
        other.start()
        while not model.concurrency_limiter._waiting:
            time.sleep(0.001)
        assert len(wire.requests) == 1
        stream.close()
        other.join(10)
        assert len(wire.requests) == 2

        async def tasks():
            return await asyncio.gather(*(model.agenerate(user("x")) for _ in range(3)))

        assert [message.content for message in asyncio.run(tasks())] == ["ok"] * 3


def test_the_slot_of_a_cancelled_wait_goes_to_the_next_caller():
    limiter = RateLimiter(requests_per_minute=300)  # one in 200 ms

    async def main():
        await limiter.athrottle()
        waiting = asyncio.create_task(limiter.athrottle())
        behind = asyncio.create_task(limiter.athrottle())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        started = time.monotonic()
        await limiter.athrottle()
        taken = time.monotonic() - started
        await behind
        return taken

    assert asyncio.run(main()) < 0.35
