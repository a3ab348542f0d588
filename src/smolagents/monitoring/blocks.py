"""What each kind of message looks like, as plain lines and drawn on a terminal.

A block holds text that is not cleaned yet. Both forms must be fast: a run waits while they are made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from smolagents.monitoring.speaker import speaker
from smolagents.monitoring.text import clean, fold, one_line
from smolagents.types.usage import TokenUsage

if TYPE_CHECKING:
    from smolagents.monitoring.pen import Pen

__all__ = [
    "Block",
    "Call",
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


class Block:
    """One message to a person, from the agent whose turn it is."""

    def __init__(self) -> None:
        self.speaker = speaker.get()

    def plain(self) -> str:
        """The message as lines of text."""
        raise NotImplementedError

    def draw(self, pen: Pen) -> None:
        """Draw the message on a terminal."""
        raise NotImplementedError

    def heading(self, title: str, *, always: bool = False) -> str:
        return one_line(self.speaker.heading(title, always=always), 200)


class Rule(Block):
    """A line across the screen with a title."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = self.heading(title, always=True)

    def plain(self) -> str:
        return f"=== {self.title} ==="

    def draw(self, pen: Pen) -> None:
        pen.rule(self.title, "bold", YELLOW_HEX, "━")


class Task(Block):
    """The task of a run."""

    def __init__(self, content: str, subtitle: str, title: str | None) -> None:
        super().__init__()
        self.content = content
        self.subtitle = one_line(subtitle, 200)
        self.title = one_line(f"New run - {title}" if title else self.speaker.heading("New run", always=True), 200)

    def plain(self) -> str:
        tail = f"\n({self.subtitle})" if self.subtitle else ""
        return f"=== {self.title} ===\n{clean(self.content).strip()}{tail}"

    def draw(self, pen: Pen) -> None:
        # The task of a called agent holds much that was not written for people.
        style = "" if self.speaker.depth else "bold"
        pen.box(self.title, [(clean(self.content).strip(), style)], self.subtitle, YELLOW_HEX)


class Code(Block):
    """Python code."""

    def __init__(self, title: str, content: str) -> None:
        super().__init__()
        self.title = self.heading(title)
        self.content = content

    def plain(self) -> str:
        return f"--- {self.title} ---\n{clean(self.content).rstrip()}"

    def draw(self, pen: Pen) -> None:
        from smolagents.monitoring.highlight import python

        # No frame: the code can be selected with the mouse and pasted as it is.
        pen.rule(self.title, "bold", "dim")
        pen.text(*python(clean(self.content).rstrip()))


class Call(Block):
    """A call of a tool."""

    def __init__(self, call: str) -> None:
        super().__init__()
        self.title = self.heading("Tool call")
        self.call = call

    def plain(self) -> str:
        return f"--- {self.title} ---\n{clean(self.call)}"

    def draw(self, pen: Pen) -> None:
        from smolagents.monitoring.highlight import python

        pen.text((f"{self.title}: ", "bold"), *python(clean(self.call)))


class Markdown(Block):
    """A model's words. Shown as written, tags and all, since a renderer would swallow what it takes for HTML."""

    def __init__(self, content: str, title: str | None, style: str) -> None:
        super().__init__()
        self.content = content
        self.title = self.heading(title) if title else None
        self.style = style

    def plain(self) -> str:
        content = clean(self.content).strip()
        return f"--- {self.title} ---\n{content}" if self.title else content

    def draw(self, pen: Pen) -> None:
        from smolagents.monitoring.highlight import markdown

        if self.title:
            pen.text((self.title, f"bold italic {self.style}"))
        pen.text(*markdown(clean(self.content).strip()))


