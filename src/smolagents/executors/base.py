"""The protocol every Python executor follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
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
    exceptions whose text is for the model; an attribute `logs` of the exception holds what was printed before.
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

    def install_packages(self, additional_imports: Sequence[str]) -> list[str]:
        """Install packages where the code runs.

        Args:
            additional_imports: Names of packages, or of modules to import.

        Returns:
            Names of the packages that are installed now; none where there is nothing to install.
        """
        return []

    async def acall(self, code_action: str) -> CodeOutput:
        """`__call__` without blocking the event loop; so are the other methods named with an `a`.

        When it is cancelled, the code is interrupted. It may still be ending, in its thread, for a moment.
        """
        import asyncio

        begun = False

        def call() -> CodeOutput:
            nonlocal begun
            begun = True
            return self(code_action)

        try:
            return await asyncio.to_thread(call)
        except asyncio.CancelledError:
            if begun:
                self.interrupt()
            raise

    async def asend_tools(self, tools: Mapping[str, Callable[..., Any]]) -> None:
        import asyncio

        await asyncio.to_thread(self.send_tools, tools)

    async def asend_variables(self, variables: Mapping[str, Any]) -> None:
        import asyncio

        await asyncio.to_thread(self.send_variables, variables)

    async def ainstall_packages(self, additional_imports: Sequence[str]) -> list[str]:
        import asyncio

        return await asyncio.to_thread(self.install_packages, additional_imports)

    async def acleanup(self) -> None:
        import asyncio

        await asyncio.to_thread(self.cleanup)

    def session(self) -> PythonExecutor | None:
        """A fresh session: the same settings, no variables, no tools.

        None when this executor holds a single session that cannot be repeated; an agent then refuses to start
        a second run while the first is going on.
        """
        return None

    def describe(self) -> str:
        """Where the code runs and what confines it, as words that go on from "Code runs in"."""
        return f"a session of {type(self).__name__}"

    def interrupt(self) -> None:
        """Stop the code that is running now, from another thread. Does nothing by default."""

    def cleanup(self) -> None:
        """Release what the session holds."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.acleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cleanup()
