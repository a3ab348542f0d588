"""What MCP servers return, as Python values."""

from __future__ import annotations

import base64
import json
import mimetypes
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from smolagents.tools.arguments import mismatch
from smolagents.tools.mcp.errors import MCPToolError
from smolagents.types.agent_types import AgentAudio, AgentImage

__all__ = ["json_arguments", "prompt_text", "resource_value", "tool_output"]

_AUDIO_SUFFIXES = {"audio/wav": ".wav", "audio/x-wav": ".wav", "audio/mpeg": ".mp3", "audio/mp3": ".mp3"}


def tool_output(result: Any, *, schema: Mapping[str, Any] | None, tool: str) -> Any:
    """The value of a `CallToolResult`.

    Args:
        result: What the server returned.
        schema: What structured content has to fit, a plain schema; None to return text where there is some.
        tool: Name of the tool, for errors.

    Returns:
        The structured content; or text, an image, a sound or bytes where the content is one of these; or a list of
        such pieces where there are several that are not all text. Images and sounds stand in the place of structured
        content that holds them as text, and beside one that does not.

    Raises:
        MCPToolError: the server says that the call failed; the message is what it says. Or the structured content
            does not fit the schema.
    """
    if result.is_error:
        said = _as_text(result.content)
        raise MCPToolError(said or f"The tool {tool} failed, and its server did not say why.")
    found = result.structured_content
    if found is not None and schema is not None:
        problem = mismatch(found, schema, f"The structured content that tool '{tool}' returned")
        if problem is not None:
            raise MCPToolError(f"{problem} That is not what its server says it returns.")
        media = [block for block in result.content if getattr(block, "type", None) in ("image", "audio")]
        if not media:
            return found
        if not any(_holds(found, block.data) for block in media):
            return [found, *map(_piece, media)]
    elif found is not None and not result.content:
        return found
    pieces = [_piece(block) for block in result.content]
    return _joined(pieces)


def resource_value(result: Any) -> Any:
    """The value of a `ReadResourceResult`: text, an image, a sound, bytes, or a list of these."""
    return _joined([_resource(each) for each in result.contents])


def prompt_text(result: Any) -> Any:
    """The messages of a `GetPromptResult`: their text, or a list where they hold more than text."""
    messages = result.messages
    if len(messages) == 1:
        return _joined([_piece(messages[0].content)])
    pieces: list[Any] = []
    for message in messages:
        piece = _piece(message.content)
        pieces.append(f"{message.role}: {piece}" if isinstance(piece, str) else piece)
    return _joined(pieces)


def _joined(pieces: list[Any]) -> Any:
    if len(pieces) == 1:
        return pieces[0]
    if all(isinstance(piece, str) for piece in pieces):
        return "\n".join(pieces)
    return pieces


def _holds(value: Any, text: str) -> bool:
    """Whether a text is somewhere in JSON data."""
    if isinstance(value, dict):
        return any(_holds(item, text) for item in value.values())
    return any(_holds(item, text) for item in value) if isinstance(value, list) else value == text


def _as_text(content: Iterable[Any]) -> str:
    return "\n".join(
        piece if isinstance(piece, str) else f"({type(piece).__name__})" for piece in map(_piece, content)
    ).strip()


def _piece(block: Any) -> Any:
    kind = getattr(block, "type", None)
    if kind == "text":
        return block.text
    if kind == "image":
        return _image(block.data, block.mime_type)
    if kind == "audio":
        return _sound(base64.b64decode(block.data), block.mime_type)
    if kind == "resource":
        return _resource(block.resource)
    if kind == "resource_link":
        described = f" ({block.description})" if block.description else ""
        return f"{block.title or block.name}: {block.uri}{described}"
    return json.dumps(block.model_dump(mode="json", by_alias=True, exclude_none=True))


def _resource(contents: Any) -> Any:
    text = getattr(contents, "text", None)
    if text is not None:
        return text
    kind = contents.mime_type or mimetypes.guess_type(str(contents.uri))[0] or ""
    if kind.startswith("image/") and kind != "image/svg+xml":
        return _image(contents.blob, kind)
    data = base64.b64decode(contents.blob)
    return _sound(data, kind) if kind.startswith("audio/") else data


def _image(encoded: str, kind: str) -> Any:
    try:
        return AgentImage(base64.b64decode(encoded))
    except ImportError:
        raise
    except Exception as error:  # whatever pillow raises on files that are broken, or too large
        # What came with it is not to be lost.
        return f"(an image of type {kind} that cannot be read: {type(error).__name__}: {error})"


def _sound(data: bytes, kind: str) -> AgentAudio:
    suffix = _AUDIO_SUFFIXES.get(kind) or mimetypes.guess_extension(kind) or ".bin"
    path = Path(tempfile.mkdtemp(prefix="smolagents-")) / f"sound{suffix}"
    path.write_bytes(data)
    return AgentAudio(path)


def json_arguments(arguments: Mapping[str, Any], tool: str) -> dict[str, Any]:
    """The arguments of a call as plain JSON data.

    Raises:
        ValueError: one is of a kind that JSON has no form for.
    """
    return {name: _json_value(value, f"Argument '{name}' of tool '{tool}'") for name, value in arguments.items()}


def _json_value(value: Any, where: str) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {str(key): _json_value(item, where) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_json_value(item, where) for item in value]
    for method in ("isoformat", "model_dump", "tolist"):  # dates; pydantic models; numpy's arrays and numbers
        convert = getattr(value, method, None)
        if callable(convert) and not isinstance(value, type):
            return _json_value(convert(), where)
    if hasattr(value, "__fspath__"):
        return str(value)
    raise ValueError(
        f"{where} is a {type(value).__name__}, which cannot be sent to an MCP server: "
        "pass text, a number, a boolean, a list or a dictionary."
    )
