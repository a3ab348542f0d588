"""One trace shows the work of agents in several processes, whatever passes messages between them."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from span_trees import code, coder

import smolagents
from smolagents import Mailboxes, ReceiveMessagesTool, SendMessageTool
from smolagents.agents.team import AgentSource, Team
from smolagents.messaging.message import Message

SERVE = """
import sys
sys.path.insert(0, sys.argv[1])
from traced_members import helper
from smolagents import Mailboxes, ReceiveMessagesTool, SendMessageTool
agent = helper(sys.argv[2])
with Mailboxes.open(sys.argv[3]) as mailboxes:
    for tool in (SendMessageTool(mailboxes, 1), ReceiveMessagesTool(mailboxes, 1)):
        agent.tools[tool.name] = tool
    print(agent.serve(idle_timeout=20).answered)
"""


def written(folder):
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def paths_of(spans):
    """The names from the root to each span."""
    by_id = {span["span"]: span for span in spans}

    def path(span):
        above = by_id.get(span["parent"])
        return (*(path(above) if above else ()), span["name"])

    return [path(span) for span in spans]


def own(spans):
    return [
        {
            "span": f"{span.context.span_id:016x}",
            "parent": None if span.parent is None else f"{span.parent.span_id:016x}",
            "name": span.name,
            "trace": f"{span.context.trace_id:032x}",
            "process": os.getpid(),
            "kind": span.kind.name,
            "attributes": dict(span.attributes),
        }
        for span in spans.all()
    ]


def test_an_agent_and_the_one_that_serves_it_share_a_trace(tmp_path, fresh_python, spans):
    url = f"sqlite:///{tmp_path}/team.db"
    with Mailboxes.open(url, agents=[0, 1]) as mailboxes:
        agent = coder(
            code("send_message(1, 'help me')", "final_answer(receive_messages(timeout=60)[0]['content'])"),
            tools=[SendMessageTool(mailboxes, 0), ReceiveMessagesTool(mailboxes, 0)],
        )
        outcome = []

        def lead():
            outcome.append(agent.run("a task"))
            mailboxes.send(Message(sender=0, recipient=1, content="", kind="stop"))

        leading = threading.Thread(target=lead)
        leading.start()
        served = fresh_python(SERVE, Path(__file__).parent, tmp_path, url)
        leading.join(60)
    assert served.strip() == "1"
    assert outcome == ["helped"]
    found = [*own(spans), *written(tmp_path)]
    assert len({span["trace"] for span in found}) == 1
    assert len({span["process"] for span in found}) == 2
    sending = ("invoke_agent boss", "step 1", "run_code LocalPythonExecutor", "execute_tool send_message", "send 1")
    working = (*sending, "process 1", "invoke_agent helper", "step 1")
    paths = paths_of(found)
    assert sending in paths
    assert (*working, "chat scripted") in paths
    assert (*working, "run_code LocalPythonExecutor", "execute_tool final_answer") in paths
    by_name = {span["name"]: span for span in found}
    sent, processed = by_name["send 1"], by_name["process 1"]
    assert (sent["kind"], processed["kind"]) == ("PRODUCER", "CONSUMER")
    assert sent["attributes"]["messaging.message.id"] == processed["attributes"]["messaging.message.id"]
    wanted = {"messaging.system": "sqlite", "messaging.operation.type": "send", "messaging.destination.name": "1"}
    assert wanted.items() <= sent["attributes"].items()


def test_a_team_of_processes_is_part_of_the_span_that_its_task_was_given_in(tmp_path, monkeypatch, spans, provider):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    sources = {
        "lead": AgentSource(factory="traced_members:lead", arguments={"folder": str(tmp_path), "other": "aide"}),
        "aide": AgentSource(factory="traced_members:helper", arguments={"folder": str(tmp_path)}),
    }
    with Team(sources) as team, provider.get_tracer("program").start_as_current_span("job"):
        assert team.run("a task", timeout=60) == "helped"
    found = [*own(spans), *written(tmp_path)]
    assert len({span["trace"] for span in found}) == 1
    assert len({span["process"] for span in found}) == 3
    (path,) = [
        path for path in paths_of(found) if path[-2:] == ("step 1", "chat scripted") and "invoke_agent helper" in path
    ]
    assert [name for name in path if name.startswith(("job", "send", "process"))] == [
        "job",
        "send lead",
        "process lead",
        "send aide",
        "process aide",
    ]


@pytest.fixture
def mailboxes():
    with Mailboxes.open("memory://", agents=[0, 1]) as opened:
        yield opened


def test_a_task_that_fails_is_an_error_of_its_span(spans, mailboxes):
    agent = coder(ConnectionError("no"), tools=[SendMessageTool(mailboxes, 1), ReceiveMessagesTool(mailboxes, 1)])
    mailboxes[1].put("a task")
    mailboxes.send(Message(sender=0, recipient=1, content="", kind="stop"))
    assert agent.serve().failed == 1
    assert spans.tree() == [["send 1", ["process 1", ["invoke_agent boss", ["step 1", "chat scripted"]]]]]
    assert spans.named("process 1").attributes["error.type"] == "AgentGenerationError"


def test_messages_carry_no_trace_when_nobody_traces(mailboxes):
    mailboxes[1].put("a task")
    (message,) = mailboxes.peek(1)
    assert message.trace == {}


def test_an_agent_that_is_not_traced_passes_the_trace_on(mailboxes):
    headers = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "tracestate": "a=b"}
    agent = coder(
        code("send_message(0, 'look')", "final_answer('done')"),
        tools=[SendMessageTool(mailboxes, 1), ReceiveMessagesTool(mailboxes, 1)],
    )
    mailboxes.send(Message(sender=0, recipient=1, content="a task", trace=headers))
    mailboxes.send(Message(sender=0, recipient=1, content="", kind="stop"))
    assert agent.serve().answered == 1
    assert [(message.kind, message.trace) for message in mailboxes.peek(0)] == [("task", headers), ("reply", headers)]


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": "nonsense"},
        {"traceparent": f"00-{'0' * 32}-{'2' * 16}-01"},
        {"traceparent": f"00-{'1' * 32}-{'0' * 16}-01"},
        {"tracestate": "a=b"},
        {},
    ],
)
def test_headers_that_say_nothing_begin_a_trace_of_their_own(spans, mailboxes, headers):
    agent = coder(code("final_answer(1)"), tools=[SendMessageTool(mailboxes, 1), ReceiveMessagesTool(mailboxes, 1)])
    mailboxes.send(Message(sender=0, recipient=1, content="a task", trace=headers))
    mailboxes.send(Message(sender=0, recipient=1, content="", kind="stop"))
    assert agent.serve().answered == 1
    assert spans.tree()[0][0] == "process 1"
    assert spans.named("process 1").parent is None


def test_content_of_messages_is_captured_only_if_asked_for(provider, exported, mailboxes):
    smolagents.instrument(provider)
    mailboxes[1].put("a secret")
    smolagents.instrument(provider, capture_content=True)
    mailboxes[1].put({"open": [1]})
    first, second = (span.attributes for span in exported.all())
    assert "smolagents.message.content" not in first
    assert json.loads(second["smolagents.message.content"]) == {"open": [1]}
