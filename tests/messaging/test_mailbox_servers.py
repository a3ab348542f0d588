"""Mailboxes on servers: what is killed, refused, cut off or too old."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import trustme

from smolagents.messaging import Mailboxes, MailboxesClosedError, Message, MessagingError
from support.brokers import NatsServer, RedisServer, free_port

SERVERS = {"redis": RedisServer, "nats": NatsServer}


@pytest.fixture
def start(tmp_path):
    started = []

    def start(kind, *arguments):
        server = SERVERS[kind](tmp_path / f"{kind}{len(started)}", *arguments)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture(params=["redis", "nats"])
def server(request, start):
    return start(request.param)


def task(content="work", **fields):
    return Message(sender=0, recipient=1, content=content, **fields)


def test_a_server_killed_in_the_middle_of_traffic_loses_nothing(server):
    """Senders and receivers notice nothing but a pause."""
    count, received = 300, []
    with Mailboxes.open(server.url, agents=[0, 1], lease_seconds=1) as boxes:

        def send(start):
            for n in range(start, count, 3):
                boxes.send(task(n, id=f"message-{n}"))

        def receive():
            while len(set(received)) < count and time.monotonic() < end:
                delivery = boxes.receive(1, 0.5)
                if delivery is not None:
                    received.append(delivery.message.content)
                    boxes.acknowledge(delivery)

        end = time.monotonic() + 40
        threads = [threading.Thread(target=send, args=(n,)) for n in range(3)]
        threads.append(threading.Thread(target=receive))
        for thread in threads:
            thread.start()
        for share in (60, 180):
            while len(received) < share and time.monotonic() < end:
                time.sleep(0.005)
            server.kill()
            time.sleep(0.2)
            server.start()
        for thread in threads:
            thread.join(60)
    assert sorted(set(received)) == list(range(count))


def test_what_was_sent_is_there_after_the_server_was_killed(server):
    with Mailboxes.open(server.url, agents=[0, 1]) as boxes:
        boxes.send(task("kept", id="the-id"))
        boxes.send(task("done", id="done-id", kind="note"))
        boxes.acknowledge(boxes.receive(1, 5, ["note"]))
        server.kill()
    server.start()
    with Mailboxes.open(server.url) as boxes:
        assert boxes.agents() == [0, 1]
        boxes.send(task("kept", id="the-id"))  # it is known still
        boxes.send(task("done", id="done-id", kind="note"))
        delivery = boxes.receive(1, 5, ["task"])
        assert delivery.message.content == "kept"
        boxes.acknowledge(delivery)
        assert boxes.receive(1, 0, ["task"]) is None


RECEIVER = """
import sys, time
from smolagents.messaging import Mailboxes
with Mailboxes.open(sys.argv[1], lease_seconds=float(sys.argv[2])) as boxes:
    print(boxes.receive(1, 20).message.content, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["redis", "nats"])
def test_what_a_killed_receiver_had_comes_again(kind, start):
    server = start(kind)
    lease = 60.0 if kind == "redis" else 1.0  # NATS knows of the death by the lease alone
    with Mailboxes.open(server.url, agents=[0, 1], lease_seconds=lease) as boxes:
        boxes.send(task("precious"))
        receiver = subprocess.Popen(
            [sys.executable, "-c", RECEIVER, server.url, str(lease)], stdout=subprocess.PIPE, text=True
        )
        with receiver:
            assert receiver.stdout.readline() == "precious\n"
            assert boxes.receive(1, 0) is None
            os.kill(receiver.pid, signal.SIGKILL)
        assert boxes.recover(1) == (1 if kind == "redis" else 0)
        delivery = boxes.receive(1, 10)
        assert (delivery.message.content, delivery.message.attempts) == ("precious", 2)


def test_a_server_that_is_not_there_is_named_without_its_password():
    for scheme in ("redis", "nats"):
        url = f"{scheme}://someone:secret@127.0.0.1:{free_port()}?team=blue"
        started = time.monotonic()
        with pytest.raises(MailboxesClosedError, match=rf"{scheme}://127\.0\.0\.1:\d+.* was not reached") as caught:
            Mailboxes.open(url, connect_seconds=0.5)
        assert time.monotonic() - started < 5
        assert "secret" not in str(caught.value)


def test_a_server_that_stays_away_closes_the_mailboxes(server):
    with Mailboxes.open(server.url, agents=[0, 1], reconnect_seconds=0.5) as boxes:
        server.kill()
        with pytest.raises(MailboxesClosedError, match=r"was not reached for 0\.5 seconds"):
            boxes.send(task())
        with pytest.raises(MailboxesClosedError, match="not reached"):
            boxes.receive(1, 30)


def test_a_wait_ends_when_the_mailboxes_are_closed(server):
    boxes = Mailboxes.open(server.url, agents=[0, 1])
    errors = []

    def wait():
        try:
            boxes.receive(1)
        except MailboxesClosedError as error:
            errors.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.3)
    boxes.close()
    waiting.join(10)
    assert len(errors) == 1


def test_teams_do_not_see_each_other(server):
    with (
        Mailboxes.open(f"{server.url}?team=blue", agents=[0, 1]) as blue,
        Mailboxes.open(f"{server.url}?team=red", agents=[1, 0]) as red,
    ):
        blue.send(task("for blue"))
        assert red.receive(1, 0) is None
        assert red.agents() == [1, 0]
        assert blue.receive(1, 5).message.content == "for blue"
    with pytest.raises(ValueError, match="'a b' is no name of a team"):
        Mailboxes.open(f"{server.url}?team=a%20b")


