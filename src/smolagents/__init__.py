"""Agents that think in code.

A model writes Python (`CodeAgent`) or tool calls (`ToolCallingAgent`); the library runs the action, shows the model
what happened, and repeats until there is an answer. Every name here is imported when it is first used.
"""

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports, show_exports_in_vars

show_exports_in_vars(__name__)

__version__ = "2.0.0.dev0"

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent
    from smolagents.agents.code import CodeAgent
    from smolagents.agents.interpreter_tool import PythonInterpreterTool
    from smolagents.agents.parsing import extract_code_from_text, parse_code_blobs
    from smolagents.agents.run import ActionOutput, RunResult, ToolOutput
    from smolagents.agents.saving.app import create_agent_gradio_app_template
    from smolagents.agents.saving.hub import from_hub
    from smolagents.agents.skills import Skill
    from smolagents.agents.team.supervisor import AgentGaveUpError, Team
    from smolagents.agents.templates import (
        FinalAnswerPromptTemplate,
        ManagedAgentPromptTemplate,
        PlanningPromptTemplate,
        PromptTemplates,
        populate_template,
    )
    from smolagents.agents.toolcalling import ToolCallingAgent
    from smolagents.cli.arguments import parse_arguments
    from smolagents.cli.interactive import interactive_mode
    from smolagents.cli.main import main
    from smolagents.cli.model_choice import load_model
    from smolagents.cli.session import run_smolagent
    from smolagents.executors.base import CodeOutput, PythonExecutor
    from smolagents.executors.errors import InterpreterError, SessionLostError
    from smolagents.executors.local.evaluate import evaluate_python_code, fix_final_answer_code
    from smolagents.executors.local.executor import LocalPythonExecutor
    from smolagents.executors.monty.executor import MontyExecutor
    from smolagents.executors.remote.base import RemotePythonExecutor
    from smolagents.executors.remote.blaxel import BlaxelExecutor
    from smolagents.executors.remote.docker.executor import DockerExecutor
    from smolagents.executors.remote.e2b import E2BExecutor
    from smolagents.executors.remote.modal import ModalExecutor
    from smolagents.executors.sandbox.errors import SandboxUnavailableError
    from smolagents.executors.sandbox.executor import SandboxExecutor
    from smolagents.executors.wasm.executor import WasmExecutor
    from smolagents.memory.agent_memory import AgentMemory
    from smolagents.memory.callbacks import CallbackRegistry
    from smolagents.memory.steps import (
        ActionStep,
        FinalAnswerStep,
        MemoryStep,
        PlanningStep,
        SystemPromptStep,
        TaskStep,
        ToolCall,
    )
    from smolagents.messaging.mailbox import Mailboxes
    from smolagents.messaging.tools import ReceiveMessagesTool, SendMessageTool
    from smolagents.models.adapting import as_model
    from smolagents.models.anthropic import AnthropicModel
    from smolagents.models.api import ApiModel
    from smolagents.models.azure import AzureOpenAIModel, AzureOpenAIServerModel
    from smolagents.models.base import REMOVE_PARAMETER, Model
    from smolagents.models.bedrock import AmazonBedrockModel, AmazonBedrockServerModel
    from smolagents.models.cleaning import get_clean_message_list
    from smolagents.models.default import default_model
    from smolagents.models.fallback import FallbackModel
    from smolagents.models.huggingface import InferenceClientModel
    from smolagents.models.litellm import LiteLLMModel, LiteLLMRouterModel
    from smolagents.models.llama_cpp import LlamaCppModel
    from smolagents.models.mlx import MLXModel
    from smolagents.models.openai import OpenAIModel, OpenAIServerModel
    from smolagents.models.tool_text import parse_json_if_needed
    from smolagents.models.transformers import TransformersModel
    from smolagents.models.vllm import VLLMModel
    from smolagents.monitoring.levels import LogLevel
    from smolagents.monitoring.logger import AgentLogger
    from smolagents.monitoring.monitor import Monitor
    from smolagents.monitoring.telemetry import instrument, uninstrument
    from smolagents.tools.api_web_search import ApiWebSearchTool
    from smolagents.tools.arguments import validate_tool_arguments
    from smolagents.tools.base import BaseTool, Tool
    from smolagents.tools.collection import ToolCollection
    from smolagents.tools.decorator import tool
    from smolagents.tools.duckduckgo import DuckDuckGoSearchTool
    from smolagents.tools.final_answer import FinalAnswerTool
    from smolagents.tools.google_search import GoogleSearchTool
    from smolagents.tools.gradio_demo import launch_gradio_demo
    from smolagents.tools.hub import load_tool
    from smolagents.tools.mcp.client import MCPClient
    from smolagents.tools.pipeline import PipelineTool
    from smolagents.tools.source import is_valid_name, make_init_file
    from smolagents.tools.speech_to_text import SpeechToTextTool
    from smolagents.tools.user_input import UserInputTool
    from smolagents.tools.visit_webpage import VisitWebpageTool
    from smolagents.tools.web_search import WebSearchTool
    from smolagents.tools.wikipedia import WikipediaSearchTool
    from smolagents.types.agent_types import AgentAudio, AgentImage, AgentText, AgentType, handle_agent_output_types
    from smolagents.types.errors import (
        AgentError,
        AgentExecutionError,
        AgentGenerationError,
        AgentInterruptedError,
        AgentMaxStepsError,
        AgentParsingError,
        AgentToolCallError,
        AgentToolExecutionError,
        MissingExtraError,
    )
    from smolagents.types.messages import (
        ChatMessage,
        ChatMessageStreamDelta,
        ChatMessageToolCall,
        ChatMessageToolCallFunction,
        MessageRole,
        agglomerate_stream_deltas,
    )
    from smolagents.types.text import truncate_content
    from smolagents.types.usage import Timing, TokenUsage
    from smolagents.ui.gradio.app import GradioUI
    from smolagents.ui.gradio.messages import stream_to_gradio

