"""Top-level `await`."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = ["run_to_end"]


def run_to_end(loop: AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run `coroutine` in `loop`, then end what it left behind and close the loop."""
    import asyncio

    running = loop.create_task(coroutine)
    try:
        loop.run_until_complete(running)
    finally:
        try:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
