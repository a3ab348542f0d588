"""Tool calls in the markup that model families write them in when a server passes it on unread."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from typing import Any

from smolagents.models.lenient_json import read_value

__all__ = ["calls_in_markup", "calls_in_python"]

_HINT = re.compile(r"<function=|<invoke\b|<arg_key>|\[TOOL_CALLS\]|tool_call_begin|tool▁call▁begin|to=functions\.")

# <function=name>{…}</function>, or with <parameter=key>value</parameter> in it (Llama, Qwen Coder)
_FUNCTION = re.compile(r"<function=([^>\s]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>]+)>(.*?)</parameter>", re.DOTALL)
# <invoke name="name"><parameter name="key">value</parameter></invoke> (MiniMax and others)
_INVOKE = re.compile(r"<invoke\s+name=[\"']?([^\"'>]+)[\"']?\s*>(.*?)(?:</invoke>|\Z)", re.DOTALL)
_NAMED_PARAMETER = re.compile(r"<parameter\s+name=[\"']?([^\"'>]+)[\"']?[^>]*>(.*?)</parameter>", re.DOTALL)
# <tool_call>name<arg_key>key</arg_key><arg_value>value</arg_value></tool_call> (GLM)
_TOOL_CALL = re.compile(r"<tool_call>\s*([\w.-]+)\s*(<arg_key>.*?)(?:</tool_call>|\Z)", re.DOTALL)
_ARGUMENT = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
# A name, then its arguments as JSON (Mistral; Kimi; DeepSeek; gpt-oss)
_BEFORE_JSON = re.compile(
    r"\[TOOL_CALLS\]\s*([\w.-]+)\s*(?:\[CALL_ID\]\s*[\w-]+\s*)?(?:\[ARGS\])?\s*(?=\{)"
    r"|tool_call_begin\|>\s*(?:functions\.)?([\w.-]+?)(?::\d+)?\s*<\|tool_call_argument_begin\|>\s*(?=\{)"
    r"|tool▁call▁begin\uff5c>(?:function<\uff5ctool▁sep\uff5c>)?([\w.-]+)(?:<\uff5ctool▁sep\uff5c>)?\s*(?:```(?:json)?\s*)?(?=\{)"
    r"|to=functions\.([\w.-]+)[^{]{0,80}?<\|message\|>\s*(?=\{)"
)


def calls_in_markup(text: str) -> list[tuple[str, Any]]:
    """Names and arguments of the calls that a text has in markup, in their order; none where there is no markup."""
    if _HINT.search(text) is None:
        return []
    found = [
        *_with_parameters(text, _FUNCTION, _PARAMETER),
        *_with_parameters(text, _INVOKE, _NAMED_PARAMETER),
        *_with_parameters(text, _TOOL_CALL, _ARGUMENT),
    ]
    for head in _BEFORE_JSON.finditer(text):
        try:
            arguments, _ = read_value(text, head.end())
        except ValueError:
            continue
        found.append((head.start(), next(name for name in head.groups() if name), arguments))
    return [(name, arguments) for _, name, arguments in sorted(found, key=lambda call: call[0])]


def _with_parameters(
    text: str, call: re.Pattern[str], parameter: re.Pattern[str]
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for match in call.finditer(text):
        name, body = match[1].strip(), match[2]
        start = body.find("{")
        if start >= 0 and not body[:start].strip():
            try:
                arguments, _ = read_value(body, start)
            except ValueError:
                continue
        else:
            arguments = {key.strip(): _value(value) for key, value in parameter.findall(body)}
            if not arguments and body.strip():
                continue
        if name:
            yield match.start(), name, arguments


def _value(text: str) -> Any:
    """A value between tags: JSON where it is a number, a list or the like, else the text itself."""
    text = text.removeprefix("\n").removesuffix("\n")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, str) else value


_FENCE = re.compile(r"\A```\w*\n(.*?)\n?```\Z", re.DOTALL)
_PYTHON_CALL = re.compile(r"\A\[?\s*[A-Za-z_][\w.]*\s*\(")


def calls_in_python(text: str) -> list[tuple[str, Any]]:
    """Names and arguments of the calls, where the whole text is Python calls: `[weather(city="Paris")]`."""
    text = text.strip().removeprefix("<|python_start|>").removesuffix("<|python_end|>").strip()
    fenced = _FENCE.match(text)
    if fenced:
        text = fenced[1].strip()
    if len(text) > 20_000 or _PYTHON_CALL.match(text) is None:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text, mode="eval").body
        calls = body.elts if isinstance(body, ast.List) else [body]
        return [_python_call(call) for call in calls]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return []


def _python_call(call: ast.expr) -> tuple[str, Any]:
    if not isinstance(call, ast.Call) or call.args or not all(keyword.arg for keyword in call.keywords):
        raise ValueError("no call with named arguments")
    values = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    return ast.unparse(call.func), values
