"""What tracing costs: where nobody traces, and with OpenTelemetry's SDK.

    python benchmarks/tracing.py

CPU time. Of what is done where nobody traces, each part on its own, as the sum is lost in a step's noise; of steps, the
least of several repetitions.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable

import smolagents
from overhead_worker import agents, instant_model
from smolagents.agents.requests import RunCode
from smolagents.agents.traced import traced
from smolagents.monitoring import tracing
from smolagents.tools.traced import traced_call

STEPS = 200


def microseconds(function: Callable[[], object], number: int = 200_000) -> float:
    return min(timeit.repeat(function, number=number, repeat=5, timer=time.process_time)) / number * 1e6


def step_us(kind: str) -> float:
    """CPU time of a step in microseconds."""
    make, reply, last = agents()[kind]  # type: ignore[no-untyped-call]

    def once() -> float:
        agent = make(instant_model(reply, last, STEPS))  # type: ignore[no-untyped-call]
        started = time.process_time()
        agent.run("add")
        return time.process_time() - started

    return min(once() for _ in range(7)) / STEPS * 1e6


def main() -> None:
    class Idle:
        trace = None

    run, request = Idle(), RunCode(None, "")  # type: ignore[arg-type]

    def answer() -> None:
        with traced(run, request) as span:  # type: ignore[arg-type]
            span.replied(None)

    def called(_self: object, *_args: object, **_kwargs: object) -> None:
        pass

    wrapped = traced_call(called)
    rows = {
        "off: looking whether anybody traces, once a run [µs]": microseconds(tracing.enabled),
        "off: a request of a run [µs]": microseconds(answer),
        "off: a call of a tool [µs]": microseconds(lambda: wrapped(None)) - microseconds(lambda: called(None)),
    }
    off = {kind: step_us(kind) for kind in ("tool", "code")}
    from opentelemetry.sdk.trace import TracerProvider

    for content in (False, True):
        smolagents.instrument(TracerProvider(), capture_content=content)
        for kind, before in off.items():
            said = " with content" if content else ""
            rows[f"on: a step{said}, {kind}, over {before:.0f} µs without [µs]"] = step_us(kind) - before
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:{width}}  {value:>8.2f}")


if __name__ == "__main__":
    main()
