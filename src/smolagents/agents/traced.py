"""The spans of a run: the run itself, its steps and plans, and each request that the driver answers.

What a span of each kind has (`attributes`, then `content`):

- invoke_agent: agent, kind, description, model, provider, tools, max_steps, outcome, usage; task, images, output
- step, plan: number; step (the memory's)
- chat: model, provider, address, port, stream, parameters, response_model, finish_reason, time_to_first_chunk, usage;
  messages, tools, reply
- run_code: executor, is_final_answer; code, output, logs
- execute_tool: tool, call_id, description; arguments, result

where usage is input_tokens, output_tokens, and cached_input_tokens, cache_write_tokens, reasoning_tokens, cost if known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from smolagents.agents.loop import StepStarted
from smolagents.agents.requests import Emit, Flow, Generate, RunCode, ToolSlot
from smolagents.memory import ActionStep, PlanningStep
from smolagents.monitoring import tracing
from smolagents.monitoring.tracing import Span
from smolagents.types.usage import TokenUsage

if TYPE_CHECKING:
    from smolagents.agents.run import Run

__all__ = ["RunTrace", "Untraced", "begin_trace", "trace_of", "traced"]

_PARAMETERS = (
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "seed",
)


def begin_trace(run: Run) -> AbstractContextManager[Any]:
    """Begin the span of a run, if anybody traces. In the block it is the current one; it goes on after it."""
    folder = getattr(run.agent, "trace_dir", None)
    if folder is not None:
        from smolagents.monitoring.trace_files import traces_of_agent

        folder = traces_of_agent(folder)
    if not tracing.enabled():
        return _NOTHING
    run.trace = RunTrace(run, whole=True, trace_dir=folder)
    return run.trace.active()


_NOTHING: AbstractContextManager[None] = nullcontext()


class RunTrace:
    """The spans of one run.

    Args:
        run: The run.
        whole: Whether the run itself is a span. It is none where a single step is taken outside of a run.
        trace_dir: The folder to which the agent has its runs written.
    """

    def __init__(self, run: Run, *, whole: bool, trace_dir: str | None = None) -> None:
        self.run = run
        self.failure: BaseException | None = None
        self._step: Span | None = None
        self._root: Span | None = None
        if whole:
            agent = run.agent
            name = agent.name or type(agent).__name__
            self._root = tracing.start(
                "invoke_agent",
                name,
                agent=name,
                kind=type(agent).__name__,
                description=agent.description,
                **_model_facts(agent.model),
                tools=[*agent.tools, *agent.managed_agents],
                max_steps=run.max_steps,
                trace_dir=trace_dir,
                content={"task": run.task, "images": run.images},
            )

    @property
    def current(self) -> Span | None:
        """What the run is doing: its step, or the run itself."""
        return self._step or self._root

    def active(self) -> AbstractContextManager[Any]:
        """Within the block, what the run is doing is the current span."""
        current = self.current
        return _NOTHING if current is None else tracing.active(current)

    def advancing(self, flow: Flow) -> tuple[Callable[[Any], Any], Callable[[BaseException], Any]]:
        """`send` and `throw` of a flow, within the span of its step: subclasses have code of their own in it."""

        def send(reply: Any) -> Any:
            with self.active():
                return flow.send(reply)

        def throw(error: BaseException) -> Any:
            with self.active():
                return flow.throw(error)

        return send, throw

    def observe(self, request: Emit) -> None:
        """Steps begin and end with events."""
        event = request.event
        if type(event) is StepStarted:
            self._end_step(None)
            if event.kind is PlanningStep:
                name = self.run.agent.name or type(self.run.agent).__name__
                self._step = tracing.start("plan", name, parent=self._root, number=event.number)
            else:
                self._step = tracing.start("step", f"step {event.number}", parent=self._root, number=event.number)
        elif not request.shown and isinstance(event, (ActionStep, PlanningStep)):
            self._end_step(event)

    def _end_step(self, step: ActionStep | PlanningStep | None) -> None:
        span, self._step = self._step, None
        if span is None:
            return
        if step is not None:
            span.content["step"] = step
        tracing.end(span, getattr(step, "error", None) if step is not None else self.failure)

    def end(self) -> None:
        """The run is over, or is let go of."""
        self._end_step(None)
        root, failure, run = self._root, self.failure, self.run
        self._root = self.failure = None  # what is asked about the run later is no part of it
        if root is None:
            return
        root.attributes["outcome"] = run.outcome
        if run.usage is not None:
            root.attributes.update(_counts(run.usage))
        root.content["output"] = run.output
        tracing.end(root, failure)


def trace_of(run: Run) -> RunTrace | None:
    """The spans of a run. A step that is taken outside of a run has those of its requests."""
    if run.trace is None and not run.active and tracing.enabled():
        run.trace = RunTrace(run, whole=False)
    return run.trace


class Untraced:
    """Stands for the span of a request where nobody traces."""

    __slots__ = ()

    def __enter__(self) -> Untraced:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def active(self) -> AbstractContextManager[Any]:
        """Within the block, the request's span is the current one."""
        return _NOTHING

    def passed(self, delta: Any) -> None:
        """A piece of a streamed reply came."""

    def replied(self, reply: Any) -> None:
        """The request was answered."""


UNTRACED = Untraced()


def traced(run: Run, request: Any, *, across_yields: bool = False) -> Untraced:
    """A context manager in which a request, or a slot of one, is answered.

    Requests that have no span of their own are answered within that of the step.

    Args:
        run: Whose request.
        request: The request.
        across_yields: The block yields, so the span is not made the current one; see `Untraced.active`.
    """
    return UNTRACED if run.trace is None else Answer(run, run.trace, request, across_yields)


