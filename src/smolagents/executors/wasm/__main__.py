"""`python -m smolagents.executors.wasm fetch` gets what the wasm executor needs, once; `path` says where it lies."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from smolagents.executors.errors import WorkerLostError
from smolagents.executors.wasm.distribution import VERSION, FetchError, fetch, find_distribution
from smolagents.executors.wasm.process import find_deno
from smolagents.executors.wasm.snapshot import find_snapshot

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m smolagents.executors.wasm", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help=f"fetch Pyodide {VERSION}, and prepare fast starts")
    fetching.add_argument("--url", help="where its npm package lies, also as a file:// address")
    commands.add_parser("path", help="print the directory that holds Pyodide")
    options = parser.parse_args(arguments)
    try:
        if options.command == "fetch":
            print(fetch(options.url))
            find_snapshot(find_deno(), find_distribution())
        else:
            print(find_distribution().directory)
    except (FetchError, FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except WorkerLostError as error:
        print(f"error: Pyodide is there, but it does not start: {error.cause}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
