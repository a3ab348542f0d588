"""Many users of one agent object: each goes on with a conversation of their own."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from smolagents import CodeAgent, ToolCallingAgent, tool
from smolagents.agents import Conversation
from smolagents.executors.base import CodeOutput, PythonExecutor
from smolagents.testing import ScriptedModel, tool_call, tool_calls
from smolagents.types.errors import AgentExecutionError, AgentInterruptedError


def code(text: str) -> str:
    return f"Thought: so\n<code>\n{text}\n</code>"


def last_task(messages: list[Any]) -> str:
    return [message.text for message in messages if "New task:" in message.text][-1]


def obedient(messages: list[Any]) -> str:
    """Runs the code that the task is."""
    return code(last_task(messages).split("New task:\n")[1].split("\nYou are given")[0])


def make(**kwargs: Any) -> CodeAgent:
    return CodeAgent(tools=[], model=ScriptedModel([obedient], cycle=True), verbosity_level=0, max_steps=1, **kwargs)


def test_each_conversation_has_its_memory_and_its_variables() -> None:
    agent = make()
    ada, bob = Conversation(), Conversation()
    with ada:
        agent.run("name = 'Ada'; final_answer(1)")
    with bob:
        agent.run("name = 'Bob'; final_answer(2)")
    agent.run("name = 'nobody'; final_answer(3)")
    for user, name in ((ada, "Ada"), (bob, "Bob"), (ada, "Ada")):
        with user:
            assert agent.run("final_answer(name)", reset=False) == name
            text = str(agent.model.requests[-1].text)
            assert "name = " + repr(name) in text
            assert not any(other in text for other in {"Ada", "Bob", "nobody"} - {name})
    assert agent.run("final_answer(name)", reset=False) == "nobody"
    assert len(agent.memory.steps) == 4
    with ada:
        assert len(agent.memory.steps) == 6


def test_reset_starts_a_conversation_afresh() -> None:
    agent = make()
    with Conversation():
        agent.run("x = 1; final_answer(x)")
        agent.run("final_answer(x)")
        assert "x" in str(agent.memory.steps[1].error)
        assert len(agent.memory.steps) == 3


def test_what_the_agents_user_set_is_there_in_each() -> None:
    agent = make()
    agent.state["greeting"] = "hello"
    for _ in range(2):
        with Conversation():
            assert agent.run("final_answer(greeting)") == "hello"
            agent.state["greeting"] = "changed"
    assert agent.run("final_answer(greeting)") == "hello"


def test_a_called_agent_does_not_remember_another_conversation() -> None:
    """Not even when the model's own code asks it to go on with what it last did."""
    helper = CodeAgent(
        tools=[],
        model=ScriptedModel([obedient], cycle=True),
        name="helper",
        description="Helps.",
        verbosity_level=0,
    )
    helper.prompt_templates["managed_agent"]["task"] = "{{task}}"
    agent = make(managed_agents=[helper])
    ada, bob = Conversation(), Conversation()
    with ada:
        agent.run("helper(task=\"secret = 'of Ada'; final_answer(0)\"); final_answer(1)")
        again = agent.run("final_answer(helper(task='final_answer(secret)', reset=False))", reset=False)
        assert "of Ada" in again
    with bob:
        before = len(helper.model.requests)
        agent.run("final_answer(helper(task='final_answer(1)', reset=False))")
        assert "Ada" not in helper.model.requests[before].text


def test_conversations_at_once_in_async_tasks() -> None:
    agent = make()

    async def talk(number: int) -> None:
        with Conversation() as conversation:
            await agent.arun(f"mine = {number}; final_answer(0)")
            for _ in range(3):
                assert await agent.arun("final_answer(mine)", reset=False) == number
        conversation.close()

    async def main() -> None:
        await asyncio.gather(*(talk(number) for number in range(25)))

    asyncio.run(main())


