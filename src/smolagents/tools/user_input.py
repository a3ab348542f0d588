"""The tool that asks the user."""

from __future__ import annotations

from smolagents.tools.base import Tool

__all__ = ["UserInputTool"]


class UserInputTool(Tool):
    """Asks the user a question in the terminal."""

    name = "user_input"
    description = "Asks the user a question and returns the answer."
    inputs = {"question": {"type": "string", "description": "The question to ask the user."}}
    output_type = "string"

    def forward(self, question: str) -> str:
        """Print the question and read one line.

        Raises:
            RuntimeError: there is nobody to ask: the standard input is closed.
        """
        try:
            return input(f"{question} => Type your answer here:")
        except EOFError:
            raise RuntimeError(
                "The user cannot be asked: the standard input is closed. Go on without the answer."
            ) from None
