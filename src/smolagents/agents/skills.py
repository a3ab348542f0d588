"""Skills: instructions that an agent reads when it needs them.

A skill is a folder as the open format "Agent Skills" (agentskills.io) describes it: a file SKILL.md, which begins with
its name and description as YAML between two lines of `---`, goes on with the instructions, and may refer to further
files of the folder. The model is told of each skill in one line; it reads the rest by a tool.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from smolagents.tools.base import Tool

__all__ = ["ReadSkillTool", "Skill", "as_skills", "catalogue"]

_MANIFEST = "SKILL.md"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_HEAD = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_MOST_NAME, _MOST_DESCRIPTION = 64, 1024  # characters, as the format says
_MOST_FILES, _MOST_BYTES = 1_000, 20_000_000
_SHOWN = 20_000
"""Characters that one call shows: about the 5,000 tokens that the format asks instructions to stay below."""


@dataclass(frozen=True)
class Skill:
    """A skill, with its files as they were when it was read.

    Attributes:
        files: The content of each file by its path in the folder, with `/` between folders.
        where: What the skill is called in errors, such as the path of its folder.

    Raises:
        ValueError: SKILL.md is missing or malformed; the message says what to write.
    """

    files: Mapping[str, bytes]
    where: str = field(default="the skill", compare=False)

    def __post_init__(self) -> None:
        _ = self._head

    @classmethod
    def from_folder(cls, folder: str | Path) -> Skill:
        """Read a skill. Hidden files and compiled Python are left out; links must not lead out of the folder.

        Raises:
            FileNotFoundError: there is no such folder, or no SKILL.md in it.
            ValueError: it is malformed, too large, or holds a link that leads out of it.
        """
        folder = Path(folder)
        if folder.name == _MANIFEST and folder.is_file():
            folder = folder.parent
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no skill {str(folder)!r}: a skill is a folder with a {_MANIFEST}")
        if not (folder / _MANIFEST).is_file():
            raise FileNotFoundError(f"the folder {str(folder)!r} is no skill: there is no {_MANIFEST} in it")
        root = folder.resolve()
        files: dict[str, bytes] = {}
        size = 0
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if _is_left_out(inside) or path.is_dir():
                continue
            try:
                is_ours = path.resolve().is_relative_to(root) or _is_blob(path)
                if is_ours and not path.is_file():
                    raise ValueError(f"{str(path)!r} is no file, or a link to nothing: take it out of the skill")
            except (OSError, RuntimeError) as error:
                raise ValueError(f"{str(path)!r} cannot be read: {error}") from error
            if not is_ours:
                raise ValueError(f"{str(path)!r} is a link out of the folder of its skill: put the file itself there")
            try:
                size += path.stat().st_size
                if size > _MOST_BYTES or len(files) >= _MOST_FILES:
                    raise ValueError(
                        f"the skill {str(folder)!r} holds more than {_MOST_FILES:,} files or {_MOST_BYTES:,} bytes: "
                        "move what is no part of its instructions out of the folder"
                    )
                files[inside.as_posix()] = path.read_bytes()
            except OSError as error:
                raise ValueError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
        return cls(files, f"the skill {str(folder)!r}")

    @property
    def name(self) -> str:
        """What it goes by: lower-case letters, digits and single hyphens."""
        return self._head[0]

    @property
    def description(self) -> str:
        """What it is for and when to use it, in one line for the model."""
        return self._head[1]

    @property
    def instructions(self) -> str:
        """SKILL.md without its head."""
        return self._head[2]

    @cached_property
    def _head(self) -> tuple[str, str, str]:
        import yaml

        where = f"{self.where}: {_MANIFEST}"
        try:
            text = self.files[_MANIFEST].decode()
        except KeyError:
            raise ValueError(f"{where} is missing") from None
        except UnicodeDecodeError as error:
            raise ValueError(f"{where} is not a text in UTF-8: {error.reason} at byte {error.start}") from error
        found = _HEAD.match(text)
        if found is None:
            raise ValueError(
                f"{where} must begin with its name and description between two lines of ---:\n"
                "---\nname: my-skill\ndescription: What it does, and when to use it.\n---"
            )
        try:
            head = yaml.safe_load(found[1])
        except (yaml.YAMLError, RecursionError) as error:
            raise ValueError(f"{where}: the part between --- is no YAML: {' '.join(str(error).split())}") from error
        if not isinstance(head, dict):
            raise ValueError(f"{where}: between --- it must hold 'name: …' and 'description: …'")
        name, description = head.get("name"), head.get("description")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _MOST_NAME:
            raise ValueError(
                f"{where}: 'name' must be of lower-case letters, digits and single hyphens, at most {_MOST_NAME} "
                f"characters, such as pdf-forms; not {name!r:.80}"
            )
        if not isinstance(description, str) or not description.strip() or len(description) > _MOST_DESCRIPTION:
            raise ValueError(
                f"{where}: 'description' must be a text of at most {_MOST_DESCRIPTION:,} characters that says what the "
                f"skill does and when to use it; not {description!r:.80}"
            )
        return name, " ".join(description.split()), text[found.end() :].strip("\r\n")

    def to_dict(self) -> dict[str, Any]:
        """The skill as plain data: its name, and its files as text, or in base 64 where they are none."""
        return {"name": self.name, "files": {name: _as_text(content) for name, content in self.files.items()}}

    @classmethod
    def from_dict(cls, data: Any) -> Skill:
        """A skill from what `to_dict` returned.

        Raises:
            ValueError: the data is malformed.
        """
        files = data.get("files") if isinstance(data, Mapping) else None
        if not isinstance(files, Mapping) or not all(_is_inside(name) for name in files):
            raise ValueError(
                f'a saved skill is a dictionary with "files": the content of each by its path; not {data!r:.80}'
            )
        return cls({name: _as_bytes(name, content) for name, content in files.items()}, f"skill {data.get('name')!r}")


def _is_left_out(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts) or "__pycache__" in path.parts


def _is_blob(path: Path) -> bool:
    """Whether a link leads to where the Hub's cache keeps the content of its snapshots."""
    target = path.resolve()
    return target.parent.name == "blobs" and path.parent.resolve().is_relative_to(target.parent.parent / "snapshots")


