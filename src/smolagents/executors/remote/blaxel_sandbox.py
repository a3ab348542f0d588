"""A sandbox of Blaxel, by its official SDK."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from smolagents._imports import require

__all__ = ["PORT", "BlaxelSandbox"]

PORT = 8888
"""Port of the Jupyter server in the images `blaxel/jupyter-notebook` and `blaxel/jupyter-server`."""
IDLE_LIFE = "30m"
"""What a sandbox lives without being used, when the user says nothing else. The SDK's own code interpreter does so."""
CHECK_EVERY = 2.0
_GONE = ("DEACTIVATED", "DEACTIVATING", "DELETING", "FAILED", "TERMINATED")


class BlaxelSandbox:
    """A running sandbox.

    Args:
        arguments: Of the SDK's `SandboxCreateConfiguration`.
        attach: Whether a sandbox that has the name already is taken as it is.

    Raises:
        MissingExtraError: the package `blaxel` is not installed.
        ValueError: there are no credentials, or an argument is none.
        RuntimeError: Blaxel refuses, or cannot be reached; the text says which.
    """

    def __init__(self, arguments: Mapping[str, Any], attach: bool) -> None:
        self._core = require("blaxel.core", extra="blaxel", needed_for="BlaxelExecutor")
        self._log_in()
        configuration = self._configuration(arguments)
        self._checked = time.monotonic()
        self._deleted = False
        self.gone = False
        """Whether it was found not to run any more."""
        try:
            self.instance = self._find(arguments["name"]) if attach else None
            self.made = self.instance is None
            """False when it was there before."""
            if self.instance is None:
                kind = self._core.SyncSandboxInstance
                create = kind.create_if_not_exists if attach else kind.create
                self.instance = create(configuration)
        except Exception as error:
            raise RuntimeError(self._explain(error, arguments)) from error
        self.name: str = self.instance.metadata.name
        self.url = f"{self.instance.process.url}/port/{PORT}"

    def _log_in(self) -> None:
        settings = self._core.settings
        if not getattr(settings.auth, "workspace_name", None):
            # The SDK looks for credentials when it is imported; they may be there since.
            authentication = require("blaxel.core.authentication", extra="blaxel", needed_for="BlaxelExecutor")
            settings.auth = authentication.auth(settings.env, settings.base_url)
            self._core.client.with_auth(settings.auth)
        if not getattr(settings.auth, "workspace_name", None):
            missing = [name for name in ("BL_WORKSPACE", "BL_API_KEY") if not os.environ.get(name)]
            raise ValueError(
                f"BlaxelExecutor needs credentials: set the environment variable{'s' * (len(missing) - 1)} "
                f"{' and '.join(missing)}, or run `bl login`; keys are at https://app.blaxel.ai"
            )

    def _configuration(self, arguments: Mapping[str, Any]) -> Any:
        known = dict(arguments)
        if not any(known.get(name) for name in ("ttl", "expires", "lifecycle")):
            policy = {"type": "ttl-idle", "value": IDLE_LIFE, "action": "delete"}
            known["lifecycle"] = {"expirationPolicies": [policy]}
        ports = list(known.get("ports") or ())
        if PORT not in (port.get("target") if isinstance(port, dict) else port.target for port in ports):
            ports.append({"name": "jupyter", "target": PORT, "protocol": "HTTP"})
        known["ports"] = ports
        types = require("blaxel.core.sandbox.types", extra="blaxel", needed_for="BlaxelExecutor")
        try:
            # Through `from_dict`, which turns nested dicts into what the SDK wants; alone it takes no notice of
            # names that it does not know.
            types.SandboxCreateConfiguration(**known)
            return types.SandboxCreateConfiguration.from_dict(known)
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"Blaxel does not take {_shown(arguments)} for a sandbox: {error}") from error

    def _find(self, name: str) -> Any:
        try:
            found = self._core.SyncSandboxInstance.get(name)
        except Exception as error:
            if getattr(error, "status_code", None) == 404:
                return None
            raise
        return None if _status(found) in _GONE else found

    def _explain(self, error: Exception, arguments: Mapping[str, Any]) -> str:
        text = " ".join(str(error).split())[:500] or type(error).__name__
        status = getattr(error, "status_code", None)
        if status in (401, 403):
            return f"Blaxel did not accept the credentials ({text}): check BL_WORKSPACE and BL_API_KEY, or `bl login`"
        if status == 400:
            return f"Blaxel does not make a sandbox with {_shown(arguments)}: {text}"
        if status == 409:
            return f"Blaxel cannot use the name {arguments.get('name')!r} now ({text}): give another sandbox_name"
        if status == 429:
            return f"Blaxel refused ({text}): delete sandboxes that are not needed, or wait"
        if status is not None:
            return f"Blaxel answered with status {status}: {text}"
        return f"Blaxel cannot be reached: {type(error).__name__}: {text}"

    def headers(self) -> dict[str, str]:
        """What its Jupyter server is to be asked with."""
        return dict(self._core.settings.headers)

    def cause_of_loss(self) -> str | None:
        """Why it no longer runs; None if it does, or if that cannot be found out."""
        try:
            status = _status(self._core.SyncSandboxInstance.get(self.name))
        except Exception as error:
            if getattr(error, "status_code", None) != 404:
                return None
            status = "TERMINATED"
        self.gone = status in _GONE
        return f"the sandbox was deleted, or reached its time to live ({status})" if self.gone else None

    def check_running(self) -> None:
        """Raise when it no longer runs. May be called often."""
        now = time.monotonic()
        if now - self._checked > CHECK_EVERY:
            self._checked = now
            cause = self.cause_of_loss()
            if cause is not None:
                raise RuntimeError(cause)

    def delete(self) -> None:
        """Delete it, whoever made it. Does not raise: it is deleted by itself when its time is over."""
        if not self._deleted and not self.gone:
            self._deleted = True
            try:
                self._core.SyncSandboxInstance.delete(self.name)
            except Exception:
                return


def _status(instance: Any) -> str:
    return str(getattr(instance.status, "value", instance.status))


def _shown(arguments: Mapping[str, Any]) -> str:
    """The arguments without environment variables and their like, which may hold secrets."""
    hidden = ("envs", "docker_config", "network")
    shown = (name if name in hidden else f"{name}={value!r}" for name, value in arguments.items() if value is not None)
    return ", ".join(shown)
