"""A Jupyter kernel behind a Jupyter server or Kernel Gateway: cells in, their printed text out.

Printed text does not come over the channel that Jupyter broadcasts output on: servers limit that channel's rate
(1 MB a second by default) and drop what is over it. A small module in the kernel runs the cell and keeps what its
thread prints; the text comes back as a user expression of the execute reply, which is neither limited nor dropped.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote.jupyter_server import JupyterServer, JupyterServerError, KernelSocket, SocketLostError

__all__ = ["CellFailedError", "JupyterKernel"]

CHECK_EVERY = 5.0
"""Seconds of silence after which the server is asked whether the kernel still lives."""
RECONNECTIONS = 3
PIECE = 500_000
"""Characters of source in one message. At worst 12 bytes each, which stays under the 10 MB that Tornado takes."""

HELPER = """
def _install():
    import sys, threading, traceback, types
    import __main__
    kept, pieces, thread, stream = [None], [], threading.get_ident(), sys.stdout
    send = stream.write
    def write(text):
        if kept[0] is None or threading.get_ident() != thread:
            return send(text)
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not " + type(text).__name__)
        kept[0].append(text)
        return len(text)
    class Outcome:
        def __init__(self, printed, error):
            self.bundle = {"text/plain": printed}
            if error is not None:
                self.bundle["application/json"] = error
        def _repr_mimebundle_(self, *args, **kwargs):
            return self.bundle
    def feed(piece):
        pieces.append(piece)
    def run(source=""):
        source = "".join(pieces) + source
        pieces.clear()
        kept[0], error = [], None
        try:
            exec(compile(source, "<cell>", "exec"), __main__.__dict__)
        except BaseException as e:
            error = [type(e).__name__, str(e), traceback.format_exc()]
        printed, kept[0] = "".join(kept[0]), None
        return Outcome(printed, error)
    stream.write = write
    module = types.ModuleType("_smolagents_cell")
    module.run, module.feed = run, feed
    sys.modules[module.__name__] = module
