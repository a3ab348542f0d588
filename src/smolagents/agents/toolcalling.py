"""The agent that acts by calling tools with JSON arguments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any, ClassVar

from smolagents.agents.base import LIBRARY_STEPS, MultiStepAgent
from smolagents.agents.drivers import drive, in_thread
from smolagents.agents.loop import STOP_SEQUENCES, ask, cut_off
from smolagents.agents.requests import CallTools, Emit, Flow, Request, ToolSlot
from smolagents.agents.run import ActionOutput, Run, ToolOutput
from smolagents.agents.templates import PromptTemplates, populate_template, view
from smolagents.memory import ActionStep, ToolCall
from smolagents.models.tool_text import parse_json_if_needed
from smolagents.tools.arguments import prepare_tool_arguments, validate_tool_arguments
from smolagents.tools.base import Tool
from smolagents.types.agent_types import AgentAudio, AgentImage
from smolagents.types.errors import (
    AgentError,
    AgentExecutionError,
    AgentGenerationError,
    AgentInterruptedError,
    AgentParsingError,
    AgentToolCallError,
    AgentToolExecutionError,
)
from smolagents.types.messages import ChatMessage

__all__ = ["ToolCallingAgent"]


class ToolCallingAgent(MultiStepAgent):
    """An agent that acts by calling tools with JSON arguments, several at once if the model asks for it.

    Args:
        tools: What the agent can call.
        model: What thinks; see `MultiStepAgent`.
        prompt_templates: Prompts to use in place of the defaults.
        planning_interval: Make a plan before the first step, and again after every so many steps.
        stream_outputs: Whether a stream of events holds the model's reply piece by piece.
        max_tool_threads: Calls of one step that may run at the same time; by default as many as
            `concurrent.futures.ThreadPoolExecutor` allows.
        **kwargs: As for `MultiStepAgent`.
    """

    _prompts: ClassVar[str] = "toolcalling_agent"

    def __init__(
        self,
        tools: Sequence[Tool],
        model: Any = None,
        prompt_templates: PromptTemplates | None = None,
        planning_interval: int | None = None,
        stream_outputs: bool = False,
        max_tool_threads: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            tools=tools,
            model=model,
            prompt_templates=prompt_templates,
            planning_interval=planning_interval,
            **kwargs,
        )
        if max_tool_threads is not None and max_tool_threads < 1:
            raise ValueError(f"max_tool_threads must be at least 1, not {max_tool_threads}")
        self.stream_outputs = stream_outputs
        self.max_tool_threads = max_tool_threads

    @property
    def tools_and_managed_agents(self) -> list[Any]:
        """All that the model can call."""
        return [*self.tools.values(), *self.managed_agents.values()]

    def initialize_system_prompt(self) -> str:
        """The system prompt with this agent's tools and team in it."""
        return populate_template(
            self.prompt_templates["system_prompt"],
            {
                "tools": view(self.tools),
                "managed_agents": view(self.managed_agents),
                "custom_instructions": self._instructions(),
            },
        )

    # One step

    def _step_stream(self, memory_step: ActionStep) -> Generator[Any, None, Any]:
        return (yield from super()._step_stream(memory_step))

    def _step_flow(self, run: Run, step: ActionStep) -> Flow:
        messages = self._messages_for(run, step)
        arguments = {"stop_sequences": [*STOP_SEQUENCES], "tools_to_call_from": self.tools_and_managed_agents}
        reply = yield from ask(self, messages, arguments, stream=self.stream_outputs)
        step.model_output_message = reply
        step.token_usage = reply.token_usage
        step.model_output = reply.content
        if not reply.tool_calls:
            try:
                reply = self._engine().parse_tool_calls(reply)
            except AgentError:
                raise
            except Exception as error:
                told = f"Your reply holds no tool call that can be read: {error} {cut_off(reply)}"
                raise AgentParsingError(told.rstrip(" ")) from error
        elif reply.finish_reason == "length" and not all(map(_is_whole, reply.tool_calls)):
            raise AgentParsingError(f"The arguments of your tool call have no end. {cut_off(reply)}")
        if type(self).process_tool_calls is ToolCallingAgent.process_tool_calls:
            return (yield from self._calls_flow(run, reply, step))
        outcome: ActionOutput | None = None
        for event in self.process_tool_calls(reply, step):
            yield Emit(event)
            if isinstance(event, ToolOutput) and event.is_final_answer:
                outcome = ActionOutput(event.output, is_final_answer=True)
        outcome = outcome or ActionOutput(None, is_final_answer=False)
        yield Emit(outcome)
        return outcome

    def process_tool_calls(
        self, chat_message: ChatMessage, memory_step: ActionStep
    ) -> Generator[ToolCall | ToolOutput, None, None]:
        """Make the calls that a message asks for, and enter them and their results into a step.

        Args:
            chat_message: Message with tool calls.
            memory_step: Step to enter them into.

        Yields:
            Each call as it starts, and each output as it is there.
        """
        run = self._run_of(memory_step)
        for event in drive(self._calls_flow(run, chat_message, memory_step), run):
            if not isinstance(event, ActionOutput):
                yield event

    def _calls_flow(self, run: Run, message: ChatMessage, step: ActionStep) -> Generator[Request, Any, ActionOutput]:
        calls = _calls_in(message, step.step_number)
        if not calls:
            raise AgentParsingError(
                "Your reply holds no tool call. Call a tool, or final_answer if you know the answer."
            )
        step.tool_calls = calls
        final = [call for call in calls if call.name == "final_answer"]
        if len(final) > 1:
            raise AgentExecutionError(
                f"You called final_answer {len(final)} times in one step, and nothing was run. "
                "Call it once, with the whole answer."
            )
        for call in calls:
            yield Emit(call)
        slots = [ToolSlot(call) for call in calls]
        outputs: dict[int, ToolOutput] = {}

        def finished(slot: ToolSlot) -> ToolOutput:
            output = outputs[id(slot)] = self._output_of(run, slot)
            return output

        try:
            yield CallTools(slots, self.max_tool_threads, finished)
        finally:  # what came of some of the calls is kept, whatever became of the others
            ordered = [outputs[id(slot)] for slot in slots if id(slot) in outputs]
            if len(slots) > 1 and ordered:
                step.observations = "\n".join(
                    f"{output.tool_call.name} ({output.id}): {output.observation}" for output in ordered
                )
            elif ordered and slots[0].error is None:
                step.observations = ordered[0].observation
        failed = [slot for slot in slots if slot.error is not None]
        if failed:
            fatal = next(
                (s.error for s in failed if isinstance(s.error, (AgentGenerationError, AgentInterruptedError))), None
            )
            if fatal is not None:
                raise fatal
            kind = type(failed[0].error) if isinstance(failed[0].error, AgentError) else AgentToolExecutionError
            kept = (
                f"\nThe other {len(slots) - len(failed)} calls worked; see above." if len(failed) < len(slots) else ""
            )
            raise kind("\n".join(str(slot.error) for slot in failed) + kept) from failed[0].error
        answer = next((output for output in ordered if output.is_final_answer), None)
        outcome = ActionOutput(ordered[-1].output if answer is None else answer.output, answer is not None)
        step.action_output = outcome.output
        yield Emit(outcome)
        return outcome

    def _output_of(self, run: Run, slot: ToolSlot) -> ToolOutput:
        """What a finished call came to, with the words in which the model is told of it."""
        call = slot.call
        if slot.error is not None:
            return ToolOutput(call.id, None, False, f"Error: {slot.error}", call)
        output = slot.output
        if isinstance(output, (AgentImage, AgentAudio)):
            name = (
                _store(run, "image", "png", output)
                if isinstance(output, AgentImage)
                else _store(run, "audio", "mp3", output)
            )
            observation = f"Stored '{name}' in memory."
        else:
            try:
                observation = str(output)
            except Exception as error:  # a value's own __str__ may raise anything
                observation = (
                    f"The call worked, but its result, a {type(output).__name__}, cannot be shown: "
                    f"{type(error).__name__}: {error}"
                )
        return ToolOutput(call.id, output, call.name == "final_answer", observation.strip(), call)

    # One call

    def execute_tool_call(self, tool_name: str, arguments: dict[str, Any] | str) -> Any:
        """Call a tool or a managed agent. Arguments that name a variable of the run are replaced by its value.

        Args:
            tool_name: Name of the tool or managed agent.
            arguments: Arguments by name; a string is passed as the only argument.

        Raises:
            AgentToolCallError: there is no such tool, or it does not take such arguments.
            AgentToolExecutionError: the tool raised.
        """
        return self._execute(self._shown(), tool_name, arguments)

    def _execute_for(self, run: Run) -> Callable[[str, Any], Any]:
        if type(self).execute_tool_call is not ToolCallingAgent.execute_tool_call:
            return self.execute_tool_call
        return lambda name, arguments: self._execute(run, name, arguments)

    def _execute(self, run: Run | None, name: str, arguments: Any) -> Any:
        target, values = self._resolve(run, name, arguments)
        extra = {} if name in self.managed_agents else {"sanitize_inputs_outputs": True}
        try:
            return target(**values, **extra) if isinstance(values, dict) else target(values, **extra)
        except Exception as error:
            raise self._failure(name, values, error) from error

    def _aexecute_for(self, run: Run) -> Callable[[str, Any], Awaitable[Any]]:
        overridden = type(self).execute_tool_call is not ToolCallingAgent.execute_tool_call

        async def execute(name: str, arguments: Any) -> Any:
            if overridden:
                return await in_thread(run, self.execute_tool_call, name, arguments)
            target = self.managed_agents.get(name) or self.tools.get(name)
            is_async = hasattr(target, "acall") and (name in self.managed_agents or getattr(target, "is_async", False))
            if not is_async:
                return await in_thread(run, self._execute, run, name, arguments)
            target, values = self._resolve(run, name, arguments)
            extra = {} if name in self.managed_agents else {"sanitize_inputs_outputs": True}
            try:
                call = target.acall(**values, **extra) if isinstance(values, dict) else target.acall(values, **extra)
                return await call
            except Exception as error:
                raise self._failure(name, values, error) from error

        return execute

    def _resolve(self, run: Run | None, name: str, arguments: Any) -> tuple[Any, Any]:
        """What to call, and with which values.

        Raises:
            AgentToolCallError: there is no such tool, or it does not take such arguments.
        """
        target = self.managed_agents.get(name) or self.tools.get(name)
        if target is None:
            known = ", ".join([*self.tools, *self.managed_agents])
            raise AgentToolCallError(f"There is no tool named {name!r}. You can call: {known}.")
        state = self.state if run is None else run.state
        if isinstance(arguments, Mapping):
            values: Any = {key: _substituted(value, state) for key, value in arguments.items()}
        else:
            values = _substituted(arguments, state)
        try:
            if name in self.managed_agents:
                validate_tool_arguments(target, values)
            else:
                values = prepare_tool_arguments(target, values)
        except (TypeError, ValueError) as error:
            raise AgentToolCallError(f"The call of {name} was wrong: {error}") from error
        return target, values

    def _failure(self, name: str, values: Any, error: Exception) -> Exception:
        if isinstance(error, (AgentGenerationError, AgentInterruptedError, AgentToolCallError)):
            return error
        what = "managed agent" if name in self.managed_agents else "tool"
        return AgentToolExecutionError(
            f"The {what} {name} failed with arguments {values!r:.500}: {type(error).__name__}: {error}"
        )


