"""The person at the terminal."""

from __future__ import annotations

import sys

__all__ = ["confirm", "on_terminal"]


def on_terminal() -> bool:
    """Whether somebody can be asked, and sees the question."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout is not None and sys.stdout.isatty()


def confirm(question: str) -> bool:
    """Ask a question with yes, the default, or no."""
    from smolagents.monitoring import pause_live

    with pause_live():
        print(question, "[Y/n]", end=" ", flush=True)
        try:
            return input().strip().lower() in ("", "y", "yes")
        except EOFError:
            print()
            return False
