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


def add_cost(usage: TokenUsage | None, model_id: str | None, seller: str | None) -> None:
    """Set the cost of a usage, unless it has one or the price is not known."""
    if usage is not None and usage.cost is None:
        usage.cost = cost_of(usage, model_id, seller)


def cost_of(usage: TokenUsage, model_id: str | None, seller: str | None) -> float | None:
    """What a call cost in US dollars.

    Args:
        usage: Its tokens.
        model_id: The model's name at the seller.
        seller: Who sells the call: the URL of the API, such as "https://api.openai.com/v1", or "litellm" for whom
            LiteLLM's name of the model says. One model has other prices elsewhere, and none on one's own server.

    Returns:
        The cost; None if no table of prices is installed, or it does not have the seller or the model.
    """
    if not model_id or not seller:
        return None
    if seller != "litellm":
        cost = _by_genai_prices(usage, model_id, seller)
        if cost is not None:
            return cost
    prices = _litellm_prices(model_id, seller)
    return None if prices is None else _by_token(usage, prices)


_BARE_NAMES = ("https://api.openai.com", "https://api.anthropic.com")
"""Sellers whose models LiteLLM's table has by their bare names."""


def _litellm_prices(model_id: str, seller: str) -> dict[str, Any] | None:
    table = getattr(sys.modules.get("litellm"), "model_cost", None)
    if not isinstance(table, dict) or not seller.startswith(("litellm", *_BARE_NAMES)):
        return None
    names = (model_id, model_id.rpartition("/")[2]) if seller == "litellm" else (model_id,)
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


def _by_genai_prices(usage: TokenUsage, model_id: str, seller: str) -> float | None:
    if (model_id, seller) in _NOT_LISTED:
        return None
    table = _genai_prices()
    if table is None:
        return None
    counts = table.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        return float(table.calc_price(counts, model_id, provider_api_url=seller).total_price)
    except LookupError:
        if len(_NOT_LISTED) < 1000:
            _NOT_LISTED.add((model_id, seller))
        return None
    except Exception:  # counts that make no sense, or a table that changed its form: no reason for a call to fail
        return None


_NOT_LISTED: set[tuple[str, str]] = set()
"""Models that the table was asked for in vain; to ask is slow."""


@lru_cache(maxsize=1)
def _genai_prices() -> Any:
    try:
        return import_module("genai_prices")
    except ImportError:
        return None
