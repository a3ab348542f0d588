"""MCP servers that others wrote, from npm. Deno runs them; run as a program, this prints what `make` has Deno fetch."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

FILESYSTEM = "npm:@modelcontextprotocol/server-filesystem@2026.8.31"
EVERYTHING = "npm:@modelcontextprotocol/server-everything@2026.8.31"
FETCHED = Path(__file__).parents[2] / ".cache" / "mcp-servers"


def npm_server(package: str, *args: str) -> dict[str, Any]:
    """Parameters of a server, which was fetched; the test is skipped where it was not."""
    beside = Path(sys.executable).parent
    deno = shutil.which("deno", path=os.pathsep.join([str(beside), os.environ["PATH"]]))
    if deno is None or not (FETCHED / ".installed").exists():
        pytest.skip("the servers of others are not here; fetch them with: make mcp-servers")
    command = ["run", "--quiet", "--cached-only", "--no-config", "--node-modules-dir=none", "--allow-all", package]
    return {"command": deno, "args": [*command, *args], "env": {"DENO_DIR": str(FETCHED), "NO_COLOR": "1"}}


if __name__ == "__main__":
    print(FILESYSTEM, EVERYTHING)
