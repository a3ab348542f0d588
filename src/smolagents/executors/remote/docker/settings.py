"""What a container is started with: closed by default, and the user's own arguments win."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["GATEWAY_PORT", "HOME", "PACKAGES", "ContainerSettings", "in_bytes"]

GATEWAY_PORT = 8888
"""Port in the container on which the gateway listens."""
HOME = "/workspace"
"""Home and working folder of the code, in memory. It must not be in the image, nor be the container's working folder:
Docker gives such a folder's owner and mode to what is mounted there, and the code's user could not write in it."""
PACKAGES = "/opt/smolagents/packages"
"""Where installed packages go: a volume, as the root file system is read-only. Only root writes there, except that
Podman gives the volume to the image's user when the image has no such folder."""

_UNITS = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_MERGED = ("environment", "labels", "tmpfs", "mounts")
_NOT_OURS = ("detach", "stdout", "stderr", "stream", "remove")
"""Arguments of `containers.run` that say how to wait for a container; these wait for nothing."""


@dataclass(frozen=True, kw_only=True)
class ContainerSettings:
    """How the containers of an executor are started.

    Raises:
        ValueError: a limit is not such as a container can have, or two arguments contradict each other.
    """

    image: str
    host: str = "127.0.0.1"
    port: int | None = None
    """Port on `host`; None for one that is free."""
    memory: str | int | None = "4g"
    cpus: float | None = 2.0
    pids_limit: int | None = 512
    network: bool = True
    run_kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("cpus", self.cpus), ("pids_limit", self.pids_limit)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be more than 0, or None for no limit, not {value!r}")
        if self.port is not None and not 0 < self.port < 65536:
            raise ValueError(f"port must be a number from 1 to 65535, not {self.port!r}")
        in_bytes(self.memory)
        if not self.network:
            for name in ("network", "network_mode", "ports"):
                if name in self.run_kwargs:
                    raise ValueError(
                        f"network=False contradicts container_run_kwargs[{name!r}]={self.run_kwargs[name]!r}; "
                        "leave one of them out"
                    )

    def with_image(self, image: str) -> ContainerSettings:
        """The same settings for another image."""
        return replace(self, image=image)

    @property
    def environment(self) -> dict[str, str]:
        """The user's environment variables for the container."""
        given = self.run_kwargs.get("environment") or {}
        pairs = given.items() if isinstance(given, Mapping) else (line.partition("=")[::2] for line in given)
        return {str(name): str(value) for name, value in pairs}

    def arguments(self, token: str, labels: Mapping[str, str], processors: int, *, connected: bool) -> dict[str, Any]:
        """Arguments of `containers.create`.

        Args:
            token: What the gateway is to ask for.
            labels: Labels to put on the container and its volume.
            processors: How many the machine has: more cannot be asked for.
            connected: Whether the container is to have a network, at first.
        """
        given = {name: value for name, value in self.run_kwargs.items() if name not in _NOT_OURS}
        if self.run_kwargs.get("remove"):
            given["auto_remove"] = True
        mine: dict[str, Any] = {
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": self.pids_limit or -1,
            "read_only": True,
            "tmpfs": self._temporary(given),
            "mounts": [{"Type": "volume", "Target": PACKAGES, "VolumeOptions": {"Labels": dict(labels)}}],
            "environment": self._environment(token),
            "labels": dict(labels),
            "log_config": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
        }
        limit = in_bytes(self.memory)
        if limit is not None:
            mine["mem_limit"] = limit
            if "mem_limit" not in given:
                mine["memswap_limit"] = limit
        if self.cpus is not None:
            mine["nano_cpus"] = int(min(self.cpus, processors or self.cpus) * 1e9)
        if not connected:
            mine["network_mode"] = "none"
        elif self.network and not _shares_network(given):
            mine["ports"] = {f"{GATEWAY_PORT}/tcp": (self.host, self.port)}
        for name in _MERGED:
            if name in given:
                given[name] = _merged(mine[name], given[name])
        return {**mine, **given}

    def _environment(self, token: str) -> dict[str, str]:
        given = self.environment
        paths = [given.pop("PYTHONPATH", ""), PACKAGES]
        # An image may start the gateway with its own address or none, or another Jupyter server.
        address = "127.0.0.1" if self.run_kwargs.get("network_mode") == "host" else "0.0.0.0"
        defaults = {"KG_IP": address, "KG_PORT": str(GATEWAY_PORT), "KG_PORT_RETRIES": "0", "HOME": HOME}
        tokens = {"KG_AUTH_TOKEN": token, "JUPYTER_TOKEN": token}
        return {**defaults, **given, **tokens, "PYTHONPATH": ":".join(path for path in paths if path)}

    def _temporary(self, given: Mapping[str, Any]) -> dict[str, str]:
        """Writable folders in memory. They count as memory, so they may take no more than a part of it."""
        limit = in_bytes(given.get("mem_limit", self.memory)) or 4 * 2**30
        return {
            HOME: f"exec,mode=1777,size={limit // 2}",
            "/tmp": f"exec,mode=1777,size={limit // 4}",
        }


def in_bytes(size: str | int | None) -> int | None:
    """A size such as "512m" as a number of bytes.

    Raises:
        ValueError: it is no such size.
    """
    if size is None or (isinstance(size, int) and size > 0):
        return size
    text = str(size).strip().lower().removesuffix("b")
    unit = text[-1:] if text[-1:] in _UNITS else "b"
    try:
        number = float(text.removesuffix(unit))
    except ValueError:
        number = 0.0
    if not number * _UNITS[unit] >= 1:
        raise ValueError(f'memory must be a size such as "512m" or "4g", or None for no limit, not {size!r}')
    return int(number * _UNITS[unit])


def _shares_network(given: Mapping[str, Any]) -> bool:
    return str(given.get("network_mode") or "").startswith(("host", "none", "container:"))


def _merged(mine: Any, given: Any) -> Any:
    if isinstance(mine, list):
        return [*mine, *given]
    if not isinstance(given, Mapping):  # labels as a list of names
        given = dict.fromkeys(given, "")
    return {**given, **mine} if "smolagents.owner" in mine else {**mine, **given}
