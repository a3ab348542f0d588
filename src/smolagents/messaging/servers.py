"""What mailboxes on a server share: its address, who may enter, and patience while it is away."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from smolagents.messaging.errors import MailboxesClosedError

__all__ = ["CONNECT_SECONDS", "DEFAULT_TEAM", "RECONNECT_SECONDS", "Address", "Patience", "from_environment"]

DEFAULT_TEAM = "smolagents"
CONNECT_SECONDS = 5.0
"""How long the first connection is tried for."""
RECONNECT_SECONDS = 120.0
"""How long a server that was there may be away before the mailboxes count as closed."""

_TEAM = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SECRETS = ("password", "username", "token")


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a team's mailboxes are."""

    url: str
    """As it was given, except for what is this library's own."""
    shown: str
    """The same without its secrets, to be shown."""
    team: str
    """Teams on one server do not see each other."""
    options: dict[str, str]
    """The rest of the URL's query."""

    @classmethod
    def of(cls, url: str) -> Address:
        """Read a URL.

        Raises:
            ValueError: its team is no name.
        """
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        team = options.pop("team", DEFAULT_TEAM)
        if not _TEAM.fullmatch(team):
            raise ValueError(f"{team!r} is no name of a team: use up to 64 letters, digits, '_' and '-'")
        hosts = parts.netloc.rpartition("@")[2]
        shown = {key: "***" if key in _SECRETS else value for key, value in options.items()}
        return cls(
            url=urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(options), "")),
            shown=urlunsplit((parts.scheme, hosts, parts.path, urlencode(shown, safe="*"), "")),
            team=team,
            options=options,
        )


def from_environment(*names: str) -> str | None:
    """The first of these variables that is set to something."""
    return next((value for name in names if (value := os.environ.get(name))), None)


class Patience:
    """Waits longer and longer between two tries, and not for ever.

    Args:
        shown: The server, as it is named in the error.
        seconds: How long in all.
    """

    def __init__(self, shown: str, seconds: float) -> None:
        self._shown = shown
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._pause = 0.02

    def next_pause(self, error: BaseException) -> float:
        """Seconds to wait now.

        Raises:
            MailboxesClosedError: it took too long.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise MailboxesClosedError(
                f"the server {self._shown} was not reached for {self._seconds:g} seconds: {_said(error)}"
            ) from error
        pause, self._pause = self._pause, min(self._pause * 2, 1.0)
        return min(pause, left)

    def wait(self, error: BaseException, is_closed: Callable[[], bool] = lambda: False) -> None:
        """Wait before the next try."""
        pause = self.next_pause(error)
        if not is_closed():
            time.sleep(pause)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
