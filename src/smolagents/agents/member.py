"""An agent that works for others: called like a tool, or serving its mailbox."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, ClassVar

from smolagents.agents.run import Run, started_runs
from smolagents.agents.templates import PromptTemplates, populate_template
from smolagents.types.text import truncate_content

if TYPE_CHECKING:
    from smolagents.agents.serving import ServiceReport
    from smolagents.messaging.message import Message
    from smolagents.types.messages import ChatMessage

__all__ = ["TeamMember"]


class TeamMember:
    """What lets an agent be called by another."""

    name: str | None
    description: str | None
    provide_run_summary: bool
    output_type: ClassVar[str] = "string"
    inputs: ClassVar[dict[str, dict[str, Any]]] = {
        "task": {"type": "string", "description": "The task in detail, with all that is needed to understand it."},
        "additional_args": {
            "type": "object",
            "description": "Data to hand over, such as images or tables, by name.",
            "nullable": True,
        },
    }

    if TYPE_CHECKING:
        prompt_templates: Any
        tools: Any
        _services: set[Any]

        run: Any

        def _begin(self, task: str, reset: bool, images: Any, additional_args: Any, max_steps: Any) -> Run: ...
        def _arun_stream(self, run: Run) -> AsyncGenerator[Any, None]: ...
        def _render_memory(self, run: Run, summary_mode: bool = False) -> list[ChatMessage]: ...

    def serve(
        self,
        *,
        idle_timeout: float | None = 600.0,
        max_runtime: float | None = None,
        observe: Callable[[str, Message], None] | None = None,
    ) -> ServiceReport:
        """Work for other agents: take the tasks out of the agent's mailbox and answer them.

        The agent needs `SendMessageTool` and `ReceiveMessagesTool`. It ends when it is told to stop, as happens when the
        process of the agent that leads the team ends, or after:

        Args:
            idle_timeout: Seconds without a task; None to wait on.
            max_runtime: Seconds in all; None for no limit.
            observe: Called with "task", "answered" or "failed", and the task's message.

        Raises:
            TypeError: the agent has no mailbox.
        """
        from smolagents.agents.serving import serve

        return serve(self, idle_timeout=idle_timeout, max_runtime=max_runtime, observe=observe)

    def __call__(self, task: str, **kwargs: Any) -> str:
        """Work on a task for another agent, and report to it as text.

        Args:
            task: What to do, in words.
            **kwargs: As for `run`.
        """
        runs: list[Run] = []
        token = started_runs.set(runs)
        try:
            answer = self.run(
                self._task_from_manager(task), **{**kwargs, "stream": False, "return_full_result": False}
            )
        finally:
            started_runs.reset(token)
        return self._report(answer, runs[0] if runs else None)

    async def acall(self, task: str, **kwargs: Any) -> str:
        """`__call__` without blocking the event loop."""
        run = self._begin(
            self._task_from_manager(task),
            kwargs.get("reset", True),
            kwargs.get("images"),
            kwargs.get("additional_args"),
            kwargs.get("max_steps"),
        )
        async for _ in self._arun_stream(run):
            pass
        return self._report(run.output, run)

    def _task_from_manager(self, task: str) -> str:
        templates: PromptTemplates = self.prompt_templates
        return populate_template(templates["managed_agent"]["task"], {"name": self.name, "task": task})

    def _report(self, answer: Any, run: Run | None) -> str:
        templates: PromptTemplates = self.prompt_templates
        report = populate_template(templates["managed_agent"]["report"], {"name": self.name, "final_answer": answer})
        if self.provide_run_summary and run is not None:
            lines = [truncate_content(message.text) for message in self._render_memory(run, summary_mode=True)]
            work = "\n---\n".join(lines)
            report += f"\n\nThis is how it was found:\n<summary_of_work>\n{work}\n</summary_of_work>"
        return report

    def to_code_prompt(self) -> str:
        """The agent as the signature of a Python function, for an agent that writes code."""
        doc = "\n    ".join(str(self.description).strip().splitlines())
        arguments = "\n".join(f"        {name}: {spec['description']}" for name, spec in self.inputs.items())
        return (
            f"def {self.name}(task: str, additional_args: dict | None = None) -> str:\n"
            f'    """{doc}\n\n    Args:\n{arguments}\n    """'
        )

    def to_tool_calling_prompt(self) -> str:
        """The agent in a few lines, for an agent that calls tools."""
        return (
            f"{self.name}: {self.description}\n    Takes inputs: {self.inputs}\n"
            f"    Returns an output of type: {self.output_type}"
        )
