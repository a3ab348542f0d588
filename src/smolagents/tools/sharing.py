"""Tools as source code: saved, sent elsewhere, loaded."""

from __future__ import annotations

import inspect
import json
import linecache
import re
import sys
import types
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from smolagents.tools.errors import ToolDefinitionError

CALL_OPTIONS = frozenset({"timeout", "retries", "cache"})
"""Arguments that every tool's constructor takes, whatever its signature."""

if TYPE_CHECKING:
    from smolagents.tools.base import Tool
    from smolagents.tools.source import SelfContained

__all__ = [
    "Shareable",
    "constructor_arguments",
    "defined_tool",
    "get_tools_definition_code",
    "installed_distributions",
    "make_tool",
    "tool_source",
]


class Shareable:
    """What a tool can do to travel. Mixed into `Tool`."""

    def to_dict(self) -> dict[str, Any]:
        """The tool as plain data.

        Returns:
            "name"; "code", source that stands on its own; "requirements", the packages it needs from PyPI; and, where
            the tool was made with arguments, "init" with those that JSON can say. Arguments whose names say that they
            are secret (key, token, password…) are left out.

        Raises:
            ToolDefinitionError: the source cannot be written; the message says why.
        """
        tool = cast("Tool", self)
        source = tool_source(tool)
        data: dict[str, Any] = {
            "name": tool.name,
            "code": source.code,
            "requirements": _requirements(source.packages),
        }
        init = constructor_arguments(tool)
        if _is_class_tool(tool):
            init.update(tool._options_given)
        if init:
            data["init"] = init
        return data

    @classmethod
    def from_dict(cls, tool_dict: Mapping[str, Any], **kwargs: Any) -> Tool:
        """Make a tool from what `to_dict` returned. This runs the code in it.

        Args:
            tool_dict: Data with "code".
            **kwargs: Arguments for the tool's constructor, over those that were saved.
        """
        if not isinstance(tool_dict.get("code"), str):
            raise ValueError(f"a saved tool has its source under 'code'; found only {sorted(tool_dict)}")
        return cls.from_code(tool_dict["code"], **{**tool_dict.get("init", {}), **kwargs})

    @classmethod
    def from_code(cls, tool_code: str, **kwargs: Any) -> Tool:
        """Make a tool from source that defines one: a subclass of `Tool` or a function under `@tool`.

        This runs the code. Load only code that you trust.

        Args:
            tool_code: The source; where it defines several tools, the last is taken.
            **kwargs: Arguments for the tool's constructor.

        Raises:
            ToolDefinitionError: the source defines no tool, or its constructor needs other arguments.
            SyntaxError: it is no Python.
            ImportError: it imports what is not installed.
        """
        if not isinstance(tool_code, str):
            raise ToolDefinitionError(f"from_code takes the source of a tool as a string, not {tool_code!r:.100}")
        return make_tool(defined_tool(tool_code), kwargs)

    def save(self, output_dir: str | Path, tool_file_name: str = "tool", make_gradio_app: bool = True) -> None:
        """Write the tool to a folder: its source, requirements.txt and, to try it in a browser, app.py.

        Args:
            output_dir: The folder; made if it is not there.
            tool_file_name: Name of the source file, without ".py".
            make_gradio_app: False to leave out app.py.

        Raises:
            ToolDefinitionError: the tool cannot be written as source; nothing is written then.
            ValueError: `tool_file_name` is no name of a module, or that of app.py.
            FileExistsError: there is a file where the folder is to be.
        """
        tool = cast("Tool", self)
        if not tool_file_name.isidentifier() or (make_gradio_app and tool_file_name == "app"):
            raise ValueError(
                f"tool_file_name must be a name such as 'tool', which app.py can import, not {tool_file_name!r}"
            )
        data = tool.to_dict()
        folder = Path(output_dir)
        if folder.exists() and not folder.is_dir():
            raise FileExistsError(f"{str(folder)!r} is a file: give the folder that the tool is to be written to")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{tool_file_name}.py").write_text(data["code"], encoding="utf-8")
        (folder / "requirements.txt").write_text(
            "".join(f"{line}\n" for line in data["requirements"]), encoding="utf-8"
        )
        if make_gradio_app:
            symbol = _symbol(tool)
            made = f"{symbol}{_call(data.get('init', {}))}" if _is_class_tool(tool) else symbol
            app = (
                "from smolagents import launch_gradio_demo\n"
                f"from {tool_file_name} import {symbol}\n\n"
                f"launch_gradio_demo({made})\n"
            )
            (folder / "app.py").write_text(app, encoding="utf-8")


