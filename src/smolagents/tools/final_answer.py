"""The tool that ends a run."""

from __future__ import annotations

from typing import Any

from smolagents.tools.base import Tool

__all__ = ["FinalAnswerTool"]


class FinalAnswerTool(Tool):
    """Gives the final answer, unchanged."""

    name = "final_answer"
    description = "Gives the final answer to the task."
    inputs = {"answer": {"type": "any", "description": "The final answer to the task."}}
    output_type = "any"

    def forward(self, answer: Any) -> Any:
        return answer
