"""The agent that writes its actions as Python code."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Literal

from typing_extensions import Self

from smolagents.agents.base import LIBRARY_STEPS, MultiStepAgent
from smolagents.agents.conversation import Line
from smolagents.agents.drivers import interrupted
from smolagents.agents.executor_types import CHECKED_AT_ONCE, ExecutorType, executor_class, make_executor
from smolagents.agents.loop import STOP_SEQUENCES, ask, cut_off
from smolagents.agents.parsing import CODE_BLOCK_TAGS, MARKDOWN_TAGS, parse_code_blobs, parse_structured_output, plain
from smolagents.agents.requests import Emit, Flow, Request, RunCode
from smolagents.agents.run import ActionOutput, Run
from smolagents.agents.templates import PromptTemplates, populate_template, view
from smolagents.executors.base import CodeOutput, PythonExecutor
from smolagents.executors.local import BASE_BUILTIN_MODULES
from smolagents.memory import ActionStep, ToolCall
from smolagents.tools.base import Tool
from smolagents.types.errors import AgentExecutionError, AgentGenerationError, AgentInterruptedError, AgentParsingError
from smolagents.types.messages import ChatMessage
from smolagents.types.text import truncate_content

__all__ = ["CODE_REPLY_FORMAT", "CodeAgent"]

CODE_REPLY_FORMAT: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "ThoughtAndCode",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "thought": {"type": "string", "description": "What is known, and what to do next."},
                "code": {"type": "string", "description": "The Python code to run now."},
            },
            "required": ["thought", "code"],
            "additionalProperties": False,
        },
    },
}
"""`response_format` of a reply that is a JSON object of thought and code."""


class CodeAgent(MultiStepAgent):
    """An agent that acts by writing Python code, in which tools are functions.

    Args:
        tools: What the code can call.
        model: What thinks; see `MultiStepAgent`.
        prompt_templates: Prompts to use in place of the defaults.
        additional_authorized_imports: Modules that the code may import besides the basic ones: packages,
            submodules, `package.*`, or `*` for all.
        planning_interval: Make a plan before the first step, and again after every so many steps.
        executor: What runs the code. By default one is made as `executor_type` says.
        executor_type: Where the code runs: "local" (in this process, guarded), "sandbox" (in a process that the
            Linux kernel confines), "monty", "docker", "wasm", "e2b", "modal" or "blaxel".
        executor_kwargs: Arguments for that executor.
        max_print_outputs_length: Characters of printed output that the model is shown for a step; 50,000 by default.
        stream_outputs: Whether a stream of events holds the model's reply piece by piece.
        use_structured_outputs_internally: Whether the model replies with a JSON object of thought and code.
        code_block_tags: Opening and closing tag of code in a reply, as regular expressions, or "markdown"
            for Markdown fences. `("<code>", "</code>")` by default.
        **kwargs: As for `MultiStepAgent`.

    Raises:
        ValueError: besides the reasons of `MultiStepAgent`, an unknown `executor_type`, or tags that are not a pair.
    """

    _prompts: ClassVar[str] = "code_agent"
    _runs_tools_as_json: ClassVar[bool] = False

    def __init__(
        self,
        tools: Sequence[Tool],
        model: Any = None,
        prompt_templates: PromptTemplates | None = None,
        additional_authorized_imports: Sequence[str] | None = None,
        planning_interval: int | None = None,
        executor: PythonExecutor | None = None,
        executor_type: ExecutorType = "local",
        executor_kwargs: Mapping[str, Any] | None = None,
        max_print_outputs_length: int | None = None,
        stream_outputs: bool = False,
        use_structured_outputs_internally: bool = False,
        code_block_tags: tuple[str, str] | Literal["markdown"] | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(additional_authorized_imports, str):
            raise TypeError(
                f"additional_authorized_imports must be a list of module names, not the string "
                f"{additional_authorized_imports!r}: write [{additional_authorized_imports!r}]"
            )
        self.additional_authorized_imports = list(additional_authorized_imports or ())
        self.authorized_imports = sorted({*BASE_BUILTIN_MODULES, *self.additional_authorized_imports})
        self.max_print_outputs_length = max_print_outputs_length
        self._use_structured_outputs_internally = use_structured_outputs_internally
        self.code_block_tags = _tags(code_block_tags)
        self.executor_type = executor_type
        if executor_kwargs is not None and not isinstance(executor_kwargs, Mapping):
            raise TypeError(f"executor_kwargs must be a dict of arguments, not {executor_kwargs!r}")
        self.executor_kwargs = dict(executor_kwargs or {})
        if executor is not None and not callable(executor):
            raise TypeError(
                f"executor must be an executor, not {executor!r}; to choose one by its name use executor_type=…"
            )
        self._executor = self._given_executor = executor
        self._executor_used_by: Line | None = None
        if executor is None:
            executor_class(executor_type)
        super().__init__(
            tools=tools,
            model=model,
            prompt_templates=prompt_templates,
            planning_interval=planning_interval,
            **kwargs,
        )
        self.stream_outputs = stream_outputs
        if executor is None and executor_type in CHECKED_AT_ONCE:
            self._own_executor()
        if "*" in self.additional_authorized_imports:
            self.logger.log(
                "Caution: with the import '*' authorised, the agent's code can import any installed package.",
                level=1,
            )

    def _default_prompts(self) -> str:
        return "structured_code_agent" if self._use_structured_outputs_internally else super()._default_prompts()

    def initialize_system_prompt(self) -> str:
        """The system prompt with this agent's tools, team and imports in it."""
        imports = getattr(self._executor, "importable", None) or self.authorized_imports
        return populate_template(
            self.prompt_templates["system_prompt"],
            {
                "tools": view(self.tools),
                "managed_agents": view(self.managed_agents),
                "authorized_imports": "any installed package ('*')" if "*" in imports else ", ".join(imports),
                "custom_instructions": self._instructions(),
                "code_block_opening_tag": plain(self.code_block_tags[0]),
                "code_block_closing_tag": plain(self.code_block_tags[1]).strip(),
            },
        )

    def _instructions(self) -> str | None:
        notes = getattr(self._executor, "language_notes", None)  # of an executor that does not run all of Python
        return "\n".join(text for text in (super()._instructions(), notes) if text) or None

    # The executor and its sessions

    def create_python_executor(self) -> PythonExecutor:
        """Make an executor as `executor_type` and `executor_kwargs` say."""
        return make_executor(
            self.executor_type,
            self.additional_authorized_imports,
            self.executor_kwargs,
            max_print_outputs_length=self.max_print_outputs_length,
            logger=self.logger,
        )

    @property
    def python_executor(self) -> PythonExecutor:
        """The executor session of the latest run; before any, the one that the first run will use."""
        run = self._shown()
        if run is not None and run.executor is not None:
            return run.executor
        return self._own_executor()

    @python_executor.setter
    def python_executor(self, executor: PythonExecutor) -> None:
        self._executor = self._given_executor = executor
        self._executor_used_by = None
        run = self._shown()
        if run is not None:
            run.executor = executor

    def _own_executor(self) -> PythonExecutor:
        if self._executor is None:
            self._executor = self.create_python_executor()
        return self._executor

    def _session_for(self, line: Line, going_on: bool) -> PythonExecutor:
        before = line.latest
        if going_on and before is not None and before.executor is not None:
            return before.executor
        own = self._own_executor()
        # What the first of the agent's own runs leaves in its executor is not for a conversation to see.
        unused = line is self._own_line and self._executor_used_by is None
        session: PythonExecutor | None = own if unused else own.session()
        if session is None:  # an executor with one session only: it is used again, but never by two at once
            self._refuse_if_used(own)
            if self._executor_used_by not in (None, line):
                raise AgentExecutionError(
                    f"{type(own).__name__} has a single session, which holds what another conversation left in it: "
                    "close that one, give each conversation an agent of its own, or give the executor a session() method"
                )
            session = own
        elif before is not None and not before.active:
            self._release(before)
        if session is own:
            self._executor_used_by = line
        return session

    def _release(self, run: Run) -> None:
        executor, latest = run.executor, run.line.latest
        continued = latest is not None and latest is not run and latest.executor is executor
        if executor is not None and executor is not self._executor and not continued:
            executor.cleanup()

    def _close_line(self, line: Line) -> None:
        super()._close_line(line)
        if self._executor_used_by is line and self._executor is not None:
            self._executor.cleanup()
            self._executor_used_by = None

    def _refuse_if_used(self, executor: PythonExecutor, by: Run | None = None) -> None:
        if any(run.executor is executor and run is not by for run in self._active):
            raise AgentExecutionError(
                f"{type(executor).__name__} has a single session, which another run of this agent is using: "
                "wait for it, give each run an agent of its own, or give the executor a session() method"
            )

    def _enter(self, run: Run) -> None:
        super()._enter(run)
        if run.executor is not None:
            with self._lock:
                self._refuse_if_used(run.executor, by=run)

    def _equip(self, run: Run) -> None:
        if run.executor is not None:
            run.executor.send_variables(run.state)
            run.executor.send_tools({**self.tools, **self.managed_agents})

    async def _aequip(self, run: Run) -> None:
        if run.executor is not None:
            await run.executor.asend_variables(run.state)
            await run.executor.asend_tools({**self.tools, **self.managed_agents})

    def cleanup(self) -> None:
        """Release what the executor holds, such as a sandbox."""
        run = self._latest
        if run is not None:
            self._release(run)
        if self._executor is not None:
            self._executor.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cleanup()

    # One step

    def _step_stream(self, memory_step: ActionStep) -> Generator[Any, None, Any]:
        return (yield from super()._step_stream(memory_step))

    def _step_flow(self, run: Run, step: ActionStep) -> Flow:
        messages = self._messages_for(run, step)
        structured = self._use_structured_outputs_internally
        closing = plain(self.code_block_tags[1])
        stop = (
            [*STOP_SEQUENCES]
            if structured or closing in plain(self.code_block_tags[0])
            else [*STOP_SEQUENCES, closing]
        )
        arguments: dict[str, Any] = {"stop_sequences": stop}
        if structured:
            arguments["response_format"] = CODE_REPLY_FORMAT
        else:
            arguments.update(self._engine().code_reply_arguments(plain(self.code_block_tags[0]), closing.strip()))
        reply = yield from ask(self, messages, arguments, stream=self.stream_outputs)
        step.model_output_message = reply
        step.token_usage = reply.token_usage
        cut = not structured and reply.finish_reason == "length" and self._is_open(reply.text, closing)
        text = step.model_output = reply.text if structured else self._closed(reply.text, closing)
        reply.content = text
        if cut:  # half of some code is not what was meant
            raise AgentParsingError(f"The code in your reply has no end, and was not run. {cut_off(reply)}")
        code = self._code_in(reply, text)
        call = ToolCall(name="python_interpreter", arguments=code, id=f"call_{step.step_number}")
        step.code_action = code
        step.tool_calls = [call]
        yield Emit(call)
        result = yield from self._run(run, step, code)
        outcome = ActionOutput(output=result.output, is_final_answer=result.is_final_answer)
        yield Emit(outcome)
        return outcome

    def _closed(self, text: str, closing: str) -> str:
        """The reply with its last code block closed: the tag at which the model was stopped is not part of it."""
        if closing in plain(self.code_block_tags[0]) or not self._is_open(text, closing):
            return text
        return f"{text.rstrip()}\n{closing.strip()}"

    def _is_open(self, text: str, closing: str) -> bool:
        """Whether the last code block of a reply has no end."""
        opening = plain(self.code_block_tags[0])
        if closing in opening:
            return text.count(closing) % 2 == 1
        return text.rfind(opening) > text.rfind(closing)

    def _code_in(self, reply: ChatMessage, text: str) -> str:
        """The code in a reply."""
        try:
            if self._use_structured_outputs_internally:
                return parse_structured_output(text)[1]
            return parse_code_blobs(text, self.code_block_tags)
        except ValueError as error:
            raise AgentParsingError(f"{error}\n{cut_off(reply)}".rstrip("\n")) from None

    def _run(self, run: Run, step: ActionStep, code: str) -> Generator[Request, Any, CodeOutput]:
        executor = run.executor
        assert executor is not None
        fatal: Exception | None = None
        try:
            result: CodeOutput = yield RunCode(executor, code)
        except (AgentInterruptedError, AgentGenerationError):
            raise
        except Exception as error:
            if run.interrupted.is_set():
                raise interrupted() from error
            logs = _logs_of(error, executor)
            if logs:
                step.observations = f"Execution logs:\n{truncate_content(logs)}"
            if not isinstance(error.__cause__, (AgentInterruptedError, AgentGenerationError)):
                raise AgentExecutionError(str(error) or type(error).__name__) from error
            fatal = error.__cause__  # of an agent that the code called: to try again would only fail again
        if fatal is not None:
            raise fatal
        observation = f"Execution logs:\n{result.logs.rstrip()}" if result.logs else ""
        if not result.is_final_answer:
            try:
                shown = truncate_content(str(result.output))
            except Exception as error:  # a value's own __str__ may raise anything
                kind = type(result.output).__name__
                raise AgentExecutionError(
                    f"The code ran, but the value of its last line, a {kind}, cannot be shown: {type(error).__name__}: "
                    f"{error}. End with something else."
                ) from error
            if result.output is not None:
                observation += ("\n" if observation else "") + f"Last output from code snippet:\n{shown}"
            elif not observation:
                observation = (
                    "The code ran, printed nothing, and its last line has no value. Use print() to see values."
                )
        step.observations = observation or None
        step.action_output = result.output
        return result


def _logs_of(error: Exception, executor: PythonExecutor) -> str:
    logs = getattr(error, "logs", None)
    if logs is None:
        logs = getattr(executor, "state", {}).get("_print_outputs")
    return str(logs) if logs else ""


def _tags(tags: Any) -> tuple[str, str]:
    if tags is None:
        return CODE_BLOCK_TAGS
    if tags == "markdown":
        return MARKDOWN_TAGS
    if not isinstance(tags, (tuple, list)) or len(tags) != 2 or not all(isinstance(tag, str) and tag for tag in tags):
        raise ValueError(f'code_block_tags must be a pair of strings or "markdown", not {tags!r}')
    return (tags[0], tags[1])


LIBRARY_STEPS.add(CodeAgent._step_stream)
