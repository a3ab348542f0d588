"""What a model is to the rest of the library: messages in, a message out; plain or async, whole or in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from smolagents.models.cleaning import TOOL_ROLE_CONVERSIONS, get_clean_message_list
from smolagents.models.facts import supports_stop_parameter
from smolagents.models.saving import constructor_arguments
from smolagents.models.tool_schemas import get_tool_json_schema
from smolagents.models.tool_text import get_tool_calls_from_text, parse_json_if_needed
from smolagents.types.messages import ChatMessage, ChatMessageStreamDelta, MessageRole

__all__ = ["REMOVE_PARAMETER", "Messages", "Model"]

Messages = list[ChatMessage] | list[dict[str, Any]]


class _RemoveParameter:
    def __repr__(self) -> str:
        return "REMOVE_PARAMETER"


REMOVE_PARAMETER = _RemoveParameter()
"""Given as a keyword argument of a model or a call: this parameter is not to be sent, whoever would set it."""


class Model:
    """Base of all models. A subclass writes `generate`, and `generate_stream` if it can stream.

    `agenerate` and `agenerate_stream` then work as well: they run the blocking ones in a thread. A subclass whose
    provider has an async client overrides them.

    Args:
        flatten_messages_as_text: Send each content as one text rather than as a list of parts.
        tool_name_key: Key of the tool's name where the model writes tool calls as JSON text.
        tool_arguments_key: Key of the arguments in the same place.
        model_id: The model's name at its provider.
        **kwargs: Sent with every call, such as `temperature`. `REMOVE_PARAMETER` as a value keeps a parameter
            from being sent.
    """

    prefers_compact_prompts: bool = False
    """Whether the model does better with short prompts, as small local models do."""

    # Set here too, so that a subclass whose constructor does not call this one works.
    flatten_messages_as_text: bool = False
    tool_name_key: str = "name"
    tool_arguments_key: str = "arguments"
    model_id: str | None = None
    kwargs: Mapping[str, Any] = MappingProxyType({})
    last_input_token_count: int = 0
    """Always 0. Instrumentations ask for it where a reply has no `token_usage`."""
    last_output_token_count: int = 0
    """Always 0, as above."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Instrumentations know the exported classes, and wrap `generate_stream` only where a class has one of its own.
        if cls.__module__.startswith("smolagents.") and hasattr(cls, "generate_stream"):
            cls.generate_stream = cls.generate_stream

    def __init__(
        self,
        flatten_messages_as_text: bool = False,
        tool_name_key: str = "name",
        tool_arguments_key: str = "arguments",
        model_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.flatten_messages_as_text = flatten_messages_as_text
        self.tool_name_key = tool_name_key
        self.tool_arguments_key = tool_arguments_key
        self.model_id = model_id
        self.kwargs = kwargs

    def code_reply_arguments(self, opening: str, closing: str) -> dict[str, Any]:
        """Further arguments of `generate` for a reply that is to be a thought and one block of code.

        For engines that can hold a reply to a form. Empty for those that cannot, or need not.

        Args:
            opening: What opens the code.
            closing: What closes it.
        """
        return {}

    def generate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        """Answer a conversation.

        Args:
            messages: The conversation; messages, or dictionaries with `role` and `content`.
            stop_sequences: Texts at which the reply ends; they are not part of it.
            response_format: What the reply must look like, as OpenAI's API says it, such as
                `{"type": "json_schema", "json_schema": {"name": …, "schema": …}}`.
            tools_to_call_from: Tools that the reply may call.
            **kwargs: Sent with this call; they take precedence over those of the constructor.

        Raises:
            AgentGenerationError: the model could not answer.
            ValueError: a message or a parameter is wrong.
        """
        raise NotImplementedError(f"{type(self).__name__} must define generate()")

    async def agenerate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        """Answer a conversation without blocking the event loop. Arguments and errors as in `generate`."""
        from smolagents.models.bridge import in_thread

        return await in_thread(
            self.generate,
            messages,
            stop_sequences=stop_sequences,
            response_format=response_format,
            tools_to_call_from=tools_to_call_from,
            **kwargs,
        )

    def agenerate_stream(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatMessageStreamDelta]:
        """Answer a conversation piece by piece, without blocking the event loop.

        Arguments and errors as in `generate`. Closing the iterator, or cancelling the task that waits for it, ends
        the stream.

        Raises:
            NotImplementedError: the model cannot stream.
        """
        from smolagents.models.bridge import iterate_in_thread

        stream = getattr(self, "generate_stream", None)
        if stream is None:
            raise NotImplementedError(f"{type(self).__name__} cannot stream: it has no generate_stream()")

        def start() -> Iterator[ChatMessageStreamDelta]:
            deltas: Iterator[ChatMessageStreamDelta] = stream(
                messages,
                stop_sequences=stop_sequences,
                response_format=response_format,
                tools_to_call_from=tools_to_call_from,
                **kwargs,
            )
            return deltas

        return iterate_in_thread(start)

    def __call__(self, *args: Any, **kwargs: Any) -> ChatMessage:
        """The same as `generate`."""
        return self.generate(*args, **kwargs)

    @property
    def supports_stop_parameter(self) -> bool:
        """Whether stop sequences are sent with a call; where not, replies are cut after they come."""
        return supports_stop_parameter(self.model_id or "")

    def parse_tool_calls(self, message: ChatMessage) -> ChatMessage:
        """Make the tool calls of a reply ready to run.

        A reply without calls has them read from its text, where models without native tool calling write them.
        Arguments that are JSON text become the value they stand for.

        Args:
            message: A reply; its `tool_calls` are set in place.

        Returns:
            The same message.

        Raises:
            ValueError: the reply calls no tool, or its text cannot be read as a call.
        """
        message.role = MessageRole.ASSISTANT
        if not message.tool_calls:
            text = message.text
            if not text.strip():
                raise ValueError("the reply is empty: it has neither text nor a tool call")
            message.tool_calls = get_tool_calls_from_text(text, self.tool_name_key, self.tool_arguments_key)
        for call in message.tool_calls:
            call.function.arguments = parse_json_if_needed(call.function.arguments)
        return message

    def to_dict(self) -> dict[str, Any]:
        """The constructor's arguments as plain data. Keys, tokens and other secrets are never among them."""
        return constructor_arguments(self)

    @classmethod
    def from_dict(cls, model_dictionary: Mapping[str, Any]) -> Model:
        """Make a model from what `to_dict` returned. Secrets come from the environment, or are to be added."""
        return cls(**model_dictionary)

    def _prepare_completion_kwargs(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        custom_role_conversions: Mapping[Any, Any] | None = None,
        convert_images_to_image_urls: bool = False,
        tool_choice: Any = "required",
        reasoning_replay: str | None = None,
        provider: str | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The parameters of a call in the form of OpenAI's chat API, which most providers share.

        A parameter of this call takes precedence over one that follows from the arguments here, and that over one of
        the constructor, except that a `tool_choice` of the constructor stands over the default.

        Args:
            custom_role_conversions: Roles to replace beyond those of tool calls and responses.
            convert_images_to_image_urls: Give images as `image_url` parts.
            tool_choice: Sent with tools; None to send none.
            reasoning_replay: As in `get_clean_message_list`, and so is `provider`.

        Raises:
            ValueError: there are no messages, or one is wrong.
        """
        if not messages:
            raise ValueError("there are no messages to answer; give at least one")
        parameters: dict[str, Any] = dict(self.kwargs)
        parameters["messages"] = get_clean_message_list(
            messages,
            role_conversions={**TOOL_ROLE_CONVERSIONS, **(custom_role_conversions or {})},
            convert_images_to_image_urls=convert_images_to_image_urls,
            flatten_messages_as_text=self.flatten_messages_as_text,
            reasoning_replay=reasoning_replay,
            provider=provider,
        )
        removed = {name for name, value in self.kwargs.items() if value is REMOVE_PARAMETER}
        if stop_sequences and self.supports_stop_parameter:
            parameters["stop"] = list(stop_sequences)
        if response_format is not None:
            parameters["response_format"] = response_format
        if tools_to_call_from:
            parameters["tools"] = [get_tool_json_schema(tool) for tool in tools_to_call_from]
            if tool_choice is not None:
                parameters["tool_choice"] = self.kwargs.get("tool_choice", tool_choice)
        else:
            parameters.pop("tool_choice", None)
        parameters.update(kwargs)
        return {
            name: value
            for name, value in parameters.items()
            if value is not REMOVE_PARAMETER and (name not in removed or name in kwargs)
        }
