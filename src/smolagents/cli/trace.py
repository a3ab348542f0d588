"""`smolagent trace ls|show|open`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from smolagents.cli.arguments import Parser, port, wants_debug
from smolagents.cli.problems import OK, CliError, reported
from smolagents.monitoring.text import clean, one_line
from smolagents.monitoring.trace_files import ENVIRONMENT
from smolagents.monitoring.trace_reader import TraceFileError, find_traces, read_trace, related

__all__ = ["trace"]

_EPILOG = f"""\
RUN is a file, the beginning of a file's name or of an id that ls prints, or a
folder. By default it is the latest run in the folder that --dir names, or else
{ENVIRONMENT}.

examples:
  {ENVIRONMENT}=traces smolagent "What is 6 times 7?"
  smolagent trace show --dir traces
  smolagent trace open 3f2a9c1b --dir traces --output page.html
  smolagent trace open --live --dir traces
"""


def trace(argv: Sequence[str]) -> int:
    """Look at runs that were written to files. Returns the exit code."""
    parser = Parser(
        prog="smolagent trace",
        description="Look at runs that were written to files.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="{ls,show,open}")
    place = Parser(add_help=False)
    place.add_argument("--dir", metavar="FOLDER", help=f"where the traces are; {ENVIRONMENT} by default")
    common = Parser(add_help=False, parents=[place])
    common.add_argument("run", nargs="?", metavar="RUN", help="which one; the latest by default")
    listing = actions.add_parser("ls", parents=[place], help="list the runs in a folder, latest first")
    listing.add_argument("folder", nargs="?", metavar="FOLDER", help="the same as --dir FOLDER")
    show = actions.add_parser("show", parents=[common], help="print a run in the terminal")
    show.add_argument("--whole", action="store_true", help="print all of long texts, and what the models were given")
    opened = actions.add_parser("open", parents=[common], help="show a run as a page in the browser")
    opened.add_argument("--live", action="store_true", help="follow a run that goes on, until Ctrl-C")
    opened.add_argument(
        "--port", type=port, default=0, metavar="N", help="live: where to listen; any free port by default"
    )
    opened.add_argument("--output", metavar="FILE", help="where to write the page; next to the trace by default")
    opened.add_argument("--no-browser", action="store_true", help="only say where the page is")
    arguments = parser.parse_args(list(argv))
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a Windows code page has no sign for much of what models write
    work = {"ls": _list, "show": _show, "open": _live if getattr(arguments, "live", False) else _open}[
        arguments.action
    ]
    return reported("smolagent", lambda: _done(work, arguments), debug=wants_debug(1))


def _done(work: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> int:
    try:
        work(arguments)
    except TraceFileError as error:
        raise CliError(str(error)) from error
    return OK


def _folder(arguments: argparse.Namespace) -> Path:
    folder = arguments.dir or os.environ.get(ENVIRONMENT)
    if not folder:
        raise CliError(f"where are the traces? Name their folder, or set {ENVIRONMENT}")
    return Path(folder).expanduser()


def _files(arguments: argparse.Namespace) -> list[Path]:
    """The files of the run that was asked for."""
    run = arguments.run
    if run and Path(run).is_file():
        return related(Path(run))
    folder = Path(run) if run and Path(run).is_dir() else _folder(arguments)
    wanted = "" if run in (None, "last") or Path(run).is_dir() else run
    traces = find_traces(folder)
    found = [
        one
        for one in traces
        if one.trace_id.startswith(wanted) or any(path.name.startswith(wanted) for path in one.paths)
    ]
    if not found:
        if not traces:
            raise CliError(f"there are no traces in {folder}")
        raise CliError(f"there is no run {wanted!r} in {folder}; smolagent trace ls {folder} lists those there are")
    if wanted and len(found) > 1:
        raise CliError(f"{wanted!r} may be any of: {', '.join(one.trace_id[:12] for one in found)}")
    return found[0].paths


def _list(arguments: argparse.Namespace) -> None:
    arguments.dir = arguments.dir or arguments.folder
    folder = _folder(arguments)
    traces = find_traces(folder)
    if not traces:
        print(f"there are no traces in {folder}")
    for one in traces:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.started_at))
        took = "no end" if one.ended_at is None else f"{one.ended_at - one.started_at:,.1f} s"
        state = "failed" if one.error else ""
        processes = f"{len(one.paths)} processes" if len(one.paths) > 1 else ""
        about = ", ".join(part for part in (took, state, processes, f"{max(1, one.size // 1000):,} kB") if part)
        print(f"{one.trace_id[:8]}  {started}  {one_line(one.name, 24)} ({about}): {one_line(one.task, 80)}")


def _show(arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from smolagents.ui.trace.terminal import show

    on_terminal = sys.stdout.isatty()
    console = Console(emoji=False, markup=False, highlight=False, width=None if on_terminal else 120)
    show(read_trace(_files(arguments)), console, whole=arguments.whole)


def _open(arguments: argparse.Namespace) -> None:
    from smolagents.ui.trace.page import page_of

    paths = _files(arguments)
    target = Path(arguments.output).expanduser() if arguments.output else paths[0].with_suffix(".html")
    page = page_of(paths).encode()
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(page)
    except OSError as error:
        raise CliError(
            f"cannot write the page to {target} ({error.strerror}): name another place with --output"
        ) from None
    print(clean(str(target)))
    _browse(target.absolute().as_uri(), arguments)


def _live(arguments: argparse.Namespace) -> None:
    from smolagents.ui.trace.live import LiveView

    path = _files(arguments)[0]
    try:
        view = LiveView(path, port=arguments.port)
    except OSError as error:
        raise CliError(
            f"cannot listen on port {arguments.port}: {error.strerror}; choose another with --port"
        ) from None
    with view:
        print(f"{view.url}\nCtrl-C stops it.", flush=True)
        _browse(view.url, arguments)
        while True:
            time.sleep(3600)


def _browse(address: str, arguments: argparse.Namespace) -> None:
    """Open a page where there is a screen: a browser for terminals would take the terminal over."""
    if arguments.no_browser or not (
        sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return
    import webbrowser

    webbrowser.open(address)
