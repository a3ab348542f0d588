"""The loop: think, act, look, until there is an answer. A generator of requests, with no input or output of its own."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from smolagents.agents.requests import Emit, Flow, Generate, Invoke, Request, TakeStep
from smolagents.agents.run import ActionOutput, Run
from smolagents.agents.templates import populate_template, view
from smolagents.memory import ActionStep, FinalAnswerStep, MemoryStep, PlanningStep, SystemPromptStep, TaskStep
from smolagents.models.finish_reasons import normalized_finish_reason
from smolagents.models.reasoning import separate_reasoning
from smolagents.types.agent_types import handle_agent_output_types
from smolagents.types.errors import (
    AgentError,
    AgentGenerationError,
    AgentInterruptedError,
    AgentMaxStepsError,
)
from smolagents.types.messages import ChatMessage, MessageRole
from smolagents.types.usage import Timing

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent

__all__ = ["STOP_SEQUENCES", "StepRecorded", "StepStarted", "ask", "cut_off", "final_answer_flow", "run_flow"]

STOP_SEQUENCES = ("Observation:", "Calling tools:")
"""Where a model that goes on to imagine what its action gave is stopped."""


class StepStarted:
    """A step begins. For the console; not part of a run's stream."""

    __slots__ = ("kind", "number")

    def __init__(self, kind: type[MemoryStep], number: int) -> None:
        self.kind = kind
        self.number = number


class StepRecorded:
    """The callbacks have seen a step, and may have changed it. For the console; not part of a run's stream."""

    __slots__ = ("step",)

    def __init__(self, step: ActionStep | PlanningStep) -> None:
        self.step = step


def run_flow(agent: MultiStepAgent, run: Run) -> Flow:
    """The whole of a run, from its task to its answer."""
    memory = run.memory
    memory.system_prompt = SystemPromptStep(agent.system_prompt)
    task = TaskStep(run.task, run.images)
    memory.steps.append(task)
    yield Emit(task, public=False)
    answer: ActionOutput | None = None
    planned = 0
    while answer is None and run.step_number <= run.max_steps:
        if (
            agent.planning_interval
            and run.step_number != planned
            and (run.step_number - 1) % agent.planning_interval == 0
        ):
            yield from _plan(agent, run)
            planned = run.step_number
        answer = yield from _act(agent, run)
        run.step_number += 1
    if answer is not None:
        run.outcome = "success"
        run.output = answer.output
    else:
        run.outcome = "max_steps_error"
        run.output = yield from _answer_without_steps(agent, run)
    run.output = handle_agent_output_types(run.output)
    yield Emit(FinalAnswerStep(run.output))


def _act(agent: MultiStepAgent, run: Run) -> Generator[Request, Any, ActionOutput | None]:
    """One step. Returns the answer if the step gave one that passes the checks."""
    step = ActionStep(run.step_number, Timing(time.time()))
    step.__dict__["_run"] = run  # so that a step method of a subclass finds the run it is for
    yield Emit(StepStarted(ActionStep, run.step_number), public=False)
    answer: ActionOutput | None = None
    fatal: Exception | None = None
    try:
        if agent._has_own_step():
            outcome = yield TakeStep(step)
        else:
            outcome = yield from agent._step_flow(run, step)
        if isinstance(outcome, ActionOutput) and outcome.is_final_answer:
            step.action_output = outcome.output
            yield from _check(agent, run, outcome.output)
            step.is_final_answer = True
            answer = outcome
            run.output = outcome.output  # now: a callback that raises must not lose it
    except AgentError as error:
        step.error = error
        fatal = error if isinstance(error, (AgentGenerationError, AgentInterruptedError)) else None
    except Exception as error:
        step.error = AgentError(f"{type(error).__name__}: {error}")
        fatal = error
    except BaseException as error:  # the caller stops the run: keep what was done, and ask for nothing more
        step.error = AgentInterruptedError(f"The run was stopped: {type(error).__name__}.")
        _close(run, step)
        run.memory.steps.append(step)
        raise
    _close(run, step)
    yield from _record(agent, run, step)
    if fatal is not None:
        raise fatal
    return answer


def _close(run: Run, step: ActionStep) -> None:
    step.timing.end_time = time.time()
    step.__dict__.pop("_run", None)
    run.count(step)


def _record(agent: MultiStepAgent, run: Run, step: ActionStep | PlanningStep) -> Generator[Request, Any, None]:
    """Tell the callbacks of a finished step, keep it, and announce it.

    An exception in a callback ends the run, as its author will have meant, but only when the other callbacks
    have been called and the step is kept.
    """
    failure: Exception | None = None
    yield Emit(step, public=False)
    try:
        with agent.reporter.speaking(run):
            run.monitor.update_metrics(step)
        for callback, takes_one in agent.step_callbacks.callbacks_for(step):
            try:
                yield Invoke(callback, (step,), {} if takes_one else {"agent": agent})
            except Exception as error:
                failure = failure or error
    finally:
        if not run.memory.steps or run.memory.steps[-1] is not step:
            run.memory.steps.append(step)
    yield Emit(StepRecorded(step), public=False)
    yield Emit(step, shown=False)
    if failure is not None:
        raise failure


def _check(agent: MultiStepAgent, run: Run, answer: Any) -> Generator[Request, Any, None]:
    for check in agent.final_answer_checks:
        name = getattr(check, "__name__", type(check).__name__)
        try:
            args, kwargs = _check_arguments(check, answer, run, agent)
            passed = yield Invoke(check, args, kwargs)
        except Exception as error:
            raise AgentError(f"The final answer was refused: the check {name} failed with: {error}") from error
        if not passed:
            raise AgentError(f"The final answer was refused: the check {name} did not pass. Find a better answer.")


