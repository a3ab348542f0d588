"""Questions that a server has for the user while a tool runs."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ElicitationRequest", "ask_handler", "ask_on_console"]


@dataclass(frozen=True)
class ElicitationRequest:
    """What a server asks."""

    server: str
    """Name of the server that asks."""
    message: str
    """What it asks, for the user."""
    schema: dict[str, Any] | None = None
    """JSON schema of the answer, an object of plain fields; None where the user is to visit `url`."""
    url: str | None = None
    """A page that the user is to visit, for what must not pass through this program."""


async def ask_handler(handler: Callable[[ElicitationRequest], Any], request: ElicitationRequest) -> tuple[str, Any]:
    """Ask a handler, in a thread if it is synchronous.

    Returns:
        "accept" with the fields, "decline", or "cancel" where the handler failed.
    """
    import asyncio
    import logging

    try:
        if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004
            answer = await handler(request)
        else:
            answer = await asyncio.to_thread(handler, request)
            if inspect.isawaitable(answer):
                answer = await answer
    except Exception:
        logging.getLogger("smolagents.mcp").exception("the handler of questions failed on %r", request.message)
        return "cancel", None
    if isinstance(answer, Mapping):
        return "accept", dict(answer)
    return ("accept", {} if request.url is None else None) if answer is True else ("decline", None)


def ask_on_console(request: ElicitationRequest) -> dict[str, Any] | bool | None:
    """Ask the user in the terminal, field by field; without a terminal, decline.

    Returns:
        The fields, None if the user declines; True if the user agrees to visit a page.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    from smolagents.monitoring import pause_live

    with pause_live():
        try:
            return _converse(request)
        except EOFError:
            print()
            return None


def _converse(request: ElicitationRequest) -> dict[str, Any] | bool | None:
    print(f"\nThe server '{request.server}' asks: {request.message}")
    if request.url is not None:
        print(f"It wants you to visit: {request.url}")
        return _agrees("Done, or willing to? [y/N] ")
    properties: Mapping[str, Any] = (request.schema or {}).get("properties") or {}
    if not properties:
        return {} if _agrees("Agree? [y/N] ") else None
    print("(Leave empty to skip what is optional; Ctrl-D declines.)")
    required = (request.schema or {}).get("required") or ()
    answer: dict[str, Any] = {}
    for name, spec in properties.items():
        while True:
            text = input(f"  {_described(name, spec, name in required)}: ").strip()
            if not text:
                if spec.get("default") is not None:
                    answer[name] = spec["default"]
                elif name in required:
                    print("  This is needed.")
                    continue
                break
            try:
                answer[name] = read_field(text, spec)
            except ValueError as error:
                print(f"  {error}")
                continue
            break
    return answer


def _agrees(question: str) -> bool:
    return input(question).strip().lower() in ("y", "yes")


def _choices(spec: Mapping[str, Any]) -> list[Any]:
    found = spec.get("enum")
    if isinstance(found, list):
        return found
    return [each.get("const") for each in spec.get("oneOf") or spec.get("anyOf") or () if "const" in each]


def _described(name: str, spec: Mapping[str, Any], required: bool) -> str:
    words = spec.get("title") or name
    if spec.get("description"):
        words += f" — {spec['description']}"
    choices = _choices(spec.get("items") or spec)
    kind = ", ".join(map(str, choices)) if choices else spec.get("type", "text")
    default = f", default {spec['default']}" if spec.get("default") is not None else ""
    return f"{words} ({kind}{default}{'' if required else ', optional'})"


def read_field(text: str, spec: Mapping[str, Any]) -> Any:
    """What a user typed, as a field's schema wants it.

    Raises:
        ValueError: it does not fit.
    """
    kind = spec.get("type", "string")
    if kind == "boolean":
        if text.lower() in ("y", "yes", "true", "1"):
            return True
        if text.lower() in ("n", "no", "false", "0"):
            return False
        raise ValueError("Write yes or no.")
    if kind in ("integer", "number"):
        try:
            number: Any = json.loads(text)
        except ValueError:
            number = None
        if isinstance(number, bool) or not isinstance(number, int if kind == "integer" else (int, float)):
            raise ValueError(f"Write {'a whole number' if kind == 'integer' else 'a number'}.")
        low, high = spec.get("minimum"), spec.get("maximum")
        if (low is not None and number < low) or (high is not None and number > high):
            raise ValueError(
                f"Write a number from {low if low is not None else '…'} to {high if high is not None else '…'}."
            )
        return number
    if kind == "array":
        return [read_field(each.strip(), spec.get("items") or {}) for each in text.split(",") if each.strip()]
    choices = _choices(spec)
    if choices and text not in choices:
        raise ValueError(f"Write one of: {', '.join(map(str, choices))}.")
    return text
