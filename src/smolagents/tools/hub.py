"""Tools on the Hugging Face Hub, where each is a Space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolagents.tools.errors import ToolDefinitionError
from smolagents.tools.hub_access import fetch, refusal, share, split_arguments
from smolagents.tools.sharing import constructor_arguments

if TYPE_CHECKING:
    from smolagents.tools.base import Tool

__all__ = ["download", "load_tool", "upload"]

_SOURCE = "tool.py"
_CONFIGURATION = "tool_config.json"


def load_tool(
    repo_id: str,
    model_repo_id: str | None = None,
    token: str | None = None,
    trust_remote_code: bool = False,
    **kwargs: Any,
) -> Tool:
    """Load a tool from a Space of the Hugging Face Hub. This runs its code on your machine.

    Args:
        repo_id: Name of the Space, such as "user/tool".
        model_repo_id: For a tool that runs a model: the model to run in place of its own, passed to its constructor
            as `model`.
        token: Token for the Hub; by default the one you logged in with.
        trust_remote_code: True to say that you have read the code and let it run.
        **kwargs: As for `Tool.from_hub`, which says what is raised too.
    """
    from smolagents.tools.base import Tool

    if model_repo_id is not None:
        kwargs["model"] = model_repo_id
    return Tool.from_hub(repo_id, token=token, trust_remote_code=trust_remote_code, **kwargs)


def download(
    cls: type[Tool], repo_id: str, token: str | bool | None, trust_remote_code: bool, kwargs: dict[str, Any]
) -> Tool:
    """Fetch and make a tool. See `Tool.from_hub`."""
    for_download, inside, given = split_arguments(kwargs)
    source = f"{inside}/{_SOURCE}" if inside else _SOURCE
    if trust_remote_code is not True:
        raise ValueError(
            refusal(repo_id, token, for_download, what="the Python code of the tool", runs=lambda name: name == source)
        )
    folder = fetch(repo_id, token, (_SOURCE, _CONFIGURATION), inside, for_download)
    where = f"the folder {inside!r} of {repo_id!r}" if inside else repr(repo_id)
    if not (folder / _SOURCE).is_file():
        raise ValueError(
            f"{where} holds no tool: there is no {_SOURCE} in it. Tools get there by tool.push_to_hub(…); an agent is "
            "loaded by from_hub(…), and a Gradio app that is no tool by Tool.from_space(…)."
        )
    try:
        code = (folder / _SOURCE).read_text(encoding="utf-8")
        return cls.from_code(code, **{**_saved_arguments(folder), **given})
    except ImportError as error:
        raise ImportError(
            f"the tool in {where} needs a package that is not here: {error}. Its requirements.txt names what to install.",
            name=error.name,
        ) from error
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ToolDefinitionError(f"{_SOURCE} in {where} is not Python that can be read: {error}") from error


def _saved_arguments(folder: Path) -> dict[str, Any]:
    """The constructor's arguments that were saved beside the tool, if any were."""
    path = folder / _CONFIGURATION
    if not path.is_file():
        return {}
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    arguments = saved.get("init", {}) if isinstance(saved, dict) else {}
    return arguments if isinstance(arguments, dict) else {}


def upload(
    tool: Tool, repo_id: str, commit_message: str, private: bool | None, token: bool | str | None, create_pr: bool
) -> Any:
    """Upload a tool. See `Tool.push_to_hub`."""

    def write(folder: Path) -> None:
        tool.save(folder)
        arguments = constructor_arguments(tool)
        if arguments:
            (folder / _CONFIGURATION).write_text(json.dumps({"init": arguments}, indent=2), encoding="utf-8")

    return share(
        write,
        repo_id,
        name=tool.name,
        about=tool.description,
        kind="tool",
        commit_message=commit_message,
        private=private,
        token=token,
        create_pr=create_pr,
    )
