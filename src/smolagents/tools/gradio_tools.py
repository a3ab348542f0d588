"""Tools of Gradio apps: of a Space, of an app at an address, of an app in this process."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smolagents._imports import require
from smolagents.tools.base import Tool
from smolagents.tools.errors import ToolDefinitionError
from smolagents.tools.foreign import ForeignTool
from smolagents.tools.foreign_schema import identifier, inputs_of_json_schema
from smolagents.tools.interruption import check_interrupt, current_interrupt
from smolagents.types.agent_types import AgentAudio, AgentImage, AgentType
from smolagents.types.text import truncate_content

__all__ = ["SpaceTool", "tool_of_app", "tool_of_object"]

_MEDIA = {"Image": "image", "Audio": "audio", "ImageEditor": "image", "ImageSlider": "array", "Gallery": "array"}
"""Types, in a tool's terms, of components whose values are files."""
_POLL_SECONDS = 0.1


def tool_of_app(space_id: str, name: str, description: str, api_name: str | None, token: str | None) -> Tool:
    """A tool that calls a Gradio app elsewhere. See `Tool.from_space`."""
    return SpaceTool(space_id, name, description, api_name, token)


class SpaceTool(ForeignTool):
    """A function of a Gradio app that runs elsewhere. See `Tool.from_space`, which makes it."""

    _made_by = "Tool.from_space(...)"

    def __init__(
        self,
        space_id: str,
        name: str,
        description: str = "",
        api_name: str | None = None,
        token: str | None = None,
    ) -> None:
        super().__init__()
        self.space_id = space_id
        self._token = token
        self._client: Any = None
        self._connecting = threading.Lock()
        endpoints = self._connected().view_api(print_info=False, return_format="dict")["named_endpoints"]
        self.api_name, endpoint = _chosen(endpoints, api_name, space_id)
        self.name = name
        self.description = description or endpoint.get("description") or f"Calls {self.api_name} of {space_id}."
        self.inputs, self._names, self._media = _inputs(endpoint["parameters"])
        self._returns: list[Mapping[str, Any]] = endpoint["returns"]
        self.output_type = _output_type(self._returns)
        labels = [str(each["label"]) for each in self._returns]
        self._output_description = f"a list of: {', '.join(labels)}" if len(labels) > 1 else None

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self))
        state.update(_client=None, _connecting=None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._connecting = threading.Lock()

    def to_dict(self) -> dict[str, Any]:
        """The tool as data, which makes it anew from the same app. The token is left out."""
        return {
            "name": self.name,
            "code": "from smolagents.tools.gradio_tools import SpaceTool\n\n\nclass AppTool(SpaceTool):\n    pass\n",
            "requirements": ["gradio_client", "smolagents"],
            "init": {
                "space_id": self.space_id,
                "name": self.name,
                "description": self.description,
                "api_name": self.api_name,
                **self._options_given,
            },
        }

    def _connected(self) -> Any:
        with self._connecting:
            if self._client is None:
                self._client = _connect(self.space_id, self._token)
            return self._client

    def forward(self, **kwargs: Any) -> Any:
        """Call the app, and wait for what it returns."""
        client = self._connected()
        values = {
            self._names[name]: _sent(value, self._media.get(name))
            for name, value in kwargs.items()
            if name in self._names and not (value is None and self.inputs[name].get("nullable"))
        }
        from concurrent.futures import TimeoutError as NotYetError

        try:
            job = client.submit(api_name=self.api_name, **values)
            while True:
                try:
                    result = job.result(timeout=None if current_interrupt.get() is None else _POLL_SECONDS)
                    break
                except NotYetError:
                    if job.done():
                        raise
                    try:
                        check_interrupt()
                    except BaseException:
                        job.cancel()
                        raise
        except Exception as error:
            if _is_of_http_client(error):
                raise ConnectionError(f"the app {self.space_id!r} cannot be reached: {error}") from error
            raise
        if len(self._returns) == 1:
            return _received(result, self._returns[0])
        if isinstance(result, (list, tuple)):
            return [_received(each, spec) for each, spec in zip(result, self._returns, strict=False)]
        return result


def _connect(space_id: str, token: str | None) -> Any:
    gradio_client: Any = require("gradio_client", extra="gradio", needed_for="Tool.from_space")
    if not isinstance(space_id, str) or not re.match(r"https?://|[\w.-]+/[\w.-]+$", space_id):
        raise ValueError(
            f"{space_id!r} names no app: give a Space such as 'user/app', or an address such as 'http://127.0.0.1:7860'"
        )
    try:
        return gradio_client.Client(space_id, token=token, verbose=False, analytics_enabled=False)
    except Exception as error:
        if type(error).__name__ in ("RepositoryNotFoundError", "GatedRepoError"):
            raise ValueError(
                f"there is no Space {space_id!r} on the Hub, or it is private: check the name, or pass a token=… that "
                "may use it"
            ) from error
        if type(error).__name__ == "AuthenticationError":
            raise ValueError(f"the app {space_id!r} asks for a login, which a tool cannot give: {error}") from error
        if _is_of_http_client(error) or isinstance(error, OSError):
            raise ConnectionError(
                f"the app {space_id!r} cannot be reached: {error}. Is it running, and is that its address?"
            ) from error
        raise ValueError(f"{space_id!r} cannot be used as an app: {error}") from error


def _is_of_http_client(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0].startswith(("httpx", "httpcore", "requests", "huggingface_hub"))


def _chosen(endpoints: Mapping[str, Any], api_name: str | None, space_id: str) -> tuple[str, Mapping[str, Any]]:
    known = ", ".join(sorted(endpoints)) or "none"
    if api_name is not None:
        wanted = api_name if api_name.startswith("/") else f"/{api_name}"
        if wanted not in endpoints:
            raise ValueError(f"the app {space_id!r} has no function {wanted!r}; it has: {known}")
        return wanted, endpoints[wanted]
    if len(endpoints) == 1:
        return next(iter(endpoints.items()))
    if "/predict" in endpoints:
        return "/predict", endpoints["/predict"]
    if not endpoints:
        raise ValueError(f"the app {space_id!r} has no function that can be called from outside")
    raise ValueError(f"the app {space_id!r} has several functions; name one as api_name=: {known}")


def _inputs(
    parameters: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, dict[str, Any]], dict[str, str], dict[str, str]]:
    """A tool's inputs; the app's names for them; and which of them are files."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    media: dict[str, str] = {}
    for parameter in parameters:
        name = parameter["parameter_name"]
        kind = _file_type(parameter)
        if kind is not None:
            media[name] = kind
        properties[name] = {"type": "string"} if kind is not None else dict(parameter.get("type") or {})
        if not parameter.get("parameter_has_default"):
            required.append(name)
    inputs, names = inputs_of_json_schema({"type": "object", "properties": properties, "required": required})
    by_name = {parameter["parameter_name"]: parameter for parameter in parameters}
    for name, spec in inputs.items():
        parameter = by_name[names[name]]
        spec["description"] = _described(parameter, media.get(names[name]))
        if names[name] in media and media[names[name]] != "file":
            spec["type"] = media[names[name]]
    return inputs, names, {name: media[original] for name, original in names.items() if original in media}


def _described(parameter: Mapping[str, Any], kind: str | None) -> str:
    label = str(parameter.get("label") or parameter["parameter_name"])
    words = label if not re.fullmatch(r"(parameter|value)_\d+", label) else f"{parameter.get('component')} input"
    if kind == "file":
        words += " (the path or the address of a file)"
    default = parameter.get("parameter_default")
    if parameter.get("parameter_has_default") and default is not None and kind is None:
        words += f" (default: {truncate_content(repr(default), 200)})"
    return words


def _file_type(spec: Mapping[str, Any]) -> str | None:
    """What kind of file a component's value is; None where it is none."""
    if (spec.get("python_type") or {}).get("type") not in ("filepath", "str | filepath"):
        return "array" if spec.get("component") in ("Gallery",) else None
    return _MEDIA.get(str(spec.get("component")), "file")


