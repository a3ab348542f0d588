"""The examples of the guide and the reference run as they are written, given a model that answers.

Each is written to a file and run as a program. What stands for a provider's model plays replies; what would ask the
internet is answered here. Nothing else is changed.
"""

from __future__ import annotations

import ast
import importlib.util
import runpy
from pathlib import Path
from typing import Any

import pytest

import smolagents
from smolagents import CodeAgent, PlanningStep, TaskStep, Tool
from smolagents.testing import ScriptedModel
from support.raw_wire import RawAnswer, serve_raw
from support.wire import Answer, completion, serve_answers

FIBONACCI = (
    "Thought: I add up.\n<code>\na, b = 0, 1\nfor _ in range(117):\n    a, b = b, a + b\nfinal_answer(b)\n</code>"
)
ANSWER = "Thought: I know it.\n<code>\nfinal_answer('an answer')\n</code>"


class Played:
    """Makes models that play the replies of an example, whatever settings they are made with."""

    def __init__(self, replies: list[str]) -> None:
        self.replies = replies
        self.made: list[ScriptedModel] = []
        self.settings: list[dict[str, Any]] = []

    def __call__(self, **settings: Any) -> ScriptedModel:
        self.settings.append(settings)
        self.made.append(ScriptedModel(self.replies, cycle=len(self.replies) == 1))
        return self.made[-1]


MODELS = ("InferenceClientModel", "TransformersModel", "LiteLLMModel")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs an example with replies to play, and gives back its names and the models it made."""

    def run(source: str, replies: list[str] | None = None, **names: Any) -> tuple[dict[str, Any], Played]:
        played = Played(replies or [ANSWER])
        for name in MODELS:
            monkeypatch.setattr(smolagents, name, played, raising=False)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "not a key")
        ast.parse(source)
        path = tmp_path / "example.py"
        path.write_text(source, encoding="utf-8")
        return runpy.run_path(str(path), init_globals=names), played

    return run


BASIC = """
from smolagents import CodeAgent, InferenceClientModel

# Initialize model
model = InferenceClientModel(model_id="meta-llama/Llama-3.3-70B-Instruct")
# Or use default model: model = InferenceClientModel()

# Create agent with default tools
agent = CodeAgent(tools=[], model=model, add_base_tools=True)

# Run the agent
result = agent.run("What is the 118th number in the Fibonacci sequence?")
"""

LOCAL_MODEL = """
from smolagents import CodeAgent, TransformersModel

model = TransformersModel(
    model_id="Qwen/Qwen2.5-Coder-32B-Instruct",
    max_new_tokens=4096,
    device_map="auto"
)

agent = CodeAgent(tools=[], model=model)
result = agent.run("What is the sum of the first 1000 prime numbers?")
"""

API_MODEL = """
from smolagents import CodeAgent, LiteLLMModel
import os

model = LiteLLMModel(
    model_id="anthropic/claude-3-5-sonnet-latest",
    temperature=0.2,
    api_key=os.environ["ANTHROPIC_API_KEY"]
)

agent = CodeAgent(tools=[], model=model)
result = agent.run("Create a function to detect palindromes in a text file.")
"""

DECORATED_TOOL = '''
from smolagents import tool, CodeAgent, InferenceClientModel
from huggingface_hub import list_models

@tool
def model_download_tool(task: str) -> str:
    """
    Returns the most downloaded model of a given task on the Hugging Face Hub.

    Args:
        task: The task for which to get the most downloaded model.
    """
    most_downloaded_model = next(iter(list_models(filter=task, sort="downloads", direction=-1)))
    return most_downloaded_model.id

# Create agent with custom tool
agent = CodeAgent(tools=[model_download_tool], model=InferenceClientModel())
result = agent.run("What's the most popular text-to-image model on Hugging Face?")
'''

TOOL_CLASS = '''
from smolagents import Tool, CodeAgent, InferenceClientModel
from typing import Optional, Dict, Any

class WeatherTool(Tool):
    name = "weather_tool"
    description = "Gets the current weather for a location"

    def __init__(self, api_key: Optional[str] = None):
        self.api_key = api_key
        super().__init__()

    def forward(self, location: str) -> Dict[str, Any]:
        """
        Get the weather for a location.

        Args:
            location: City and country (e.g., "Paris, France")
        """
        # Implementation using weather API
        # For demo, returning mock data
        return {
            "location": location,
            "temperature": 22.5,
            "conditions": "Partly cloudy"
        }

# Create agent with custom tool class
weather_tool = WeatherTool(api_key="your_api_key")
agent = CodeAgent(tools=[weather_tool], model=InferenceClientModel())
'''

BUILT_IN_TOOLS = """
from smolagents import WebSearchTool, CodeAgent, InferenceClientModel

