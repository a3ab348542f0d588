"""What is known of model families, by their id: one table that every provider reads."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["ModelFacts", "facts_about", "supports_stop_parameter"]


@dataclass(frozen=True)
class ModelFacts:
    """What a family of models takes."""

    accepts_stop: bool = True
    """Whether the `stop` parameter is taken; where it is not, the reply is cut here."""


# OpenAI's reasoning models and xAI's refuse `stop`:
# https://platform.openai.com/docs/guides/reasoning, https://docs.x.ai/docs/guides/reasoning
_FAMILIES: tuple[tuple[re.Pattern[str], ModelFacts], ...] = (
    (re.compile(r"o[134](-\w+)*(-\d{4}-\d{2}-\d{2})?"), ModelFacts(accepts_stop=False)),
    (re.compile(r"gpt-[5-9](\.\d+)?([-.].*)?"), ModelFacts(accepts_stop=False)),
    (re.compile(r"grok-(3-mini|[4-9]|code).*"), ModelFacts(accepts_stop=False)),
)
_UNKNOWN = ModelFacts()


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
