"""Source code of objects, and source that stands on its own."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import inspect
import keyword
import linecache
import symtable
import sys
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smolagents.tools.errors import ToolDefinitionError

__all__ = [
    "SelfContained",
    "get_source",
    "instance_to_source",
    "is_valid_name",
    "make_init_file",
    "self_contained_source",
]

_EXPORTED = frozenset({"BaseTool", "Tool", "tool"})
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def is_valid_name(name: Any) -> bool:
    """Whether `name` can name a Python function: an identifier that Python does not reserve."""
    return isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)


def make_init_file(folder: str | Path) -> None:
    """Make `folder`, if it is not there, a Python package with an empty `__init__.py`; one that is there is kept."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").touch()


def get_source(obj: Any) -> str:
    """The source code of a class or function, without the indentation of where it stands.

    Unlike `inspect.getsource` it finds classes that were defined in a notebook, and code loaded from text.

    Raises:
        TypeError: `obj` is neither.
        OSError: the source is not known, as of what is built in or typed at a plain prompt.
    """
    if not isinstance(obj, type) and not callable(obj):
        raise TypeError(f"only classes and functions have source code, not {obj!r}")
    place = _Place.of(obj)
    return place.text(place.node)


def instance_to_source(instance: Any, base_cls: type | None = None) -> str:
    """The class of an instance as source: what it adds to `base_cls`, with that imported.

    Args:
        instance: Any object. Class attributes that it overrides are written with its own values.
        base_cls: The class to derive from; None for the first parent of its class.
    """
    cls = type(instance)
    if base_cls is None:
        base_cls = cls.__mro__[1]
    derived = base_cls is not object
    lines = [f"from {base_cls.__module__} import {base_cls.__name__}\n\n"] if derived else []
    lines.append(f"class {cls.__name__}({base_cls.__name__ if derived else ''}):".replace("()", ""))
    if cls.__doc__ and cls.__doc__ != base_cls.__doc__:
        lines.append(textwrap.indent(f'"""{inspect.cleandoc(cls.__doc__)}"""', "    "))
    body_start = len(lines)
    for name, value in vars(cls).items():
        if name.startswith("_") or _is_method(value) or getattr(base_cls, name, _NOTHING) is value:
            continue
        lines.append(f"    {name} = {vars(instance).get(name, value)!r}")
    for value in vars(cls).values():
        function: Any = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if _is_method(value) and getattr(function, "__qualname__", "").startswith(f"{cls.__qualname__}."):
            lines.append("\n" + textwrap.indent(get_source(inspect.unwrap(function)), "    "))
    if len(lines) == body_start:
        lines.append("    pass")
    return "\n".join(lines) + "\n"


_NOTHING = object()


def _is_method(value: Any) -> bool:
    return isinstance(value, (types.FunctionType, classmethod, staticmethod, property))


@dataclass
class SelfContained:
    """Source that runs on its own, given the packages it imports."""

    code: str
    packages: set[str]
    """The top-level packages it imports that do not come with Python."""


def self_contained_source(obj: Any) -> SelfContained:
    """The source of a class or function with what it uses of its module: imports, constants, functions, classes.

    Raises:
        ToolDefinitionError: it uses a value that cannot be written as source.
        OSError: its source is not known.
    """
    collected = _Collected()
    place = _Place.of(obj)
    collected.add(place, place.node)
    return collected.join()


