"""What of a model may be written down: its constructor's arguments, without secrets."""

from __future__ import annotations

import inspect
import re
from typing import Any

from smolagents.models.endpoints import without_credentials

__all__ = ["constructor_arguments", "without_secrets"]

_SECRET = re.compile(
    r"((api|access|private|account|subscription|master|encryption|signing)[-_]?key|secret|passw(or)?d|passphrase"
    r"|credential|authorization|cookie|bearer|^key$|(^|[-_])(auth|token|sig|signature)$|(^|[-_])headers?$)",
    re.IGNORECASE,
)
_KEY_BY_LOOK = re.compile(
    r"\A(Bearer|Basic) \S|\A(sk-|sk_|hf_|gsk_|xai-|r8_|gh[pousr]_|github_pat_|glpat-|xox[abp]-|AKIA|ASIA|AIza)[\w-]{12,}\Z"
)
"""Values that are keys whatever they are called: headers, and keys that begin as those of known services do."""
_OMIT = object()


def constructor_arguments(obj: Any) -> dict[str, Any]:
    """The arguments that would make `obj` again, read from its attributes of the same names.

    Keyword arguments that the constructor does not name are read from `obj.kwargs`. Secrets, arguments that are
    None, and values that are not plain data are left out.
    """
    found: dict[str, Any] = {}
    for cls in type(obj).__mro__:
        init = cls.__dict__.get("__init__")
        if init is None:
            continue
        parameters = inspect.signature(init).parameters.values()
        for parameter in parameters:
            name = parameter.name
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) or name == "self" or name in found:
                continue
            value = getattr(obj, name, parameter.default)
            if value is not None and value is not parameter.empty and value != parameter.default:
                found[name] = value
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break  # what bases take beyond this is not for the caller to give
    found.update(getattr(obj, "kwargs", None) or {})
    plain = without_secrets(found)
    return plain if isinstance(plain, dict) else {}


def without_secrets(value: Any) -> Any:
    """Plain data without what looks secret: keys, tokens, passwords, headers, and credentials in URLs."""
    plain = _plain(value)
    return None if plain is _OMIT else plain


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        if _KEY_BY_LOOK.match(value):
            return _OMIT
        return without_credentials(str(value))
    if isinstance(value, dict):
        items = {
            str(key): _without_codes(_plain(item)) if str(key).endswith("query") else _plain(item)
            for key, item in value.items()
            if not _SECRET.search(str(key))
        }
        return {key: item for key, item in items.items() if item is not _OMIT}
    if isinstance(value, (list, tuple)):
        return [item for item in map(_plain, value) if item is not _OMIT]
    return _OMIT


def _without_codes(query: Any) -> Any:
    """The parameters of a URL without `code`, under which Azure's functions take their keys."""
    return {name: value for name, value in query.items() if name != "code"} if isinstance(query, dict) else query
