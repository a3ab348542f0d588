"""Three tasks for an agent that thinks with the local model, through the `smolagent` command.

Run it with `make demo`. It shows what the agent does, checks each answer, and exits 0 only if all are right.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ORDERS = (Path(__file__).parent / "data" / "orders.csv").read_text(encoding="utf-8").strip()


@dataclass
class Example:
    """A task, the right answer in words, and how to tell it."""

    task: str
    expected: str
    is_right: Callable[[str], bool]


def near(value: float, digits: int) -> Callable[[str], bool]:
    """Whether a number of the answer is `value` to so many digits after the point."""

    def is_right(answer: str) -> bool:
        numbers = re.findall(r"-?\d+(?:\.\d+)?", answer.replace(",", ""))
        return any(math.isclose(float(number), value, abs_tol=0.5 * 10**-digits) for number in numbers)

    return is_right


EXAMPLES = [
    Example(
        "How many seconds would it take for a leopard at full speed (58 km/h) to run through Pont des Arts (155 m)?",
        "about 9.62",
        near(155 / (58 / 3.6), 2),
    ),
    Example(
        f"Here is a CSV file of orders:\n\n{ORDERS}\n\n"
        "What is the total revenue (quantity times unit_price) of all orders of the product 'lamp'?",
        "232.5",
        near(232.5, 2),
    ),
    Example(
        "A project starts on 15 January 2024 and ends on 25 December 2024. How many days are between these two dates?",
        "345",
        near(345, 1),
    ),
]


def solve(task: str) -> tuple[str, int]:
    """Run the command on a task, let its output through, and return the final answer and the exit code."""
    command = [sys.executable, "-m", "smolagents", task, "--model-type", "LlamaCppModel", "--max-steps", "6"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert process.stdout is not None
    answer = ""
    for line in process.stdout:
        print("  " + line, end="", flush=True)
        if line.startswith("Final answer:"):
            answer = line.partition(":")[2].strip()
    return answer, process.wait()


def main() -> int:
    right = 0
    for number, example in enumerate(EXAMPLES, 1):
        print(f"\n##### Task {number} of {len(EXAMPLES)}\n")
        started = time.monotonic()
        answer, code = solve(example.task)
        took = time.monotonic() - started
        passed = code == 0 and example.is_right(answer)
        right += passed
        verdict = "right" if passed else f"WRONG, expected {example.expected} (exit code {code})"
        print(f"\n##### Answer {answer!r}: {verdict}, {took:.1f} s with loading the model")
    print(f"\n{right} of {len(EXAMPLES)} answers are right.")
    return 0 if right == len(EXAMPLES) else 1


if __name__ == "__main__":
    sys.exit(main())
