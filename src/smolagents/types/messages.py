"""Chat messages and tool calls: what goes to a model and what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

from smolagents.types.usage import TokenUsage

__all__ = [
    "ChatMessage",
    "ChatMessageStreamDelta",
    "ChatMessageToolCall",
    "ChatMessageToolCallFunction",
    "ChatMessageToolCallStreamDelta",
    "MessageRole",
    "agglomerate_stream_deltas",
    "get_dict_from_nested_dataclasses",
]


class MessageRole(str, Enum):
    """Who a message is from."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL_CALL = "tool-call"
    TOOL_RESPONSE = "tool-response"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def roles(cls) -> list[str]:
        return [role.value for role in cls]


@dataclass
class ChatMessageToolCallFunction:
    """The function a model asks to call. `arguments` is JSON text or the value it stands for."""

    arguments: Any
    name: str
    description: str | None = None


@dataclass
class ChatMessageToolCall:
    """One call that a model asks for."""

    function: ChatMessageToolCallFunction
    id: str
    type: str

    def __str__(self) -> str:
        return f"Call: {self.id}: Calling {self.function.name} with arguments: {self.function.arguments}"


@dataclass
class ChatMessage:
    """One message of a conversation.

    Fields read as keys too: `message["role"]`, `message["content"]`.

    Raises:
        ValueError: the role is not one of `MessageRole`.
    """

    role: MessageRole
    content: str | list[dict[str, Any]] | None = None
    """Text, or a list of content parts such as `{"type": "text", "text": …}` and `{"type": "image", "image": …}`."""
    tool_calls: list[ChatMessageToolCall] | None = None
    raw: Any | None = None
    """The provider's own reply object. Left out of `dict()` and of comparisons of saved messages."""
    token_usage: TokenUsage | None = None
    """None when the provider did not report it."""
    reasoning_content: str | None = None
    """What the model thought before it answered, where the provider returns it apart from the answer."""
    finish_reason: str | None = None
    """Why the model stopped: "stop", "length" (it was cut), "tool_calls", "content_filter", or the provider's own word."""
    provider_items: list[dict[str, Any]] | None = None
    """What a provider wants back, unread and unchanged, when the conversation goes on: signed thinking blocks,
    encrypted reasoning.

    Each is `{"provider": <name of the API>, "item": <the provider's own JSON object>}`. The names are the models':
    "anthropic", "bedrock", "openai-responses", "reasoning_details"… A model that reads a conversation takes the items
    of its own API from assistant messages and leaves all others alone, so a conversation can go on with another
    provider. They are plain data: memory keeps them with the step, and `dict()` and `from_dict()` carry them."""
    model_id: str | None = None
    """The model that answered, by its name at the provider; None for messages that no model wrote, or if unknown."""

    def __post_init__(self) -> None:
        if type(self.role) is not MessageRole:
            try:
                self.role = MessageRole(self.role)
            except ValueError:
                raise ValueError(
                    f"unknown message role {self.role!r}; use one of {', '.join(MessageRole.roles())}"
                ) from None

    def __getitem__(self, key: str) -> Any:
        if key in _MESSAGE_FIELDS:
            return getattr(self, key)
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        return getattr(self, key) if key in _MESSAGE_FIELDS else default

    def keys(self) -> Iterable[str]:
        return _MESSAGE_FIELDS

    @property
    def text(self) -> str:
        """The text of the message; the text parts joined by newlines where `content` is a list of parts."""
        if isinstance(self.content, str):
            return self.content
        parts = self.content or []
        return "\n".join(part["text"] for part in parts if part.get("type") == "text")

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], raw: Any | None = None, token_usage: TokenUsage | None = None
    ) -> ChatMessage:
        """Rebuild a message from `dict()`, or from a provider's dictionary of the same shape."""
        calls = data.get("tool_calls")
        usage = data.get("token_usage")
        if token_usage is None and isinstance(usage, Mapping):
            token_usage = TokenUsage(**{key: value for key, value in usage.items() if key != "total_tokens"})
        return cls(
            role=data["role"],
            content=data.get("content"),
            tool_calls=[_call_from_dict(call) for call in calls] if calls else None,
            raw=raw if raw is not None else data.get("raw"),
            token_usage=token_usage,
            reasoning_content=data.get("reasoning_content"),
            finish_reason=data.get("finish_reason"),
            provider_items=data.get("provider_items"),
            model_id=data.get("model_id"),
        )

    def dict(self) -> dict[str, Any]:
        """The message as plain data; what is unset beyond the basic fields is left out."""
        data: dict[str, Any] = {
            "role": self.role,
            "content": self.content,
            "tool_calls": None if self.tool_calls is None else [asdict(call) for call in self.tool_calls],
            "token_usage": None if self.token_usage is None else self.token_usage.dict(),
        }
        for name in ("reasoning_content", "finish_reason", "provider_items", "model_id"):
            value = getattr(self, name)
            if value is not None:
                data[name] = value
        return data

    def model_dump_json(self) -> str:
        """The message as JSON text, without `raw`; images and other binary parts are named by their type."""
        return json.dumps(get_dict_from_nested_dataclasses(self, ignore_key="raw"), default=_json_fallback)

    def render_as_markdown(self) -> str:
        """The message as a person reads it: its text, then its tool calls as JSON."""
        rendered = self.text
        if self.tool_calls:
            calls = [{"tool": call.function.name, "arguments": call.function.arguments} for call in self.tool_calls]
            rendered += json.dumps(calls, default=_json_fallback)
        return rendered


