"""The modules the code may reach.

The code never holds a real module. `import` gives it a copy: a plain module object with the public names of the
real one, without other modules that are not authorised and without functions that are dangerous. Reading an
attribute of the copy is as fast as reading one of the real module, and changing it changes nothing of the host.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterable
from typing import Any, ClassVar

from smolagents.executors.errors import GuardError, ImportNotAuthorizedError
from smolagents.executors.worker.imports import ImportPolicy, allowed_text, not_authorized_text

from . import (
    current,
    overrides_limits,  # noqa: F401 - registers its guarded forms
)
from .overrides import ALLOWED_ONLY, REMOVED
from .registry import replacement

__all__ = [
    "BASE_BUILTIN_MODULES",
    "DANGEROUS_FUNCTIONS",
    "DANGEROUS_MODULES",
    "ModuleTable",
]

BASE_BUILTIN_MODULES = [
    "collections",
    "datetime",
    "itertools",
    "math",
    "queue",
    "random",
    "re",
    "stat",
    "statistics",
    "time",
    "unicodedata",
]
"""Modules that are authorised without being asked for."""

DANGEROUS_MODULES = [
    "builtins",
    "code",
    "codeop",
    "ctypes",
    "dill",
    "ensurepip",
    "faulthandler",
    "fcntl",
    "gc",
    "imp",
    "importlib",
    "inspect",
    "io",
    "joblib",
    "linecache",
    "marshal",
    "mmap",
    "multiprocessing",
    "nt",
    "os",
    "pathlib",
    "pdb",
    "pickle",
    "pip",
    "pkgutil",
    "posix",
    "pty",
    "resource",
    "runpy",
    "shelve",
    "shutil",
    "signal",
    "site",
    "smolagents",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "traceback",
    "venv",
    "webbrowser",
    "winreg",
    "zipimport",
    "_ctypes",
    "_imp",
    "_io",
    "_pickle",
    "_posixsubprocess",
    "_socket",
    "_thread",
    "asyncio.subprocess",
    "concurrent.futures.process",
    "distutils",
    "numpy.compat",
    "numpy.ctypeslib",
    "numpy.distutils",
    "numpy.f2py",
    "pandas.compat",
    "pandas.core.computation",
    "pandas.io.clipboard",
    "pandas.io.pickle",
]
"""Modules that only their own name, or `*`, authorises: not that of a package they belong to or are seen in."""

DANGEROUS_FUNCTIONS = [
    "builtins.__import__",
    "builtins.breakpoint",
    "builtins.compile",
    "builtins.eval",
    "builtins.exec",
    "builtins.globals",
    "builtins.input",
    "builtins.locals",
    "builtins.open",
    "nt.system",
    "os.execv",
    "os.fork",
    "os.popen",
    "os.system",
    "posix.system",
]
"""Functions that are refused under whatever name they are met, unless their module is authorised by name."""

_DANGEROUS = frozenset(DANGEROUS_MODULES)
_DANGEROUS_BUILTINS = frozenset(name.partition(".")[2] for name in DANGEROUS_FUNCTIONS if name.startswith("builtins."))
_SAFE_DUNDERS = frozenset(
    {"__name__", "__doc__", "__version__", "__all__", "__author__", "__file__", "__version_info__", "__license__"}
)
_CALLABLES = (types.FunctionType, types.BuiltinFunctionType)
_MUTABLE = (dict, list, set, bytearray)


_copies_by_identity: dict[int, types.ModuleType] = {}
"""Every copy of every table."""


class ModuleTable:
    """The copies of modules for one set of authorised imports, shared by all sessions that have it."""

    _tables: ClassVar[dict[tuple[str, ...], ModuleTable]] = {}

    def __init__(self, policy: ImportPolicy) -> None:
        self.policy = policy
        self._copies: dict[str, types.ModuleType] = {}
        self._identities: dict[int, types.ModuleType] = {}

    @classmethod
    def of(cls, authorized: Iterable[str]) -> ModuleTable:
        """The table for `authorized`."""
        key = tuple(sorted(set(authorized)))
        table = cls._tables.get(key)
        if table is None:
            if len(cls._tables) > 200:
                cls._tables.clear()
            table = cls._tables.setdefault(key, cls(ImportPolicy(key, _DANGEROUS)))
        return table

    # -- import ----------------------------------------------------------------------------------------------

    def importer(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> types.ModuleType:
        """What `import` statements of the code call.

        Raises:
            ImportNotAuthorizedError: The module is not authorised. The text says which are.
            ImportError: It could not be imported.
        """
        name = str.__str__(name)
        if type(fromlist) is list:
            # Not the code's import: a library written in C imports a part of itself, and takes it from sys.modules.
            return self._load(name)
        if level:
            raise ImportNotAuthorizedError("Relative imports are not possible: this code belongs to no package.")
        wanted = [str.__str__(item) for item in fromlist or ()]
        if not self.policy.allows_import(name, wanted):
            raise self._not_authorized(name)
        self._load(name)
        module = self.copy(name)
        if not wanted:
            top = name.partition(".")[0]
            if "." in name:
                self._link(name)
            return self.copy(top)
        for item in wanted:
            if item == "*":
                continue
            try:
                if item[:1] != "_":
                    getattr(module, item)
                elif item not in module.__dict__:
                    module.__dict__[item] = self.attribute(module, item)
            except AttributeError:
                full = f"{name}.{item}"
                if not self.policy.allows(full):
                    raise ImportError(f"cannot import name '{item}' from '{name}'", name=name) from None
                try:
                    self._load(full)
                except ModuleNotFoundError:
                    raise ImportError(f"cannot import name '{item}' from '{name}'", name=name) from None
                module.__dict__[item] = self.copy(full)
        return module

    def import_by_call(
        self, name: Any, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> types.ModuleType:
        """`__import__` called by the code."""
        return self.importer(name, None, None, tuple(fromlist or ()), level)

    def import_module(self, name: str, package: str | None = None) -> types.ModuleType:
        """`importlib.import_module` for the code."""
        name = str.__str__(name)
        self.importer(name, level=1 if name.startswith(".") else 0)
        return self.copy(name)

    def _not_authorized(self, name: str) -> ImportNotAuthorizedError:
        return ImportNotAuthorizedError(not_authorized_text(self.policy, name))

    def _load(self, name: str) -> types.ModuleType:
        module = sys.modules.get(name)
        if module is not None:
            return module
        run = current.run()
        if run is None:
            return importlib.import_module(name)
        # An exception raised into an import half way would leave the host with a broken module.
        with run.paused():
            return importlib.import_module(name)

    def _link(self, name: str) -> None:
        parts = name.split(".")
        for length in range(1, len(parts)):
            parent = self.copy(".".join(parts[:length]))
            parent.__dict__[parts[length]] = self.copy(".".join(parts[: length + 1]))

    # -- copies ----------------------------------------------------------------------------------------------

    def copy(self, name: str) -> types.ModuleType:
        """The copy of the module `name`, which is loaded."""
        found = self._copies.get(name)
        if found is None:
            real = self._load(name)
            found = self._identities.get(id(real))
            if found is None:
                found = self._build(real, name)
            self._copies[name] = found
        return found

    def guarded(self, module: types.ModuleType) -> types.ModuleType:
        """The copy of `module`, or itself if it is a copy.

        Raises:
            GuardError: It is not authorised.
        """
        if id(module) in _copies_by_identity:
            return module
        name = module.__name__
        if sys.modules.get(name) is not module or not self.policy.allows(name):
            raise GuardError(
                f"The module '{name}' is out of reach. Authorized imports are: {allowed_text(self.policy)}."
            )
        return self.copy(name)

    def attribute(self, module: types.ModuleType, name: str) -> Any:
        """An attribute of a copy whose name begins with an underscore."""
        if name in _SAFE_DUNDERS:
            return getattr(module, name)
        if name == "__dict__":
            return {k: v for k, v in module.__dict__.items() if k[:1] != "_"}
        if name == "__class__":
            return type(module)
        if self.policy.everything and name[:2] != "__":
            real = sys.modules.get(module.__name__)
            return self._value(getattr(real, name))
        raise GuardError(f"The attribute '{name}' of the module '{module.__name__}' is out of reach.")

    def _build(self, real: types.ModuleType, name: str) -> types.ModuleType:
        copy = types.ModuleType(name, real.__doc__)
        own = copy.__dict__
        self._identities[id(real)] = self._copies[name] = _copies_by_identity[id(copy)] = copy
        whole = self.policy.allows(name)
        only = None if self.policy.everything else ALLOWED_ONLY.get(name)
        removed: frozenset[str] = frozenset() if self.policy.everything else REMOVED.get(name, frozenset())
        withheld: set[str] = set()
        if whole:
            for key, value in list(vars(real).items()):
                if type(key) is not str:
                    continue
                if key[:1] == "_":
                    if key in _SAFE_DUNDERS:
                        own[key] = list(value) if isinstance(value, (list, tuple)) else value
                    continue
                if key in removed or (only is not None and key not in only):
                    withheld.add(key)
                    continue
                if isinstance(value, types.ModuleType):
                    continue
                try:
                    own[key] = self._value(value)
                except GuardError:
                    withheld.add(key)
        own["__getattr__"] = self._missing(real, name, whole, withheld)
        if "__all__" in own:
            own["__all__"] = [k for k in own["__all__"] if k not in withheld and k[:1] != "_"]
        return copy

    def _value(self, value: Any) -> Any:
        """A value of a module, as the code may have it."""
        if type(value) in _MUTABLE:
            return value.copy()
        if isinstance(value, (type, *_CALLABLES)) or callable(value):
            return self.callable_for(value)
        return value

    def callable_for(self, value: Any) -> Any:
        """A function or class, as the code may have it.

        Raises:
            GuardError: It belongs to a dangerous module that is not authorised.
        """
        try:
            home = value.__module__
            name = value.__qualname__
        except AttributeError:
            return value
        if type(home) is not str or type(name) is not str:
            return value
        found = replacement(self, home, name, value)
        if found is not None:
            return found
        if self.policy.everything:
            return value
        if home == "builtins":
            if name in _DANGEROUS_BUILTINS and not self.policy.allows("builtins") and type(value) in _CALLABLES:
                raise GuardError(f"The function '{name}' is out of reach.")
            return value
        dangerous = _REAL_HOMES.get(home, home)
        top = dangerous.partition(".")[0]
        if (
            (top in _DANGEROUS or dangerous in _DANGEROUS)
            and not self.policy.allows(dangerous)
            and not (dangerous == "os" and self.policy.allows("posix"))
            and name not in _HARMLESS_ELSEWHERE
            and isinstance(value, (type, *_CALLABLES))
        ):
            raise GuardError(f"'{home}.{name}' is out of reach.")
        return value

    def _missing(self, real: types.ModuleType, name: str, whole: bool, withheld: set[str]) -> Any:
        def __getattr__(key: str) -> Any:  # noqa: N807 - the module protocol's name
            if type(key) is str and key[:1] != "_" and key not in withheld:
                full = f"{name}.{key}"
                if not whole:
                    if self.policy.allows(full) or self.policy.leads_to(full):
                        self._load(full)
                        found = copy_of(full)
                        self._copies[name].__dict__[key] = found
                        return found
                else:
                    value = getattr(real, key)
                    if isinstance(value, types.ModuleType):
                        value = self._submodule(value, full)
                        if value is None:
                            raise GuardError(
                                f"'{name}.{key}' is a module that is not authorized. Authorized imports are: "
                                f"{allowed_text(self.policy)}."
                            )
                    else:
                        value = self._value(value)
                    self._copies[name].__dict__[key] = value
                    return value
            if key in withheld:
                raise GuardError(f"'{name}.{key}' is out of reach of this code.")
            raise AttributeError(f"module '{name}' has no attribute '{key}'")

        copy_of = self.copy
        return __getattr__

    def _submodule(self, value: types.ModuleType, full: str) -> types.ModuleType | None:
        """The copy of a module seen as an attribute under the dotted name `full`; None if it is not authorised."""
        real_name = value.__name__
        if sys.modules.get(real_name) is value and self.policy.allows(real_name):
            return self.copy(real_name)
        top = real_name.partition(".")[0]
        if sys.modules.get(full) is value and self.policy.allows(full) and top not in _DANGEROUS:
            return self.copy(full)
        return None


_REAL_HOMES = {"posix": "os", "nt": "os", "_io": "io", "_thread": "threading", "_pickle": "pickle"}
"""Where functions written in C say they live, and the module by which they are authorised."""

_HARMLESS_ELSEWHERE = frozenset({"PathLike", "fspath", "StringIO", "BytesIO", "UnsupportedOperation", "Module"})
"""Classes of dangerous modules that other modules may hand on."""
