"""A saved agent as a folder of files, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from smolagents.agents.saving.app import create_agent_gradio_app_template
from smolagents.agents.saving.requirements import requirements_text
from smolagents.tools.source import is_valid_name

__all__ = ["read_folder", "write_folder"]

_PROMPTS = ("prompts.yaml", "prompts.yml", "prompt.yaml")
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
    if not data.get("prompt_templates"):
        for name in _PROMPTS:  # of an agent that was saved here before
            (folder / name).unlink(missing_ok=True)


def _files(data: Mapping[str, Any], above: str = "") -> list[tuple[str, bytes]]:
    """All files of a saved agent, by their path in the folder: made before the first is written."""
    found: list[tuple[str, bytes]] = []
    settings = {
        tool["name"]: {key: tool[key] for key in ("init", "attributes") if tool.get(key)} for tool in data["tools"]
    }
    short = {
        **data,
        "tools": [tool["name"] for tool in data["tools"]],
        "tool_settings": {name: each for name, each in settings.items() if each},
        "managed_agents": {each["name"]: each["class"] for each in data["managed_agents"]},
    }
    templates = short.pop("prompt_templates", None)
    found.append((f"{above}agent.json", _json(short)))
    if templates:
        found.append((f"{above}prompts.yaml", _yaml(templates).encode()))
    for tool in data["tools"]:
        found.append((f"{above}tools/{tool['name']}.py", tool["code"].encode()))
    for each in data["managed_agents"]:
        found += _files(each, f"{above}managed_agents/{each['name']}/")
    known = data["class"] if data["class"] in _LIBRARY_AGENTS and "module" not in data else "MultiStepAgent"
    title = f"the agent {data['name']}" if data.get("name") else "the agent"
    app = create_agent_gradio_app_template().render(class_name=known, title=title)
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


def read_folder(folder: Path) -> dict[str, Any]:
    """A saved agent from its folder, as `to_dict` returned it. Runs no code.

    Raises:
        FileNotFoundError: the folder or a file of it is not there.
        ValueError: a file is malformed, or leads out of the folder.
    """
    return _read(folder, _root_of(folder))


def _read(folder: Path, root: Path) -> dict[str, Any]:
    path = folder / "agent.json"
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {str(folder)!r}: give the folder that agent.save(…) wrote")
    try:
        data = json.loads(_text(path, root, "an agent's folder holds agent.json; agent.save(…) writes it"))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} is malformed: {error.msg} in line {error.lineno}, column {error.colno}. "
            "Correct it, or save the agent again."
        ) from error
    except RecursionError:
        raise ValueError(f"{path} is malformed: it is nested too deeply. Save the agent again.") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path} is malformed: it must hold a dictionary in {{…}}, not a {type(data).__name__}")
    templates = _read_prompts(folder, root)
    if templates is not None:
        data["prompt_templates"] = templates
    settings = data.pop("tool_settings", None) or {}
    if not isinstance(settings, Mapping) or not all(isinstance(each, Mapping) for each in settings.values()):
        raise ValueError(f"{path}: 'tool_settings' must be a dictionary of dictionaries by name of tool")
    data["tools"] = [_read_tool(each, folder, root, settings) for each in _listed(data, "tools", path)]
    data["managed_agents"] = [_read_member(each, folder, root) for each in _listed(data, "managed_agents", path)]
    return data


def _listed(data: Mapping[str, Any], key: str, path: Path) -> list[Any]:
    value = data.get(key) or []
    if isinstance(value, Mapping) and key == "managed_agents":
        return list(value)
    if not isinstance(value, list):
        raise ValueError(f"{path}: {key!r} must be a list of names, not {value!r:.80}")
    return value


def _read_tool(entry: Any, folder: Path, root: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(entry, dict):
        return entry
    name = _checked_name(entry, "a tool", folder)
    path = folder / "tools" / f"{name}.py"
    code = _text(path, root, f"agent.json lists the tool {name!r}. Put the file back, or take the name out of 'tools'")
    return {"name": name, "code": code, **settings.get(name, {})}


def _read_member(entry: Any, folder: Path, root: Path) -> dict[str, Any]:
    if isinstance(entry, dict):
        return entry
    name = _checked_name(entry, "a managed agent", folder)
    below = folder / "managed_agents" / name
    if not below.is_dir():
        raise FileNotFoundError(
            f"the folder {str(below)!r} is missing: agent.json lists the managed agent {name!r}. "
            "Put the folder back, or take the name out of 'managed_agents'."
        )
    return _read(below, root)


def _read_prompts(folder: Path, root: Path) -> dict[str, Any] | None:
    path = next((folder / name for name in _PROMPTS if (folder / name).exists()), None)
    if path is None:
        return None
    import yaml

    try:
        found = yaml.safe_load(_text(path, root, "it was there a moment ago"))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path} is malformed: {error}. Correct it, or save the agent again.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is malformed: it must hold templates by name, not a {type(found).__name__}")
    return found


def _checked_name(name: Any, kind: str, folder: Path) -> str:
    if not is_valid_name(name):
        raise ValueError(
            f"{folder / 'agent.json'}: {name!r} cannot be the name of {kind}: names are of letters, digits and "
            "underscores, and never lead out of the folder"
        )
    return cast("str", name)


def _text(path: Path, root: Path, remedy: str) -> str:
    try:
        inside = path.resolve(strict=True).is_relative_to(root)
    except FileNotFoundError:
        raise FileNotFoundError(f"{str(path)!r} is missing: {remedy}.") from None
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error}") from error
    if not inside:
        raise ValueError(f"{str(path)!r} is a link out of the folder {str(root)!r}: put the file itself there")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{str(path)!r} is not a text in UTF-8: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error


def _root_of(folder: Path) -> Path:
    """Where the files of a folder may be. Snapshots in the Hub's cache hold links to blobs beside them."""
    resolved = folder.resolve()
    for each in (resolved, *resolved.parents):
        if each.parent.name == "snapshots" and (each.parent.parent / "blobs").is_dir():
            return each.parent.parent
    return resolved
