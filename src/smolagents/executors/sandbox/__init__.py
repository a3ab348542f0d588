"""Running code in a process that the Linux kernel confines: no set-up, no root, milliseconds to start.

- `executor`: `SandboxExecutor`, what users see.
- `launcher`, `connection`: the fork server and one session with a worker, from this side.
- `bootstrap`, `forkserver`, `worker_main`: the other side. They use the standard library and `executors.worker` alone.
- `confine`: what the kernel is asked for.
"""

from .errors import SandboxUnavailableError
from .executor import SandboxExecutor

__all__ = ["SandboxExecutor", "SandboxUnavailableError"]
