"""The README's demo and the command, with the small local model in each of two processes."""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest

from smolagents import CodeAgent, LlamaCppModel, ReceiveMessagesTool, SendMessageTool, WebSearchTool

pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.timeout(240)]

SMOLAGENT = str(Path(sys.executable).with_name("smolagent"))


def start_agent(agent_id, queue_dict, model_path, results, task=None):
    model = LlamaCppModel(model_path)
    tools = [
        WebSearchTool(),
        SendMessageTool(queue_dict, agent_id),
        ReceiveMessagesTool(queue_dict, agent_id),
    ]
    agent = CodeAgent(tools=tools, model=model, additional_authorized_imports=["numpy", "pandas"], max_steps=3)
    result = agent.run(task=task)
    results.put((agent_id, str(result) if task else (result.answered, result.failed, result.reason)))


def test_two_agents_of_the_demo_come_to_an_end(small_model_path):
    context = get_context("spawn")
    with context.Manager() as manager:
        queue_dict = manager.dict({i: manager.Queue() for i in range(2)})
        queue_dict[1].put("Compute 5 + 3 and give the result.")
        results = manager.Queue()
        tasks = ["How many seconds would it take for a leopard at full speed to run through Pont des Arts?", None]
        processes = [
            context.Process(target=start_agent, args=(i, queue_dict, str(small_model_path), results, task))
            for i, task in enumerate(tasks)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(200)
        assert [process.exitcode for process in processes] == [0, 0]
        found = dict(results.get(timeout=5) for _ in processes)
    assert found[0]
    assert found[1] == (1, 0, "stopped")


def test_a_team_from_the_command_line_answers(small_model_path):
    options = ["--num-agents", "2", "--model-type", "LlamaCppModel", "--model-id", str(small_model_path)]
    done = subprocess.run(
        [SMOLAGENT, "Compute 5 + 3", *options, "--imports", "pandas numpy", "--max-steps", "3"],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    assert "Final answer: 8" in done.stdout
    assert "2 agents, " in done.stdout
