"""Every executor beside the others: how long it takes to start, to run a line, to call a tool; what it passes.

    python benchmarks/executors.py [--only NAME …] [--conformance] [--write docs/executors.md]

Times are medians, wall clock. `--conformance` also runs the suite that every executor must pass, and counts.
`--write` puts the table between the markers in a file. Executors that cannot run here are left out, with the reason.
Those of paid services run against local servers that speak their protocols, so their times say what this library
costs, not what the service does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "executors")]

START, END = "<!-- table of executors: made by benchmarks/executors.py -->", "<!-- end of table -->"

PROTECTS = {
    "local": "mistakes; not hostile code",
    "sandbox": "hostile code: files, network, processes, memory, processor",
    "monty": "hostile code: an interpreter that has nothing to reach out with",
    "wasm": "hostile code: WebAssembly in a process without permissions",
    "docker": "hostile code: a container without privileges; network by choice",
    "e2b": "hostile code: a virtual machine elsewhere",
    "modal": "hostile code: a container elsewhere",
    "blaxel": "hostile code: a virtual machine elsewhere",
}


def median(function, repeat):
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def measure(backend):
    """Seconds: start to first reply, a one-line call, a tool call."""
    made = []

    def start():
        executor = backend.make()
        made.append(executor)
        executor("1")

    start()  # the first of a process also warms caches that later ones share
    slow = median(start, 1) > 1
    first = median(start, 3 if slow else 20)
    executor = made.pop()
    for other in made:
        other.cleanup()
    executor.send_tools({"double": lambda x: 2 * x})
    executor("value = double(2)")
    repeat = 20 if median(lambda: executor("value = 1"), 3) > 0.005 else 1000
    line = median(lambda: executor("value = 1"), repeat)
    calls = 20 if repeat == 20 else 200
    code = f"for i in range({calls}):\n    double(i)"
    tool = max(median(lambda: executor(code), 5) - line, 0) / calls
    executor.cleanup()
    return first, line, tool


def conformance():
    """Tests passed, by executor and subject."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/executors/conformance"],
            cwd=ROOT,
            env={**os.environ, "SMOLAGENTS_CONFORMANCE_REPORT": str(report)},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return json.loads(report.read_text())


def readable(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def passed(counts):
    text = f"{counts.get('passed', 0)}"
    if counts.get("failed"):
        text += f", {counts['failed']} failed"
    if counts.get("skipped"):
        text += f", {counts['skipped']} do not apply"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", help="names of executors")
    parser.add_argument("--conformance", action="store_true")
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()

    from conformance.backends import BACKENDS

    results = conformance() if arguments.conformance or arguments.write else {}
    rows = []
    for name in [
        *(name for name in PROTECTS if name in BACKENDS),
        *(name for name in BACKENDS if name not in PROTECTS),
    ]:
        backend = BACKENDS[name]
        if (arguments.only and name not in arguments.only) or name not in PROTECTS:
            continue
        reason = backend.unavailable()
        if reason:
            print(f"{name}: not measured: {reason}", file=sys.stderr)
            continue
        start, line, tool = measure(backend)
        lacks = "; ".join(sorted(backend.lacks)).replace("_", " ") or "-"
        counts = {}
        for subject in results.get(name, {}).values():
            for outcome, count in subject.items():
                counts[outcome] = counts.get(outcome, 0) + count
        rows.append(
            [f"`{name}`", PROTECTS[name], readable(start), readable(line), readable(tool), passed(counts), lacks]
        )
    head = ["executor", "protects from", "start", "one line", "tool call", "tests of the suite", "lacks"]
    if not results:
        head, rows = head[:5], [row[:5] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    print("\n".join(lines))
    if arguments.write:
        text = arguments.write.read_text()
        before, _, rest = text.partition(START)
        _, _, after = rest.partition(END)
        arguments.write.write_text(before + START + "\n" + "\n".join(lines) + "\n" + END + after)


if __name__ == "__main__":
    main()
