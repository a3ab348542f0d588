"""What the Linux sandbox costs: start, calls, tool calls, and code in it against code outside.

    python benchmarks/sandbox.py [--peer PYTHON] [--kernel PYTHON] [--repeat N]

`--peer` names the Python of an environment with smolagents 1.26.0 from PyPI, whose executor runs code in its own
process; `--kernel` that of one with `ipykernel`, `jupyter_client`, `numpy` and `pandas`. Both are then measured in the
same run. All figures are wall time, and medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in the sandbox

from execution import LIBRARIES, PROGRAMS

CODE = {
    name: source + "\nNone"  # what is measured is the code, not how its last value comes over
    for name, source in {"fib(24)": PROGRAMS["fib(20)"].replace("fib(20)", "fib(24)"), **PROGRAMS, **LIBRARIES}.items()
    if name in ("fib(24)", "1e6 additions", "sort", "classes", "numpy", "pandas")
}
TOOL_CALLS = """
import time
def measure(count):
    times = []
    for _ in range(count):
        started = time.perf_counter()
        add(1, 2)
        times.append(time.perf_counter() - started)
    return sorted(times)[count // 2]
measure(COUNT)
"""
TARGETS = {
    "start, no fork server [ms]": 50,
    "start [ms]": 10,
    "start, numpy and pandas loaded [ms]": 10,
    "one-line call [µs]": 60,
    "tool call [µs]": 150,
}


def median_time(function: Callable[[], Any], count: int) -> float:
    times = []
    for _ in range(count):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def one_line_call(run: Callable[[str], Any], count: int) -> float:
    run("y = 1")
    lines = iter([f"x = {number} + y" for number in range(count)])
    return median_time(lambda: run(next(lines)), count) * 1e6


def natively(source: str) -> None:
    exec(compile(source, "<native>", "exec"), {"__name__": "__main__"})


# The sandbox


def first_reply(repeat: int, **options: Any) -> float:
    """Milliseconds from a new executor to its first result."""
    from smolagents.executors.sandbox import SandboxExecutor

    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        executor = SandboxExecutor(**options)
        executor("1")
        times.append(time.perf_counter() - started)
        executor.cleanup()
    return statistics.median(times) * 1e3


def sandbox(repeat: int) -> dict[str, float]:
    from smolagents.executors.sandbox import SandboxExecutor

    results = {"start, no fork server [ms]": first_reply(repeat, fork_server=False)}
    first_reply(3)
    results["start [ms]"] = first_reply(2 * repeat)
    packages = ["numpy", "pandas"]
    loaded = 'import sys\n"pandas" in sys.modules'
    for _ in range(600):
        with SandboxExecutor([*packages, "sys"]) as executor:
            if executor(loaded).output:
                break
        time.sleep(0.05)
    else:
        sys.exit("pandas was not imported in advance")
    results["start, numpy and pandas loaded [ms]"] = first_reply(
        2 * repeat, additional_authorized_imports=[*packages, "sys"]
    )
    with SandboxExecutor() as executor:
        results["one-line call [µs]"] = one_line_call(executor, 100 * repeat)
        executor.send_tools({"add": lambda a, b: a + b})
        results["tool call [µs]"] = executor(TOOL_CALLS.replace("COUNT", str(100 * repeat))).output * 1e6
    return results


def code_against_native(repeat: int) -> dict[str, tuple[float, float]]:
    """Seconds natively and in the sandbox, by turns: a machine is not equally fast all the time."""
    from smolagents.executors.sandbox import SandboxExecutor

    results = {}
    with SandboxExecutor(["numpy", "pandas"], timeout_seconds=None) as executor:
        for name, source in CODE.items():
            natively(source)
            executor(source)
            native, ours = [], []
            for _ in range(repeat):
                native.append(median_time(lambda source=source: natively(source), 1))
                ours.append(median_time(lambda source=source: executor(source), 1))
            results[name] = statistics.median(native), statistics.median(ours)
    return results


# Others, each in an environment of its own


def as_peer(repeat: int) -> dict[str, float]:
    from smolagents.local_python_executor import LocalPythonExecutor

    def make() -> Any:
        executor = LocalPythonExecutor(["numpy", "numpy.*", "pandas", "pandas.*"], timeout_seconds=None)
        executor.send_tools({"add": lambda a, b: a + b})
        return executor

    results = {"start [ms]": median_time(lambda: make()("1"), repeat) * 1e3}
    executor = make()
    results["one-line call [µs]"] = one_line_call(executor, 20 * repeat)
    add = "add(1, 2)\n" * 100
    results["tool call [µs]"] = median_time(lambda: executor(add), repeat) * 1e4
    for name, source in CODE.items():
        try:
            results[name] = median_time(lambda source=source: make()(source), 2)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {str(error)[-200:]}", file=sys.stderr)
    return results


def as_kernel(repeat: int) -> dict[str, float]:
    from jupyter_client.manager import start_new_kernel

    def run(client: Any, source: str) -> None:
        reply = client.execute_interactive(source, output_hook=lambda _: None, timeout=600)
        if reply["content"]["status"] != "ok":
            raise SystemExit(f"{source}\n{reply['content']}")

    def start() -> Any:
        manager, client = start_new_kernel(kernel_name="python3")
        run(client, "1")
        return manager, client

    def stop(manager: Any, client: Any) -> None:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    times = []
    for _ in range(3):
        started = time.perf_counter()
        kernel = start()
        times.append(time.perf_counter() - started)
        stop(*kernel)
    results = {"start [ms]": statistics.median(times) * 1e3}
    manager, client = start()
    results["one-line call [µs]"] = one_line_call(lambda source: run(client, source), 10 * repeat)
    for name, source in CODE.items():
        run(client, source)
        results[name] = median_time(lambda source=source: run(client, source), repeat)
    stop(manager, client)
    return results


def elsewhere(python: str | None, kind: str, repeat: int) -> dict[str, float]:
    if not python:
        return {}
    command = [python, "-W", "ignore", __file__, "--as", kind, "--repeat", str(repeat)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=1800)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="Python of an environment with smolagents 1.26.0 from PyPI")
    parser.add_argument("--kernel", help="Python of an environment with ipykernel and jupyter_client")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--as", choices=("peer", "kernel"), dest="kind", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kind:
        print(json.dumps((as_peer if options.kind == "peer" else as_kernel)(options.repeat)))
        return
    from smolagents.executors.sandbox import SandboxUnavailableError

    try:
        ours = sandbox(options.repeat)
    except SandboxUnavailableError as error:
        print(error)
        return
    code = code_against_native(options.repeat)
    kernel = elsewhere(options.kernel, "kernel", options.repeat)
    peer = elsewhere(options.peer, "peer", options.repeat)

    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, wall time, medians\n")
    print(f"{'':38}{'sandbox':>10}{'at most':>9}{'ipykernel':>12}{'1.26.0, no boundary':>21}")
    for name, value in ours.items():
        cells = [f"{others[name]:.1f}" if name in others else "" for others in (kernel, peer)]
        print(f"{name:38}{value:10.1f}{TARGETS[name]:9}{cells[0]:>12}{cells[1]:>21}")
    print(f"\n{'':38}{'native ms':>10}{'sandbox':>9}{'ipykernel':>12}{'1.26.0, no boundary':>21}  times native")
    for name, (native, confined) in code.items():
        cells = [f"{others[name] / native:.2f}" if name in others else "" for others in (kernel, peer)]
        print(f"{name:38}{native * 1e3:10.2f}{confined / native:9.2f}{cells[0]:>12}{cells[1]:>21}")


if __name__ == "__main__":
    main()
