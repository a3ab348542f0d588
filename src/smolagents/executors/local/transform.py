"""The guarded form of a syntax tree.

The tree is changed in place. What can be proved safe from the syntax stays as it is, so it runs at native speed:

- attributes with ordinary names; only those in `names.GUARDED_PUBLIC` and those with underscores go through a guard
- arithmetic, except `*`, `**`, `<<` and `%`, whose results may be huge

What counts operations is an iterator, `@ticks`: loops and comprehensions iterate over `compress(iterable, @ticks)`,
which costs no bytecode; functions and `while` loops begin with `next(@ticks)`.
"""

from __future__ import annotations

import ast
from typing import Any

from smolagents.executors.worker.result import keep_result

from . import names
from .names import TICKS, is_dunder, is_native
from .nodes import NAMES, GuardSyntaxError, call, load, new, statement, store, text, tick
from .transform_expressions import VISIT, Expressions

__all__ = ["GuardSyntaxError", "Guarded", "guard_tree"]

_GUARDED_AUGMENTED: dict[type, str] = {ast.Mult: "@imul", ast.Pow: "@ipow", ast.LShift: "@ilshift", ast.Mod: "@imod"}
_SIMPLE: tuple[type, ...] = (ast.Name, ast.Constant)


class Guarded(Expressions):
    """Walks a tree once and changes it. After `module`, `bound` holds what the module level binds."""

    def module(self, tree: ast.Module) -> None:
        body = tree.body
        keep_result(body, names.RESULT)
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
            current = new(ast.Name, target, id=target.id, ctx=load)
            return new(ast.Assign, node, targets=[target], value=call(guard, [current, value], node))
        private = type(target) is ast.Attribute and not is_native(target.attr)
        if guard is None and not private:
            node.target = self.expression(target)
            return node
        if guard is None and type(target.value) is ast.Name and not is_dunder(target.attr):  # type: ignore[union-attr]
            owner = self.expression(target.value)  # type: ignore[union-attr]
            checked = call("@target_private", [owner, text(self.mangled(target.attr), target)], target)  # type: ignore[union-attr]
            target.value = new(ast.IfExp, target, test=self._is_own(owner, target), body=owner, orelse=checked)  # type: ignore[union-attr]
            return node
        kind = operation.__name__
        simple = type(value) in _SIMPLE
        if type(target) is ast.Attribute:
            name = self.mangled(target.attr)
            place = [self.expression(target.value), text(name, target)]
        else:
            place = [self.expression(target.value), self.index(target.slice)]  # type: ignore[union-attr]
        which = "attr" if type(target) is ast.Attribute else "item"
        if simple:
            return statement(call(f"@aug{which}", [*place, text(kind, node), value], node), node)
        # The old value must be read before the new operand is computed: an object stands in for the place.
        cell = call(f"@{which}cell", place, node)
        node.target = new(ast.Attribute, target, value=cell, attr="value", ctx=store)
        return node

    def index(self, node: Any) -> Any:
        """A subscript as a value that can be an argument: slices become `slice(...)`."""
        if type(node) is ast.Slice:
            parts = [
                self.expression(part) if part is not None else text(None, node)
                for part in (node.lower, node.upper, node.step)
            ]
            return call("@slice", parts, node)
        if type(node) is ast.Tuple:
            return new(ast.Tuple, node, elts=[self.index(item) for item in node.elts], ctx=load)
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
        body.insert(1 if documented else 0, tick(node))
        if is_finalizer:
            body.insert(
                1 if documented else 0,
                new(
                    ast.If, node, test=call("@inactive", [], node), body=[new(ast.Return, node, value=None)], orelse=[]
                ),
            )
        node.body = body
        self.scope, self.in_finally = scope, finally_
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
        # A class body looks names up in what the metaclass prepared: the guards must not be looked for there.
        guards = sorted(_guards_in(node.body))
        if guards:
            first = node.body[0]
            documented = type(first) is ast.Expr and type(first.value) is ast.Constant
            node.body.insert(1 if documented else 0, new(ast.Global, node, names=guards))
        return node

    def for_(self, node: Any) -> Any:
        iterable = self.expression(node.iter)
        node.target = self.expression(node.target)
        outer, self.in_loop = self.in_loop, True
        node.body = self.body(node.body)
        self.in_loop = outer
        if node.orelse:
            node.orelse = self.body(node.orelse)
        if type(node) is ast.For:
            node.iter = call("@compress", [iterable, NAMES[TICKS]], node.iter)
        else:
            node.iter = iterable
            node.body.insert(0, tick(node))
        return node

    def while_(self, node: ast.While) -> Any:
        outer, self.in_loop = self.in_loop, True
        node.test = self.expression(node.test)
        node.body = self.body(node.body)
        self.in_loop = outer
        node.body.insert(0, tick(node))
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
        return [node, statement(call("@settle", [], node), node)]

    def try_(self, node: Any) -> Any:
        node.body = self.body(node.body)
        starred = type(node) is not ast.Try
        for handler in node.handlers:
            if handler.type is not None:
                handler.type = self.expression(handler.type)
                if starred:
                    handler.type = call("@star_types", [handler.type], handler.type)
            if handler.name is not None:
                self.bind(handler.name, handler)
            handler.body = self.body(handler.body)
        if node.handlers and not starred:
            first = node.handlers[0]
            node.handlers.insert(
                0,
                new(
                    ast.ExceptHandler,
                    first,
                    type=NAMES[names.CONTROL],
                    name=None,
                    body=[new(ast.Raise, first, exc=None, cause=None)],
                ),
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
            return [statement(call("@settle", [], node), node), node]
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
            self.before[-1].append(
                new(
                    ast.Assign,
                    node,
                    targets=[new(ast.Name, node, id=temporary, ctx=store)],
                    value=call("@match_class", [cls], node),
                )
            )
            node.cls = new(ast.Name, node, id=temporary, ctx=load)
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


def _guards_in(body: list[Any]) -> set[str]:
    """The names of guards in the body of a class, without those in the bodies of its functions."""
    found: set[str] = set()
    waiting: list[Any] = list(body)
    while waiting:
        node = waiting.pop()
        if type(node) is ast.Name:
            if node.id[0] == "@":
                found.add(node.id)
            continue
        if type(node) in (ast.FunctionDef, ast.AsyncFunctionDef):
            waiting += [node.args, *node.decorator_list, *getattr(node, "type_params", ())]
            if node.returns is not None:
                waiting.append(node.returns)
            continue
        waiting.extend(ast.iter_child_nodes(node))
    return found


VISIT.update(
    {
        ast.Expr: Guarded.expr,
        ast.Assign: Guarded.assign,
        ast.AnnAssign: Guarded.annotated_assign,
        ast.AugAssign: Guarded.augmented_assign,
        ast.FunctionDef: Guarded.function,
        ast.AsyncFunctionDef: Guarded.function,
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
