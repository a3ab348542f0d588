"""Texts, images and sounds that tools take and return: the documented path of `smolagents.types.agent_types`."""

from smolagents.types.agent_types import (
    AgentAudio,
    AgentImage,
    AgentText,
    AgentType,
    handle_agent_input_types,
    handle_agent_output_types,
)

__all__ = [
    "AgentAudio",
    "AgentImage",
    "AgentText",
    "AgentType",
    "handle_agent_input_types",
    "handle_agent_output_types",
]
