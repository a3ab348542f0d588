"""Installing packages in a container, by pip, from outside.

It runs as the container's root, who has no rights there but to write where the packages go. The code, which another
user runs, cannot write there, so it cannot change what other sessions import.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from smolagents.executors.remote.docker.settings import PACKAGES

__all__ = ["install"]

INSTALL_SECONDS = 900
"""Longest that an installation may take."""

# The packages of the image keep their versions where that is possible: what the image was built with fits together.
PROGRAM = """
import importlib.metadata, importlib.util, json, os, subprocess, sys
target, seconds, wanted = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
if not os.access(target, os.W_OK):
    print("null")
    sys.exit()
sys.path[:0] = os.environ.get("PYTHONPATH", "").split(":")
def is_there(name, package):
    try:
        return importlib.util.find_spec(name.partition(".")[0]) or importlib.metadata.distribution(package)
    except (ImportError, ValueError):
        return None
packages = [package for name, package in wanted.items() if not is_there(name, package)]
if not packages:
    print('""')
    sys.exit()
scratch = os.path.join(target, ".tmp")
os.makedirs(scratch, exist_ok=True)
os.environ.update(HOME=scratch, TMPDIR=scratch)
pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]
def run(*arguments):
    done = subprocess.run(pip + list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=seconds)
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()
try:
    code, said = run("freeze", "--all", "--exclude", "pip")
    constraints = os.path.join(scratch, "constraints.txt")
    with open(constraints, "w") as file:
        file.writelines(line + "\\n" for line in said.splitlines() if not code and "==" in line and " " not in line)
    install = ["install", "--target", target, "--upgrade", "--root-user-action", "ignore", *packages]
    code, said = run(*install, "--constraint", constraints)
    if code and any(text in said for text in ("ResolutionImpossible", "No matching distribution")):
        code, said = run(*install)
except subprocess.TimeoutExpired:
    code, said = 1, "it took longer than %d seconds" % seconds
finally:
    subprocess.run(["rm", "-rf", scratch])
print(json.dumps("" if not code else said[-3000:] or "pip failed"))
"""


def install(client: Any, container_id: str, python: str, packages: Mapping[str, str]) -> str:
    """Install what is not there yet. Return "" when that went well, else the end of what pip said.

    Args:
        client: Of the Docker daemon.
        container_id: Where to install.
        python: Name of the interpreter there.
        packages: What to install, by the module or package that was asked for.
    """
    command = [python, "-I", "-c", PROGRAM, PACKAGES, str(INSTALL_SECONDS), json.dumps(dict(packages))]
    try:
        # Podman gives a volume to the image's user, where Docker gives it to root.
        said = _run(client, container_id, command, user="0")
        if said is None:
            said = _run(client, container_id, command, user="")
    except Exception as error:  # of the SDK, requests and urllib3
        return str(error)
    return f"the folder {PACKAGES} cannot be written" if said is None else said


def _run(client: Any, container_id: str, command: list[str], user: str) -> str | None:
    """What the program says; None if `user` cannot write where the packages go."""
    process = client.api.exec_create(container_id, command, user=user)["Id"]
    output = client.api.exec_start(process).decode("utf-8", "replace").strip()
    try:
        said = json.loads(output.rpartition("\n")[2])
    except ValueError:
        said = 0
    return said if said is None or isinstance(said, str) else output[-3000:] or "the container ended"
