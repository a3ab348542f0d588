"""What a person sees of a run: the console logger, its levels, and the counts of tokens and time.

Text goes to a terminal through rich, which is imported only then. Anywhere else (a pipe, a file, a CI log) it is
written as plain lines without control codes. The same events go to `logging.getLogger("smolagents")`. `trace_to` writes
runs to files, `instrument` gives them to OpenTelemetry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports
from smolagents.monitoring.levels import LogLevel
from smolagents.monitoring.live import pause_live
from smolagents.monitoring.logger import YELLOW_HEX, AgentLogger
from smolagents.monitoring.monitor import Monitor
from smolagents.types.usage import Timing, TokenUsage

if TYPE_CHECKING:
    from smolagents.monitoring.telemetry import instrument as instrument
    from smolagents.monitoring.telemetry import uninstrument as uninstrument
    from smolagents.monitoring.trace_files import trace_to as trace_to

__all__ = [
    "AgentLogger",
    "LogLevel",
    "Monitor",
    "Timing",
    "TokenUsage",
    "YELLOW_HEX",
    "instrument",
    "pause_live",
    "trace_to",
    "uninstrument",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "instrument": "smolagents.monitoring.telemetry",
        "trace_to": "smolagents.monitoring.trace_files",
        "uninstrument": "smolagents.monitoring.telemetry",
    },
)
