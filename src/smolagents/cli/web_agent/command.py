"""The `webagent` command."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

from smolagents.cli.arguments import Parser, add_common_arguments, add_model_arguments, steps, wants_debug
from smolagents.cli.confinement import check_executor_type, default_executor_type
from smolagents.cli.model_choice import choose_model
from smolagents.cli.problems import NO_ANSWER, OK, CliError, reported
from smolagents.cli.session import Session
from smolagents.cli.terminal import confirm, on_terminal
from smolagents.cli.web_agent.agent import initialize_agent
from smolagents.cli.web_agent.browser import Browser
from smolagents.cli.web_agent.domains import parse_domains
from smolagents.cli.web_agent.errors import BrowserError
from smolagents.cli.web_agent.launch import BrowserSettings, is_root
from smolagents.monitoring import AgentLogger, LogLevel

__all__ = ["main", "parse_arguments", "run_webagent"]

_EPILOG = """\
examples:
  webagent "Find the price of the first shirt on sale at shop.example/men" --model-type OpenAIModel --model-id gpt-5
  webagent "What is new on example.org?" --allowed-domains example.org --no-headless
  webagent "Get the annual report as a PDF from example.org" --download-folder reports

The browser has a profile of its own: it is logged in nowhere. Without --allowed-domains it can reach all that this
computer can reach, its own network included. A model that cannot see is told what the pages say.