def _is_inside(name: Any) -> bool:
    if not isinstance(name, str) or "\\" in name or ":" in name:
        return False
    return all(part and not part.startswith(".") for part in name.split("/"))


def _as_text(content: bytes) -> Any:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _as_bytes(name: str, content: Any) -> bytes:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, Mapping) and isinstance(content.get("base64"), str):
        try:
            return base64.b64decode(content["base64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"the file {name!r} of a saved skill is no base 64: {error}") from error
    raise ValueError(f"the file {name!r} of a saved skill must be a text, or {{'base64': …}}; not {content!r:.80}")


def as_skills(given: Any) -> dict[str, Skill]:
    """Skills by name, from skills and paths of their folders.

    Raises:
        TypeError: it is no list of these.
        ValueError, FileNotFoundError: a folder is no skill, or two skills share a name.
    """
    if given is None:
        return {}
    if isinstance(given, (str, bytes, Path, Skill, Mapping)) or not isinstance(given, Iterable):
        raise TypeError(f"skills must be a list of folders, not {given!r:.80}: write [{given!r:.80}]")
    found: dict[str, Skill] = {}
    for each in given:
        if not isinstance(each, (str, Path, Skill)):
            raise TypeError(f"a skill is given as the path of its folder or as a Skill, not {each!r:.80}")
        skill = each if isinstance(each, Skill) else Skill.from_folder(each)
        if skill.name in found:
            raise ValueError(f"two skills share the name {skill.name!r}: rename one in its {_MANIFEST}")
        found[skill.name] = skill
    return found


def catalogue(skills: Mapping[str, Skill]) -> str:
    """What the model is told of its skills from the start."""
    lines = "\n".join(f"- {skill.name}: {skill.description}" for skill in skills.values())
    return (
        f"You have skills, each with instructions for one kind of work. When a task is of that kind, first read the "
        f"skill with the tool {ReadSkillTool.name}, then do as it says.\n{lines}"
    )


class ReadSkillTool(Tool):
    """Reads skills. It knows their files by name alone, so no path leads anywhere else.

    Args:
        skills: The skills by name.
    """

    name = "read_skill"
    description = "Reads the instructions of a skill, or a file that these refer to."
    inputs = {  # noqa: RUF012 - a tool declares its inputs as a plain class attribute
        "skill": {"type": "string", "description": "Name of the skill."},
        "file": {
            "type": "string",
            "description": "Path of a file of the skill, as its instructions name it. Leave it out for the instructions.",
            "nullable": True,
        },
        "start": {
            "type": "integer",
            "description": "Where to go on in a long text: the number of characters that were read before.",
            "nullable": True,
        },
    }
    output_type = "string"

    def __init__(self, skills: Mapping[str, Skill]) -> None:
        super().__init__()
        self.skills = dict(skills)

    def forward(self, skill: str, file: str | None = None, start: int | None = None) -> str:
        found = self.skills.get(skill)
        if found is None:
            raise ValueError(f"There is no skill {skill!r}.{_near(skill, self.skills)}")
        name = (file or _MANIFEST).replace("\\", "/").removeprefix("./")
        if name not in found.files:
            raise ValueError(f"The skill {skill!r} has no file {file!r}.{_near(name, found.files)}")
        if name == _MANIFEST:
            text = found.instructions
        else:
            try:
                text = found.files[name].decode()
            except UnicodeDecodeError:
                return f"{name} is not a text, and cannot be shown ({len(found.files[name]):,} bytes)."
        begin = max(start or 0, 0)
        shown, rest = text[begin : begin + _SHOWN], max(len(text) - begin - _SHOWN, 0)
        if rest:
            shown += f"\n[{rest:,} more characters: read on with start={begin + _SHOWN}]"
        elif name == _MANIFEST and len(found.files) > 1:
            others = sorted(set(found.files) - {_MANIFEST})
            more = f" and {len(others) - 100} more" if len(others) > 100 else ""
            shown += f"\n[Files of this skill, to be read with file=…: {', '.join(others[:100])}{more}]"
        return shown


def _near(name: str, names: Iterable[str]) -> str:
    known = sorted(names)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return f"{meant} There are: {', '.join(known[:100])}."
