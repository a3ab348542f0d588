"""Models: what they are, one module for each provider, and what all of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports

if TYPE_CHECKING:
    from smolagents.models.adapting import as_model as as_model
    from smolagents.models.anthropic import AnthropicModel as AnthropicModel
    from smolagents.models.api import ApiModel as ApiModel
    from smolagents.models.azure import AzureOpenAIModel as AzureOpenAIModel
    from smolagents.models.azure import AzureOpenAIServerModel as AzureOpenAIServerModel
    from smolagents.models.base import REMOVE_PARAMETER as REMOVE_PARAMETER
    from smolagents.models.base import Model as Model
    from smolagents.models.bedrock import AmazonBedrockModel as AmazonBedrockModel
    from smolagents.models.bedrock import AmazonBedrockServerModel as AmazonBedrockServerModel
    from smolagents.models.cleaning import get_clean_message_list as get_clean_message_list
    from smolagents.models.default import default_model as default_model
    from smolagents.models.default import make_model as make_model
    from smolagents.models.facts import ModelFacts as ModelFacts
    from smolagents.models.facts import supports_stop_parameter as supports_stop_parameter
    from smolagents.models.fallback import FallbackModel as FallbackModel
    from smolagents.models.huggingface import InferenceClientModel as InferenceClientModel
    from smolagents.models.litellm import LiteLLMModel as LiteLLMModel
    from smolagents.models.litellm import LiteLLMRouterModel as LiteLLMRouterModel
    from smolagents.models.llama_cpp import LlamaCppModel as LlamaCppModel
    from smolagents.models.mlx import MLXModel as MLXModel
    from smolagents.models.openai import OpenAIModel as OpenAIModel
    from smolagents.models.openai import OpenAIServerModel as OpenAIServerModel
    from smolagents.models.retrying import is_rate_limit_error as is_rate_limit_error
    from smolagents.models.stops import remove_content_after_stop_sequences as remove_content_after_stop_sequences
    from smolagents.models.tool_schemas import get_tool_json_schema as get_tool_json_schema
    from smolagents.models.tool_text import get_tool_call_from_text as get_tool_call_from_text
    from smolagents.models.tool_text import parse_json_if_needed as parse_json_if_needed
    from smolagents.models.transformers import TransformersModel as TransformersModel
    from smolagents.models.vllm import VLLMModel as VLLMModel
    from smolagents.types.messages import ChatMessage as ChatMessage
    from smolagents.types.messages import ChatMessageStreamDelta as ChatMessageStreamDelta
    from smolagents.types.messages import ChatMessageToolCall as ChatMessageToolCall
    from smolagents.types.messages import ChatMessageToolCallFunction as ChatMessageToolCallFunction
    from smolagents.types.messages import ChatMessageToolCallStreamDelta as ChatMessageToolCallStreamDelta
    from smolagents.types.messages import MessageRole as MessageRole
    from smolagents.types.messages import agglomerate_stream_deltas as agglomerate_stream_deltas
    from smolagents.types.messages import get_dict_from_nested_dataclasses as get_dict_from_nested_dataclasses
    from smolagents.types.usage import TokenUsage as TokenUsage

_MODULES = {
    "smolagents.models.adapting": ("as_model",),
    "smolagents.models.anthropic": ("AnthropicModel",),
    "smolagents.models.api": ("ApiModel",),
    "smolagents.models.azure": ("AzureOpenAIModel", "AzureOpenAIServerModel"),
    "smolagents.models.base": ("REMOVE_PARAMETER", "Model"),
    "smolagents.models.bedrock": ("AmazonBedrockModel", "AmazonBedrockServerModel"),
    "smolagents.models.cleaning": ("get_clean_message_list",),
    "smolagents.models.default": ("default_model", "make_model"),
    "smolagents.models.facts": ("ModelFacts", "supports_stop_parameter"),
    "smolagents.models.fallback": ("FallbackModel",),
    "smolagents.models.huggingface": ("InferenceClientModel",),
    "smolagents.models.litellm": ("LiteLLMModel", "LiteLLMRouterModel"),
    "smolagents.models.llama_cpp": ("LlamaCppModel",),
    "smolagents.models.mlx": ("MLXModel",),
    "smolagents.models.openai": ("OpenAIModel", "OpenAIServerModel"),
    "smolagents.models.retrying": ("is_rate_limit_error",),
    "smolagents.models.stops": ("remove_content_after_stop_sequences",),
    "smolagents.models.tool_schemas": ("get_tool_json_schema",),
    "smolagents.models.tool_text": ("get_tool_call_from_text", "parse_json_if_needed"),
    "smolagents.models.transformers": ("TransformersModel",),
    "smolagents.models.vllm": ("VLLMModel",),
    "smolagents.types.messages": (
        "ChatMessage",
        "ChatMessageStreamDelta",
        "ChatMessageToolCall",
        "ChatMessageToolCallFunction",
        "ChatMessageToolCallStreamDelta",
        "MessageRole",
        "agglomerate_stream_deltas",
        "get_dict_from_nested_dataclasses",
    ),
    "smolagents.types.usage": ("TokenUsage",),
}
_EXPORTS = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_EXPORTS)  # noqa: PLE0605

__getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
