"""A web page for one tool."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from smolagents._imports import require
from smolagents.tools.arguments import forward_defaults, prepare_tool_arguments

if TYPE_CHECKING:
    from smolagents.tools.base import Tool

__all__ = ["launch_gradio_demo", "tool_page"]


def launch_gradio_demo(tool: Tool) -> None:
    """Show a tool as a web page with a field for each input, and serve it until the process ends.

    Where it is served follows Gradio's variables: `GRADIO_SERVER_NAME`, `GRADIO_SERVER_PORT`.

    Args:
        tool: The tool.

    Raises:
        MissingExtraError: Gradio is not installed.
    """
    tool_page(tool).launch()


def tool_page(tool: Tool) -> Any:
    """The `gradio.Interface` of a tool; its one function is "/{name of the tool}"."""
    gradio: Any = require("gradio", extra="gradio", needed_for="launch_gradio_demo")
    defaults = forward_defaults(tool)
    # Those that may be left out come last, as in a signature.
    inputs = dict(sorted(tool.inputs.items(), key=lambda item: bool(item[1].get("nullable"))))
    names = list(inputs)

    def call(*values: Any) -> Any:
        given: dict[str, Any] = {}
        for name, value in zip(names, values, strict=True):
            spec = tool.inputs[name]
            # An empty field says nothing where the input may be left out.
            if not (spec.get("nullable") and (value is None or value == "")):
                given[name] = value
        try:
            output = tool(**prepare_tool_arguments(tool, given), sanitize_inputs_outputs=True)
        except Exception as error:
            raise gradio.Error(f"{type(error).__name__}: {error}") from error
        return _shown(output, tool.output_type)

    call.__doc__ = tool.description  # what programs that ask the page are told
    # The names and defaults by which programs call the page.
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=defaults.get(name) if spec.get("nullable") else inspect.Parameter.empty,
            )
            for name, spec in inputs.items()
        ]
    )
    return gradio.Interface(
        fn=call,
        inputs=[_field(gradio, name, spec, defaults.get(name)) for name, spec in inputs.items()],
        outputs=_result(gradio, tool.output_type),
        title=tool.name,
        description=tool.description,
        api_name=tool.name,
        flagging_mode="never",
    )


def _field(gradio: Any, name: str, spec: Mapping[str, Any], default: Any) -> Any:
    kind = spec.get("type")
    words = {"label": name, "info": spec.get("description")}
    choices = spec.get("enum")
    if choices:
        return gradio.Dropdown([each for each in choices if each is not None], value=default, **words)
    if kind == "boolean":
        return gradio.Checkbox(value=bool(default), **words)
    if kind in ("integer", "number"):
        return gradio.Number(value=default, precision=0 if kind == "integer" else None, **words)
    if kind == "image":
        return gradio.Image(label=name, type="pil")
    if kind == "audio":
        return gradio.Audio(label=name, type="filepath")
    if kind in ("array", "object"):
        return gradio.JSON(value=default, label=name)
    return gradio.Textbox(value=default if isinstance(default, str) else None, **words)


def _result(gradio: Any, kind: str) -> Any:
    if kind == "image":
        return gradio.Image(label="Output", type="pil")
    if kind == "audio":
        return gradio.Audio(label="Output", type="filepath")
    if kind in ("array", "object", "any"):
        return gradio.JSON(label="Output")
    if kind == "boolean":
        return gradio.Checkbox(label="Output")
    if kind in ("integer", "number"):
        return gradio.Number(label="Output")
    return gradio.Textbox(label="Output")


def _shown(output: Any, kind: str) -> Any:
    from smolagents.types.agent_types import AgentAudio, AgentType
    from smolagents.types.jsonable import make_json_serializable

    if isinstance(output, AgentAudio):
        return output.to_string()
    if isinstance(output, AgentType):
        output = output.to_raw()
    if kind in ("array", "object", "any"):
        return make_json_serializable(output)
    return output
