"""What models share whose API takes a conversation as blocks: Anthropic's own, and Bedrock's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smolagents.models.base import Messages
from smolagents.models.blocks import calls_as_parts
from smolagents.models.wire import WireModel

__all__ = ["BlocksModel"]


class BlocksModel(WireModel):
    """Base of models to which calls of tools, and their results, go back as blocks of messages."""

    _gives_reasons = True

    def _parameters(
        self,
        messages: Messages,
        stop_sequences: list[str] | None,
        response_format: dict[str, str] | None,
        tools_to_call_from: list[Any] | None,
        kwargs: Mapping[str, Any],
        stream: bool = False,
    ) -> dict[str, Any]:
        messages = calls_as_parts(messages, bool(tools_to_call_from)) if messages else messages
        return super()._parameters(messages, stop_sequences, response_format, tools_to_call_from, kwargs, stream)

    def _fit(self, parameters: dict[str, Any]) -> dict[str, Any]:
        fit = super()._fit(parameters)
        if "stop" in fit:
            # These APIs refuse stop sequences of white space alone; the reply is cut at them here.
            stops = [fit["stop"]] if isinstance(fit["stop"], str) else fit["stop"]
            fit["stop"] = [stop for stop in stops if stop.strip()]
            if not fit["stop"]:
                del fit["stop"]
        return fit
