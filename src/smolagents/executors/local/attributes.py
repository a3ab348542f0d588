"""The guard of attributes: every way to read, write or delete one that is not plainly safe ends here."""

from __future__ import annotations

import abc
import operator
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from smolagents.executors.errors import ControlSignal, GuardError

from . import names
from .limits import AUGMENTED
from .matching import check_match_args, stand_in
from .methods import BOUND_METHODS, UNBOUND_METHODS, expression_only, without_expressions
from .names import FRAME_INTERNALS, LIBRARY_PRIVATE, exact_name, is_dunder, is_native
from .places import Cell

if TYPE_CHECKING:
    from .modules import ModuleTable

__all__ = ["Guards", "exact_name"]

_MODULE = types.ModuleType
_FUNCTION = types.FunctionType
_METHOD = types.MethodType
_DESCRIPTORS = (types.WrapperDescriptorType, types.MethodDescriptorType)
_BOUND = (types.BuiltinMethodType, types.MethodWrapperType)
_OPAQUE = (types.FrameType, types.CodeType)
_LOOKED_AT: frozenset[type] = frozenset(
    {_MODULE, _FUNCTION, _METHOD, type, *_DESCRIPTORS, *_BOUND, *_OPAQUE, types.GetSetDescriptorType}
)
_HARMLESS_METACLASSES: set[type] = {type, abc.ABCMeta}
_NEVER = frozenset(
    "__globals__ __code__ __closure__ __builtins__ __loader__ __spec__ __objclass__ __kwdefaults__ __defaults__ "
    "__reduce__ __reduce_ex__ __getstate__ __setstate__ __traceback__ __weakref__ __path__ __cached__ __package__ "
    "__subclasshook__ __basicsize__ __flags__ __dictoffset__ __weakrefoffset__ __itemsize__ __text_signature__ "
    "__array_interface__ __array_struct__ __cuda_array_interface__ __thisclass__ __self_class__".split()
)
_OF_OWN_CLASSES = frozenset({"__subclasses__", "__mro__", "__bases__", "__base__"})
_HARMLESS_DATA = frozenset(
    "__slots__ __match_args__ __members__ __dataclass_fields__ __dataclass_params__ __wrapped__ __signature__ "
    "__abstractmethods__ __isabstractmethod__ __cause__ __context__ __suppress_context__ __notes__ __orig_bases__ "
    "__orig_class__ __parameters__ __args__ __origin__ __type_params__ __value__ __bound__ __constraints__ "
    "__total__ __required_keys__ __optional_keys__ __readonly_keys__ __mutable_keys__ __file__ __pos__ "
    "__setattr__ __delattr__ __getattribute__ __getattr__ __mul__ __rmul__ __imul__ __pow__ __rpow__ __ipow__ "
    "__lshift__ __rlshift__ __ilshift__ __mod__ __format__ __array__ __static_attributes__ __firstlineno__ "
    "__covariant__ __contravariant__ __default__ __supertype__ __metadata__ __forward_arg__ __unpacked__ "
    "__final__ __override__ __deprecated__ __await__ __copyright__ __license__ __credits__ __email__ "
    "__array_priority__ __dataframe__ __replace__ __buffer__ __length_hint__ __text__ __is_protocol_".split()
)
_NEVER_SET = frozenset({"__class__", "__match_args__", "__new__"})
_TAKES_METHOD_NAMES = frozenset("apply agg aggregate transform pivot_table crosstab".split())
_LOCKS = frozenset({"mutex", "not_empty", "not_full", "all_tasks_done"})
_OF_REBUILDING = frozenset({"__reduce__", "__reduce_ex__", "__getstate__", "__setstate__"})
_REBUILDING = ("__reduce__", "__reduce_ex__")


def _refuse(what: str) -> GuardError:
    return GuardError(f"{what} is out of reach of this code.")


