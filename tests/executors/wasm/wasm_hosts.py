"""A host program for tests that end it: says the id of its process of Deno, then does as it is told."""

import sys

from smolagents.executors.wasm import WasmExecutor

if __name__ == "__main__":
    executor = WasmExecutor([], timeout=None)
    executor("1")
    print(executor._session.connection._process.pid, flush=True)
    if sys.argv[1] == "busy":
        executor("while True: pass")
    elif sys.argv[1] == "stubborn":
        executor("while True:\n    try:\n        while True: pass\n    except BaseException: pass")
    elif sys.argv[1] == "idle":
        sys.stdin.read()
    elif sys.argv[1] == "leave":
        pass  # without cleaning up
