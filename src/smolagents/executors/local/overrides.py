"""Functions of the standard library and of others that get a guarded form, wherever they are met.

They are known by the module and the name they say they have, so an alias or a re-export makes no difference.
"""

from __future__ import annotations

import itertools
import math
import time
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import current, limits
from .errors import GuardError
from .names import is_native

if TYPE_CHECKING:
    from .modules import ModuleTable

__all__ = ["ALLOWED_ONLY", "REMOVED", "counter_elements", "replacement"]

Factory = Callable[["ModuleTable", Any], Any]
_FACTORIES: dict[tuple[str, str], Factory] = {}

ALLOWED_ONLY: dict[str, frozenset[str]] = {
    "inspect": frozenset(
        "signature Signature Parameter BoundArguments isabstract isasyncgen isasyncgenfunction isawaitable isbuiltin "
        "isclass iscoroutine iscoroutinefunction isdatadescriptor isfunction isgenerator isgeneratorfunction "
        "ismethod ismethoddescriptor ismodule isroutine cleandoc getdoc getmro indentsize".split()
    ),
    "sys": frozenset(
        "version version_info maxsize maxunicode platform byteorder float_info int_info hash_info implementation "
        "getsizeof getrecursionlimit intern hexversion api_version copyright exit argv executable stdout stderr "
        "stdin float_repr_style getdefaultencoding getfilesystemencoding get_int_max_str_digits stdlib_module_names "
        "builtin_module_names path prefix modules thread_info".split()
    ),
    "importlib": frozenset({"import_module"}),
    "gc": frozenset("collect enable disable isenabled get_count get_threshold get_stats".split()),
    "traceback": frozenset("format_exception_only print_exception format_exception".split()),
}
"""Modules that, although authorised, give only these names."""

REMOVED: dict[str, frozenset[str]] = {
    "types": frozenset(
        {"CodeType", "FrameType", "TracebackType", "GetSetDescriptorType"} | {"MemberDescriptorType", "CellType"}
    ),
    "enum": frozenset({"global_enum", "global_flag_repr", "global_enum_repr", "global_str"}),
    "weakref": frozenset({"finalize"}),
    "asyncio": frozenset({"create_subprocess_exec", "create_subprocess_shell"}),
    "typing": frozenset({"ForwardRef", "evaluate_forward_ref"}),
    "numpy.testing": frozenset({"runstring", "rundocs", "run_module_suite"}),
    "numpy.lib.utils": frozenset({"safe_eval"}),
}
"""Names that modules, although authorised, do not give."""


def replacement(table: ModuleTable, home: str, name: str, value: Any) -> Any:
    """The guarded form of `value`, which says it is `name` of the module `home`; None if it has none."""
    factory = _FACTORIES.get((home, name))
    if factory is None:
        return None
    key = (home, name, id(table))
    made = _made.get(key)
    if made is None or made[0] is not value:
        if getattr(value, "__guards__", False):
            return None
        made = _made[key] = (value, factory(table, value))
    return made[1]


_made: dict[tuple[str, str, int], tuple[Any, Any]] = {}


def _override(*places: str) -> Callable[[Factory], Factory]:
    def keep(factory: Factory) -> Factory:
        for place in places:
            home, _, name = place.rpartition(":")
            _FACTORIES[(home, name)] = factory
        return factory

    return keep


def _named(function: Callable[..., Any], like: Any) -> Callable[..., Any]:
    function.__name__ = getattr(like, "__name__", function.__name__)
    function.__qualname__ = getattr(like, "__qualname__", function.__qualname__)
    function.__doc__ = getattr(like, "__doc__", None)
    return function


# -- operator -----------------------------------------------------------------------------------------------------


@_override("operator:attrgetter")
def _attrgetter(table: ModuleTable, real: Any) -> Any:
    class attrgetter:  # noqa: N801 - the library's name
        def __init__(self, attr: Any, /, *attrs: Any) -> None:
            from .attributes import exact_name

            paths = []
            for path in (attr, *attrs):
                if not isinstance(path, str):
                    raise TypeError("attribute name must be a string")
                paths.append(exact_name(path).split("."))
            self.__paths = paths

        def __call__(self, obj: Any, /) -> Any:
            guards = current.guards()
            values = []
            for path in self.__paths:
                value = obj
                for name in path:
                    value = guards.getattr(value, name)
                values.append(value)
            return values[0] if len(values) == 1 else tuple(values)

        def __repr__(self) -> str:
            return f"operator.attrgetter({', '.join(repr('.'.join(path)) for path in self.__paths)})"

    return attrgetter


