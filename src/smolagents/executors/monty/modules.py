"""What the language that Monty runs has, and lacks: checked against version 1.4 of `pydantic-monty` by the tests."""

from __future__ import annotations

__all__ = ["IGNORED_METHODS", "LANGUAGE_NOTES", "MISSING_BUILTINS", "MODULES", "contents_of"]

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
    "quit": "let the code end, or call final_answer()",
    "staticmethod": "write a function outside the class",
    "super": "classes have no base classes here",
    "vars": "use a dict",
}
"""Built-in functions that do not exist, and what to use instead."""

_COMPARE = "compare attributes, and sort with key="
_ATTRIBUTES = "write methods that read and set attributes"
_IN_PLACE = "write the method without the i, which `+=` and its like also call"

IGNORED_METHODS: dict[str, str] = {
    "__new__": "make the instance in a function",
    "__bool__": "write a method with a name of your own and call it",
    "__len__": "write a method such as size() and call it",
    "__ne__": "write __eq__ alone",
    **dict.fromkeys(("__lt__", "__le__", "__gt__", "__ge__"), _COMPARE),
    **dict.fromkeys(("__getattr__", "__getattribute__", "__setattr__", "__delattr__"), _ATTRIBUTES),
    **dict.fromkeys(("__get__", "__set__", "__delete__", "__set_name__"), _ATTRIBUTES),
    **dict.fromkeys(("__iadd__", "__isub__", "__imul__", "__itruediv__", "__iand__", "__ior__"), _IN_PLACE),
    "__reversed__": "write a method that returns the reversed list",
    "__format__": "write a method that returns the text",
    "__bytes__": "write a method that returns the bytes",
    "__complex__": "write a method that returns the number",
    "__class_getitem__": "leave it out",
}
"""Special methods of classes that Monty never calls, and what to write instead.

Without a word it would do as if they were not there: an instance is true whatever `__bool__` says.
"""

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
