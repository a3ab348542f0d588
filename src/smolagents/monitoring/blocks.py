"""What each kind of message looks like, as plain lines and as a rich renderable.

A block holds text that is not cleaned yet. `plain()` must be fast: it runs at every step of every run whose output
goes to a file. `rich()` may import rich.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from smolagents.monitoring.text import clean, fold, one_line
from smolagents.types.usage import TokenUsage

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "AgentTree",
    "Block",
    "Code",
    "Markdown",
    "Messages",
    "Metrics",
    "Output",
    "Problem",
    "Rule",
    "Task",
    "YELLOW_HEX",
]

YELLOW_HEX = "#d4b702"
_CODE_THEME = "ansi_dark"  # the terminal's own colours, so it reads on whatever background the user chose


class Block(Protocol):
    """One message to a person."""

    def plain(self) -> str: ...

    def rich(self) -> RenderableType: ...


class Rule:
    """A line across the screen with a title."""

    def __init__(self, title: str) -> None:
        self.title = title

    def plain(self) -> str:
        return f"=== {one_line(self.title, 200)} ==="

    def rich(self) -> RenderableType:
        from rich.rule import Rule as RichRule
        from rich.text import Text

        return RichRule(Text(one_line(self.title, 200), style="bold"), characters="━", style=YELLOW_HEX)


class Task:
    """The task of a run."""

    def __init__(self, content: str, subtitle: str, title: str | None) -> None:
        self.content = content
        self.subtitle = subtitle
        self.title = f"New run - {title}" if title else "New run"

    def plain(self) -> str:
        tail = f"\n({one_line(self.subtitle, 200)})" if self.subtitle else ""
        return f"=== {one_line(self.title, 200)} ===\n{clean(self.content).strip()}{tail}"

    def rich(self) -> RenderableType:
        from rich.panel import Panel
        from rich.text import Text

        return Panel(
            Text(clean(self.content).strip(), style="bold"),
            title=Text(one_line(self.title, 200), style=f"bold {YELLOW_HEX}"),
            title_align="left",
            subtitle=Text(one_line(self.subtitle, 200), style="dim") if self.subtitle else None,
            subtitle_align="left",
            border_style=YELLOW_HEX,
            padding=(0, 1),
        )


class Code:
    """Python code."""

    def __init__(self, title: str, content: str) -> None:
        self.title = title
        self.content = content

    def plain(self) -> str:
        return f"--- {one_line(self.title, 200)} ---\n{clean(self.content).rstrip()}"

    def rich(self) -> RenderableType:
        from rich import box
        from rich.panel import Panel
        from rich.syntax import Syntax
        from rich.text import Text

        code = Syntax(
            clean(self.content).rstrip(), "python", theme=_CODE_THEME, background_color="default", word_wrap=True
        )
        # No vertical bars: the code can be selected with the mouse and pasted as it is.
        return Panel(
            code,
            title=Text(one_line(self.title, 200), style="bold"),
            title_align="left",
            box=box.HORIZONTALS,
            border_style="dim",
            padding=(0, 1),
        )


class Markdown:
    """A model's words. Shown as written, tags and all, since a renderer would swallow what it takes for HTML."""

    def __init__(self, content: str, title: str | None, style: str) -> None:
        self.content = content
        self.title = title
        self.style = style

    def plain(self) -> str:
        content = clean(self.content).strip()
        return f"--- {one_line(self.title, 200)} ---\n{content}" if self.title else content

    def rich(self) -> RenderableType:
        from rich.console import Group
        from rich.rule import Rule as RichRule
        from rich.syntax import Syntax
        from rich.text import Text

        content = Syntax(
            clean(self.content).strip(), "markdown", theme=_CODE_THEME, background_color="default", word_wrap=True
        )
        if not self.title:
            return content
        title = Text(one_line(self.title, 200), style="bold italic")
        return Group(RichRule(title, align="left", style=self.style), content)


class Output:
    """What running an action gave: an observation or a printed text."""

    def __init__(self, content: object, title: str, whole: bool, images: int = 0, style: str = "") -> None:
        self.content = content
        self.title = one_line(title, 200)
        self.whole = whole
        self.images = images
        self.style = style

    def _text(self) -> str:
        text = clean(self.content).strip("\n").rstrip()
        text = text if self.whole else fold(text)
        if self.images:
            noted = f"[{self.images} image{'s' if self.images > 1 else ''}]"
            text = f"{text}\n{noted}" if text else noted
        return text

    def plain(self) -> str:
        text = self._text()
        return f"{self.title}:{_gap(text)}{text}"

    def rich(self) -> RenderableType:
        from rich.text import Text

        text = self._text()
        return Text.assemble((self.title + ":", "bold"), _gap(text), (text, self.style))


def _gap(text: str) -> str:
    return "\n" if "\n" in text else " "


class Problem:
    """An error."""

    def __init__(self, message: str) -> None:
        self.message = message

    def plain(self) -> str:
        return f"Error: {clean(self.message).strip()}"

    def rich(self) -> RenderableType:
        from rich.text import Text

        text = clean(self.message).strip()
        return Text.assemble(("Error:", "bold red"), _gap(text), (text, "red"))


class Metrics:
    """Time and tokens of one step, on one line."""

    def __init__(self, step_number: int | None, duration: float | None, usage: TokenUsage | None) -> None:
        self.step_number = step_number
        self.duration = duration
        self.usage = usage

    def plain(self) -> str:
        label = "Plan" if self.step_number is None else f"Step {self.step_number}"
        took = "unknown" if self.duration is None else f"{self.duration:.2f} seconds"
        if self.usage is None:
            return f"[{label}: Duration {took} | Tokens: unknown]"
        cached, cost = self.usage.cached_input_tokens, self.usage.cost
        return (
            f"[{label}: Duration {took} | Input tokens: {self.usage.input_tokens:,}"
            f"{f' ({cached:,} cached)' if cached else ''} | Output tokens: {self.usage.output_tokens:,}"
            f"{'' if cost is None else f' | Cost: ${cost:.4f}'}]"
        )

    def rich(self) -> RenderableType:
        from rich.text import Text

        return Text(self.plain(), style="dim")


