"""What guarded execution costs: CPU time of code through `LocalPythonExecutor` over CPU time of native `exec`.

    python benchmarks/execution.py [--peer PYTHON] [--repeat N]

`--peer` names the Python of an environment with smolagents 1.26.0 from PyPI; the same code then runs through that
executor too, in a process of its own, in the same run. All guards and limits are on. Each figure is the best of
N runs in process CPU time.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the CPU time of one thread is what is compared

PROGRAMS = {
    "fib(20)": "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nr = fib(20)",
    "1e6 additions": "t = 0\nfor i in range(1000000):\n    t += i",
    "string building": "parts = []\nfor i in range(20000):\n    parts.append(str(i) + 'x')\ns = ''.join(parts)\n"
    "u = ''\nfor i in range(20000):\n    u += f'{i},'",
    "sort": "data = [(i * 7919) % 100003 for i in range(50000)]\na = sorted(data)\nb = sorted(data, key=lambda v: -v)\n"
    "data.sort(reverse=True)",
    "dictionary counting": "counts = {}\nfor i in range(200000):\n    k = i % 100\n"
    "    counts[k] = counts.get(k, 0) + 1",
}
LIBRARIES = {
    "numpy": "import numpy as np\na = np.arange(200000, dtype=float).reshape(400, 500)\n"
    "b = (a * 2 + 1).T\nc = a @ b\nd = np.sort(c, axis=None)[::-1].cumsum()\ne = c.mean(axis=0).std()\n"
    "f = np.linalg.norm(a - a.mean())",
    "pandas": "import numpy as np\nimport pandas as pd\n"
    "df = pd.DataFrame({'k': np.arange(20000) % 50, 'v': np.arange(20000)})\n"
    "g = df.groupby('k')['v'].agg(['mean', 'sum', 'max'])\ndf['w'] = df['v'] * 2 + df['k']\n"
    "h = df[df['w'] > 100].sort_values('w').merge(g, left_on='k', right_index=True)\ns = h.describe()",
    "classes": "class P:\n    def __init__(self, x):\n        self.x = x\n        self._y = x\n"
    "    def step(self, d):\n        self.x += d\n        self._y -= d\n        return self.x * self._y\n"
    "p = P(1)\nfor i in range(50000):\n    p.step(i)",
    "matrix product": "n = 40\na = [[i * j % 7 for j in range(n)] for i in range(n)]\n"
    "c = [[sum(a[i][k] * a[k][j] for k in range(n)) for j in range(n)] for i in range(n)]",
}


def step_of_100_lines() -> str:
    blocks = []
    for k in range(9):
        blocks.append(
            f"data{k} = [x * 2 for x in range({k}) if x % 3]\n"
            f"def f{k}(a, b=2, *args):\n    total = 0\n    for item in a:\n        if item > b:\n"
            "            total += item\n        else:\n            total -= 1\n"
            '    return {"total": total, "n": len(a)}\n'
            f'print(f"result {{f{k}(data{k})}} ok", data{k}[0:3])\n'
        )
    return "\n".join(blocks)


def cpu(function, repeat: int, *, collect: bool = True) -> float:
    """Best CPU seconds of `repeat` calls."""
    best = float("inf")
    for _ in range(repeat):
        if collect:
            gc.collect()
        started = time.process_time()
        kept = function()
        best = min(best, time.process_time() - started)
        del kept  # giving memory back is not part of the figure, on either side
    return best


def natively(source: str) -> dict:
    space = {"__name__": "__main__"}
    exec(compile(source, "<native>", "exec"), space)
    return space


def through(source: str, **options):
    made = executor(**options)
    made(source)
    return made


def executor(**options):
    from smolagents.local_python_executor import LocalPythonExecutor

    made = LocalPythonExecutor(["numpy", "numpy.*", "pandas", "pandas.*"], **options)
    made.send_tools({})
    return made


def one_line_call(run, count: int = 2000) -> float:
    """CPU seconds of a call with one line that was not seen before."""
    run("y = 1")
    lines = [f"x = {i} + y" for i in range(count)]
    started = time.process_time()
    for line in lines:
        run(line)
    return (time.process_time() - started) / count


def measure_peer(names: list[str]) -> dict[str, float]:
    results = {}
    programs = {**PROGRAMS, **LIBRARIES}
    for name in names:
        source = programs[name]
        options = {"timeout_seconds": None}
        try:
            executor(**options)(source)
            results[name] = cpu(lambda source=source, options=options: through(source, **options), 1)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {str(error)[-200:]}", file=sys.stderr)
    results["one-line call"] = one_line_call(executor(), 200)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", help="Python of an environment with smolagents 1.26.0 from PyPI")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--as-peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = list(PROGRAMS)
    for name, source in LIBRARIES.items():
        try:
            natively(source)
        except ImportError:
            continue
        names.append(name)
    if options.as_peer:
        print(json.dumps(measure_peer(names)))
        return
    native: dict[str, float] = {}
    ours: dict[str, float] = {}
    for name in names:
        source = {**PROGRAMS, **LIBRARIES}[name]
        natively(source)
        through(source)
        native[name] = ours[name] = float("inf")
        for _ in range(3):  # by turns: a machine is not equally fast all the time
            native[name] = min(native[name], cpu(lambda source=source: natively(source), options.repeat))
            ours[name] = min(ours[name], cpu(lambda source=source: through(source), options.repeat))
    ours["one-line call"] = one_line_call(executor())
    peer: dict[str, float] = {}
    if options.peer:
        done = subprocess.run(
            [options.peer, __file__, "--as-peer"], capture_output=True, text=True, check=False, timeout=1800
        )
        if done.returncode:
            sys.exit(f"The peer failed:\n{done.stderr[-2000:]}")
        peer = json.loads(done.stdout.splitlines()[-1])

    print(f"Python {platform.python_version()}, CPU time, best of {options.repeat}\n")
    print(f"{'':22}{'native ms':>11}{'ours ms':>11}{'ratio':>8}{'1.26.0 ms':>12}{'ratio':>8}")
    for name in names:
        theirs = peer.get(name)
        line = f"{name:22}{native[name] * 1e3:11.2f}{ours[name] * 1e3:11.2f}{ours[name] / native[name]:8.2f}"
        if theirs is not None:
            line += f"{theirs * 1e3:12.1f}{theirs / native[name]:8.0f}"
        print(line)
    line = f"{'one-line call (µs)':22}{'':11}{ours['one-line call'] * 1e6:11.1f}{'':8}"
    print(line + (f"{peer['one-line call'] * 1e6:12.1f}" if peer else ""))

    from smolagents.executors.local import compiler

    source = step_of_100_lines()

    def compile_once() -> None:
        compiler._cache.clear()
        compiler.compile_guarded(source)

    lines = len(source.splitlines())
    guarded = cpu(compile_once, 100, collect=False)
    plain = cpu(lambda: compile(source, "<native>", "exec"), 100, collect=False)
    print(f"compile {lines} lines: {guarded * 1e6:.0f} µs ({plain * 1e6:.0f} µs natively)")
    base = executor()
    fresh = cpu(lambda: [base.session() for _ in range(1000)], 5) / 1000
    print(f"a fresh session: {fresh * 1e6:.1f} µs")


if __name__ == "__main__":
    main()
