"""The seam between a session and what carries its messages."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["MAX_MESSAGE_BYTES", "Connection"]

MAX_MESSAGE_BYTES = 64 * 2**20
"""Size of a message of the far side above which the session is ended."""


class Connection(ABC):
    """One worker, reached by messages.

    A thread sends and receives; others may call `interrupt` and `close` meanwhile. `send` and `receive` raise
    `WorkerLostError` when the worker is gone, or has said something that no worker says; only `close` is called then.
    """

    @abstractmethod
    def send(self, message: str) -> None:
        """Give the worker a message, ASCII text. Does not wait for what comes of it."""

    @abstractmethod
    def receive(self, timeout: float | None) -> str | None:
        """The worker's next message; None when `timeout` seconds passed without one."""

    def interrupt(self) -> None:
        """Make the running code stop with KeyboardInterrupt and keep its variables. Does nothing by default."""

    @abstractmethod
    def close(self) -> None:
        """End the worker, whatever it does, and free all that it holds. Called more than once."""
