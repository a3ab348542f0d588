"""The executors that the conformance suite runs on.

A back-end registers itself here with how to make it, what it lacks, and why it may be unavailable.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from smolagents.executors.base import PythonExecutor


@dataclass(kw_only=True)
class Backend:
    name: str
    make: Callable[..., PythonExecutor]
    """`make(imports=[...], timeout_seconds=...)`: a new executor, which the caller cleans up."""
    unavailable: Callable[[], str | None] = lambda: None
    """Why it cannot run here; None if it can."""
    lacks: dict[str, str] = field(default_factory=dict)
    """Capabilities it does not have, and why. The tests of a capability name it with `needs`."""
    shared: bool = True
    """Whether one session may serve the tests that do no harm to it: a fresh one takes long."""


def _local(imports=(), timeout_seconds=30.0):
    from smolagents import LocalPythonExecutor

    return LocalPythonExecutor(list(imports), timeout_seconds=timeout_seconds)


def _cells(imports=(), timeout_seconds=30.0):
    from .interpreter import InterpreterExecutor

    return InterpreterExecutor(list(imports), timeout_seconds=timeout_seconds)


def _sandbox(imports=(), timeout_seconds=30.0):
    from smolagents import SandboxExecutor

    return SandboxExecutor(list(imports), timeout_seconds=timeout_seconds)


def _no_sandbox():
    from smolagents.executors.sandbox.confine import probe

    return "; ".join(gap.why for gap in probe().missing) or None


def _modal(imports=(), timeout_seconds=30.0):
    from support import modal_backend

    return modal_backend.make(imports, timeout_seconds)


def _no_modal():
    from support import modal_backend

    return modal_backend.unavailable()


def _wasm(imports=(), timeout_seconds=30.0):
    from smolagents.executors.wasm import WasmExecutor
    from support import wasm_installation

    return WasmExecutor(list(imports), timeout=timeout_seconds, pyodide_dir=wasm_installation.PYODIDE_DIR)


def _no_wasm():
    from support import wasm_installation

    return wasm_installation.missing()


def _wasm_lacks():
    from support import wasm_installation

    policy = "whatever is in the interpreter may be imported: it reaches nothing"
    return {"import_policy": policy, **wasm_installation.lacks()}


def _monty(imports=(), timeout_seconds=30.0):
    from smolagents.executors.monty import MontyExecutor

    return MontyExecutor(list(imports), timeout_seconds=timeout_seconds)


def _no_monty():
    return None if importlib.util.find_spec("pydantic_monty") else "pydantic-monty is not installed"


def _docker(imports=(), timeout_seconds=30.0):
    from support import docker_backend

    return docker_backend.make(imports, timeout_seconds)


def _no_docker():
    from support import docker_backend

    return docker_backend.unavailable()


def _e2b(imports=(), timeout_seconds=30.0):
    from support import e2b_service

    return e2b_service.make(imports, timeout_seconds)


def _no_e2b():
    from support import e2b_service

    return e2b_service.unavailable()


def _blaxel(imports=(), timeout_seconds=30.0):
    from support import blaxel_service

    return blaxel_service.make(imports, timeout_seconds)


def _no_blaxel():
    from support import blaxel_service

    return blaxel_service.unavailable()


BACKENDS: dict[str, Backend] = {}


def register(backend: Backend) -> None:
    BACKENDS[backend.name] = backend


register(
    Backend(
        name="local",
        make=_local,
        shared=False,
        lacks={
            "boundary": "it runs in this process: nothing is to be killed, and values need not cross",
            "open_language": "the guard withholds what reaches out of the code",
        },
    )
)
register(
    Backend(name="blaxel", make=_blaxel, unavailable=_no_blaxel, lacks={"import_policy": "any package may be there"})
)
register(Backend(name="e2b", make=_e2b, unavailable=_no_e2b, lacks={"import_policy": "any package may be there"}))
register(
    Backend(name="docker", make=_docker, unavailable=_no_docker, lacks={"import_policy": "any package may be there"})
)
register(
    Backend(name="modal", make=_modal, unavailable=_no_modal, lacks={"import_policy": "any package may be there"})
)
register(
    Backend(
        name="monty",
        make=_monty,
        unavailable=_no_monty,
        lacks={
            "exit": "code has no way to end the process, and the session survives the process",
            "generators": "its language has none",
            "numpy": "it has no packages: arrays and frames stay outside, and the code holds handles",
            "pillow": "it has no packages: images stay outside, and the code holds handles",
        },
    )
)
register(Backend(name="sandbox", make=_sandbox, unavailable=_no_sandbox))
register(
    Backend(
        name="source-only",  # what others write: a subclass that can run source and give back what it printed
        make=_cells,
        lacks={"import_policy": "what may be imported is up to the other side"},
    )
)
register(Backend(name="wasm", make=_wasm, unavailable=_no_wasm, lacks=_wasm_lacks()))


def unavailable(backend: Backend) -> str | None:
    reason = backend.unavailable()
    if reason and os.environ.get("CI"):
        raise RuntimeError(f"{backend.name} cannot run, and CI must run it: {reason}")
    return reason
