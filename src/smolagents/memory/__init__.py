"""What an agent did: its steps, and the messages they make for the model.

A step is rendered to messages once. `AgentMemory` appends them to one list, and every step refers to the
messages it was given by a prefix of that list, so that the cost of a step does not grow with their number.
Changing a step, or the list of steps, makes the memory render itself anew when it is next asked.
"""

from __future__ import annotations

from smolagents.memory.agent_memory import AgentMemory
from smolagents.memory.callbacks import CallbackRegistry
from smolagents.memory.fields import MessagePrefix
from smolagents.memory.steps import (
    ActionStep,
    FinalAnswerStep,
    MemoryStep,
    PlanningStep,
    SystemPromptStep,
    TaskStep,
    ToolCall,
)

__all__ = [
    "ActionStep",
    "AgentMemory",
    "CallbackRegistry",
    "FinalAnswerStep",
    "MemoryStep",
    "MessagePrefix",
    "PlanningStep",
    "SystemPromptStep",
    "TaskStep",
    "ToolCall",
]
