"""What the language that Monty runs has, and lacks: checked against version 1.4 of `pydantic-monty` by the tests."""

from __future__ import annotations

__all__ = ["LANGUAGE_NOTES", "MISSING_BUILTINS", "MODULES", "contents_of"]

_WHOLE = ""

MODULES: dict[str, str] = {
    "asyncio": "gather run sleep",
    "base64": _WHOLE,
    "binascii": _WHOLE,
    "bisect": _WHOLE,
    "collections": "Counter defaultdict deque namedtuple",
    "copy": "copy deepcopy",
    "csv": "DictReader DictWriter Error reader writer",
    "dataclasses": "FrozenInstanceError MISSING dataclass field is_dataclass",
    "datetime": "date datetime time timedelta timezone",
    "decimal": _WHOLE,
    "functools": "cache lru_cache partial reduce",
    "hashlib": _WHOLE,
    "itertools": _WHOLE,
    "json": "JSONDecodeError dump dumps load loads",
    "math": _WHOLE,
    "os": "getcwd path sep linesep",
    "os.path": _WHOLE,
    "pathlib": "Path",
    "posixpath": _WHOLE,
    "random": _WHOLE,
    "re": "ASCII DOTALL IGNORECASE MULTILINE Match Pattern compile error escape findall finditer fullmatch match search "
    "split sub",
    "sys": "argv byteorder float_info maxsize maxunicode platform stderr stdout version version_info",
    "time": _WHOLE,
    "tomllib": _WHOLE,
    "typing": "Annotated Any Callable ClassVar Dict Final FrozenSet Generator Generic Iterable Iterator List Literal "
    "Mapping Never NoReturn Optional Protocol Self Sequence Set TYPE_CHECKING Tuple Type TypeVar Union",
    "unicodedata": "category combining is_normalized lookup name normalize",
}
"""The modules that code can import. Of those that have only part of what they have in Python, what is of use."""

MISSING_BUILTINS: dict[str, str] = {
    "aiter": "",
    "anext": "",
    "ascii": "use repr()",
    "breakpoint": "",
    "bytearray": "use bytes, or a list of integers",
    "callable": "",
    "classmethod": "write a function outside the class",
    "compile": "",
    "delattr": "set the attribute to None",
    "dir": "",
    "exit": "let the code end, or call final_answer()",
    "globals": "keep values in a dict of your own",
    "help": "",
    "input": "nobody can be asked while code runs",
    "issubclass": "classes have no base classes here",
    "memoryview": "use bytes",
    "property": "write a method",
    "quit": "let the code end, or call final_answer()",
    "staticmethod": "write a function outside the class",
    "super": "classes have no base classes here",
    "vars": "use a dict",
}
"""Built-in functions that do not exist, and what to use instead."""

LANGUAGE_NOTES = (
    "The code runs in a small interpreter that knows part of Python. It has functions, closures, lambdas, "
    "comprehensions, plain classes, dataclasses, match, with, try and f-strings. It has no base classes (so no "
    "exceptions or enums of your own), no property, staticmethod or classmethod, no generators (yield), no del, and no "
    "files, network or environment. Generator expressions are lists. Call tools directly or in loops and "
    "comprehensions, not through map() or as a sort key."
)
"""For the instructions of an agent whose code runs here."""


def contents_of(module: str) -> str | None:
    """What a module that is not whole has, for a model to read; None if it is whole or does not exist."""
    names = MODULES.get(module)
    return ", ".join(names.split()) if names else None
