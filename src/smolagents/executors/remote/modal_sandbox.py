"""A sandbox of Modal with a Jupyter Kernel Gateway in it, behind an encrypted tunnel."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from smolagents._imports import require

__all__ = ["DEFAULTS", "ModalSandbox"]

DEFAULTS: Mapping[str, Any] = {"timeout": 24 * 3600, "idle_timeout": 1800}
"""Arguments of `modal.Sandbox.create`, in seconds. 24 h is the longest life that Modal allows. A sandbox is idle while
no connection through its tunnel is open, so one whose host was killed ends by itself; see
https://modal.com/docs/guide/sandbox#idle-timeouts."""

PYTHON_VERSION = "3.12"
"""Python of the default image. A fixed one, so that the image is the same for every host and is built once."""
GATEWAY = ("jupyter_kernel_gateway>=3.0", "ipykernel>=6.29")

START_TIMEOUT = 25 * 60.0
"""Seconds to wait for the sandbox: an image may have to be built, and Modal itself waits 21 min for capacity."""
CALL_TIMEOUT = 60.0
"""Seconds that other calls may take on the way to a running sandbox, ..."""
LATER_TIMEOUT = 15.0
"""... and when asking about one, or ending it."""
POLL_EVERY = 1.0
OUTPUT_SHOWN = 2000