class Messages:
    """Messages as a model is sent them."""

    def __init__(self, messages: Iterable[Any]) -> None:
        self.parts = [(str(message["role"]), _message_text(message)) for message in messages]

    def plain(self) -> str:
        return "\n".join(f"--- {clean(role)} ---\n{clean(text)}" for role, text in self.parts)

    def rich(self) -> RenderableType:
        from rich.console import Group
        from rich.padding import Padding
        from rich.text import Text

        rows: list[RenderableType] = []
        for role, text in self.parts:
            rows.append(Text(clean(role), style=f"bold {YELLOW_HEX}"))
            rows.append(Padding(Text(clean(text)), (0, 0, 0, 2)))
        return Group(*rows)


def _message_text(message: Any) -> str:
    content = message["content"]
    if content is None:
        text = ""
    elif isinstance(content, str):
        text = content
    else:
        text = "\n".join(_part_text(part) for part in content)
    calls = message.get("tool_calls")
    for call in calls or ():
        function = call["function"] if isinstance(call, dict) else call.function
        name, arguments = (
            (function["name"], function["arguments"])
            if isinstance(function, dict)
            else (function.name, function.arguments)
        )
        shown = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, default=str)
        text += f"{chr(10) if text else ''}-> {name}({shown})"
    return text


def _part_text(part: Any) -> str:
    if isinstance(part, dict):
        return str(part["text"]) if part.get("type") == "text" else f"[{part.get('type', 'unknown part')}]"
    return str(part)


class AgentTree:
    """An agent with its tools and the agents it manages.

    The agent is read by its attributes: `name`, `description`, `model.model_id`, `tools`, `managed_agents` and
    `additional_authorized_imports`, each of which may be absent.
    """

    def __init__(self, agent: Any) -> None:
        self.agent = agent

    def plain(self) -> str:
        lines: list[str] = []
        self._plain(self.agent, lines, "", None, ())
        return "\n".join(lines)

    def _plain(self, agent: Any, lines: list[str], indent: str, name: str | None, above: tuple[int, ...]) -> None:
        lines.append(indent + _agent_title(agent, name))
        indent += "  "
        if id(agent) in above:
            lines.append(indent + "(shown above)")
            return
        lines.extend(indent + fact for fact in _agent_facts(agent))
        for tool_name, inputs, description in _tool_rows(agent):
            lines.append(f"{indent}- {tool_name}({inputs}): {description}")
        for key, managed in _named(agent, "managed_agents"):
            self._plain(managed, lines, indent, key, (*above, id(agent)))

    def rich(self) -> RenderableType:
        from rich.tree import Tree

        tree = Tree("", hide_root=True)
        self._rich(self.agent, tree, None, ())
        return tree

    def _rich(self, agent: Any, parent: Any, name: str | None, above: tuple[int, ...]) -> None:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        head = Text(_agent_title(agent, name), style=f"bold {YELLOW_HEX}")
        if id(agent) in above:
            parent.add(Group(head, Text("(shown above)", style="dim")))
            return
        node = parent.add(Group(head, *(Text(fact, style="dim") for fact in _agent_facts(agent))))
        rows = _tool_rows(agent)
        if rows:
            table = Table(box=None, pad_edge=False, header_style="bold dim")
            table.add_column("Tool", style="cyan", overflow="fold")
            table.add_column("Inputs", overflow="fold")
            table.add_column("Description", overflow="fold")
            for row in rows:
                table.add_row(*(Text(cell) for cell in row))
            node.add(table)
        for key, managed in _named(agent, "managed_agents"):
            self._rich(managed, node, key, (*above, id(agent)))


def _named(agent: Any, attribute: str) -> Sequence[tuple[str, Any]]:
    value = getattr(agent, attribute, None)
    return list(value.items()) if isinstance(value, Mapping) else []


def _agent_title(agent: Any, name: str | None) -> str:
    name = getattr(agent, "name", None) or name
    kind = type(agent).__name__
    model = getattr(getattr(agent, "model", None), "model_id", None)
    title = f"{name} ({kind})" if name else kind
    return one_line(f"{title} | {model}" if model else title, 200)


def _agent_facts(agent: Any) -> list[str]:
    facts = []
    if description := getattr(agent, "description", None):
        facts.append(clean(str(description)))
    if imports := getattr(agent, "additional_authorized_imports", None):
        facts.append(clean("May import: " + ", ".join(map(str, imports))))
    return facts


def _tool_rows(agent: Any) -> list[tuple[str, str, str]]:
    rows = []
    for name, tool in _named(agent, "tools"):
        inputs = getattr(tool, "inputs", None) or {}
        arguments = ", ".join(f"{key}: {_input_type(schema)}" for key, schema in inputs.items())
        description = one_line(str(getattr(tool, "description", "") or ""), 300)
        rows.append((clean(str(name)), clean(arguments), description))
    return rows


def _input_type(schema: Any) -> str:
    kind = schema.get("type", "any") if isinstance(schema, dict) else "any"
    kind = " or ".join(map(str, kind)) if isinstance(kind, (list, tuple)) else str(kind)
    return f"{kind}, optional" if isinstance(schema, dict) and schema.get("nullable") else kind