_install()
del _install
"""
CALL = "__import__('sys').modules['_smolagents_cell']"


class CellFailedError(Exception):
    """A cell raised.

    Args:
        name: Name of the exception's type.
        value: Its text.
        traceback: Its traceback, as the kernel gave it.
        printed: What the cell printed before.
    """

    def __init__(self, name: str, value: str, traceback: str, printed: str = "") -> None:
        super().__init__(f"{name}: {value}")
        self.name = name
        self.value = value
        self.traceback = traceback
        self.printed = printed


class JupyterKernel:
    """A kernel, started over a server's REST interface and driven over its websocket.

    `run_cell` is called by one thread at a time; `interrupt` and `close` by any thread at any time.

    Args:
        base_url: Where the server is, such as "http://127.0.0.1:8888".
        token: The server's token, if it wants one.
        headers: More headers for every request, such as those of a service in front of the server.
        kernel_name: Kernel specification to start; None for the server's default.
        ready_timeout: Seconds to wait for the server and then for the kernel.
        check: Called while the server is waited for; raises when waiting is pointless.
        cause_of_loss: Asked why, when the kernel or the server is gone: a clause such as "it was killed for using
            more than 512 MB of memory", or None when it knows nothing.
        extra: The extra of this library that installs the websocket client.
        dial: Makes the connections to the server, where its address cannot be reached by itself.

    Raises:
        JupyterServerError: the server cannot be reached, refuses the token or does not start a kernel.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        kernel_name: str | None = None,
        ready_timeout: float = 60.0,
        check: Callable[[], None] | None = None,
        cause_of_loss: Callable[[], str | None] | None = None,
        extra: str = "docker",
        dial: Callable[[], socket.socket] | None = None,
    ) -> None:
        self._cause_of_loss = cause_of_loss
        self._ready_timeout = ready_timeout
        self._session = uuid.uuid4().hex
        self._closed = False
        self._running = threading.Lock()
        self._channels: KernelSocket | None = None
        self.server = JupyterServer(base_url, token=token, headers=headers, extra=extra, dial=dial)
        self.server.wait_ready(ready_timeout, check)
        self.kernel_id = self.server.start_kernel(kernel_name, timeout=ready_timeout)
        try:
            self._set_up()
        except WorkerLostError as error:
            self.close()
            raise JupyterServerError(f"the kernel did not come up: {error.cause}") from error
        except BaseException:
            self.close()
            raise

    # -- running -------------------------------------------------------------------------------------------------

    def run_cell(self, source: str, timeout: float) -> str:
        """Run `source` in the kernel's `__main__` and return what its thread printed to standard output.

        The text may be of any size up to 64 MB; so may the source.

        Args:
            source: Plain Python (no magic).
            timeout: Seconds after which the kernel is taken for dead.

        Raises:
            CellFailedError: the cell raised; the kernel lives on.
            WorkerLostError: the kernel or the server is gone, or did not answer in time.
        """
        with self._running, self._told_as_loss():
            deadline = time.monotonic() + timeout
            while len(source) > PIECE:
                piece, source = source[:PIECE], source[PIECE:]
                self._evaluate(f"{CALL}.feed({piece!r})", deadline, timeout)
            result = self._evaluate(f"{CALL}.run({source!r})", deadline, timeout)
            data = result.get("data")
            printed = data.get("text/plain") if isinstance(data, dict) else None
            if not isinstance(data, dict) or not isinstance(printed, str):
                raise WorkerLostError("the kernel answered with something that is not a cell's result")
            error = data.get("application/json")
            if error is not None:
                raise _failed(error, printed)
            return printed

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the running cell. Best effort: nothing happens when the server is gone."""
        self._ask("interrupt", timeout=10.0)

    def restart(self) -> None:
        """Start the kernel anew under the same id. Its variables are gone.

        Raises:
            JupyterServerError: the server refused.
            WorkerLostError: the kernel did not come up.
        """
        with self._running:
            self._disconnect()
            self.server.kernel(self.kernel_id, "restart", timeout=self._ready_timeout)
            self._session = uuid.uuid4().hex
            self._set_up()

    def close(self, *, shut_down: bool = True) -> None:
        """Disconnect and shut the kernel down, whatever its state. Idempotent.

        Args:
            shut_down: False where the kernel's server is ended anyway, which spares a request.
        """
        if self._closed:
            return
        self._closed = True
        channels = self._channels
        if channels is not None:
            channels.abort()
            if self._running.acquire(timeout=5.0):  # whoever ran a cell is on the way out
                try:
                    self._disconnect()
                finally:
                    self._running.release()
        if self._running.acquire(blocking=False):  # else the thread that reads disconnects
            self._disconnect()
            self._running.release()
        if shut_down:
            self._ask(method="DELETE", timeout=10.0)

    # -- the conversation ----------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        """Connect and install the helper. Its reply also shows that the kernel is up.

        It is installed by an expression, as IPython puts the streams' `write` back when a cell ends.
        """
        timeout = self._ready_timeout
        try:
            self._evaluate(f"exec({HELPER!r}, {{}})", time.monotonic() + timeout, timeout)
        except CellFailedError as error:
            raise JupyterServerError(
                f"the kernel cannot be used, it must run Python with ipykernel: {error}"
            ) from error

    def _evaluate(self, expression: str, deadline: float, timeout: float) -> dict[str, Any]:
        reply = self._execute("", {"cell": expression}, deadline, timeout)
        if reply.get("status") != "ok":
            # Only an interruption between the expression and the reply ends here.
            raise _failed([reply.get("ename"), reply.get("evalue"), reply.get("traceback")], "")
        expressions = reply.get("user_expressions")
        result = expressions.get("cell") if isinstance(expressions, dict) else None
        if not isinstance(result, dict):
            raise WorkerLostError("the kernel did not answer with the result that was asked for")
        if result.get("status") != "ok":
            raise _failed([result.get("ename"), result.get("evalue"), result.get("traceback")], "")
        return result

    def _execute(self, code: str, expressions: dict[str, str], deadline: float, timeout: float) -> dict[str, Any]:
        """Send one execute request and wait for its reply."""
        request = self._request(code, expressions)
        self._send(request, deadline)
        reconnections = 0
        heard = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= deadline:
                raise WorkerLostError(f"the kernel did not answer within {timeout:g} seconds")
            try:
                channels = self._connected(deadline)
                message = channels.receive(min(CHECK_EVERY, deadline - now))
                if message is not None and message["header"].get("msg_type") == "status":
                    channels.acknowledge()
            except SocketLostError as error:
                if reconnections == RECONNECTIONS:
                    raise self._lost(str(error)) from None
                # The server keeps the messages for this session until it comes back.
                reconnections += 1
                self._reconnect(str(error), deadline)
                continue
            if message is None:
                self._check_alive(heard)
                continue
            heard = time.monotonic()
            self._check_state(message)
            if message["parent_header"].get("msg_id") == request["header"]["msg_id"] and (
                message["header"].get("msg_type") == "execute_reply"
            ):
                content: dict[str, Any] = message["content"]
                return content

    def _request(self, code: str, expressions: dict[str, str]) -> dict[str, Any]:
        return {
            "channel": "shell",
            "header": {
                "msg_id": uuid.uuid4().hex,
                "msg_type": "execute_request",
                "session": self._session,
                "username": "",
                "version": "5.3",
                "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            },
            "parent_header": {},
            "metadata": {},
            "content": {
                "code": code,
                "silent": True,  # else the source is broadcast back
                "store_history": False,
                "user_expressions": expressions,
                "allow_stdin": False,
                "stop_on_error": False,
            },
            "buffers": [],
        }

    def _send(self, request: dict[str, Any], deadline: float) -> None:
        """Send on a connection that was seen to be open: it may have been cut since the last cell."""
        try:
            channels = self._connected(deadline)
            while time.monotonic() < deadline and (message := channels.receive(0.0005)) is not None:
                self._check_state(message)
        except SocketLostError as error:
            self._reconnect(str(error), deadline)
        try:
            self._connected(deadline).send(request, max(1.0, deadline - time.monotonic()))
        except SocketLostError as error:
            raise self._lost(str(error)) from None

    def _check_state(self, message: dict[str, Any]) -> None:
        """A server says on its own that a kernel died, and which it starts anew: empty, so of no use here."""
        state = message["content"].get("execution_state") if message["header"].get("msg_type") == "status" else None
        if state in ("restarting", "autorestarting", "dead"):
            raise self._lost("the kernel died")

    def _check_alive(self, heard: float) -> None:
        """After some silence: is the kernel still there? A connection can be dead without having been closed."""
        try:
            state = self.server.kernel(self.kernel_id, method="GET", timeout=10.0)
        except JupyterServerError as error:
            if error.status == 404:
                raise self._lost("the kernel died") from None
            if error.status is None and time.monotonic() - heard > 4 * CHECK_EVERY:
                raise self._lost(f"its server does not answer: {error}") from None
            return
        if isinstance(state, dict) and state.get("execution_state") == "dead":
            raise self._lost("the kernel died")

    # -- the connection ------------------------------------------------------------------------------------------

    def _connected(self, deadline: float) -> KernelSocket:
        if self._closed:
            raise WorkerLostError("it was closed")
        if self._channels is None:
            self._channels = self.server.open_socket(
                self.kernel_id, self._session, timeout=max(1.0, min(30.0, deadline - time.monotonic()))
            )
            if self._closed:  # by another thread, which found nothing to abort
                self._disconnect()
                raise WorkerLostError("it was closed")
        return self._channels

    def _reconnect(self, why: str, deadline: float) -> None:
        self._disconnect()
        try:
            self.server.kernel(self.kernel_id, method="GET", timeout=10.0)
            self._connected(deadline)
        except JupyterServerError as error:
            raise self._lost("the kernel died" if error.status == 404 else f"{why}, and {error}") from None

    def _disconnect(self) -> None:
        if self._channels is not None:
            self._channels.close()
            self._channels = None

    @contextlib.contextmanager
    def _told_as_loss(self) -> Iterator[None]:
        try:
            yield
        except JupyterServerError as error:
            raise self._lost(str(error)) from error

    def _lost(self, cause: str) -> WorkerLostError:
        if self._closed:
            return WorkerLostError("it was closed")
        known = self._cause_of_loss() if self._cause_of_loss is not None else None
        return WorkerLostError(known or cause)

    def _ask(self, action: str = "", *, method: str = "POST", timeout: float) -> None:
        # Where the kernel or its server is gone, that is what was wanted, or the next cell will tell.
        with contextlib.suppress(JupyterServerError):
            self.server.kernel(self.kernel_id, action, method=method, timeout=timeout)


def _failed(error: Any, printed: str) -> CellFailedError:
    parts = list(error) if isinstance(error, (list, tuple)) else []
    name, value, traceback = (parts + [None] * 3)[:3]
    if isinstance(traceback, list):
        traceback = "\n".join(str(line) for line in traceback)
    return CellFailedError(str(name or "Error"), str(value or ""), str(traceback or ""), printed)
