"""The llama.cpp engine in this process: loaded once for equal settings, closed to the network, stopped at any token."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar

from smolagents._imports import require
from smolagents.types.errors import AgentGenerationError

__all__ = ["EngineSettings", "LlamaEngine", "binding", "default_threads"]


def binding() -> Any:
    """The `xllamacpp` module.

    Raises:
        MissingExtraError: it is not installed.
    """
    # OpenMP's threads wait for each other hundreds of times for each token, and by default they spin for milliseconds.
    # Where another program wants the processor too, that keeps it from the thread that is waited for. A short spin
    # loses nothing. Measured with the catalogue's small model and 2 threads on 2 cores, in tokens a second, idle and
    # beside two busy programs: 52 and 3 by default, 51 and 9 with this, 32 and 15 without any spin.
    # The variable is read once, when the library is loaded.
    name = "GOMP_SPINCOUNT"
    if name in os.environ or "OMP_WAIT_POLICY" in os.environ or "xllamacpp" in sys.modules:
        return require("xllamacpp", extra="llama-cpp", needed_for="LlamaCppModel")
    os.environ[name] = "1000"
    try:
        return require("xllamacpp", extra="llama-cpp", needed_for="LlamaCppModel")
    finally:
        os.environ.pop(name, None)


@dataclass(frozen=True)
class EngineSettings:
    """What an engine is loaded with. Models with equal settings share one."""

    path: str
    n_ctx: int
    n_threads: int
    n_parallel: int
    n_gpu_layers: int
    no_extra_bufts: bool
    mmproj: str | None
    chat_template: str | None
    verbose: bool
    options: tuple[tuple[str, Any], ...]
    """Further attributes of the binding's `CommonParams`."""


class LlamaEngine:
    """A loaded model. Get one with `LlamaEngine.shared`, and `release` it when done."""

    _loaded: ClassVar[dict[EngineSettings, LlamaEngine]] = {}
    _lock = threading.Lock()

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self._users = 0
        self._server: Any = _load(settings)

    @classmethod
    def shared(cls, settings: EngineSettings) -> LlamaEngine:
        """The engine for these settings, loaded if need be.

        Raises:
            MissingExtraError: the binding is not installed.
            AgentGenerationError: the file cannot be loaded.
            ValueError: an option is unknown.
        """
        with cls._lock:
            engine = cls._loaded.get(settings)
            if engine is None:
                engine = cls._loaded[settings] = cls(settings)
            engine._users += 1
            return engine

    def release(self) -> None:
        """Give the engine back. It leaves memory when its last user has done so."""
        with LlamaEngine._lock:
            self._users -= 1
            if self._users <= 0:
                LlamaEngine._loaded.pop(self.settings, None)
                self._server = None

    def chat(self, body: dict[str, Any]) -> Generator[dict[str, Any], None, None]:
        """Run one chat completion, and yield its chunks in the form of OpenAI's streaming API.

        The engine works in a thread, so the wait for it can be interrupted. Closing the iterator stops the engine at
        its next token.

        Raises:
            AgentGenerationError: the engine refused the request or failed.
        """
        server = self._server
        if server is None:
            raise AgentGenerationError("this model was closed; make a new one")
        work = _Work(server, {**body, "stream": True})
        try:
            yield from work.chunks()
        finally:
            work.stop()


_DONE = object()


class _Work:
    """One request on its way through the engine."""

    _active: ClassVar[weakref.WeakSet[_Work]] = weakref.WeakSet()

    def __init__(self, server: Any, body: dict[str, Any]) -> None:
        self._chunks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(server, body), name="llama.cpp", daemon=True)
        _Work._active.add(self)
        self.thread.start()

    def _run(self, server: Any, body: dict[str, Any]) -> None:
        def take(chunk: Any) -> bool:
            self._chunks.put(chunk)
            return self._stopped.is_set()

        try:
            answer = server.handle_chat_completions(body, take)
            if answer is not None:
                self._chunks.put(answer)
        except Exception as error:
            self._chunks.put(error)
        self._chunks.put(_DONE)

    def stop(self) -> None:
        self._stopped.set()

    def chunks(self) -> Generator[dict[str, Any], None, None]:
        while True:
            try:
                # With a timeout, as a wait without one cannot be interrupted from the keyboard on Windows.
                item = self._chunks.get(timeout=0.5)
            except queue.Empty:
                continue
            if item is _DONE:
                return
            if isinstance(item, Exception):
                raise AgentGenerationError(f"llama.cpp refused the request: {item}") from item
            for chunk in item if isinstance(item, list) else (item,):
                if "error" in chunk:
                    raise _error_of(chunk["error"])
                yield chunk


