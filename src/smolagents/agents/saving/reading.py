"""The files of an agent as the plain data that `to_dict` returns. Nothing in them is run.

What a person writes and what `save` writes is read alike: agent.json, agent.yaml, or a file of another name, with the
files beside it that it names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from smolagents.agents.saving.migrations import SCHEMA_VERSION, is_of_version_1
from smolagents.agents.saving.paths import check_inside, checked_path, root_of, text_of
from smolagents.agents.saving.references import kind_of, normal_entry
from smolagents.tools.source import is_valid_name

__all__ = ["FILES", "PROMPTS", "SUFFIXES", "FileData", "read_file", "read_folder"]

FILES = ("agent.json", "agent.yaml", "agent.yml")
"""Names of the file that tells of a folder's agent; the first that is there is read."""
PROMPTS = ("prompts.yaml", "prompts.yml", "prompt.yaml")
SUFFIXES = (".json", ".yaml", ".yml")
_MERGE = "tag:yaml.org,2002:merge"
_MOST_VALUES = 200_000
"""Values in a file, with what stands for others counted each time: a few lines of YAML can stand for billions."""


class FileData(dict[str, Any]):
    """An agent read from a file, which knows where.

    Attributes:
        label: What the agent is called in errors.
        folder: Where its file is.
    """

    label: str
    folder: Path


def read_folder(folder: Path) -> FileData:
    """An agent from its folder. Runs no code.

    Raises:
        FileNotFoundError: the folder or a file of it is not there.
        ValueError: a file is malformed, or leads out of the folder.
    """
    return _read_folder(folder, root_of(folder), ())


def read_file(path: Path) -> FileData:
    """An agent from a file. Runs no code.

    Raises:
        FileNotFoundError: the file, or one that it names, is not there.
        ValueError: a file is malformed, or leads out of the folder of the file that names it.
    """
    if path.is_dir():
        return read_folder(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{str(path)!r} is no file of an agent: these end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}: give the file or the folder of an agent")
    return _read(path, root_of(path.parent), ())


def _read_folder(folder: Path, root: Path, above: tuple[Path, ...]) -> FileData:
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {str(folder)!r}: give the folder that agent.save(…) wrote")
    path = next((folder / name for name in FILES if (folder / name).exists()), folder / FILES[0])
    return _read(path, root, above)


def _read(path: Path, root: Path, above: tuple[Path, ...]) -> FileData:
    text = text_of(path, root, "an agent's folder holds agent.json, which agent.save(…) writes, or agent.yaml")
    real = path.resolve()
    if real in above:
        raise ValueError(f"{path}: the agent manages itself, through its 'managed_agents': take it out of one of them")
    data = _parsed(path, text)
    if path.name in FILES:
        templates = _read_prompts(path.parent, root)
        if templates is not None:
            data["prompt_templates"] = templates
    return _placed(data, str(path), path, root, (*above, real))


def _placed(data: dict[str, Any], label: str, path: Path, root: Path, above: tuple[Path, ...]) -> FileData:
    """An agent with all that its file names put in place of the names."""
    found = FileData(data)
    found.pop("$schema", None)
    found.folder = path.parent
    if "schema_version" not in found and not is_of_version_1(found):
        found["schema_version"] = SCHEMA_VERSION
        found.setdefault("class", "CodeAgent")
        found.label = label + (f" ({data['name']!r})" if isinstance(data.get("name"), str) else "")
    else:
        named = f" {data['name']!r}" if data.get("name") else ""
        found.label = f"{label}: the saved agent{named}"
    settings = found.pop("tool_settings", None) or {}
    if not isinstance(settings, Mapping) or not all(isinstance(each, Mapping) for each in settings.values()):
        raise ValueError(f"{label}: 'tool_settings' must be a dictionary of dictionaries by name of tool")
    found["tools"] = [
        _read_tool(each, f"{label}: tools[{number}]", path, root, settings)
        for number, each in enumerate(_listed(found, "tools", label))
    ]
    found["managed_agents"] = [
        _read_member(each, f"{label}: managed_agents[{number}]", path, root, above)
        for number, each in enumerate(_listed(found, "managed_agents", label))
    ]
    found["skills"] = [
        _read_skill(each, f"{label}: skills[{number}]", path.parent, root)
        for number, each in enumerate(_listed(found, "skills", label))
    ]
    return found


