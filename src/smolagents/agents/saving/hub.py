"""Agents on the Hugging Face Hub, where each is a Space."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolagents.agents.saving.folder import write_folder

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent

__all__ = ["download", "from_hub", "upload"]

_FOR_DOWNLOAD = frozenset(
    {
        "cache_dir",
        "endpoint",
        "etag_timeout",
        "force_download",
        "headers",
        "local_dir",
        "local_files_only",
        "repo_type",
        "revision",
        "user_agent",
    }
)
"""Arguments that go to `huggingface_hub.snapshot_download`."""

_FILES = ("agent.json", "prompt*.y*ml", "tools/*.py", "managed_agents/**")


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
    for_download: dict[str, Any] = {"repo_type": "space"}
    rest: dict[str, Any] = {}
    for name, value in kwargs.items():
        (for_download if name in _FOR_DOWNLOAD else rest)[name] = value
    subfolder = rest.pop("subfolder", None)
    inside = _checked_subfolder(subfolder)
    if trust_remote_code is not True:
        raise ValueError(_refusal(repo_id, token, for_download, inside))
    from huggingface_hub import snapshot_download

    patterns = [f"{inside}/{each}" if inside else each for each in _FILES]
    with _hub_errors(repo_id):
        folder = Path(snapshot_download(repo_id, token=token, allow_patterns=patterns, **for_download))
    folder = folder / inside if inside else folder
    if not (folder / "agent.json").is_file():
        there = f"the folder {inside!r} of {repo_id!r}" if inside else repr(repo_id)
        raise ValueError(
            f"{there} holds no agent: there is no agent.json in it. Agents get there by agent.push_to_hub(…); "
            "a tool is loaded by load_tool(…)."
        )
    return folder, rest


def _checked_subfolder(subfolder: Any) -> str:
    if subfolder is None:
        return ""
    parts = str(subfolder).replace("\\", "/").strip("/").split("/")
    if ".." in parts or str(subfolder).startswith("/"):
        raise ValueError(f"subfolder {str(subfolder)!r} leads out of the Space: give a path inside it")
    return "/".join(part for part in parts if part not in ("", "."))


def _refusal(repo_id: str, token: str | None, for_download: Mapping[str, Any], inside: str) -> str:
    """Why nothing is loaded, with what would run as far as the Hub tells."""
    from huggingface_hub import HfApi

    address = f"https://huggingface.co/{'spaces/' if for_download['repo_type'] == 'space' else ''}{repo_id}"
    runs = "the Python code of its tools"
    info: Any = None
    try:
        with _hub_errors(repo_id):
            info = HfApi(endpoint=for_download.get("endpoint"), token=token).repo_info(
                repo_id, repo_type=for_download["repo_type"], revision=for_download.get("revision"), timeout=10
            )
    except ConnectionError:
        pass  # what would run is not known then, but that code would run is
    names = [each.rfilename for each in (info.siblings or ())] if info is not None else []
    code = [
        name
        for name in names
        if name.endswith(".py") and "/tools/" in f"/{name}" and name.startswith(f"{inside}/" if inside else "")
    ]
    if code:
        runs += f": {', '.join(code[:20])}{f' and {len(code) - 20} more' if len(code) > 20 else ''}"
    return (
        f"Loading {repo_id!r} runs code from the Hub on your machine, {runs}. "
        f"Read it at {address}/tree/main and, if you trust it, pass trust_remote_code=True."
    )


@contextlib.contextmanager
def _hub_errors(repo_id: str) -> Iterator[None]:
    """Say what the Hub's refusals mean, and what to do."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise ValueError(
            f"{repo_id!r} is open only to those who ask: ask on its page on the Hub, and pass your token=…"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ValueError(
            f"there is no Space {repo_id!r} on the Hub, or it is private: check the name, or pass a token=… that may "
            "read it"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ValueError(f"{repo_id!r} has no such revision: check revision=…, a branch, tag or commit") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise ConnectionError(
            f"the Hub cannot be reached, and {repo_id!r} is not in the cache: check the connection and HF_ENDPOINT"
        ) from error
    except errors.HfHubHTTPError as error:
        raise ConnectionError(f"the Hub did not give {repo_id!r}: {error}") from error
    except Exception as error:
        # The HTTP client's own exceptions are told by its name: which client it is depends on huggingface_hub.
        if type(error).__module__.partition(".")[0].startswith(("httpx", "httpcore", "requests")):
            raise ConnectionError(f"the Hub cannot be reached for {repo_id!r}: {error}") from error
        raise


def upload(
    data: Mapping[str, Any],
    repo_id: str,
    commit_message: str,
    private: bool | None,
    token: bool | str | None,
    create_pr: bool,
) -> Any:
    """Upload a saved agent. See `ShareableAgent.push_to_hub`."""
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    address = api.create_repo(repo_id, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
    repo_id = address.repo_id  # with the name of the owner, where it was given without
    with tempfile.TemporaryDirectory(prefix="smolagents-") as name:
        folder = Path(name)
        write_folder(folder, data)
        (folder / "README.md").write_text(_card(api, repo_id, data), encoding="utf-8")
        return api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            repo_type="space",
            commit_message=commit_message,
            create_pr=create_pr,
        )


_TAGS = ("smolagents", "agent")


def _card(api: Any, repo_id: str, data: Mapping[str, Any]) -> str:
    """The Space's README: the one it has, with what marks it as an agent added."""
    from huggingface_hub import RepoCard, errors

    try:
        there = api.hf_hub_download(repo_id, "README.md", repo_type="space")
        text = Path(there).read_text(encoding="utf-8")
    except errors.EntryNotFoundError:
        named = data.get("name") or repo_id.rpartition("/")[2]
        about = data.get("description") or "An agent made with smolagents."
        text = f"---\nsdk: gradio\napp_file: app.py\n---\n\n# {named}\n\n{about}\n"
    card = RepoCard(text, ignore_metadata_errors=True)
    tags = list(card.data.get("tags") or [])
    card.data["tags"] = [*tags, *(tag for tag in _TAGS if tag not in tags)]
    return str(card)