_MESSAGE_FIELDS = tuple(field.name for field in fields(ChatMessage))


def _call_from_dict(call: Any) -> ChatMessageToolCall:
    if isinstance(call, ChatMessageToolCall):
        return call
    function = call["function"]
    return ChatMessageToolCall(
        function=ChatMessageToolCallFunction(
            arguments=function["arguments"], name=function["name"], description=function.get("description")
        ),
        id=call.get("id") or "",
        type=call.get("type") or "function",
    )


def _json_fallback(value: Any) -> Any:
    return f"<{type(value).__name__}>"


def get_dict_from_nested_dataclasses(obj: Any, ignore_key: str | None = None) -> Any:
    """Turn dataclasses, at any depth of lists and dictionaries, into dictionaries.

    Args:
        obj: A dataclass instance, list, tuple, dictionary or plain value.
        ignore_key: Name of a field to leave out at the outermost level.
    """
    if is_dataclass(obj) and not isinstance(obj, type):
        return {
            field.name: get_dict_from_nested_dataclasses(getattr(obj, field.name))
            for field in fields(obj)
            if field.name != ignore_key
        }
    if isinstance(obj, (list, tuple)):
        return [get_dict_from_nested_dataclasses(item) for item in obj]
    if isinstance(obj, dict):
        return {key: get_dict_from_nested_dataclasses(value) for key, value in obj.items()}
    return obj


@dataclass
class ChatMessageToolCallStreamDelta:
    """A piece of a tool call in a stream. Pieces with one `index` belong to one call."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: ChatMessageToolCallFunction | None = None


@dataclass
class ChatMessageStreamDelta:
    """A piece of a message in a stream. `token_usage` counts the whole call and comes once; `provider_items` are whole."""

    content: str | None = None
    tool_calls: list[ChatMessageToolCallStreamDelta] | None = None
    token_usage: TokenUsage | None = None
    reasoning_content: str | None = None
    finish_reason: str | None = None
    provider_items: list[dict[str, Any]] | None = None
    model_id: str | None = None


def agglomerate_stream_deltas(
    stream_deltas: Iterable[ChatMessageStreamDelta], role: MessageRole = MessageRole.ASSISTANT
) -> ChatMessage:
    """Join the pieces of a stream into the message they make.

    Pieces of tool calls are put together by their `index`; a piece without one continues the last call,
    or opens a new one when it brings an id or a name of its own. Input tokens are reported by several
    providers with every chunk of one call, so the largest count is kept rather than the sum.

    Args:
        stream_deltas: The pieces in the order in which they came.
        role: Role of the resulting message.

    Returns:
        The whole message; `token_usage` is None when no piece carried it.
    """
    content: list[str] = []
    reasoning: list[str] = []
    calls: dict[int, _CallParts] = {}
    last_index = -1
    usage: TokenUsage | None = None
    finish_reason: str | None = None
    items: list[dict[str, Any]] = []
    model_id: str | None = None
    for delta in stream_deltas:
        if delta.content:
            content.append(delta.content)
        if delta.reasoning_content:
            reasoning.append(delta.reasoning_content)
        if delta.finish_reason:
            finish_reason = delta.finish_reason
        if delta.provider_items:
            items += delta.provider_items
        if delta.model_id:
            model_id = delta.model_id
        if delta.token_usage is not None and (usage is None or delta.token_usage.total_tokens >= usage.total_tokens):
            usage = delta.token_usage
        for piece in delta.tool_calls or ():
            if piece.index is not None:
                last_index = piece.index
            elif last_index < 0 or piece.id or (piece.function is not None and piece.function.name):
                last_index = max(calls, default=-1) + 1
            calls.setdefault(last_index, _CallParts()).add(piece)
    return ChatMessage(
        role=role,
        content="".join(content),
        tool_calls=[parts.join(index) for index, parts in sorted(calls.items())] or None,
        token_usage=usage,
        reasoning_content="".join(reasoning) or None,
        finish_reason=finish_reason,
        provider_items=items or None,
        model_id=model_id,
    )


class _CallParts:
    """The pieces of one tool call on their way to a whole one."""

    def __init__(self) -> None:
        self.id = ""
        self.type = "function"
        self.name = ""
        self.arguments: list[Any] = []

    def add(self, piece: ChatMessageToolCallStreamDelta) -> None:
        self.id = piece.id or self.id
        self.type = piece.type or self.type
        if piece.function is not None:
            self.name = piece.function.name or self.name
            if piece.function.arguments:
                self.arguments.append(piece.function.arguments)

    def join(self, index: int) -> ChatMessageToolCall:
        arguments: Any = self.arguments[0] if len(self.arguments) == 1 else "".join(map(str, self.arguments))
        return ChatMessageToolCall(
            function=ChatMessageToolCallFunction(arguments=arguments, name=self.name),
            id=self.id or f"call_{index}",
            type=self.type,
        )
