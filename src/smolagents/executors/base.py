"""The protocol every Python executor follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from typing_extensions import Self

__all__ = ["CodeOutput", "PythonExecutor"]


@dataclass
class CodeOutput:
    """What running a piece of code gave."""

    output: Any
    """Value of the last expression or assignment, or the final answer."""
    logs: str
    """What the code printed."""
    is_final_answer: bool
    """True when the code called `final_answer`; `output` is then its argument."""


class PythonExecutor(ABC):
    """Runs the model's Python code, one piece after another, in one session that keeps its variables.

    Only `send_tools`, `send_variables` and `__call__` must be written. Failures of the code are raised as
    exceptions whose text is for the model.
    """

    @abstractmethod
    def send_tools(self, tools: Mapping[str, Callable[..., Any]]) -> None:
        """Make `tools` callable by the code under the names they are given."""

    @abstractmethod
    def send_variables(self, variables: Mapping[str, Any]) -> None:
        """Set `variables` in the session."""

    @abstractmethod
    def __call__(self, code_action: str) -> CodeOutput:
        """Run one piece of code."""

    async def acall(self, code_action: str) -> CodeOutput:
        """Run one piece of code without blocking the event loop."""
        import asyncio

        return await asyncio.to_thread(self, code_action)

    def session(self) -> PythonExecutor | None:
        """A fresh session: the same settings, no variables, no tools.

        None when this executor holds a single session that cannot be repeated; an agent then refuses to start
        a second run while the first is going on.
        """
        return None

    def interrupt(self) -> None:
        """Stop the code that is running now, from another thread. Does nothing by default."""

    def cleanup(self) -> None:
        """Release what the session holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cleanup()
