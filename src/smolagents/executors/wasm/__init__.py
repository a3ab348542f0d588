"""Python in WebAssembly.

executor.py      WasmExecutor
connection.py    a process with an interpreter, as the connection of a session
process.py       Deno: where it is, what it is permitted, its memory
pipes.py         frames over the process's standard streams
main.mjs         the process's main thread: interrupts, and ends with the host
worker.mjs       its second thread, which runs Python
interpreter.py   what runs in that interpreter beside the worker
distribution.py  Pyodide: where it is, and fetching it
snapshot.py      the memory that interpreters start from
packages.py      packages to install
"""

from smolagents.executors.wasm.executor import WasmExecutor

__all__ = ["WasmExecutor"]