@atexit.register
def _stop_all() -> None:
    # A thread that comes back from the engine after the interpreter is gone would bring the process down.
    active = list(_Work._active)
    for work in active:
        work.stop()
    with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C while the first is being obeyed
        for work in active:
            work.thread.join(timeout=5)


def _error_of(error: Any) -> AgentGenerationError:
    if isinstance(error, dict):
        if error.get("type") == "exceed_context_size_error":
            return AgentGenerationError(
                f"the conversation has {error.get('n_prompt_tokens')} tokens and the model's context holds "
                f"{error.get('n_ctx')}; give LlamaCppModel a larger n_ctx, or shorten the conversation"
            )
        return AgentGenerationError(f"llama.cpp refused the request: {error.get('message', error)}")
    return AgentGenerationError(f"llama.cpp refused the request: {error}")


def _load(settings: EngineSettings) -> Any:
    xllamacpp = binding()
    _check_file(settings.path)
    params = xllamacpp.CommonParams()
    params.model.path = settings.path
    if settings.mmproj is not None:
        _check_file(settings.mmproj)
        params.mmproj.path = settings.mmproj
    params.n_ctx = settings.n_ctx
    params.n_parallel = settings.n_parallel
    params.n_gpu_layers = settings.n_gpu_layers
    params.no_extra_bufts = settings.no_extra_bufts
    # Waiting by spinning costs more than it gains as soon as something else runs on the machine.
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    params.cpuparams.n_threads = settings.n_threads
    params.cpuparams_batch.n_threads = settings.n_threads
    params.cache_ram_mib = 512
    params.warmup = False
    params.verbosity = 3 if settings.verbose else -1
    if settings.chat_template is not None:
        params.chat_template = settings.chat_template
    for name, value in settings.options:
        if not hasattr(params, name):
            raise ValueError(f"llama.cpp has no option {name!r}; see the attributes of xllamacpp.CommonParams")
        setattr(params, name, value)
    # The binding always opens its HTTP server. It gets a socket file in a directory of our own that is removed at
    # once, so nobody can connect; where there are no such sockets, a loopback port that wants a random key.
    params.api_keys = [os.urandom(32).hex()]
    directory: str | None = None
    if sys.platform != "win32":
        directory = tempfile.mkdtemp(prefix="sa-", dir="/tmp" if os.path.isdir("/tmp") else None)
        params.hostnames = [os.path.join(directory, "s.sock")]
    params.endpoint_metrics = True
    try:
        return _start(xllamacpp, params)
    except RuntimeError as error:
        raise AgentGenerationError(
            f"llama.cpp could not load {settings.path}: {error} "
            "Perhaps the file is damaged, its architecture is newer than the installed xllamacpp, or there is too "
            "little memory for it with this n_ctx; with verbose=True the engine says more."
        ) from error
    finally:
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)


def _start(xllamacpp: Any, params: Any) -> Any:
    """Start the engine, in a thread, so that the wait for it can be interrupted without leaving it half made."""
    started: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def start() -> None:
        try:
            server = xllamacpp.Server(params)
            # Freed before its loop has begun to run, the binding waits for that loop for ever. An answer shows that it
            # runs.
            server.handle_metrics()
            started.put(server)
        except Exception as error:
            started.put(error)

    # The interpreter waits for this thread before it ends: see `_stop_all`.
    threading.Thread(target=start, name="llama.cpp loading", daemon=False).start()
    while True:
        with contextlib.suppress(queue.Empty):
            # With a timeout, as a wait without one cannot be interrupted from the keyboard on Windows.
            result = started.get(timeout=0.5)
            if isinstance(result, Exception):
                raise result
            return result


def _check_file(path: str) -> None:
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise AgentGenerationError(f"the model file {path} cannot be read: {error.strerror or error}") from error
    if magic != b"GGUF":
        raise AgentGenerationError(f"{path} is no GGUF file: it begins with {magic!r}, not b'GGUF'")


def default_threads() -> int:
    """Threads to compute with: the processors this process may use, half of them when there are more than four.

    Generation is bound by memory, and two threads of one core gain nothing; one that waits for its turn slows all.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        count = os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        if quota != "max":
            count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return count if count <= 4 else count // 2
