"""One agent, given tasks from the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from smolagents.cli.confinement import check_executor_type, default_executor_type
from smolagents.cli.model_choice import choose_model, load_model
from smolagents.cli.problems import CliError, explain
from smolagents.cli.toolbox import check_imports, load_tools
from smolagents.monitoring import AgentLogger, LogLevel
from smolagents.types.errors import AgentGenerationError

__all__ = ["Session", "make_session", "run_smolagent"]


class Session:
    """An agent and the screen its runs are shown on.

    Args:
        agent: The agent.
        logger: The screen, the same that the agent shows its steps on.
        api_base: Address of the model's server, to name it when it cannot be reached.
    """

    def __init__(self, agent: Any, logger: AgentLogger, api_base: str | None = None) -> None:
        self.agent = agent
        self.logger = logger
        logger.fold_hint = "--verbosity-level 2 shows them"
        self.api_base = api_base
        self.solved = False
        """Whether the latest task was answered within its steps."""

    def run(self, task: str, *, reset: bool = True) -> Any:
        """Work on a task, show each step as it happens, and return the answer.

        Raises:
            CliError: the model could not answer.
            KeyboardInterrupt: the user stopped it; what was done is shown first.
        """
        self.solved = False
        try:
            result = self.agent.run(task, reset=reset, return_full_result=True)
        except KeyboardInterrupt as stop:
            self.logger.log(f"Stopped after {summary(getattr(stop, 'run_result', None))}.", style="bold")
            raise
        except AgentGenerationError as error:
            raise CliError(explain(error, self.api_base)) from error
        self.solved = result.state == "success"
        self.logger.log(summary(result), style="dim")
        return result.output


def summary(result: Any) -> str:
    """What a run took, in words."""
    if result is None:
        return "no steps"
    steps = sum("step_number" in step for step in result.steps)
    usage = result.token_usage
    tokens = (
        "tokens unknown"
        if usage is None
        else f"{usage.input_tokens:,} input and {usage.output_tokens:,} output tokens"
    )
    cost = "" if usage is None or usage.cost is None else f", ${usage.cost:.4f}"
    return f"{steps} step{'' if steps == 1 else 's'}, {result.timing.duration:.1f} seconds, {tokens}{cost}"


def make_session(
    *,
    model: Any,
    tools: Iterable[Any] = (),
    imports: Iterable[str] = (),
    action_type: str = "code",
    max_steps: int = 20,
    verbosity_level: LogLevel | int | str = LogLevel.INFO,
    api_base: str | None = None,
    executor_type: str | None = None,
) -> Session:
    """Make an agent as the command line describes it.

    Args:
        model: The model.
        tools: Tools, or their names.
        imports: Modules its code may import.
        action_type: "code" or "tool_calling".
        max_steps: Steps it may take.
        verbosity_level: How much is shown.
        api_base: Address of the model's server.
        executor_type: Where its code runs; None for the sandbox where this system has one, else in this process.

    Raises:
        CliError: unknown tools or executor, modules that are not installed, a wrong `action_type`.
    """
    if action_type not in ("code", "tool_calling"):
        raise CliError(f"unknown action type {action_type!r}; use 'code' or 'tool_calling'")
    authorized = check_imports(imports)
    check_executor_type(executor_type)
    loaded = [one for tool in tools for one in (load_tools([tool]) if isinstance(tool, str) else [tool])]
    try:
        logger = AgentLogger(level=verbosity_level)
        agent = _make_agent(action_type, loaded, model, authorized, max_steps, logger, executor_type)
    except (ImportError, TypeError, ValueError) as error:
        raise CliError(str(error)) from error
    agent.stream_outputs = callable(getattr(model, "generate_stream", None))
    return Session(agent, logger, api_base)


def _make_agent(
    action_type: str,
    tools: list[Any],
    model: Any,
    imports: list[str],
    max_steps: int,
    logger: AgentLogger,
    executor_type: str | None,
) -> Any:
    if action_type == "code":
        from smolagents.agents import CodeAgent

        remark = ""
        if executor_type is None:
            executor_type, remark = default_executor_type()
        agent = CodeAgent(
            tools=tools,
            model=model,
            additional_authorized_imports=imports,
            max_steps=max_steps,
            logger=logger,
            executor_type=executor_type,  # type: ignore[arg-type]
        )
        if logger.level >= LogLevel.INFO:
            logger.log(f"Code runs in {agent.python_executor.describe()}{remark}.", style="dim")
        return agent
    from smolagents.agents import ToolCallingAgent

    return ToolCallingAgent(tools=tools, model=model, max_steps=max_steps, logger=logger)


def run_smolagent(
    prompt: str,
    tools: list[str],
    model_type: str | None,
    model_id: str | None,
    api_base: str | None = None,
    api_key: str | None = None,
    imports: list[str] | None = None,
    provider: str | None = None,
    action_type: str = "code",
    *,
    max_steps: int = 20,
    verbosity_level: LogLevel | int | str = LogLevel.INFO,
    executor_type: str | None = None,
) -> Any:
    """Give one task to an agent and show its work.

    Args:
        prompt: The task.
        tools: Names of the tools it may use.
        model_type: Class of the model; None for the default model.
        model_id: The model's name at its provider.
        api_base: Address of the model's server.
        api_key: Key for that server.
        imports: Modules its code may import.
        provider: Inference provider.
        action_type: "code" or "tool_calling".
        max_steps: Steps it may take.
        verbosity_level: How much is shown.
        executor_type: Where its code runs; None for the sandbox where this system has one, else in this process.

    Returns:
        The agent's answer.

    Raises:
        CliError: whatever the user can put right, in one line.
    """
    if model_type is None:
        model = choose_model(None, model_id, api_base, api_key, provider)
    else:
        model = load_model(model_type, model_id, api_base, api_key, provider)
    session = make_session(
        model=model,
        tools=tools,
        imports=imports or (),
        action_type=action_type,
        max_steps=max_steps,
        verbosity_level=verbosity_level,
        api_base=api_base,
        executor_type=executor_type,
    )
    return session.run(prompt)