exit codes: 0 answered; 1 no answer was found; 2 wrong use, or no browser or model; 130 stopped by Ctrl-C.
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of `webagent`."""
    parser = Parser(
        prog="webagent",
        usage="%(prog)s [task] [options]",
        description="Give an agent with a web browser a task.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("task", nargs="?", help="what the agent is to do, in quotes")
    parser.add_argument("--prompt", metavar="TASK", help="the same, as an option")
    add_model_arguments(parser)
    browser = parser.add_argument_group("browser")
    browser.add_argument(
        "--headless",
        action=argparse.BooleanOptionalAction,
        help="run it without a window, or with one; by default with one where there is a display",
    )
    browser.add_argument(
        "--allowed-domains",
        type=_domains,
        metavar="NAMES",
        help="domains that it may reach, with their subdomains, separated by commas (default: all)",
    )
    browser.add_argument(
        "--download-folder", default="downloads", metavar="DIR", help="where files are saved (default: downloads)"
    )
    browser.add_argument("--browser", metavar="PATH", help="Chrome or Chromium (default: where they usually are)")
    browser.add_argument("--chromedriver", metavar="PATH", help="its driver (default: on PATH, else one is fetched)")
    agent = parser.add_argument_group("agent")
    agent.add_argument(
        "--action-type",
        choices=("code", "tool_calling"),
        default="code",
        help="how the agent acts: by Python code (default) or by JSON tool calls",
    )
    agent.add_argument(
        "--executor-type", metavar="NAME", help="where its code runs (default: the sandbox where the system has one)"
    )
    agent.add_argument(
        "--screenshots",
        action=argparse.BooleanOptionalAction,
        help="show the model the window after each step, or only tell it what pages say (default: if it can see)",
    )
    agent.add_argument("--max-steps", type=steps, default=20, metavar="N", help="steps it may take (default: 20)")
    add_common_arguments(parser)
    return parser


def _domains(text: str) -> tuple[str, ...]:
    try:
        return parse_domains(name for name in re.split(r"[\s,]+", text) if name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line of `webagent`.

    Args:
        argv: The arguments without the program's name; those of this process by default.

    Returns:
        `prompt` (None when there is none), `model_type`, `model_id`, `provider`, `api_base`, `api_key`, `headless`,
        `allowed_domains`, `download_folder`, `browser`, `chromedriver`, `action_type`, `executor_type`,
        `screenshots`, `max_steps` and `verbosity_level`.

    Raises:
        SystemExit: with code 2 and one line on the standard error for wrong arguments, 0 for --help.
    """
    parser = build_parser()
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    task = arguments.__dict__.pop("task")
    if task is not None and arguments.prompt is not None:
        parser.error("there are two tasks: give one, either with --prompt or without")
    prompt = arguments.prompt if task is None else task
    arguments.prompt = prompt if prompt is not None and prompt.strip() else None
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line of `webagent`.

    Args:
        argv: The arguments without the program's name; those of this process by default.

    Returns:
        The exit code: 0 answered, 1 no answer, 2 wrong use, no browser or no model, 130 stopped by Ctrl-C.
    """
    arguments = parse_arguments(argv)
    return reported(
        "webagent",
        lambda: _run(arguments),
        debug=wants_debug(arguments.verbosity_level),
        api_base=arguments.api_base,
    )


def _run(arguments: argparse.Namespace) -> int:
    if arguments.prompt is None and not on_terminal() and sys.stdin is not None:
        arguments.prompt = sys.stdin.read().strip()
    if not arguments.prompt:
        raise CliError('no task: write webagent "what to do", or pass the task on the standard input')
    answer, solved = _work(
        arguments.prompt,
        {name: getattr(arguments, name) for name in ("model_type", "model_id", "api_base", "api_key", "provider")},
        BrowserSettings(
            headless=arguments.headless,
            allowed_domains=arguments.allowed_domains,
            download_folder=arguments.download_folder,
            browser_path=arguments.browser,
            driver_path=arguments.chromedriver,
        ),
        # At level 0 the answer alone is printed, so that it can be assigned to a variable of a script.
        LogLevel(arguments.verbosity_level) if arguments.verbosity_level > 0 else LogLevel.OFF,
        executor_type=arguments.executor_type,
        action_type=arguments.action_type,
        screenshots=arguments.screenshots,
        max_steps=arguments.max_steps,
    )
    if arguments.verbosity_level <= 0:
        print(answer)
    if not solved:
        print(f"webagent: no answer was found within {arguments.max_steps} steps", file=sys.stderr)
        return NO_ANSWER
    return OK


def run_webagent(
    prompt: str,
    model_type: str | None,
    model_id: str | None,
    provider: str | None = None,
    api_base: str | None = None,
    api_key: str | None = None,
    *,
    settings: BrowserSettings | None = None,
    verbosity_level: LogLevel | int | str = LogLevel.INFO,
    **agent: Any,
) -> Any:
    """Give one task to an agent with a browser, show its work, and end the browser.

    Args:
        prompt: The task.
        model_type: Class of the model; None for the one that suits, as with the command.
        model_id: The model's name at its provider.
        provider: Inference provider.
        api_base: Address of the model's server.
        api_key: Key for that server.
        settings: How the browser is started.
        verbosity_level: How much is shown.
        **agent: Further arguments of `initialize_agent`. By default the agent has no helium but tools, and its code
            runs in the sandbox where this system has one.

    Returns:
        The agent's answer.

    Raises:
        CliError: whatever the user can put right, in one line.
    """
    model = dict(
        zip(
            ("model_type", "model_id", "provider", "api_base", "api_key"),
            (model_type, model_id, provider, api_base, api_key),
            strict=True,
        )
    )
    return _work(prompt, model, settings, verbosity_level, **agent)[0]


def _work(
    prompt: str,
    model_arguments: dict[str, str | None],
    settings: BrowserSettings | None,
    verbosity_level: LogLevel | int | str,
    **agent_arguments: Any,
) -> tuple[Any, bool]:
    """The answer, and whether the task was solved within its steps."""
    check_executor_type(agent_arguments.get("executor_type"))
    logger = AgentLogger(level=verbosity_level)
    with Browser(settings) as browser:
        try:
            browser.start()  # before a model that may take a minute to load
        except BrowserError as error:
            raise CliError(str(error)) from error
        with logger.status("Loading the model…"):
            model = choose_model(**model_arguments, confirm=confirm if on_terminal() else None)
        if is_root():
            logger.log("The browser runs without Chrome's own sandbox, which root cannot have.", style="dim")
        agent = initialize_agent(model, browser=browser, logger=logger, **{"use_helium": False, **agent_arguments})
        executor = getattr(agent, "python_executor", None)
        if executor is not None:
            remark = "" if agent_arguments.get("executor_type") else default_executor_type()[1]
            logger.log(f"Code runs in {executor.describe()}{remark}.", style="dim")
        agent.stream_outputs = callable(getattr(model, "generate_stream", None))
        session = Session(agent, logger, model_arguments["api_base"])
        try:
            return session.run(prompt), session.solved
        finally:
            if executor is not None:
                agent.cleanup()  # type: ignore[attr-defined]
