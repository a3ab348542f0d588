"""A trace in the terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from smolagents.monitoring.text import clean, fold, one_line
from smolagents.monitoring.trace_reader import SpanRecord, Trace

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["duration", "show", "state_of"]

_LABELS = {
    "invoke_agent": ("agent", "bold magenta"),
    "step": ("", "bold"),
    "plan": ("plan", "bold"),
    "chat": ("model", "blue"),
    "run_code": ("code", "green"),
    "execute_tool": ("tool", "yellow"),
    "send_message": ("sent to", "cyan"),
    "process_message": ("got from", "cyan"),
}


def show(trace: Trace, console: Console, *, whole: bool = False) -> None:
    """Print a trace.

    Args:
        trace: The trace.
        console: Where to.
        whole: Print all of long texts, and what the models were given.
    """
    from rich.rule import Rule
    from rich.text import Text
    from rich.tree import Tree

    if not trace.roots:
        console.print("Nothing is recorded in this trace.")
        return
    agent = trace.agent or trace.roots[0]
    console.print(Rule(Text(f"{clean(agent.name)}: {state_of(agent)}", style="bold"), align="left", style="dim"))
    console.print(Text(clean(trace.task), style="bold"))
    console.print(Text(_totals(trace), style="dim"))
    console.print()
    for root in trace.roots:
        tree = Tree(_label(trace, root, whole), guide_style="dim")
        pending = [(tree, child) for child in reversed(root.children)]
        while pending:
            above, span = pending.pop()
            node = above.add(_label(trace, span, whole))
            pending.extend((node, child) for child in reversed(span.children))
        console.print(tree)
    answer = agent.attributes.get("output")
    if answer is not None:
        console.print(Rule(Text("Answer", style="bold"), align="left", style="dim"))
        console.print(Text(_folded(_text(answer), whole)))


def state_of(agent: SpanRecord) -> str:
    """How a run ended, in words."""
    if agent.ended_at is None:
        return "no end recorded: it runs, or was killed"
    outcome = agent.attributes.get("outcome")
    if agent.error or outcome == "error":
        return "failed"
    return {"max_steps_error": "out of steps", "interrupted": "interrupted"}.get(str(outcome), "finished")


def _totals(trace: Trace) -> str:
    spans = trace.spans.values()
    first = min(span.started_at for span in spans)
    last = max(span.started_at if span.ended_at is None else span.ended_at for span in spans)
    calls = sum(span.kind == "chat" for span in spans)
    steps = sum(span.kind == "step" for span in spans)
    parts = [duration(last - first), _counted(steps, "step"), _counted(calls, "model call")]
    into, out, cost = trace.total("input_tokens"), trace.total("output_tokens"), trace.total("cost")
    if into is not None:
        parts.append(f"{into:,} tokens in, {out or 0:,} out")
    if cost is not None:
        parts.append(f"${cost:.4f}")
    files = len({span.file for span in spans})
    if files > 1:
        parts.append(f"{files} processes")
    return " · ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} m"


def _label(trace: Trace, span: SpanRecord, whole: bool) -> RenderableType:
    from rich.console import Group

    return Group(_line(span), *_content(trace, span, whole))


def _line(span: SpanRecord) -> RenderableType:
    from rich.text import Text

    word, style = _LABELS.get(span.kind, (span.kind, "bold"))
    about = span.attributes
    if span.kind in ("send_message", "process_message"):
        name = _text(about.get("recipient" if span.kind == "send_message" else "sender") or span.name)
    elif span.kind == "step":
        name = f"step {about['number']}" if "number" in about else span.name
    else:
        name = "" if span.kind in ("run_code", "plan") else span.name
    facts = ["no end" if span.duration is None else duration(span.duration)]
    into, out = about.get("input_tokens"), about.get("output_tokens", 0)
    if span.kind == "chat" and isinstance(into, (int, float)) and isinstance(out, (int, float)):
        facts.append(f"{into:,} → {out:,} tokens")
    if isinstance(about.get("cost"), (int, float)) and span.kind == "chat":
        facts.append(f"${about['cost']:.4f}")
    label = " ".join(part for part in (word, one_line(name, 60)) if part)
    call = one_line(_call(about.get("arguments")), 200) if span.kind == "execute_tool" else ""
    return Text.assemble(
        (label, style), call, ("  " + " · ".join(facts), "dim"), ("  failed", "red") if span.error else ""
    )


def _content(trace: Trace, span: SpanRecord, whole: bool) -> Iterable[RenderableType]:
    from rich.syntax import Syntax
    from rich.text import Text

    about = span.attributes
    if span.kind == "chat":
        if whole:
            for message in trace.messages_of(span):
                yield Text.assemble((f"[{clean(str(message.get('role')))}] ", "dim"), clean(_message_text(message)))
        reply = about.get("reply")
        text = _message_text(reply) if isinstance(reply, dict) else _text(reply) or span.texts.get("text", "")
        if not whole and _acts_after(trace, span):
            text = re.sub(r"\s*(?:<code>|```(?:py|python)?\n).*", "", text, flags=re.DOTALL)
        if text:
            yield Text(_folded(text, whole))
    elif span.kind == "run_code":
        code = _folded(_text(about.get("code")), whole)
        yield Syntax(code, "python", theme="ansi_dark", background_color="default", word_wrap=True)
        for name in ("logs", "output"):
            if about.get(name) not in (None, ""):
                yield _titled("printed" if name == "logs" else "value", about[name], whole)
    elif span.kind == "execute_tool":
        if about.get("result") is not None:
            yield _titled("result", about["result"], whole)
    elif span.kind == "plan" and about.get("plan"):
        yield Text(_folded(_text(about["plan"]), whole))
    elif span.kind in ("send_message", "process_message") and about.get("message") is not None:
        message = about["message"]
        yield Text(_folded(_text(message.get("content") if isinstance(message, dict) else message), whole))
    elif span.kind == "invoke_agent" and span.parent_id in trace.spans and about.get("task"):
        yield _titled("task", about["task"], whole)
    images = about.get("images")
    if span.kind == "step" and isinstance(images, list):
        yield Text("\n".join(map(_text, images)), style="dim")
    if span.error and not any(child.error for child in span.children):
        yield Text(_folded(span.error, whole), style="red")


def _acts_after(trace: Trace, span: SpanRecord) -> bool:
    """Whether what a model wrote is shown again, as the code that was run."""
    step = trace.spans.get(span.parent_id or "")
    return step is not None and any(other.kind == "run_code" for other in step.children)


def _call(arguments: Any) -> str:
    if not isinstance(arguments, dict):
        return f"({_text(arguments)})"
    return (
        f"({', '.join(f'{key}={json.dumps(_noted(value), ensure_ascii=False)}' for key, value in arguments.items())})"
    )


def _noted(value: Any) -> Any:
    """The value with a note in the place of each image."""
    if isinstance(value, dict):
        if "$image" in value:
            size = f" {value['width']} by {value.get('height')}" if "width" in value else ""
            return f"[{value.get('note') or 'image' + size}]"
        return {key: _noted(item) for key, item in value.items()}
    return [_noted(item) for item in value] if isinstance(value, list) else value


def _titled(title: str, value: Any, whole: bool) -> RenderableType:
    from rich.text import Text

    text = _folded(_text(value), whole).rstrip("\n")
    return Text.assemble((title + ":", "dim"), "\n" if "\n" in text else " ", text)


def _folded(text: str, whole: bool) -> str:
    text = clean(text)
    return text if whole else fold(text, "--whole shows them")


def _text(value: Any) -> str:
    if value is None:
        return ""
    value = _noted(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _message_text(message: dict[str, Any]) -> str:
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    lines = [
        _text(part.get("text")) if part.get("type") == "text" else f"[{part.get('type', 'part')}]"
        for part in parts
        if isinstance(part, dict)
    ]
    lines += [f"{call.get('name')}({_text(call.get('arguments'))})" for call in message.get("tool_calls") or ()]
    return "\n".join(line for line in lines if line)
