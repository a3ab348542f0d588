"""`Tool`: something an agent can call."""

from __future__ import annotations

import copy
import functools
import inspect
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar

from smolagents.tools.async_bridge import host_loop, run_from_sync
from smolagents.tools.conversion import Converter
from smolagents.tools.definition import complete_class, validate_tool
from smolagents.tools.elsewhere import FromElsewhere
from smolagents.tools.prompts import code_prompt, tool_calling_prompt
from smolagents.tools.running import is_asynchronous, run_async, run_sync
from smolagents.tools.schema import parameters_schema
from smolagents.tools.sharing import CALL_OPTIONS, Shareable
from smolagents.tools.traced import traced_acall, traced_call
from smolagents.types.agent_types import handle_agent_input_types, handle_agent_output_types

if TYPE_CHECKING:
    from typing_extensions import Self

    from smolagents.tools.limits import CallLimits

__all__ = ["BaseTool", "Tool", "host_loop"]


class BaseTool(ABC):
    """Anything an agent can call by name."""

    name: str

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


def _validating(init: Callable[..., None]) -> Callable[..., None]:
    """An `__init__` that validates the tool at the end, whether or not it calls the one above it.

    Validation must follow the whole of it, since it may set the name or the inputs.
    """

    @functools.wraps(init)
    def init_then_validate(self: Tool, *args: Any, **kwargs: Any) -> None:
        outermost = type(self).__init__ is init_then_validate
        options: dict[str, Any] = {}
        if outermost:
            if kwargs and not CALL_OPTIONS.isdisjoint(kwargs):
                # Limits of calls are arguments of every tool, also of one whose `__init__` does not know them.
                own = inspect.signature(init).parameters
                options = {name: kwargs.pop(name) for name in [*kwargs] if name in CALL_OPTIONS and name not in own}
            if args or kwargs:
                self._made_with = (args, kwargs)
        init(self, *args, **kwargs)
        if outermost:
            self._limit_calls(options)
            self.validate_arguments()

    init_then_validate._validates = True  # type: ignore[attr-defined]
    return init_then_validate


def _within_limits(call: Callable[..., Any]) -> Callable[..., Any]:
    """A `__call__` that a class has written itself, with the tool's limits around the whole of it."""

    @functools.wraps(call)
    def limited(self: Tool, *args: Any, **kwargs: Any) -> Any:
        if self._limits is None or _within_limits_of.get() is self:
            return call(self, *args, **kwargs)
        token = _within_limits_of.set(self)
        try:
            return self._limits.around(self, call, args, kwargs)
        finally:
            _within_limits_of.reset(token)

    return limited


_within_limits_of: ContextVar[Any] = ContextVar("within_limits_of", default=None)
"""The tool whose `__call__` is running within its limits, so that those above it do not apply them again."""


