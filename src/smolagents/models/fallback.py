"""Several models as one: the next one answers where the one before it failed."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from typing import Any

from smolagents.models.adapting import as_model
from smolagents.models.base import Messages, Model
from smolagents.models.failures import KINDS, failure_kind
from smolagents.models.saving import without_secrets
from smolagents.types.errors import AgentGenerationError
from smolagents.types.messages import ChatMessage, ChatMessageStreamDelta

__all__ = ["FallbackModel"]

logger = logging.getLogger(__name__)

_CODE_REPLY = "_code_reply"
_DEFAULT_KINDS = ("rate_limit", "quota", "server_error", "timeout", "connection", "unreachable")


class FallbackModel(Model):
    """Asks the first model, and where it fails in one of the named ways, the next, and so on.

    Each model first does what it does by itself about failures: it repeats its calls, if it was made so. A stream goes
    over to the next model only before its first piece. The reply's `model_id` says who answered.

    Args:
        models: The models, or functions that act as one, in the order in which they are asked.
        on: Failures after which the next model is asked: kinds, as `AgentGenerationError.kind` has them, or classes of
            exceptions. By default rate limits, spent quotas, server errors, timeouts, and connections that broke or
            never came about.

    Raises:
        ValueError: there are no models, or a kind is unknown.
        TypeError: a model is none, or `on` holds something else.
    """

    last_used: Model | None = None
    """The model that gave the latest reply, of all threads and tasks; `ChatMessage.model_id` says it of each reply."""

    def __init__(
        self, models: Sequence[Any], on: Iterable[str | type[BaseException]] = _DEFAULT_KINDS, **kwargs: Any
    ) -> None:
        if isinstance(models, (str, bytes)) or not isinstance(models, Iterable):
            raise TypeError(f"models must be a list of models, not {type(models).__name__}")
        self.models: list[Model] = [as_model(model) for model in models]
        if not self.models:
            raise ValueError("FallbackModel needs at least one model; give the one to ask first, and others")
        self.on = tuple([on] if isinstance(on, (str, type)) else on)
        for failure in self.on:
            if isinstance(failure, str):
                if failure not in KINDS:
                    raise ValueError(f"on has the unknown failure {failure!r}; use {', '.join(sorted(KINDS))}")
            elif not (isinstance(failure, type) and issubclass(failure, BaseException)):
                raise TypeError(f"on holds {failure!r}; give names of failures or classes of exceptions")
        first = self.models[0]
        kwargs.setdefault("model_id", first.model_id)
        kwargs.setdefault("tool_name_key", first.tool_name_key)
        kwargs.setdefault("tool_arguments_key", first.tool_arguments_key)
        super().__init__(**kwargs)
        self.prefers_compact_prompts = any(model.prefers_compact_prompts for model in self.models)
        if all(callable(getattr(model, "generate_stream", None)) for model in self.models):
            self.generate_stream = self._generate_stream

    def code_reply_arguments(self, opening: str, closing: str) -> dict[str, Any]:
        """Says that code is wanted; each model is given the arguments of its own for it."""
        if not any(model.code_reply_arguments(opening, closing) for model in self.models):
            return {}
        return {_CODE_REPLY: (opening, closing)}

    def generate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        for model, last in self._in_turn():
            try:
                message = model.generate(
                    messages, stop_sequences, response_format, tools_to_call_from, **self._own(model, kwargs)
                )
            except Exception as error:
                self._go_on_after(error, model, last)
            else:
                return self._answered(model, message)
        raise AssertionError("unreachable")

    async def agenerate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        for model, last in self._in_turn():
            try:
                message = await model.agenerate(
                    messages, stop_sequences, response_format, tools_to_call_from, **self._own(model, kwargs)
                )
            except Exception as error:
                self._go_on_after(error, model, last)
            else:
                return self._answered(model, message)
        raise AssertionError("unreachable")

    generate_stream: Callable[..., Generator[ChatMessageStreamDelta, None, None]]
    """Answer piece by piece. There only where all the models can stream."""

    def _generate_stream(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> Generator[ChatMessageStreamDelta, None, None]:
        given = (messages, stop_sequences, response_format, tools_to_call_from)
        for model, last in self._in_turn():
            deltas: Any = None
            try:
                deltas = iter(model.generate_stream(*given, **self._own(model, kwargs)))  # type: ignore[attr-defined]
                first = next(deltas, None)
            except Exception as error:
                self._go_on_after(error, model, last)
                continue
            try:
                if first is not None:
                    yield first
                    yield from deltas
            finally:
                if hasattr(deltas, "close"):
                    deltas.close()
            self.last_used = model
            yield ChatMessageStreamDelta(model_id=model.model_id)
            return

    async def agenerate_stream(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[ChatMessageStreamDelta, None]:
        given = (messages, stop_sequences, response_format, tools_to_call_from)
        for model, last in self._in_turn():
            deltas: Any = None
            try:
                deltas = aiter(model.agenerate_stream(*given, **self._own(model, kwargs)))
                first = await anext(deltas, None)
            except Exception as error:
                self._go_on_after(error, model, last)
                continue
            try:
                if first is not None:
                    yield first
                    async for delta in deltas:
                        yield delta
            finally:
                if hasattr(deltas, "aclose"):
                    await deltas.aclose()
            self.last_used = model
            yield ChatMessageStreamDelta(model_id=model.model_id)
            return

    def to_dict(self) -> dict[str, Any]:
        """The models, each with its class and its constructor's arguments, and what `on` names. Secrets are left out.

        Raises:
            TypeError: a model is a function, or `on` has classes; neither can be written down.
        """
        classes = [failure for failure in self.on if not isinstance(failure, str)]
        if classes:
            raise TypeError(
                f"on holds classes, which cannot be written down: {classes}; name kinds of failures instead"
            )
        return {"models": [_entry(model) for model in self.models], "on": list(self.on)}

    @classmethod
    def from_dict(cls, model_dictionary: Mapping[str, Any]) -> FallbackModel:
        """Make the models and this one from what `to_dict` returned. Secrets come from the environment."""
        models = [_made(entry) if isinstance(entry, Mapping) else entry for entry in model_dictionary["models"]]
        return cls(models, **{name: value for name, value in model_dictionary.items() if name != "models"})

    def _in_turn(self) -> list[tuple[Model, bool]]:
        return [(model, position == len(self.models)) for position, model in enumerate(self.models, 1)]

    def _own(self, model: Model, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        own = {**self.kwargs, **kwargs}
        code = own.pop(_CODE_REPLY, None)
        return {**own, **model.code_reply_arguments(*code)} if code else own

    def _go_on_after(self, error: Exception, model: Model, last: bool) -> None:
        """Return if the next model is to be asked after this error; else raise it."""
        kind = failure_kind(error)
        named = kind in self.on or any(isinstance(error, cls) for cls in self.on if isinstance(cls, type))
        if not named:
            raise error
        if last:
            if len(self.models) > 1:
                note = f"None of the {len(self.models)} models answered; the last one said: {error}"
                failure = AgentGenerationError(note)
                failure.kind = kind
                raise failure from error
            raise error
        logger.warning("%s failed (%s); asking the next model", model.model_id or model, error)

    def _answered(self, model: Model, message: ChatMessage) -> ChatMessage:
        self.last_used = model
        if isinstance(message, ChatMessage):
            message.model_id = message.model_id or model.model_id
        return message


def _entry(model: Model) -> dict[str, Any]:
    cls = type(model)
    if cls.__name__.startswith("_"):
        raise TypeError(
            f"{model!r} cannot be written down: it is no model of a class, but a function or foreign object"
        )
    data = without_secrets(model.to_dict())
    return {"class": cls.__name__, "module": cls.__module__, "data": data}


def _made(entry: Mapping[str, Any]) -> Model:
    """The model of an entry. Only classes that are loaded, or are this library's, are made: the entry is mere data."""
    import smolagents.models as room

    name = entry.get("class")
    cls = getattr(room, str(name), None) if name in room.__all__ else None
    if cls is None:
        known = [Model]
        for found in known:
            known += [sub for sub in found.__subclasses__() if sub not in known]
        cls = next((c for c in known if (c.__name__, c.__module__) == (name, entry.get("module"))), None)
    if not (isinstance(cls, type) and issubclass(cls, Model)):
        raise ValueError(
            f"one of the models is a {name!r}, which is not known here; import the module that defines it"
        )
    return cls.from_dict(entry.get("data") or {})
