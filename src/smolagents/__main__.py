"""`python -m smolagents` is the `smolagent` command."""

from __future__ import annotations

import sys

from smolagents.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
