"""A picture of an agent: its tools and its team."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from smolagents.monitoring.blocks import YELLOW_HEX, Block
from smolagents.monitoring.text import clean, one_line

if TYPE_CHECKING:
    from smolagents.monitoring.pen import Pen

__all__ = ["AgentTree"]


class AgentTree(Block):
    """An agent with its tools and the agents it manages.

    The agent is read by its attributes: `name`, `description`, `model.model_id`, `tools`, `managed_agents` and
    `additional_authorized_imports`, each of which may be absent.
    """

    def __init__(self, agent: Any) -> None:
        super().__init__()
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

    def draw(self, pen: Pen) -> None:
        from rich.tree import Tree

        tree = Tree("", hide_root=True)
        self._grow(self.agent, tree, None, ())
        pen.place(tree)

    def _grow(self, agent: Any, parent: Any, name: str | None, above: tuple[int, ...]) -> None:
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
            self._grow(managed, node, key, (*above, id(agent)))


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