class ModalSandbox:
    """A running sandbox.

    Args:
        app_name: App that the sandbox belongs to; it is made if there is none of this name.
        port: Port in the sandbox on which the gateway listens.
        create_kwargs: Arguments of `modal.Sandbox.create` that win over the defaults; `app`, `client`, `secrets` and
            the lists of ports are taken into account.
        packages: What is installed in a layer on top of the image. Modal keeps the layer for later sandboxes.

    Raises:
        RuntimeError: Modal is not set up, cannot be reached, or does not start the sandbox; the text says which.
        ValueError: the arguments are not such as a sandbox can be made with.
    """

    def __init__(
        self, app_name: str, port: int, create_kwargs: Mapping[str, Any], packages: Sequence[str] = ()
    ) -> None:
        self._modal = require("modal", extra="modal", needed_for="ModalExecutor")
        require("websocket", extra="modal", needed_for="ModalExecutor")
        self.port = port
        self.token = secrets.token_urlsafe(32)
        self.arguments = {**DEFAULTS, **create_kwargs}
        self._polled = 0.0
        self._terminated = False
        self._check_arguments()
        try:
            arguments = self._complete(app_name, packages)
            create = partial(self._modal.Sandbox.create.aio, *self._command(), **arguments)
            self.instance = _wait(create, START_TIMEOUT)
        except Exception as error:
            raise self._start_error(error) from error
        self.sandbox_id: str = self.instance.object_id
        try:
            self.url: str = _wait(self.instance.tunnels.aio)[port].url
        except Exception as error:
            raise self.failed(f"Modal gave no tunnel to the sandbox: {_text(error)}") from error
        except BaseException:
            self.terminate()
            raise

    # -- starting ------------------------------------------------------------------------------------------------

    def _check_arguments(self) -> None:
        for name in ("unencrypted_ports", "h2_ports"):
            if self.port in (self.arguments.get(name) or ()):
                raise ValueError(
                    f"port {self.port} is in create_kwargs[{name!r}], but the executor reaches it through a tunnel "
                    "with TLS and HTTP/1; leave it out, or give the executor another `port`"
                )
        if self.arguments.get("block_network"):
            raise ValueError(
                "create_kwargs['block_network'] closes the tunnel to the sandbox too; to let the code reach nothing, "
                "pass create_kwargs={'outbound_cidr_allowlist': []}"
            )

    def _complete(self, app_name: str, packages: Sequence[str]) -> dict[str, Any]:
        """The arguments of `Sandbox.create`. Looks up the app, which is the first call over the network."""
        modal, arguments = self._modal, dict(self.arguments)
        environment_name = arguments.pop("environment_name", None)
        if arguments.get("client") is None:
            arguments["client"] = _wait(modal.Client.from_env.aio)
        if arguments.get("app") is None:
            where = {"client": arguments["client"], "environment_name": environment_name}
            arguments["app"] = _wait(partial(modal.App.lookup.aio, app_name, create_if_missing=True, **where))
        if arguments.get("image") is None:
            arguments["image"] = modal.Image.debian_slim(python_version=PYTHON_VERSION).pip_install(*GATEWAY)
        if packages:
            arguments["image"] = arguments["image"].pip_install(*packages)
        token = modal.Secret.from_dict({"KG_AUTH_TOKEN": self.token})
        arguments["secrets"] = [*(arguments.get("secrets") or ()), token]
        ports = list(arguments.get("encrypted_ports") or ())
        arguments["encrypted_ports"] = ports if self.port in ports else [*ports, self.port]
        return arguments

    def _command(self) -> tuple[str, ...]:
        return (
            "jupyter",
            "kernelgateway",
            "--KernelGatewayApp.ip=0.0.0.0",
            f"--KernelGatewayApp.port={self.port}",
            "--KernelGatewayApp.port_retries=0",
        )

    def _start_error(self, error: Exception) -> Exception:
        exceptions = self._modal.exception
        if isinstance(error, (TypeError, ValueError)):
            return ValueError(f"Modal does not take create_kwargs={_shown(self.arguments)}: {error}")
        if isinstance(error, exceptions.AuthError):
            return RuntimeError(
                f"ModalExecutor needs credentials that Modal accepts ({_text(error)}). Set the environment variables "
                "MODAL_TOKEN_ID and MODAL_TOKEN_SECRET, or run `modal token new`, which writes ~/.modal.toml"
            )
        if isinstance(error, exceptions.InvalidError):
            return ValueError(f"Modal refused to create the sandbox: {_text(error)}")
        if isinstance(error, (exceptions.ConnectionError, OSError)):
            url = self._modal.config.config.get("server_url")
            return RuntimeError(f"Modal, at {url}, cannot be reached: {_text(error)}")
        return RuntimeError(f"Modal did not start the sandbox: {_text(error)}")

    # -- its state -----------------------------------------------------------------------------------------------

    def check_running(self) -> None:
        """Raise if the sandbox has ended. Asks Modal at most once a second.

        Raises:
            RuntimeError: it has ended; the text says how.
        """
        now = time.monotonic()
        if now - self._polled >= POLL_EVERY:
            self._polled = now
            ended = self._how_it_ended()
            if ended is not None:
                raise RuntimeError(ended)

    def cause_of_loss(self) -> str | None:
        """How the sandbox ended, as a clause; None while it runs, or if Modal does not say."""
        for attempt in range(3):  # its end can be seen here before Modal has noted it
            if attempt:
                time.sleep(0.3)
            ended = self._how_it_ended()
            if ended is not None:
                return ended
        return None

    def _how_it_ended(self) -> str | None:
        try:
            code = _wait(self.instance.poll.aio, LATER_TIMEOUT)
        except self._modal.exception.NotFoundError:
            return "the Modal sandbox does not exist any more"
        except Exception:  # of the network: not known
            return None
        if code is None:
            return None
        if code == 124:  # what the SDK makes of the service's "timeout"
            limits = f"timeout={self.arguments.get('timeout')}, idle_timeout={self.arguments.get('idle_timeout')}"
            return f"the Modal sandbox was ended because its time was up ({limits} in create_kwargs, in seconds)"
        if code == 137:  # and of "terminated"; also the exit code of a process that was killed for its memory
            return "the Modal sandbox was terminated, or killed for using too much memory"
        return f"the Modal sandbox ended with exit code {code}"

    def failed(self, what: str) -> RuntimeError:
        """End the sandbox; make an error of `what` with what the gateway printed last."""
        self.terminate()
        try:  # its output is complete now, so reading it comes to an end
            printed = _wait(self.instance.stderr.read.aio, LATER_TIMEOUT).strip()[-OUTPUT_SHOWN:]
        except Exception:
            printed = ""
        text = f"{what.rstrip('.')}."
        if self.arguments.get("image") is not None:
            text += f" The image in create_kwargs must hold {' and '.join(GATEWAY)}."
        return RuntimeError(text + (f" The kernel gateway printed last:\n{printed}" if printed else ""))

    def terminate(self) -> None:
        """End the sandbox. Nothing is raised: what cannot be ended now ends by itself when it has been idle."""
        if self._terminated:
            return
        self._terminated = True
        try:
            _wait(self.instance.terminate.aio, LATER_TIMEOUT)
        except self._modal.exception.NotFoundError:
            pass
        except Exception as error:
            import logging

            logging.getLogger(__name__).warning(
                "The Modal sandbox %s could not be terminated: %s: %s", self.sandbox_id, type(error).__name__, error
            )


def _wait(function: Callable[[], Coroutine[Any, Any, Any]], seconds: float | None = None) -> Any:
    """Call the asynchronous form of a function of the SDK, which unlike the other can be given up on, and wait for it.

    Where an event loop runs in this thread, another one waits. (While the interpreter shuts down no thread can be
    made, but no loop runs then either.)
    """
    import asyncio

    limit = CALL_TIMEOUT if seconds is None else seconds

    async def call() -> Any:
        try:
            return await asyncio.wait_for(function(), limit)
        except asyncio.TimeoutError:
            raise TimeoutError(f"no answer within {limit:g} s") from None

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(call())
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(call())).result()


def _text(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__


def _shown(arguments: Mapping[str, Any]) -> str:
    """The arguments without what may be secret."""
    return "{" + ", ".join(f"{name!r}: …" for name in arguments) + "}"