class Output(Block):
    """What running an action gave: an observation or a printed text.

    Args:
        content: The text.
        title: What it is.
        whole: Show all of a long text.
        images: Images that belong to it.
        style: A rich style for the text.
        hint: How to see what is hidden of a long text.
    """

    def __init__(
        self,
        content: object,
        title: str,
        whole: bool,
        images: Sequence[Any] = (),
        style: str = "",
        hint: str = "",
    ) -> None:
        super().__init__()
        self.content = content
        self.title = self.heading(title)
        self.whole = whole
        self.images = images
        self.style = style
        self.hint = hint

    def _text(self) -> str:
        text = clean(self.content).strip("\n").rstrip()
        text = text if self.whole else fold(text, self.hint)
        noted = "\n".join(map(_image_note, self.images))
        return f"{text}\n{noted}" if text and noted else text or noted

    def plain(self) -> str:
        text = self._text()
        return f"{self.title}:{_gap(text)}{text}"

    def draw(self, pen: Pen) -> None:
        _titled(pen, self.title, self._text(), "bold", self.style)


def _image_note(image: Any) -> str:
    """Says of an image that it is there, and how large."""
    size = getattr(image, "size", None)
    return f"[image of {size[0]} x {size[1]} pixels]" if isinstance(size, tuple) and len(size) == 2 else "[image]"


def _gap(text: str) -> str:
    return "\n" if "\n" in text else " "


def _titled(pen: Pen, title: str, text: str, title_style: str, style: str) -> None:
    if "\n" in text:
        pen.rule(title, title_style, "dim")
        pen.text((text, style))
    else:
        pen.text((f"{title}: ", title_style), (text, style))


class Problem(Block):
    """An error."""

    def __init__(self, message: str) -> None:
        super().__init__()
        self.title = self.heading("Error")
        self.message = message

    def plain(self) -> str:
        text = clean(self.message).strip()
        return f"{self.title}:{_gap(text)}{text}"

    def draw(self, pen: Pen) -> None:
        _titled(pen, self.title, clean(self.message).strip(), "bold red", "red")


class Metrics(Block):
    """Time, tokens and price of one step, on one line."""

    def __init__(self, step_number: int | None, duration: float | None, usage: TokenUsage | None) -> None:
        super().__init__()
        self.label = self.heading("Plan" if step_number is None else f"Step {step_number}", always=True)
        self.duration = duration
        self.usage = usage

    def plain(self) -> str:
        return f"[{self.label}: {' | '.join(self._facts())}]"

    def draw(self, pen: Pen) -> None:
        line, *others = self._facts()
        lines, line = [], f"[{self.label}: {line}"
        for fact in others:
            if len(line) + len(fact) + 5 > pen.width:  # a line ends between two facts, not within one
                lines.append(line + " |")
                line = " " + fact
            else:
                line += f" | {fact}"
        pen.text(("\n".join([*lines, line + "]"]), "dim"))

    def _facts(self) -> Iterable[str]:
        yield "Duration " + ("unknown" if self.duration is None else f"{self.duration:.2f} seconds")
        if self.usage is None:
            yield "Tokens: unknown"
            return
        cached, cost = self.usage.cached_input_tokens, self.usage.cost
        yield f"Input tokens: {self.usage.input_tokens:,}{f' ({cached:,} cached)' if cached else ''}"
        yield f"Output tokens: {self.usage.output_tokens:,}"
        if cost is not None:
            yield f"Cost: ${cost:.4f}"


class Messages(Block):
    """Messages as a model is sent them."""

    def __init__(self, messages: Iterable[Any]) -> None:
        super().__init__()
        self.parts = [(clean(str(message["role"])), clean(_message_text(message))) for message in messages]

    def plain(self) -> str:
        return "\n".join(f"--- {role} ---\n{text}" for role, text in self.parts)

    def draw(self, pen: Pen) -> None:
        for role, text in self.parts:
            pen.text((role, f"bold {YELLOW_HEX}"))
            pen.text((text, ""), indent=2)


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
        kind = part.get("type", "unknown part")
        return (
            str(part["text"]) if kind == "text" else _image_note(part.get("image")) if kind == "image" else f"[{kind}]"
        )
    return str(part)
