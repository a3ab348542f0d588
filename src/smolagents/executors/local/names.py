"""Which names the code may use natively, which go through a guard, and the names of the guards.

Names of guards begin with `@`: no Python source can spell them, so the code can neither call nor shadow them.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ATTR",
    "CONTROL",
    "FORBIDDEN_NAMES",
    "FRAME_INTERNALS",
    "GUARDED_PUBLIC",
    "LIBRARY_PRIVATE",
    "NATIVE_DUNDERS",
    "NEVER_NATIVE",
    "OWN",
    "RESULT",
    "SETTABLE_DUNDERS",
    "TICKS",
    "exact_name",
    "is_dunder",
    "is_native",
]

ATTR = "@attr"
CONTROL = "@control"
OWN = "@own"
RESULT = "@result"
TICKS = "@ticks"

FORBIDDEN_NAMES = frozenset({"__builtins__", "__loader__", "__spec__"})
"""Variables that the code may neither read nor bind."""

_OPERATORS = (
    "add sub truediv floordiv divmod and or xor rshift matmul radd rsub rtruediv rfloordiv rdivmod rmod "
    "rand ror rxor rrshift rmatmul iadd isub itruediv ifloordiv imod iand ior ixor irshift imatmul neg pos abs "
    "invert lt le eq ne gt ge hash bool int float complex index round trunc floor ceil"
)
_PROTOCOLS = (
    "init new call len length_hint iter next reversed contains getitem setitem delitem missing enter exit aenter "
    "aexit aiter anext await str repr bytes fspath sizeof copy deepcopy get set delete set_name init_subclass "
    "class_getitem instancecheck subclasscheck prepare post_init mro_entries dir name qualname doc module class "
    "version author all debug main members index_level"
)
NATIVE_DUNDERS = frozenset(f"__{word}__" for word in f"{_OPERATORS} {_PROTOCOLS}".split())
"""Dunder attributes that are read natively: what a class normally defines and calls, and names and docs."""

FRAME_INTERNALS = frozenset(
    "gi_frame gi_code gi_running gi_yieldfrom gi_suspended cr_frame cr_code cr_running cr_await cr_origin "
    "cr_suspended ag_frame ag_code ag_running ag_await ag_suspended f_back f_builtins f_code f_globals f_lasti "
    "f_lineno f_locals f_trace f_trace_lines f_trace_opcodes f_generator tb_frame tb_next tb_lasti tb_lineno "
    "co_argcount co_cellvars co_code co_consts co_exceptiontable co_filename co_firstlineno co_flags co_freevars "
    "co_kwonlyargcount co_lines co_linetable co_lnotab co_name co_names co_nlocals co_positions "
    "co_posonlyargcount co_qualname co_stacksize co_varnames co_branches".split()
)
"""Attributes of frames, code, tracebacks, generators and coroutines."""

_SIZED = "format format_map ljust rjust center zfill expandtabs elements"
_MODULE_LIKE = (
    "os sys io subprocess builtins importlib shutil socket ctypes pickle threading multiprocessing posix nt inspect "
    "types gc warnings linecache pathlib signal tempfile code codeop runpy pty marshal imp pkgutil traceback "
    "from_custom_template from_string environment template_html template_html_table template_html_style template_latex "
    "template_string template_typst mutex not_empty not_full all_tasks_done apply agg aggregate transform "
    "pivot_table crosstab "
    "system popen modules obj loader env query eval register evaluate subprocess_exec subprocess_shell"
)
GUARDED_PUBLIC = frozenset(f"{_SIZED} {_MODULE_LIKE}".split()) | FRAME_INTERNALS
"""Public attributes whose value is looked at when the code runs."""

NEVER_NATIVE = (
    frozenset(
        "__globals__ __code__ __closure__ __subclasses__ __builtins__ __self__ __func__ __loader__ __spec__ "
        "__traceback__ __base__ __bases__ __mro__ __objclass__ __kwdefaults__ __defaults__ __weakref__".split()
    )
    | FRAME_INTERNALS
)
"""Names that never appear in the bytecode of guarded code: checked after compilation, as a second line."""

SETTABLE_DUNDERS = NATIVE_DUNDERS - {"__class__", "__new__"} | frozenset(
    "__annotations__ __signature__ __wrapped__ __isabstractmethod__ __cause__ __context__ __suppress_context__ "
    "__notes__ __dict__ __getattr__".split()
)
"""Dunder attributes that the code may set on its own classes, functions and objects."""

LIBRARY_PRIVATE = frozenset(
    "_replace _asdict _fields _make _field_defaults _field_types _attributes _value_ _name_ _member_map_ "
    "_member_names_ _missing_ _ignore_ _order_ _generate_next_value_ _value2member_map_ _sort_order_ "
    "_numeric_repr_ _flag_mask_ _repr_html_ _repr_latex_".split()
)
"""Underscore attributes of library objects that are documented and meant to be used."""


def is_dunder(name: str) -> bool:
    """Whether `name` begins and ends with two underscores."""
    return name[:2] == "__" and name[-2:] == "__" and len(name) > 4


def is_native(name: str) -> bool:
    """Whether the attribute `name` may be read on any object without a guard."""
    if name[:1] != "_":
        return name not in GUARDED_PUBLIC
    return name in NATIVE_DUNDERS


def exact_name(name: Any) -> str:
    """`name` as a plain `str`: a subclass could say one thing to a check and another to `getattr`.

    Raises:
        TypeError: It is not a string.
    """
    if type(name) is str:
        return name
    if isinstance(name, str):
        return str.__str__(name)
    raise TypeError(f"attribute name must be string, not '{type(name).__name__}'")
