"""An agent's prompt is true of where its code runs."""

from __future__ import annotations

import pytest

from smolagents import CodeAgent
from smolagents.testing import ScriptedModel


def test_the_prompt_says_what_monty_lacks():
    pytest.importorskip("pydantic_monty")
    agent = CodeAgent(tools=[], model=ScriptedModel([]), executor_type="monty", instructions="Be brief.")
    prompt = agent.initialize_system_prompt()
    assert "Be brief." in prompt
    assert agent.python_executor.language_notes in prompt
    assert "statistics" not in prompt.partition("import")[2].partition("\n")[0]
    agent.cleanup()


def test_the_prompt_of_others_has_no_such_notes():
    agent = CodeAgent(tools=[], model=ScriptedModel([]))
    assert agent._instructions() is None


def test_where_there_is_no_sandbox_monty_takes_its_place(monkeypatch):
    pytest.importorskip("pydantic_monty")
    monkeypatch.setattr("smolagents.agents.executor_types.sys.platform", "darwin")
    with CodeAgent(tools=[], model=ScriptedModel([]), executor_type="sandbox") as agent:
        assert type(agent.python_executor).__name__ == "MontyExecutor"


def test_where_there_is_neither_the_choices_are_named(monkeypatch):
    from smolagents.executors.sandbox import confine, executor

    support = confine.Support(
        system="darwin",
        landlock=0,
        seccomp=False,
        namespaces=False,
        missing=[confine.Gap("platform", "the sandbox is for Linux", "use another executor")],
        reduced=[],
    )
    monkeypatch.setattr(confine, "probe", lambda: support, raising=False)
    with pytest.raises(executor.SandboxUnavailableError, match="'docker', 'wasm'"):
        CodeAgent(tools=[], model=ScriptedModel([]), executor_type="sandbox")