def defined_tool(tool_code: str, name: str | None = None) -> Tool | type[Tool]:
    """The tool, or class of tools, that source defines. This runs it.

    Args:
        tool_code: The source.
        name: What the tool or its class is called there; None for the last that it defines.

    Raises:
        ToolDefinitionError: the source defines none, or none of this name.
    """
    return cast("Tool | type[Tool]", _tool_in(_run_as_module(tool_code), name))


def make_tool(found: Tool | type[Tool], arguments: Mapping[str, Any]) -> Tool:
    """A tool of what `defined_tool` found.

    Raises:
        ToolDefinitionError: it takes other arguments.
    """
    if not isinstance(found, type):
        if arguments:
            raise ToolDefinitionError(f"Tool '{found.name}' is a function and takes no constructor arguments.")
        return found
    try:
        own = inspect.signature(found)
        own.bind(**{name: arguments[name] for name in arguments if name in own.parameters or name not in CALL_OPTIONS})
    except TypeError as error:
        raise ToolDefinitionError(
            f"{found.__name__} cannot be made: {error}. Give its arguments by name, "
            "such as Tool.from_code(code, api_key=...)."
        ) from error
    return found(**arguments)


def tool_source(tool: Tool) -> SelfContained:
    """The source of a tool that stands on its own: a class, or a function under `@tool`.

    Raises:
        ToolDefinitionError: its source is not known, or it uses what cannot be written.
    """
    from smolagents.tools.foreign import ForeignTool
    from smolagents.tools.source import SelfContained

    if isinstance(tool, ForeignTool):
        raise tool.without_source()
    if _is_class_tool(tool):
        return _source_of(type(tool), tool.name)
    function = inspect.unwrap(tool.forward)
    source = _source_of(function, tool.name)
    code, decorated = _DECORATOR.subn("", source.code)
    head, body = _split_before(code, function.__name__)
    imports = "" if decorated and _IMPORTED_TOOL.search(head) else "from smolagents.tools import tool\n"
    future = _FUTURE.match(head)
    lead = future.group(0) if future else ""
    decorator = f"@tool{_call(tool._options_given)}" if tool._options_given else "@tool"
    return SelfContained(f"{lead}{imports}{head[len(lead) :]}{decorator}\n{body}", source.packages | {"smolagents"})


_DECORATOR = re.compile(r"^@(?:\w+\.)*tool(?:\((?:[^()]|\([^()]*\))*\))?[ \t]*\n", re.MULTILINE)
_IMPORTED_TOOL = re.compile(r"^from smolagents(?:\.\w+)* import (?:\w+, )*tool\b", re.MULTILINE)
_FUTURE = re.compile(r"\A(?:from __future__ import .*\n\s*)+")


def _split_before(code: str, function: str) -> tuple[str, str]:
    """Split source before the definition of a function and the decorators that are left on it."""
    starts = list(re.finditer(rf"^(?:@.*\n)*(?:async )?def {function}\b", code, re.MULTILINE))
    at = starts[-1].start()
    return code[:at], code[at:]


def _source_of(obj: Any, name: str) -> SelfContained:
    from smolagents.tools.source import self_contained_source

    try:
        return self_contained_source(obj)
    except (OSError, TypeError) as error:
        if isinstance(error, ToolDefinitionError):
            raise
        raise ToolDefinitionError(f"Tool '{name}' cannot be written as source code: {error}.") from error


def _is_class_tool(tool: Tool) -> bool:
    from smolagents.tools.decorator import FunctionTool

    return not isinstance(tool, FunctionTool)


def _symbol(tool: Tool) -> str:
    return type(tool).__name__ if _is_class_tool(tool) else inspect.unwrap(tool.forward).__name__


def _call(arguments: Mapping[str, Any]) -> str:
    return f"({', '.join(f'{name}={value!r}' for name, value in arguments.items())})"


_SECRET = re.compile(
    r"(?:^|[_-])(?:api_?key|key|token|secret|password|passwd|passphrase|credentials?|auth|authorization|bearer"
    r"|headers|cookies?)$",
    re.IGNORECASE,
)
"""Names of arguments, and of fields inside them, whose values are not written down."""


def constructor_arguments(tool: Tool) -> dict[str, Any]:
    """The arguments a tool was made with, by name: those that JSON can say and whose names are not those of secrets."""
    args, kwargs = tool._made_with
    if not args and not kwargs:
        return {}
    signature = inspect.signature(type(tool).__init__)
    bound = signature.bind(tool, *args, **kwargs).arguments
    named: dict[str, Any] = {}
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.name not in bound or parameter.kind is parameter.VAR_POSITIONAL:
            continue
        value = bound[parameter.name]
        named.update(value if parameter.kind is parameter.VAR_KEYWORD else {parameter.name: value})
    return {name: value for name, value in named.items() if _is_json(value) and not _is_secret({name: value})}


