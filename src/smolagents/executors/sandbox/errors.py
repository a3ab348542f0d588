"""What starting a sandbox can fail with."""

from __future__ import annotations

__all__ = ["SandboxUnavailableError"]


class SandboxUnavailableError(RuntimeError):
    """No sandbox can be had here, or not with all its protections. The text says why, and what to do."""
