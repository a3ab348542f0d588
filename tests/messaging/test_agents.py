"""Agents that write to each other: the two tools, serving a mailbox, and the demo of two processes."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from multiprocessing import get_context

import pytest

from smolagents import CodeAgent, ReceiveMessagesTool, SendMessageTool, ToolCallingAgent
from smolagents.messaging import Mailboxes, Message, UnknownRecipientError
from smolagents.testing import ScriptedModel, tool_call, tool_calls


def answering(text):
    return ScriptedModel([f"<code>\nfinal_answer({text})\n</code>"], cycle=True)


def member(boxes, agent_id, model):
    tools = [SendMessageTool(boxes, agent_id), ReceiveMessagesTool(boxes, agent_id)]
    return CodeAgent(tools=tools, model=model, verbosity_level=-1)


@pytest.fixture(params=["memory", "sqlite", "plain queues"])
def boxes(request, tmp_path):
    if request.param == "plain queues":
        yield {0: queue.Queue(), 1: queue.Queue()}
        return
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/team.db"
    with Mailboxes.open(url, agents=[0, 1]) as opened:
        yield opened


def test_one_agent_sends_and_the_other_answers(boxes):
    helper = member(boxes, 1, ScriptedModel(["<code>\nfinal_answer(sum(range(10)))\n</code>"]))
    leader = member(
        boxes,
        0,
        ScriptedModel(
            [
                "<code>\nid = send_message(1, 'Add the numbers from 0 to 9.')\nprint('sent')\n</code>",
                (
                    "<code>\nanswers = receive_messages(timeout=20)\n"
                    "final_answer((answers[0]['content'], answers[0]['sender'], answers[0]['in_reply_to'] == id))\n</code>"
                ),
            ]
        ),
    )
    reports = []
    serving = threading.Thread(target=lambda: reports.append(helper.serve(idle_timeout=30)))
    serving.start()
    assert leader.run("Have the numbers from 0 to 9 added.") == (45, 1, True)
    leader.tools["send_message"].mailboxes.send(Message(sender=0, recipient=1, content="", kind="stop"))
    serving.join(20)
    assert (reports[0].answered, reports[0].failed, reports[0].reason) == (1, 0, "stopped")
    assert "Add the numbers from 0 to 9." in helper.memory.steps[0].task
    assert "agent 0" in helper.memory.steps[0].task


def test_plain_text_from_anyone_is_a_task(boxes):
    helper = member(boxes, 1, answering("'done'"))
    boxes[1].put("Do something.")
    report = helper.serve(idle_timeout=0.5)
    assert (report.answered, report.reason) == (1, "idle")


def test_a_task_that_fails_is_answered_with_the_error(boxes):
    class Broken(ScriptedModel):
        def generate(self, *args, **kwargs):
            raise ConnectionError("no server")

    helper = member(boxes, 1, Broken([]))
    send = SendMessageTool(boxes, 0)
    sent = send(1, "work")
    report = helper.serve(idle_timeout=0.5)
    assert (report.answered, report.failed) == (0, 1)
    (answer,) = ReceiveMessagesTool(boxes, 0)(timeout=5)
    assert answer["kind"] == "error"
    assert answer["in_reply_to"] == sent
    assert "no server" in answer["content"]


def test_an_answer_that_cannot_be_sent_is_sent_as_text(boxes):
    helper = member(boxes, 1, ScriptedModel(["<code>\nfinal_answer((n for n in [1]))\n</code>"]))
    SendMessageTool(boxes, 0)(1, {"data": [1, 2]})
    helper.serve(idle_timeout=0.5)
    assert "generator" in ReceiveMessagesTool(boxes, 0)(timeout=5)[0]["content"]
    assert helper.state["message"] == {"data": [1, 2]}


def test_an_answer_that_is_too_long_as_text_is_an_error(tmp_path):
    with Mailboxes.open(f"sqlite:///{tmp_path}/team.db", agents=[0, 1], max_message_bytes=2000) as boxes:
        code = "class Long:\n    def __str__(self):\n        return 'y' * 5000\nfinal_answer(Long())"
        helper = member(boxes, 1, ScriptedModel([f"<code>\n{code}\n</code>"]))
        SendMessageTool(boxes, 0)(1, "write")
        assert helper.serve(idle_timeout=0.5).reason == "idle"
        assert "too large" in ReceiveMessagesTool(boxes, 0)(timeout=5)[0]["content"]


def test_a_broken_message_does_not_end_who_reads_it():
    queues = {0: queue.Queue(), 1: queue.Queue()}
    helper = member(queues, 1, answering(1))
    queues[1].put('{"smolagents_message":1,"id":')
    SendMessageTool(queues, 0)(1, "work")
    assert helper.serve(idle_timeout=0.5).answered == 1


def test_the_tools_tell_the_model_what_is_wrong(boxes):
    send = SendMessageTool(boxes, 0)
    assert "You are agent 0; the others are 1." in send.description
    with pytest.raises(UnknownRecipientError, match="there is no agent 'bob'; there are 0, 1"):
        send("bob", "hello")
    with pytest.raises(ValueError, match="yourself"):
        send(0, "hello")
    with pytest.raises(PermissionError, match="only to"):
        SendMessageTool(boxes, 0, allowed=[])(1, "hello")
    with pytest.raises(ValueError, match="between 0 and"):
        ReceiveMessagesTool(boxes, 0)(timeout=-1)
    assert ReceiveMessagesTool(boxes, 0)(timeout=0) == []


def test_tool_calling_agents_send_by_json(boxes):
    agent = ToolCallingAgent(
        tools=[SendMessageTool(boxes, 0), ReceiveMessagesTool(boxes, 0)],
        model=ScriptedModel(
            [
                tool_calls(tool_call("send_message", {"target_id": "1", "message": "Hello"})),
                tool_calls(tool_call("receive_messages", {"timeout": 0})),
                tool_calls(tool_call("final_answer", {"answer": "sent"})),
            ]
        ),
        verbosity_level=-1,
    )
    assert agent.run("Say hello.") == "sent"
    assert ReceiveMessagesTool(boxes, 1)(timeout=5)[0]["content"] == "Hello"


def test_tasks_wait_while_an_agent_serves_and_reads_answers(tmp_path):
    with Mailboxes.open(f"sqlite:///{tmp_path}/team.db", agents=[0, 1, 2]) as boxes:
        model = ScriptedModel(
            ["<code>\nfinal_answer([m['content'] for m in receive_messages(timeout=0)])\n</code>"] * 2
        )
        helper = member(boxes, 1, model)
        for content, kind in (("first task", "task"), ("a note", "note"), ("second task", "task")):
            boxes.send(Message(sender=0, recipient=1, content=content, kind=kind))
        assert helper.serve(idle_timeout=0.5).answered == 2
        answers = ReceiveMessagesTool(boxes, 0)(timeout=5)
        assert [answer["content"] for answer in answers] == [["a note"], []]


def test_an_interrupted_agent_leaves_its_task_for_its_next_incarnation(tmp_path):
    with Mailboxes.open(f"sqlite:///{tmp_path}/team.db", agents=[0, 1]) as boxes:
        begun = threading.Event()

        class Slow(ScriptedModel):
            def generate(self, *args, **kwargs):
                begun.set()
                time.sleep(0.3)
                return super().generate(*args, **kwargs)

        helper = member(boxes, 1, Slow(["<code>\nx = 1\n</code>"], cycle=True))
        boxes[1].put("long work")
        reports = []
        serving = threading.Thread(target=lambda: reports.append(helper.serve()))
        serving.start()
        begun.wait(20)
        helper.interrupt()
        serving.join(30)
        assert reports[0].reason == "interrupted"
        assert member(boxes, 1, answering("'done'")).serve(idle_timeout=0.5).answered == 1


def test_an_agent_that_waits_is_interrupted_at_once(boxes):
    helper = member(boxes, 1, answering("'done'"))
    reports = []
    serving = threading.Thread(target=lambda: reports.append(helper.serve(idle_timeout=None)))
    serving.start()
    while not helper.tools["receive_messages"].serving:
        time.sleep(0.01)
    helper.interrupt()
    serving.join(10)
    assert reports[0].reason == "interrupted"


def test_an_agent_without_a_mailbox_needs_a_task():
    agent = CodeAgent(tools=[], model=answering("1"), verbosity_level=-1)
    with pytest.raises(TypeError, match="no mailbox"):
        agent.run(task=None)


CHILD = """
import sys, time
from smolagents import CodeAgent, ReceiveMessagesTool, SendMessageTool
from smolagents.messaging import Mailboxes
from smolagents.testing import ScriptedModel

