"""The client of Jupyter kernels, with a real Kernel Gateway and a real Jupyter server on this machine."""

from __future__ import annotations

import json
import struct
import threading
import time

import pytest

from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote import jupyter_server
from smolagents.executors.remote.jupyter import CellFailedError, JupyterKernel
from smolagents.executors.remote.jupyter_server import JupyterServerError
from support.jupyter_gateway import TOKEN, StrangeServer, Wire, free_port, gateway, wait_until

pytestmark = pytest.mark.usefixtures("jupyter_here")


@pytest.fixture(scope="module")
def url(tmp_path_factory, jupyter_here):
    with gateway(tmp_path_factory.mktemp("gateway")) as (url, _):
        yield url


@pytest.fixture(scope="module")
def kernel(url):
    kernel = JupyterKernel(url, token=TOKEN)
    yield kernel
    kernel.close()


def jupyter_server_process(folder):
    command = ("-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.port_retries=0")
    return gateway(folder, *command, JUPYTER_TOKEN=TOKEN)


def later(seconds, function):
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
    return timer


def test_a_cell_gives_what_it_printed(kernel):
    assert (
        kernel.run_cell("x = 20\nprint('a', x, sep='-')\nprint('ü ☃ \\U0001f600', end='')", 10)
        == "a-20\nü ☃ \U0001f600"
    )
    assert kernel.run_cell("print(x + 1)", 10) == "21\n"
    assert kernel.run_cell("", 10) == ""


def test_lines_of_many_megabytes_come_whole(kernel):
    # Servers drop output above 1 MB a second, counted over 3 seconds, if it comes as output.
    assert kernel.run_cell("print('\"é\\\\' * 4_000_000, end='')", 60) == '"é\\' * 4_000_000


def test_sources_of_many_megabytes_go_whole(kernel):
    text = "\"é\\\n'\u2028\U0001f600" * 1_000_000
    assert kernel.run_cell(f"text = {text!r}\nprint(len(text), hash(text) == hash({text[:7]!r} * 1_000_000))", 60) == (
        "7000000 True\n"
    )


def test_a_cell_is_plain_python(kernel):
    with pytest.raises(CellFailedError, match="SyntaxError"):
        kernel.run_cell("!echo hello", 10)
    with pytest.raises(CellFailedError, match="SyntaxError"):
        kernel.run_cell("%time 1", 10)


def test_what_a_cell_raises_is_told_with_what_it_printed(kernel):
    with pytest.raises(CellFailedError) as caught:
        kernel.run_cell("print('before')\nprint(1 / 0)", 10)
    error = caught.value
    assert (error.name, error.value, error.printed) == ("ZeroDivisionError", "division by zero", "before\n")
    assert 'File "<cell>", line 2' in error.traceback
    with pytest.raises(CellFailedError, match="SystemExit: 3"):
        kernel.run_cell("raise SystemExit(3)", 10)
    assert kernel.run_cell("print('alive')", 10) == "alive\n"


def test_what_threads_print_is_not_taken_for_the_cells(kernel):
    kernel.run_cell(
        "import threading\nstop = threading.Event()\n"
        "def chatter():\n    while not stop.wait(0.001):\n        print('noise')\n"
        "threading.Thread(target=chatter, daemon=True).start()",
        10,
    )
    try:
        for number in range(50):
            assert kernel.run_cell(f"print({number})", 10) == f"{number}\n"
    finally:
        kernel.run_cell("stop.set()", 10)


def test_an_interruption_stops_the_cell_and_keeps_the_variables(kernel):
    kernel.run_cell("kept = 7", 10)
    timer = later(0.5, kernel.interrupt)
    started = time.monotonic()
    with pytest.raises(CellFailedError, match="KeyboardInterrupt"):
        kernel.run_cell("import time\ntime.sleep(60)", 60)
    timer.join()
    assert time.monotonic() - started < 20
    assert kernel.run_cell("print(kept)", 10) == "7\n"


def test_a_restart_gives_an_empty_kernel(url):
    kernel = JupyterKernel(url, token=TOKEN)
    kernel.run_cell("x = 1", 10)
    kernel.restart()
    assert kernel.run_cell("print('x' in globals())", 10) == "False\n"
    kernel.close()


