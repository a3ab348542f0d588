"""The guarded form of expressions."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from . import names
from .names import ATTR, OWN, TICKS, is_dunder
from .nodes import NAMES, GuardSyntaxError, call, new, text

__all__ = ["VISIT", "Expressions"]

_WIDE = re.compile(r"\d{8}")
_CONVERSIONS = {115: "@str", 114: "@repr", 97: "@ascii"}
_GUARDED_OPERATORS: dict[type, str] = {ast.Mult: "@mul", ast.Pow: "@pow", ast.LShift: "@lshift", ast.Mod: "@mod"}
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
_Load = ast.Load
_Name = ast.Name
_Constant = ast.Constant
_SPECIAL_NAMES = names.FORBIDDEN_NAMES | {"__import__"}
_AND = ast.And()
_IN = [ast.In()]
_IS = [ast.Is()]


class Expressions:
    """Changes expressions. What walks over a tree keeps its place here."""

    def __init__(self) -> None:
        self.scope = "module"
        self.class_name: str | None = None
        self.in_finally = False
        self.in_loop = False
        self.globals: set[str] = set()
        self.annotated: set[str] = set()
        self.bound: dict[str, int] = {}
        self.temporaries = 0
        self.before: list[list[ast.stmt]] = []

    def expression(self, node: Any) -> Any:
        return VISIT[type(node)](self, node)

    def expressions(self, nodes: list[Any]) -> list[Any]:
        if self.scope == "function":
            return [
                node
                if type(node) is _Constant or (type(node) is _Name and node.id not in _SPECIAL_NAMES)
                else VISIT[type(node)](self, node)
                for node in nodes
            ]
        return [node if type(node) is _Constant else VISIT[type(node)](self, node) for node in nodes]

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

    def body(self, statements: list[Any]) -> list[Any]:
        result = []
        for statement in statements:
            changed = VISIT[type(statement)](self, statement)
            if type(changed) is list:
                result.extend(changed)
            else:
                result.append(changed)
        return result

    def leaf(self, node: Any) -> Any:
        return node

    def bind(self, name: str, node: Any) -> None:
        if name in names.FORBIDDEN_NAMES:
            raise GuardSyntaxError(f"The name '{name}' is reserved.", node)
        if self.scope == "module":
            self.bound.setdefault(name, node.lineno)

    def name(self, node: Any) -> Any:
        name = node.id
        if name in _SPECIAL_NAMES:
            if name in names.FORBIDDEN_NAMES:
                raise GuardSyntaxError(f"The name '{name}' is out of reach.", node)
            if type(node.ctx) is _Load:
                node.id = "@import"
                return node
        if self.scope == "module":
            if type(node.ctx) is not _Load and name not in self.bound:
                self.bound[name] = node.lineno
            self.globals.add(name)
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
            counted = call("@next", [NAMES[TICKS]], node.body)
            body = new(ast.BoolOp, node.body, op=_AND, values=[counted, body])
        node.body = body
        self.scope = scope
        return node

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
            guarded = call(ATTR, [owner, text(self.mangled(name), node)], node)
            if owner_is_name and name[0] == "_" and not is_dunder(name):
                return new(ast.IfExp, node, test=self._is_own(owner, node), body=node, orelse=guarded)
            return guarded
        if is_dunder(name) or name in names.FRAME_INTERNALS:
            node.value = call("@target_dunder", [owner, text(name, node)], node)
        elif owner_is_name:
            checked = call("@target", [owner], node)
            node.value = new(ast.IfExp, node, test=self._is_own(owner, node), body=owner, orelse=checked)
        else:
            node.value = call("@target", [owner], node)
        return node

    def _is_own(self, owner: Any, node: Any) -> Any:
        kind = call("@type", [owner], node)
        return new(ast.Compare, node, left=kind, ops=_IN, comparators=[NAMES[OWN]])

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
                node.func = NAMES["@newclass"]
                for keyword in node.keywords:
                    keyword.value = self.expression(keyword.value)
                return node
            if guard is not None and arguments:
                node.args = [self.sized(argument, guard) for argument in arguments]
            elif arguments:
                node.args = self.expressions(arguments)
        else:
            node.func = VISIT[type(function)](self, function)
            if type(function) is ast.Attribute and function.attr in _METHOD_TAKES_ALL:
                node.args = [self.sized(argument, "@bounded") for argument in arguments]
            elif arguments:
                node.args = self.expressions(arguments)
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
        return call(guard, [changed], node)

    def starred(self, node: ast.Starred) -> Any:
        value = node.value
        is_call = type(value) is ast.Call and type(value.func) is ast.Name
        changed = self.expression(value)
        if type(node.ctx) is ast.Load and (is_call or (type(value) is ast.Name and self.scope == "module")):
            changed = call("@bounded", [changed], value)
        node.value = changed
        return node

    def binary(self, node: ast.BinOp) -> Any:
        left: Any = node.left
        right: Any = node.right
        if type(left) is not _Constant:
            node.left = left = VISIT[type(left)](self, left)
        if type(right) is not _Constant:
            node.right = right = VISIT[type(right)](self, right)
        operation = type(node.op)
        guard = _GUARDED_OPERATORS.get(operation)
        if guard is None:
            if (
                operation is ast.Add and type(left) is ast.Name and type(right) is ast.Name and left.id == right.id
            ):  # fmt: skip
                return call("@add", [left, right], node)
            return node
        left_kind = type(left.value) if type(left) is ast.Constant else None
        right_kind = type(right.value) if type(right) is ast.Constant else None
        if left_kind in (float, complex) or right_kind in (float, complex):
            if operation is not ast.Mod or left_kind is not None:
                return node
        elif left_kind is int and right_kind is int:
            pass
        elif operation is ast.Mod:
            if left_kind is int or (left_kind is str and "*" not in left.value and not _WIDE.search(left.value)):
                return node
            if right_kind is int and type(left) is ast.Name:
                return self._unless_int(left, node, guard)
        elif operation is ast.Mult and right_kind is int and type(left) is ast.Name:
            if right.value < 2**64:
                return self._unless_int(left, node, guard)
        elif operation is ast.Mult and left_kind is int and type(right) is ast.Name and left.value < 2**64:
            return self._unless_int(right, node, guard)
        return call(guard, [left, right], node)

    def _unless_int(self, operand: ast.expr, node: ast.BinOp, guard: str) -> Any:
        """The operation itself for an int: with a small constant it cannot make a huge result at once.

        Only in loops: elsewhere the shorter code is worth more than the faster one.
        """
        if not self.in_loop:
            return call(guard, [node.left, node.right], node)
        kind = call("@type", [operand], node)
        test = new(ast.Compare, node, left=kind, ops=_IS, comparators=[NAMES["@int"]])
        guarded = call(guard, [node.left, node.right], node)
        return new(ast.IfExp, node, test=test, body=node, orelse=guarded)

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
                inner = call("@compress", [inner, NAMES[TICKS]], generator.iter)
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
        specification: Any = node.format_spec
        if specification is None:
            return node
        parts: list[Any] = specification.values
        if all(type(part) is ast.Constant and not _WIDE.search(str(part.value)) for part in parts):
            return node
        node.format_spec = None
        if node.conversion in _CONVERSIONS:
            value = call(_CONVERSIONS[node.conversion], [value], node)
        node.conversion = -1
        node.value = call("@format", [value, self.generic(specification)], node)
        return node

    def dictionary(self, node: Any) -> Any:
        node.keys = [
            key if type(key) is _Constant or key is None else VISIT[type(key)](self, key) for key in node.keys
        ]
        node.values = self.expressions(node.values)
        return node

    def values(self, node: Any) -> Any:
        node.values = [VISIT[type(part)](self, part) for part in node.values]
        return node

    def conditional(self, node: Any) -> Any:
        node.test = VISIT[type(node.test)](self, node.test)
        node.body = VISIT[type(node.body)](self, node.body)
        node.orelse = VISIT[type(node.orelse)](self, node.orelse)
        return node

    def unary(self, node: Any) -> Any:
        node.operand = VISIT[type(node.operand)](self, node.operand)
        return node

    def slice(self, node: Any) -> Any:
        for field in ("lower", "upper", "step"):
            part = getattr(node, field)
            if part is not None and type(part) is not _Constant:
                setattr(node, field, VISIT[type(part)](self, part))
        return node

    def subscript(self, node: ast.Subscript) -> Any:
        node.value = VISIT[type(node.value)](self, node.value)
        node.slice = VISIT[type(node.slice)](self, node.slice)
        return node

    def compare(self, node: ast.Compare) -> Any:
        node.left = VISIT[type(node.left)](self, node.left)
        node.comparators = self.expressions(node.comparators)
        return node

    def items(self, node: Any) -> Any:
        node.elts = self.expressions(node.elts)
        return node


Visitor = Callable[[Any, Any], Any]


class _Visitors(dict[type, Visitor]):
    """Visitors by node type; kinds of node that are not listed have their children visited."""

    def __missing__(self, kind: type) -> Visitor:
        self[kind] = Expressions.generic
        return Expressions.generic


VISIT: dict[type, Visitor] = _Visitors(
    {
        ast.Name: Expressions.name,
        ast.Constant: Expressions.leaf,
        ast.Pass: Expressions.leaf,
        ast.Load: Expressions.leaf,
        ast.Lambda: Expressions.lambda_,
        ast.Attribute: Expressions.attribute,
        ast.Call: Expressions.call,
        ast.Starred: Expressions.starred,
        ast.BinOp: Expressions.binary,
        ast.ListComp: Expressions.comprehension,
        ast.SetComp: Expressions.comprehension,
        ast.DictComp: Expressions.comprehension,
        ast.GeneratorExp: Expressions.comprehension,
        ast.NamedExpr: Expressions.named,
        ast.FormattedValue: Expressions.formatted,
        ast.JoinedStr: Expressions.values,
        ast.Subscript: Expressions.subscript,
        ast.Compare: Expressions.compare,
        ast.Tuple: Expressions.items,
        ast.List: Expressions.items,
        ast.Set: Expressions.items,
        ast.Dict: Expressions.dictionary,
        ast.BoolOp: Expressions.values,
        ast.IfExp: Expressions.conditional,
        ast.UnaryOp: Expressions.unary,
        ast.Slice: Expressions.slice,
    }
)