# Initialize tools
search_tool = WebSearchTool()
# You can test tools directly
search_result = search_tool("What is the capital of France?")
print(search_result)

# Create agent with tools
agent = CodeAgent(
    tools=[search_tool],
    model=InferenceClientModel(),
    add_base_tools=True  # Adds default tools
)

result = agent.run("Who is the tallest NBA player in history?")
"""

IMPORTS = """
from smolagents import CodeAgent, InferenceClientModel

# Allow certain imports
agent = CodeAgent(
    tools=[],
    model=InferenceClientModel(),
    additional_authorized_imports=['pandas', 'numpy', 'matplotlib.pyplot']
)
"""

TEAM = """
from smolagents import CodeAgent, InferenceClientModel, WebSearchTool

model = InferenceClientModel()

# Create specialized agent for web search
web_agent = CodeAgent(
    tools=[WebSearchTool()],
    model=model,
    name="web_search",
    description="Runs web searches for you. Give it your query as an argument."
)

# Create manager agent that can delegate to web_agent
manager_agent = CodeAgent(
    tools=[],
    model=model,
    managed_agents=[web_agent]
)

result = manager_agent.run("Research the impact of climate change on coral reefs")
"""

INSPECTING = """
# Run your agent
agent.run("Your task here")

# Check the logs
for step in agent.logs:
    print(f"Step {step['step_number']}:")
    print(f"Code executed: {step['code']}")
    print(f"Output: {step['output']}")
    print(f"Duration: {step['duration']} seconds")
    print("---")

# Get chat messages format
messages = agent.write_memory_to_messages()
for msg in messages:
    print(f"{msg['role']}: {msg['content']}")
"""

ADDITIONAL_ARGUMENTS = """
agent.run(
    "Describe what's in this image",
    additional_args={
        "image_url": "https://example.com/image.jpg"
    }
)
"""

PLANNING = """
from smolagents import CodeAgent, InferenceClientModel
agent = CodeAgent(
    tools=[],
    model=InferenceClientModel(),
    planning_interval=3  # Add planning step every 3 normal steps
)
"""

DEFAULT_MODEL = """
from smolagents import CodeAgent
agent = CodeAgent(tools=[])
agent.run("What is the result of 2 power 3.7384?")
"""


def test_a_basic_agent(example: Any):
    names, played = example(BASIC, [FIBONACCI])
    assert names["result"] == 2046711111473984623691759
    assert played.settings == [{"model_id": "meta-llama/Llama-3.3-70B-Instruct"}]
    assert "def web_search(" in played.made[0].requests[0].messages[0].text


@pytest.mark.parametrize(("source", "model_id"), [(LOCAL_MODEL, "Qwen/"), (API_MODEL, "anthropic/")])
def test_other_models(example: Any, source: str, model_id: str):
    names, played = example(source)
    assert names["result"] == "an answer"
    assert played.settings[0]["model_id"].startswith(model_id)


def test_a_tool_from_a_function(example: Any):
    class Found:
        id = "black-forest-labs/FLUX.1-dev"

    def list_models(**query: Any) -> list[Found]:
        assert query == {"filter": "text-to-image", "sort": "downloads", "direction": -1}
        return [Found()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.list_models", list_models)
        names, played = example(
            DECORATED_TOOL,
            ["Thought: I ask.\n<code>\nfinal_answer(model_download_tool(task='text-to-image'))\n</code>"],
        )
    assert names["result"] == "black-forest-labs/FLUX.1-dev"
    prompt = played.made[0].requests[0].messages[0].text
    assert "def model_download_tool(task: str) -> str:" in prompt
    assert "Returns the most downloaded model of a given task" in prompt


def test_a_tool_from_a_class_without_inputs(example: Any):
    names, played = example(
        TOOL_CLASS,
        ["Thought: I ask.\n<code>\nfinal_answer(weather_tool(location='Paris, France')['temperature'])\n</code>"],
    )
    assert names["agent"].run("How warm is it in Paris?") == 22.5
    tool = names["weather_tool"]
    assert tool.inputs["location"]["type"] == "string"
    assert "City and country" in tool.inputs["location"]["description"]
    assert tool.output_type == "object"
    assert "def weather_tool(location: str) -> dict" in played.made[0].requests[0].messages[0].text


@pytest.fixture
def no_internet(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The built-in search, answered here."""
    asked: list[str] = []

    class WebSearchTool(Tool):
        name = "web_search"
        description = "Searches the web."
        inputs = {"query": {"type": "string", "description": "What to look for."}}
        output_type = "string"

        def forward(self, query: str) -> str:
            asked.append(query)
            return f"## Search Results\n\n[found]({query})"

    monkeypatch.setattr(smolagents, "WebSearchTool", WebSearchTool, raising=False)
    return asked