def test_kernels_are_apart_and_closing_one_ends_it(url):
    first, second = JupyterKernel(url, token=TOKEN), JupyterKernel(url, token=TOKEN)
    first.run_cell("x = 1", 10)
    assert second.run_cell("print('x' in globals())", 10) == "False\n"
    first.close()
    first.close()
    with pytest.raises(WorkerLostError, match="it was closed"):
        first.run_cell("1", 10)
    with pytest.raises(JupyterServerError) as caught:
        second.server.kernel(first.kernel_id, method="GET")
    assert caught.value.status == 404
    assert second.run_cell("print(1)", 10) == "1\n"
    second.close()


def test_closing_ends_a_cell_that_runs(url):
    kernel = JupyterKernel(url, token=TOKEN)
    later(0.5, kernel.close)
    with pytest.raises(WorkerLostError, match="it was closed"):
        kernel.run_cell("import time\ntime.sleep(60)", 60)


def test_a_cell_that_takes_too_long_is_given_up(url):
    kernel = JupyterKernel(url, token=TOKEN)
    with pytest.raises(WorkerLostError, match=r"did not answer within 0\.5 seconds"):
        kernel.run_cell("import time\ntime.sleep(60)", 0.5)
    kernel.close()


def test_a_kernel_that_dies_is_noticed(url):
    kernel = JupyterKernel(url, token=TOKEN)
    with pytest.raises(WorkerLostError, match="the kernel died"):
        kernel.run_cell("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", 60)
    kernel.close()


def test_who_knows_better_says_why_a_kernel_died(url):
    kernel = JupyterKernel(url, token=TOKEN, cause_of_loss=lambda: "the cat ate it")
    with pytest.raises(WorkerLostError, match="the cat ate it"):
        kernel.run_cell("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", 60)
    kernel.close()


def test_a_connection_that_was_cut_between_cells_is_made_again(url):
    wire = Wire(url)
    kernel = JupyterKernel(wire.url, token=TOKEN)
    kernel.run_cell("x = 1", 10)
    wire.cut()
    assert kernel.run_cell("print(x)", 10) == "1\n"
    kernel.close()
    wire.close()


def test_a_connection_that_is_cut_during_a_cell_is_made_again_and_nothing_is_lost(url, tmp_path):
    wire = Wire(url)
    kernel = JupyterKernel(wire.url, token=TOKEN)
    running, go_on = tmp_path / "running", tmp_path / "go_on"

    def cut():
        wait_until(running.exists)
        connections = wire.connections
        wire.cut()
        # Both orders must work: the cell ends before the connection is there again, or after.
        wait_until(lambda: wire.connections > connections)
        go_on.touch()

    thread = threading.Thread(target=cut)
    thread.start()
    source = (
        "import pathlib, time\n"
        f"pathlib.Path({str(running)!r}).touch()\n"
        f"while not pathlib.Path({str(go_on)!r}).exists():\n    time.sleep(0.01)\nprint('done')"
    )
    assert kernel.run_cell(source, 60) == "done\n"
    thread.join()
    kernel.close()
    wire.close()


def test_a_server_that_is_gone_is_noticed(url):
    wire = Wire(url)
    kernel = JupyterKernel(wire.url, token=TOKEN)

    def gone():
        wire.refuses = True
        wire.cut()

    later(0.5, gone)
    with pytest.raises(WorkerLostError, match="broke"):
        kernel.run_cell("import time\ntime.sleep(60)", 60)
    wire.refuses = False
    kernel.close()
    wire.close()


def test_the_token_is_needed(url):
    for token in (None, "another"):
        with pytest.raises(JupyterServerError, match="401") as caught:
            JupyterKernel(url, token=token)
        assert caught.value.status == 401


def test_the_token_goes_along_with_headers_of_a_service_in_front(url):
    kernel = JupyterKernel(url, token=TOKEN, headers={"X-Service": "1"})
    assert kernel.run_cell("print(1)", 10) == "1\n"
    kernel.close()


def test_a_jupyter_server_does_as_well(tmp_path):
    with jupyter_server_process(tmp_path) as (url, _):
        # A header for something in front of the server takes the place of the token's, which then goes in the query.
        kernel = JupyterKernel(url, token=TOKEN, headers={"Authorization": "Bearer something"})
        assert kernel.run_cell("print('x' * 4_000_000, end='')", 60) == "x" * 4_000_000
        kernel.close()


def test_a_server_that_does_not_come_up_is_given_up_in_time():
    started = time.monotonic()
    with pytest.raises(JupyterServerError, match=r"did not answer within 0\.5 s.*refused"):
        JupyterKernel(f"http://127.0.0.1:{free_port()}", ready_timeout=0.5)
    assert time.monotonic() - started < 5


