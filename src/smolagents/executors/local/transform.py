"""The guarded form of a syntax tree.

The tree is changed in place. What can be proved safe from the syntax stays as it is, so it runs at native speed:

- attributes with ordinary names; only those in `names.GUARDED_PUBLIC` and those with underscores go through a guard
- arithmetic, except `*`, `**`, `<<` and `%`, whose results may be huge

What counts operations is an iterator, `@ticks`: loops and comprehensions iterate over `compress(iterable, @ticks)`,
which costs no bytecode; functions and `while` loops begin with `next(@ticks)`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from . import names
from .names import ATTR, OWN, TICKS, is_dunder, is_native

__all__ = ["GuardSyntaxError", "Guarded", "guard_tree"]

_LOAD = ast.Load()
_STORE = ast.Store()
_WIDE = re.compile(r"\d{8}")
_CONVERSIONS = {115: "@str", 114: "@repr", 97: "@ascii"}
_GUARDED_OPERATORS: dict[type, str] = {ast.Mult: "@mul", ast.Pow: "@pow", ast.LShift: "@lshift", ast.Mod: "@mod"}
_GUARDED_AUGMENTED: dict[type, str] = {ast.Mult: "@imul", ast.Pow: "@ipow", ast.LShift: "@ilshift", ast.Mod: "@imod"}
_TAKES_ALL = frozenset({"list", "tuple", "set", "frozenset", "sorted", "dict"})
_TAKES_EACH = frozenset({"sum", "min", "max", "any", "all", "map", "zip", "filter", "enumerate", "reversed", "iter"})
_METHOD_TAKES_ALL = frozenset({"extend", "update", "join", "fromkeys", "extendleft", "array", "Counter", "deque"})
_MAYBE_RANGE: tuple[type, ...] = (
    ast.Name,
    ast.IfExp,
    ast.BoolOp,
    ast.NamedExpr,
    ast.Attribute,
    ast.Subscript,
    ast.Starred,
)
_SIMPLE: tuple[type, ...] = (ast.Name, ast.Constant)


def _constant_name(name: str) -> ast.Name:
    return ast.Name(name, _LOAD, lineno=1, col_offset=0, end_lineno=1, end_col_offset=1)


# Reading a guard's name cannot fail, so one node serves every place: only calls need a true position.
_NAMES = {
    name: _constant_name(name)
    for name in (
        "@next @ticks @compress @attr @target @target_dunder @own @type @bounded @ticked @bytes @newclass @settle "
        "@star_types @control @format @str @repr @ascii @augitem @augattr @itemcell @attrcell @match_class @inactive "
        "@mul @pow @lshift @mod @imul @ipow @ilshift @imod @iadd @add @string_annotation"
    ).split()
}
_COMPRESS = _NAMES["@compress"]
_TICKS = _NAMES[TICKS]
_NEXT = _NAMES["@next"]


class GuardSyntaxError(Exception):
    """The code uses a name in a place where it cannot be guarded.

    Args:
        message: What is wrong, for the model.
        node: Where.
    """

    def __init__(self, message: str, node: Any) -> None:
        super().__init__(message)
        self.message = message
        self.line: int = getattr(node, "lineno", 1)


def _at(node: Any) -> dict[str, int]:
    return {
        "lineno": node.lineno,
        "col_offset": node.col_offset,
        "end_lineno": node.end_lineno,
        "end_col_offset": node.end_col_offset,
    }


def _call(guard: str, arguments: list[Any], node: Any) -> ast.Call:
    return ast.Call(
        _NAMES[guard],
        arguments,
        [],
        lineno=node.lineno,
        col_offset=node.col_offset,
        end_lineno=node.end_lineno,
        end_col_offset=node.end_col_offset,
    )


def _text(value: str, node: Any) -> ast.Constant:
    return ast.Constant(value, **_at(node))


def _statement(expression: ast.expr, node: Any) -> ast.Expr:
    return ast.Expr(
        expression,
        lineno=node.lineno,
        col_offset=node.col_offset,
        end_lineno=node.end_lineno,
        end_col_offset=node.end_col_offset,
    )


def _tick(node: Any) -> ast.Expr:
    return _statement(_call("@next", [_TICKS], node), node)


class Guarded:
    """Walks a tree once and changes it. After `module`, `bound` holds what the module level binds."""

    def __init__(self) -> None:
        self.scope = "module"
        self.class_name: str | None = None
        self.in_finally = False
        self.globals: set[str] = set()
        self.annotated: set[str] = set()
        self.bound: dict[str, int] = {}
        self.temporaries = 0
        self.before: list[list[ast.stmt]] = []

    # -- statements ------------------------------------------------------------------------------------------

    def module(self, tree: ast.Module) -> None:
        body = tree.body
        _keep_result(body)
        tree.body = body = self.body(body)
        wanted = self.globals - self.annotated
        wanted.update(("@next", TICKS, "@compress"))
        place = 0
        while place < len(body) and (
            (isinstance(body[place], ast.ImportFrom) and body[place].module == "__future__")  # type: ignore[attr-defined]
            or (place == 0 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant))
        ):
            place += 1
        # Names of the module level are declared global: the compiler then uses its cached instructions for them.
        body.insert(place, ast.Global(sorted(wanted), lineno=1, col_offset=0, end_lineno=1, end_col_offset=1))

    def body(self, statements: list[Any]) -> list[Any]:
        result = []
        for statement in statements:
            changed = VISIT[type(statement)](self, statement)
            if type(changed) is list:
                result.extend(changed)
            else:
                result.append(changed)
        return result

    def expression(self, node: Any) -> Any:
        return VISIT[type(node)](self, node)

    def expressions(self, nodes: list[Any]) -> list[Any]:
        return [VISIT[type(node)](self, node) for node in nodes]

    def generic(self, node: Any) -> Any:
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, ast.AST):
                setattr(node, field, VISIT[type(value)](self, value))
            elif isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                setattr(node, field, self.body(value))
            elif isinstance(value, list):
                setattr(node, field, [VISIT[type(v)](self, v) if isinstance(v, ast.AST) else v for v in value])
        return node

    def leaf(self, node: Any) -> Any:
        return node

    def bind(self, name: str, node: Any) -> None:
        if name in names.FORBIDDEN_NAMES:
            raise GuardSyntaxError(f"The name '{name}' is reserved.", node)
        if self.scope == "module":
            self.bound.setdefault(name, node.lineno)

    def name(self, node: ast.Name) -> Any:
        name = node.id
        if type(node.ctx) is not ast.Load:
            self.bind(name, node)
        elif name in names.FORBIDDEN_NAMES:
            raise GuardSyntaxError(f"The name '{name}' is out of reach.", node)
        elif name == "__import__":
            node.id = "@import"
            return node
        if self.scope == "module":
            self.globals.add(name)
        return node

    def expr(self, node: ast.Expr) -> Any:
        node.value = VISIT[type(node.value)](self, node.value)
        return node

    def assign(self, node: ast.Assign) -> Any:
        node.value = VISIT[type(node.value)](self, node.value)
        node.targets = [VISIT[type(target)](self, target) for target in node.targets]
        return node

    def annotated_assign(self, node: ast.AnnAssign) -> Any:
        if self.scope == "module" and type(node.target) is ast.Name:
            self.annotated.add(node.target.id)
        if node.value is not None:
            node.value = self.expression(node.value)
        node.annotation = self.expression(node.annotation)
        node.target = self.expression(node.target)
        return node

    def augmented_assign(self, node: ast.AugAssign) -> Any:
        target = node.target
        operation = type(node.op)
        same_name = (
            operation is ast.Add and type(target) is ast.Name and type(node.value) is ast.Name
            and node.value.id == target.id
        )  # fmt: skip
        node.value = value = self.expression(node.value)
        guard = _GUARDED_AUGMENTED.get(operation)
        if type(target) is ast.Name:
            self.name(target)
            if same_name:
                guard = "@iadd"
            if guard is None or (type(value) is ast.Constant and type(value.value) is float):
                return node
            current = ast.Name(target.id, _LOAD, **_at(target))
            return ast.Assign([target], _call(guard, [current, value], node), **_at(node))
        private = type(target) is ast.Attribute and not is_native(target.attr)
        if guard is None and not private:
            node.target = self.expression(target)
            return node
        kind = operation.__name__
        simple = type(value) in _SIMPLE
        if type(target) is ast.Attribute:
            name = self.mangled(target.attr)
            place = [self.expression(target.value), _text(name, target)]
        else:
            place = [self.expression(target.value), self.index(target.slice)]  # type: ignore[union-attr]
        which = "attr" if type(target) is ast.Attribute else "item"
        if simple:
            return _statement(_call(f"@aug{which}", [*place, _text(kind, node), value], node), node)
        # The old value must be read before the new operand is computed: an object stands in for the place.
        cell = _call(f"@{which}cell", place, node)
        node.target = ast.Attribute(cell, "value", _STORE, **_at(target))
        return node

    def index(self, node: Any) -> Any:
        """A subscript as a value that can be an argument: slices become `slice(...)`."""
        if type(node) is ast.Slice:
            parts = [
                self.expression(part) if part is not None else ast.Constant(None, **_at(node))
                for part in (node.lower, node.upper, node.step)
            ]
            return ast.Call(_constant_name("@slice"), parts, [], **_at(node))
        if type(node) is ast.Tuple:
            return ast.Tuple([self.index(item) for item in node.elts], _LOAD, **_at(node))
        return self.expression(node)

    def function(self, node: Any) -> Any:
        node.decorator_list = self.expressions(node.decorator_list)
        arguments = node.args
        arguments.defaults = self.expressions(arguments.defaults)
        arguments.kw_defaults = [d if d is None else self.expression(d) for d in arguments.kw_defaults]
        self.arguments(arguments)
        if node.returns is not None:
            node.returns = self.expression(node.returns)
        if getattr(node, "type_params", None):
            node.type_params = [self.generic(parameter) for parameter in node.type_params]
        self.bind(node.name, node)
        is_finalizer = node.name == "__del__" and self.scope == "class"
        scope, finally_ = self.scope, self.in_finally
        self.scope, self.in_finally = "function", False
        body = node.body
        first = body[0]
        documented = type(first) is ast.Expr and type(first.value) is ast.Constant and type(first.value.value) is str
        body = self.body(body)
        body.insert(1 if documented else 0, _tick(node))
        if is_finalizer:
            body.insert(
                1 if documented else 0,
                ast.If(_call("@inactive", [], node), [ast.Return(None, **_at(node))], [], **_at(node)),
            )
        node.body = body
        self.scope, self.in_finally = scope, finally_
        return node

    def arguments(self, arguments: ast.arguments) -> None:
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for argument in (*every, arguments.vararg, arguments.kwarg):
            if argument is not None:
                if argument.arg in names.FORBIDDEN_NAMES:
                    raise GuardSyntaxError(f"The name '{argument.arg}' is reserved.", argument)
                if argument.annotation is not None:
                    argument.annotation = self.expression(argument.annotation)

    def lambda_(self, node: ast.Lambda) -> Any:
        arguments = node.args
        arguments.defaults = self.expressions(arguments.defaults)
        arguments.kw_defaults = [d if d is None else self.expression(d) for d in arguments.kw_defaults]
        self.arguments(arguments)
        scope = self.scope
        self.scope = "function"
        leaf = not any(type(part) is ast.Call for part in ast.walk(node.body))
        body = self.expression(node.body)
        if not leaf:
            body = ast.BoolOp(ast.And(), [_call("@next", [_TICKS], node.body), body], **_at(node.body))
        node.body = body
        self.scope = scope
        return node

    def class_(self, node: Any) -> Any:
        node.decorator_list = self.expressions(node.decorator_list)
        if getattr(node, "type_params", None):
            node.type_params = [self.generic(parameter) for parameter in node.type_params]
        node.bases = self.expressions(node.bases)
        for keyword in node.keywords:
            keyword.value = self.expression(keyword.value)
        self.bind(node.name, node)
        scope, name, finally_ = self.scope, self.class_name, self.in_finally
        self.scope, self.class_name, self.in_finally = "class", node.name, False
        node.body = self.body(node.body)
        self.scope, self.class_name, self.in_finally = scope, name, finally_
        return node

    def for_(self, node: Any) -> Any:
        iterable = self.expression(node.iter)
        node.target = self.expression(node.target)
        node.body = self.body(node.body)
        if node.orelse:
            node.orelse = self.body(node.orelse)
        if type(node) is ast.For:
            node.iter = ast.Call(_COMPRESS, [iterable, _TICKS], [], **_at(node.iter))
        else:
            node.iter = iterable
            node.body.insert(0, _tick(node))
        return node

    def while_(self, node: ast.While) -> Any:
        node.test = self.expression(node.test)
        node.body = self.body(node.body)
        node.body.insert(0, _tick(node))
        if node.orelse:
            node.orelse = self.body(node.orelse)
        return node

    def with_(self, node: Any) -> Any:
        for item in node.items:
            item.context_expr = self.expression(item.context_expr)
            if item.optional_vars is not None:
                item.optional_vars = self.expression(item.optional_vars)
        node.body = self.body(node.body)
        # A context manager may swallow what ends the run.
        return [node, _statement(_call("@settle", [], node), node)]

    def try_(self, node: Any) -> Any:
        node.body = self.body(node.body)
        starred = type(node) is not ast.Try
        for handler in node.handlers:
            if handler.type is not None:
                handler.type = self.expression(handler.type)
                if starred:
                    handler.type = _call("@star_types", [handler.type], handler.type)
            if handler.name is not None:
                self.bind(handler.name, handler)
            handler.body = self.body(handler.body)
        if node.handlers and not starred:
            place = _at(node.handlers[0])
            node.handlers.insert(
                0, ast.ExceptHandler(_NAMES[names.CONTROL], None, [ast.Raise(None, None, **place)], **place)
            )
        if node.orelse:
            node.orelse = self.body(node.orelse)
        if node.finalbody:
            outer, self.in_finally = self.in_finally, True
            node.finalbody = self.body(node.finalbody)
            self.in_finally = outer
        return node

    def leave(self, node: Any) -> Any:
        """`return`, `break` and `continue`: in a `finally` block they would swallow what ends the run."""
        if getattr(node, "value", None) is not None:
            node.value = self.expression(node.value)
        if self.in_finally:
            return [_statement(_call("@settle", [], node), node), node]
        return node

    def import_(self, node: Any) -> Any:
        for alias in node.names:
            if alias.name != "*":
                self.bind(alias.asname or alias.name.partition(".")[0], node)
        return node

    def global_(self, node: Any) -> Any:
        for name in node.names:
            if name in names.FORBIDDEN_NAMES:
                raise GuardSyntaxError(f"The name '{name}' is reserved.", node)
            if type(node) is ast.Global:
                self.bound.setdefault(name, node.lineno)
        return node

    def match(self, node: Any) -> Any:
        node.subject = self.expression(node.subject)
        self.before.append([])
        for case in node.cases:
            case.pattern = self.pattern(case.pattern)
        before = self.before.pop()
        for case in node.cases:
            if case.guard is not None:
                case.guard = self.expression(case.guard)
            case.body = self.body(case.body)
        return [*before, node]

    def pattern(self, node: Any) -> Any:
        kind = type(node)
        if kind is ast.MatchClass:
            for name in node.kwd_attrs:
                if not is_native(name) and not (name[0] == "_" and name in names.LIBRARY_PRIVATE):
                    raise GuardSyntaxError(f"The attribute '{name}' cannot be used in a class pattern.", node)
            node.patterns = [self.pattern(p) for p in node.patterns]
            node.kwd_patterns = [self.pattern(p) for p in node.kwd_patterns]
            self.pattern_value(node.cls)
            cls = self.expression(node.cls)
            # The class, and the attributes it names for positional patterns, are looked at before matching.
            self.temporaries += 1
            temporary = f"@class{self.temporaries}"
            place = _at(node)
            self.before[-1].append(
                ast.Assign([ast.Name(temporary, _STORE, **place)], _call("@match_class", [cls], node), **place)
            )
            node.cls = ast.Name(temporary, _LOAD, **place)
            return node
        if kind is ast.MatchValue:
            self.pattern_value(node.value)
            node.value = self.expression(node.value)
            return node
        for name in ("name", "rest"):
            if getattr(node, name, None) is not None:
                self.bind(getattr(node, name), node)
        if kind is ast.MatchMapping:
            for key in node.keys:
                self.pattern_value(key)
            node.keys = self.expressions(node.keys)
        for field in ("patterns", "pattern"):
            value = getattr(node, field, None)
            if isinstance(value, list):
                setattr(node, field, [self.pattern(p) for p in value])
            elif value is not None:
                setattr(node, field, self.pattern(value))
        return node

    def pattern_value(self, node: Any) -> None:
        for part in ast.walk(node):
            if type(part) is ast.Attribute and not is_native(part.attr):
                raise GuardSyntaxError(f"The attribute '{part.attr}' cannot be used in a pattern.", part)

    # -- expressions -----------------------------------------------------------------------------------------

    def mangled(self, name: str) -> str:
        """`name` as the compiler changes names with two leading underscores inside a class."""
        if name[:2] == "__" and name[-2:] != "__" and self.class_name and (stem := self.class_name.lstrip("_")):
            return f"_{stem}{name}"
        return name

    def attribute(self, node: ast.Attribute) -> Any:
        name = node.attr
        owner = node.value
        owner_is_name = type(owner) is ast.Name
        node.value = owner = VISIT[type(owner)](self, owner)
        if type(node.ctx) is ast.Load:
            if (name[0] != "_" and name not in names.GUARDED_PUBLIC) or name in names.NATIVE_DUNDERS:
                return node
            guarded = _call(ATTR, [owner, _text(self.mangled(name), node)], node)
            if owner_is_name and name[0] == "_" and not is_dunder(name):
                return ast.IfExp(self._is_own(owner, node), node, guarded, **_at(node))
            return guarded
        if is_dunder(name) or name in names.FRAME_INTERNALS:
            node.value = _call("@target_dunder", [owner, _text(name, node)], node)
        elif owner_is_name:
            node.value = ast.IfExp(self._is_own(owner, node), owner, _call("@target", [owner], node), **_at(node))
        else:
            node.value = _call("@target", [owner], node)
        return node

    def _is_own(self, owner: ast.expr, node: Any) -> ast.expr:
        place = _at(node)
        kind = ast.Call(_NAMES["@type"], [owner], [], **place)
        return ast.Compare(kind, [ast.In()], [_NAMES[OWN]], **place)

    def call(self, node: ast.Call) -> Any:
        function = node.func
        arguments = node.args
        if type(function) is ast.Name:
            name = function.id
            self.name(function)
            guard = None
            if name in _TAKES_ALL:
                guard = "@bounded"
            elif name in _TAKES_EACH:
                guard = "@ticked"
            elif name in ("bytes", "bytearray"):
                guard = "@bytes"
            elif name == "type" and len(arguments) != 1:
                node.args = [function, *self.expressions(arguments)]
                node.func = _NAMES["@newclass"]
                for keyword in node.keywords:
                    keyword.value = self.expression(keyword.value)
                return node
            if guard is not None and arguments:
                node.args = [self.sized(argument, guard) for argument in arguments]
            elif arguments:
                node.args = [VISIT[type(argument)](self, argument) for argument in arguments]
        else:
            node.func = VISIT[type(function)](self, function)
            if type(function) is ast.Attribute and function.attr in _METHOD_TAKES_ALL:
                node.args = [self.sized(argument, "@bounded") for argument in arguments]
            elif arguments:
                node.args = [VISIT[type(argument)](self, argument) for argument in arguments]
        for keyword in node.keywords:
            keyword.value = VISIT[type(keyword.value)](self, keyword.value)
        return node

    def sized(self, node: Any, guard: str) -> Any:
        kind = type(node)
        wrap = kind in _MAYBE_RANGE or (kind is ast.Call and type(node.func) is ast.Name)
        if guard == "@bytes":
            wrap = kind is not ast.Constant or type(node.value) is int
        changed = VISIT[kind](self, node)
        if not wrap or kind is ast.Starred:
            return changed
        return _call(guard, [changed], node)

    def starred(self, node: ast.Starred) -> Any:
        value = node.value
        is_call = type(value) is ast.Call and type(value.func) is ast.Name
        changed = self.expression(value)
        if type(node.ctx) is ast.Load and (is_call or (type(value) is ast.Name and self.scope == "module")):
            changed = _call("@bounded", [changed], value)
        node.value = changed
        return node

    def binary(self, node: ast.BinOp) -> Any:
        left, right = node.left, node.right
        node.left = left = VISIT[type(left)](self, left)
        node.right = right = VISIT[type(right)](self, right)
        operation = type(node.op)
        guard = _GUARDED_OPERATORS.get(operation)
        if guard is None:
            if (
                operation is ast.Add and type(left) is ast.Name and type(right) is ast.Name and left.id == right.id
            ):  # fmt: skip
                return _call("@add", [left, right], node)
            return node
        left_kind = type(left.value) if type(left) is ast.Constant else None
        right_kind = type(right.value) if type(right) is ast.Constant else None
        if left_kind in (float, complex) or right_kind in (float, complex):
            if operation is not ast.Mod or left_kind is not None:
                return node
        elif left_kind is int and right_kind is int:
            pass
        elif operation is ast.Mod:
            if left_kind is int or (
                left_kind is str and "*" not in left.value and not _WIDE.search(left.value)  # type: ignore[attr-defined]
            ):
                return node
            if right_kind is int and type(left) is ast.Name:
                return self._unless_int(left, node, guard)
        elif operation is ast.Mult and right_kind is int and type(left) is ast.Name:
            if right.value < 2**64:  # type: ignore[attr-defined]
                return self._unless_int(left, node, guard)
        elif operation is ast.Mult and left_kind is int and type(right) is ast.Name:
            if left.value < 2**64:  # type: ignore[attr-defined]
                return self._unless_int(right, node, guard)
        return _call(guard, [left, right], node)

    def _unless_int(self, operand: ast.expr, node: ast.BinOp, guard: str) -> ast.expr:
        """The operation itself for an int: with a small constant it cannot make a huge result at once."""
        place = _at(node)
        kind = ast.Call(_NAMES["@type"], [operand], [], **place)
        test = ast.Compare(kind, [ast.Is()], [_INT], **place)
        return ast.IfExp(test, node, _call(guard, [node.left, node.right], node), **place)

    def comprehension(self, node: Any) -> Any:
        generators = node.generators
        first = generators[0]
        iterable = self.expression(first.iter)
        scope, self.scope = self.scope, "function" if self.scope != "module" else "comprehension"
        for generator in generators:
            inner = iterable if generator is first else self.expression(generator.iter)
            generator.target = self.expression(generator.target)
            if generator.ifs:
                generator.ifs = self.expressions(generator.ifs)
            if not generator.is_async:
                inner = ast.Call(_COMPRESS, [inner, _TICKS], [], **_at(generator.iter))
            generator.iter = inner
        if type(node) is ast.DictComp:
            node.key = self.expression(node.key)
            node.value = self.expression(node.value)
        else:
            node.elt = self.expression(node.elt)
        self.scope = scope
        return node

    def named(self, node: ast.NamedExpr) -> Any:
        if self.scope == "comprehension":
            self.bound.setdefault(node.target.id, node.lineno)
            self.globals.add(node.target.id)
        node.target = self.expression(node.target)
        node.value = self.expression(node.value)
        return node

    def formatted(self, node: ast.FormattedValue) -> Any:
        node.value = value = self.expression(node.value)
        specification = node.format_spec
        if specification is None:
            return node
        parts = specification.values  # type: ignore[attr-defined]
        if all(type(part) is ast.Constant and not _WIDE.search(part.value) for part in parts):
            return node
        node.format_spec = None
        if node.conversion in _CONVERSIONS:
            value = _call(_CONVERSIONS[node.conversion], [value], node)
        node.conversion = -1
        node.value = _call("@format", [value, self.generic(specification)], node)
        return node

    def subscript(self, node: ast.Subscript) -> Any:
        node.value = VISIT[type(node.value)](self, node.value)
        node.slice = VISIT[type(node.slice)](self, node.slice)
        return node

    def compare(self, node: ast.Compare) -> Any:
        node.left = VISIT[type(node.left)](self, node.left)
        node.comparators = [VISIT[type(part)](self, part) for part in node.comparators]
        return node

    def items(self, node: Any) -> Any:
        node.elts = [VISIT[type(part)](self, part) for part in node.elts]
        return node

    def joined(self, node: ast.JoinedStr) -> Any:
        node.values = [VISIT[type(part)](self, part) for part in node.values]
        return node

    def if_(self, node: ast.If) -> Any:
        node.test = VISIT[type(node.test)](self, node.test)
        node.body = self.body(node.body)
        if node.orelse:
            node.orelse = self.body(node.orelse)
        return node

    def type_alias(self, node: Any) -> Any:
        if self.scope == "module":
            self.annotated.add(node.name.id)
        return self.generic(node)


_INT = _constant_name("@int")


def _keep_result(body: list[Any]) -> None:
    """Make the last expression or assignment of `body` also set the result."""
    if not body:
        return
    last = body[-1]
    kind = type(last)
    if kind is ast.Expr:
        body[-1] = ast.Assign([ast.Name(names.RESULT, _STORE, **_at(last))], last.value, **_at(last))
    elif kind is ast.Assign:
        last.targets.insert(0, ast.Name(names.RESULT, _STORE, **_at(last)))
    elif kind in (ast.AugAssign, ast.AnnAssign):
        target = last.target
        if type(target) is ast.Name and last.value is not None:
            value = ast.Name(target.id, _LOAD, **_at(target))
            body.append(ast.Assign([ast.Name(names.RESULT, _STORE, **_at(last))], value, **_at(last)))
        elif type(target) is ast.Subscript and type(target.value) is ast.Name and type(target.slice) in _SIMPLE:
            base = ast.Name(target.value.id, _LOAD, **_at(target))
            value2 = ast.Subscript(base, target.slice, _LOAD, **_at(target))
            body.append(ast.Assign([ast.Name(names.RESULT, _STORE, **_at(last))], value2, **_at(last)))
    elif kind is ast.If:
        _keep_result(last.body)
        _keep_result(last.orelse)
    elif kind in (ast.With, ast.AsyncWith):
        _keep_result(last.body)
    elif kind is ast.Try:
        _keep_result(last.orelse or last.body)
        for handler in last.handlers:
            _keep_result(handler.body)


Visitor = Callable[[Guarded, Any], Any]


class _Visitors(dict[type, Visitor]):
    """Visitors by node type; kinds of node that are not listed have their children visited."""

    def __missing__(self, kind: type) -> Visitor:
        self[kind] = Guarded.generic
        return Guarded.generic


VISIT: dict[type, Visitor] = _Visitors(
    {
        ast.Name: Guarded.name,
        ast.Constant: Guarded.leaf,
        ast.Pass: Guarded.leaf,
        ast.Load: Guarded.leaf,
        ast.Expr: Guarded.expr,
        ast.Assign: Guarded.assign,
        ast.AnnAssign: Guarded.annotated_assign,
        ast.AugAssign: Guarded.augmented_assign,
        ast.FunctionDef: Guarded.function,
        ast.AsyncFunctionDef: Guarded.function,
        ast.Lambda: Guarded.lambda_,
        ast.ClassDef: Guarded.class_,
        ast.For: Guarded.for_,
        ast.AsyncFor: Guarded.for_,
        ast.While: Guarded.while_,
        ast.With: Guarded.with_,
        ast.AsyncWith: Guarded.with_,
        ast.Try: Guarded.try_,
        ast.Return: Guarded.leave,
        ast.Break: Guarded.leave,
        ast.Continue: Guarded.leave,
        ast.Import: Guarded.import_,
        ast.ImportFrom: Guarded.import_,
        ast.Global: Guarded.global_,
        ast.Nonlocal: Guarded.global_,
        ast.Match: Guarded.match,
        ast.Attribute: Guarded.attribute,
        ast.Call: Guarded.call,
        ast.Starred: Guarded.starred,
        ast.BinOp: Guarded.binary,
        ast.ListComp: Guarded.comprehension,
        ast.SetComp: Guarded.comprehension,
        ast.DictComp: Guarded.comprehension,
        ast.GeneratorExp: Guarded.comprehension,
        ast.NamedExpr: Guarded.named,
        ast.FormattedValue: Guarded.formatted,
        ast.JoinedStr: Guarded.joined,
        ast.Subscript: Guarded.subscript,
        ast.Compare: Guarded.compare,
        ast.Tuple: Guarded.items,
        ast.List: Guarded.items,
        ast.Set: Guarded.items,
        ast.If: Guarded.if_,
    }
)
if hasattr(ast, "TryStar"):
    VISIT[ast.TryStar] = Guarded.try_
if hasattr(ast, "TypeAlias"):
    VISIT[ast.TypeAlias] = Guarded.type_alias


def guard_tree(tree: ast.Module) -> dict[str, int]:
    """Change `tree` into its guarded form, in place.

    Returns:
        The names that the module level binds, each with the line of its first binding.

    Raises:
        GuardSyntaxError: A name is used where it cannot be guarded.
    """
    guarded = Guarded()
    guarded.module(tree)
    return guarded.bound