def _listed(data: Mapping[str, Any], key: str, label: str) -> list[Any]:
    value = data.get(key)
    if value is None:
        return []
    if (
        isinstance(value, Mapping)
        and key == "managed_agents"
        and all(isinstance(each, str) for each in value.values())
    ):
        return list(value)
    if not isinstance(value, list):
        raise ValueError(f"{label}: {key!r} must be a list, not {value!r:.80}")
    return value


# Tools


def _read_tool(entry: Any, at: str, path: Path, root: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    folder = path.parent
    if is_valid_name(entry):
        source = folder / "tools" / f"{entry}.py"
        if source.exists() or not _is_built_in(entry):
            remedy = f"{path.name} lists the tool {entry!r}. Put the file back, or take the name out of 'tools'"
            code = text_of(source, root, f"{remedy}{_nearest(entry)}")
            return {"name": entry, "code": code, **settings.get(entry, {})}
    elif not isinstance(entry, dict) and not _can_name_a_tool(entry):
        raise ValueError(
            f"{at}: {entry!r:.80} cannot be the name of a tool: names are of letters, digits and underscores, and never "
            "lead out of the folder"
        )
    found = normal_entry(entry, at)
    if kind_of(found) != "file":
        return found
    inside, _, symbol = found["file"].partition(":")
    source = folder / checked_path(inside, at)
    code = text_of(source, root, f"{path.name} takes a tool from it. Put it there, or correct its path")
    placed: dict[str, Any] = {"name": found.get("name") or symbol or source.stem, "code": code, "file": inside}
    attributes = {key: found[key] for key in ("name", "description") if found.get(key) is not None}
    for key, value in (("symbol", symbol), ("init", found.get("arguments")), ("attributes", attributes)):
        if value:
            placed[key] = value
    return placed


def _can_name_a_tool(text: Any) -> bool:
    """Whether this may be one of the forms of `normal_entry`, with a path that stays in the folder."""
    if not isinstance(text, str):
        return False
    if text.startswith(("http://", "https://")):
        return True
    return ".." not in text.split("/") and not text.startswith("/") and any(each in text for each in ":/.")


def _is_built_in(name: str) -> bool:
    from smolagents import default_tools
    from smolagents.agents.base_tools import BUILT_IN_TOOLS

    return name in BUILT_IN_TOOLS or name in default_tools.__all__


def _nearest(name: str) -> str:
    import difflib

    from smolagents.agents.base_tools import BUILT_IN_TOOLS

    near = difflib.get_close_matches(name, BUILT_IN_TOOLS, n=1)
    return f". Did you mean the built-in tool {near[0]!r}?" if near else ""


# Members and skills


def _read_member(entry: Any, at: str, path: Path, root: Path, above: tuple[Path, ...]) -> FileData:
    if isinstance(entry, dict):
        return _placed(entry, at, path, root, above)
    if is_valid_name(entry):
        below = path.parent / "managed_agents" / cast("str", entry)
        if not below.is_dir():
            raise FileNotFoundError(
                f"the folder {str(below)!r} is missing: {path.name} lists the managed agent {entry!r}. "
                "Put the folder back, or take the name out of 'managed_agents'."
            )
        return _read_folder(below, root, above)
    if not isinstance(entry, str) or not entry.strip() or ("/" not in entry and not entry.endswith(SUFFIXES)):
        raise ValueError(
            f"{at}: {entry!r:.80} cannot be the name of a managed agent: give a dictionary like that of its manager, or "
            "the path of its file"
        )
    try:
        below = path.parent / checked_path(entry, at)
    except ValueError as error:
        raise ValueError(f"{at}: {entry!r} cannot be the name of a managed agent. {error}") from None
    check_inside(below, root, f"{path.name} lists it under 'managed_agents'. Put it there, or correct the path")
    return _read_folder(below, root, above) if below.is_dir() else _read(below, root, above)


def _read_skill(entry: Any, at: str, folder: Path, root: Path) -> Any:
    from smolagents.agents.skills import Skill

    if isinstance(entry, Mapping):
        return entry
    below = folder / checked_path(entry, at)
    check_inside(below, root, "a skill is a folder with a SKILL.md. Put it there, or correct the path")
    try:
        return Skill.from_folder(below).to_dict()
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f"{at}: {error}") from error