def test_they_can_be_handed_to_another_process(server):
    with Mailboxes.open(server.url, agents=[0, 1], lease_seconds=7, capacity=3) as boxes:
        boxes.send(task("through a pickle"))
        with pickle.loads(pickle.dumps(boxes)) as again:
            assert (again.lease_seconds, again.capacity) == (7, 3)
            assert again.receive(1, 5).message.content == "through a pickle"


def test_names_of_agents_may_be_anything(server):
    names = ["a.b", "*", ">", "ü nicode", "1", 1, "x" * 200]
    with Mailboxes.open(server.url, agents=names) as boxes:
        assert boxes.agents() == names
        for name in names:
            boxes[name].put(f"for {name!r}")
        for name in names:
            assert boxes[name].get(timeout=5).content == f"for {name!r}"


def test_an_agent_added_by_another_process_is_found(server):
    with Mailboxes.open(server.url, agents=[0]) as boxes, Mailboxes.open(server.url) as other:
        assert boxes.agents() == [0]
        other.add("late")
        boxes.send(Message(sender=0, recipient="late", content="hello"))
        assert "late" in boxes
        assert other.receive("late", 5).message.content == "hello"


def test_who_does_not_know_the_password_stays_out(start, monkeypatch):
    cases = {"redis": ("--requirepass", "secret"), "nats": ("--user", "team", "--pass", "secret")}
    for kind, arguments in cases.items():
        server = start(kind, *arguments)
        with pytest.raises(MessagingError, match=r"refuses the name or password|not reached"):
            Mailboxes.open(server.url, connect_seconds=1)
        login = ":secret@" if kind == "redis" else "team:secret@"
        wrong = server.url.replace("://", f"://{login}").replace("secret", "wrong")
        with pytest.raises(MessagingError, match="refuses the name or password") as caught:
            Mailboxes.open(wrong, connect_seconds=1)
        assert "wrong" not in str(caught.value)
        with Mailboxes.open(wrong.replace("wrong", "secret"), agents=[1]) as boxes:
            assert boxes.agents() == [1]
            assert "secret" not in repr(boxes)
        monkeypatch.setenv("REDIS_PASSWORD", "secret")
        monkeypatch.setenv("NATS_USER", "team")
        monkeypatch.setenv("NATS_PASSWORD", "secret")
        with Mailboxes.open(server.url) as boxes:
            assert boxes.agents() == [1]
        for name in ("REDIS_PASSWORD", "NATS_USER", "NATS_PASSWORD"):
            monkeypatch.delenv(name)


def test_tls_trusts_only_the_named_authority(start, tmp_path, monkeypatch):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    ca, cert, key = (str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(ca)
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(cert)
    nats = start("nats", "--tls", "--tlscert", cert, "--tlskey", key)
    port = free_port()
    redis = start(
        "redis",
        *("--tls-port", str(port), "--tls-cert-file", cert, "--tls-key-file", key),
        *("--tls-ca-cert-file", ca, "--tls-auth-clients", "no"),
    )
    assert redis.process.poll() is None
    for url in (nats.url.replace("nats:", "tls:"), f"rediss://127.0.0.1:{port}"):
        monkeypatch.delenv("NATS_CA", raising=False)
        monkeypatch.delenv("REDIS_CA", raising=False)
        with pytest.raises(MailboxesClosedError, match=r"(?i)certificate"):
            Mailboxes.open(url, connect_seconds=0.5)
        monkeypatch.setenv("NATS_CA", ca)
        monkeypatch.setenv("REDIS_CA", ca)
        with Mailboxes.open(url, agents=[1]) as boxes:
            boxes[1].put("hidden on the way")
            assert boxes[1].get(timeout=5).content == "hidden on the way"


def test_a_nats_server_that_is_too_old_is_refused():
    """Older ones ignore the kinds that a receiver asks for, and give it another's messages."""

    def greet(listener):
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b'INFO {"server_id":"x","version":"2.9.10","proto":1,"max_payload":1048576}\r\n')
            while data := connection.recv(4096):
                if b"PING" in data:
                    connection.sendall(b"PONG\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=greet, args=(listener,), daemon=True)
        server.start()
        with pytest.raises(MessagingError, match=r"is nats-server 2\.9\.10; 2\.10 or newer is needed"):
            Mailboxes.open(f"nats://127.0.0.1:{listener.getsockname()[1]}")
        server.join(10)


def test_a_nats_server_without_jetstream_is_told(start, monkeypatch):
    monkeypatch.setattr(
        NatsServer, "command", lambda self, command=NatsServer.command: [a for a in command(self) if a != "-js"]
    )
    server = start("nats")
    with pytest.raises(MessagingError, match="nats-server -js"):
        Mailboxes.open(server.url, connect_seconds=1)


def test_history_on_a_nats_server_is_trimmed_and_what_waits_is_kept(start, monkeypatch):
    from smolagents.messaging import nats

    monkeypatch.setattr(nats, "_KEPT_MESSAGES", 10)
    monkeypatch.setattr(nats, "_TRIM_SECONDS", 0)
    with Mailboxes.open(start("nats").url, agents=[0, 1]) as boxes:
        boxes.send(Message(sender=1, recipient=0, content="waits"))
        for n in range(50):
            boxes.send(task(n))
            boxes.acknowledge(boxes.receive(1, 5))
        kept = boxes._link.wait(boxes._read(boxes._stream, "smolagents.*.box.>"))
        assert 10 <= len(kept) <= 15
        assert boxes.receive(0, 5).message.content == "waits"
