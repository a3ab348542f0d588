"""What loading and sharing on the Hugging Face Hub have in common, be it a tool or an agent."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["checked_subfolder", "fetch", "hub_errors", "refusal", "share", "split_arguments"]

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


def split_arguments(kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Arguments of a `from_hub`.

    Returns:
        Those for the download, the subfolder as a path inside the Space ("" for none), and the others.

    Raises:
        ValueError: the subfolder leads out of the Space.
    """
    for_download: dict[str, Any] = {"repo_type": "space"}
    rest: dict[str, Any] = {}
    for name, value in kwargs.items():
        (for_download if name in _FOR_DOWNLOAD else rest)[name] = value
    return for_download, checked_subfolder(rest.pop("subfolder", None)), rest


def checked_subfolder(subfolder: Any) -> str:
    """A path inside a Space, without what says nothing; "" for None."""
    if subfolder is None:
        return ""
    parts = str(subfolder).replace("\\", "/").strip("/").split("/")
    if ".." in parts or str(subfolder).startswith("/"):
        raise ValueError(f"subfolder {str(subfolder)!r} leads out of the Space: give a path inside it")
    return "/".join(part for part in parts if part not in ("", "."))


def fetch(
    repo_id: str, token: str | bool | None, files: Sequence[str], inside: str, for_download: Mapping[str, Any]
) -> Path:
    """Fetch those files of a Space that match the patterns `files`, under the folder `inside`.

    Returns:
        The folder on this machine.

    Raises:
        ValueError, ConnectionError: as `hub_errors`.
    """
    from huggingface_hub import snapshot_download

    patterns = [f"{inside}/{each}" if inside else each for each in files]
    with hub_errors(repo_id):
        folder = Path(snapshot_download(repo_id, token=token, allow_patterns=patterns, **for_download))
    return folder / inside if inside else folder


def refusal(
    repo_id: str,
    token: str | bool | None,
    for_download: Mapping[str, Any],
    *,
    what: str,
    runs: Callable[[str], bool],
) -> str:
    """Why nothing is loaded, with what would run as far as the Hub tells.

    Args:
        repo_id: Name of the Space.
        token: Token for the Hub.
        for_download: Arguments for the download.
        what: Words for the code, such as "the Python code of its tools".
        runs: Whether a file of that name would run.

    Raises:
        ValueError: there is no such Space.
    """
    from huggingface_hub import HfApi

    address = f"https://huggingface.co/{'spaces/' if for_download['repo_type'] == 'space' else ''}{repo_id}"
    info: Any = None
    try:
        with hub_errors(repo_id):
            info = HfApi(endpoint=for_download.get("endpoint"), token=token).repo_info(
                repo_id, repo_type=for_download["repo_type"], revision=for_download.get("revision"), timeout=10
            )
    except ConnectionError:
        pass  # what would run is not known then, but that code would run is
    names = [each.rfilename for each in (info.siblings or ())] if info is not None else []
    code = list(filter(runs, names))
    if code:
        what += f": {', '.join(code[:20])}{f' and {len(code) - 20} more' if len(code) > 20 else ''}"
    return (
        f"Loading {repo_id!r} runs code from the Hub on your machine, {what}. "
        f"Read it at {address}/tree/main and, if you trust it, pass trust_remote_code=True."
    )


@contextlib.contextmanager
def hub_errors(repo_id: str) -> Iterator[None]:
    """Say what the Hub's refusals mean, and what to do.

    Raises:
        ValueError: there is no such Space or revision, or it may not be read.
        ConnectionError: the Hub cannot be reached, or failed.
    """
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


def share(
    write: Callable[[Path], None],
    repo_id: str,
    *,
    name: str,
    about: str,
    kind: str,
    commit_message: str,
    private: bool | None,
    token: bool | str | None,
    create_pr: bool,
) -> Any:
    """Upload what `write` writes into a folder to a Space, which is made if it is not there.

    Args:
        write: Writes the files. Where it fails, nothing is uploaded and no Space is made.
        repo_id: Name of the Space; without an owner, the account of the token.
        name: What the Space shows, for its card; "" for the name of the Space.
        about: The same in more words.
        kind: "tool" or "agent".
        commit_message, private, token, create_pr: As for `Tool.push_to_hub`.

    Returns:
        The `huggingface_hub.CommitInfo` of the upload.

    Raises:
        ValueError: there is no token, or it may not write there.
        ConnectionError: the Hub cannot be reached, or failed.
    """
    from huggingface_hub import HfApi, errors, get_token

    with tempfile.TemporaryDirectory(prefix="smolagents-") as made:
        folder = Path(made)
        write(folder)
        api = HfApi(token=token)
        with hub_errors(repo_id):
            try:
                address = api.create_repo(
                    repo_id, repo_type="space", space_sdk="gradio", private=private, exist_ok=True
                )
            except errors.HfHubHTTPError as error:
                if getattr(error.response, "status_code", None) in (401, 403):
                    if not isinstance(token, str) and (token is False or get_token() is None):
                        raise ValueError(
                            f"uploading {name or kind!r} to {repo_id!r} needs a token for the Hub that may write: "
                            "log in with 'hf auth login', set HF_TOKEN, or pass token=…"
                        ) from error
                    raise ValueError(
                        f"the Hub does not let this token make or change the Space {repo_id!r}: check the owner in its "
                        f"name, and that the token may write. It said: {error}"
                    ) from error
                raise
            repo_id = address.repo_id  # with the name of the owner, where it was given without
            title = name or repo_id.rpartition("/")[2]
            readme = _card(api, repo_id, title=title, about=about, tags=("smolagents", kind))
            (folder / "README.md").write_text(readme, encoding="utf-8")
            return api.upload_folder(
                repo_id=repo_id,
                folder_path=folder,
                repo_type="space",
                commit_message=commit_message,
                create_pr=create_pr,
            )


def _card(api: Any, repo_id: str, *, title: str, about: str, tags: Sequence[str]) -> str:
    """A Space's README: the one it has, with tags added that mark what is in it."""
    from huggingface_hub import RepoCard, errors

    try:
        there = api.hf_hub_download(repo_id, "README.md", repo_type="space")
        text = Path(there).read_text(encoding="utf-8")
    except errors.EntryNotFoundError:
        text = f"---\nsdk: gradio\napp_file: app.py\n---\n\n# {title}\n\n{about}\n"
    readme = RepoCard(text, ignore_metadata_errors=True)
    had = list(readme.data.get("tags") or [])
    readme.data["tags"] = [*had, *(tag for tag in tags if tag not in had)]
    return str(readme)
