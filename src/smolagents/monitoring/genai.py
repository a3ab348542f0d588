"""Spans in the words of OpenTelemetry's semantic conventions for generative AI.

https://github.com/open-telemetry/semantic-conventions-genai and, for messages between agents,
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/. What they have no word for is named
`smolagents.…`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from smolagents.monitoring.tracing import Span
from smolagents.types.jsonable import make_json_serializable
from smolagents.types.messages import ChatMessage, ChatMessageToolCall, MessageRole

__all__ = ["Attributes", "content_at_end", "content_at_start", "facts_at_end", "facts_at_start", "kind_of", "name_of"]

Attributes: TypeAlias = dict[str, Any]
OtelKind: TypeAlias = Literal["INTERNAL", "CLIENT", "PRODUCER", "CONSUMER"]

_NAMES = {
    "agent": "gen_ai.agent.name",
    "description": "gen_ai.agent.description",
    "model": "gen_ai.request.model",
    "provider": "gen_ai.provider.name",
    "stream": "gen_ai.request.stream",
    "address": "server.address",
    "port": "server.port",
    "tool": "gen_ai.tool.name",
    "call_id": "gen_ai.tool.call.id",
    "response_model": "gen_ai.response.model",
    "time_to_first_chunk": "gen_ai.response.time_to_first_chunk",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "cost": "smolagents.usage.cost",
    "kind": "smolagents.agent.kind",
    "tools": "smolagents.agent.tools",
    "max_steps": "smolagents.agent.max_steps",
    "outcome": "smolagents.agent.outcome",
    "number": "smolagents.step.number",
    "executor": "smolagents.executor",
    "is_final_answer": "smolagents.is_final_answer",
    "system": "messaging.system",
    "recipient": "messaging.destination.name",
    "message_id": "messaging.message.id",
    "message_kind": "smolagents.message.kind",
    "sender": "smolagents.message.sender",
    "attempts": "smolagents.message.attempts",
}
_OPERATIONS = {"invoke_agent", "chat", "execute_tool", "plan"}
_MESSAGING = {"send_message": "send", "process_message": "process"}
_KINDS: dict[str, OtelKind] = {"chat": "CLIENT", "send_message": "PRODUCER", "process_message": "CONSUMER"}
_ROLES = {MessageRole.TOOL_CALL: "assistant", MessageRole.TOOL_RESPONSE: "tool"}


def name_of(span: Span) -> str:
    """The span's name: the operation, and on what."""
    if span.kind in _MESSAGING:
        return f"{_MESSAGING[span.kind]} {span.name}"
    return span.name if span.kind == "step" else f"{span.kind} {span.name}"


def kind_of(span: Span) -> OtelKind:
    return _KINDS.get(span.kind, "INTERNAL")


def facts_at_start(span: Span) -> Attributes:
    """What samplers are to know, and all else that is known when a span begins."""
    found: Attributes = {}
    if span.kind in _OPERATIONS:
        found["gen_ai.operation.name"] = span.kind
    elif span.kind in _MESSAGING:
        found["messaging.operation.name"] = found["messaging.operation.type"] = _MESSAGING[span.kind]
    if span.kind == "execute_tool":
        found["gen_ai.tool.type"] = "function"
    found.update(_named(span, span.attributes))
    for name, value in (span.attributes.get("parameters") or {}).items():
        found["gen_ai.request." + ("max_tokens" if name == "max_completion_tokens" else name)] = value
    return found


def facts_at_end(span: Span) -> Attributes:
    """What is known when it has ended."""
    found = _named(span, span.attributes)
    reason = span.attributes.get("finish_reason")
    if reason is not None:
        found["gen_ai.response.finish_reasons"] = [reason]
    if span.exception is not None:
        found["error.type"] = type(span.exception).__qualname__
    return found


def _named(span: Span, attributes: Mapping[str, Any]) -> Attributes:
    named = {_NAMES[name]: value for name, value in attributes.items() if name in _NAMES and value is not None}
    if span.kind == "execute_tool" and "gen_ai.agent.description" in named:
        named["gen_ai.tool.description"] = named.pop("gen_ai.agent.description")
    return named


