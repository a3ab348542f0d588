"""What a call cost, by a maintained table of prices.

The table is that of `litellm` where it is loaded already, or of `genai-prices`, which the extra "prices" installs.
Neither is loaded for any other reason, and without both no cost is known.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import import_module
from typing import Any

from smolagents.types.usage import TokenUsage

__all__ = ["add_cost", "cost_of"]


def add_cost(usage: TokenUsage | None, model_id: str | None, provider: str | None = None) -> None:
    """Set the cost of a usage, unless it has one or the price is not known."""
    if usage is not None and usage.cost is None:
        usage.cost = cost_of(usage, model_id, provider)


def cost_of(usage: TokenUsage, model_id: str | None, provider: str | None = None) -> float | None:
    """What a call cost in US dollars.

    Args:
        usage: Its tokens.
        model_id: The model, with or without a provider's name before it.
        provider: Name of the provider, such as "openai" or "anthropic"; None to go by the model's name.

    Returns:
        The cost; None if no table of prices is installed, or the model is not in it.
    """
    if not model_id:
        return None
    prices = _litellm_prices(model_id, provider)
    if prices is not None:
        return _by_token(usage, prices)
    return _by_genai_prices(usage, model_id, provider)


def _litellm_prices(model_id: str, provider: str | None) -> dict[str, Any] | None:
    table = getattr(sys.modules.get("litellm"), "model_cost", None)
    if not isinstance(table, dict):
        return None
    names = [f"{provider}/{model_id}", model_id] if provider else [model_id]
    names.append(model_id.rpartition("/")[2])
    found = next((table[name] for name in names if name in table), None)
    return found if isinstance(found, dict) and found.get("input_cost_per_token") is not None else None


def _by_token(usage: TokenUsage, prices: dict[str, Any]) -> float:
    cached, written = usage.cached_input_tokens or 0, usage.cache_write_tokens or 0
    each = float(prices["input_cost_per_token"])
    return (
        (usage.input_tokens - cached - written) * each
        + cached * float(prices.get("cache_read_input_token_cost") or each)
        + written * float(prices.get("cache_creation_input_token_cost") or each)
        + usage.output_tokens * float(prices.get("output_cost_per_token") or 0)
    )


def _by_genai_prices(usage: TokenUsage, model_id: str, provider: str | None) -> float | None:
    table = _genai_prices()
    if table is None or (model_id, provider) in _NOT_LISTED:
        return None
    counts = table.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    for ref, name in ((model_id, provider), (model_id.rpartition("/")[2], provider)):
        try:
            return float(table.calc_price(counts, ref, provider_id=name).total_price)
        except LookupError:
            continue
        except Exception:  # a table that changed its form is no reason for a call to fail
            return None
    _NOT_LISTED.add((model_id, provider))
    return None


_NOT_LISTED: set[tuple[str, str | None]] = set()
"""Models that the table was asked for in vain; to ask is slow."""


@lru_cache(maxsize=1)
def _genai_prices() -> Any:
    try:
        return import_module("genai_prices")
    except ImportError:
        return None
