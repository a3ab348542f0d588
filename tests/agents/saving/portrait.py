"""What can be seen of an agent from outside, as plain data: to compare agents of two processes."""

from __future__ import annotations

import inspect
import json
from typing import Any

ELSEWHERE = {
    "verbosity_level": lambda agent: int(agent.logger.level),
    "use_structured_outputs_internally": lambda agent: agent._use_structured_outputs_internally,
    "add_base_tools": lambda agent: list(agent.tools),
    "tools": lambda agent: {name: of_tool(tool) for name, tool in agent.tools.items()},
    "managed_agents": lambda agent: {name: portrait(each, agent) for name, each in agent.managed_agents.items()},
    "model": lambda agent: None if agent._model is None else [type(agent.model).__name__, agent.model.replies],
    "skills": lambda agent: {name: sorted(map(repr, each.files.items())) for name, each in agent.skills.items()},
    # Those of an agent without a model are the defaults of whatever model it gets.
    "prompt_templates": lambda agent: None if agent._model is None else agent.prompt_templates,
    "final_answer_checks": lambda agent: len(agent.final_answer_checks),
    "step_callbacks": lambda agent: sum(map(len, agent.step_callbacks._callbacks.values())),
    "logger": lambda agent: type(agent.logger).__name__,
    "executor": lambda agent: type(agent._given_executor).__name__,
    "grammar": lambda agent: None,
}


def parameters(cls: type) -> set[str]:
    """The names of all arguments of a class of agents, with those that it hands on."""
    inits = [vars(each)["__init__"] for each in cls.__mro__ if "__init__" in vars(each) and each is not object]
    found = [each for init in inits for each in inspect.signature(init).parameters.values()]
    return {each.name for each in found if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)} - {"self"}


def portrait(agent: Any, manager: Any = None) -> Any:
    """All of an agent, by the names of its constructor's arguments."""
    found = {
        name: ELSEWHERE.get(name, lambda each, name=name: getattr(each, name))(agent)
        for name in parameters(type(agent))
    }
    found["class"] = type(agent).__name__
    found["same model"] = manager is not None and agent._model is manager._model
    if agent._model is not None:
        try:
            found["system prompt"] = agent.system_prompt
        except ValueError:  # a drawn text that is no template
            found["system prompt"] = "malformed"
    return json.loads(json.dumps(found, sort_keys=True))


def of_tool(tool: Any) -> Any:
    result: Any = None
    if tool.name.startswith("tool_"):
        result = [tool(each) for each in (0, 7)]
    elif tool.name == "greeter":
        result = tool("Ann")
    seen = [type(tool).__name__, tool.name, tool.description, tool.inputs, tool.output_type]
    return [*seen, tool.timeout, tool.retries, tool.cache, tool.to_code_prompt(), result]