def _output_type(returns: Sequence[Mapping[str, Any]]) -> str:
    if not returns:
        return "null"
    if len(returns) > 1:
        return "array"
    kind = _file_type(returns[0])
    if kind is not None:
        return "string" if kind == "file" else kind
    found = (returns[0].get("type") or {}).get("type")
    # A JSON component may hold anything, and a number may be whole or not.
    known = ("string", "boolean", "integer", "number", "array", "object")
    return found if isinstance(found, str) and found in known else "any"


def _sent(value: Any, kind: str | None) -> Any:
    """A value as the client sends it: a file by its path or address."""
    if kind is None:
        return value.to_raw() if isinstance(value, AgentType) else value
    handle_file: Any = require("gradio_client", extra="gradio", needed_for="Tool.from_space").handle_file
    if isinstance(value, (list, tuple)) and kind == "array":
        return [_sent(each, "image") for each in value]
    if isinstance(value, AgentType):
        path = value.to_string()
    elif isinstance(value, (str, os.PathLike)):
        path = os.fspath(value)
    elif kind == "audio":
        path = AgentAudio(value).to_string()
    else:
        path = AgentImage(value).to_string()
    if not re.match(r"https?://|data:", path) and not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path!r} to send to the app")
    return handle_file(path)


def _received(value: Any, spec: Mapping[str, Any]) -> Any:
    """A value that came back: images and sounds as such, other files by their path."""
    kind = _file_type(spec)
    if isinstance(value, Mapping) and value.get("__type__") == "update":
        value = value.get("value")
    if isinstance(value, Mapping) and isinstance(value.get("path"), str) and kind is not None:
        value = value["path"]
    if isinstance(value, (str, os.PathLike)) and value:
        if kind == "image":
            return AgentImage(value)
        if kind == "audio":
            return AgentAudio(value)
    return value


