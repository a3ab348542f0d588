"""The arguments of the command line."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from smolagents.cli.commands import SUBCOMMANDS

__all__ = [
    "Parser",
    "add_common_arguments",
    "add_model_arguments",
    "build_parser",
    "parse_arguments",
    "port",
    "steps",
    "wants_debug",
]

_EPILOG = """\
examples:
  smolagent "What is the 50th Fibonacci number?" --model-type LlamaCppModel
  smolagent "Who wrote Solaris?" --tools web_search --action-type tool_calling
  smolagent "What is the date 90 days from now?" --model-id Qwen/Qwen3-32B
  smolagent "Tell a joke" --model-id mine --api-base http://localhost:8000/v1
  smolagent "Plan a trip to Tokyo." --num-agents 2 --tools web_search
  smolagent run agent.yaml "How many euros are 250 dollars?"
  answer=$(smolagent "What is 6 times 7?" --verbosity-level 0)

Without a task, smolagent asks for one and goes on as a conversation; from a
pipe, it reads the task. Without --model-type and --model-id, the model is the
one that SMOLAGENTS_MODEL names (TypeName:model-id), else one on Hugging Face
if a token is set, else a small model on this computer.

exit codes: 0 answered; 1 no answer was found; 2 wrong use, or the model cannot
be reached; 130 stopped by Ctrl-C, of which a second one leaves at once.
"""


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and which option may have been meant."""

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (--?[\w-]+)", message)
        if unknown:
            near = difflib.get_close_matches(unknown[1], self._option_string_actions, n=1)
            message += f" (did you mean {near[0]}?)" if near else ""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _commands() -> str:
    return "".join(f"  smolagent {name:10} {command.summary}\n" for name, command in SUBCOMMANDS.items())


def build_parser() -> argparse.ArgumentParser:
    """The parser of `smolagent`."""
    parser = Parser(
        prog="smolagent",
        usage="%(prog)s [task] [options]",
        description="Give an agent a task. It thinks, writes Python or calls tools, looks at what\nhappened, and repeats.",
        epilog=f"other commands (each has a --help of its own):\n{_commands()}\n{_EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("prompt", nargs="?", metavar="task", help="what the agent is to do, in quotes")
    add_model_arguments(parser)
    agent = parser.add_argument_group("agent")
    agent.add_argument(
        "--action-type",
        choices=("code", "tool_calling"),
        default="code",
        help="how the agent acts: by Python code (default) or by JSON tool calls",
    )
    agent.add_argument("--tools", nargs="*", default=[], metavar="NAME", help="tools it may use, by name")
    agent.add_argument(
        "--imports", nargs="*", default=[], metavar="MODULE", help="modules its code may import besides the basic ones"
    )
    agent.add_argument(
        "--executor-type",
        metavar="NAME",
        help="where its code runs: sandbox (default where the system has one), local, docker, wasm, monty, e2b, modal, blaxel",
    )
    agent.add_argument("--max-steps", type=steps, default=20, metavar="N", help="steps it may take (default: 20)")
    team = parser.add_argument_group("team")
    team.add_argument(
        "--num-agents",
        type=steps,
        default=1,
        metavar="N",
        help="agents that share the work, each a process of its own (default: 1)",
    )
    team.add_argument(
        "--roles",
        metavar="FILE",
        help="YAML file with instructions, tools and model of each agent; the first one leads",
    )
    team.add_argument(
        "--mailboxes", metavar="URL", help="where their messages are kept (default: a temporary SQLite file)"
    )
    add_common_arguments(parser)
    return parser


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Let the command line say which model thinks: the arguments of `choose_model`."""
    model = parser.add_argument_group("model")
    model.add_argument("--model-type", metavar="NAME", help="class of the model, such as OpenAIModel or LlamaCppModel")
    model.add_argument("--model-id", metavar="ID", help="the model's name at its provider, or a GGUF file")
    model.add_argument("--provider", metavar="NAME", help="inference provider, for InferenceClientModel")
    model.add_argument("--api-base", metavar="URL", help="address of the model's server")
    model.add_argument(
        "--api-key",
        metavar="KEY",
        help="key for that server; better set in the environment, where other users cannot see it",
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """`--verbosity-level` and `--version`."""
    parser.add_argument(
        "--verbosity-level",
        type=_level,
        default=1,
        metavar="N",
        help="0: the answer only; 1: each step as it happens (default); 2: also what the model is sent",
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, dest=argparse.SUPPRESS, help="show the version and leave"
    )


class _Version(argparse.Action):
    """Looks the version up only when it is asked for, since that takes longer than all the rest of the parser."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"smolagents {version('smolagents')}")
        parser.exit()


def steps(text: str) -> int:
    """A count of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def port(text: str) -> int:
    """A port as argparse reads it."""
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a whole number up to 65535")
    return int(text)


def _level(text: str) -> int:
    from smolagents.monitoring.levels import as_level

    try:
        return int(as_level(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line.

    Args:
        argv: The arguments without the program's name; those of this process by default.

    Returns:
        `prompt` (None when there is none), `tools` and `imports` (lists of names), `model_type`, `model_id`,
        `provider`, `api_base`, `api_key`, `action_type`, `executor_type`, `max_steps`, `num_agents`, `roles`, `mailboxes` and `verbosity_level`.

    Raises:
        SystemExit: with code 2 and one line on the standard error for wrong arguments, 0 for --help.
    """
    arguments = build_parser().parse_args(sys.argv[1:] if argv is None else argv)
    for name in ("tools", "imports"):
        words = getattr(arguments, name)
        # `--tools web_search "Plan a trip"`: an option that takes several words takes the task as well.
        if arguments.prompt is None and words and _is_task(words):
            arguments.prompt = words.pop()
        setattr(arguments, name, [name for word in words for name in re.split(r"[\s,]+", word.strip()) if name])
    if arguments.prompt is not None and not arguments.prompt.strip():
        arguments.prompt = None
    return arguments


def _is_task(words: Sequence[str]) -> bool:
    last = words[-1]
    if not re.search(r"\s", last.strip()):
        return False
    return len(words) > 1 or re.fullmatch(r"[\w.*/-]+([\s,]+[\w.*/-]+)*", last.strip()) is None


def wants_debug(verbosity_level: int) -> bool:
    """Whether to show tracebacks."""
    return verbosity_level >= 2 or os.environ.get("SMOLAGENTS_DEBUG", "").strip() not in ("", "0")
