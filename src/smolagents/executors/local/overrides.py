"""Guarded forms of library functions that reach attributes, modules or code by name."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from smolagents.executors.errors import GuardError

from . import current, limits
from .methods import expression_only, without_expressions
from .names import exact_name, is_native
from .registry import named, override

if TYPE_CHECKING:
    from .modules import ModuleTable

__all__ = ["ALLOWED_ONLY", "REMOVED"]


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
    "time": frozenset({"clock_settime", "clock_settime_ns", "tzset"}),
    "weakref": frozenset({"finalize"}),
    "asyncio": frozenset({"create_subprocess_exec", "create_subprocess_shell"}),
    "typing": frozenset({"ForwardRef", "evaluate_forward_ref"}),
    "numpy.testing": frozenset({"runstring", "rundocs", "run_module_suite"}),
    "numpy.lib.utils": frozenset({"safe_eval"}),
    "numpy.lib.npyio": frozenset({"NpzFile"}),
    "numpy": frozenset({"test"}),
    "pandas": frozenset({"test"}),
}
"""Names that modules, although authorised, do not give."""


# -- operator -----------------------------------------------------------------------------------------------------


@override("operator:attrgetter")
def _attrgetter(table: ModuleTable, real: Any) -> Any:
    class attrgetter:  # noqa: N801 - the library's name
        def __init__(self, attr: Any, /, *attrs: Any) -> None:
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


@override("operator:methodcaller")
def _methodcaller(table: ModuleTable, real: Any) -> Any:
    class methodcaller:  # noqa: N801 - the library's name
        def __init__(self, name: Any, /, *args: Any, **kwargs: Any) -> None:
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
    override(f"_operator:{_name}", f"operator:{_name}")(
        lambda table, real, function=_function: named(lambda a, b, /: function(a, b), real)  # type: ignore[misc]
    )


# -- functools ----------------------------------------------------------------------------------------------------


def _copied_names(assigned: Any, updated: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = tuple(exact_name(name) for name in assigned)
    for name in names:
        if not is_native(name) and name not in ("__annotations__", "__type_params__", "__annotate__"):
            raise GuardError(f"The attribute '{name}' cannot be copied between functions.")
    for name in updated:
        if exact_name(name) != "__dict__":
            raise GuardError(f"The attribute '{name}' cannot be updated between functions.")
    return names, tuple(exact_name(name) for name in updated)


@override("functools:update_wrapper")
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


@override("functools:wraps")
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


@override("functools:total_ordering", "dataclasses:_process_class", "abc:update_abstractmethods",
           "typing:runtime_checkable", "types:coroutine")  # fmt: skip
def _own_class_only(table: ModuleTable, real: Any) -> Any:
    def decorate(cls: Any, *args: Any, **kwargs: Any) -> Any:
        current.guards().target(cls)
        return real(cls, *args, **kwargs)

    return named(decorate, real)


def _marked(thing: Any) -> None:
    if isinstance(thing, (type, types.FunctionType)):
        current.guards().target(thing)


@override("typing:final", "typing:override", "typing:no_type_check")
def _marker(table: ModuleTable, real: Any) -> Any:
    def mark(thing: Any) -> Any:
        _marked(thing)
        return real(thing)

    return named(mark, real)


@override("typing:dataclass_transform", "warnings:deprecated")
def _marker_with_options(table: ModuleTable, real: Any) -> Any:
    def options(*args: Any, **kwargs: Any) -> Any:
        decorate = real(*args, **kwargs)

        def mark(thing: Any) -> Any:
            _marked(thing)
            return decorate(thing)

        return mark

    return named(options, real)


@override("functools:singledispatch.<locals>.register", "functools:singledispatchmethod.register")
def _register(table: ModuleTable, real: Any) -> Any:
    # Never with a function alone: the library would then evaluate text found anywhere in its annotations.
    def register(cls: Any, func: Any = None, method: Any = None) -> Any:
        implementation = func if func is not None else method
        if implementation is not None:
            return real(cls, implementation)
        if not isinstance(cls, (type, types.UnionType)) and not hasattr(cls, "__origin__"):
            annotations = getattr(cls, "__annotations__", None)
            if not isinstance(annotations, dict) or not annotations:
                raise TypeError(f"Invalid first argument to register(): {cls!r}. Use either register(type) or a "
                                "function whose first argument is annotated.")  # fmt: skip
            kind = next(iter(dict.values(annotations)))
            if isinstance(kind, str):
                raise GuardError("Annotations given as text are not evaluated: write register(type) instead.")
            return real(kind, cls)

        def decorate(function: Any) -> Any:
            if function is None:
                raise TypeError("register() needs a function.")
            return real(cls, function)

        return decorate

    return register


# -- what writes names into code, or runs text as code--------------------------------------------------------------------------------------


@override("collections:namedtuple")
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

    return named(namedtuple, real)


def _check_annotations(annotations: Any, cls: type) -> None:
    """`dataclass` writes the names of fields into source text."""
    if type(annotations) is not dict:
        raise GuardError(f"The annotations of {cls.__name__} must be a plain dict.")
    for name in annotations:
        if type(name) is not str or not name.isidentifier():
            raise GuardError(f"The annotation {name!r} of {cls.__name__} is not the name of a field.")


@override("dataclasses:dataclass")
def _dataclass(table: ModuleTable, real: Any) -> Any:
    def dataclass(cls: Any = None, /, **options: Any) -> Any:
        def decorate(cls: Any) -> Any:
            guards = current.guards()
            guards.target(cls)
            for base in type.__getattribute__(cls, "__mro__"):
                _check_annotations(getattr(base, "__annotations__", {}), base)
            return guards.register(real(cls, **options))

        return decorate if cls is None else decorate(cls)

    return named(dataclass, real)


@override("dataclasses:make_dataclass")
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

    return named(make_dataclass, real)


@override("typing:get_type_hints", "inspect:get_annotations", "annotationlib:get_annotations")
def _type_hints(table: ModuleTable, real: Any) -> Any:
    def get_type_hints(obj: Any, *args: Any, **options: Any) -> dict[str, Any]:
        places = [obj]
        if isinstance(obj, type):
            places = list(reversed(type.__getattribute__(obj, "__mro__")))
        hints: dict[str, Any] = {}
        for place in places:
            if isinstance(place, type):
                found = vars(place).get("__annotations__")
                if found is None and "__annotate_func__" in vars(place):
                    found = place.__annotations__
            else:
                found = getattr(place, "__annotations__", None)
            for name, value in dict(found or {}).items():
                hints[name] = type(None) if value is None else value
        for name, value in hints.items():
            if isinstance(value, str):
                run = current.run()
                if run is None:
                    raise GuardError("Annotations given as text are evaluated only while the code runs.")
                hints[name] = run.evaluate(str.__str__(value))
        return hints

    return named(get_type_hints, real)


@override("inspect:signature")
def _signature(table: ModuleTable, real: Any) -> Any:
    def signature(obj: Any, *, follow_wrapped: bool = True) -> Any:
        return real(obj, follow_wrapped=follow_wrapped)

    return named(signature, real)


@override("string:Formatter")
def _formatter(table: ModuleTable, real: Any) -> Any:
    from string import Formatter

    from .formatting import format_value

    class GuardedFormatter(Formatter):
        def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
            from _string import formatter_field_name_split  # type: ignore[import-not-found]

            first, rest = formatter_field_name_split(str.__str__(field_name))
            value = self.get_value(first, args, kwargs)
            for is_attribute, name in rest:
                value = current.guards().getattr(value, name) if is_attribute else value[name]
            return value, first

        def format_field(self, value: Any, format_spec: str) -> Any:
            return format_value(value, format_spec)

    GuardedFormatter.__name__ = GuardedFormatter.__qualname__ = "Formatter"
    return GuardedFormatter


def _check_fields(obj: Any) -> None:
    """`asdict` and its relatives read the attributes that fields name, without the guard."""
    fields = getattr(type(obj), "__dataclass_fields__", None)
    if fields is None:
        return
    for field in dict(fields).values():
        name = exact_name(field.name)
        if name[:2] == "__" and name[-2:] == "__":
            raise GuardError(f"The field '{name}' of {type(obj).__name__} is out of reach.")


@override("dataclasses:replace", "dataclasses:_replace")
def _replace(table: ModuleTable, real: Any) -> Any:
    def replace(obj: Any, /, **changes: Any) -> Any:
        _check_fields(obj)
        return real(obj, **changes)

    return named(replace, real)


@override("dataclasses:asdict", "dataclasses:astuple")
def _fields_of(table: ModuleTable, real: Any) -> Any:
    def fields_of(obj: Any, **options: Any) -> Any:
        waiting, seen = [obj], set()
        while waiting:
            value = waiting.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            if hasattr(type(value), "__dataclass_fields__"):
                _check_fields(value)
                guards = current.guards()
                for field in dict(type(value).__dataclass_fields__).values():
                    waiting.append(guards.getattr(value, exact_name(field.name), None))
            elif isinstance(value, (list, tuple)):
                waiting.extend(value)
            elif isinstance(value, dict):
                waiting.extend([*value.keys(), *value.values()])
        return real(obj, **options)

    return named(fields_of, real)


@override("numpy.lib.format:read_array", "numpy.lib._format_impl:read_array")
def _read_array(table: ModuleTable, real: Any) -> Any:
    def read_array(*args: Any, allow_pickle: bool = False, **options: Any) -> Any:
        if (allow_pickle or len(args) > 1) and not table.policy.allows("pickle"):
            raise GuardError("Loading pickled objects runs what they hold; authorize 'pickle' to do so.")
        return real(*args, allow_pickle=allow_pickle, **options)

    return named(read_array, real)


@override("pandas:pivot_table", "pandas:crosstab", "pandas.core.reshape.pivot:pivot_table",
           "pandas.core.reshape.pivot:crosstab")  # fmt: skip
def _pandas_pivot(table: ModuleTable, real: Any) -> Any:
    return without_expressions(real)


@override("pandas:eval", "pandas.core.computation.eval:eval")
def _pandas_eval(table: ModuleTable, real: Any) -> Any:
    return expression_only(real)


@override("numpy:load", "numpy.lib.npyio:load", "numpy.lib._npyio_impl:load")
def _numpy_load(table: ModuleTable, real: Any) -> Any:
    def load(file: Any, *args: Any, allow_pickle: bool = False, **options: Any) -> Any:
        if (allow_pickle or len(args) > 1) and not table.policy.allows("pickle"):
            raise GuardError("Loading pickled objects runs what they hold; authorize 'pickle' to do so.")
        return real(file, *args, allow_pickle=allow_pickle, **options)

    return named(load, real)


@override("pandas:read_pickle", "pandas.io.pickle:read_pickle")
def _read_pickle(table: ModuleTable, real: Any) -> Any:
    def read_pickle(*args: Any, **options: Any) -> Any:
        if not table.policy.allows("pickle"):
            raise GuardError("Reading a pickle runs what it holds; authorize 'pickle' to do so.")
        return real(*args, **options)

    return named(read_pickle, real)


# -- what reaches modules ------------------------------------------------------------------------------------------


@override("importlib:import_module")
def _import_module(table: ModuleTable, real: Any) -> Any:
    return named(lambda name, package=None: table.import_module(name, package), real)


_private: list[Any] = []


def _private_copy_module() -> Any:
    """The module `copy`, loaded once more, with a check on what the results of `__reduce__` fill with state."""
    if _private:
        return _private[0]
    import copy
    from importlib.util import module_from_spec

    spec = copy.__spec__
    if spec is None or spec.loader is None:
        raise GuardError("The module 'copy' cannot be loaded in its guarded form.")
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    reconstruct = module._reconstruct

    def checked(x: Any, memo: Any, make: Any, *args: Any, **kwargs: Any) -> Any:
        def made(*values: Any) -> Any:
            return current.guards().target(make(*values))

        return reconstruct(x, memo, made, *args, **kwargs)

    module._reconstruct = checked
    _private.append(module)
    return module


@override("copy:copy", "copy:deepcopy", "copy:replace")
def _copier(table: ModuleTable, real: Any) -> Any:
    real = getattr(_private_copy_module(), real.__name__)

    def copier(x: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(x, types.ModuleType):
            raise TypeError("modules cannot be copied")
        return real(x, *args, **kwargs)

    return named(copier, real)
