"""What tracing costs: a step of a code agent with a model that answers at once, untraced, traced, and written to files.

    python benchmarks/trace_files.py

CPU time, the median of several runs of 400 steps, and the size of a file.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smolagents import CodeAgent
from smolagents.monitoring import trace_to
from smolagents.monitoring.tracing import Span, add_tracer, remove_tracer
from smolagents.testing import ScriptedModel

STEPS, RUNS = 400, 7


class Deaf:
    """A tracer that does nothing."""

    def started(self, span: Span) -> None: ...

    def event(self, span: Span, name: str, attributes: dict[str, Any]) -> None: ...

    def ended(self, span: Span) -> None: ...


class Forgetful(ScriptedModel):
    """Does not keep what it was asked."""

    def _next(self, messages: Any, arguments: dict[str, Any]) -> Any:
        self.requests.clear()
        return super()._next(messages, arguments)


def run() -> float:
    """Microseconds a step."""
    replies = [f"Thought: I go on.\n<code>\nprint('value', {n})\n</code>" for n in range(STEPS - 1)]
    model = Forgetful([*replies, "<code>\nfinal_answer(1)\n</code>"])
    agent = CodeAgent([], model=model, max_steps=STEPS, verbosity_level=-1)
    started = time.process_time()
    agent.run("Count.")
    return (time.process_time() - started) / STEPS * 1e6


def median(once: Callable[[], float]) -> float:
    return statistics.median(once() for _ in range(RUNS))


def main() -> None:
    run()
    rows = {"untraced": median(run)}
    deaf = Deaf()
    add_tracer(deaf)
    rows["traced, nothing written"] = median(run)
    remove_tracer(deaf)
    with tempfile.TemporaryDirectory() as folder:
        with trace_to(folder):
            rows["written to a file"] = median(run)
        size = max(path.stat().st_size for path in Path(folder).iterdir())
    for name, cost in rows.items():
        print(f"{name:<26} {cost:7.0f} µs a step")
    print(f"{'file':<26} {size / STEPS / 1000:7.1f} kB a step")


if __name__ == "__main__":
    main()