def test_built_in_tools(example: Any, no_internet: list[str], capsys: pytest.CaptureFixture[str]):
    names, played = example(
        BUILT_IN_TOOLS, ["Thought: I search.\n<code>\nfinal_answer(web_search(query='tallest player'))\n</code>"]
    )
    assert "found" in names["result"]
    assert no_internet == ["What is the capital of France?", "tallest player"]
    assert "Search Results" in capsys.readouterr().out
    assert set(names["agent"].tools) == {"web_search", "visit_webpage", "final_answer"}
    assert played.made[0].requests[0].text.count("def web_search(") == 1


def test_imports_that_are_allowed(example: Any):
    names, _ = example(IMPORTS)
    for module in ("pandas", "numpy", "matplotlib.pyplot"):
        assert module in names["agent"].authorized_imports
        assert module in names["agent"].system_prompt


@pytest.mark.skipif(importlib.util.find_spec("numpy") is None, reason="numpy is not installed")
def test_code_uses_imports_that_are_allowed(example: Any):
    names, _ = example(
        IMPORTS, ["Thought: I add.\n<code>\nimport numpy as np\nfinal_answer(int(np.arange(5).sum()))\n</code>"]
    )
    assert names["agent"].run("Add.") == 10


def test_a_team(example: Any, no_internet: list[str]):
    """The team member has the name of its own tool."""
    names, played = example(
        TEAM,
        [
            "Thought: I delegate.\n<code>\nreport = web_search(task='coral reefs')\nprint(report)\n</code>",
            "Thought: I search.\n<code>\nfinal_answer(web_search(query='coral bleaching'))\n</code>",
            "Thought: I report.\n<code>\nfinal_answer(report)\n</code>",
        ],
    )
    assert "coral bleaching" in names["result"]
    assert "web_search" in names["result"]
    assert no_internet == ["coral bleaching"]
    played.made[0].assert_finished()
    manager_prompt, member_prompt = (request.messages[0].text for request in played.made[0].requests[:2])
    assert "def web_search(task: str" in manager_prompt
    assert "def web_search(query: str" in member_prompt


def test_inspecting_a_run(example: Any, capsys: pytest.CaptureFixture[str]):
    model = ScriptedModel(["Thought: a\n<code>\nx = 6 * 7\nprint(x)\n</code>", ANSWER])
    example(INSPECTING, agent=CodeAgent([], model=model, verbosity_level=-1))
    shown = capsys.readouterr().out
    assert "Step 1:\nCode executed: x = 6 * 7\nprint(x)\nOutput: " in shown
    assert "Step 2:\nCode executed: final_answer('an answer')\nOutput: an answer\nDuration: " in shown
    assert "\nuser: [{'type': 'text', 'text': 'New task:\\nYour task here'}]" in shown
    assert "\nassistant: " in shown


def test_values_handed_over(example: Any):
    model = ScriptedModel(["Thought: a\n<code>\nfinal_answer(image_url.split('/')[-1])\n</code>"])
    agent = CodeAgent([], model=model, verbosity_level=-1)
    example(ADDITIONAL_ARGUMENTS, agent=agent)
    assert agent.logs[-1].action_output == "image.jpg"
    assert "image_url: 'https://example.com/image.jpg'" in model.requests[0].text


