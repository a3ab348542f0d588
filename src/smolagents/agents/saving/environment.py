"""Values from the environment in files of agents: `${NAME}` in a text, and `api_key_env: NAME` for `api_key`.

A value that came from the environment is saved as it was written, never as what it stood for. Texts that hold `${…}`
themselves are saved as `$${…}`, so that they are what they were when they are read again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from smolagents.models.saving import without_secrets

__all__ = [
    "Resolved",
    "VariableError",
    "escaped",
    "is_reference",
    "is_secret_name",
    "names_variable",
    "remember",
    "remembered",
    "resolve",
    "resolve_arguments",
    "variables_of",
    "variables_of_arguments",
]

_REFERENCE = re.compile(r"\$(\$?)\{([^}]*)\}")
_LITERAL = re.compile(r"\$\{[^}]*\}")
_INSIDE = re.compile(r"([A-Za-z_]\w*)(?::-(.*))?", re.DOTALL)
_SUFFIX = "_env"
_KEPT_AS = "_from_environment"


class VariableError(ValueError):
    """A variable of the environment is not set, or is named wrongly; the message says what to do."""


@dataclass
class Resolved:
    """Arguments with their values, and how those that came from the environment were written."""

    arguments: dict[str, Any]
    written: dict[str, tuple[str, Any]] = field(default_factory=dict)
    """For the name of an argument, the key and the value that stood for it."""


def resolve(value: Any, at: str) -> Any:
    """Plain data with each `${NAME}` replaced by that variable's value. `${NAME:-other}` has a default.

    Args:
        value: Plain data.
        at: What it is called in errors.

    Raises:
        VariableError: a variable is not set, or its name cannot be one.
    """
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: _value_of(found, at), value)
    return _mapped(value, at, resolve)


def _value_of(found: re.Match[str], at: str) -> str:
    if found[1]:
        return f"${{{found[2]}}}"
    inside = _INSIDE.fullmatch(found[2])
    if inside is None:
        raise VariableError(
            f"{at}: {found[0]!r} names no environment variable: write ${{NAME}}, or $${{…}} for the characters themselves"
        )
    name, default = inside.groups()
    return _variable(name, at) if default is None else os.environ.get(name) or default


def _variable(name: str, at: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise VariableError(
            f"{at}: the environment variable {name} is not set: set it, as with export {name}=…"
        ) from None


def _mapped(value: Any, at: str, function: Callable[[Any, str], Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: function(item, f"{at}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [function(item, f"{at}[{number}]") for number, item in enumerate(value)]
    return value


def resolve_arguments(given: Mapping[str, Any], own: Iterable[str], at: str) -> Resolved:
    """Arguments of a constructor with their values from the environment.

    Args:
        given: The arguments as they are written.
        own: Names of the constructor's parameters. A key that is none of them, ends in `_env`, and begins with one of
            them or with what names a secret, holds the name of a variable.
        at: What they are called in errors.

    Raises:
        VariableError: a variable is not set, or an argument is given in both ways.
    """
    found = Resolved({})
    parameters = set(own)
    for key, value in given.items():
        name = key.removesuffix(_SUFFIX)
        if key not in parameters and names_variable(key) and (name in parameters or is_secret_name(name)):
            if name in given:
                raise VariableError(f"{at}: {name!r} and {key!r} are given, which are the same: leave one out")
            if not isinstance(value, str) or not value.isidentifier():
                raise VariableError(f"{at}.{key} must be the name of an environment variable, not {value!r:.80}")
            found.arguments[name] = _variable(value, f"{at}.{key}")
            found.written[name] = (key, value)
        else:
            found.arguments[key] = resolve(value, f"{at}.{key}")
            if is_reference(value):
                found.written[key] = (key, value)
    return found


def names_variable(key: Any) -> bool:
    """Whether a key may say that its value is the name of a variable."""
    return isinstance(key, str) and key.endswith(_SUFFIX) and key != _SUFFIX


def is_secret_name(name: str) -> bool:
    """Whether what goes by this name is never saved."""
    return not without_secrets({name: 0})


def is_reference(value: Any) -> bool:
    """Whether something in `value` comes from the environment."""
    return any(True for _ in variables_of(value))


def variables_of(value: Any) -> Iterator[str]:
    """The names of the variables that `value` refers to by `${…}`."""
    if isinstance(value, str):
        for found in _REFERENCE.finditer(value):
            if not found[1]:
                yield found[2].partition(":-")[0]
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from variables_of(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from variables_of(item)


def variables_of_arguments(given: Any) -> set[str]:
    """The names of the variables that arguments refer to, also those under keys that end in `_env`."""
    found = set(variables_of(given))
    if isinstance(given, Mapping):
        found |= {value for key, value in given.items() if names_variable(key) and isinstance(value, str)}
    return found


def escaped(value: Any) -> Any:
    """Plain data that `resolve` makes `value` of."""
    if isinstance(value, str):
        return _LITERAL.sub(lambda found: f"${found[0]}", value)
    return _mapped(value, "", lambda item, _: escaped(item))


def remember(made: Any, resolved: Resolved) -> None:
    """Let an object know which of its arguments came from the environment."""
    if resolved.written:
        setattr(made, _KEPT_AS, resolved.written)


def remembered(made: Any) -> Mapping[str, tuple[str, Any]]:
    """Which arguments of an object came from the environment, and how they were written."""
    found: Mapping[str, tuple[str, Any]] = getattr(made, _KEPT_AS, {})
    return found
