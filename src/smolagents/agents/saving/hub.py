"""Agents on the Hugging Face Hub, where each is a Space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolagents.agents.saving.folder import write_folder
from smolagents.agents.saving.reading import FILES
from smolagents.tools.hub_access import fetch, refusal, share, split_arguments

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent

__all__ = ["download", "from_hub", "upload"]

_FILES = ("*.json", "*.yaml", "*.yml", "*.py", "managed_agents/**", "skills/**")


def from_hub(repo_id: str, trust_remote_code: bool = False, token: str | None = None, **kwargs: Any) -> MultiStepAgent:
    """Load an agent from a Space of the Hugging Face Hub. This runs the code of its tools on your machine.

    Args:
        repo_id: Name of the Space, such as "user/agent".
        trust_remote_code: True to say that you have read the code and let it run.
        token: Token for the Hub; by default the one you logged in with.
        **kwargs: As for `MultiStepAgent.from_hub`, which says what is raised too.
    """
    from smolagents.agents.base import MultiStepAgent

    return MultiStepAgent.from_hub(repo_id, token=token, trust_remote_code=trust_remote_code, **kwargs)


def download(
    repo_id: str, token: str | None, trust_remote_code: bool, kwargs: Mapping[str, Any]
) -> tuple[Path, dict[str, Any]]:
    """Fetch an agent's files.

    Returns:
        The folder they are in, and those of `kwargs` that are not for the download.

    Raises:
        ValueError, ConnectionError: as `ShareableAgent.from_hub`.
    """
    for_download, inside, rest = split_arguments(kwargs)
    if trust_remote_code is not True:

        def runs(name: str) -> bool:
            within = name.startswith(f"{inside}/" if inside else "")
            return within and name.endswith(".py") and not name.endswith("app.py")

        raise ValueError(refusal(repo_id, token, for_download, what="the Python code of its tools", runs=runs))
    folder = fetch(repo_id, token, _FILES, inside, for_download)
    if not any((folder / name).is_file() for name in FILES):
        there = f"the folder {inside!r} of {repo_id!r}" if inside else repr(repo_id)
        raise ValueError(
            f"{there} holds no agent: there is no agent.json and no agent.yaml in it. Agents get there by agent.push_to_hub(…); "
            "a tool is loaded by load_tool(…)."
        )
    return folder, rest


def upload(
    data: Mapping[str, Any],
    repo_id: str,
    commit_message: str,
    private: bool | None,
    token: bool | str | None,
    create_pr: bool,
) -> Any:
    """Upload a saved agent. See `ShareableAgent.push_to_hub`."""
    return share(
        lambda folder: write_folder(folder, data),
        repo_id,
        name=data.get("name") or "",
        about=data.get("description") or "An agent made with smolagents.",
        kind="agent",
        commit_message=commit_message,
        private=private,
        token=token,
        create_pr=create_pr,
    )
