"""Where the modules of a package and of everything it requires are."""

from __future__ import annotations

import json
import os
import re
import sys
from importlib import metadata, util
from urllib.parse import unquote, urlsplit

__all__ = ["modules_of"]

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r"\bextra\s*==")


def modules_of(names: list[str]) -> list[str]:
    """Files and directories of top-level modules: those named, and those of their distributions and of what these require.

    Args:
        names (`list[str]`): Names of modules, as in an import statement.

    Returns:
        `list[str]`: Paths. A name that is not found gives none: importing it will say so.
    """
    found: list[str] = []
    wanted = []
    for name in {name.partition(".")[0]: None for name in names}:
        found += _locations(name)
        distribution = _owner(name)
        if distribution is not None:
            wanted.append(distribution)
    seen = set()
    while wanted:
        distribution = wanted.pop()
        key = _normal(distribution.metadata["Name"])
        if key in seen:
            continue
        seen.add(key)
        found += _files(distribution)
        for requirement in distribution.requires or ():
            matched = _REQUIREMENT.match(requirement)
            if matched is None or _EXTRA.search(requirement.partition(";")[2]):
                continue
            try:
                wanted.append(metadata.distribution(matched[1]))
            except metadata.PackageNotFoundError:
                continue  # for another platform or version of Python
    return list(dict.fromkeys(found))


def _locations(module: str) -> list[str]:
    """Where a top-level module is, however it comes to be importable. It is not imported."""
    try:
        spec = util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [path for path in spec.submodule_search_locations if os.path.isabs(path)]
    return [spec.origin] if spec.has_location and spec.origin else []


def _owner(module: str) -> metadata.Distribution | None:
    """The distribution that a top-level module comes from."""
    try:
        distribution = metadata.distribution(module)
    except (metadata.PackageNotFoundError, ValueError):
        pass
    else:
        if module in _top_level(distribution) or _editable_source(distribution) is not None:
            return distribution
    for each in metadata.distributions():
        if module in _top_level(each):
            return each
    return None


def _top_level(distribution: metadata.Distribution) -> list[str]:
    """Names of modules, folders and files that a distribution puts next to others, as far as it says."""
    listed = (distribution.read_text("top_level.txt") or "").split()
    record = distribution.read_text("RECORD") or ""
    names = {line.partition(",")[0].strip('"').partition("/")[0] for line in record.splitlines()}
    modules = {
        name.partition(".")[0] for name in names if not name.endswith((".dist-info", ".libs", ".pth", ".egg-info"))
    }
    return [*listed, *(modules - {"", "__pycache__"})]


def _files(distribution: metadata.Distribution) -> list[str]:
    source = _editable_source(distribution)
    if source is not None:
        return [path for module in _top_level(distribution) for path in _locations(module)] + _project(
            distribution, source
        )
    record = distribution.read_text("RECORD")
    if record is None:
        return [path for module in _top_level(distribution) for path in _locations(module)]
    names = {line.partition(",")[0].strip('"').partition("/")[0] for line in record.splitlines()}
    root = str(distribution.locate_file(""))
    # The shared folder of compiled files has other distributions' too; ".." leads to scripts.
    return [os.path.join(root, name) for name in sorted(names - {"", "..", "__pycache__"}) if not os.path.isabs(name)]


def _editable_source(distribution: metadata.Distribution) -> str | None:
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return None
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return unquote(urlsplit(origin.get("url", "")).path) or None


def _project(distribution: metadata.Distribution, source: str) -> list[str]:
    """The modules of an editable project that its metadata does not name: those of its directories on `sys.path`."""
    name = _normal(distribution.metadata["Name"]).replace("-", "_")
    here = os.path.realpath(source)
    on_path = [path for path in sys.path if path and os.path.realpath(path).startswith(here)]
    return [
        path
        for directory in on_path
        for path in (os.path.join(directory, name), os.path.join(directory, f"{name}.py"))
        if os.path.exists(path)
    ]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