def _check_arguments(
    check: Callable[..., Any], answer: Any, run: Run, agent: MultiStepAgent
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments a check takes: the answer, the memory, and, if it has a place for it, the agent."""
    try:
        parameters = inspect.signature(check).parameters.values()
    except (TypeError, ValueError):
        parameters = ()  # type: ignore[assignment]
    if any(p.name == "agent" or p.kind is p.VAR_KEYWORD for p in parameters):
        return (answer, run.memory), {"agent": agent}
    positional = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
    return ((answer, run.memory, agent) if positional > 2 else (answer, run.memory)[: positional or 2]), {}


def _plan(agent: MultiStepAgent, run: Run) -> Generator[Request, Any, None]:
    """Ask for a plan: the first from the task alone, later ones from the work so far as well."""
    started = time.time()
    yield Emit(StepStarted(PlanningStep, run.step_number), public=False)
    templates = agent.prompt_templates["planning"]
    variables = {
        "task": run.task,
        "tools": view(agent.tools),
        "managed_agents": view(agent.managed_agents),
        "remaining_steps": run.max_steps - run.step_number + 1,
    }
    first = run.step_number == 1 and len(run.memory.steps) - run.first_step == 1 and run.first_step == 0
    if first:
        images = [{"type": "image", "image": image} for image in run.images or ()]
        prompt = populate_template(templates["plan"], variables)
        content: list[dict[str, Any]] = [{"type": "text", "text": prompt}, *images]
        messages = [ChatMessage(role=MessageRole.USER, content=content)]
    else:
        messages = [
            _message(MessageRole.SYSTEM, populate_template(templates["update_plan_pre_messages"], variables)),
            *agent._render_memory(run, summary_mode=True),
            _message(MessageRole.USER, populate_template(templates["update_plan_post_messages"], variables)),
        ]
    reply = yield from ask(agent, messages, {"stop_sequences": ["<end_plan>"]}, stream=agent.stream_outputs)
    facts = (
        "Here are the facts and the plan I will follow:" if first else "Here is my updated plan, from what I know now:"
    )
    step = PlanningStep(
        model_input_messages=messages,
        model_output_message=reply,
        plan=f"{facts}\n```\n{reply.text.strip()}\n```",
        timing=Timing(started, time.time()),
        token_usage=reply.token_usage,
    )
    run.count(step)
    yield from _record(agent, run, step)


def ask(
    agent: MultiStepAgent, messages: list[ChatMessage], arguments: dict[str, Any], *, stream: bool = False
) -> Generator[Request, Any, ChatMessage]:
    """Ask the model.

    Raises:
        AgentGenerationError: whatever kept the model from answering.
    """
    try:
        reply = yield Generate(messages, arguments, stream=stream and agent._can_stream())
    except (AgentError, NotImplementedError):
        raise
    except Exception as error:
        raise AgentGenerationError(f"The model could not answer: {type(error).__name__}: {error}") from error
    if not isinstance(reply, ChatMessage):
        raise AgentGenerationError(
            f"The model returned {type(reply).__name__} where a ChatMessage was expected: {reply!r:.200}"
        )
    # Here too, as a model may be any function: what it thought is no part of what it said.
    separate_reasoning(reply)
    reply.finish_reason = normalized_finish_reason(reply.finish_reason)
    yield Emit(reply, public=False)
    return reply


def cut_off(reply: ChatMessage) -> str:
    """What to add for the model when a reply that cannot be used was cut short by its provider."""
    if reply.finish_reason == "length":
        return "Your reply was cut off because it was too long: write less."
    if reply.finish_reason == "content_filter":
        return "Your reply was stopped by the provider's content filter: say it another way."
    return ""


def _answer_without_steps(agent: MultiStepAgent, run: Run) -> Generator[Request, Any, Any]:
    """The steps are used up: ask for the answer that the work so far allows.

    It has to pass the checks like any other; if it does not, there is no answer, and the step that is kept
    says what was proposed and why it was refused.
    """
    step = ActionStep(run.step_number, Timing(time.time()))
    step.error = AgentMaxStepsError("Reached max steps.")
    answer: Any = None
    fatal: AgentError | None = None
    try:
        reply = yield from final_answer_flow(agent, run, run.task, run.images)
        step.model_output_message = reply
        step.token_usage = reply.token_usage
        step.model_output = reply.text
        yield from _check(agent, run, reply.text)
        answer = step.action_output = reply.text
    except (AgentGenerationError, AgentInterruptedError) as error:
        step.error = fatal = error
    except AgentError as error:
        step.error = AgentMaxStepsError(f"Reached max steps. {error}")
    _close(run, step)
    yield from _record(agent, run, step)
    if fatal is not None:
        raise fatal
    return answer


def final_answer_flow(
    agent: MultiStepAgent, run: Run, task: str, images: list[Any] | None = None
) -> Generator[Request, Any, ChatMessage]:
    """Ask for an answer to `task` from the work so far."""
    templates = agent.prompt_templates["final_answer"]
    content: list[dict[str, Any]] = [
        {"type": "text", "text": populate_template(templates["pre_messages"], {"task": task})}
    ]
    content += [{"type": "image", "image": image} for image in images or ()]
    work = agent._render_memory(run)
    if work and work[0].role is MessageRole.SYSTEM:
        work = work[1:]
    messages = [
        ChatMessage(role=MessageRole.SYSTEM, content=content),
        *work,
        _message(MessageRole.USER, populate_template(templates["post_messages"], {"task": task})),
    ]
    return (yield from ask(agent, messages, {}))


def _message(role: MessageRole, text: str) -> ChatMessage:
    return ChatMessage(role=role, content=[{"type": "text", "text": text}])