def _is_secret(value: Any) -> bool:
    """Whether anything inside is under a name that says it is a secret."""
    if isinstance(value, Mapping):
        return any(_SECRET.search(name) or _is_secret(item) for name, item in value.items())
    return isinstance(value, list) and any(map(_is_secret, value))


def _is_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError, RecursionError):
        return False


@lru_cache(maxsize=1)
def installed_distributions() -> Mapping[str, list[str]]:
    """Names on PyPI of what holds each importable package. Looked up once: it reads the metadata of all that is
    installed, which takes about a quarter of a second."""
    from importlib.metadata import packages_distributions

    return packages_distributions()


def _requirements(packages: set[str]) -> list[str]:
    """Names on PyPI of importable packages; "smolagents" always."""
    distributions = installed_distributions()
    names = {distributions.get(package, [package])[0] for package in packages if package != "__main__"}
    return sorted({*names, "smolagents"})


def _run_as_module(code: str) -> types.ModuleType:
    import hashlib  # brings OpenSSL, which takes memory in every process

    name = f"smolagents_tool_{hashlib.sha256(code.encode()).hexdigest()[:16]}"
    filename = f"<{name}>"
    module = types.ModuleType(name)
    module.__file__ = filename
    compiled = compile(code, filename, "exec", dont_inherit=True)
    # With its text known to linecache, tracebacks quote the code and the tool can be saved again.
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    sys.modules[name] = module
    try:
        exec(compiled, module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _tool_in(module: types.ModuleType, wanted: str | None) -> Any:
    from smolagents.tools.base import Tool
    from smolagents.tools.decorator import FunctionTool

    found: Any = None
    names = []
    for name, value in vars(module).items():
        is_class = isinstance(value, type) and issubclass(value, Tool) and value.__module__ == module.__name__
        is_function = isinstance(value, FunctionTool) and value.forward.__module__ == module.__name__
        if is_class or is_function:
            names.append(name)
            found = value if wanted in (None, name) else found
    if found is None and names:
        raise ToolDefinitionError(f"The code defines no tool {wanted!r}. It defines: {', '.join(names)}.")
    if found is None:
        raise ToolDefinitionError(
            "The code defines no tool. It must define a class derived from smolagents.Tool, or a function under @tool."
        )
    return found


_PORTABLE_BASE = '''\
import functools
import inspect


class Tool:
    """A tool where smolagents is not installed."""

    def __init__(self, *args, **kwargs):
        pass

    def setup(self):
        pass

    def __call__(self, *args, **kwargs):
        if not getattr(self, "is_initialized", False):
            self.setup()
            self.is_initialized = True
        output = self.forward(*args, **kwargs)
        return _finished(output) if inspect.isgeneratorfunction(self.forward) else output


def tool(function=None, **options):
    if function is None:
        return tool
    if not inspect.isgeneratorfunction(function):
        return function

    @functools.wraps(function)
    def run(*args, **kwargs):
        return _finished(function(*args, **kwargs))

    return run


def _finished(output):
    """What a generator returns, or the list of what it yields."""
    if not inspect.isgenerator(output):
        return output
    yielded = []
    while True:
        try:
            yielded.append(next(output))
        except StopIteration as stop:
            return yielded if stop.value is None else stop.value


def _define(name, code, symbol, arguments):
    namespace = {"__name__": "tool_" + name, "Tool": Tool, "BaseTool": Tool, "tool": tool}
    exec(compile(code, "<tool " + name + ">", "exec"), namespace)
    made = namespace[symbol]
    return made(**arguments) if isinstance(made, type) else made

'''

_OWN_IMPORT = re.compile(
    r"^from smolagents(?:\.tools)?(?:\.base|\.decorator)? import (?:Tool|BaseTool|tool)\n", re.MULTILINE
)


def get_tools_definition_code(tools: Mapping[str, Tool]) -> str:
    """Source that defines tools in another Python, which need not have this library.

    Each tool is defined in a namespace of its own, so helpers of one name do not meet, and is then bound to its name.
    """
    lines = [_PORTABLE_BASE]
    for name, each in tools.items():
        code = _OWN_IMPORT.sub("", tool_source(each).code)
        lines.append(f"{name} = _define({name!r}, {code!r}, {_symbol(each)!r}, {constructor_arguments(each)!r})\n")
    return "".join(lines)
