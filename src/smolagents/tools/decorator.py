"""`@tool`: a function as a tool."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, overload

from smolagents.tools.base import Tool
from smolagents.tools.definition import check_name
from smolagents.tools.errors import ToolDefinitionError
from smolagents.tools.running import is_asynchronous
from smolagents.tools.schema import function_schema

__all__ = ["FunctionTool", "tool"]


@overload
def tool(tool_function: Callable[..., Any], **options: Any) -> Tool: ...
@overload
def tool(tool_function: None = None, **options: Any) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(tool_function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a function a tool.

    The function, which may be `async def`, needs a type hint for each argument and for what it returns, and a
    docstring that says what it does and describes each argument:

        @tool
        def get_weather(place: str, unit: Literal["C", "F"] = "C") -> str:
            \"\"\"Tells the current weather of a place.

            Args:
                place: City and country.
                unit: Degrees Celsius or Fahrenheit.
            \"\"\"

    The tool is called as the function was. A generator tells of progress by what it yields; see `Tool`.

    Args:
        tool_function: The function.
        **options: `timeout`, `retries` and `cache` as for `Tool`: `@tool(timeout=10, retries=2)`.

    Raises:
        ToolDefinitionError: a hint or a description is missing; the message says what to write.
    """
    if tool_function is None:
        return lambda function: tool(function, **options)
    if isinstance(tool_function, Tool):
        return tool_function.limit(**options) if options else tool_function
    if isinstance(tool_function, type) or not callable(tool_function):
        raise ToolDefinitionError(
            f"@tool takes a function, not {tool_function!r}. To make a tool of a class, derive it from smolagents.Tool."
        )
    return FunctionTool(tool_function, **options)


class FunctionTool(Tool):
    """A tool that was made of a function.

    Args:
        function: The function; see `tool` for what it must have.
        **options: `timeout`, `retries` and `cache`.
    """

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        super().__init__()
        if options:
            raise TypeError(f"@tool takes timeout, retries and cache, not {sorted(options)[0]!r}")
        name = getattr(function, "__name__", None) or type(function).__name__
        if name == "<lambda>":
            raise ToolDefinitionError(
                "A lambda cannot be a tool: it has no name, type hints or docstring. Write a function with 'def'."
            )
        check_name(name)
        try:
            schema = function_schema(function, name=name)
        except ValueError as error:
            if isinstance(error, ToolDefinitionError):
                raise
            raise ToolDefinitionError(f"{name!r} has no signature that can be read: {error}.") from error
        if not schema.description:
            raise ToolDefinitionError(
                f"Tool '{name}' has no description. Write a docstring that says what the function does, "
                "and describes each argument under 'Args:'."
            )
        if schema.output_type is None:
            raise ToolDefinitionError(
                f"Tool '{name}' has no return type hint. Write it in the signature, such as 'def {name}(...) -> str:'."
            )
        functools.update_wrapper(self, function)
        self.name = name
        self.description = schema.description
        self.inputs = schema.inputs
        self.output_type = schema.output_type
        self.output_schema = schema.output_schema
        self._output_description = schema.returns
        self._converters = schema.converters
        self.forward = function  # type: ignore[method-assign]
        self._function_is_async = is_asynchronous(function)
        self.is_initialized = True

    @property
    def is_async(self) -> bool:
        return self._function_is_async

    def validate_arguments(self) -> None:
        """The schema was made from the function, so there is nothing to check it against."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        # A tool that is a class attribute is found as itself, on the class and on instances.
        return self

    def __deepcopy__(self, memo: Any) -> FunctionTool:
        """Itself, as functions are their own copies."""
        return self

    def __reduce__(self) -> Any:
        """Pickle by reference where the tool, or its function, can be imported; else by its source."""
        module, qualname = self.forward.__module__, self.forward.__qualname__
        found = _find(module, qualname)
        if found is self:
            return _find, (module, qualname)
        if found is self.forward:
            return _tool_with, (self.forward, dict(self._options_given))
        return Tool.from_dict, (self.to_dict(),)


def _tool_with(function: Callable[..., Any], options: dict[str, Any]) -> Tool:
    return tool(function, **options)


def _find(module: str, qualname: str) -> Any:
    """The object of that qualified name, or None."""
    found: Any = sys.modules.get(module)
    if found is None:
        try:
            __import__(module)
        except ImportError:
            return None
        found = sys.modules[module]
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found
