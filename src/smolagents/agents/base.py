"""What all agents have in common."""

from __future__ import annotations

import threading
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from smolagents.agents.conversation import Line
from smolagents.agents.drivers import drive
from smolagents.agents.latest import LatestRun
from smolagents.agents.loop import final_answer_flow
from smolagents.agents.member import TeamMember
from smolagents.agents.reporter import Reporter
from smolagents.agents.requests import Flow
from smolagents.agents.run import Run, active_run
from smolagents.agents.running import RunsTasks
from smolagents.agents.saving.mixin import ShareableAgent
from smolagents.agents.templates import PromptTemplates, copy_templates, default_templates
from smolagents.agents.validation import callback_registry, managed_by_name, valid_name, whole_number
from smolagents.memory import ActionStep, MemoryStep
from smolagents.models.adapting import as_model
from smolagents.monitoring import AgentLogger, LogLevel
from smolagents.tools.base import Tool
from smolagents.tools.collection import ToolCollection
from smolagents.tools.final_answer import FinalAnswerTool
from smolagents.types.errors import AgentParsingError
from smolagents.types.messages import ChatMessage

if TYPE_CHECKING:
    from pathlib import Path

    import PIL.Image

    from smolagents.agents.mcp_server import AgentMCPServer
    from smolagents.agents.skills import Skill

__all__ = ["LIBRARY_STEPS", "MultiStepAgent"]