def content_at_start(span: Span) -> Attributes:
    """What a model, a tool or an agent was told."""
    content = span.content
    if span.kind == "chat":
        found = {"gen_ai.input.messages": _json([_message(each) for each in content["messages"]])}
        if content.get("tools"):
            found["gen_ai.tool.definitions"] = _json([_definition(tool) for tool in content["tools"]])
        return found
    if span.kind == "invoke_agent":
        parts = [_text(content["task"]), *({"type": "image", **_size(image)} for image in content["images"] or ())]
        return {"gen_ai.input.messages": _json([{"role": "user", "parts": parts}])}
    if span.kind == "execute_tool":
        return {"gen_ai.tool.call.arguments": _json(content["arguments"])}
    if span.kind == "run_code":
        return {"smolagents.code": content["code"]}
    if "message" in content:
        return {"smolagents.message.content": _plain(content["message"])}
    return {}


def content_at_end(span: Span) -> Attributes:
    """What came of it."""
    content = span.content
    found: Attributes = {}
    if isinstance(content.get("reply"), ChatMessage):
        reply = content["reply"]
        found["gen_ai.output.messages"] = _json(
            [{**_message(reply), "finish_reason": span.attributes.get("finish_reason") or "stop"}]
        )
    elif span.kind == "invoke_agent" and content.get("output") is not None:
        parts = [_text(_plain(content["output"]))]
        found["gen_ai.output.messages"] = _json([{"role": "assistant", "parts": parts, "finish_reason": "stop"}])
    elif span.kind == "execute_tool" and "result" in content:
        found["gen_ai.tool.call.result"] = _plain(content["result"])
    elif span.kind == "run_code" and "output" in content:
        found["smolagents.code.output"] = _plain(content["output"])
        found["smolagents.code.logs"] = str(content.get("logs") or "")
    elif "step" in content:
        step = content["step"]
        for name in ("plan", "observations"):
            if getattr(step, name, None):
                found[f"smolagents.step.{name}"] = str(getattr(step, name))
    return found


def _message(message: Any) -> dict[str, Any]:
    """A chat message in the schema of `gen_ai.input.messages`."""
    if isinstance(message, Mapping):
        message = ChatMessage.from_dict(message)
    if not isinstance(message, ChatMessage):
        return {"role": "user", "parts": [_text(_plain(message))]}
    parts: list[dict[str, Any]] = []
    if message.reasoning_content:
        parts.append({"type": "reasoning", "content": message.reasoning_content})
    for part in [_text(message.content)] if isinstance(message.content, str) else message.content or ():
        if part.get("type") == "text":
            parts.append(_text(part.get("text", part.get("content", ""))))
        elif part.get("type") == "image":
            parts.append({"type": "image", **_size(part.get("image"))})
        else:
            parts.append({"type": str(part.get("type"))})
    parts += [_call(call) for call in message.tool_calls or ()]
    return {"role": _ROLES.get(message.role, message.role.value), "parts": parts}


def _call(call: ChatMessageToolCall) -> dict[str, Any]:
    return {
        "type": "tool_call",
        "id": call.id,
        "name": call.function.name,
        "arguments": make_json_serializable(call.function.arguments),
    }


def _text(text: Any) -> dict[str, Any]:
    return {"type": "text", "content": str(text)}


def _size(image: Any) -> dict[str, Any]:
    """Of an image, its size only: backends take attributes of some kilobytes."""
    size = getattr(image, "size", None)
    return {"width": size[0], "height": size[1]} if isinstance(size, tuple) and len(size) == 2 else {}


def _definition(tool: Any) -> dict[str, Any]:
    found = {"type": "function", "name": str(getattr(tool, "name", tool))}
    if getattr(tool, "description", None):
        found["description"] = str(tool.description)
    parameters = getattr(tool, "parameters", None) or getattr(tool, "inputs", None)
    if parameters:
        found["parameters"] = make_json_serializable(parameters)
    return found


def _plain(value: Any) -> str:
    return str(value) if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(make_json_serializable(value), ensure_ascii=False)
