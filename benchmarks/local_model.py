"""What the local models can do with this library's prompts: twelve small code tasks, twelve tool-call tasks.

    python benchmarks/local_model.py [--model NAME_OR_PATH ...] [--kind code|tools] [--verbose]

Each task has one right answer. A table shows which were solved, in how many steps, and how long they took.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smolagents import CodeAgent, ToolCallingAgent, tool
from smolagents.models.llama_cpp import LlamaCppModel


@dataclass
class Task:
    name: str
    text: str
    right: Callable[[Any], bool]
    given: dict[str, Any] = field(default_factory=dict)


def near(expected: float, tolerance: float = 0.01) -> Callable[[Any], bool]:
    def check(answer: Any) -> bool:
        try:
            return abs(float(str(answer).strip().rstrip("%€$").split()[0].replace(",", "")) - expected) <= tolerance
        except (ValueError, IndexError):
            return False

    return check


def same(expected: Any) -> Callable[[Any], bool]:
    return lambda answer: answer == expected or str(answer).strip().lower() == str(expected).lower()


def holds(*words: str) -> Callable[[Any], bool]:
    return lambda answer: all(word.lower() in str(answer).lower() for word in words)


SALES = [
    {"item": "pen", "units": 12, "price": 1.5},
    {"item": "book", "units": 3, "price": 20.0},
    {"item": "bag", "units": 2, "price": 45.0},
]

CODE_TASKS = [
    Task(
        "leopard",
        "How many seconds would it take for a leopard at full speed (58 km/h) to run the 155 m of Pont des Arts?",
        near(9.62, 0.02),
    ),
    Task("fibonacci", "What is the 30th number of the Fibonacci sequence that starts 1, 1, 2, 3?", same(832040)),
    Task("primes", "What is the sum of all prime numbers below 100?", same(1060)),
    Task("power", "What is 2 to the power 3.7384? Round to 3 decimals.", near(13.347, 0.0011)),
    Task("vowels", "How many vowels (a, e, i, o, u) are in the text 'Agents that think in code'?", same(7)),
    Task("reverse", "Reverse the string 'smolagents'.", same("stnegaloms")),
    Task("days", "How many days are there from 14 July 1789 to 1 January 2000?", same(76871)),
    Task(
        "sales", "What is the total revenue of `sales`, the sum of units times price?", near(168.0), {"sales": SALES}
    ),
    Task(
        "largest",
        "Which item of `sales` has the largest revenue (units times price)? Answer with its name.",
        same("bag"),
        {"sales": SALES},
    ),
    Task("average", "What is the average of the numbers in `values`?", near(17.5), {"values": [3, 8, 15, 20, 24, 35]}),
    Task(
        "common",
        "Which word occurs most often in `text`?",
        same("the"),
        {"text": "the cat saw the dog and the bird saw a cat"},
    ),
    Task(
        "interest",
        "1000 euros grow by 5 percent a year for 10 years. How much is it at the end, rounded to 2 decimals?",
        near(1628.89, 0.011),
    ),
]


@tool
def get_weather(city: str) -> str:
    """Current weather of a city: sky and temperature in degrees Celsius.

    Args:
        city: Name of the city.
    """
    return {"paris": "rain, 12 degrees", "cairo": "sunny, 31 degrees", "oslo": "snow, -3 degrees"}.get(
        city.lower(), f"unknown city {city}"
    )


@tool
def exchange_rate(currency: str) -> float:
    """How many euros one unit of a currency buys.

    Args:
        currency: Three-letter code, such as "USD".
    """
    return {"USD": 0.92, "GBP": 1.17, "JPY": 0.006}[currency.upper()]


@tool
def multiply(a: float, b: float) -> float:
    """Multiply two numbers.

    Args:
        a: The first number.
        b: The second number.
    """
    return a * b


@tool
def population(city: str) -> int:
    """Number of inhabitants of a city.

    Args:
        city: Name of the city.
    """
    return {"lyon": 522250, "nice": 348085, "lille": 236234}[city.lower()]


@tool
def find_person(name: str) -> dict:
    """Look a person up in the directory.

    Args:
        name: First name.
    """
    people = {"ada": {"room": "B12", "phone": "555-0101"}, "alan": {"room": "C3", "phone": "555-0199"}}
    return people.get(name.lower(), {"error": f"nobody is called {name}"})


@tool
def convert_temperature(celsius: float) -> float:
    """Convert degrees Celsius to Fahrenheit.

    Args:
        celsius: Degrees Celsius.
    """
    return celsius * 9 / 5 + 32


TOOLS = [get_weather, exchange_rate, multiply, population, find_person, convert_temperature]

TOOL_TASKS = [
    Task("weather", "What is the weather in Paris?", holds("rain")),
    Task("degrees", "How many degrees is it in Cairo?", holds("31")),
    Task("rate", "How many euros does one US dollar buy?", near(0.92)),
    Task("product", "What is 37 times 43?", near(1591)),
    Task("people", "How many inhabitants does Nice have?", near(348085)),
    Task("room", "In which room is Ada?", holds("B12")),
    Task("phone", "What is Alan's phone number?", holds("555-0199")),
    Task("fahrenheit", "How many degrees Fahrenheit are 100 degrees Celsius?", near(212)),
    Task("snow", "Is it snowing in Oslo? Answer yes or no.", holds("yes")),
    Task("pounds", "How many euros does one British pound buy?", near(1.17)),
    Task("nobody", "In which room is Grace? If she is not in the directory, answer 'unknown'.", holds("unknown")),
    Task("convert", "How many euros are 200 US dollars?", near(184, 0.5)),
]


def attempt(kind: str, model: LlamaCppModel, task: Task, verbose: bool) -> tuple[bool, int, float, Any]:
    level = 1 if verbose else -1
    agent: Any = (
        CodeAgent(tools=[], model=model, max_steps=4, verbosity_level=level)
        if kind == "code"
        else ToolCallingAgent(tools=TOOLS, model=model, max_steps=5, verbosity_level=level)
    )
    started = time.perf_counter()
    try:
        answer = agent.run(task.text, additional_args=task.given or None)
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    taken = time.perf_counter() - started
    return bool(task.right(answer)), len(agent.logs), taken, answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="*", default=["qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b"])
    parser.add_argument("--kind", choices=["code", "tools"])
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    for name in options.model:
        started = time.perf_counter()
        model = LlamaCppModel(name)
        print(f"\n{name}: loaded in {time.perf_counter() - started:.1f} s")
        for kind, tasks in (("code", CODE_TASKS), ("tools", TOOL_TASKS)):
            if options.kind not in (None, kind):
                continue
            solved, seconds = 0, []
            print(f"{kind + ' task':14} {'':6} {'steps':>5} {'seconds':>8}  answer")
            for task in tasks:
                right, steps, taken, answer = attempt(kind, model, task, options.verbose)
                solved += right
                seconds.append(taken)
                print(
                    f"{task.name:14} {'right' if right else 'WRONG':6} {steps:>5} {taken:>8.1f}  {str(answer)[:70]!r}",
                    flush=True,
                )
            print(f"{kind}: {solved} of {len(tasks)} right, median {sorted(seconds)[len(seconds) // 2]:.1f} s a task")
        model.close()


if __name__ == "__main__":
    main()
