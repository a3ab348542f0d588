"""What kind of failure an exception of a provider's SDK is, whichever SDK it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smolagents.types.errors import AgentGenerationError

__all__ = [
    "KINDS",
    "TRANSIENT",
    "failure_kind",
    "is_rate_limit_error",
    "is_too_long",
    "is_transient_error",
    "status_of",
]

_BY_STATUS = {
    400: "bad_request",
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "not_found",
    408: "timeout",
    409: "conflict",
    413: "bad_request",
    422: "bad_request",
    429: "rate_limit",
}

KINDS = frozenset({*_BY_STATUS.values(), "server_error", "connection", "unreachable"})
"""All kinds there are. "connection" is one that broke; "unreachable" a server that was never reached."""

TRANSIENT = frozenset({"rate_limit", "server_error", "timeout", "connection", "conflict"})
"""Kinds that may pass if the call is made again."""

# Names of classes, as the SDKs are not to be imported for this. Subclasses are found by the names of their bases.
_UNREACHABLE = frozenset(
    {"ConnectError", "ConnectionRefusedError", "gaierror", "ClientConnectorError", "EndpointConnectionError"}
    | {"UnsupportedProtocol", "SSLCertVerificationError", "ProxyError", "ProxyConnectionError", "NewConnectionError"}
)
_TIMEOUT = frozenset(
    {"TimeoutError", "TimeoutException", "APITimeoutError", "Timeout", "ServerTimeoutError", "InferenceTimeoutError"}
    | {"ReadTimeoutError", "ConnectTimeoutError"}
)
_CONNECTION = frozenset(
    {"ConnectionError", "APIConnectionError", "TransportError", "ClientConnectionError", "ClientPayloadError"}
    | {"HTTPClientError", "IncompleteRead", "ChunkedEncodingError", "EventStreamError", "ProtocolError"}
)
_BY_WORD = {  # in error codes of SDKs that give no HTTP status: boto3's and those of event streams
    "throttl": "rate_limit",
    "toomanyrequests": "rate_limit",
    "internalserver": "server_error",
    "serviceunavailable": "server_error",
    "overloaded": "server_error",
    "modelstreamerror": "server_error",
    "modeltimeout": "timeout",
    "accessdenied": "permission",
    "resourcenotfound": "not_found",
    "validation": "bad_request",
}
_RATE_LIMIT_WORDS = ("rate limit", "rate_limit", "ratelimit", "too many requests", "throttlingexception")
_QUOTA_WORDS = (
    "insufficient_quota",
    "exceeded your current quota",
    "insufficient balance",
    "credit balance is too low",
)

_TOO_LONG_WORDS = (
    "context_length_exceeded",
    "maximum context length",
    "exceeds the available context size",
    "exceed_context_size",
    "context window",
    "contextwindowexceeded",
    "context limit",
    "prompt is too long",
    "input is too long",
    "too many input tokens",
)


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an exception tells of, or its cause."""
    for link in _chain(error):
        response = getattr(link, "response", None)
        for holder in (link, response):
            for name in ("status_code", "status", "http_status", "code"):
                status = getattr(holder, name, None)
                if type(status) is int and 400 <= status < 600:
                    return status
        if isinstance(response, dict):  # boto3's
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if type(status) is int and 400 <= status < 600:
                return status
    return None


def failure_kind(error: BaseException) -> str | None:
    """Which of `KINDS` an exception is, by its status, its class, its causes and its words; None if none is clear."""
    for link in _chain(error):
        if isinstance(link, AgentGenerationError) and link.kind is not None:
            return link.kind
    status = status_of(error)
    if status is not None:
        if status in (400, 403, 429) and _says(error, _QUOTA_WORDS):
            return "quota"
        return _BY_STATUS.get(status) or ("server_error" if status >= 500 else "bad_request")
    chain = list(_chain(error))
    for link in chain:
        word = _code_of(link)
        kind = next((kind for part, kind in _BY_WORD.items() if part in word), None) if word else None
        if kind is not None:
            return kind
    names = {cls.__name__ for link in chain for cls in type(link).__mro__}
    if names & _UNREACHABLE and not names & {"ConnectTimeout", "ConnectTimeoutError"}:
        return "unreachable"
    if names & _TIMEOUT:
        return "timeout"
    if names & _CONNECTION:
        return "connection"
    return "rate_limit" if is_rate_limit_error(error) else None


def is_transient_error(error: BaseException) -> bool:
    """Whether the call that failed so may succeed if it is made again: 408, 409, 429, 5xx, timeouts, resets."""
    return failure_kind(error) in TRANSIENT


def is_rate_limit_error(exception: BaseException) -> bool:
    """Whether a server refused the call because too many came: status 429, or words that say so."""
    if status_of(exception) == 429:
        return True
    message = str(exception).lower()
    return "429" in message or any(words in message for words in _RATE_LIMIT_WORDS)


def is_too_long(error: BaseException) -> bool:
    """Whether a server refused the call because the conversation is longer than the model can read."""
    return status_of(error) in (400, 413, 422, 500) and _says(error, _TOO_LONG_WORDS)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and its causes."""
    link: BaseException | None = error
    for _ in range(10):
        if link is None:
            return
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _code_of(error: BaseException) -> str:
    response: Any = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    code = code or getattr(error, "code", None) or getattr(error, "type", None)
    return code.lower().replace("_", "") if isinstance(code, str) else ""


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    said = f"{error} {_code_of(error)} {getattr(error, 'code', '')}".lower()
    return any(word in said for word in words)
