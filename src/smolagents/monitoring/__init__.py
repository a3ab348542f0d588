"""What a person sees of a run: the console logger, its levels, and the counts of tokens and time.

Text goes to a terminal through rich, which is imported only then. Anywhere else (a pipe, a file, a CI log) it is
written as plain lines without control codes. The same events go to `logging.getLogger("smolagents")`.
"""

from __future__ import annotations

from smolagents.monitoring.levels import LogLevel
from smolagents.monitoring.live import pause_live
from smolagents.monitoring.logger import YELLOW_HEX, AgentLogger
from smolagents.monitoring.monitor import Monitor
from smolagents.types.usage import Timing, TokenUsage

__all__ = ["AgentLogger", "LogLevel", "Monitor", "Timing", "TokenUsage", "YELLOW_HEX", "pause_live"]
