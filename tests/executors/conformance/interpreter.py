"""An executor as others write them: it only overrides `run_code_raise_errors`, for a Python in another process."""

from __future__ import annotations

import json
import subprocess
import sys

from smolagents.executors.errors import WorkerLostError
from smolagents.local_python_executor import CodeOutput
from smolagents.remote_executors import RemotePythonExecutor

_LOOP = """
import contextlib, io, json, sys, traceback
spoken = sys.stdout
for line in sys.stdin:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(json.loads(line), sys.modules["__main__"].__dict__)
        except BaseException:
            print(traceback.format_exc())
    print(json.dumps(printed.getvalue()), file=spoken, flush=True)
"""


class InterpreterExecutor(RemotePythonExecutor):
    def __init__(self, additional_imports, logger=None, **kwargs):
        super().__init__(additional_imports, logger, **kwargs)
        self.process = None

    def run_code_raise_errors(self, code: str) -> CodeOutput:
        if self.process is None or self.process.poll() is not None:
            if self.process is not None:
                status = self.process.returncode
                self.close()
                raise WorkerLostError(f"the interpreter ended with status {status}")
            self.process = subprocess.Popen(
                [sys.executable, "-c", _LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        try:
            self.process.stdin.write(json.dumps(code) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except (OSError, ValueError):
            line = ""
        if not line:
            status = self.process.wait()
            self.close()
            raise WorkerLostError(f"the interpreter ended with status {status}")
        return CodeOutput(output=None, logs=json.loads(line), is_final_answer=False)

    def session(self):
        return type(self)(self.additional_imports, self.logger, timeout_seconds=self.timeout_seconds)

    def close(self):
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.stdin.close()
            process.stdout.close()
            process.wait()

    def cleanup(self):
        super().cleanup()
        self.close()