class Model(ScriptedModel):
    def generate(self, *args, **kwargs):
        print("thinking", flush=True)
        time.sleep(float(sys.argv[2]))
        return super().generate(*args, **kwargs)

boxes = Mailboxes.open(sys.argv[1])
model = Model(["<code>\\nfinal_answer('answer')\\n</code>"], cycle=True)
agent = CodeAgent([SendMessageTool(boxes, 1), ReceiveMessagesTool(boxes, 1)], model, verbosity_level=-1)
print(agent.serve(idle_timeout=1).answered, flush=True)
"""


def test_a_killed_agent_loses_no_task(tmp_path):
    url = f"sqlite:///{tmp_path}/team.db"
    with Mailboxes.open(url, agents=[0, 1]) as boxes:
        sent = SendMessageTool(boxes, 0)(1, "work")
        child = subprocess.Popen([sys.executable, "-c", CHILD, url, "60"], stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "thinking\n"
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        done = subprocess.run([sys.executable, "-c", CHILD, url, "0"], capture_output=True, text=True, timeout=60)
        assert done.stdout.splitlines()[-1] == "1", done.stderr
        (answer,) = ReceiveMessagesTool(boxes, 0)(timeout=5)
        assert (answer["content"], answer["in_reply_to"]) == ("answer", sent)


def _start_agent(agent_id, queue_dict, task, results):
    replies = (
        ["<code>\nfinal_answer(6 * 7)\n</code>"]
        if agent_id
        else [
            "<code>\nsend_message(1, 'Run this code: 6 * 7')\n</code>",
            "<code>\nfinal_answer(receive_messages(timeout=30)[0]['content'])\n</code>",
        ]
    )
    tools = [SendMessageTool(queue_dict, agent_id), ReceiveMessagesTool(queue_dict, agent_id)]
    agent = CodeAgent(tools=tools, model=ScriptedModel(replies, cycle=True), verbosity_level=-1)
    result = agent.run(task=task)
    results.put((agent_id, json.dumps(result if agent_id == 0 else [result.answered, result.reason]), os.getpid()))


def test_two_processes_over_a_manager_end_when_the_task_is_solved():
    context = get_context("spawn")
    with context.Manager() as manager:
        queue_dict = manager.dict()
        for i in range(2):
            queue_dict[i] = manager.Queue()
        results = context.Queue()
        processes = [
            context.Process(
                target=_start_agent, args=(i, queue_dict, "What is 6 times 7?" if i == 0 else None, results)
            )
            for i in range(2)
        ]
        for process in processes:
            process.start()
        found = dict((results.get(timeout=60)[:2]) for _ in processes)
        for process in processes:
            process.join(30)
        assert [process.exitcode for process in processes] == [0, 0]
    assert json.loads(found[0]) == 42
    assert json.loads(found[1]) == [1, "stopped"]