def test_planning(example: Any):
    names, _ = example(PLANNING, ["1. Think.", *["<code>\nx = 1\n</code>"] * 3, "2. Think again.", ANSWER])
    agent = names["agent"]
    assert agent.run("Think.") == "an answer"
    assert [isinstance(step, PlanningStep) for step in agent.memory.steps] == [
        *(False, True, False, False, False, True, False)
    ]


def test_an_agent_without_a_model_uses_the_default(example: Any, monkeypatch: pytest.MonkeyPatch):
    model = ScriptedModel(["Thought: power.\n<code>\nfinal_answer(2 ** 3.7384)\n</code>"])
    monkeypatch.setattr("smolagents.models.default.default_model", lambda: model)
    names, _ = example(DEFAULT_MODEL)
    agent = names["agent"]
    assert agent.model is model
    assert isinstance(agent.memory.steps[0], TaskStep)
    assert agent.memory.steps[-1].action_output == pytest.approx(13.3458, abs=1e-3)


LITELLM_MODEL = """
import os
from smolagents import LiteLLMModel

model = LiteLLMModel(
    model_id="anthropic/claude-3-5-sonnet-latest",
    temperature=0.2,
    api_key=os.environ["ANTHROPIC_API_KEY"]
)
"""

HUGGING_FACE = """
from smolagents import InferenceClientModel

model = InferenceClientModel(
    model_id="deepseek-ai/DeepSeek-R1",
    provider="together",
)
"""

TOGETHER = """
import os
from smolagents import OpenAIServerModel

model = OpenAIServerModel(
    model_id="deepseek-ai/DeepSeek-R1",
    api_base="https://api.together.xyz/v1/",
    api_key=os.environ["TOGETHER_API_KEY"],
)
"""

OPENROUTER = """
import os
from smolagents import OpenAIServerModel

model = OpenAIServerModel(
    model_id="openai/gpt-4o",
    api_base="https://openrouter.ai/api/v1",
    api_key=os.environ["OPENROUTER_API_KEY"],
)
"""

TRANSFORMERS = """
from smolagents import TransformersModel

model = TransformersModel(
    model_id="Qwen/Qwen2.5-Coder-32B-Instruct",
    max_new_tokens=4096,
    device_map="auto"
)
"""

AZURE = """
import os
from smolagents import AzureOpenAIServerModel

model = AzureOpenAIServerModel(
    model_id=os.environ.get("AZURE_OPENAI_MODEL"),
    azure_endpoint=os.environ.get("AZURE_OPENAI_ENDPOINT"),
    api_key=os.environ.get("AZURE_OPENAI_API_KEY"),
    api_version=os.environ.get("OPENAI_API_VERSION")
)
"""

