"""A worker: a process that a fork server made, on its way to confinement, and then at the model's code."""

from __future__ import annotations

import gc
import json
import mmap
import os
import signal
import sys
from typing import Any

from smolagents.executors.sandbox.confine import ConfinementError, Policy, close_descriptors, confine
from smolagents.executors.sandbox.frames import read_frame, write_frame
from smolagents.executors.worker.runtime import Worker

__all__ = ["Job", "work"]

MEMORY_STATUS = 117
"""Exit status of a worker that had no memory to receive or send a message."""
CONNECTION_STATUS = 118
"""Exit status of a worker whose pipes the code has closed."""

_RESERVE = 4 * 2**20
_ROOM_FOR_FRAMES = 70_000
"""Words of 8 bytes: half of a piece of 1 MB, and some."""
_PLACE = 4096
"""The pipes to the host get the last numbers below this, where code that closes or replaces descriptors seldom looks."""


class Job:
    """What a worker is to do.

    Args:
        requests: Descriptor that the host's messages are read from.
        replies: Descriptor that messages to the host are written to.
        settings: `policy` and `work_dir`; `path`, where to look for modules besides.
        parent: Process id of the fork server.
    """

    def __init__(self, requests: int, replies: int, settings: dict[str, Any], parent: int) -> None:
        self.requests = requests
        self.replies = replies
        self.settings = settings
        self.parent = parent


def work(job: Job) -> None:
    """Become a worker. Ends with the process."""
    requests, replies = _keep_only(job.requests, job.replies)
    try:
        _prepare(job.settings)
        applied = confine(Policy(**job.settings["policy"], work_dir=job.settings["work_dir"]))
        if os.getppid() != job.parent:  # it ended before this process was tied to it
            os._exit(1)
    except ConfinementError as error:
        write_frame(replies, json.dumps({"problem": str(error), "protection": error.protection}))
        os._exit(1)
    except BaseException as error:
        write_frame(replies, json.dumps({"problem": f"{type(error).__name__}: {error}", "protection": ""}))
        os._exit(1)
    write_frame(replies, json.dumps({"applied": applied}))
    del job
    _converse(requests, replies)
    os._exit(0)


def _keep_only(requests: int, replies: int) -> tuple[int, int]:
    """Close all descriptors but standard input, output and error, and the two, which move. Returns where to."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    place = min(limit if limit > 0 else _PLACE, _PLACE) - 2
    place = max(place, requests + 1, replies + 1)  # where a fork server has very many sessions
    os.dup2(requests, place, inheritable=False)
    os.dup2(replies, place + 1, inheritable=False)
    close_descriptors((0, 1, 2, place, place + 1))
    return place, place + 1


def _prepare(settings: dict[str, Any]) -> None:
    work_dir = settings["work_dir"]
    os.umask(0o022)
    os.chdir(work_dir)
    os.environ["HOME"] = os.environ["TMPDIR"] = os.environ["MPLCONFIGDIR"] = work_dir
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    sys.dont_write_bytecode = True
    gc.enable()
    loaded = sys.modules
    sys.path.extend(path for path in settings["path"] if path not in sys.path)
    if "tempfile" in loaded:
        loaded["tempfile"].tempdir = None  # type: ignore[attr-defined]
    if "numpy.random" in loaded:
        loaded["numpy.random"].seed()  # else all workers would draw the same numbers


def _converse(requests: int, replies: int) -> None:
    """Answer the host's messages until there are no more."""

    def exchange(message: str) -> str:
        try:
            write_frame(replies, message)
            answer = read_frame(requests)
        except OSError:
            os._exit(CONNECTION_STATUS)
        if answer is None:
            os._exit(0)
        return answer

    worker = Worker(exchange)

    signal.signal(signal.SIGINT, lambda number, frame: worker.interrupt())  # noqa: ARG005
    reserve = _Reserve()
    worker.out_of_memory = reserve.release
    handle = worker.handle
    try:
        while True:
            reserve.take()
            request = read_frame(requests)
            if request is None:
                return
            try:
                reply = handle(request)
            except MemoryError as error:  # the variables of the code leave no room for the reply
                reserve.release()
                reply = _failure(error)
            except BaseException as error:  # the code has broken something that the worker needs
                reply = _failure(error)
            write_frame(replies, reply)
    except MemoryError:
        os._exit(MEMORY_STATUS)
    except OSError:
        os._exit(CONNECTION_STATUS)


# CPython takes the frames of functions from pieces of 16 KB, and maps a new one each time that a call crosses the end of
# one, which makes recursion slow where it happens to do so. After a frame that is large, the piece is large as well.
_converse.__code__ = _converse.__code__.replace(co_stacksize=_ROOM_FOR_FRAMES)


class _Reserve:
    """Memory to give back when there is none left: to tell of it, and for the code that then frees some."""

    def __init__(self) -> None:
        self._memory: mmap.mmap | None = None

    def take(self) -> None:
        """Have the reserve again, if there is as much left besides."""
        if self._memory is None:
            try:
                _allocate(2 * _RESERVE).close()
                self._memory = _allocate(_RESERVE)
            except (OSError, MemoryError):
                pass  # not yet

    def release(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory = None


def _allocate(size: int) -> mmap.mmap:
    return mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _failure(error: BaseException) -> str:
    kind = type(error).__name__
    try:
        message = str(error)
    except BaseException:
        message = ""
    text = f"{kind}: {message}" if message else kind
    reply = {"op": "failed", "kind": "InterpreterError", "type": kind, "message": message, "text": text}
    if isinstance(error, KeyboardInterrupt):
        reply["kind"] = "interrupted"
    return json.dumps(reply)
