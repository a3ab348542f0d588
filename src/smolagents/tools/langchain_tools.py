"""Tools of LangChain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smolagents.tools.docstrings import parse_docstring
from smolagents.tools.errors import ToolDefinitionError
from smolagents.tools.foreign import ForeignTool
from smolagents.tools.foreign_schema import identifier, inputs_of_json_schema

__all__ = ["LangChainTool"]


class LangChainTool(ForeignTool):
    """A LangChain tool. See `Tool.from_langchain`, which makes it.

    Args:
        langchain_tool: A `langchain_core.tools.BaseTool`.

    Raises:
        ToolDefinitionError: it is none, or has no description.
    """

    _made_by = "Tool.from_langchain(...)"

    def __init__(self, langchain_tool: Any) -> None:
        super().__init__()
        if not all(hasattr(langchain_tool, each) for each in ("name", "description", "args", "invoke", "ainvoke")):
            raise ToolDefinitionError(
                f"from_langchain takes a LangChain tool, such as langchain_core.tools.tool makes of a function, not "
                f"{langchain_tool!r}"
            )
        self._wrapped = langchain_tool
        self.name = identifier(langchain_tool.name, taken=())
        self.description = str(langchain_tool.description).strip()
        self.inputs, self._names = inputs_of_json_schema(_schema(langchain_tool))
        self.output_type = "any"
        # One that has no synchronous side refuses to be invoked.
        self._only_async = getattr(langchain_tool, "func", _NONE) is None and bool(
            getattr(langchain_tool, "coroutine", None)
        )
        if self._only_async:
            self.forward = self._aforward  # type: ignore[method-assign]

    @property
    def is_async(self) -> bool:
        return self._only_async

    def forward(self, **kwargs: Any) -> Any:
        """Invoke the tool."""
        return _content(self._wrapped.invoke(self._given(kwargs)))

    async def _aforward(self, **kwargs: Any) -> Any:
        return _content(await self._wrapped.ainvoke(self._given(kwargs)))

    def _given(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {self._names[name]: value for name, value in arguments.items()}


_NONE = object()


def _schema(langchain_tool: Any) -> Mapping[str, Any]:
    """The JSON schema of what a model gives: without what the program that calls the tool puts in itself."""
    schema: Any = None
    if getattr(langchain_tool, "args_schema", None) is not None:
        schema = getattr(langchain_tool, "tool_call_schema", None)
        if hasattr(schema, "model_json_schema"):
            schema = schema.model_json_schema()
        elif hasattr(schema, "schema"):  # pydantic before version 2
            schema = schema.schema()
    if not isinstance(schema, Mapping):
        return {"type": "object", "properties": langchain_tool.args, "required": list(langchain_tool.args)}
    function = getattr(langchain_tool, "func", None) or getattr(langchain_tool, "coroutine", None)
    said = parse_docstring(getattr(function, "__doc__", None)).arguments
    properties = {
        name: {"description": said[name], **spec} if name in said else spec
        for name, spec in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties}


def _content(output: Any) -> Any:
    """What the tool said: messages of LangChain by their content."""
    return output.content if type(output).__name__ == "ToolMessage" else output