# Files


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        data = json.loads(text, object_pairs_hook=_once) if path.suffix.lower() == ".json" else _yaml(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} is malformed: {error.msg} in line {error.lineno}, column {error.colno}. "
            "Correct it, or save the agent again."
        ) from error
    except _TwiceError as error:
        raise ValueError(f"{path}: {error}") from None
    except RecursionError:
        raise ValueError(f"{path} is malformed: it is nested too deeply. Save the agent again.") from None
    except ValueError as error:
        raise ValueError(f"{path} is malformed: {error}") from error
    if not isinstance(data, dict):
        wanted = (
            "a dictionary in {…}" if path.suffix.lower() == ".json" else "a dictionary, such as 'class: CodeAgent'"
        )
        raise ValueError(f"{path} is malformed: it must hold {wanted}, not a {type(data).__name__}")
    try:
        left = _count(data, _MOST_VALUES)
    except RecursionError:
        raise ValueError(f"{path} is malformed: a value holds itself, or it is nested too deeply") from None
    if left <= 0:
        raise ValueError(f"{path} holds more than {_MOST_VALUES:,} values, with those that stand for others counted")
    return data


class _TwiceError(ValueError):
    """A key is given twice, of which the second would silently win."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise _TwiceError(f"the key {twice!r} is given twice: leave one out")
    return found


def _yaml(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            names: set[str] = set()
            for key, _ in node.value:
                if isinstance(key.value, str) and key.tag != _MERGE:
                    if key.value in names:
                        line = node.start_mark.line + 1
                        raise _TwiceError(f"the key {key.value!r} is given twice, in line {line} and after")
                    names.add(key.value)
            return node

        def flatten_mapping(self, node: Any) -> None:
            if _merged(node, {}) > _MOST_VALUES:
                raise ValueError(f"its '<<' stand for more than {_MOST_VALUES:,} values. Correct it.")
            super().flatten_mapping(node)

    # A day is no value that JSON knows, and 2026-01-01 in a description was meant as text.
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(text, Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ValueError(f"{error.problem or error.context}{place}. Correct it.") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{' '.join(str(error).split())}. Correct it.") from error


def _merged(node: Any, known: dict[int, int]) -> int:
    """How many pairs the mapping of a YAML node has with those that its `<<` name."""
    if node.id != "mapping":
        return 1
    if id(node) not in known:
        found = 0
        for key, value in node.value:
            several = value.value if value.id == "sequence" else [value]
            found += sum(_merged(each, known) for each in several) if key.tag == _MERGE else 1
        known[id(node)] = found
    return known[id(node)]


def _count(value: Any, left: int) -> int:
    """How many of `left` values are left after those in `value`."""
    left -= 1
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inside:
        if left <= 0:
            break
        left = _count(item, left)
    return left


def _read_prompts(folder: Path, root: Path) -> dict[str, Any] | None:
    path = next((folder / name for name in PROMPTS if (folder / name).exists()), None)
    if path is None:
        return None
    text = text_of(path, root, "it was there a moment ago")
    try:
        found = _yaml(text)
    except RecursionError:
        raise ValueError(f"{path} is malformed: it is nested too deeply. Save the agent again.") from None
    except ValueError as error:
        raise ValueError(f"{path} is malformed: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is malformed: it must hold templates by name, not a {type(found).__name__}")
    return found
