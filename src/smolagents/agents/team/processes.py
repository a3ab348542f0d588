"""Agents as processes of this machine."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import Any

from smolagents.messaging.message import AgentId

__all__ = ["ProcessEngine"]

_LISTEN_SECONDS = 2.0
"""How long the rest of what an ended process told is waited for: its own children may keep the pipe open."""


class ProcessEngine:
    """Starts each agent as a process of its own, which ends when this process ends, in whatever way."""

    def prepare(self, url: str) -> None:
        scheme = url.partition(":")[0]
        if scheme in ("memory", "manager"):
            raise ValueError(
                f"{scheme}:// mailboxes do not reach the processes of a team: leave mailboxes out, or give "
                "'sqlite:///team.db', 'redis://host' or 'nats://host'"
            )

    def open(self) -> None:
        pass

    def launch(self, _agent_id: AgentId, settings: Mapping[str, Any], heard: Callable[[str], None]) -> _Process:
        return _Process(settings, heard)

    def close(self) -> None:
        pass


class _Process:
    def __init__(self, settings: Mapping[str, Any], heard: Callable[[str], None]) -> None:
        self._errors = tempfile.TemporaryFile(mode="w+b")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "smolagents.agents.team.member"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(settings) + "\n")
            self._process.stdin.flush()  # kept open: its end tells the process that the team is gone
        self._listener = threading.Thread(target=self._listen, args=(heard,), name="smolagents-listen", daemon=True)
        self._listener.start()

    def _listen(self, heard: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stdout:
                heard(line)

    def status(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def wait(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def close(self) -> str:
        status = self._process.wait()
        self._listener.join(_LISTEN_SECONDS)
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()
        with self._errors as errors:
            errors.seek(0, 2)
            errors.seek(max(errors.tell() - 4000, 0))
            lines = errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"signal {-status}" if status < 0 else f"exit status {status}"
