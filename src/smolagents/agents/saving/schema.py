"""The JSON schema of agents' files, made from what the constructors say of their arguments.

`python -m smolagents.agents.saving.schema` prints it; `agent.schema.json` beside this module is its output.
"""

from __future__ import annotations

import json
from typing import Any

from smolagents.agents.saving.migrations import SCHEMA_VERSION
from smolagents.agents.saving.references import KINDS

__all__ = ["SCHEMA_FILE", "build_schema", "schema_text"]

SCHEMA_FILE = "agent.schema.json"

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_ARGUMENTS = {
    "type": "object",
    "description": "Arguments of the constructor. ${NAME} stands for a variable of the environment, $${…} for itself; a "
    "key such as api_key_env holds the name of the variable for api_key.",
}
_NAMED: dict[str, str] = {
    "builtin": "Name of a built-in tool, such as web_search, or of its class.",
    "import": "package.module:Name of a tool, a class of tools, or a function.",
    "file": "file.py:Name of a tool in a file beside the agent's. Without :Name, the last that it defines.",
    "hub": "owner/name of a Space of the Hugging Face Hub that holds a tool.",
    "mcp": "An MCP server: its address; or url, transport, headers; or command, args, env, cwd.",
}
_BESIDE: dict[str, dict[str, Any]] = {
    "arguments": {"$ref": "#/$defs/arguments"},
    "name": {**_TEXT, "description": "What the model calls the tool, in place of its own name."},
    "description": {**_TEXT, "description": "What the model is told of the tool, in place of its own description."},
    "revision": {**_TEXT, "description": "Branch, tag or commit."},
    "subfolder": {**_TEXT, "description": "Folder of the Space in which the tool is."},
    "tools": {**_TEXTS, "description": "Names of those of its tools that the agent gets; by default all."},
}


def _named_tool(kind: str) -> dict[str, Any]:
    value: dict[str, Any] = {"type": ["string", "object"] if kind == "mcp" else "string", "description": _NAMED[kind]}
    properties = {kind: value, **{key: _BESIDE[key] for key in sorted(KINDS[kind])}}
    return {"type": "object", "required": [kind], "properties": properties, "additionalProperties": False}


def _definitions() -> dict[str, Any]:
    saved_tool = {
        "type": "object",
        "description": "A tool with its source, as save writes it.",
        "required": ["name", "code"],
        "properties": {"name": _TEXT, "code": _TEXT, "init": {"$ref": "#/$defs/arguments"}, "attributes": {}},
    }
    tool = {
        "description": "A name: a built-in tool or a file tools/NAME.py; package.module:Name; file.py:Name; owner/name on "
        "the Hub; the address of an MCP server. Or a dictionary that says which, with more.",
        "anyOf": [_TEXT, *map(_named_tool, KINDS), saved_tool],
    }
    model = {
        "description": "Class:model_id, such as OpenAIModel:gpt-5-mini; or the class with its arguments beside it. "
        "Without one, a managed agent has its manager's, and the topmost the default.",
        "anyOf": [
            {"type": "null"},
            _TEXT,
            {
                "type": "object",
                "required": ["class"],
                "properties": {
                    "class": {**_TEXT, "description": "A class of smolagents.models, or of `module`."},
                    "module": {**_TEXT, "description": "Module that defines the class, if it is not the library's."},
                    "data": {**_ARGUMENTS, "description": "Arguments, as save writes them."},
                    "saved": {"type": "boolean"},
                    "same_as_manager": {"type": "boolean"},
                },
                "additionalProperties": {"description": _ARGUMENTS["description"]},
            },
        ],
    }
    member = {
        "description": "An agent, with name and description: as here, or the path of its file or folder.",
        "anyOf": [_TEXT, {"$ref": "#"}],
    }
    skill = {
        "description": "Path of a folder with a SKILL.md.",
        "anyOf": [_TEXT, {"type": "object", "required": ["name", "files"]}],
    }
    templates = {
        "type": ["object", "null"],
        "description": "All prompt templates, as prompts.yaml has them.",
    }
    return {
        "arguments": _ARGUMENTS,
        "tool": tool,
        "model": model,
        "member": member,
        "skill": skill,
        "templates": templates,
    }