__all__ = [
    "ActionOutput",
    "ActionStep",
    "AgentAudio",
    "AgentError",
    "AgentExecutionError",
    "AgentGaveUpError",
    "AgentGenerationError",
    "AgentImage",
    "AgentInterruptedError",
    "AgentLogger",
    "AgentMaxStepsError",
    "AgentMemory",
    "AgentParsingError",
    "AgentText",
    "AgentToolCallError",
    "AgentToolExecutionError",
    "AgentType",
    "AmazonBedrockModel",
    "AmazonBedrockServerModel",
    "AnthropicModel",
    "ApiModel",
    "ApiWebSearchTool",
    "AzureOpenAIModel",
    "AzureOpenAIServerModel",
    "BaseTool",
    "BlaxelExecutor",
    "CallbackRegistry",
    "ChatMessage",
    "ChatMessageStreamDelta",
    "ChatMessageToolCall",
    "ChatMessageToolCallFunction",
    "CodeAgent",
    "CodeOutput",
    "DockerExecutor",
    "DuckDuckGoSearchTool",
    "E2BExecutor",
    "FallbackModel",
    "FinalAnswerPromptTemplate",
    "FinalAnswerStep",
    "FinalAnswerTool",
    "GoogleSearchTool",
    "GradioUI",
    "InferenceClientModel",
    "InterpreterError",
    "LiteLLMModel",
    "LiteLLMRouterModel",
    "LlamaCppModel",
    "LocalPythonExecutor",
    "LogLevel",
    "MCPClient",
    "MLXModel",
    "Mailboxes",
    "ManagedAgentPromptTemplate",
    "MemoryStep",
    "MessageRole",
    "MissingExtraError",
    "ModalExecutor",
    "Model",
    "Monitor",
    "MontyExecutor",
    "MultiStepAgent",
    "OpenAIModel",
    "OpenAIServerModel",
    "PipelineTool",
    "PlanningPromptTemplate",
    "PlanningStep",
    "PromptTemplates",
    "PythonExecutor",
    "PythonInterpreterTool",
    "REMOVE_PARAMETER",
    "ReceiveMessagesTool",
    "RemotePythonExecutor",
    "RunResult",
    "SandboxExecutor",
    "SandboxUnavailableError",
    "SendMessageTool",
    "SessionLostError",
    "Skill",
    "SpeechToTextTool",
    "SystemPromptStep",
    "TaskStep",
    "Team",
    "Timing",
    "TokenUsage",
    "Tool",
    "ToolCall",
    "ToolCallingAgent",
    "ToolCollection",
    "ToolOutput",
    "TransformersModel",
    "UserInputTool",
    "VLLMModel",
    "VisitWebpageTool",
    "WasmExecutor",
    "WebSearchTool",
    "WikipediaSearchTool",
    "agglomerate_stream_deltas",
    "as_model",
    "create_agent_gradio_app_template",
    "default_model",
    "evaluate_python_code",
    "extract_code_from_text",
    "fix_final_answer_code",
    "from_hub",
    "get_clean_message_list",
    "handle_agent_output_types",
    "instrument",
    "interactive_mode",
    "is_valid_name",
    "launch_gradio_demo",
    "load_model",
    "load_tool",
    "main",
    "make_init_file",
    "parse_arguments",
    "parse_code_blobs",
    "parse_json_if_needed",
    "populate_template",
    "run_smolagent",
    "stream_to_gradio",
    "tool",
    "truncate_content",
    "uninstrument",
    "validate_tool_arguments",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ActionOutput": "smolagents.agents.run",
        "ActionStep": "smolagents.memory.steps",
        "AgentAudio": "smolagents.types.agent_types",
        "AgentError": "smolagents.types.errors",
        "AgentExecutionError": "smolagents.types.errors",
        "AgentGaveUpError": "smolagents.agents.team.supervisor",
        "AgentGenerationError": "smolagents.types.errors",
        "AgentImage": "smolagents.types.agent_types",
        "AgentInterruptedError": "smolagents.types.errors",
        "AgentLogger": "smolagents.monitoring.logger",
        "AgentMaxStepsError": "smolagents.types.errors",
        "AgentMemory": "smolagents.memory.agent_memory",
        "AgentParsingError": "smolagents.types.errors",
        "AgentText": "smolagents.types.agent_types",
        "AgentToolCallError": "smolagents.types.errors",
        "AgentToolExecutionError": "smolagents.types.errors",
        "AgentType": "smolagents.types.agent_types",
        "AmazonBedrockModel": "smolagents.models.bedrock",
        "AmazonBedrockServerModel": "smolagents.models.bedrock",
        "AnthropicModel": "smolagents.models.anthropic",
        "ApiModel": "smolagents.models.api",
        "ApiWebSearchTool": "smolagents.tools.api_web_search",
        "AzureOpenAIModel": "smolagents.models.azure",
        "AzureOpenAIServerModel": "smolagents.models.azure",
        "BaseTool": "smolagents.tools.base",
        "BlaxelExecutor": "smolagents.executors.remote.blaxel",
        "CallbackRegistry": "smolagents.memory.callbacks",
        "ChatMessage": "smolagents.types.messages",
        "ChatMessageStreamDelta": "smolagents.types.messages",
        "ChatMessageToolCall": "smolagents.types.messages",
        "ChatMessageToolCallFunction": "smolagents.types.messages",
        "CodeAgent": "smolagents.agents.code",
        "CodeOutput": "smolagents.executors.base",
        "DockerExecutor": "smolagents.executors.remote.docker.executor",
        "DuckDuckGoSearchTool": "smolagents.tools.duckduckgo",
        "E2BExecutor": "smolagents.executors.remote.e2b",
        "FallbackModel": "smolagents.models.fallback",
        "FinalAnswerPromptTemplate": "smolagents.agents.templates",
        "FinalAnswerStep": "smolagents.memory.steps",
        "FinalAnswerTool": "smolagents.tools.final_answer",
        "GoogleSearchTool": "smolagents.tools.google_search",
        "GradioUI": "smolagents.ui.gradio.app",
        "InferenceClientModel": "smolagents.models.huggingface",
        "InterpreterError": "smolagents.executors.errors",
        "LiteLLMModel": "smolagents.models.litellm",
        "LiteLLMRouterModel": "smolagents.models.litellm",
        "LlamaCppModel": "smolagents.models.llama_cpp",
        "LocalPythonExecutor": "smolagents.executors.local.executor",
        "LogLevel": "smolagents.monitoring.levels",
        "MCPClient": "smolagents.tools.mcp.client",
        "MLXModel": "smolagents.models.mlx",
        "Mailboxes": "smolagents.messaging.mailbox",
        "ManagedAgentPromptTemplate": "smolagents.agents.templates",
        "MemoryStep": "smolagents.memory.steps",
        "MessageRole": "smolagents.types.messages",
        "MissingExtraError": "smolagents.types.errors",
        "ModalExecutor": "smolagents.executors.remote.modal",
        "Model": "smolagents.models.base",
        "Monitor": "smolagents.monitoring.monitor",
        "MontyExecutor": "smolagents.executors.monty.executor",
        "MultiStepAgent": "smolagents.agents.base",
        "OpenAIModel": "smolagents.models.openai",
        "OpenAIServerModel": "smolagents.models.openai",
        "PipelineTool": "smolagents.tools.pipeline",
        "PlanningPromptTemplate": "smolagents.agents.templates",
        "PlanningStep": "smolagents.memory.steps",
        "PromptTemplates": "smolagents.agents.templates",
        "PythonExecutor": "smolagents.executors.base",
        "PythonInterpreterTool": "smolagents.agents.interpreter_tool",
        "REMOVE_PARAMETER": "smolagents.models.base",
        "ReceiveMessagesTool": "smolagents.messaging.tools",
        "RemotePythonExecutor": "smolagents.executors.remote.base",
        "RunResult": "smolagents.agents.run",
        "SandboxExecutor": "smolagents.executors.sandbox.executor",
        "SandboxUnavailableError": "smolagents.executors.sandbox.errors",
        "SendMessageTool": "smolagents.messaging.tools",
        "SessionLostError": "smolagents.executors.errors",
        "Skill": "smolagents.agents.skills",
        "SpeechToTextTool": "smolagents.tools.speech_to_text",
        "SystemPromptStep": "smolagents.memory.steps",
        "TaskStep": "smolagents.memory.steps",
        "Team": "smolagents.agents.team.supervisor",
        "Timing": "smolagents.types.usage",
        "TokenUsage": "smolagents.types.usage",
        "Tool": "smolagents.tools.base",
        "ToolCall": "smolagents.memory.steps",
        "ToolCallingAgent": "smolagents.agents.toolcalling",
        "ToolCollection": "smolagents.tools.collection",
        "ToolOutput": "smolagents.agents.run",
        "TransformersModel": "smolagents.models.transformers",
        "UserInputTool": "smolagents.tools.user_input",
        "VLLMModel": "smolagents.models.vllm",
        "VisitWebpageTool": "smolagents.tools.visit_webpage",
        "WasmExecutor": "smolagents.executors.wasm.executor",
        "WebSearchTool": "smolagents.tools.web_search",
        "WikipediaSearchTool": "smolagents.tools.wikipedia",
        "agglomerate_stream_deltas": "smolagents.types.messages",
        "as_model": "smolagents.models.adapting",
        "create_agent_gradio_app_template": "smolagents.agents.saving.app",
        "default_model": "smolagents.models.default",
        "evaluate_python_code": "smolagents.executors.local.evaluate",
        "extract_code_from_text": "smolagents.agents.parsing",
        "fix_final_answer_code": "smolagents.executors.local.evaluate",
        "from_hub": "smolagents.agents.saving.hub",
        "get_clean_message_list": "smolagents.models.cleaning",
        "handle_agent_output_types": "smolagents.types.agent_types",
        "instrument": "smolagents.monitoring.telemetry",
        "interactive_mode": "smolagents.cli.interactive",
        "is_valid_name": "smolagents.tools.source",
        "launch_gradio_demo": "smolagents.tools.gradio_demo",
        "load_model": "smolagents.cli.model_choice",
        "load_tool": "smolagents.tools.hub",
        "main": "smolagents.cli.main",
        "make_init_file": "smolagents.tools.source",
        "parse_arguments": "smolagents.cli.arguments",
        "parse_code_blobs": "smolagents.agents.parsing",
        "parse_json_if_needed": "smolagents.models.tool_text",
        "populate_template": "smolagents.agents.templates",
        "run_smolagent": "smolagents.cli.session",
        "stream_to_gradio": "smolagents.ui.gradio.messages",
        "tool": "smolagents.tools.decorator",
        "truncate_content": "smolagents.types.text",
        "uninstrument": "smolagents.monitoring.telemetry",
        "validate_tool_arguments": "smolagents.tools.arguments",
    },
)
