"""Models on Amazon Bedrock, through its Converse API and boto3."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from smolagents._imports import require
from smolagents.models.blocks import Block, CallPieces, json_schema_of, system_and_turns
from smolagents.models.blocks_model import BlocksModel
from smolagents.models.failures import is_too_long
from smolagents.models.wire import Reader
from smolagents.types.messages import (
    ChatMessage,
    ChatMessageStreamDelta,
    ChatMessageToolCall,
    ChatMessageToolCallFunction,
    MessageRole,
)
from smolagents.types.usage import TokenUsage

__all__ = ["AmazonBedrockModel", "AmazonBedrockServerModel"]

_READ_TIMEOUT = 300
"""Seconds. boto3 waits for 60, which is less than many models think."""
_MOST_CACHE_POINTS = 4
"""In one request: https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html"""
_IMAGE_FORMATS = ("png", "jpeg", "gif", "webp")


class AmazonBedrockModel(BlocksModel):
    """A model on Amazon Bedrock, whoever made it.

    Thinking comes back as `reasoning_content`; its signed blocks are kept in `provider_items` and sent back. boto3
    blocks, so the async calls run in threads.

    Args:
        model_id: Id of a model or of an inference profile, such as "us.amazon.nova-pro-v1:0".
        client: A `bedrock-runtime` client of boto3; None to make one.
        client_kwargs: Arguments of boto3's client where it is made here, such as `{"region_name": "eu-west-1"}`. What
            is not given comes from AWS's environment variables and configuration files.
        custom_role_conversions: Roles to replace, such as `{"system": "user"}`.
        cache: Put cache points after the system prompt, the last two turns of the user and, for Claude, the tools. For
            models that have a prompt cache; others refuse them. "5m" or "1h" says how long it is kept.
        **kwargs: Sent with every call: `temperature`, `top_p`, `max_tokens`, and the parameters of the Converse API,
            such as `inferenceConfig`, `guardrailConfig` and `additionalModelRequestFields`; and the arguments of
            `ApiModel`.

    Raises:
        MissingExtraError: boto3 is not installed.
        ValueError: no region is set, or an argument is wrong.
    """

    provider_name: ClassVar[str | None] = "bedrock"

    def __init__(
        self,
        model_id: str,
        client: Any | None = None,
        client_kwargs: dict[str, Any] | None = None,
        custom_role_conversions: Mapping[Any, Any] | None = None,
        cache: bool | str = False,
        **kwargs: Any,
    ) -> None:
        if cache not in (True, False, "5m", "1h"):
            raise ValueError(f"cache is {cache!r}; use True, False, '5m' or '1h'")
        self.client_kwargs = dict(client_kwargs or {})
        self.cache = cache
        super().__init__(model_id, custom_role_conversions=custom_role_conversions, client=client, **kwargs)

    def create_client(self) -> Any:
        """boto3's client."""
        boto3 = require("boto3", extra="bedrock", needed_for=type(self).__name__)
        errors = require("botocore.exceptions", extra="bedrock", needed_for=type(self).__name__)
        arguments = dict(self.client_kwargs)
        # Calls are tried again here, where limits and pauses are known, and not in boto3 as well.
        configs = require("botocore.config", extra="bedrock", needed_for=type(self).__name__)
        config = configs.Config(retries={"total_max_attempts": 1}, read_timeout=_READ_TIMEOUT)
        own = arguments.pop("config", None)
        try:
            return boto3.client("bedrock-runtime", config=config.merge(own) if own else config, **arguments)
        except errors.BotoCoreError as error:
            remedy = _REMEDIES.get(type(error).__name__, "check client_kwargs")
            raise ValueError(f"{type(self).__name__} has no client: {error} Remedy: {remedy}") from error

    def _can_await(self) -> bool:
        return False

    def _create(self, parameters: dict[str, Any]) -> Any:
        request = self._request(parameters)
        if parameters.get("stream"):
            return self.client.converse_stream(**request)["stream"]
        return self.client.converse(**request)

    def _fit(self, parameters: dict[str, Any]) -> dict[str, Any]:
        fit = super()._fit(parameters)
        thinking = (fit.get("additionalModelRequestFields") or {}).get("thinking")
        if isinstance(thinking, Mapping) and thinking.get("type") != "disabled":
            # Neither a forced call nor a temperature goes with the thinking of Claude.
            if fit.get("tool_choice") == "required":
                fit["tool_choice"] = "auto"
            fit.pop("temperature", None)
        return fit

    def _request(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Parameters in the words of OpenAI's chat API as the Converse API has them."""
        given = dict(parameters)
        system, turns = system_and_turns(given.pop("messages"))
        request: dict[str, Any] = {
            "modelId": given.pop("model"),
            "messages": [{"role": turn["role"], "content": _wire_blocks(turn["content"])} for turn in turns],
        }
        if system:
            request["system"] = _wire_blocks(system)
        given.pop("stream", None)
        given.pop("stream_options", None)
        inference = {name: given.pop(word) for word, name in _INFERENCE.items() if word in given}
        inference.update(given.pop("inferenceConfig", None) or {})
        if inference:
            request["inferenceConfig"] = inference
        tools = given.pop("tools", None)
        choice = given.pop("tool_choice", None)
        if tools and choice != "none":
            config: dict[str, Any] = {"tools": [_wire_tool(tool) for tool in tools]}
            if choice is not None:
                config["toolChoice"] = _wire_choice(choice)
            request["toolConfig"] = config
        form = json_schema_of(given.pop("response_format", None))
        request.update(given)
        if form is not None:
            name, schema = form
            definition = {"name": name, "schema": json.dumps(_closed(schema))}
            request["outputConfig"] = {
                **(request.get("outputConfig") or {}),
                "textFormat": {"type": "json_schema", "structure": {"jsonSchema": definition}},
            }
        if self.cache:
            self._add_cache_points(request)
        return request

    def _add_cache_points(self, request: dict[str, Any]) -> None:
        point = {"cachePoint": {"type": "default", **({"ttl": self.cache} if self.cache is not True else {})}}
        places = [turn["content"] for turn in request["messages"] if turn["role"] == "user"][-2:]
        places.append(request.get("system") or [])
        if "claude" in str(self.model_id):
            places.append((request.get("toolConfig") or {}).get("tools") or [])
        given = sum(1 for turn in request["messages"] for block in turn["content"] if "cachePoint" in block)
        for blocks in places[::-1][: max(_MOST_CACHE_POINTS - given, 0)]:
            if blocks and "cachePoint" not in blocks[-1]:
                blocks.append(point)

    def _message(self, response: Any) -> ChatMessage:
        texts: list[str] = []
        thoughts: list[str] = []
        calls: list[ChatMessageToolCall] = []
        items: list[dict[str, Any]] = []
        for block in response["output"].get("message", {}).get("content", ()):
            if "text" in block:
                texts.append(block["text"])
            elif "toolUse" in block:
                use = block["toolUse"]
                function = ChatMessageToolCallFunction(name=use["name"], arguments=use["input"])
                calls.append(ChatMessageToolCall(function=function, id=use["toolUseId"], type="function"))
            elif "reasoningContent" in block:
                thought = block["reasoningContent"]
                thoughts.append(thought.get("reasoningText", {}).get("text", ""))
                items.append(_item(thought))
        return ChatMessage(
            role=MessageRole.ASSISTANT,
            content="".join(texts) if texts or not calls else None,
            tool_calls=calls or None,
            raw=response,
            token_usage=_usage(response.get("usage")),
            reasoning_content="\n".join(filter(None, thoughts)) or None,
            finish_reason=response.get("stopReason"),
            provider_items=items or None,
        )

    def _reader(self) -> Reader:
        return _StreamReader().read

    def _explain(self, error: Exception) -> str | None:
        errors = require("botocore.exceptions", extra="bedrock", needed_for=type(self).__name__)
        where = f"Amazon Bedrock ({self.model_id})"
        if isinstance(error, errors.ClientError):
            details = error.response.get("Error", {})
            code, said = str(details.get("Code", "")), str(details.get("Message") or error)
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            remedy = next((remedy for part, remedy in _CODES if part in code.lower()), None)
            if "on-demand throughput" in said:
                remedy = f"name an inference profile instead, such as us.{self.model_id}"
            elif is_too_long(error):
                remedy = None
            status_text = f" with status {status}" if isinstance(status, int) and status >= 400 else ""
            return f"{where} answered{status_text}: {code}: {said}" + (f"; {remedy}" if remedy else "")
        if isinstance(error, errors.BotoCoreError):
            remedy = _REMEDIES.get(type(error).__name__, "check client_kwargs, and that boto3 is recent")
            return f"{where} was not called: {error}; {remedy}"
        return None


AmazonBedrockServerModel = AmazonBedrockModel

_SIGN_IN = (
    "set the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK, run "
    "`aws configure`, or give client_kwargs={'aws_access_key_id': …, 'aws_secret_access_key': …}"
)
_REGION = "set the environment variable AWS_REGION or AWS_DEFAULT_REGION, or give client_kwargs={'region_name': …}"
_REMEDIES = {
    "NoCredentialsError": _SIGN_IN,
    "PartialCredentialsError": _SIGN_IN,
    "CredentialRetrievalError": _SIGN_IN,
    "UnauthorizedSSOTokenError": "sign in again with `aws sso login`",
    "SSOTokenLoadError": "sign in with `aws sso login`",
    "NoRegionError": _REGION,
    "EndpointConnectionError": "check the region (whether Bedrock is there), the endpoint and the network",
    "ReadTimeoutError": "give client_kwargs={'config': botocore.config.Config(read_timeout=<seconds>)} to wait longer",
    "ParamValidationError": "check the parameters; those of newer models need a recent boto3",
}
_CODES = (  # parts of error codes: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
    ("accessdenied", "ask for access to the model in the Bedrock console, and for the permission bedrock:InvokeModel"),
    ("unrecognizedclient", "check the credentials: " + _SIGN_IN),
    ("invalidsignature", "check the secret key, and this computer's clock"),
    ("expiredtoken", "the credentials have expired; sign in again"),
    ("throttling", "too many calls or tokens; requests_per_minute=… spaces calls out"),
    ("servicequota", "the account's quota is used up; ask for a higher one, or use another region"),
    ("resourcenotfound", "check model_id, and that the model is there in this region"),
    ("validation", "check model_id and the parameters"),
)
_INFERENCE = {
    "max_tokens": "maxTokens",
    "max_completion_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "stop": "stopSequences",
}


class _StreamReader:
    """Reads the events of one stream."""

    def __init__(self) -> None:
        self._calls = CallPieces()
        self._thoughts: dict[int, dict[str, Any]] = {}
        self._thought_before = False

    def read(self, event: dict[str, Any]) -> ChatMessageStreamDelta | None:
        if "contentBlockDelta" in event:
            piece = event["contentBlockDelta"]
            return self._piece(piece.get("contentBlockIndex", 0), piece["delta"])
        if "contentBlockStart" in event:
            start = event["contentBlockStart"]
            use = start["start"].get("toolUse")
            if use is None:
                return None
            return self._calls.begin(start.get("contentBlockIndex", 0), use["name"], use["toolUseId"])
        if "contentBlockStop" in event:
            return self._stop(event["contentBlockStop"].get("contentBlockIndex", 0))
        if "messageStop" in event:
            return ChatMessageStreamDelta(finish_reason=event["messageStop"].get("stopReason"))
        if "metadata" in event:
            return ChatMessageStreamDelta(token_usage=_usage(event["metadata"].get("usage")))
        return None

    def _piece(self, index: int, delta: dict[str, Any]) -> ChatMessageStreamDelta | None:
        if "text" in delta:
            return ChatMessageStreamDelta(content=delta["text"] or None)
        if "toolUse" in delta:
            return self._calls.add(index, delta["toolUse"].get("input"))
        if "reasoningContent" in delta:
            return self._thought(index, delta["reasoningContent"])
        return None

    def _thought(self, index: int, piece: dict[str, Any]) -> ChatMessageStreamDelta | None:
        opening = ""
        if index not in self._thoughts:
            # Thoughts are parted as they are in a whole reply.
            opening = "\n" if self._thought_before and piece.get("text") else ""
            self._thoughts[index] = {}
        thought = self._thoughts[index]
        if "redactedContent" in piece:
            thought["redactedContent"] = thought.get("redactedContent", b"") + piece["redactedContent"]
            return None
        text = thought.setdefault("reasoningText", {"text": ""})
        if "signature" in piece:
            text["signature"] = text.get("signature", "") + piece["signature"]
        if not piece.get("text"):
            return None
        text["text"] += piece["text"]
        self._thought_before = True
        return ChatMessageStreamDelta(reasoning_content=opening + piece["text"])

    def _stop(self, index: int) -> ChatMessageStreamDelta | None:
        thought = self._thoughts.pop(index, None)
        if thought:
            return ChatMessageStreamDelta(provider_items=[_item(thought)])
        return self._calls.end(index)


def _usage(usage: Mapping[str, Any] | None) -> TokenUsage | None:
    """Usage as we count it: with a prompt cache, `inputTokens` leaves out what came from it, and the total does not."""
    if not usage:
        return None
    output = usage.get("outputTokens") or 0
    return TokenUsage(
        max(usage.get("inputTokens") or 0, (usage.get("totalTokens") or 0) - output),
        output,
        cached_input_tokens=usage.get("cacheReadInputTokens"),
        cache_write_tokens=usage.get("cacheWriteInputTokens"),
    )


def _item(thought: Mapping[str, Any]) -> dict[str, Any]:
    """A block of thinking as plain data."""
    item = dict(thought)
    if "redactedContent" in item:
        item["redactedContent"] = base64.b64encode(item["redactedContent"]).decode("ascii")
    return {"provider": "bedrock", "item": item}


def _wire_blocks(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    return [_wire_block(block) for block in blocks]


def _wire_block(block: Block) -> dict[str, Any]:
    kind = block["type"]
    if kind == "text":
        return {"text": block["text"]}
    if kind == "provider_item":
        item = dict(block["item"])
        if "redactedContent" in item:
            item["redactedContent"] = base64.b64decode(item["redactedContent"])
        return {"reasoningContent": item}
    if kind == "image" and "data" in block:
        form = block["media_type"].removeprefix("image/")
        if form not in _IMAGE_FORMATS:
            raise ValueError(f"a message has an image of type {block['media_type']!r}; use one of {_IMAGE_FORMATS}")
        return {"image": {"format": form, "source": {"bytes": base64.b64decode(block["data"])}}}
    if kind == "image" and "url" in block:
        raise ValueError(
            f"a message has the image {block['url']!r:.200}, and Bedrock takes no URLs of images; "
            "give its bytes, a path, or a PIL image"
        )
    if kind == "tool_use":
        return {"toolUse": {"toolUseId": block["id"], "name": block["name"], "input": block["input"]}}
    if kind == "tool_result":
        content = block.get("content") or ()
        content = [{"type": "text", "text": content}] if isinstance(content, str) else content
        told = _wire_blocks(content) or [{"text": "(nothing)"}]
        return {"toolResult": {"toolUseId": block["tool_use_id"], "content": told}}
    if kind in block:  # Converse's own, such as {"type": "document", "document": {…}}
        return {kind: block[kind]}
    raise ValueError(
        f"a message has a part of type {kind!r}, which is not known; give blocks of the Converse API as "
        f"{{'type': {kind!r}, {kind!r}: {{…}}}}"
    )


def _wire_tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool.get("function") if tool.get("type") == "function" else None
    if function is None:
        return dict(tool)  # one of the API's own
    return {
        "toolSpec": {
            "name": function["name"],
            "description": function.get("description") or function["name"],  # it must not be empty
            "inputSchema": {"json": function["parameters"]},
        }
    }


def _wire_choice(choice: Any) -> dict[str, Any]:
    if isinstance(choice, dict):
        if choice.get("type") == "function":
            return {"tool": {"name": choice["function"]["name"]}}
        return dict(choice)
    named = {"required": "any", "auto": "auto", "any": "any"}.get(choice)
    if named is None:
        raise ValueError(f"tool_choice is {choice!r}; use 'required', 'auto', 'none', or a dictionary")
    return {named: {}}


def _closed(schema: Any) -> Any:
    """The schema with `additionalProperties` false for every object, as structured output wants it."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = dict(schema)
    for key, value in schema.items():
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            closed[key] = {name: _closed(inner) for name, inner in value.items()}
        elif key in ("items", "prefixItems", "anyOf", "allOf", "oneOf"):
            closed[key] = _closed(value)
    if closed.get("type") == "object" and isinstance(closed.get("properties", {}), dict):
        closed.setdefault("additionalProperties", False)
    return closed
