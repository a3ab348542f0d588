"""What a provider's refusal of a parameter teaches about a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from smolagents.models.facts import ModelFacts
from smolagents.models.failures import status_of

__all__ = ["lesson_of"]

_REFUSAL = re.compile(
    r"unsupported|not (?:currently )?(?:be )?(?:supported|permitted|allowed|compatible)|(?:does|do|is|are)(?:n't| not) "
    r"(?:support|allow|accept|permit)|unrecognized|unknown (?:parameter|name|field|argument|key)|extra inputs|extra_forbidden"
    r"|extraneous key|unexpected (?:keyword|parameter|field|argument|property)|cannot both be|may only be set"
    r"|only the default|only temperature ?=|is deprecated for|additional properties|requires --|not a valid parameter"
    r"|may not be enabled when|can not be used with|cannot be used with|invalid parameter",
    re.IGNORECASE,
)
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "stop": ("stop_sequences", "stopSequences"),
    "max_tokens": ("maxTokens", "max_new_tokens"),
    "max_completion_tokens": ("maxTokens",),
    "tool_choice": ("toolChoice",),
}
_INDISPENSABLE = frozenset({"messages", "model", "tools", "stream", "response_format", "input", "extra_headers"})
_STATUSES = frozenset({400, 404, 405, 415, 422, 500, 501, None})
"""Refusals come with 400 or 422; llama.cpp's server and some gateways answer 500 or 501. Those need the words as well."""

_SYSTEM_REFUSED = re.compile(
    r"(?:system|developer)['\"`]? (?:role|messages?|prompts?|instructions?)\b.{0,40}(?:not|n't) (?:be )?support"
    r"|(?:not|n't) support (?:the )?['\"`]?(?:system|developer)['\"`]?"
    r"|system role not supported|developer instruction is not enabled"
    r"|messages\[\d+\]\.role' does not support '(?:system|developer)'"
    r"|(?:unknown|unexpected|invalid|unsupported) (?:message )?role:? ['\"`]?(?:system|developer)",
    re.IGNORECASE,
)


def lesson_of(error: Exception, sent: Mapping[str, Any], facts: ModelFacts) -> tuple[dict[str, Any], str] | None:
    """Read a refusal.

    Understood are the messages of OpenAI, Azure, LiteLLM, llama.cpp, vLLM, Bedrock, Anthropic, xAI, Mistral, Groq,
    Gemini and what resembles them: a parameter that was sent is named beside words that refuse it.

    Args:
        error: What the SDK raised.
        sent: The parameters of the call.
        facts: What was known of the model.

    Returns:
        The facts that change, and in words what will be done; None if the error is no such refusal, or if all that it
        asks for is done already.
    """
    status = status_of(error)
    if status not in _STATUSES:
        return None
    text = _text_of(error)
    if _SYSTEM_REFUSED.search(text) and any(message.get("role") == "system" for message in _messages(sent)):
        return {"system_role": "user"}, "system messages are sent as the user's"
    if _SYSTEM_REFUSED.search(text) and facts.system_role == "developer":
        return {"system_role": "system"}, "developer messages are sent as the system's"
    if not _REFUSAL.search(text):
        return None
    for field in ("reasoning_content", "reasoning_details", "reasoning"):
        if facts.reasoning_replay == field and re.search(rf"\b{field}\b", text):
            return {"reasoning_replay": None}, "earlier reasoning is not sent back"
    name = _named(error, text, [name for name in sent if name not in _INDISPENSABLE])
    if name is None:
        return None
    if name in ("max_tokens", "max_completion_tokens"):
        other = "max_completion_tokens" if name == "max_tokens" else "max_tokens"
        if facts.max_tokens_parameter is None:
            return {"max_tokens_parameter": other}, f"{other} is sent instead of {name}"
    elif name == "stop":
        return {"accepts_stop": False}, "stop is not sent; replies are cut here"
    elif name in ("temperature", "top_p") and not re.search(r"both", text):
        return {"fixed_temperature": True}, "temperature and top_p are not sent"
    elif name == "tool_choice" and sent["tool_choice"] == "required":
        return {"accepts_required_tool_choice": False}, 'tool_choice "auto" is sent instead of "required"'
    return {"refused": facts.refused | {name}}, f"{name} is not sent"


def _messages(sent: Mapping[str, Any]) -> list[Any]:
    messages = sent.get("messages")
    return [message for message in messages if isinstance(message, Mapping)] if isinstance(messages, list) else []


def _text_of(error: Exception) -> str:
    body = getattr(error, "body", None)
    said = [str(error)]
    if isinstance(body, (dict, list)):
        said.append(str(body))
    return " ".join(said)[:20_000]


def _named(error: Exception, text: str, names: Iterable[str]) -> str | None:
    """Which of the parameters that were sent the error refuses."""
    candidates = list(names)
    param = getattr(error, "param", None)
    if isinstance(param, str) and param in candidates:
        return param
    refusals = [(match.start(), match.end()) for match in _REFUSAL.finditer(text)]
    best: tuple[float, str] | None = None
    for name in candidates:
        spellings = {name, _camel_case(name), *_SPELLINGS.get(name, ())}
        pattern = r"(?<![\w-])(?:" + "|".join(map(re.escape, spellings)) + r")(?![\w-])"
        for found in re.finditer(pattern, text):
            distance = float(min(_gap(found.start(), found.end(), refusal) for refusal in refusals))
            quoted = text[found.start() - 1 : found.start()] in ("'", '"', "`", ".") if found.start() else False
            # A parameter is mostly quoted; in plain words, "stop" and "user" may be no parameter at all.
            rank = distance if quoted or "_" in name else distance + 20
            if distance <= 200 and (best is None or rank < best[0]):
                best = (rank, name)
    return best[1] if best else None


def _gap(start: int, end: int, refusal: tuple[int, int]) -> int:
    if end <= refusal[0]:
        return refusal[0] - end
    return max(start - refusal[1], 0)


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
