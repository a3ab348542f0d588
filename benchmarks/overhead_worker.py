"""One measurement of `overhead.py`, in a process of its own. Uses only what both libraries have."""

from __future__ import annotations

import json
import sys
import time


def cpu_ms() -> float:
    return time.process_time() * 1e3


def report(**figures: float) -> None:
    print(json.dumps(figures))


def instant_model(reply, last, steps):  # type: ignore[no-untyped-def]
    """A model that gives `reply()` for so many steps and then `last()`, and notes the time of each."""
    from smolagents import Model

    class Instant(Model):
        def __init__(self) -> None:
            super().__init__(model_id="instant")
            self.asked = 0
            self.times: list[float] = []

        def generate(self, messages, stop_sequences=None, response_format=None, tools_to_call_from=None, **kwargs):  # type: ignore[no-untyped-def]
            self.times.append(time.process_time())
            self.asked += 1
            return reply() if self.asked < steps else last()

    return Instant()


def agents():  # type: ignore[no-untyped-def]
    """Constructors of a run for each kind: (agent of a model, reply, last reply)."""
    from smolagents import ChatMessage, CodeAgent, MessageRole, ToolCallingAgent, tool
    from smolagents.models import ChatMessageToolCall, ChatMessageToolCallFunction

    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers.

        Args:
            a: The first number.
            b: The second number.
        """
        return a + b

    def text(content: str) -> ChatMessage:
        return ChatMessage(role=MessageRole.ASSISTANT, content=content)

    def call(name: str, arguments: dict[str, object]) -> ChatMessage:
        function = ChatMessageToolCallFunction(name=name, arguments=arguments)
        return ChatMessage(
            role=MessageRole.ASSISTANT,
            content="",
            tool_calls=[ChatMessageToolCall(function=function, id="call", type="function")],
        )

    def code_agent(model):  # type: ignore[no-untyped-def]
        return CodeAgent(tools=[add], model=model, max_steps=1000, verbosity_level=-1)

    def tool_agent(model):  # type: ignore[no-untyped-def]
        return ToolCallingAgent(tools=[add], model=model, max_steps=1000, verbosity_level=-1)

    return {
        "code": (
            code_agent,
            lambda: text("Thought: add.\n<code>\nprint(add(a=1, b=2))\n</code>"),
            lambda: text("Thought: done.\n<code>\nfinal_answer(3)\n</code>"),
        ),
        "tool": (
            tool_agent,
            lambda: call("add", {"a": 1, "b": 2}),
            lambda: call("final_answer", {"answer": 3}),
        ),
    }


def steps(kind: str, count: int, memory: bool) -> None:
    make, reply, last = agents()[kind]
    make(instant_model(reply, last, 2)).run("warm up")
    model = instant_model(reply, last, count)
    agent = make(model)
    if memory:
        import gc
        import tracemalloc

        gc.collect()
        tracemalloc.start()
        agent.run("add")
        gc.collect()
        report(megabytes=tracemalloc.get_traced_memory()[0] / 1e6)
        return
    started = time.process_time()
    agent.run("add")
    taken = time.process_time() - started
    times = model.times
    growth = (times[-1] - times[-41]) / (times[40] - times[0]) if count > 100 else 1.0
    report(us_per_step=taken / count * 1e6, growth=growth)


def showing(terminal: bool) -> None:
    """What it costs to show a step of code, above a step that is not shown."""
    import os
    import threading

    from rich.console import Console

    from smolagents import AgentLogger, LogLevel

    make, reply, last = agents()["code"]
    other, end = os.openpty() if terminal else os.pipe()

    def drain() -> None:
        while os.read(other, 65536):
            pass

    threading.Thread(target=drain, daemon=True).start()
    file = os.fdopen(end, "w")
    console = Console(file=file, force_terminal=terminal, color_system="truecolor" if terminal else None, width=100)
    taken = {}
    for level in (LogLevel.OFF, LogLevel.INFO):
        best = float("inf")
        for _ in range(5):
            agent = make(instant_model(reply, last, 100))
            agent.logger = AgentLogger(level=level, console=console)
            started = time.thread_time()
            agent.run("add")
            best = min(best, time.thread_time() - started)
        taken[level] = best
    report(us=(taken[LogLevel.INFO] - taken[LogLevel.OFF]) / 100 * 1e6)


def new_agents() -> None:
    found = {}
    for kind, (make, reply, last) in agents().items():
        model = instant_model(reply, last, 1)
        make(model)
        started = time.process_time()
        for _ in range(200):
            make(model)
        found[f"{kind}_us"] = (time.process_time() - started) / 200 * 1e6
    report(**found)


def main() -> None:
    what = sys.argv[1]
    if what == "bare":
        report(cpu_ms=cpu_ms())
    elif what == "import":
        import smolagents  # noqa: F401

        report(cpu_ms=cpu_ms())
    elif what == "import_agent":
        from smolagents import CodeAgent  # noqa: F401

        report(cpu_ms=cpu_ms())
    elif what == "agent":
        new_agents()
    elif what == "show":
        showing(sys.argv[2] == "terminal")
    else:
        steps(what, int(sys.argv[2]), "--memory" in sys.argv)


if __name__ == "__main__":
    main()
