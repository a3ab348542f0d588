"""The person at the terminal."""

from __future__ import annotations

import sys

__all__ = ["confirm", "on_terminal"]


def on_terminal() -> bool:
    """Whether somebody can be asked, and sees the question."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout is not None and sys.stdout.isatty()


def confirm(question: str, default: bool = True) -> bool:
    """Ask a question with yes or no, one of which is the default."""
    from smolagents.monitoring import pause_live

    with pause_live():
        print(question, "[Y/n]" if default else "[y/N]", end=" ", flush=True)
        try:
            said = input().strip().lower()
            return said in ("y", "yes") or (default and not said)
        except EOFError:
            print()
            return False
