"""Connections that reach only public addresses and end in time.

The guard stands where sockets are opened. A name is resolved once, its addresses are judged, and the connection goes
to the very address that was judged, so a name server that answers otherwise the next time gains nothing. Every
redirect opens a connection and so passes here.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from typing import Any

from smolagents.tools.interruption import check_interrupt

__all__ = ["BlockedAddressError", "Deadline", "DeadlineError", "GuardedBackend", "is_public_address"]

_PLATFORM_SERVICES = frozenset({ipaddress.ip_address("168.63.129.16")})
"""Addresses in public ranges that serve the virtual machine itself (Azure's platform endpoint)."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that stand for an IPv4 address in their last 32 bits (RFC 6052)."""
_CONNECT_SLICE_SECONDS = 0.25
"""How soon a wait for the network notices that the run was interrupted."""


class BlockedAddressError(Exception):
    """An address may not be reached."""


class DeadlineError(Exception):
    """The time for a request is over."""


class Deadline:
    """A moment by which all must be done.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left.

        Raises:
            DeadlineError: none are.
            AgentInterruptedError: the run was interrupted.
        """
        check_interrupt()
        left = self._end - time.monotonic()
        if left <= 0:
            raise DeadlineError(f"it took longer than {self.seconds:g} seconds")
        return left


def is_public_address(address: str) -> bool:
    """Whether an IP address is one of the open Internet: not this machine, a private network, link-local (where cloud
    metadata services are), multicast or reserved. IPv4 inside IPv6 counts as the IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public_address(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and ip not in _PLATFORM_SERVICES


def _resolve(host: str, port: int, deadline: Deadline) -> list[str]:
    """The addresses of a name. The system's resolver knows no time limit, so it runs beside."""
    answer: list[Any] = []

    def ask() -> None:
        try:
            answer.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.append(error)

    thread = threading.Thread(target=ask, daemon=True, name="resolve")
    thread.start()
    while not answer and thread.is_alive():
        thread.join(min(_CONNECT_SLICE_SECONDS, deadline.left()))
    (result,) = answer
    if isinstance(result, Exception):
        raise OSError(f"the name {host!r} is not known ({result})") from result
    return list(dict.fromkeys(str(entry[4][0]) for entry in result))


class GuardedBackend:
    """A network backend for the HTTP client: judges addresses, and holds every wait to a deadline.

    Args:
        core: The client's connection library (httpcore).
        deadline: For all that is done through this backend.
        allow_private: True to reach any address.
    """

    def __init__(self, core: Any, deadline: Deadline, allow_private: bool) -> None:
        self._core = core
        self._inner = core.SyncBackend()
        self._deadline = deadline
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> _DeadlineStream:
        addresses = _resolve(host, port, self._deadline)
        allowed = [each for each in addresses if self._allow_private or is_public_address(each)]
        if not allowed:
            shown = host if addresses == [host] else f"{host} ({', '.join(addresses)})"
            raise BlockedAddressError(
                f"{shown} is not on the public Internet. To let the tool reach private addresses, "
                "make it with allow_private=True"
            )
        for position, address in enumerate(allowed):
            share = self._deadline.left() / (len(allowed) - position)
            try:
                stream = self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (self._core.ConnectError, self._core.ConnectTimeout):
                if address == allowed[-1]:
                    raise
            else:
                return _DeadlineStream(stream, self._deadline)
        raise AssertionError("unreachable")

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        raise BlockedAddressError("local sockets are not reached")

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, self._deadline.left()))


class _DeadlineStream:
    """A stream each of whose waits is cut to what is left of the deadline.

    A time limit per read alone would let a server that sends a byte now and then hold on for ever.
    """

    def __init__(self, inner: Any, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._inner.read(max_bytes, self._deadline.left())
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> _DeadlineStream:
        return _DeadlineStream(
            self._inner.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
