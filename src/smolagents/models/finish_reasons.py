"""Why a model stopped, in one set of words for all providers."""

from __future__ import annotations

__all__ = ["normalized_finish_reason"]

_WORDS = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "finish": "stop",
    "complete": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_length": "length",
    "max_output_tokens": "length",
    "max_new_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "incomplete": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "prohibited_content": "content_filter",
    "error_toxic": "content_filter",
}


def normalized_finish_reason(word: object) -> str | None:
    """The provider's word as "stop", "length", "tool_calls" or "content_filter"; a word not known here stays as it is."""
    if word is None or word == "":
        return None
    text = str(getattr(word, "value", word))
    return _WORDS.get(text.lower(), text)