def tool_of_object(gradio_tool: Any) -> Tool:
    """A tool of an app in this process, or of an object with `name`, `description` and `run`. See `Tool.from_gradio`."""
    if hasattr(gradio_tool, "get_api_info") and hasattr(gradio_tool, "fns"):
        return _BlocksTool(gradio_tool)
    if all(hasattr(gradio_tool, each) for each in ("name", "description")) and callable(
        getattr(gradio_tool, "run", None)
    ):
        return _RunnableTool(gradio_tool)
    raise ToolDefinitionError(
        f"from_gradio takes a gradio.Interface, a gradio.Blocks, or an object with 'name', 'description' and "
        f"'run', not {gradio_tool!r}. For an app that runs elsewhere use Tool.from_space."
    )


class _BlocksTool(ForeignTool):
    """The function of a Gradio app in this process, called as Python, with no server in between."""

    _made_by = "Tool.from_gradio(...)"

    def __init__(self, blocks: Any) -> None:
        super().__init__()
        endpoints = blocks.get_api_info()["named_endpoints"]
        label = repr(getattr(blocks, "title", None) or "this app")
        api_name, endpoint = _chosen(endpoints, None, label.strip("'"))
        listed = list(blocks.fns.values()) if isinstance(blocks.fns, Mapping) else list(blocks.fns)
        self._function = next(
            each.fn for each in listed if f"/{str(each.api_name).lstrip('/')}" == api_name and each.fn is not None
        )
        named = getattr(self._function, "__name__", "") or ""
        named = api_name.strip("/") if named in ("", "<lambda>") or api_name != "/predict" else named
        self.name = identifier(named, taken=())
        about = getattr(blocks, "description", None) or endpoint.get("description") or self._function.__doc__
        title = getattr(blocks, "title", None)
        self.description = (about or (title if title and title != "Gradio" else "") or f"Calls {self.name}.").strip()
        self.inputs, names, media = _inputs(endpoint["parameters"])
        self._order = list(names)
        self._media = media
        self._defaults = {
            name: parameter.get("parameter_default")
            for name, parameter in zip(names, endpoint["parameters"], strict=True)
        }
        self.output_type = _output_type(endpoint["returns"])

    def forward(self, **kwargs: Any) -> Any:
        values = [kwargs.get(name, self._defaults[name]) for name in self._order]
        output = self._function(*values)
        return list(output) if self.output_type == "array" and isinstance(output, tuple) else output


class _RunnableTool(ForeignTool):
    """An object that has a name and a description and runs on one text or on what its `args` say."""

    _made_by = "Tool.from_gradio(...)"

    def __init__(self, runnable: Any) -> None:
        super().__init__()
        self._runnable = runnable
        self.name = identifier(str(runnable.name), taken=())
        self.description = str(runnable.description)
        self.output_type = "string"
        from smolagents.tools.schema import function_schema

        try:
            self.inputs = function_schema(runnable.run, name=self.name).inputs
        except (ToolDefinitionError, ValueError):
            self.inputs = {"query": {"type": "string", "description": "What to run it on."}}
        self._by_name = "query" not in self.inputs or len(self.inputs) > 1

    def forward(self, **kwargs: Any) -> Any:
        output = self._runnable.run(**kwargs) if self._by_name else self._runnable.run(*kwargs.values())
        return output if isinstance(output, str) else str(output)
