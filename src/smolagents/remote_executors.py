"""The documented path of the executors that run code elsewhere: re-exports only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports

if TYPE_CHECKING:
    from smolagents.executors.base import CodeOutput, PythonExecutor
    from smolagents.executors.remote.base import RemotePythonExecutor
    from smolagents.executors.remote.blaxel import BlaxelExecutor
    from smolagents.executors.remote.docker import DockerExecutor
    from smolagents.executors.remote.e2b import E2BExecutor
    from smolagents.executors.remote.modal import ModalExecutor
    from smolagents.executors.wasm import WasmExecutor

__all__ = [
    "BlaxelExecutor",
    "CodeOutput",
    "DockerExecutor",
    "E2BExecutor",
    "ModalExecutor",
    "PythonExecutor",
    "RemotePythonExecutor",
    "WasmExecutor",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "BlaxelExecutor": "smolagents.executors.remote.blaxel",
        "CodeOutput": "smolagents.executors.base",
        "DockerExecutor": "smolagents.executors.remote.docker",
        "E2BExecutor": "smolagents.executors.remote.e2b",
        "ModalExecutor": "smolagents.executors.remote.modal",
        "PythonExecutor": "smolagents.executors.base",
        "RemotePythonExecutor": "smolagents.executors.remote.base",
        "WasmExecutor": "smolagents.executors.wasm",
    },
)
