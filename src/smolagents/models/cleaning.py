"""Conversations as a model's API takes them: plain dictionaries, known roles, no two messages in a row from one role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from smolagents.models.audio import audio_as_input
from smolagents.models.images import encode_image_base64, image_as_url
from smolagents.types.messages import ChatMessage, MessageRole

__all__ = ["TOOL_ROLE_CONVERSIONS", "get_clean_message_list", "with_system_role"]

TOOL_ROLE_CONVERSIONS: Mapping[MessageRole, MessageRole] = {
    MessageRole.TOOL_CALL: MessageRole.ASSISTANT,
    MessageRole.TOOL_RESPONSE: MessageRole.USER,
}
"""Roles of messages that show tool calls and their results as text, for APIs that know no such roles."""

_ROLES = {role.value: role for role in MessageRole}


def get_clean_message_list(
    message_list: Iterable[ChatMessage | Mapping[str, Any]],
    role_conversions: Mapping[Any, Any] = {},
    convert_images_to_image_urls: bool = False,
    flatten_messages_as_text: bool = False,
    reasoning_replay: str | None = None,
    provider: str | None = None,
) -> list[dict[str, Any]]:
    """Turn a conversation into the dictionaries an API takes.

    Messages in a row whose role is the same are joined into one. What was given is never changed, and a conversation
    that continues another begins with the same dictionaries, so a provider's prompt cache can be hit.

    Args:
        message_list: Messages, or dictionaries with `role` and `content`.
        role_conversions: Roles to replace, such as `{"tool-response": "user"}`.
        convert_images_to_image_urls: Give images as `{"type": "image_url", …}` parts, as OpenAI's API takes them;
            else as base64 text in their `image` parts. Sounds likewise become `input_audio` parts, or stay as they are.
        flatten_messages_as_text: Give every content as one text.
        reasoning_replay: How to give what the assistant thought, as `ModelFacts.reasoning_replay` says it.
        provider: Name of an API, whose `provider_items` are given as the list `provider_items` of assistant messages.

    Returns:
        One dictionary with `role` and `content` for each message that remains.

    Raises:
        ValueError: a role is unknown, an image cannot be read, or there is an image where only text is wanted.
        TypeError: a message or its content has the wrong type.
    """
    conversions = {str(key): str(value) for key, value in role_conversions.items()}
    clean: list[dict[str, Any]] = []
    previous: str | None = None
    for position, message in enumerate(message_list):
        role, content = _role_and_content(message, position)
        role = conversions.get(role, role)
        if isinstance(content, str):
            pass
        elif flatten_messages_as_text:
            content = "\n".join(_text_of(part, position) for part in content)
        else:
            content = [_clean_part(part, position, convert_images_to_image_urls) for part in content]
        if role == previous:
            clean[-1]["content"] = _joined(clean[-1]["content"], content)
        else:
            clean.append({"role": role, "content": content})
            previous = role
        if (reasoning_replay is not None or provider is not None) and role in ("assistant", "tool-call"):
            _replay(message, clean[-1], reasoning_replay, provider)
    return clean


def with_system_role(messages: list[dict[str, Any]], role: str) -> list[dict[str, Any]]:
    """Clean messages with another role for the system's, joined where two in a row then have the same."""
    changed: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "system":
            message = {**message, "role": role}  # noqa: PLW2901
        if changed and changed[-1]["role"] == message["role"] == role:
            content = changed[-1]["content"]
            own = content if isinstance(content, str) else [dict(part) for part in content]
            changed[-1] = {**changed[-1], "content": _joined(own, message["content"])}
        else:
            changed.append(message)
    return changed


def _replay(message: Any, clean: dict[str, Any], how: str | None, provider: str | None) -> None:
    """Add to a clean assistant message what the provider wants back of the thought behind it."""
    items = message.get("provider_items") or ()
    if provider is not None:
        own = [item["item"] for item in items if item.get("provider") == provider]
        if own:
            clean.setdefault("provider_items", []).extend(own)
    if how == "reasoning_details":
        details = [item["item"] for item in items if item.get("provider") == how]
        if details:
            clean.setdefault(how, []).extend(details)
        return
    thought = message.get("reasoning_content")
    if not thought or how is None:
        return
    if how == "think_tags":
        content, tagged = clean["content"], f"<think>\n{thought}\n</think>\n\n"
        clean["content"] = (
            tagged + content if isinstance(content, str) else [{"type": "text", "text": tagged}, *content]
        )
    else:
        clean[how] = f"{clean[how]}\n{thought}" if how in clean else thought


def _role_and_content(message: Any, position: int) -> tuple[str, Any]:
    if isinstance(message, ChatMessage):
        role, content = message.role.value, message.content
    elif isinstance(message, Mapping):
        if "role" not in message:
            raise ValueError(f"message {position} has no role; give it one of {', '.join(_ROLES)}")
        role, content = str(message["role"]), message.get("content")
        if role not in _ROLES:
            raise ValueError(f"message {position} has the unknown role {role!r}; use one of {', '.join(_ROLES)}")
    else:
        raise TypeError(
            f"message {position} is of type {type(message).__name__}; "
            "give a ChatMessage, or a dictionary with 'role' and 'content'"
        )
    if content is None:
        content = ""
    elif not isinstance(content, (str, list, tuple)):
        raise TypeError(
            f"the content of message {position} is of type {type(content).__name__}; "
            "give text, or a list of parts such as {'type': 'text', 'text': …}"
        )
    return role, content


def _kind_of(part: Any, position: int) -> Any:
    if not isinstance(part, Mapping) or "type" not in part:
        raise TypeError(
            f"message {position} has the content part {part!r:.80}; "
            "each part is a dictionary with a 'type', such as {'type': 'text', 'text': …}"
        )
    return part["type"]


def _text_of(part: Any, position: int) -> str:
    kind = _kind_of(part, position)
    if kind != "text":
        raise ValueError(
            f"message {position} has a part of type {kind!r}, and this model takes text only; "
            "use a model that takes images, with flatten_messages_as_text=False"
        )
    _check_text(part, position)
    return str(part["text"])


def _check_text(part: Any, position: int) -> None:
    if not isinstance(part.get("text"), str):
        raise TypeError(
            f"message {position} has a text part whose text is of type {type(part.get('text')).__name__}: "
            f"{part!r:.80}; give {{'type': 'text', 'text': <string>}}"
        )


def _clean_part(part: Any, position: int, as_urls: bool) -> dict[str, Any]:
    kind = _kind_of(part, position)
    if kind == "text":
        _check_text(part, position)
    if kind == "audio" and "audio" in part and as_urls:
        return {"type": "input_audio", "input_audio": audio_as_input(part["audio"])}
    if kind != "image" or "image" not in part:
        return dict(part)
    if as_urls:
        return {"type": "image_url", "image_url": {"url": image_as_url(part["image"])}}
    return {"type": "image", "image": encode_image_base64(part["image"])}


def _joined(first: Any, second: Any) -> Any:
    """Two contents of one role as one. `first` is ours and may be changed; `second` is not kept."""
    if isinstance(first, str):
        if isinstance(second, str):
            return f"{first}\n{second}"
        first = [{"type": "text", "text": first}]
    for part in [{"type": "text", "text": second}] if isinstance(second, str) else second:
        last = first[-1] if first else None
        if last is not None and last.get("type") == "text" and part.get("type") == "text":
            last["text"] = f"{last['text']}\n{part['text']}"
        else:
            first.append(part)
    return first