class Tool(Shareable, FromElsewhere, BaseTool):
    """Base of the tools that agents call.

    A subclass declares what it is and writes `forward`, which may be `async def`:

        class WeatherTool(Tool):
            name = "get_weather"
            description = "Tells the current weather of a place."
            inputs = {"place": {"type": "string", "description": "City and country."}}
            output_type = "string"

            def forward(self, place: str) -> str: ...

    `inputs` and `output_type` may be left out: they are then read from the type hints of `forward` and the
    descriptions in its docstring. `validate_arguments` runs after every construction.

    `forward` may also be a generator: what it yields is progress, what it returns is the result (the list of what it
    yielded, if it returns nothing). Of an asynchronous generator, which cannot return a value, the last that it yields
    is the result.

    `timeout`, `retries` and `cache` are class attributes, and arguments of every tool's constructor.
    """

    name: str
    """What the model calls it by: a Python identifier."""
    description: str
    """What it does, for the model."""
    inputs: dict[str, dict[str, Any]]
    """For each argument its "type" (one, or a list, of `AUTHORIZED_TYPES`) and "description"; "nullable" where it may
    be left out; further keywords of JSON schema such as "enum" and "items"."""
    output_type: str
    """One of `AUTHORIZED_TYPES`."""
    output_schema: dict[str, Any] | None = None
    """JSON schema of the output, when it is an object whose fields are known."""
    is_initialized: bool = False
    """True once `setup` ran."""
    timeout: float | None = None
    """Seconds that a call may take. An asynchronous tool is stopped then. A synchronous one, which runs in a thread,
    is asked to stop (see `check_interrupt`) and left to itself: what it has begun may go on."""
    retries: int = 0
    """How often a call that failed is made again, with growing pauses. One that goes on in its thread is not."""
    cache: bool | int = False
    """For a tool that always gives the same result for the same arguments: how many results to keep; True for 128."""
    skip_forward_signature_validation: bool = False
    """True for a class whose `forward` does not name its inputs."""

    _derived: ClassVar[frozenset[str]] = frozenset()
    _output_description: str | None = None
    _converters: Mapping[str, Converter] = {}
    _validated: ClassVar[type | None] = None
    _made_with: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    _prompts: dict[str, tuple[Any, str]] | None = None
    _limits: CallLimits | None = None
    _options_given: Mapping[str, Any] = {}

    @_validating
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make the tool. A subclass may take any arguments of its own."""

    def __post_init__(self) -> None:
        """Validate a tool that is a data class: its generated `__init__` calls this."""
        fields: Mapping[str, Any] = getattr(self, "__dataclass_fields__", {})
        self._made_with = ((), {name: getattr(self, name) for name, field in fields.items() if field.init})
        self._limit_calls({})
        self.validate_arguments()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A data class has no __init__ yet, and would be given none if there were one here.
        is_data_class = hasattr(cls, "__dataclass_fields__") and "__init__" not in vars(cls)
        if not is_data_class and not hasattr(cls.__init__, "_validates"):
            cls.__init__ = _validating(cls.__init__)  # type: ignore[method-assign]
        if "__call__" in vars(cls):
            cls.__call__ = _within_limits(cls.__call__)  # type: ignore[method-assign]

    def validate_arguments(self) -> None:
        """Check name, description, inputs and output type against each other and against `forward`.

        A class is checked once; an instance that sets some of these itself is checked each time.

        Raises:
            ToolDefinitionError: something is missing or wrong; the message says what to write.
        """
        cls = type(self)
        own = not _DECLARATIONS.isdisjoint(vars(self))
        if cls._validated is cls and not own:
            return
        if "inputs" not in vars(self) or "output_type" not in vars(self):
            complete_class(cls, vars(self))
        validate_tool(self)
        if not own:
            cls._validated = cls

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work. Written by each tool."""
        raise NotImplementedError(f"Tool '{self.name}' has no 'forward'. Write what it does in that method.")

    def _work(self, *args: Any, **kwargs: Any) -> Any:
        """What a call does once its arguments are in order, within the tool's limits; for most tools `forward`."""
        return self.forward(*args, **kwargs)

    def _wait_for(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run an asynchronous tool's coroutine to its end, from synchronous code."""
        return run_from_sync(call, self.name)

    def setup(self) -> None:
        """Load what is expensive, such as a model. Called once, before the first call."""
        self.is_initialized = True

    def _set_up(self) -> None:
        """Run `setup` once, however many threads call the tool for the first time together."""
        with _setup_guard:
            lock = _setup_locks.setdefault(id(self), threading.Lock())
        with lock:
            if not self.is_initialized:
                self.setup()
                self.is_initialized = True
        with _setup_guard:
            _setup_locks.pop(id(self), None)

    def limit(self, **options: Any) -> Self:
        """Change `timeout`, `retries` or `cache` of this tool, which may come from elsewhere.

            tool = Tool.from_space("user/app", "app", api_name="/predict").limit(timeout=60, retries=2)

        Returns:
            The tool itself.

        Raises:
            ToolDefinitionError: a value is none that fits.
        """
        unknown = options.keys() - CALL_OPTIONS
        if unknown:
            raise TypeError(f"limit() takes timeout, retries and cache, not {sorted(unknown)[0]!r}")
        self._limit_calls({**self._options_given, **options})
        return self

    def _limit_calls(self, options: Mapping[str, Any]) -> None:
        cls = type(self)
        # An attribute that a tool sets on itself under one of these names is its own affair.
        timeout = options.get("timeout", cls.timeout)
        retries = options.get("retries", cls.retries)
        cache = options.get("cache", cls.cache)
        if options:
            self._options_given = dict(options)
            vars(self).update(options)
        if timeout is None and not retries and not cache:
            self._limits = None
            return
        from smolagents.tools.limits import CallLimits

        self._limits = CallLimits(timeout, retries, cache)

    @property
    def is_async(self) -> bool:
        """True when `forward` is asynchronous."""
        return is_asynchronous(self.forward)

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of the arguments as one object, in types that model providers accept."""
        return parameters_schema(self.inputs)

    @traced_call
    def __call__(self, *args: Any, sanitize_inputs_outputs: bool = False, **kwargs: Any) -> Any:
        """Call the tool.

        An asynchronous tool is run to its end; from a thread that runs an event loop use `acall`.

        Args:
            *args: Arguments by position, or a single dictionary of all arguments by name.
            sanitize_inputs_outputs: True to unwrap agent types among the arguments and to wrap the output in the one
                that fits, as agents do.
            **kwargs: Arguments by name.
        """
        if not self.is_initialized:
            self._set_up()
        args, kwargs = self._arguments(args, kwargs, sanitize_inputs_outputs)
        if self._limits is None or _within_limits_of.get() is self:
            output = run_sync(self, args, kwargs)
        else:
            output = self._limits.call(self, args, kwargs)
        return handle_agent_output_types(output, self.output_type) if sanitize_inputs_outputs else output

    @traced_acall
    async def acall(self, *args: Any, sanitize_inputs_outputs: bool = False, **kwargs: Any) -> Any:
        """Call the tool without blocking the event loop; a synchronous tool runs in a thread."""
        import asyncio

        if not self.is_async:
            return await asyncio.to_thread(
                self.__call__, *args, sanitize_inputs_outputs=sanitize_inputs_outputs, **kwargs
            )
        if not self.is_initialized:
            await asyncio.to_thread(self._set_up)
        args, kwargs = self._arguments(args, kwargs, sanitize_inputs_outputs)
        if self._limits is None:
            output = await run_async(self, args, kwargs)
        else:
            output = await self._limits.acall(self, args, kwargs)
        return handle_agent_output_types(output, self.output_type) if sanitize_inputs_outputs else output

    def _arguments(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], sanitize: bool
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if len(args) == 1 and not kwargs:
            (only,) = args
            if isinstance(only, dict) and self._is_by_name(only):
                args, kwargs = (), only
        if sanitize:
            positional, kwargs = handle_agent_input_types(*args, **kwargs)
            args = tuple(positional)
        return self._converted(args, kwargs) if self._converters else (args, kwargs)

    def _converted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments as the hints of `forward` want them: members of enumerations, data classes, dates…"""

        def convert(name: str, value: Any) -> Any:
            converter = self._converters.get(name)
            try:
                return value if converter is None else converter(value)
            except (TypeError, ValueError) as error:
                raise ValueError(f"Argument '{name}' of tool '{self.name}' cannot be {value!r}: {error}") from error

        names = list(self.inputs)
        return (
            tuple(convert(name, value) for name, value in zip(names, args, strict=False)) + args[len(names) :],
            {name: convert(name, value) for name, value in kwargs.items()},
        )

    def _is_by_name(self, given: dict[Any, Any]) -> bool:
        """Whether a lone dictionary holds the arguments by name rather than being the first argument."""
        if not given or not all(name in self.inputs for name in given):
            return False
        kinds = next(iter(self.inputs.values()))["type"]
        if {"object", "any"}.isdisjoint([kinds] if isinstance(kinds, str) else kinds):
            return True
        return len(given) > 1 and all(name in given or spec.get("nullable") for name, spec in self.inputs.items())

    def to_code_prompt(self) -> str:
        """The tool as a Python signature with docstring, as a model that writes code is shown it."""
        return self._prompt("code", code_prompt)

    def to_tool_calling_prompt(self) -> str:
        """The tool in words, as a model that writes tool calls is shown it."""
        return self._prompt("tool_calling", tool_calling_prompt)

    def _prompt(self, kind: str, render: Callable[[Tool], str]) -> str:
        shown = (self.name, self.description, self.inputs, self.output_type, self.output_schema)
        cached = (self._prompts or {}).get(kind)
        if cached is not None and cached[0] == shown:
            return cached[1]
        text = render(self)
        # Inputs are often shared and may be edited in place, so what was rendered is kept as a copy.
        self._prompts = {**(self._prompts or {}), kind: (copy.deepcopy(shown), text)}
        return text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'name', '?')!r}>"


_DECLARATIONS = frozenset({"name", "description", "inputs", "output_type", "output_schema", "forward"})

_setup_guard = threading.Lock()
_setup_locks: dict[int, threading.Lock] = {}