def _types(key: str) -> dict[str, Any]:
    from smolagents.agents.saving.settings import kind_of_setting

    kind, may_be_none = kind_of_setting(key)
    found: dict[str, dict[str, Any]] = {
        "a text": _TEXT,
        "a whole number": {"type": "integer"},
        "true or false": {"type": "boolean"},
        "a list of texts": _TEXTS,
        "a dictionary": {"type": "object"},
    }
    schema = dict(found.get(kind, {}))
    if schema and may_be_none:
        schema["type"] = [schema["type"], "null"]
    return schema


def _properties() -> dict[str, dict[str, Any]]:
    from typing import get_args

    from smolagents.agents.base import MultiStepAgent
    from smolagents.agents.code import CodeAgent
    from smolagents.agents.executor_types import ExecutorType
    from smolagents.agents.saving.settings import keys_of
    from smolagents.agents.toolcalling import ToolCallingAgent
    from smolagents.tools.docstrings import parse_docstring

    described: dict[str, str] = {}
    for cls in (CodeAgent, ToolCallingAgent, MultiStepAgent):
        for key, text in parse_docstring(cls.__doc__).arguments.items():
            described.setdefault(key, text)
    found: dict[str, dict[str, Any]] = {
        "$schema": {**_TEXT, "description": "Address of this schema, for editors."},
        "schema_version": {
            "type": "integer",
            "minimum": 1,
            "maximum": SCHEMA_VERSION,
            "description": "Number of the form that save wrote. A file written by hand needs none.",
        },
        "class": {
            **_TEXT,
            "description": "CodeAgent, which is the default, ToolCallingAgent, or a class of `module`.",
        },
        "module": {**_TEXT, "description": "Module that defines the class, if it is not the library's."},
        "requirements": {**_TEXTS, "description": "Packages that it needs, as save found them."},
        "authorized_imports": {**_TEXTS, "description": "All modules that its code may import, as save found them."},
        "tool_settings": {"type": "object", "description": "Arguments of saved tools by name, as save writes them."},
    }
    for key in sorted(keys_of(CodeAgent) | keys_of(ToolCallingAgent)):
        found.setdefault(key, {**_types(key), **({"description": described[key]} if key in described else {})})
    found["model"] = {"$ref": "#/$defs/model"}
    found["prompt_templates"] = {"$ref": "#/$defs/templates"}
    found["tools"] = {"description": described["tools"], "type": ["array", "null"], "items": {"$ref": "#/$defs/tool"}}
    found["verbosity_level"]["description"] = (
        "How much is shown: -1 nothing, 0 errors, 1 each step, 2 all that is sent."
    )
    found["skills"] = {
        "description": described["skills"],
        "type": ["array", "null"],
        "items": {"$ref": "#/$defs/skill"},
    }
    found["managed_agents"] = {
        "description": "Agents that this one can call.",
        "anyOf": [
            {"type": "null"},
            {"type": "array", "items": {"$ref": "#/$defs/member"}},
            {"type": "object", "additionalProperties": _TEXT, "description": "Class by name, as save writes it."},
        ],
    }
    found["executor_type"] = {**found["executor_type"], "enum": list(get_args(ExecutorType))}
    found["executor_kwargs"]["description"] += " ${NAME} stands for a variable of the environment."
    tags = {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2}
    found["code_block_tags"] |= {"anyOf": [{"type": "null"}, {"const": "markdown"}, tags]}
    return found


def build_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the file of an agent, by hand or by `save`."""
    from smolagents.agents.code import CodeAgent
    from smolagents.agents.saving.settings import keys_of
    from smolagents.agents.toolcalling import ToolCallingAgent

    beside = {"$schema", "tool_settings"}
    own_class = {"required": ["module"]}
    calls = {"required": ["class"], "properties": {"class": {"const": "ToolCallingAgent"}}}

    def only(cls: type) -> dict[str, Any]:
        return {"propertyNames": {"enum": sorted(keys_of(cls) | beside)}}

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An agent of smolagents",
        "description": "agent.yaml or agent.json: written by hand, or by agent.save().",
        "type": "object",
        "properties": _properties(),
        "if": own_class,
        "else": {"if": calls, "then": only(ToolCallingAgent), "else": only(CodeAgent)},
        "$defs": _definitions(),
    }


def schema_text() -> str:
    """The schema as the package ships it."""
    from importlib.resources import files

    return files(__package__).joinpath(SCHEMA_FILE).read_text(encoding="utf-8")


if __name__ == "__main__":
    print(json.dumps(build_schema(), indent=2, ensure_ascii=False))