class Answer(Untraced):
    """The span in which a request is answered."""

    __slots__ = ("_across_yields", "_active", "_current", "_own", "_request", "_run", "_trace")

    def __init__(self, run: Run, trace: RunTrace, request: Any, across_yields: bool) -> None:
        self._run = run
        self._trace = trace
        self._request = request
        self._across_yields = across_yields
        self._active: tracing.active | None = None

    def __enter__(self) -> Answer:
        self._own = self._begun()
        self._current = self._own or self._trace.current
        if self._current is not None and not self._across_yields:
            self._active = tracing.active(self._current)
            self._active.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._active is not None:
            self._active.__exit__(kind, error, trace)
        if self._own is not None:
            tracing.end(self._own, error)

    def active(self) -> AbstractContextManager[Any]:
        return _NOTHING if self._current is None else tracing.active(self._current)

    def _begun(self) -> Span | None:
        request, parent = self._request, self._trace.current
        if type(request) is Generate:
            model, arguments = self._run.agent.model, request.arguments
            facts = _model_facts(model)
            return tracing.start(
                "chat",
                facts["model"],
                parent=parent,
                **facts,
                **_server(model),
                stream=request.stream,
                parameters=_parameters(model, arguments),
                content={"messages": request.messages, "tools": arguments.get("tools_to_call_from")},
            )
        if type(request) is RunCode:
            name = type(request.executor).__name__
            return tracing.start("run_code", name, parent=parent, executor=name, content={"code": request.code})
        if type(request) is ToolSlot:
            call, agent = request.call, self._run.agent
            target = agent.tools.get(call.name) or agent.managed_agents.get(call.name)
            span = tracing.start(
                "execute_tool",
                call.name,
                parent=parent,
                tool=call.name,
                call_id=call.id,
                description=getattr(target, "description", None),
                content={"arguments": call.arguments},
            )
            span.open_call = call.name
            return span
        return None

    def passed(self, delta: Any) -> None:
        if self._own is not None:
            if "time_to_first_chunk" not in self._own.attributes:
                self._own.attributes["time_to_first_chunk"] = time.time() - self._own.started_at
            for name, field in (("reasoning", "reasoning_content"), ("text", "content")):
                text = getattr(delta, field, None)
                if text:
                    tracing.event(self._own, name, text=text)

    def replied(self, reply: Any) -> None:
        span = self._own
        if span is None:
            return
        if span.kind == "chat":
            span.content["reply"] = reply
            for name, attribute in (("model_id", "response_model"), ("finish_reason", "finish_reason")):
                value = getattr(reply, name, None)
                if isinstance(value, str):
                    span.attributes[attribute] = value
            usage = getattr(reply, "token_usage", None)
            if isinstance(usage, TokenUsage):
                span.attributes.update(_counts(usage))
        elif span.kind == "run_code":
            span.attributes["is_final_answer"] = bool(getattr(reply, "is_final_answer", False))
            span.content.update(output=getattr(reply, "output", reply), logs=getattr(reply, "logs", None))
        else:
            span.content["result"] = reply


def _counts(usage: TokenUsage) -> dict[str, Any]:
    counts = usage.dict()
    del counts["total_tokens"]
    return counts


_PROVIDERS = {
    "OpenAIModel": "openai",
    "AzureOpenAIModel": "azure.ai.openai",
    "AmazonBedrockModel": "aws.bedrock",
    "AnthropicModel": "anthropic",
    "InferenceClientModel": "huggingface",
}
"""Names of the semantic conventions, https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/, except
for the last, which they lack."""
_PROVIDERS_BY_HOST = {
    "api.openai.com": "openai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.mistral.ai": "mistral_ai",
    "api.x.ai": "x_ai",
    "api.perplexity.ai": "perplexity",
    "api.cohere.ai": "cohere",
    "generativelanguage.googleapis.com": "gcp.gemini",
}


def _model_facts(model: Any) -> dict[str, Any]:
    """Name and provider of a model, which may be any object."""
    name = getattr(model, "model_id", None) or getattr(model, "__name__", None) or type(model).__name__
    given = getattr(model, "provider", None)
    host = _server(model).get("address")
    provider = given if isinstance(given, str) and given else _PROVIDERS_BY_HOST.get(host or "")
    if provider is None:
        kinds = (cls.__name__ for cls in type(model).__mro__)
        provider = next((_PROVIDERS[kind] for kind in kinds if kind in _PROVIDERS), None)
    if provider is None and type(model).__name__.startswith("LiteLLM") and "/" in str(name):
        provider = str(name).partition("/")[0]
    return {"model": str(name), "provider": provider or type(model).__name__.removesuffix("Model").lower() or "custom"}


def _server(model: Any) -> dict[str, Any]:
    url = getattr(model, "api_base", None) or getattr(model, "azure_endpoint", None)
    if not isinstance(url, str):
        return {}
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return {}
    return {"address": parts.hostname, "port": port} if parts.hostname else {}


def _parameters(model: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    own = getattr(model, "kwargs", None)
    given = {**(own if isinstance(own, Mapping) else {}), **arguments}
    found = {name: given[name] for name in _PARAMETERS if isinstance(given.get(name), (int, float))}
    stops = arguments.get("stop_sequences")
    if stops:
        found["stop_sequences"] = list(stops)
    return found
