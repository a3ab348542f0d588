"""What the library itself costs: import, a new agent, each step, memory. With a model that answers at once.

    python benchmarks/overhead.py [--peer PYTHON]

`--peer` names the interpreter of an environment with `smolagents==1.26.0` from PyPI; the same measurements are then
made there, in the same run, and the table shows ratios. CPU time, the median of several repetitions.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).with_name("overhead_worker.py")
STEPS = (1, 10, 100, 400)


def measure(python: str, what: str, *arguments: str) -> dict[str, float]:
    """Run one measurement in a fresh process of `python`."""
    command = [python, "-W", "ignore", str(WORKER), what, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def median(python: str, what: str, key: str, *arguments: str, repeat: int = 5) -> float:
    return statistics.median(measure(python, what, *arguments)[key] for _ in range(repeat))


def figures(python: str) -> dict[str, float]:
    """All figures for one environment, by the name the table gives them."""
    bare = median(python, "bare", "cpu_ms")
    rows = {
        "import, CPU over a bare interpreter [ms]": median(python, "import", "cpu_ms") - bare,
        "import and first agent class [ms]": median(python, "import_agent", "cpu_ms") - bare,
    }
    agent = measure(python, "agent")
    rows["a new CodeAgent [µs]"] = agent["code_us"]
    rows["a new ToolCallingAgent [µs]"] = agent["tool_us"]
    for place in ("pipe", "terminal"):
        rows[f"showing a step, {place} [µs]"] = median(python, "show", "us", place, repeat=3)
    for kind in ("tool", "code"):
        for steps in STEPS:
            rows[f"a step of {steps}, {kind} [µs]"] = median(python, kind, "us_per_step", str(steps), repeat=3)
        long = measure(python, kind, "400")
        rows[f"last 40 steps of 400 over first 40, {kind} [ratio]"] = long["growth"]
        rows[f"memory kept by 400 steps, {kind} [MB]"] = measure(python, kind, "400", "--memory")["megabytes"]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="interpreter of an environment with smolagents 1.26.0 from PyPI")
    options = parser.parse_args()
    ours = figures(sys.executable)
    peer = figures(options.peer) if options.peer else {}
    width = max(map(len, ours))
    print(f"{'':{width}}  {'ours':>10}" + (f"  {'peer':>10}  {'peer/ours':>10}" if peer else ""))
    for name, value in ours.items():
        line = f"{name:{width}}  {value:>10.2f}"
        if peer:
            line += f"  {peer[name]:>10.2f}  {peer[name] / value if value > 0 else float('nan'):>10.1f}"
        print(line)


if __name__ == "__main__":
    main()
