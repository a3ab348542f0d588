"""The tool that runs Python code.

It stands above `tools` and `executors`, which do not know each other, because it joins the two.
"""

from __future__ import annotations

from typing import Any

from smolagents.tools.base import Tool
from smolagents.tools.interruption import check_interrupt, on_interrupt

__all__ = ["PythonInterpreterTool"]


class PythonInterpreterTool(Tool):
    """Runs Python code, each call in a fresh namespace.

    Args:
        authorized_imports: Modules that the code may import, besides the harmless ones that are always allowed.
        timeout_seconds: Seconds after which the code is stopped; None for no limit.
    """

    name = "python_interpreter"
    description = "Runs Python code and returns what it printed and the value of its last expression."
    output_type = "string"

    def __init__(
        self,
        *args: Any,
        authorized_imports: list[str] | None = None,
        timeout_seconds: float | None = 30,
        **kwargs: Any,
    ) -> None:
        from smolagents.executors.local.modules import BASE_BUILTIN_MODULES

        self.authorized_imports = sorted({*BASE_BUILTIN_MODULES, *(authorized_imports or ())})
        self.timeout_seconds = timeout_seconds
        allowed = (
            "The code may import any module."
            if "*" in self.authorized_imports
            else f"The code may import only these modules: {', '.join(self.authorized_imports)}."
        )
        self.inputs = {
            "code": {
                "type": "string",
                "description": f"The Python code to run. {allowed} It sees no variables of earlier calls.",
            }
        }
        super().__init__(*args, **kwargs)

    def forward(self, code: str) -> str:
        from smolagents.executors.local import LocalPythonExecutor

        executor = LocalPythonExecutor(self.authorized_imports, timeout_seconds=self.timeout_seconds)
        executor.send_tools({})
        try:
            with on_interrupt(executor.interrupt):
                result = executor(code)
        except Exception:
            check_interrupt()
            raise
        return f"Stdout:\n{result.logs}\nOutput: {result.output}"