BEDROCK = """
import os
from smolagents import AmazonBedrockServerModel

model = AmazonBedrockServerModel(
    model_id=os.environ.get("AMAZON_BEDROCK_MODEL_ID")
)
"""


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """Runs an example that makes a model, and gives back the model: the real class, on its provider's own client."""

    def run(source: str) -> Any:
        path = tmp_path / "example.py"
        path.write_text(source, encoding="utf-8")
        return runpy.run_path(str(path))["model"]

    return run


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sends what would go to a provider to a local server. What was asked of whom is remembered."""
    asked: list[tuple[str, str | None]] = []

    def redirect(url: str) -> list[tuple[str, str | None]]:
        for name in ("httpx", "httpx2"):
            library = pytest.importorskip(name)
            send = library.HTTPTransport.handle_request

            def handle(self: Any, request: Any, library: Any = library, send: Any = send) -> Any:
                if request.method != "POST":  # what clients ask beside the call
                    raise library.ConnectError("there is no internet here", request=request)
                asked.append((str(request.url), request.headers.get("authorization")))
                request.url = library.URL(url)
                return send(self, request)

            monkeypatch.setattr(library.HTTPTransport, "handle_request", handle)
        return asked

    return redirect


@pytest.mark.parametrize(
    ("source", "address", "model_id"),
    [
        (TOGETHER, "https://api.together.xyz/v1/chat/completions", "deepseek-ai/DeepSeek-R1"),
        (OPENROUTER, "https://openrouter.ai/api/v1/chat/completions", "openai/gpt-4o"),
    ],
)
def test_servers_that_speak_openais_api(
    made: Any, elsewhere: Any, monkeypatch: pytest.MonkeyPatch, source: str, address: str, model_id: str
):
    for name in ("TOGETHER_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.setenv(name, "sesame")
    with serve_answers(Answer(completion({"content": ANSWER}))) as wire:
        asked = elsewhere(wire.url)
        model = made(source)
        assert CodeAgent([], model=model, verbosity_level=-1).run("Go.") == "an answer"
        assert asked == [(address, "Bearer sesame")]
        assert wire.requests[0]["model"] == model_id
        model.client.close()


def test_a_provider_behind_hugging_face(made: Any, elsewhere: Any, monkeypatch: pytest.MonkeyPatch):
    """The Hub's table of who serves which model is given here; all else is the client's own doing."""
    monkeypatch.setenv("HF_TOKEN", "hf_sesame")
    helper = pytest.importorskip("huggingface_hub.inference._providers._common")
    mapping = helper.InferenceProviderMapping(
        provider="together",
        hf_model_id="deepseek-ai/DeepSeek-R1",
        providerId="deepseek-ai/DeepSeek-R1",
        status="live",
        task="conversational",
    )
    monkeypatch.setattr(helper, "_fetch_inference_provider_mapping", lambda *args, **kwargs: [mapping])
    with serve_answers(Answer(completion({"content": ANSWER}))) as wire:
        asked = elsewhere(wire.url)
        assert CodeAgent([], model=made(HUGGING_FACE), verbosity_level=-1).run("Go.") == "an answer"
        assert asked[-1] == ("https://router.huggingface.co/together/v1/chat/completions", "Bearer hf_sesame")
        assert wire.requests[-1]["model"] == "deepseek-ai/DeepSeek-R1"


def test_a_deployment_on_azure(made: Any, monkeypatch: pytest.MonkeyPatch):
    with serve_raw(RawAnswer(completion({"content": ANSWER}))) as wire:
        monkeypatch.setenv("AZURE_OPENAI_MODEL", "my-gpt")
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", wire.url)
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "sesame")
        monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
        model = made(AZURE)
        assert CodeAgent([], model=model, verbosity_level=-1).run("Go.") == "an answer"
        assert wire.requests[0].path == "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
        assert wire.requests[0].headers["api-key"] == "sesame"
        model.client.close()


def test_a_model_on_bedrock(made: Any, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("boto3")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the credentials that it finds
    said = {"output": {"message": {"role": "assistant", "content": [{"text": ANSWER}]}}, "stopReason": "end_turn"}
    usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    with serve_raw(RawAnswer({**said, "usage": usage, "metrics": {"latencyMs": 1}})) as wire:
        monkeypatch.setenv("AMAZON_BEDROCK_MODEL_ID", "us.amazon.nova-pro-v1:0")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sesame")
        monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", wire.url)
        model = made(BEDROCK)
        assert CodeAgent([], model=model, verbosity_level=-1).run("Go.") == "an answer"
        assert wire.requests[0].path == "/model/us.amazon.nova-pro-v1%3A0/converse"
        assert "Credential=AKIDEXAMPLE/" in wire.requests[0].headers["authorization"]
        model.client.close()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_model_through_litellm(made: Any, monkeypatch: pytest.MonkeyPatch):
    """Only where `litellm` is installed, which wants an environment of its own."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    pytest.importorskip("litellm")
    reply = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-3-5-sonnet-latest",
        "content": [{"type": "text", "text": ANSWER}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    with serve_raw(RawAnswer(reply)) as wire:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sesame")
        monkeypatch.setenv("ANTHROPIC_API_BASE", wire.url)
        assert CodeAgent([], model=made(LITELLM_MODEL), verbosity_level=-1).run("Go.") == "an answer"
        assert wire.requests[0].headers["x-api-key"] == "sesame"
        assert (wire.sent["model"], wire.sent["temperature"]) == ("claude-3-5-sonnet-latest", 0.2)


def test_a_model_in_this_process(made: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A tiny model stands where the example names one of 32 billion weights."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from support.tiny_transformers import save_tiny_llama

    monkeypatch.chdir(tmp_path)
    save_tiny_llama(tmp_path / "Qwen" / "Qwen2.5-Coder-32B-Instruct")
    model = made(TRANSFORMERS)
    message = model.generate([{"role": "user", "content": "Hello"}], max_new_tokens=5)
    assert isinstance(message.content, str)
    assert message.token_usage.output_tokens <= 5
    assert model.max_new_tokens == 4096