@_override("operator:methodcaller")
def _methodcaller(table: ModuleTable, real: Any) -> Any:
    class methodcaller:  # noqa: N801 - the library's name
        def __init__(self, name: Any, /, *args: Any, **kwargs: Any) -> None:
            from .attributes import exact_name

            if not isinstance(name, str):
                raise TypeError("method name must be a string")
            self.__call = (exact_name(name), args, kwargs)

        def __call__(self, obj: Any, /) -> Any:
            name, args, kwargs = self.__call
            return current.guards().getattr(obj, name)(*args, **kwargs)

    return methodcaller


for _name, _function in {
    "mul": limits.mul_guarded,
    "imul": limits.imul_guarded,
    "pow": limits.pow_guarded,
    "ipow": limits.ipow_guarded,
    "lshift": limits.lshift_guarded,
    "ilshift": limits.ilshift_guarded,
    "mod": limits.mod_guarded,
    "imod": limits.imod_guarded,
}.items():
    _override(f"_operator:{_name}", f"operator:{_name}")(
        lambda table, real, function=_function: _named(lambda a, b, /: function(a, b), real)  # type: ignore[misc]
    )


# -- functools ----------------------------------------------------------------------------------------------------


def _copied_names(assigned: Any, updated: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from .attributes import exact_name

    names = tuple(exact_name(name) for name in assigned)
    for name in names:
        if not is_native(name) and name not in ("__annotations__", "__type_params__", "__annotate__"):
            raise GuardError(f"The attribute '{name}' cannot be copied between functions.")
    for name in updated:
        if exact_name(name) != "__dict__":
            raise GuardError(f"The attribute '{name}' cannot be updated between functions.")
    return names, tuple(exact_name(name) for name in updated)


@_override("functools:update_wrapper")
def _update_wrapper(table: ModuleTable, real: Any) -> Any:
    import functools

    def update_wrapper(
        wrapper: Any, wrapped: Any, assigned: Any = functools.WRAPPER_ASSIGNMENTS,
        updated: Any = functools.WRAPPER_UPDATES,
    ) -> Any:  # fmt: skip
        names, attributes = _copied_names(assigned, updated)
        current.guards().target(wrapper)
        return real(wrapper, wrapped, names, attributes)

    return update_wrapper


@_override("functools:wraps")
def _wraps(table: ModuleTable, real: Any) -> Any:
    import functools

    def wraps(
        wrapped: Any, assigned: Any = functools.WRAPPER_ASSIGNMENTS, updated: Any = functools.WRAPPER_UPDATES
    ) -> Any:
        names, attributes = _copied_names(assigned, updated)

        def decorate(wrapper: Any) -> Any:
            current.guards().target(wrapper)
            return functools.update_wrapper(wrapper, wrapped, names, attributes)

        return decorate

    return wraps


@_override("functools:total_ordering", "dataclasses:_process_class", "abc:update_abstractmethods",
           "typing:final", "typing:runtime_checkable")  # fmt: skip
def _own_class_only(table: ModuleTable, real: Any) -> Any:
    def decorate(cls: Any, *args: Any, **kwargs: Any) -> Any:
        current.guards().target(cls)
        return real(cls, *args, **kwargs)

    return _named(decorate, real)


@_override("functools:singledispatch.<locals>.register", "functools:singledispatchmethod.register")
def _register(table: ModuleTable, real: Any) -> Any:
    def register(*args: Any, **kwargs: Any) -> Any:
        for function in (*args, *kwargs.values()):
            annotations = getattr(function, "__annotations__", None) if not isinstance(function, type) else None
            if annotations and any(isinstance(value, str) for value in annotations.values()):
                raise GuardError("Annotations given as text are not evaluated: write register(type) instead.")
        return real(*args, **kwargs)

    return register


# -- itertools: what never ends, or grows faster than its input, counts as operations ------------------------------


class _Counted(itertools.compress):  # type: ignore[type-arg]
    __guards__ = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


def _counted(real: Any) -> Any:
    def __new__(cls: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        return itertools.compress.__new__(cls, real(*args, **kwargs), current.ticks())

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        pass

    body = {"__new__": __new__, "__init__": __init__, "__module__": "itertools", "__doc__": real.__doc__}
    return type(real.__name__, (_Counted,), body)


@_override(
    "itertools:cycle", "itertools:product", "itertools:permutations", "itertools:combinations",
    "itertools:combinations_with_replacement",
)  # fmt: skip
def _counted_iterator(table: ModuleTable, real: Any) -> Any:
    return _counted(real)


@_override("itertools:count")
def _counted_count(table: ModuleTable, real: Any) -> Any:
    made = _counted(real)

    class count(made):  # type: ignore[misc, valid-type]  # noqa: N801
        __slots__ = ("__text",)

        def __init__(self, start: Any = 0, step: Any = 1) -> None:
            self.__text = (start, step)

        def __repr__(self) -> str:
            start, step = self.__text
            return f"count({start!r})" if step == 1 else f"count({start!r}, {step!r})"

    return count


@_override("itertools:repeat")
def _counted_repeat(table: ModuleTable, real: Any) -> Any:
    made = _counted(real)

    class repeat(made):  # type: ignore[misc, valid-type]  # noqa: N801
        __slots__ = ("__text",)

        def __init__(self, object: Any, *times: Any, **keywords: Any) -> None:
            self.__text = (object, *times, *keywords.values())

        def __repr__(self) -> str:
            return f"repeat({', '.join(map(repr, self.__text))})"

    return repeat


def counter_elements(counter: Any) -> Callable[[], Any]:
    """`Counter.elements`, which may repeat an item any number of times."""
    return lambda: itertools.compress(type(counter).elements(counter), current.ticks())


# -- math -----------------------------------------------------------------------------------------------------------


@_override("math:factorial")
def _factorial(table: ModuleTable, real: Any) -> Any:
    def factorial(x: Any, /) -> int:
        if isinstance(x, int) and x > 300_000:
            raise limits.limit(f"factorial({x}) would have millions of digits; the largest argument is 300000.")
        result: int = real(x)
        return result

    return _named(factorial, real)


@_override("math:comb", "math:perm")
def _choose(table: ModuleTable, real: Any) -> Any:
    def choose(n: Any, *rest: Any) -> int:
        k = rest[0] if rest else n
        large = isinstance(n, int) and isinstance(k, int) and min(k, n) * n.bit_length() > limits.MAX_INTEGER_BITS
        if large and not (real.__name__ == "comb" and 0 <= n - k < 10_000):
            raise limits.limit(f"{real.__name__}({n}, {k}) would have more than {limits.MAX_INTEGER_BITS} bits.")
        result: int = real(n, *rest)
        return result

    return _named(choose, real)


# -- time and queues: waiting in pieces, so that a limit or an interruption can end it -------------------------------


@_override("time:sleep")
def _sleep(table: ModuleTable, real: Any) -> Any:
    def sleep(seconds: Any, /) -> None:
        if not isinstance(seconds, (int, float)) or seconds < 0.05 or math.isnan(seconds):
            real(seconds)
            return
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            real(min(left, 0.05))

    return _named(sleep, real)


@_override("queue:Queue", "queue:LifoQueue", "queue:PriorityQueue", "_queue:SimpleQueue")
def _patient_queue(table: ModuleTable, real: Any) -> Any:
    import queue

    def wait(attempt: Callable[[float], Any], timeout: float | None, failure: type[Exception]) -> Any:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = 0.05 if end is None else min(0.05, max(end - time.monotonic(), 0))
            try:
                return attempt(left)
            except failure:
                if end is not None and time.monotonic() >= end:
                    raise

    def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
        if not block or (timeout is not None and timeout < 0.05):
            return real.get(self, block, timeout)
        return wait(lambda left: real.get(self, True, left), timeout, queue.Empty)

    def put(self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if not block or (timeout is not None and timeout < 0.05):
            real.put(self, item, block, timeout)
            return
        wait(lambda left: real.put(self, item, True, left), timeout, queue.Full)

    def join(self: Any) -> None:
        while self.unfinished_tasks:
            time.sleep(0.01)

    body: dict[str, Any] = {"get": get, "put": put, "__module__": "queue", "__doc__": real.__doc__}
    if hasattr(real, "join"):
        body["join"] = join
    return type(real.__name__, (real,), body)


@_override("asyncio.runners:run")
def _asyncio_run(table: ModuleTable, real: Any) -> Any:
    def run(main: Any, **options: Any) -> Any:
        import asyncio

        active = current.run()
        if active is None:
            return real(main, **options)

        async def known() -> Any:
            outer, active.loop = active.loop, asyncio.get_running_loop()
            try:
                return await main
            finally:
                active.loop = outer

        return real(known(), **options)

    return _named(run, real)


# -- what writes names into code, or runs text as code--------------------------------------------------------------------------------------


@_override("collections:namedtuple")
def _namedtuple(table: ModuleTable, real: Any) -> Any:
    def namedtuple(
        typename: Any, field_names: Any, *, rename: bool = False, defaults: Any = None, module: Any = None
    ) -> Any:
        if not isinstance(field_names, str):
            field_names = ["".join((str(name),)) for name in field_names]
        else:
            field_names = str.__str__(field_names)
        made = real("".join((str(typename),)), field_names, rename=rename, defaults=defaults, module="__main__")
        return current.guards().register(made)

    return _named(namedtuple, real)


def _check_annotations(annotations: Any, cls: type) -> None:
    """`dataclass` writes the names of fields into source text."""
    if type(annotations) is not dict:
        raise GuardError(f"The annotations of {cls.__name__} must be a plain dict.")
    for name in annotations:
        if type(name) is not str or not name.isidentifier():
            raise GuardError(f"The annotation {name!r} of {cls.__name__} is not the name of a field.")


@_override("dataclasses:dataclass")
def _dataclass(table: ModuleTable, real: Any) -> Any:
    def dataclass(cls: Any = None, /, **options: Any) -> Any:
        def decorate(cls: Any) -> Any:
            guards = current.guards()
            guards.target(cls)
            for base in type.__getattribute__(cls, "__mro__"):
                _check_annotations(getattr(base, "__annotations__", {}), base)
            return guards.register(real(cls, **options))

        return decorate if cls is None else decorate(cls)

    return _named(dataclass, real)


@_override("dataclasses:make_dataclass")
def _make_dataclass(table: ModuleTable, real: Any) -> Any:
    def make_dataclass(cls_name: Any, fields: Any, **options: Any) -> Any:
        plain: list[Any] = []
        for field in fields:
            if isinstance(field, str):
                plain.append("".join((field,)))
            else:
                plain.append(("".join((field[0],)), *field[1:]))
        made = real("".join((cls_name,)), plain, **options)
        return current.guards().register(made)

    return _named(make_dataclass, real)


@_override("typing:get_type_hints", "inspect:get_annotations", "annotationlib:get_annotations")
def _type_hints(table: ModuleTable, real: Any) -> Any:
    def get_type_hints(obj: Any, *args: Any, **options: Any) -> dict[str, Any]:
        places = [obj]
        if isinstance(obj, type):
            places = list(reversed(type.__getattribute__(obj, "__mro__")))
        hints: dict[str, Any] = {}
        for place in places:
            found = place.__dict__.get("__annotations__") if isinstance(place, type) else None
            if found is None:
                found = getattr(place, "__annotations__", None) if not isinstance(place, type) else {}
            for name, value in dict(found or {}).items():
                hints[name] = type(None) if value is None else value
        for name, value in hints.items():
            if isinstance(value, str):
                run = current.run()
                if run is None:
                    raise GuardError("Annotations given as text are evaluated only while the code runs.")
                hints[name] = run.evaluate(str.__str__(value))
        return hints

    return _named(get_type_hints, real)


@_override("inspect:signature")
def _signature(table: ModuleTable, real: Any) -> Any:
    def signature(obj: Any, *, follow_wrapped: bool = True) -> Any:
        return real(obj, follow_wrapped=follow_wrapped)

    return _named(signature, real)


@_override("string:Formatter")
def _formatter(table: ModuleTable, real: Any) -> Any:
    from string import Formatter

    from .formatting import format_value

    class GuardedFormatter(Formatter):
        def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
            from _string import formatter_field_name_split

            first, rest = formatter_field_name_split(str.__str__(field_name))
            value = self.get_value(first, args, kwargs)
            for is_attribute, name in rest:
                value = current.guards().getattr(value, name) if is_attribute else value[name]
            return value, first

        def format_field(self, value: Any, format_spec: str) -> Any:
            return format_value(value, format_spec)

    GuardedFormatter.__name__ = GuardedFormatter.__qualname__ = "Formatter"
    return GuardedFormatter


@_override("pandas:eval", "pandas.core.computation.eval:eval")
def _pandas_eval(table: ModuleTable, real: Any) -> Any:
    from .attributes import _expression_only

    return _expression_only(real)


@_override("numpy:load", "numpy.lib.npyio:load", "numpy.lib._npyio_impl:load")
def _numpy_load(table: ModuleTable, real: Any) -> Any:
    def load(file: Any, *args: Any, allow_pickle: bool = False, **options: Any) -> Any:
        if (allow_pickle or len(args) > 1) and not table.policy.allows("pickle"):
            raise GuardError("Loading pickled objects runs what they hold; authorize 'pickle' to do so.")
        return real(file, *args, allow_pickle=allow_pickle, **options)

    return _named(load, real)


@_override("pandas:read_pickle", "pandas.io.pickle:read_pickle")
def _read_pickle(table: ModuleTable, real: Any) -> Any:
    def read_pickle(*args: Any, **options: Any) -> Any:
        if not table.policy.allows("pickle"):
            raise GuardError("Reading a pickle runs what it holds; authorize 'pickle' to do so.")
        return real(*args, **options)

    return _named(read_pickle, real)


# -- what reaches modules ------------------------------------------------------------------------------------------


@_override("importlib:import_module")
def _import_module(table: ModuleTable, real: Any) -> Any:
    return _named(lambda name, package=None: table.import_module(name, package), real)


@_override("copy:copy", "copy:deepcopy", "copy:replace")
def _copier(table: ModuleTable, real: Any) -> Any:
    def copier(x: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(x, types.ModuleType):
            raise TypeError("modules cannot be copied")
        return real(x, *args, **kwargs)

    return _named(copier, real)
