"""The addresses of models' servers: whose they are, and how they are written in messages."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

__all__ = ["connection_failure", "is_on_this_machine", "without_credentials"]

_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}")  # and not the name 127.0.0.1.example
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
_KEY_IN_QUERY = re.compile(
    r"([?&](?:code|[^=&#\s]*(?:key|token|secret|sig|signature)[^=&#\s]*)=)[^&#\s'\"]+", re.IGNORECASE
)


def is_on_this_machine(url: Any) -> bool:
    """Whether a URL, if any, is of a server on this machine, which may need no key."""
    try:
        host = urlsplit(str(url)).hostname if url else None
    except ValueError:  # no URL at all; the SDK says what is wrong with it
        return False
    return host is not None and (host in ("localhost", "::1") or _LOOPBACK.fullmatch(host) is not None)


def without_credentials(text: str) -> str:
    """A text without the passwords and keys in the URLs that it holds."""
    if "://" not in text:
        return text
    return _KEY_IN_QUERY.sub(r"\1", _USER_IN_URL.sub("", text))


def connection_failure(error: Exception, sdk: Any, url: str) -> str | None:
    """What it means that the SDK of OpenAI, or one made like it, got no answer; None if it got one.

    Args:
        error: What the SDK raised.
        sdk: The module of the SDK.
        url: The server's address.
    """
    if isinstance(error, sdk.APITimeoutError):
        return f"{url} did not answer in time; give client_kwargs={{'timeout': <seconds>}} to wait longer"
    if isinstance(error, sdk.APIConnectionError):
        return (
            f"{url} cannot be reached ({error.__cause__ or error}); "
            "check api_base, that the server runs, and that the network lets you through"
        )
    return None