def _is_whole(call: Any) -> bool:
    arguments = call.function.arguments
    return not isinstance(arguments, str) or not isinstance(parse_json_if_needed(arguments), str)


def _substituted(value: Any, state: Mapping[str, Any]) -> Any:
    return state[value] if isinstance(value, str) and value in state else value


def _calls_in(message: ChatMessage, step_number: int) -> list[ToolCall]:
    """The calls of a message, each with an id of its own, whatever ids the model gave them."""
    calls = []
    taken: set[str] = set()
    for index, call in enumerate(message.tool_calls or ()):
        given = call.id if isinstance(call.id, str) else str(call.id) if isinstance(call.id, int) else ""
        identity = stem = f"call_{step_number}_{index + 1}"
        number = 1
        while identity in taken:
            number += 1
            identity = f"{stem}_{number}"
        if given and given not in taken:
            identity = given
        taken.add(identity)
        arguments = parse_json_if_needed(call.function.arguments)
        calls.append(ToolCall(call.function.name, {} if arguments is None or arguments == "" else arguments, identity))
    return calls


def _store(run: Run, stem: str, suffix: str, value: Any) -> str:
    """Keep a value that text cannot stand for, under a name the model can use."""
    name, number = f"{stem}.{suffix}", 1
    while name in run.state:
        number += 1
        name = f"{stem}_{number}.{suffix}"
    run.state[name] = value
    run.given.add(name)
    return name


LIBRARY_STEPS.add(ToolCallingAgent._step_stream)