@dataclass
class _Place:
    """Where an object is defined: its module's text and syntax, and the names it sees."""

    filename: str
    lines: list[str]
    tree: ast.Module
    namespace: dict[str, Any]
    package: str | None
    node: _Definition
    nonlocals: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, obj: Any) -> _Place:
        function = _some_function(obj)
        if function is None:
            source = inspect.getsource(obj)  # a class without methods, by its module's file
            filename = inspect.getsourcefile(obj) or "?"
            lines = linecache.getlines(filename) or source.splitlines(keepends=True)
            namespace = vars(sys.modules[obj.__module__]) if obj.__module__ in sys.modules else {}
        else:
            filename, namespace = function.__code__.co_filename, function.__globals__
            lines = linecache.getlines(filename, namespace)
        if not lines:
            raise OSError(f"the source code of {obj!r} is not known; define it in a file or a notebook")
        tree = ast.parse("".join(lines))
        line = None if function is None else function.__code__.co_firstlineno
        node = _find_definition(tree, obj, line)
        if node is None:
            raise OSError(f"the source code of {obj!r} is not in {filename}; the file may have changed")
        nonlocals: dict[str, Any] = {}
        for each in _functions_of(obj):
            nonlocals.update(_closure(each))
        return cls(filename, lines, tree, namespace, namespace.get("__package__"), node, nonlocals)

    def text(self, node: ast.stmt) -> str:
        first = node.lineno
        if isinstance(node, _Definition):
            first = min([first, *(decorator.lineno for decorator in node.decorator_list)])
        return textwrap.dedent("".join(self.lines[first - 1 : node.end_lineno])).rstrip() + "\n"


def _functions_of(obj: Any) -> Iterator[types.FunctionType]:
    if isinstance(obj, type):
        for value in vars(obj).values():
            function: Any = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if inspect.isfunction(function):
                function = inspect.unwrap(function)
            if isinstance(function, types.FunctionType) and function.__qualname__.startswith(f"{obj.__qualname__}."):
                yield function
    else:
        function = inspect.unwrap(obj)
        function = getattr(function, "__func__", function)
        if isinstance(function, types.FunctionType):
            yield function


def _some_function(obj: Any) -> types.FunctionType | None:
    return next(_functions_of(obj), None)


def _closure(function: types.FunctionType) -> dict[str, Any]:
    values = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            values[name] = cell.cell_contents
        except ValueError:
            continue
    values.pop("__class__", None)
    return values


def _find_definition(tree: ast.Module, obj: Any, line: int | None) -> _Definition | None:
    kinds: Any = ast.ClassDef if isinstance(obj, type) else (ast.FunctionDef, ast.AsyncFunctionDef)
    name = obj.__name__ if isinstance(obj, type) else inspect.unwrap(obj).__name__
    found: _Definition | None = None
    for node in ast.walk(tree):
        if isinstance(node, kinds) and node.name == name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if line is None or first <= line <= (node.end_lineno or first):
                found = node  # the innermost, or of equals the last, is what the name means
    return found


