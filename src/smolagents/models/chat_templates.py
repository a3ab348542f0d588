"""Conversations for a model's chat template: tools told where it does not know them, images as it takes them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from smolagents.models.cleaning import with_system_role
from smolagents.models.constrained_calls import tool_list_prompt

__all__ = ["as_template_parts", "render", "tell_of_tools"]

T = TypeVar("T")


def render(
    apply: Callable[[list[dict[str, Any]]], T],
    messages: list[dict[str, Any]],
    model_id: str,
) -> T:
    """Write a conversation in the form of a model's chat template.

    Several templates refuse system messages; the instructions then become part of the first message of the user.

    Args:
        apply: Applies the template to messages.
        messages: Clean messages.
        model_id: For errors.

    Raises:
        ValueError: the template refuses the conversation, or there is none.
    """
    from jinja2 import TemplateError

    try:
        return apply(messages)
    except TemplateError as error:
        refusal: Exception = error
    except ValueError as error:
        if "chat_template" not in str(error) and "chat template" not in str(error):
            raise
        raise ValueError(
            f"{model_id} has no chat template, so it was not trained to converse. Use a model that was (its name often "
            "ends in Instruct or Chat), or give apply_chat_template_kwargs={'chat_template': …}"
        ) from error
    if any(message["role"] == "system" for message in messages):
        try:
            return apply(with_system_role(messages, "user"))
        except TemplateError as error:
            refusal = error
    raise ValueError(f"the chat template of {model_id} refuses this conversation: {refusal}") from refusal


def tell_of_tools(messages: list[dict[str, Any]], tools: list[Any], name_key: str, arguments_key: str) -> None:
    """Add the tools to the system message, where it does not tell of them. `messages` is changed in place."""
    system = messages[0]["content"] if messages and messages[0]["role"] == "system" else None
    text = "\n".join(part.get("text", "") for part in system) if isinstance(system, list) else system
    untold = [tool for tool in tools if text is None or tool.name not in text]
    if not untold:
        return
    prompt = tool_list_prompt(untold, name_key, arguments_key)
    if system is None:
        messages.insert(0, {"role": "system", "content": prompt})
    elif isinstance(system, list):
        messages[0] = {"role": "system", "content": [*system, {"type": "text", "text": prompt}]}
    else:
        messages[0] = {"role": "system", "content": f"{system}\n\n{prompt}"}


def as_template_parts(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with all contents as lists of parts, and images as PIL images, as processors take them.

    Raises:
        ValueError: an image cannot be read.
    """
    changed = []
    for position, message in enumerate(messages):
        content = message["content"]
        if isinstance(content, str):
            content = [{"type": "text", "text": content}] if content else []
        changed.append({**message, "content": [_template_part(part, position) for part in content]})
    return changed


def _template_part(part: Mapping[str, Any], position: int) -> dict[str, Any]:
    if part.get("type") != "image_url":
        return dict(part)
    given = part["image_url"]
    url = str(given["url"] if isinstance(given, Mapping) else given)
    if not url.startswith("data:"):
        return {"type": "image", "url": url}
    from io import BytesIO

    from smolagents._imports import require

    image = require("PIL.Image", extra="vision", needed_for="a message with an image")
    try:
        picture = image.open(BytesIO(base64.b64decode(url.partition(",")[2], validate=True)))
        return {"type": "image", "image": picture.convert("RGB")}
    except (OSError, binascii.Error) as error:
        raise ValueError(f"message {position} has an image that cannot be read: {error}") from error
