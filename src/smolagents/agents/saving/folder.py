"""A saved agent as a folder of files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smolagents.agents.saving.app import create_agent_gradio_app_template
from smolagents.agents.saving.reading import PROMPTS
from smolagents.agents.saving.references import is_reference_entry
from smolagents.agents.saving.requirements import requirements_text
from smolagents.agents.saving.trust import names_others
from smolagents.agents.skills import Skill

__all__ = ["write_folder"]

_LIBRARY_AGENTS = ("CodeAgent", "ToolCallingAgent")


def write_folder(folder: Path, data: Mapping[str, Any]) -> None:
    """Write a saved agent to a folder.

    Args:
        folder: The folder; made if it is not there.
        data: What `to_dict` returned.
    """
    files = dict(_files(data))
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    _remove_leftovers(folder, data, files)


def _remove_leftovers(folder: Path, data: Mapping[str, Any], files: Mapping[str, bytes], above: str = "") -> None:
    """Remove what is left of an agent that was saved here before, and would be read as part of this one."""
    if not data.get("prompt_templates"):
        for name in PROMPTS:
            (folder / above / name).unlink(missing_ok=True)
    for each in data.get("skills") or ():
        inside = f"{above}skills/{each['name']}"
        for name in Skill.from_folder(folder / inside).files:
            if f"{inside}/{name}" not in files:
                (folder / inside / name).unlink()
    for each in data["managed_agents"]:
        _remove_leftovers(folder, each, files, f"{above}managed_agents/{each['name']}/")


def _files(data: Mapping[str, Any], above: str = "") -> list[tuple[str, bytes]]:
    """All files of a saved agent, by their path in the folder: made before the first is written."""
    found: list[tuple[str, bytes]] = []
    written = [tool for tool in data["tools"] if not is_reference_entry(tool)]
    settings = {tool["name"]: {key: tool[key] for key in ("init", "attributes") if tool.get(key)} for tool in written}
    short = {
        **data,
        "tools": [tool if is_reference_entry(tool) else tool["name"] for tool in data["tools"]],
        "tool_settings": {name: each for name, each in settings.items() if each},
        "managed_agents": {each["name"]: each["class"] for each in data["managed_agents"]},
        "skills": [f"skills/{each['name']}" for each in data.get("skills") or ()],
    }
    templates = short.pop("prompt_templates", None)
    found.append((f"{above}agent.json", _json(short)))
    if templates:
        found.append((f"{above}prompts.yaml", _yaml(templates).encode()))
    for tool in written:
        found.append((f"{above}tools/{tool['name']}.py", tool["code"].encode()))
    for each in data["managed_agents"]:
        found += _files(each, f"{above}managed_agents/{each['name']}/")
    for each in data.get("skills") or ():
        skill = Skill.from_dict(each)
        found += [(f"{above}skills/{skill.name}/{name}", content) for name, content in skill.files.items()]
    known = data["class"] if data["class"] in _LIBRARY_AGENTS and "module" not in data else "MultiStepAgent"
    title = f"the agent {data['name']}" if data.get("name") else "the agent"
    app = create_agent_gradio_app_template().render(class_name=known, title=title, trusted=bool(names_others(data)))
    found.append((f"{above}app.py", app.encode()))
    found.append((f"{above}requirements.txt", requirements_text(data).encode()))
    return found


def _json(data: Any) -> bytes:
    try:
        text = json.dumps(data, indent=2, ensure_ascii=False)
        return f"{text}\n".encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can say and UTF-8 cannot
        return f"{json.dumps(data, indent=2)}\n".encode()


def _yaml(templates: Mapping[str, Any]) -> str:
    """Templates as YAML that a person can edit: texts of several lines as blocks, where YAML can say them so."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    plain = json.loads(json.dumps(templates))
    written = yaml.dump(plain, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=119)
    try:
        if yaml.safe_load(written) == plain:
            return str(written)
    except yaml.YAMLError:
        pass
    return str(yaml.safe_dump(plain, default_style='"', sort_keys=False))  # every odd character escaped
