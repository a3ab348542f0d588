"""Helpers of the library that programs use, each defined where it belongs."""

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports

if TYPE_CHECKING:
    from smolagents.agents.parsing import extract_code_from_text, parse_code_blobs
    from smolagents.agents.saving.app import create_agent_gradio_app_template
    from smolagents.models.images import encode_image_base64, make_image_url
    from smolagents.models.retrying import RateLimiter, Retrying, is_rate_limit_error
    from smolagents.models.tool_text import parse_json_blob
    from smolagents.tools.source import get_source, instance_to_source, is_valid_name, make_init_file
    from smolagents.types.errors import (
        AgentError,
        AgentExecutionError,
        AgentGenerationError,
        AgentInterruptedError,
        AgentMaxStepsError,
        AgentParsingError,
        AgentToolCallError,
        AgentToolExecutionError,
    )
    from smolagents.types.jsonable import make_json_serializable
    from smolagents.types.text import MAX_LENGTH_TRUNCATE_CONTENT, truncate_content

__all__ = [
    "MAX_LENGTH_TRUNCATE_CONTENT",
    "AgentError",
    "AgentExecutionError",
    "AgentGenerationError",
    "AgentInterruptedError",
    "AgentMaxStepsError",
    "AgentParsingError",
    "AgentToolCallError",
    "AgentToolExecutionError",
    "RateLimiter",
    "Retrying",
    "create_agent_gradio_app_template",
    "encode_image_base64",
    "extract_code_from_text",
    "get_source",
    "instance_to_source",
    "is_rate_limit_error",
    "is_valid_name",
    "make_image_url",
    "make_init_file",
    "make_json_serializable",
    "parse_code_blobs",
    "parse_json_blob",
    "truncate_content",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "MAX_LENGTH_TRUNCATE_CONTENT": "smolagents.types.text",
        "AgentError": "smolagents.types.errors",
        "AgentExecutionError": "smolagents.types.errors",
        "AgentGenerationError": "smolagents.types.errors",
        "AgentInterruptedError": "smolagents.types.errors",
        "AgentMaxStepsError": "smolagents.types.errors",
        "AgentParsingError": "smolagents.types.errors",
        "AgentToolCallError": "smolagents.types.errors",
        "AgentToolExecutionError": "smolagents.types.errors",
        "RateLimiter": "smolagents.models.retrying",
        "Retrying": "smolagents.models.retrying",
        "create_agent_gradio_app_template": "smolagents.agents.saving.app",
        "encode_image_base64": "smolagents.models.images",
        "extract_code_from_text": "smolagents.agents.parsing",
        "get_source": "smolagents.tools.source",
        "instance_to_source": "smolagents.tools.source",
        "is_rate_limit_error": "smolagents.models.retrying",
        "is_valid_name": "smolagents.tools.source",
        "make_image_url": "smolagents.models.images",
        "make_init_file": "smolagents.tools.source",
        "make_json_serializable": "smolagents.types.jsonable",
        "parse_code_blobs": "smolagents.agents.parsing",
        "parse_json_blob": "smolagents.models.tool_text",
        "truncate_content": "smolagents.types.text",
    },
)
