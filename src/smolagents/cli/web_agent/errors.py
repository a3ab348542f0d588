"""What goes wrong with a browser."""

from __future__ import annotations

__all__ = ["BrowserError"]


class BrowserError(Exception):
    """The browser cannot do what was asked; the text says why and what to do."""
