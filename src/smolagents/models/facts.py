"""What is known of model families, by their id: one table that every provider reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal

__all__ = ["ModelFacts", "ReasoningReplay", "checked_facts", "facts_about", "fitted", "supports_stop_parameter"]

ReasoningReplay = Literal["reasoning_content", "reasoning", "reasoning_details", "think_tags"]


@dataclass(frozen=True)
class ModelFacts:
    """What a family of models takes and gives."""

    accepts_stop: bool = True
    """Whether the `stop` parameter is taken; where it is not, the reply is cut here."""
    max_tokens_parameter: Literal["max_tokens", "max_completion_tokens"] | None = None
    """How the longest reply is called; None to send it under the name that the user gave."""
    accepts_required_tool_choice: bool = True
    """Whether `tool_choice="required"` is taken; where it is not, "auto" is sent."""
    fixed_temperature: bool = False
    """Whether `temperature` and `top_p` are refused; they are then left out."""
    system_role: Literal["system", "developer", "user"] = "system"
    """Role in which system messages are sent."""
    returns_reasoning: bool = False
    """Whether the model thinks before it answers and the provider shows or seals what it thought."""
    thinks_first: bool = False
    """Whether replies begin within a thought that the prompt's template opened, so that only `</think>` is in them."""
    reasoning_replay: ReasoningReplay | None = None
    """How the model's earlier thoughts are sent back with a conversation: in a field of assistant messages, or in
    their text between think tags; None where they are not to be sent."""
    refused: frozenset[str] = frozenset()
    """Further parameters that are refused; they are left out."""


_GPT = ModelFacts(accepts_stop=False, max_tokens_parameter="max_completion_tokens")
_GPT_REASONING = replace(_GPT, fixed_temperature=True, returns_reasoning=True)
_REASONING = ModelFacts(returns_reasoning=True)

# The first row that matches counts. Sources:
# OpenAI: https://platform.openai.com/docs/guides/reasoning and /guides/latest-model (temperature with reasoning off)
# xAI: https://docs.x.ai/docs/guides/reasoning
# Moonshot: https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model (keep reasoning_content)
# MiniMax: https://platform.minimax.io/docs/guides/text-m2-function-call (keep the think tags)
# DeepSeek: https://api-docs.deepseek.com/guides/thinking_mode (do not send reasoning_content to the next turn)
_FAMILIES: tuple[tuple[re.Pattern[str], ModelFacts], ...] = (
    (re.compile(r"o1-(mini|preview).*"), replace(_GPT_REASONING, system_role="user")),
    (re.compile(r"o[134](-\w+)*(-\d{4}-\d{2}-\d{2})?"), _GPT_REASONING),
    (re.compile(r"gpt-[5-9](\.\d+)?-chat.*"), _GPT),
    (re.compile(r"gpt-[5-9]([-].*)?"), _GPT_REASONING),
    (re.compile(r"gpt-[5-9]\.\d+([-.].*)?"), replace(_GPT, returns_reasoning=True)),
    (re.compile(r"grok-(3-mini|[4-9]|code).*"), ModelFacts(accepts_stop=False, returns_reasoning=True)),
    (re.compile(r"kimi-k2-thinking.*|kimi-k2\.[5-9].*"), replace(_REASONING, reasoning_replay="reasoning_content")),
    (re.compile(r"minimax-m[2-9].*"), replace(_REASONING, reasoning_replay="think_tags")),
    (re.compile(r"(deepseek-(r1|reasoner)|qwq|magistral|gpt-oss|glm-(4\.[5-9]|[5-9])).*"), _REASONING),
    (re.compile(r"qwen3.*-thinking.*"), _REASONING),
)
_UNKNOWN = ModelFacts()
_NAMES = {field.name for field in fields(ModelFacts)}


@lru_cache(maxsize=256)
def facts_about(model_id: str | None) -> ModelFacts:
    """The facts of the family that `model_id` belongs to, with or without a provider's name before it."""
    if model_id:
        name = model_id.rpartition("/")[2].lower()
        for pattern, facts in _FAMILIES:
            if pattern.fullmatch(name):
                return facts
    return _UNKNOWN


def supports_stop_parameter(model_id: str) -> bool:
    """Whether the model's API takes the `stop` parameter."""
    return facts_about(model_id).accepts_stop


_REASONING_FIELDS = ("reasoning_content", "reasoning_details", "reasoning")

_CHOICES: dict[str, tuple[Any, ...]] = {
    "max_tokens_parameter": ("max_tokens", "max_completion_tokens", None),
    "system_role": ("system", "developer", "user"),
    "reasoning_replay": ("reasoning_content", "reasoning", "reasoning_details", "think_tags", None),
}


def checked_facts(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Facts that a user gave, as arguments of `ModelFacts`.

    Raises:
        ValueError: a name is not one of a fact, or a value is not one that the fact can have.
    """
    facts = dict(given or {})
    for name, value in facts.items():
        if name not in _NAMES:
            raise ValueError(f"there is no fact {name!r} about models; use {', '.join(sorted(_NAMES))}")
        if name in _CHOICES:
            if value not in _CHOICES[name]:
                raise ValueError(f"the fact {name} is {value!r}; use one of {_CHOICES[name]}")
        elif name == "refused":
            if isinstance(value, str):
                raise ValueError(f"the fact refused is the text {value!r}; give a list of names: [{value!r}]")
            facts[name] = frozenset(value)
        elif not isinstance(value, bool):
            raise ValueError(f"the fact {name} is {value!r}; use True or False")
    return facts


def fitted(parameters: dict[str, Any], facts: ModelFacts) -> dict[str, Any]:
    """Parameters of a call, in the words of OpenAI's chat API, as a model with these facts takes them.

    `parameters` is not changed. Earlier thoughts that are not to be sent back are taken out of `messages`, and
    system messages are given the role that is taken.
    """
    fit = dict(parameters)
    messages = fit.get("messages") or []
    if not facts.accepts_stop:
        fit.pop("stop", None)
    wanted = facts.max_tokens_parameter
    if wanted is not None:
        other = "max_tokens" if wanted == "max_completion_tokens" else "max_completion_tokens"
        if other in fit:
            value = fit.pop(other)
            fit.setdefault(wanted, value)
    if facts.fixed_temperature:
        fit.pop("temperature", None)
        fit.pop("top_p", None)
    if not facts.accepts_required_tool_choice and fit.get("tool_choice") == "required":
        fit["tool_choice"] = "auto"
    for name in facts.refused:
        fit.pop(name, None)
    if facts.reasoning_replay is None and any(
        not message.keys().isdisjoint(_REASONING_FIELDS) for message in messages
    ):
        fit["messages"] = messages = [
            {name: value for name, value in message.items() if name not in _REASONING_FIELDS} for message in messages
        ]
    if facts.system_role != "system":
        from smolagents.models.cleaning import with_system_role

        fit["messages"] = with_system_role(messages, facts.system_role)
    return fit
