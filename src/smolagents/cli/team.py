"""`smolagent TASK --num-agents N`: agents as processes that share the work."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from typing import Any

from smolagents.agents.team import AgentGaveUpError, AgentSource, Team
from smolagents.cli.problems import CliError
from smolagents.cli.team_view import TeamView
from smolagents.monitoring import AgentLogger, LogLevel
from smolagents.types.errors import AgentError

__all__ = ["make_member", "read_roles", "run_team"]

_ROLE_KEYS = {"instructions", "tools", "imports", "model_type", "model_id", "api_base", "provider", "action_type"}
_LEADER = (
    "You lead a team: the other agents can work for you while you go on. Give them parts of the task with send_message "
    "when that helps, read their answers with receive_messages, and give the final answer yourself."
)
_HELPER = "You work in a team: another agent gives you tasks. Your final answer is sent to it."


def make_member(leads: bool, settings: Mapping[str, Any]) -> Any:
    """Make one agent, in its own process.

    Args:
        leads: Whether it is the one that is given the task.
        settings: `instructions`, `tools`, `imports`, `max_steps`, `action_type`, `executor_type`, and those of the model.
    """
    from smolagents.cli.model_choice import choose_model
    from smolagents.cli.session import make_session

    model = choose_model(
        settings.get("model_type"),
        settings.get("model_id"),
        settings.get("api_base"),
        settings.get("api_key"),
        settings.get("provider"),
    )
    agent = make_session(
        model=model,
        tools=settings.get("tools") or (),
        imports=settings.get("imports") or (),
        action_type=settings.get("action_type") or "code",
        max_steps=settings.get("max_steps") or 20,
        verbosity_level=LogLevel.OFF,
        executor_type=settings.get("executor_type"),
    ).agent
    agent.instructions = "\n".join(
        text for text in (_LEADER if leads else _HELPER, settings.get("instructions")) if text
    )
    return agent


def read_roles(path: str) -> dict[Any, dict[str, Any]]:
    """Read a file of roles: for each agent's id or name its settings. The first one leads.

    Raises:
        CliError: the file cannot be read, or a setting is unknown.
    """
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            data = yaml.safe_load(file)
    except (OSError, yaml.YAMLError) as error:
        raise CliError(f"the roles cannot be read from {path}: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict) or not data:
        raise CliError(f"{path} must hold a role for each agent, such as 'researcher: {{instructions: …}}'")
    for name, given in data.items():
        role = data[name] = {"instructions": given} if isinstance(given, str) else (given or {})
        unknown = sorted(set(role) - _ROLE_KEYS)
        if unknown:
            raise CliError(
                f"{path}: {name} has the unknown setting {unknown[0]!r}; there are {', '.join(sorted(_ROLE_KEYS))}"
            )
        for key in ("tools", "imports"):
            if isinstance(role.get(key), str):
                role[key] = role[key].replace(",", " ").split()
    return data


def run_team(arguments: argparse.Namespace) -> int:
    """Work on a task with a team. Returns the exit code."""
    from smolagents.cli.confinement import check_executor_type
    from smolagents.cli.toolbox import check_imports, load_tools

    check_imports(arguments.imports)
    check_executor_type(arguments.executor_type)
    load_tools(arguments.tools)
    common = {
        name: getattr(arguments, name)
        for name in (
            *("model_type", "model_id", "provider", "api_base", "api_key"),
            *("action_type", "executor_type", "tools", "imports", "max_steps"),
        )
    }
    roles = read_roles(arguments.roles) if arguments.roles else {n: {} for n in range(arguments.num_agents)}
    members = {
        agent_id: AgentSource(
            factory="smolagents.cli.team:make_member",
            arguments={"leads": position == 0, "settings": {**common, **role}},
        )
        for position, (agent_id, role) in enumerate(roles.items())
    }
    level = LogLevel(arguments.verbosity_level) if arguments.verbosity_level > 0 else LogLevel.OFF
    logger = AgentLogger(level)
    view = TeamView(logger, list(members))
    started = time.monotonic()
    with Team(members, mailboxes=arguments.mailboxes, on_event=view.show) as team, view:
        view.watch(team)
        try:
            answer = team.run(arguments.prompt)
        except AgentGaveUpError as error:
            raise CliError(str(error)) from error
        except AgentError as error:
            view.end()
            print(f"smolagent: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            view.end()
            logger.log("Stopped.", style="bold")
            raise
    report = team.report
    if arguments.verbosity_level <= 0:
        print(answer)
        return 0
    logger.log(f"Final answer: {answer}", style="bold")
    steps = sum(report.steps.values())
    logger.log(
        f"{len(members)} agents, {steps} step{'' if steps == 1 else 's'}, {report.tokens:,} tokens, "
        f"{time.monotonic() - started:.1f} seconds"
        + (f", {sum(report.restarts.values())} restarts" if report.restarts else ""),
        style="dim",
    )
    return 0
