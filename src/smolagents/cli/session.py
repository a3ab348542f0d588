"""One agent, given tasks from the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from smolagents.cli.model_choice import choose_model, load_model
from smolagents.cli.problems import CliError, explain
from smolagents.cli.toolbox import check_imports, load_tools
from smolagents.cli.view import RunView
from smolagents.monitoring import AgentLogger, LogLevel
from smolagents.types.errors import AgentGenerationError

__all__ = ["Session", "make_session", "run_smolagent"]


class Session:
    """An agent and the screen its runs are shown on.

    Args:
        agent: The agent.
        logger: The screen. The agent has a silent logger of its own, since its events are shown here.
        api_base: Address of the model's server, to name it when it cannot be reached.
    """

    def __init__(self, agent: Any, logger: AgentLogger, api_base: str | None = None) -> None:
        self.agent = agent
        self.logger = logger
        self.api_base = api_base
        self.solved = False
        """Whether the latest task was answered within its steps."""

    def run(self, task: str, *, reset: bool = True) -> Any:
        """Work on a task, show each step as it happens, and return the answer.

        Raises:
            CliError: the model could not answer.
            KeyboardInterrupt: the user stopped it; what was done is shown first.
        """
        agent = self.agent
        self.solved = False
        model = agent.model
        model_id = getattr(model, "model_id", None)
        kind = type(model).__name__
        self.logger.log_task(task, f"{kind} - {model_id}" if model_id else kind, agent.name)
        tags = getattr(agent, "code_block_tags", None)
        view = RunView(self.logger, tags[0] if tags else None)
        output: Any = None
        events = agent.run(task, stream=True, reset=reset)
        try:
            with view:
                for event in events:
                    view.show(event)
                    output = getattr(event, "output", None)
        except KeyboardInterrupt:
            events.close()
            self.logger.log(f"Stopped after {view.summary()}.", style="bold")
            raise
        except AgentGenerationError as error:
            raise CliError(explain(error, self.api_base)) from error
        self.solved = not view.out_of_steps
        view.answer(output)
        return output


def make_session(
    *,
    model: Any,
    tools: Iterable[Any] = (),
    imports: Iterable[str] = (),
    action_type: str = "code",
    max_steps: int = 20,
    verbosity_level: LogLevel | int | str = LogLevel.INFO,
    api_base: str | None = None,
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

    Raises:
        CliError: unknown tools, modules that are not installed, a wrong `action_type`.
    """
    if action_type not in ("code", "tool_calling"):
        raise CliError(f"unknown action type {action_type!r}; use 'code' or 'tool_calling'")
    authorized = check_imports(imports)
    loaded = [one for tool in tools for one in (load_tools([tool]) if isinstance(tool, str) else [tool])]
    try:
        agent = _make_agent(action_type, loaded, model, authorized, max_steps)
    except (ImportError, TypeError, ValueError) as error:
        raise CliError(str(error)) from error
    agent.stream_outputs = callable(getattr(model, "generate_stream", None))
    return Session(agent, AgentLogger(level=verbosity_level), api_base)


def _make_agent(action_type: str, tools: list[Any], model: Any, imports: list[str], max_steps: int) -> Any:
    silent = AgentLogger(level=LogLevel.OFF)
    if action_type == "code":
        from smolagents.agents import CodeAgent

        return CodeAgent(
            tools=tools, model=model, additional_authorized_imports=imports, max_steps=max_steps, logger=silent
        )
    from smolagents.agents import ToolCallingAgent

    return ToolCallingAgent(tools=tools, model=model, max_steps=max_steps, logger=silent)


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
    )
    return session.run(prompt)
