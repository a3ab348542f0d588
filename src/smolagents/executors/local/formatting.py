"""`str.format` and format specifications: attribute names in templates, and widths."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .limits import check_width
from .names import is_native

if TYPE_CHECKING:
    from .attributes import Guards

__all__ = ["check_specification", "format_value", "guarded_format", "guarded_formatter"]

_NUMBERS = re.compile(r"\d{7,}")


def check_specification(specification: str) -> None:
    """Refuse a format specification with a huge width or precision.

    Raises:
        LimitSignal: The width or precision is beyond the limit.
    """
    if len(specification) > 6:
        for number in _NUMBERS.findall(str.__str__(specification)):
            check_width(int(number[:18]))


def format_value(value: Any, specification: str = "") -> str:
    """`format(value, specification)` with the width checked."""
    if specification and isinstance(specification, str):
        check_specification(specification)
    return format(value, specification)


def _is_plain(template: str) -> bool:
    """Whether a template reads only safe attributes, and its widths are written in it and small."""
    from _string import formatter_field_name_split, formatter_parser  # type: ignore[import-not-found]

    for _, field, specification, _ in formatter_parser(template):
        if field is None:
            continue
        if "." in field:
            _, rest = formatter_field_name_split(field)
            for is_attribute, name in rest:
                if is_attribute and not is_native(name):
                    return False
        if specification:
            if "{" in specification:
                return False
            check_specification(specification)
    return True


def guarded_format(guards: Guards, template: str, args: tuple[Any, ...], keywords: Any) -> str:
    """`template.format(*args, **keywords)`, or `format_map` when `keywords` is a mapping and `args` is empty."""
    template = str.__str__(template)
    if _is_plain(template):
        if type(keywords) is dict:
            return template.format(*args, **keywords)
        return template.format_map(keywords)
    return str(guarded_formatter(guards)().vformat(template, args, keywords))


def guarded_formatter(guards: Guards) -> Any:
    """A class like `string.Formatter`, whose fields read attributes through the guard."""
    from _string import formatter_field_name_split
    from string import Formatter

    class GuardedFormatter(Formatter):
        def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
            first, rest = formatter_field_name_split(str.__str__(field_name))
            value = self.get_value(first, args, kwargs)
            for is_attribute, name in rest:
                value = guards.getattr(value, name) if is_attribute else value[name]
            return value, first

        def format_field(self, value: Any, format_spec: str) -> Any:
            return format_value(value, format_spec)

    GuardedFormatter.__name__ = GuardedFormatter.__qualname__ = "Formatter"
    return GuardedFormatter
