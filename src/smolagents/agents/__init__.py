"""Agents: the loop, its drivers, and the two kinds of agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent
    from smolagents.agents.code import CodeAgent
    from smolagents.agents.conversation import Conversation
    from smolagents.agents.run import ActionOutput, RunResult, ToolOutput
    from smolagents.agents.skills import Skill
    from smolagents.agents.templates import (
        FinalAnswerPromptTemplate,
        ManagedAgentPromptTemplate,
        PlanningPromptTemplate,
        PromptTemplates,
        populate_template,
    )
    from smolagents.agents.toolcalling import ToolCallingAgent

__all__ = [
    "ActionOutput",
    "CodeAgent",
    "Conversation",
    "FinalAnswerPromptTemplate",
    "ManagedAgentPromptTemplate",
    "MultiStepAgent",
    "PlanningPromptTemplate",
    "PromptTemplates",
    "RunResult",
    "Skill",
    "ToolCallingAgent",
    "ToolOutput",
    "populate_template",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ActionOutput": "smolagents.agents.run",
        "CodeAgent": "smolagents.agents.code",
        "Conversation": "smolagents.agents.conversation",
        "FinalAnswerPromptTemplate": "smolagents.agents.templates",
        "ManagedAgentPromptTemplate": "smolagents.agents.templates",
        "MultiStepAgent": "smolagents.agents.base",
        "PlanningPromptTemplate": "smolagents.agents.templates",
        "PromptTemplates": "smolagents.agents.templates",
        "RunResult": "smolagents.agents.run",
        "Skill": "smolagents.agents.skills",
        "ToolCallingAgent": "smolagents.agents.toolcalling",
        "ToolOutput": "smolagents.agents.run",
        "populate_template": "smolagents.agents.templates",
    },
)
