"""A connection into a container that has no network: a process in it passes the bytes on.

`docker exec` starts a small program in the container, whose standard input and output come over the daemon's socket.
It connects to the port there. So a container needs no network but its own loopback, and no port of the host.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Any

__all__ = ["connect"]

PROGRAM = """
import os, socket, sys, threading
server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
def up():
    while data := os.read(0, 65536):
        server.sendall(data)
    server.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := server.recv(65536):
    while data:
        data = data[os.write(1, data):]
os._exit(0)
"""


def connect(client: Any, container_id: str, python: str, port: int) -> socket.socket:
    """A socket that leads to `port` on the container's loopback interface.

    Raises:
        ConnectionError: the program cannot be started there.
    """
    api = client.api
    try:
        command = [python, "-I", "-S", "-c", PROGRAM, str(port)]
        process = api.exec_create(container_id, command, stdin=True, stdout=True, stderr=False)["Id"]
        stream = api.exec_start(process, socket=True)
    except Exception as error:  # of the SDK, requests and urllib3
        raise ConnectionError(f"the container cannot be entered: {error}") from error
    far = getattr(stream, "_sock", stream)
    far.settimeout(None)
    near, inner = socket.socketpair()
    threading.Thread(target=_up, args=(inner, far), name="docker-relay-up", daemon=True).start()
    threading.Thread(target=_down, args=(stream, far, inner), name="docker-relay-down", daemon=True).start()
    return near


def _up(inner: socket.socket, far: Any) -> None:
    try:
        while data := inner.recv(65536):
            far.sendall(data)
    except OSError:
        pass
    finally:
        _shut(far)


def _down(stream: Any, far: Any, inner: socket.socket) -> None:
    """Take the frames apart that the daemon puts the program's output in: one byte of stream, three empty, length."""
    try:
        while (head := _exactly(far, 8)) is not None:
            left = struct.unpack(">I", head[4:])[0]
            while left:
                data = far.recv(min(left, 65536))
                if not data:
                    return
                left -= len(data)
                if head[0] == 1:
                    inner.sendall(data)
    except OSError:
        pass
    finally:
        _shut(inner)
        inner.close()
        stream.close()
        far.close()


def _exactly(far: Any, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        piece = far.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data


def _shut(end: Any) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
