"""Prompt templates: their shape, their defaults, and rendering them.

Templates may come from someone else, with an agent loaded from a folder or the Hub. They are rendered in a
sandbox, and are given views of the tools rather than the tools, so that rendering one can run nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypedDict, cast

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = [
    "FinalAnswerPromptTemplate",
    "ManagedAgentPromptTemplate",
    "PlanningPromptTemplate",
    "PromptTemplates",
    "copy_templates",
    "default_templates",
    "populate_template",
    "view",
]


class PlanningPromptTemplate(TypedDict):
    """Templates of the planning step."""

    plan: str
    """Asks for the first plan."""
    update_plan_pre_messages: str
    """Stands before the messages of the work so far."""
    update_plan_post_messages: str
    """Stands after them, and asks for a new plan."""


class ManagedAgentPromptTemplate(TypedDict):
    """Templates of an agent that another agent calls."""

    task: str
    """Wraps the task it is given."""
    report: str
    """Wraps the answer it gives."""


class FinalAnswerPromptTemplate(TypedDict):
    """Templates for the answer that is asked for when the steps are used up."""

    pre_messages: str
    post_messages: str


class PromptTemplates(TypedDict):
    """All templates of an agent."""

    system_prompt: str
    planning: PlanningPromptTemplate
    managed_agent: ManagedAgentPromptTemplate
    final_answer: FinalAnswerPromptTemplate


_PARTS: dict[str, type] = {
    "planning": PlanningPromptTemplate,
    "managed_agent": ManagedAgentPromptTemplate,
    "final_answer": FinalAnswerPromptTemplate,
}


def copy_templates(templates: Mapping[str, Any]) -> PromptTemplates:
    """A copy of `templates` that its owner may change.

    Raises:
        ValueError: a template is missing, named in the message.
        TypeError: a template is not text.
    """
    if not isinstance(templates, Mapping):
        raise TypeError(f"prompt_templates must be a dictionary of templates, not {type(templates).__name__}")
    templates = _with_current_names(templates)
    wanted = [("system_prompt",), *((part, key) for part, shape in _PARTS.items() for key in shape.__annotations__)]
    missing = [path for path in wanted if _at(templates, path) is None]
    if missing:
        names = ", ".join("".join(f"[{key!r}]" for key in path) for path in missing)
        raise ValueError(
            f"prompt_templates lacks {names}. Start from a copy of the defaults, "
            "agent.prompt_templates, and change what you need."
        )
    for path in wanted:
        if not isinstance(_at(templates, path), str):
            raise TypeError(f"prompt_templates{''.join(f'[{key!r}]' for key in path)} must be a string")
    copied = {key: dict(value) if isinstance(value, Mapping) else value for key, value in templates.items()}
    return cast("PromptTemplates", copied)


def _with_current_names(templates: Mapping[str, Any]) -> Mapping[str, Any]:
    """`templates` with `planning.plan`, which has also gone by the name `initial_plan`."""
    planning = templates.get("planning")
    if isinstance(planning, Mapping) and "plan" not in planning and "initial_plan" in planning:
        return {**templates, "planning": {**planning, "plan": planning["initial_plan"]}}
    return templates


def _at(templates: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = templates
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


@lru_cache(maxsize=16)
def default_templates(name: str) -> PromptTemplates:
    """The templates of `prompts/shared.yaml` and `prompts/{name}.yaml`. One object for all: copy before changing."""
    return copy_templates({**_read("shared"), **_read(name)})


@lru_cache(maxsize=16)
def _read(name: str) -> dict[str, Any]:
    from importlib.resources import files

    import yaml

    text = files("smolagents.prompts").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return cast("dict[str, Any]", yaml.safe_load(text))


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)


@lru_cache(maxsize=256)
def _compiled(template: str) -> Any:
    return _environment().from_string(template)


def populate_template(template: str, variables: dict[str, Any]) -> str:
    """Render a Jinja template in a sandbox.

    Args:
        template: Text of the template.
        variables: Values by the names the template uses.

    Raises:
        ValueError: the template is malformed, uses a name that is not in `variables`, or does what the sandbox forbids.
    """
    from jinja2 import TemplateError

    try:
        return cast("str", _compiled(template).render(variables))
    except TemplateError as error:
        start = template[:60].replace("\n", " ")
        raise ValueError(f"cannot render the prompt template {start!r}…: {type(error).__name__}: {error}") from error
    except Exception as error:  # an expression in a template may fail in any way
        raise ValueError(f"cannot render the prompt template: {type(error).__name__}: {error}") from error


class _View:
    """What a template may know of a tool or an agent."""

    __slots__ = ("_code", "_json", "description", "inputs", "name", "output_type")

    def __init__(self, source: Any) -> None:
        self.name = source.name
        self.description = source.description
        self.inputs = source.inputs
        self.output_type = source.output_type
        self._code = source.to_code_prompt
        self._json = source.to_tool_calling_prompt

    def to_code_prompt(self) -> str:
        return cast("str", self._code())

    def to_tool_calling_prompt(self) -> str:
        return cast("str", self._json())

    def __str__(self) -> str:
        return f"{self.name}: {self.description}"


def view(sources: Mapping[str, Any]) -> dict[str, _View]:
    """Views of tools or agents, for templates."""
    return {name: _View(source) for name, source in sources.items()}
