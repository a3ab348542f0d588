"""Mailboxes: the same on every kind that keeps what it is given."""

from __future__ import annotations

import datetime as dt
import queue
import threading
import time
import uuid

import pytest

from smolagents.executors.worker.values import CannotCrossError
from smolagents.messaging import (
    Mailboxes,
    MailboxesClosedError,
    MailboxFullError,
    Message,
    MessageTooLargeError,
    UnknownRecipientError,
)
from support.brokers import NatsServer, RedisServer

KINDS = ["memory", "sqlite", "redis", "nats"]
SERVERS = {"redis": RedisServer, "nats": NatsServer}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    started = {}
    yield started
    for server in started.values():
        server.close()


@pytest.fixture(params=KINDS)
def url(request, tmp_path, tmp_path_factory, servers):
    kind = request.param
    if kind not in SERVERS:
        return {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/team.db"}[kind]
    if kind not in servers:
        server = SERVERS[kind](tmp_path_factory.mktemp(kind))
        server.start()
        servers[kind] = server
    return f"{servers[kind].url}?team=t{uuid.uuid4().hex}"


@pytest.fixture
def open_boxes(url):
    opened = []

    def open_boxes(agents=(0, 1, "critic"), **settings):
        opened.append(Mailboxes.open(url, agents=agents, **settings))
        return opened[-1]

    yield open_boxes
    for boxes in opened:
        boxes.close()


def task(content="work", sender=0, recipient=1, **fields):
    return Message(sender=sender, recipient=recipient, content=content, **fields)


def test_it_is_a_mapping_of_boxes_with_put_and_get(open_boxes):
    boxes = open_boxes()
    assert list(boxes) == [0, 1, "critic"]
    assert len(boxes) == 3
    assert 1 in boxes
    assert "1" not in boxes
    boxes[1].put("hello")
    assert boxes[1].qsize() == 1
    message = boxes[1].get(timeout=1)
    assert (message.content, message.kind, message.sender) == ("hello", "task", None)
    assert boxes[1].empty()
    with pytest.raises(queue.Empty):
        boxes[1].get_nowait()
    with pytest.raises(KeyError):
        boxes[7]


def test_values_of_every_type_are_sent(open_boxes):
    boxes = open_boxes()
    content = {"when": dt.date(2026, 1, 2), "raw": b"\x00", "pair": (1, {2}), "id": uuid.UUID(int=3)}
    boxes.send(task(content))
    assert boxes.receive(1, 1).message.content == content


def test_messages_come_in_order_and_only_to_their_recipient(open_boxes):
    boxes = open_boxes()
    for n in range(20):
        boxes.send(task(n, recipient=n % 2 and 1))
    assert [boxes[1].get(timeout=1).content for _ in range(10)] == list(range(1, 20, 2))
    assert boxes.receive(1, 0) is None


def test_a_message_comes_again_when_its_lease_runs_out(open_boxes):
    boxes = open_boxes(lease_seconds=0.2)
    boxes.send(task())
    first = boxes.receive(1, 1)
    assert boxes.receive(1, 0) is None
    second = boxes.receive(1, 5)
    assert second.message.id == first.message.id
    assert (first.message.attempts, second.message.attempts) == (1, 2)
    assert not boxes.extend(first)
    assert boxes.extend(second)
    boxes.acknowledge(second)
    time.sleep(0.3)
    assert boxes.receive(1, 0) is None


def test_a_lease_can_be_extended(open_boxes):
    boxes = open_boxes(lease_seconds=0.3)
    boxes.send(task())
    delivery = boxes.receive(1, 1)
    for _ in range(4):
        assert boxes.receive(1, 0.15) is None
        assert boxes.extend(delivery)


def test_a_message_given_back_comes_again_at_once(open_boxes):
    boxes = open_boxes()
    boxes.send(task())
    boxes.release(boxes.receive(1, 1))
    assert boxes.receive(1, 1).message.attempts == 2


def test_after_too_many_attempts_it_is_a_dead_letter_that_can_be_requeued(open_boxes):
    boxes = open_boxes(max_attempts=2)
    boxes.send(task("poison"))
    for _ in range(2):
        boxes.release(boxes.receive(1, 1))
    assert boxes.receive(1, 0) is None
    (letter,) = boxes.peek(1, dead=True)
    assert (letter.content, letter.attempts) == ("poison", 2)
    assert boxes.status(1).dead == 1
    assert boxes.requeue(letter.id)
    assert not boxes.requeue(letter.id)
    assert boxes.receive(1, 1).message.content == "poison"


def test_an_answer_is_given_once(open_boxes):
    boxes = open_boxes(lease_seconds=0.1)
    boxes.send(task("6 * 7"))
    first = boxes.receive(1, 1)
    second = boxes.receive(1, 5)  # the first receiver was slow
    boxes.complete(first, first.message.reply(42))
    boxes.complete(second, second.message.reply(42))
    answer = boxes.receive(0, 1)
    assert (answer.message.content, answer.message.kind, answer.message.in_reply_to) == (42, "reply", first.message.id)
    boxes.acknowledge(answer)
    boxes.complete(second, second.message.reply(42))
    assert boxes.receive(0, 0.2) is None
    assert boxes.receive(1, 0.2) is None


def test_the_same_message_sent_twice_is_one(open_boxes):
    boxes = open_boxes()
    message = task()
    boxes.send(message)
    boxes.send(message)
    boxes.acknowledge(boxes.receive(1, 1))
    boxes.send(message)
    assert boxes.receive(1, 0) is None


def test_an_answer_to_nobody_is_dropped(open_boxes):
    boxes = open_boxes()
    boxes[1].put("from outside")
    delivery = boxes.receive(1, 1)
    boxes.complete(delivery, delivery.message.reply("done"))
    assert boxes.receive(1, 0) is None


def test_kinds_can_be_chosen(open_boxes):
    boxes = open_boxes()
    boxes.send(task("later"))
    boxes.send(task("now", kind="note"))
    assert boxes.receive(1, 1, kinds=["note", "reply"]).message.content == "now"
    assert boxes.receive(1, 0, kinds=["note", "reply"]) is None
    assert boxes.receive(1, 1).message.content == "later"


def test_a_full_box_refuses_or_waits(open_boxes):
    boxes = open_boxes(capacity=2)
    boxes.send(task(1))
    boxes.send(task(2))
    with pytest.raises(MailboxFullError, match="full"):
        boxes.send(task(3), timeout=0)
    with pytest.raises(MailboxFullError):
        boxes.send(task(3), timeout=0.1)
    sender = threading.Thread(target=boxes.send, args=(task(3),))
    sender.start()
    boxes.acknowledge(boxes.receive(1, 1))
    sender.join(10)
    assert not sender.is_alive()
    assert [boxes[1].get(timeout=1).content for _ in range(2)] == [2, 3]


def test_what_cannot_be_sent_is_told(open_boxes):
    boxes = open_boxes(max_message_bytes=1000)
    with pytest.raises(MessageTooLargeError, match="1,000"):
        boxes.send(task("x" * 2000))
    with pytest.raises(CannotCrossError, match="message"):
        boxes.send(task(n for n in []))
    with pytest.raises(UnknownRecipientError, match="'nobody'"):
        boxes.send(task(recipient="nobody"))
    with pytest.raises(UnknownRecipientError, match="there are 0, 1, 'critic'"):
        boxes.resolve("nobody")
    assert boxes.resolve("1") == 1
    assert boxes.resolve(1) == 1
    assert boxes.resolve(" critic ") == "critic"


def test_a_waiting_receiver_is_woken(open_boxes):
    boxes = open_boxes()
    found = []
    waiting = threading.Thread(target=lambda: found.append(boxes.receive(1, 20)))
    waiting.start()
    time.sleep(0.1)
    started = time.monotonic()
    boxes.send(task("wake up"))
    waiting.join(20)
    assert found[0].message.content == "wake up"
    assert time.monotonic() - started < 2


def test_many_senders_and_receivers_lose_nothing_and_do_nothing_twice(open_boxes):
    boxes = open_boxes()
    done, guard = [], threading.Lock()

    def send(start):
        for n in range(start, start + 25):
            boxes.send(task(n))

    def receive():
        while (delivery := boxes.receive(1, 1)) is not None:
            boxes.acknowledge(delivery)
            with guard:
                done.append(delivery.message.content)

    threads = [threading.Thread(target=send, args=(25 * n,)) for n in range(4)]
    threads += [threading.Thread(target=receive) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == list(range(100))


def test_closed_boxes_say_so(open_boxes):
    boxes = open_boxes()
    boxes.close()
    boxes.close()
    with pytest.raises(MailboxesClosedError):
        boxes.receive(1, 0)


def test_a_url_that_names_nothing_is_refused():
    with pytest.raises(ValueError, match="begin with memory://"):
        Mailboxes.open("kafka://somewhere")
    with pytest.raises(ValueError, match="has no path"):
        Mailboxes.open("sqlite://")


def test_a_waiting_receiver_can_be_woken_without_a_message(open_boxes):
    boxes = open_boxes()
    found = []
    waiting = threading.Thread(target=lambda: found.append(boxes.receive(1)))
    waiting.start()
    time.sleep(0.2)
    boxes.wake(1)
    waiting.join(10)
    assert found == [None]
    boxes.wake(1)  # before it waits
    assert boxes.receive(1, 60) is None
    boxes.send(task("still here"))
    assert boxes.receive(1, 5).message.content == "still here"


def test_a_broken_envelope_can_be_looked_at_with_the_others(open_boxes):
    class Broken(Message):
        def to_json(self, most=0):
            return '{"smolagents_message":1}'

    boxes = open_boxes()
    boxes.send(Broken(sender=0, recipient=1, content=""))
    boxes.send(Message(sender=0, recipient=1, content="whole"))
    assert {message.content for message in boxes.peek(1)} == {'{"smolagents_message":1}', "whole"}
