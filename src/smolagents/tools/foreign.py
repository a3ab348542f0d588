"""What tools that others define have in common: their `forward` takes whatever `inputs` say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smolagents.tools.base import Tool
from smolagents.tools.errors import ToolDefinitionError

__all__ = ["ForeignTool"]


class ForeignTool(Tool):
    """A tool whose `forward` is given arguments by name alone, and whose work is done by what cannot be copied."""

    skip_forward_signature_validation = True
    _made_by: str = "what made it"
    """What to call to make it again, for an error."""

    def _arguments(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], sanitize: bool
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = super()._arguments(args, kwargs, sanitize)
        names = list(self.inputs)
        if len(args) > len(names):
            raise TypeError(f"Tool '{self.name}' takes {len(names)} arguments, and was given {len(args)}.")
        arguments = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name in arguments:
                raise TypeError(f"Tool '{self.name}' was given the argument '{name}' twice.")
            if name not in self.inputs:
                takes = ", ".join(names) or "no arguments"
                raise TypeError(f"Tool '{self.name}' has no argument '{name}'. It takes: {takes}.")
            arguments[name] = value
        missing = [name for name in _required(self.inputs) if name not in arguments]
        if missing:
            raise TypeError(f"Argument '{missing[0]}' of tool '{self.name}' is required and was not given.")
        return (), arguments

    def __deepcopy__(self, memo: Any) -> ForeignTool:
        """Itself: what it calls is one thing, which any number of agents may share."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """Refuse, since what the tool does is not in its source.

        Raises:
            ToolDefinitionError: always.
        """
        raise self.without_source()

    def without_source(self) -> ToolDefinitionError:
        """Why there is no source of this tool."""
        return ToolDefinitionError(
            f"Tool '{self.name}' wraps what another library made and cannot be saved as code. "
            f"Save the agent without it, and make the tool again after loading: {self._made_by}."
        )


def _required(inputs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [name for name, spec in inputs.items() if not spec.get("nullable")]
