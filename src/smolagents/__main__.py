"""The `smolagent` command, also as `python -m smolagents`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command. Returns the exit code."""
    try:
        # Within the block: what is imported takes longer than to press Ctrl-C.
        from smolagents.cli.main import main as command

        return command()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