class _Collected:
    """Statements on their way to a source that stands on its own."""

    def __init__(self) -> None:
        self.future: set[str] = set()
        self.imports: dict[str, None] = {}
        self.packages: set[str] = set()
        self.values: dict[str, str] = {}
        self.parts: list[tuple[str, int, str]] = []
        self.seen: set[tuple[str, int]] = set()

    def add(self, place: _Place, node: ast.stmt) -> None:
        key = (place.filename, node.lineno)
        if key in self.seen:
            return
        self.seen.add(key)
        for statement in place.tree.body:
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                self.future.update(alias.name for alias in statement.names)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import):
                self.packages.update(alias.name.partition(".")[0] for alias in inner.names)
            elif isinstance(inner, ast.ImportFrom) and inner.module and not inner.level:
                self.packages.add(inner.module.partition(".")[0])
        text = place.text(node)
        own = node.name if isinstance(node, _Definition) else None
        for name in sorted(_names_used(text, node)):
            if name != own:
                self.add_name(place, name)
        # Appended after what it uses: an order in which every name is defined before the module needs it.
        self.parts.append((place.filename, node.lineno, text))

    def add_name(self, place: _Place, name: str) -> None:
        if name in place.nonlocals:
            self.add_value(place, name, place.nonlocals[name])
            return
        bound = False
        for statement in place.tree.body:
            if name in _names_bound(statement) and not _is_main_guard(statement):
                bound = True
                if isinstance(statement, (ast.Import, ast.ImportFrom)):
                    self.add_import(place, statement, name)
                else:
                    self.add(place, statement)
        if not bound and name in place.namespace and not hasattr(builtins, name):
            self.add_value(place, name, place.namespace[name])

    def add_import(self, place: _Place, statement: ast.Import | ast.ImportFrom, name: str) -> None:
        for alias in statement.names:
            if (alias.asname or alias.name.partition(".")[0]) != name:
                continue
            renamed = f" as {alias.asname}" if alias.asname else ""
            if isinstance(statement, ast.Import):
                self.imports[f"import {alias.name}{renamed}"] = None
                self.packages.add(alias.name.partition(".")[0])
            else:
                module = statement.module or ""
                if statement.level:
                    module = importlib.util.resolve_name("." * statement.level + module, place.package or "")
                self.imports[f"from {module} import {alias.name}{renamed}"] = None
                self.packages.add(module.partition(".")[0])

    def add_value(self, place: _Place, name: str, value: Any) -> None:
        """Write down a value that no statement at the top of the module binds."""
        if isinstance(value, types.ModuleType):
            self.imports[f"import {value.__name__} as {name}"] = None
            self.packages.add(value.__name__.partition(".")[0])
            return
        module, qualname = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if module and qualname and getattr(sys.modules.get(module), qualname, None) is value and module != "__main__":
            public = "smolagents.tools" if module.startswith("smolagents.tools.") and name in _EXPORTED else module
            renamed = "" if qualname == name else f" as {name}"
            self.imports[f"from {public} import {qualname}{renamed}"] = None
            self.packages.add(module.partition(".")[0])
            return
        if _is_literal(value):
            self.values[name] = f"{name} = {value!r}\n"
            return
        if isinstance(value, (type, types.FunctionType)):
            inner = _Place.of(value)
            self.add(inner, inner.node)
            if inner.node.name != name:
                self.values[name] = f"{name} = {inner.node.name}\n"
            return
        raise ToolDefinitionError(
            f"'{place.node.name}' uses '{name}', a {type(value).__name__} that cannot be written as source code. "
            f"Make it inside the function, or assign it at the top of the module."
        )

    def join(self) -> SelfContained:
        head = []
        if self.future:
            head.append(f"from __future__ import {', '.join(sorted(self.future))}\n")
        if self.imports:
            head.append("".join(f"{line}\n" for line in sorted(self.imports)))
        if self.values:
            head.append("".join(self.values.values()))
        sections = ["\n".join(head)] if head else []
        sections.extend(text for _, _, text in self.parts)
        packages = {name for name in self.packages if name not in sys.stdlib_module_names}
        return SelfContained("\n\n".join(sections), packages)


def _is_literal(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def _is_main_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(statement.test)
    )


def _names_used(text: str, node: ast.stmt) -> set[str]:
    """Names that a statement takes from its module: those no scope inside it binds, and those in type hints."""
    used: set[str] = set()
    pending = [symtable.symtable(text, "<source>", "exec")]
    top = pending[0]
    while pending:
        table = pending.pop()
        pending.extend(table.get_children())
        for symbol in table.get_symbols():
            if table is top:
                if symbol.is_referenced() and not symbol.is_imported():
                    used.add(symbol.get_name())
            elif symbol.is_global() and (symbol.is_referenced() or symbol.is_declared_global()):
                used.add(symbol.get_name())
    for hint in _type_hints(node):
        used.update(each.id for each in ast.walk(hint) if isinstance(each, ast.Name))
        for each in ast.walk(hint):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                try:
                    inner = ast.parse(each.value, mode="eval")
                except SyntaxError:
                    continue
                used.update(name.id for name in ast.walk(inner) if isinstance(name, ast.Name))
    return used


def _type_hints(node: ast.stmt) -> Iterator[ast.expr]:
    for each in ast.walk(node):
        found = getattr(each, "annotation", None)
        if isinstance(found, ast.expr):
            yield found
        found = getattr(each, "returns", None)
        if isinstance(found, ast.expr):
            yield found


def _names_bound(statement: ast.stmt) -> set[str]:
    """Names that a statement at the top of a module binds there."""
    names: set[str] = set()
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, _Definition):
            names.add(node.name)
            continue  # what it binds inside is its own
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            continue
        pending.extend(ast.iter_child_nodes(node))
    return names