def test_waiting_ends_when_it_is_pointless():
    def check():
        raise RuntimeError("it ended")

    with pytest.raises(RuntimeError, match="it ended"):
        JupyterKernel(f"http://127.0.0.1:{free_port()}", check=check)


@pytest.mark.parametrize("address", ["127.0.0.1:8888", "ftp://127.0.0.1", "", "http://"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="not the address of a Jupyter server"):
        JupyterKernel(address)


# Servers that do not keep the protocol


def reply(status, body=b"", **headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def frame(data, opcode=1, fin=True):
    return struct.pack("!BBQ", opcode | (0x80 if fin else 0), 127, len(data)) + data


@pytest.fixture
def strange():
    servers = []

    def start(answer=None, frames=()):
        def ordinary(method, path, headers):
            return reply("200 OK", b'{"id": "k", "version": "1"}')

        server = StrangeServer(answer or ordinary, list(frames))
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


def test_a_redirect_does_not_carry_the_token_away(strange):
    thief = strange()
    server = strange(lambda method, path, headers: reply("302 Found", Location=f"{thief.url}/api"))
    with pytest.raises(JupyterServerError, match="302"):
        JupyterKernel(server.url, token="secret", ready_timeout=0.5)
    assert server.requests
    assert not thief.requests


@pytest.mark.parametrize("body", [b"hello", b"[" * 100_000, b"\xff", b"[]", b'"x"', b'{"id": 5}', b'{"id": ""}', b""])
def test_a_reply_that_is_not_of_the_protocol_is_an_error(strange, body):
    def answer(method, path, headers):
        return reply("200 OK", b"{}" if method == "GET" else body)

    with pytest.raises(JupyterServerError):
        JupyterKernel(strange(answer).url, ready_timeout=0.5)


def test_a_reply_without_end_is_not_read_to_its_end(strange):
    def answer(method, path, headers):
        return b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (jupyter_server.LARGEST_REPLY + 10)

    with pytest.raises(JupyterServerError, match="more than"):
        JupyterKernel(strange(answer).url, ready_timeout=0.5)


@pytest.mark.parametrize(
    "frames",
    [
        [frame(b"hello")],
        [frame(b"[" * 100_000)],
        [frame(b"[]")],
        [frame(b"\xff\xfe", opcode=2)],
        [frame(b"", opcode=8)],
        [b"\xff\xff\xff\xff"],
        [frame(json.dumps({"header": {"msg_type": "status"}, "content": {"execution_state": "dead"}}).encode())],
    ],
    ids=["text", "deep", "list", "binary", "close", "no frame", "dead"],
)
def test_messages_that_are_not_of_the_protocol_end_the_kernel(strange, frames):
    with pytest.raises(JupyterServerError, match="did not come up"):
        JupyterKernel(strange(frames=frames).url, ready_timeout=1)


def test_messages_of_odd_shapes_are_passed_over(strange):
    odd = [{}, {"header": 5}, {"header": {"msg_type": []}}, {"parent_header": [], "content": "x", "header": {}}]
    frames = [frame(json.dumps(message).encode()) for message in odd]
    with pytest.raises(JupyterServerError, match="did not answer within"):
        JupyterKernel(strange(frames=frames).url, ready_timeout=1)


@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_message_without_end_is_not_read_to_its_end(strange, monkeypatch, in_pieces):
    monkeypatch.setattr(jupyter_server, "LARGEST_MESSAGE", 1024 * 1024)
    if in_pieces:
        frames = [frame(b" " * 65536, opcode=0 if number else 1, fin=False) for number in range(100)]
    else:
        frames = [struct.pack("!BBQ", 0x81, 127, 2**62), b" " * (2 * 1024 * 1024)]
    with pytest.raises(JupyterServerError, match="more than 1 MB in one message"):
        JupyterKernel(strange(frames=frames).url, ready_timeout=5)


def test_pings_are_answered(strange):
    server = strange(frames=[b"\x89\x05hello"])
    with pytest.raises(JupyterServerError, match="did not answer within"):
        JupyterKernel(server.url, ready_timeout=1)
    mask = server.received.partition(b"\x8a\x85")[2][:9]  # a pong of five bytes: four of mask, then the bytes
    assert bytes(byte ^ mask[index % 4] for index, byte in enumerate(mask[4:])) == b"hello"


def test_pings_without_end_do_not_hold_the_deadline_up(strange):
    started = time.monotonic()
    with pytest.raises(JupyterServerError, match="did not"):
        JupyterKernel(strange(frames=[b"\x89\x00" * 200_000]).url, ready_timeout=1)
    assert time.monotonic() - started < 20