def test_interrupting_one_leaves_the_others() -> None:
    both_there, stopped = threading.Barrier(3), threading.Event()

    @tool
    def wait(who: str) -> str:
        """Waits.

        Args:
            who: Who waits.
        """
        from smolagents.tools.interruption import interruptible_sleep

        both_there.wait(10)
        if who == "bob":
            assert stopped.wait(10)
        else:
            interruptible_sleep(30)
        return who

    agent = CodeAgent(tools=[wait], model=ScriptedModel([obedient], cycle=True), verbosity_level=0, max_steps=1)
    outcome: dict[str, Any] = {}

    def talk(who: str, conversation: Conversation) -> None:
        try:
            with conversation:
                outcome[who] = agent.run(f"final_answer(wait({who!r}))")
        except AgentInterruptedError as error:
            outcome[who] = error

    ada, bob = Conversation(), Conversation()
    threads = [threading.Thread(target=talk, args=each) for each in (("ada", ada), ("bob", bob))]
    for thread in threads:
        thread.start()
    both_there.wait(10)
    ada.interrupt()
    threads[0].join(10)
    stopped.set()
    threads[1].join(10)
    assert isinstance(outcome["ada"], AgentInterruptedError)
    assert outcome["bob"] == "bob"


def test_a_closed_conversation_is_over() -> None:
    agent = make()
    conversation = Conversation()
    with conversation:
        agent.run("final_answer(1)")
    conversation.close()
    conversation.close()
    with conversation, pytest.raises(ValueError, match="closed: begin another"):
        agent.run("final_answer(1)", reset=False)


class OneSession(PythonExecutor):
    """An executor that cannot be had twice."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}

    def send_tools(self, tools: Any) -> None:
        pass

    def send_variables(self, variables: Any) -> None:
        self.variables.update(variables)

    def __call__(self, code_action: str) -> CodeOutput:
        name, _, value = code_action.partition(" = ")
        if value:
            self.variables[name] = value
        return CodeOutput(self.variables.get(name), "", True)

    def cleanup(self) -> None:
        self.variables.clear()


def test_an_executor_with_one_session_serves_one_conversation() -> None:
    agent = make(executor=OneSession())
    ada, bob = Conversation(), Conversation()
    with ada:
        assert agent.run("secret = 7") == "7"
        assert agent.run("secret", reset=False) == "7"
    with bob, pytest.raises(AgentExecutionError, match="OneSession has a single session"):
        agent.run("secret")
    ada.close()
    with bob:
        assert agent.run("secret") is None


def test_tool_calling_agents_keep_apart_too() -> None:
    def reply(messages: list[Any]) -> Any:
        return tool_calls(tool_call("final_answer", {"answer": last_task(messages)[-3:]}))

    agent = ToolCallingAgent(tools=[], model=ScriptedModel([reply], cycle=True), verbosity_level=0)
    ada, bob = Conversation(), Conversation()
    with ada:
        assert agent.run("Ada") == "Ada"
    with bob:
        assert agent.run("Bob", reset=False) == "Bob"
        assert "Ada" not in agent.model.requests[-1].text


def test_who_watches_is_told_of_called_agents_too() -> None:
    from smolagents.agents.run import Run, RunEnded, watching

    helper = CodeAgent(
        tools=[],
        model=ScriptedModel([code("final_answer(5)")], cycle=True),
        name="helper",
        description="Helps.",
        verbosity_level=0,
    )
    agent = make(managed_agents=[helper])
    told: list[tuple[Run, Any]] = []
    token = watching.set(lambda run, event: told.append((run, event)))
    try:
        agent.run("final_answer(helper(task='x'))")
    finally:
        watching.reset(token)
    agent.run("final_answer(1)")
    kinds = [(run.agent.name, type(event).__name__) for run, event in told]
    for name in (None, "helper"):
        own = [kind for whose, kind in kinds if whose == name]
        assert own[0] == "TaskStep"
        assert own[-1] == "RunEnded"
        assert own.count("ActionStep") == own.count("StepStarted") == own.count("FinalAnswerStep") == 1
    inner, outer = (next(run for run, _ in told if run.agent is each) for each in (helper, agent))
    assert inner.parent is outer
    assert [run for run, event in told if isinstance(event, RunEnded)] == [inner, outer]