class Guards:
    """The guards of one session.

    Args:
        namespace: The variables of the session.
        modules: The modules it may reach.
    """

    def __init__(self, namespace: dict[str, Any], modules: ModuleTable) -> None:
        self.namespace = namespace
        self.modules = modules
        self.plain: set[type] = set()
        """Classes of the session all of whose attributes the session made: nothing of theirs needs a look."""
        self.classes: dict[int, type] = {}
        """All classes of the session, by identity."""

    _outside: Guards | None = None

    @classmethod
    def outside(cls) -> Guards:
        """Guards for code of a session that the host calls after the run: strict, and knowing no class."""
        if cls._outside is None:
            from .modules import ModuleTable

            cls._outside = cls({}, ModuleTable.of(()))
        return cls._outside

    # -- what belongs to the session -------------------------------------------------------------------------

    def is_own_class(self, cls: Any) -> bool:
        return id(cls) in self.classes

    def _derives_from_own(self, cls: type) -> bool:
        """Whether the session defined `cls` or a base of it: a class that is being made is not registered yet."""
        return any(id(base) in self.classes for base in type.__getattribute__(cls, "__mro__"))

    def is_own_function(self, function: Any) -> bool:
        return type(function) is _FUNCTION and function.__globals__ is self.namespace

    def owns(self, obj: Any) -> bool:
        """Whether `obj` is a class, a function or an object of a class that the session defined."""
        return id(type(obj)) in self.classes or id(obj) in self.classes or self.is_own_function(obj)

    def register(self, cls: Any) -> Any:
        """Note that the session made `cls`.

        Raises:
            GuardError: The class defines what would let library code act on the host in its name.
        """
        if not isinstance(cls, type):
            return cls
        defined = type.__getattribute__(cls, "__dict__")
        for name in _REBUILDING:
            if type(defined.get(name)) is _FUNCTION:
                type.__setattr__(cls, name, self._checked_rebuilding(defined[name]))
        if issubclass(cls, type) and "__getattribute__" in defined:
            raise GuardError("The method __getattribute__ cannot be defined in a metaclass.")
        match_args = defined.get("__match_args__")
        if match_args is not None:
            check_match_args(match_args, cls, lenient=True)
        self.classes[id(cls)] = cls
        if type(cls) in _HARMLESS_METACLASSES or type(cls).__name__ in ("EnumMeta", "EnumType", "_TypedDictMeta"):
            for base in type.__getattribute__(cls, "__mro__")[1:]:
                if id(base) not in self.classes and not _is_plain_base(base):
                    break
                if id(base) in self.classes and base not in self.plain:
                    break
            else:
                self.plain.add(cls)
        return cls

    def _checked_rebuilding(self, method: Any) -> Any:
        """`__reduce__` of the session, for `copy`: what it has rebuilt and then filled must be its own."""

        def rebuild(obj: Any, *args: Any) -> Any:
            result = method(obj, *args)
            if isinstance(result, tuple) and len(result) > 2 and result[2] is not None:
                made = result[0] if isinstance(result[0], type) else (result[1] or (None,))[0]
                if not self.is_own_class(made):
                    raise GuardError("What __reduce__ gives with a state must be a class that this code defines.")
            return result

        rebuild.__name__ = method.__name__
        return rebuild

    # -- values ----------------------------------------------------------------------------------------------

    def check(self, value: Any) -> Any:
        """`value`, if the code may have it; its guarded form, if it has one.

        Raises:
            GuardError: The value is out of reach.
        """
        kind = type(value)
        if kind not in _LOOKED_AT and not issubclass(type(value), _MODULE):
            return value
        if issubclass(type(value), _MODULE):
            return self.modules.guarded(value)
        if kind in _OPAQUE:
            raise _refuse(f"A {kind.__name__} object")
        if kind in _BOUND:
            owner = value.__self__
            wrapped = BOUND_METHODS.get(value.__name__)
            if wrapped is not None and not issubclass(type(owner), _MODULE):
                return wrapped(self, value, owner)
        elif kind in _DESCRIPTORS:
            wrapped = UNBOUND_METHODS.get(value.__name__)
            if wrapped is not None:
                return wrapped(self, value, value.__objclass__)
        elif kind is _METHOD:
            return self._bound(value)
        return self.modules.callable_for(value)

    def _bound(self, value: Any) -> Any:
        function = value.__func__
        if function is abc.ABCMeta.register:
            owner = value.__self__

            def register(cls: type) -> type:
                if not (self.is_own_class(cls) or self.is_own_class(owner)):
                    raise _refuse(f"Registering {cls.__name__} with a class of the host")
                result: type = value(cls)
                return result

            return register
        return self.modules.callable_for(value)

    # -- reading ---------------------------------------------------------------------------------------------

    def attr(self, obj: Any, name: str, get: Callable[[Any, str], Any] = getattr) -> Any:
        """The attribute `name` of `obj`, for a name that is not plainly safe.

        Raises:
            AttributeError: There is none.
            GuardError: It is out of reach.
        """
        if name[:1] != "_":
            return self._public(obj, name, get)
        if issubclass(type(obj), _MODULE):
            return self.modules.attribute(obj, name)
        if is_dunder(name):
            return self._dunder(obj, name, get)
        kind = type(obj)
        if kind in self.plain or name in LIBRARY_PRIVATE:
            return self._for_reading(obj, self.check(get(obj, name)))
        own_class = isinstance(obj, type) and self._derives_from_own(obj)
        if kind is super or id(kind) in self.classes or own_class:
            for cls in type.__getattribute__(obj if own_class else kind, "__mro__"):
                if name in type.__getattribute__(cls, "__dict__"):
                    if not self._derives_from_own(cls):
                        raise self._private(obj, name)
                    break
            if kind is super:
                return self._private_of_super(obj, name, get)
            return self.check(get(obj, name))
        if self.is_own_function(obj):
            return self.check(get(obj, name))
        if kind is _METHOD and self.is_own_function(obj.__func__):
            return self.check(get(obj, name))
        if not _has(obj, name, get):
            return get(obj, name)
        raise self._private(obj, name)

    def _for_reading(self, obj: Any, value: Any) -> Any:
        """`value`, or a copy of a container in which a class or function of the host keeps its own affairs."""
        if type(value) in (dict, list, set) and isinstance(obj, (type, _FUNCTION)) and not self.owns(obj):
            return value.copy()
        return value

    def _private_of_super(self, obj: Any, name: str, get: Callable[[Any, str], Any]) -> Any:
        value = get(obj, name)
        function = getattr(value, "__func__", value)
        if self.is_own_function(function) or not callable(value):
            return self.check(value)
        raise self._private(obj, name)

    def _private(self, obj: Any, name: str) -> GuardError:
        return GuardError(
            f"The attribute '{name}' of {_described(obj)} is private to its library; use its public interface."
        )

    def _public(self, obj: Any, name: str, get: Callable[[Any, str], Any]) -> Any:
        kind = type(obj)
        if name in FRAME_INTERNALS and not self.owns(obj):
            if kind is types.ModuleType or not _has(obj, name, get):
                return get(obj, name)
            raise GuardError(f"The attribute '{name}' is out of reach of this code.")
        value = get(obj, name)
        if issubclass(type(obj), _MODULE):
            return self.check(value)
        home = str(getattr(kind, "__module__", "")).partition(".")[0]
        if callable(value) and str(getattr(value, "__module__", "")).partition(".")[0] == "pandas":
            if name in ("query", "eval"):
                return expression_only(value)
            if name in _TAKES_METHOD_NAMES:
                return without_expressions(value)
        if name == "ctypes" and (
            type(value) is types.GetSetDescriptorType or str(type(value).__module__).startswith("numpy")
        ):
            raise _refuse("The memory behind 'ctypes'")
        if name in _LOCKS and type(value).__module__ in ("_thread", "threading"):
            raise _refuse(f"The lock '{name}'")
        if home == "jinja2" or str(getattr(type(value), "__module__", "")).startswith("jinja2"):
            raise _refuse(f"The template engine behind '{name}'")
        if name == "from_custom_template" and not self.owns(obj):
            raise _refuse("A template from a file")
        if name in ("subprocess_exec", "subprocess_shell") and not self.owns(obj):
            raise _refuse(f"The method '{name}'")
        if name == "evaluate" and kind.__name__ == "ForwardRef":
            raise _refuse("Evaluating a forward reference")
        if name == "elements" and home == "collections" and callable(value):
            from .overrides_limits import counter_elements

            return counter_elements(obj)
        return self.check(value)

    def _dunder(self, obj: Any, name: str, get: Callable[[Any, str], Any]) -> Any:
        if name in _NEVER and not (name in _OF_REBUILDING and self.owns(obj)):
            raise GuardError(f"The attribute '{name}' is out of reach of this code.")
        if is_native(name) or name in _HARMLESS_DATA:
            return self._for_reading(obj, self.check(get(obj, name)))
        if name == "__dict__":
            return self._dictionary(obj, get)
        if name in _OF_OWN_CLASSES and isinstance(obj, type) and self._derives_from_own(obj):
            return self.check(get(obj, name))
        if name == "__annotations__":
            value = get(obj, name)
            return value if self.owns(obj) else dict(value)
        if name in ("__self__", "__func__") and type(obj) is _METHOD and self.is_own_function(obj.__func__):
            return get(obj, name)
        if name == "__self__" and type(obj) is types.MethodWrapperType:
            return self.check(get(obj, name))
        if name == "__defaults__" and self.is_own_function(obj):
            return get(obj, name)
        if self.owns(obj) and name not in _OF_OWN_CLASSES and name not in ("__self__", "__func__"):
            return self.check(get(obj, name))
        if name not in names.NEVER_NATIVE and not _has(obj, name, get):
            return get(obj, name)
        raise GuardError(f"The attribute '{name}' is out of reach of this code.")

    def _dictionary(self, obj: Any, get: Callable[[Any, str], Any]) -> Any:
        kind = type(obj)
        value = get(obj, "__dict__")
        if kind in self.plain or (self.is_own_class(obj) and obj in self.plain) or self.is_own_function(obj):
            return value
        # A copy: what a library keeps in its objects may be looked at, as far as it is harmless, but not changed.
        result = {}
        for key, item in dict(value).items():
            if type(key) is str and (self.is_own_class(kind) or is_native(key)):
                try:
                    result[key] = self.check(item)
                except GuardError:
                    continue
        return result

    # -- writing ---------------------------------------------------------------------------------------------

    def target(self, obj: Any) -> Any:
        """`obj`, if the code may set or delete its attributes.

        Raises:
            GuardError: It belongs to the host: a module, a class, a function, a tool.
        """
        kind = type(obj)
        if kind in self.plain or id(kind) in self.classes:
            if not isinstance(obj, type) or id(obj) in self.classes:
                return obj
        elif self.is_own_function(obj) or (isinstance(obj, type) and self._derives_from_own(obj)):
            return obj
        if issubclass(type(obj), _MODULE):
            raise GuardError(f"The module '{obj.__name__}' cannot be changed by this code.")
        if isinstance(obj, type):
            raise GuardError(f"The class '{obj.__name__}' is not defined by this code and cannot be changed by it.")
        if kind in _LOOKED_AT or isinstance(obj, (_FUNCTION, staticmethod, classmethod, property)):
            raise GuardError(f"{_described(obj)} is not defined by this code and cannot be changed by it.")
        return obj

    def target_dunder(self, obj: Any, name: str) -> Any:
        """`obj`, if the code may set or delete its attribute `name`, a dunder name or one of a frame."""
        if name in names.SETTABLE_DUNDERS:
            if self.owns(obj):
                if name in ("__eq__", "__hash__") and isinstance(obj, type) and issubclass(obj, type):
                    raise _refuse(f"Setting '{name}' of a metaclass")
                return obj
            if isinstance(obj, BaseException) and name.startswith(("__cause", "__context", "__suppress", "__notes")):
                return obj
            described = isinstance(obj, (staticmethod, classmethod, property)) or type(obj).__name__ == "_tuplegetter"
            if described and name in ("__doc__", "__isabstractmethod__"):
                return obj
        elif (name in FRAME_INTERNALS and id(type(obj)) in self.classes) or (
            id(type(obj)) in self.classes and name not in _NEVER | _OF_OWN_CLASSES | _NEVER_SET
        ):
            return obj
        raise GuardError(f"The attribute '{name}' of {_described(obj)} cannot be changed by this code.")

    def target_private(self, obj: Any, name: str) -> Any:
        """`obj`, if the code may both read and set its attribute `name`."""
        self.attr(obj, name)
        return self.settable(obj, name)

    def settable(self, obj: Any, name: str) -> Any:
        if is_dunder(name) or name in FRAME_INTERNALS:
            return self.target_dunder(obj, name)
        return self.target(obj)

    # -- the built-in functions ------------------------------------------------------------------------------

    def getattr(self, obj: Any, name: Any, *default: Any) -> Any:
        name = exact_name(name)
        if is_native(name):
            return getattr(obj, name, *default)
        if not default:
            return self.attr(obj, name)
        try:
            return self.attr(obj, name)
        except AttributeError:
            return default[0]

    def hasattr(self, obj: Any, name: Any) -> bool:
        name = exact_name(name)
        if is_native(name):
            return hasattr(obj, name)
        try:
            self.attr(obj, name)
        except AttributeError:
            return False
        return True

    def setattr(self, obj: Any, name: Any, value: Any) -> None:
        name = exact_name(name)
        setattr(self.settable(obj, name), name, value)

    def delattr(self, obj: Any, name: Any) -> None:
        name = exact_name(name)
        delattr(self.settable(obj, name), name)

    def vars(self, *args: Any) -> Any:
        if not args:
            return self.locals(2)
        (obj,) = args
        try:
            return self.attr(obj, "__dict__")
        except AttributeError:
            raise TypeError("vars() argument must have __dict__ attribute") from None

    def locals(self, depth: int = 1) -> dict[str, Any]:
        frame = sys._getframe(depth)
        return {k: v for k, v in frame.f_locals.items() if k[:1] != "@" and k not in names.FORBIDDEN_NAMES}

    def dir(self, *args: Any) -> list[str]:
        if args:
            return dir(*args)
        return sorted(self.locals(2))

    # -- syntax ----------------------------------------------------------------------------------------------

    def augitem(self, obj: Any, index: Any, kind: str, value: Any) -> None:
        obj[index] = AUGMENTED[kind](obj[index], value)

    def augattr(self, obj: Any, name: str, kind: str, value: Any) -> None:
        if type(obj) in self.plain and not is_dunder(name):
            setattr(obj, name, AUGMENTED[kind](getattr(obj, name), value))
            return
        setattr(self.settable(obj, name), name, AUGMENTED[kind](self.getattr(obj, name), value))

    def itemcell(self, obj: Any, index: Any) -> Any:
        return Cell(lambda: obj[index], lambda value: operator.setitem(obj, index, value))

    def attrcell(self, obj: Any, name: str) -> Any:
        return Cell(lambda: self.getattr(obj, name), lambda value: self.setattr(obj, name, value))

    def match_class(self, cls: Any) -> Any:
        """`cls`, if matching against it by position reads only safe attributes."""
        if isinstance(cls, type):
            kind = type(cls)
            if id(kind) in self.classes:
                return stand_in(cls)
            for base in type.__getattribute__(cls, "__mro__"):
                match_args = type.__getattribute__(base, "__dict__").get("__match_args__")
                if match_args is not None:
                    check_match_args(match_args, cls, lenient=cls in self.plain)
                    break
        return cls

    def build_class(self, function: Any, name: str, /, *bases: Any, **keywords: Any) -> Any:
        return self.register(__build_class__(function, name, *bases, **keywords))

    def newclass(self, function: Any, *args: Any, **keywords: Any) -> Any:
        """A call of `type` with other than one argument."""
        if function is type and len(args) == 3:
            return self.register(type(str(args[0]), tuple(args[1]), dict(args[2]), **keywords))
        return function(*args, **keywords)


_PLAIN_BUILTINS = frozenset(
    {object, dict, list, set, frozenset, tuple, str, int, float, complex, bytes, bytearray, bool}
)


def _is_plain_base(base: type) -> bool:
    """Whether a base class of the host brings no private attributes that lead anywhere."""
    home = base.__module__
    if home == "builtins":
        return base in _PLAIN_BUILTINS or issubclass(base, BaseException)
    return home in ("collections.abc", "enum") or (home in ("abc", "typing") and base.__name__ in _PLAIN_ABSTRACT)


_PLAIN_ABSTRACT = frozenset({"ABC", "Generic", "Protocol", "NamedTuple"})


def _has(obj: Any, name: str, get: Callable[[Any, str], Any]) -> bool:
    try:
        get(obj, name)
    except AttributeError:
        return False
    except ControlSignal:
        raise
    except BaseException:
        return True
    return True


def _described(obj: Any) -> str:
    if isinstance(obj, type):
        return f"the class '{obj.__name__}'"
    name = getattr(obj, "__name__", None)
    if type(name) is str and type(obj) in _LOOKED_AT:
        return f"the function '{name}'"
    return f"a '{type(obj).__name__}' object"
