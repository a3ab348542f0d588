"""What Monty costs: start, calls, tool calls, being put back after a limit, and code in it against code in Python.

    python benchmarks/monty.py [--repeat N]

All figures are wall time, and medians.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from importlib.metadata import version

from execution import LIBRARIES, PROGRAMS
from smolagents.executors.errors import ExecutionLimitError
from smolagents.executors.monty import MontyExecutor

CODE = {**PROGRAMS, **{name: LIBRARIES[name] for name in ("classes", "matrix product")}}
CALLS = 500


def median_time(function, count: int) -> float:
    times = []
    for _ in range(count):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def natively(source: str) -> None:
    exec(compile(source, "<native>", "exec"), {"__name__": "__main__"})


def start() -> None:
    with MontyExecutor() as executor:
        executor("1")


def put_back(executor: MontyExecutor) -> None:
    try:
        executor("'a' * 10**12")
    except ExecutionLimitError:
        executor("1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    start()
    with MontyExecutor() as executor:
        executor.send_tools({"add": lambda a, b: a + b})
        executor("y = 1")
        lines = iter([f"x = {number} + y" for number in range(100 * repeat)])
        line = median_time(lambda: executor(next(lines)), 100 * repeat)
        calls = median_time(lambda: executor(f"for i in range({CALLS}):\n    add(i, 2)"), repeat)
        back = median_time(lambda: put_back(executor), 4 * repeat)
        rows = {
            "start to first reply": f"{median_time(start, 10 * repeat) * 1e3:.2f} ms",
            "one-line call": f"{line * 1e6:.0f} µs",
            "tool call": f"{(calls - line) / CALLS * 1e6:.0f} µs",
            "limit reached, put back, next call": f"{back * 1e3:.2f} ms",
        }
        for name, source in CODE.items():
            native, inside = [], []
            for _ in range(repeat):  # by turns: a machine is not equally fast all the time
                native.append(median_time(lambda source=source: natively(source), 1))
                inside.append(median_time(lambda source=source: executor(f"{source}\nNone"), 1))
            ratio = statistics.median(inside) / statistics.median(native)
            rows[f"{name}, of native"] = f"{ratio:.1f} x ({statistics.median(inside) * 1e3:.1f} ms)"
    print(f"pydantic-monty {version('pydantic-monty')}, Python {platform.python_version()}, {platform.machine()}\n")
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:<{width}}  {value}")


if __name__ == "__main__":
    main()