class MultiStepAgent(RunsTasks, LatestRun, TeamMember, ShareableAgent):
    """An agent that works on a task step by step: it thinks, acts, and looks at what happened.

    One agent can have many runs at once, in threads or in async tasks; each has a memory, variables and an
    executor session of its own. `memory`, `state` and the like show the latest run.

    Args:
        tools: What the agent can use. Names must differ, from each other and from those of `managed_agents`.
        model: What thinks: a `Model`, any object with its `generate`, or a plain function from messages to a
            message. Without one, the default model is used: see `smolagents.models.default_model`.
        prompt_templates: Prompts to use in place of the defaults.
        instructions: More to tell the model, put into the system prompt.
        max_steps: Steps the agent may take for one task.
        add_base_tools: Whether to add the basic tools: web search, visiting a page…
        verbosity_level: How much is shown: `LogLevel.OFF`, `ERROR`, `INFO` or `DEBUG`.
        managed_agents: Agents that this one can call; each needs a `name` and a `description`.
        step_callbacks: Called after each step: a list of functions for action steps, or a dictionary from kind of
            step to a function or a list of them. A function takes the step, or the step and `agent`.
        planning_interval: Make a plan before the first step, and again after every so many steps.
        name: Name by which another agent can call this one; a Python identifier.
        description: What this agent is good for, as told to the agent that calls it.
        provide_run_summary: Whether to add an account of the work to the report to the calling agent.
        final_answer_checks: Functions of the answer, the memory and `agent` (or of the first two). An answer
            for which one is false, or raises, is refused, and the model is told so.
        return_full_result: Whether `run` returns a `RunResult` rather than the answer alone.
        logger: Where the agent shows its work.
        grammar: Deprecated and without effect; use `use_structured_outputs_internally` of `CodeAgent`.
        trace_dir: Folder to write each run to, as a file that `smolagent trace` shows. Prompts and outputs are in it.
        skills: Folders with a SKILL.md, or `Skill` objects. The model is told of each in one line, and reads the rest
            with the tool `read_skill`.

    Raises:
        ValueError: names that collide, a managed agent without name or description, a bad `name`, a missing template,
            a malformed skill.
        TypeError: a tool that is not a `Tool`, a callback that cannot be called.
    """

    _prompts: ClassVar[str] = "toolcalling_agent"

    def __init__(
        self,
        tools: Sequence[Tool],
        model: Any = None,
        prompt_templates: PromptTemplates | None = None,
        instructions: str | None = None,
        max_steps: int = 20,
        add_base_tools: bool = False,
        verbosity_level: LogLevel | int = LogLevel.INFO,
        managed_agents: Sequence[Any] | None = None,
        step_callbacks: Sequence[Callable[..., Any]]
        | Mapping[type[MemoryStep], Callable[..., Any] | Sequence[Callable[..., Any]]]
        | None = None,
        planning_interval: int | None = None,
        name: str | None = None,
        description: str | None = None,
        provide_run_summary: bool = False,
        final_answer_checks: Sequence[Callable[..., Any]] | None = None,
        return_full_result: bool = False,
        logger: AgentLogger | None = None,
        grammar: dict[str, str] | None = None,
        trace_dir: str | Path | None = None,
        skills: Sequence[Skill | str | Path] | None = None,
    ) -> None:
        if grammar is not None:
            warnings.warn(
                "the argument 'grammar' is deprecated and has no effect: "
                "use CodeAgent(use_structured_outputs_internally=True)",
                FutureWarning,
                stacklevel=3,
            )
        self.model = model
        self.agent_name = type(self).__name__
        self.instructions = instructions
        self.max_steps = whole_number("max_steps", max_steps, least=0)
        self.planning_interval = (
            None if planning_interval is None else whole_number("planning_interval", planning_interval, least=1)
        )
        self.name = valid_name(name)
        self.description = description
        self.provide_run_summary = provide_run_summary
        self.final_answer_checks = list(final_answer_checks or ())
        self.return_full_result = return_full_result
        self.managed_agents: dict[str, Any] = managed_by_name(managed_agents or ())
        self.skills: dict[str, Skill] = {} if skills is None else _as_skills(skills)
        self.tools: dict[str, Any] = self._tools_by_name(tools, add_base_tools)
        self._custom_templates = None if prompt_templates is None else copy_templates(prompt_templates)
        self.logger = AgentLogger(level=verbosity_level) if logger is None else logger
        self.step_callbacks = callback_registry(step_callbacks)
        self.trace_dir = trace_dir
        self.stream_outputs = False
        self._own_line = Line(self, {})
        self._lock = threading.RLock()
        self._active: list[Run] = []
        self._services: set[threading.Event] = set()

    # What the agent is made of

    @property
    def model(self) -> Any:
        """The model as it was given, or the default model."""
        if self._model is None:
            from smolagents.models.default import default_model

            self._model = default_model()
        return self._model

    @model.setter
    def model(self, model: Any) -> None:
        self._adapted: tuple[Any, Any] | None = None if model is None else (model, as_model(model))
        self._model = model

    def _engine(self) -> Any:
        """The model with the whole interface of `Model`, whatever was given."""
        given = self.model
        if self._adapted is None or self._adapted[0] is not given:
            self._adapted = (given, as_model(given))
        return self._adapted[1]

    @property
    def logger(self) -> AgentLogger:
        """Where the agent shows its work."""
        return self.reporter.logger

    @logger.setter
    def logger(self, logger: AgentLogger) -> None:
        self.reporter = Reporter(logger)

    @property
    def prompt_templates(self) -> PromptTemplates:
        """The agent's own copy of its templates; change it freely."""
        if self._custom_templates is None:
            self._custom_templates = copy_templates(default_templates(self._default_prompts()))
        return self._custom_templates

    @prompt_templates.setter
    def prompt_templates(self, templates: PromptTemplates) -> None:
        self._custom_templates = copy_templates(templates)

    def _default_prompts(self) -> str:
        return self._prompts + ("_compact" if getattr(self.model, "prefers_compact_prompts", False) else "")

    @property
    def system_prompt(self) -> str:
        """The system prompt as the model would be told it now."""
        return self.initialize_system_prompt()

    @system_prompt.setter
    def system_prompt(self, value: str) -> None:
        raise AttributeError(
            "system_prompt cannot be set: change agent.prompt_templates['system_prompt'], or pass instructions=…"
        )

    def initialize_system_prompt(self) -> str:
        """Render the system prompt. To be implemented in child classes."""
        raise NotImplementedError(f"{type(self).__name__} must implement initialize_system_prompt")

    def _instructions(self) -> str | None:
        """What goes into the system prompt besides what the templates say."""
        if not self.skills:
            return self.instructions
        from smolagents.agents.skills import catalogue

        return "\n\n".join(text for text in (self.instructions, catalogue(self.skills)) if text)

    def _tools_by_name(self, tools: Sequence[Tool], add_base_tools: bool) -> dict[str, Any]:
        if isinstance(tools, (str, bytes)) or not isinstance(tools, Iterable):
            hint = ": write tools=[*collection.tools]" if isinstance(tools, ToolCollection) else ""
            raise TypeError(f"tools must be a list of tools, not {type(tools).__name__}{hint}")
        found: dict[str, Any] = {}
        if self.skills:
            from smolagents.agents.skills import ReadSkillTool

            found[ReadSkillTool.name] = ReadSkillTool(self.skills)
        for tool in tools:
            callable_by_name = callable(tool) and isinstance(getattr(tool, "name", None), str)
            if isinstance(tool, (type, MultiStepAgent)) or not (isinstance(tool, Tool) or callable_by_name):
                if isinstance(tool, type) and issubclass(tool, Tool):
                    raise TypeError(f"{tool.__name__} is a class and not a tool: pass an instance, {tool.__name__}(…)")
                raise TypeError(
                    f"{tool!r} is not a tool: decorate the function with @tool, or derive a class from Tool and pass "
                    "an instance of it. An agent goes into managed_agents."
                )
            if tool.name in found:
                raise ValueError(
                    f"two tools share the name {tool.name!r}: a model could not tell them apart. Rename one."
                )
            found[tool.name] = tool
        if add_base_tools:
            from smolagents.default_tools import TOOL_MAPPING

            for name, cls in TOOL_MAPPING.items():
                if name not in found and (name != "python_interpreter" or self._runs_tools_as_json):
                    found[name] = cls()
        if "final_answer" not in found:
            found["final_answer"] = FinalAnswerTool()
        for name in found:
            if name in self.managed_agents:
                raise ValueError(
                    f"a tool and a managed agent share the name {name!r}: a model could not tell them apart. Rename one."
                )
        return found

    _runs_tools_as_json: ClassVar[bool] = True

    # Running

    def run(
        self,
        task: str | None,
        stream: bool = False,
        reset: bool = True,
        images: list[PIL.Image.Image] | None = None,
        additional_args: dict[str, Any] | None = None,
        max_steps: int | None = None,
        return_full_result: bool | None = None,
    ) -> Any:
        """Solve a task.

        Args:
            task: What to do. None to serve the agent's mailbox, if it has the tools for that; see `serve`.
            stream: Return a generator of events in place of the answer: deltas of the model's text, tool calls and
                their outputs, each finished step, and a `FinalAnswerStep` at the end. Steps are taken as you iterate.
            reset: Start afresh; False goes on with the memory and the variables of the latest run.
            images: Images to show the model with the task.
            additional_args: Values to hand over, by name. The model is told their names and kinds, and can use
                them as variables.
            max_steps: Steps the agent may take; its own `max_steps` by default.
            return_full_result: Whether to return a `RunResult`; the agent's own setting by default.

        Returns:
            The answer, a `RunResult`, or a generator of events.

        Raises:
            AgentGenerationError: the model could not answer.
            AgentInterruptedError: the run was interrupted.

        Whatever is raised carries `run_result`, a `RunResult` of what was done so far.
        """
        if task is None:
            return self.serve()
        run = self._begin(task, reset, images, additional_args, max_steps)
        events = self._run_stream(run)
        if stream:
            return events
        for _ in events:
            pass
        return self._returned(run, return_full_result)

    async def arun(
        self,
        task: str,
        *,
        reset: bool = True,
        images: list[PIL.Image.Image] | None = None,
        additional_args: dict[str, Any] | None = None,
        max_steps: int | None = None,
        return_full_result: bool | None = None,
    ) -> Any:
        """Solve a task without blocking the event loop. Cancelling the task that awaits this stops the run.

        Arguments, result and exceptions are those of `run`.
        """
        run = self._begin(task, reset, images, additional_args, max_steps)
        async for _ in self._arun_stream(run):
            pass
        return self._returned(run, return_full_result)

    async def astream(
        self,
        task: str,
        *,
        reset: bool = True,
        images: list[PIL.Image.Image] | None = None,
        additional_args: dict[str, Any] | None = None,
        max_steps: int | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Solve a task, yielding the events of `run(stream=True)`."""
        run = self._begin(task, reset, images, additional_args, max_steps)
        events = self._arun_stream(run)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    def as_mcp_server(self, name: str | None = None, tools: bool = True) -> AgentMCPServer:
        """This agent and its tools as a server for any client of the Model Context Protocol.

            agent.as_mcp_server().run("streamable-http", port=8000)

        Args:
            name: Name of the server and of the tool that is the agent; by default the agent's name.
            tools: Whether to offer the agent's tools too.

        Raises:
            MissingExtraError: the extra `mcp` is not installed.
        """
        from smolagents.agents.mcp_server import AgentMCPServer

        return AgentMCPServer(self, name, tools)

    # One step

    def step(self, memory_step: ActionStep) -> Any:
        """Take one step: think, act, and look at what happened.

        Returns:
            The final answer, or None if the step is not final.
        """
        outcome: Any = None
        for outcome in self._step_stream(memory_step):  # noqa: B007 - the last is kept
            pass
        return outcome.output if getattr(outcome, "is_final_answer", False) else None

    def _step_stream(self, memory_step: ActionStep) -> Generator[Any, None, Any]:
        """Take one step, yielding its events as they happen."""
        run = self._run_of(memory_step)
        return (yield from drive(self._step_flow(run, memory_step), run))

    def _step_flow(self, run: Run, step: ActionStep) -> Flow:
        """The requests of one step. Returns its `ActionOutput`, or None."""
        raise NotImplementedError(f"{type(self).__name__} must implement _step_stream")
        yield

    def _has_own_step(self) -> bool:
        """Whether someone has put a step of their own in place of the library's."""
        cls = type(self)
        # By identity: what an instrumentation puts around a function may claim to be equal to it.
        ours = any(cls._step_stream is known for known in LIBRARY_STEPS)
        return not ours or cls.step is not MultiStepAgent.step

    def _run_of(self, step: ActionStep) -> Run:
        """The run a step belongs to; a step taken outside of any gets one."""
        run: Run | None = step.__dict__.get("_run") or self._shown()
        return self._begin("(a single step)", True, None, None, None) if run is None else run

    def _messages_for(self, run: Run, step: ActionStep) -> list[ChatMessage]:
        """What to show the model in this step, which is made to remember it."""
        if type(self).write_memory_to_messages is MultiStepAgent.write_memory_to_messages:
            step.model_input_messages = run.memory.prefix()
            return run.memory.to_messages()
        messages = self._render_memory(run)
        step.model_input_messages = list(messages)
        return messages

    def _render_memory(self, run: Run, summary_mode: bool = False) -> list[ChatMessage]:
        if type(self).write_memory_to_messages is MultiStepAgent.write_memory_to_messages:
            return run.memory.to_messages(summary_mode)
        token = active_run.set(run)
        try:
            return (
                self.write_memory_to_messages(summary_mode=summary_mode)
                if summary_mode
                else self.write_memory_to_messages()
            )
        finally:
            active_run.reset(token)

    def write_memory_to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        """The memory as messages for a model.

        Args:
            summary_mode: Leave out the system prompt, plans, and the model's own words.
        """
        return self.memory.to_messages(summary_mode)

    def extract_action(self, model_output: str, split_token: str) -> tuple[str, str]:
        """Split a reply into rationale and action.

        Args:
            model_output: The model's reply.
            split_token: What stands before the action.

        Raises:
            AgentParsingError: `split_token` is not in the reply.
        """
        rationale, token, action = model_output.rpartition(split_token)
        if not token:
            raise AgentParsingError(
                f"Your reply holds no {split_token!r}, which must stand before the action. Your reply was:\n{model_output}",
                self.logger,
            )
        return rationale.rpartition(split_token)[2].strip(), action.strip()

    def provide_final_answer(self, task: str, images: list[PIL.Image.Image] | None = None) -> str:
        """Ask the model for an answer to `task` from the work of the latest run.

        Raises:
            AgentGenerationError: the model could not answer.
        """
        run = self._shown() or self._begin(task, True, images, None, None)
        events = drive(final_answer_flow(self, run, task, images), run)
        while True:
            try:
                next(events)
            except StopIteration as stop:
                return str(stop.value.text)

    def _can_stream(self) -> bool:
        return hasattr(self._engine(), "generate_stream")

    def _execute_for(self, run: Run) -> Callable[[str, Any], Any]:
        raise NotImplementedError(f"{type(self).__name__} calls no tools by name")

    def _aexecute_for(self, run: Run) -> Callable[[str, Any], Any]:
        raise NotImplementedError(f"{type(self).__name__} calls no tools by name")

    # Looking at it

    def visualize(self) -> None:
        """Print a tree of the agent, its tools and its team."""
        self.logger.visualize_agent_tree(self)

    def replay(self, detailed: bool = False) -> None:
        """Print the steps of the latest run again.

        Args:
            detailed: Also print the messages the model was given at each step. This gets long.
        """
        self.memory.replay(self.logger, detailed=detailed)

    def __repr__(self) -> str:
        named = f" {self.name!r}" if self.name else ""
        return f"<{type(self).__name__}{named} with tools {', '.join(self.tools)}>"


def _as_skills(given: Any) -> dict[str, Skill]:
    from smolagents.agents.skills import as_skills

    return as_skills(given)


LIBRARY_STEPS: set[Any] = {MultiStepAgent._step_stream}
"""The step methods that are ours: any other is someone's own, and is called in their place."""
