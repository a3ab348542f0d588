"""What an agent can do to travel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from smolagents.agents.base import MultiStepAgent

__all__ = ["ShareableAgent"]


class ShareableAgent:
    """Saving, loading and sharing. Mixed into `MultiStepAgent`."""

    def to_dict(self) -> dict[str, Any]:
        """The agent as plain data, from which `from_dict` makes it again.

        Tools are in it as source code, managed agents as dictionaries of the same form. What was named in a file (a
        tool on the Hub, an MCP server, a variable of the environment) is named again. Keys, tokens and other
        secrets are left out, and so is what is code and no tool: callbacks, checks, a logger, an executor or a
        model that is a plain function.

        Warns:
            UserWarning: something that was given to the agent could not be saved; the message names it.

        Raises:
            ToolDefinitionError: a tool's source cannot be written.
            ValueError: a text holds what looks like a key, or the agents manage each other in a circle.
            TypeError: a tool or a managed agent is of a kind that cannot be saved.
        """
        from smolagents.agents.saving.representation import agent_to_dict

        return agent_to_dict(cast("MultiStepAgent", self))

    @classmethod
    def from_dict(cls, agent_dict: Mapping[str, Any], trust_remote_code: bool = False, **kwargs: Any) -> Self:
        """Make an agent from what `to_dict` returned. This runs the code of its tools.

        Args:
            agent_dict: The saved agent. Where it names a class, an agent of that class is made, unless this is a
                subclass of it.
            trust_remote_code: True to say that you trust what it names besides: modules to import, tools of the Hub,
                MCP servers.
            **kwargs: Arguments for the agent's constructor, over those that were saved. With `model`, the
                saved one is not made; agents of the team that shared it, or that were saved without theirs,
                get the given one too. `tool_arguments` holds constructor arguments of tools, such as keys, which
                are never saved: `{"name_of_tool": {"api_key": …}}`.

        Raises:
            ValueError: the data is malformed, names a class that is not known, or names what is not trusted; the
                message says what to do.
            ToolDefinitionError: the code of a tool is no tool.
            ConnectionError: an MCP server or the Hub cannot be reached.
        """
        from smolagents.agents.saving.representation import agent_from_dict
        from smolagents.agents.saving.trust import trusting

        with trusting(trust_remote_code):
            return cast("Self", agent_from_dict(cast("type[MultiStepAgent]", cls), agent_dict, kwargs))

    def save(self, output_dir: str | Path, relative_path: str | None = None) -> None:
        """Write the agent to a folder, for `from_folder`:

            agent.json         what the agent is made of
            prompts.yaml       its prompt templates
            tools/             a Python file for each tool
            managed_agents/    a folder like this one for each managed agent
            skills/            its skills
            app.py             a web page to talk with the agent
            requirements.txt   the packages all this needs

        Nothing is written when the agent cannot be saved. Files that are there already are replaced.

        Args:
            output_dir: The folder; made if it is not there.
            relative_path: Dotted path of this folder from the topmost, where the agent is one of a team. Saved
                files find each other from where they are, so none is needed.

        Warns:
            UserWarning: as `to_dict`.

        Raises:
            ToolDefinitionError, TypeError, ValueError: as `to_dict`.
        """
        from smolagents.agents.saving.folder import write_folder

        write_folder(Path(output_dir), self.to_dict())

    @classmethod
    def from_folder(cls, folder: str | Path, trust_remote_code: bool = False, **kwargs: Any) -> Self:
        """Load an agent from a folder that `save` wrote, or that has an agent.yaml. This runs the code of its tools.

        Args:
            folder: The folder.
            trust_remote_code: As for `from_dict`.
            **kwargs: As for `from_dict`.

        Raises:
            FileNotFoundError: there is no such folder, or a file is missing.
            ValueError: a file is malformed, leads out of the folder, or names what is not trusted.
            ToolDefinitionError, ConnectionError: as `from_dict`.
        """
        from smolagents.agents.saving.reading import read_folder
        from smolagents.agents.saving.trust import trusting

        with trusting(trust_remote_code):
            return cls.from_dict(read_folder(Path(folder)), **kwargs)

    @classmethod
    def from_file(cls, path: str | Path, trust_remote_code: bool = False, **kwargs: Any) -> Self:
        """Load an agent from a file that someone wrote; `docs/agent_files.md` says what may be in it.

        Args:
            path: A YAML or JSON file, or a folder with agent.json or agent.yaml.
            trust_remote_code: True to say that you trust what it would run: code of tools, in files or from the Hub,
                modules to import, MCP servers.
            **kwargs: As for `from_dict`.

        Raises:
            FileNotFoundError: the file, or one that it names, is missing.
            ValueError: a file is malformed, or would run what is not trusted; the message lists it.
            ToolDefinitionError, ConnectionError: as `from_dict`.
        """
        from smolagents.agents.saving.reading import read_file
        from smolagents.agents.saving.trust import refuse_unless_trusted, trusting, what_it_does

        data = read_file(Path(path))
        if trust_remote_code is not True:
            refuse_unless_trusted(what_it_does(data), data.label)
        with trusting(True):
            return cls.from_dict(data, **kwargs)

    @classmethod
    def from_hub(cls, repo_id: str, token: str | None = None, trust_remote_code: bool = False, **kwargs: Any) -> Self:
        """Load an agent from a Space of the Hugging Face Hub. This runs the code of its tools on your machine.

        Args:
            repo_id: Name of the Space, such as "user/agent".
            token: Token for the Hub; by default the one you logged in with.
            trust_remote_code: True to say that you have read the code and let it run.
            **kwargs: Arguments for the download, such as `revision`, `cache_dir` and `subfolder`; the others as for
                `from_dict`.

        Raises:
            ValueError: `trust_remote_code` is not True, with what would run; or there is no such Space, or what is in
                it is no agent.
            ConnectionError: the Hub cannot be reached.
        """
        from smolagents.agents.saving.hub import download
        from smolagents.agents.saving.trust import trusting

        folder, rest = download(repo_id, token, trust_remote_code, kwargs)
        with trusting(True):
            return cls.from_folder(folder, **rest)

    def push_to_hub(
        self,
        repo_id: str,
        commit_message: str = "Upload agent",
        private: bool | None = None,
        token: bool | str | None = None,
        create_pr: bool = False,
    ) -> Any:
        """Upload the agent to a Space of the Hugging Face Hub, which shows it as a web page.

        Args:
            repo_id: Name of the Space, such as "user/agent"; made if it is not there.
            commit_message: Message of the commit.
            private: Whether a new Space is private; None to leave it to the settings of its owner.
            token: Token for the Hub; by default the one you logged in with.
            create_pr: Whether to propose the files in a pull request in place of committing them.

        Returns:
            The `huggingface_hub.CommitInfo` of the upload, a string with the commit's address.

        Raises:
            ToolDefinitionError, TypeError, ValueError: as `to_dict`; nothing is uploaded then.
            ValueError: there is no token, or it may not write there.
            ConnectionError: the Hub cannot be reached, or failed.
        """
        from smolagents.agents.saving.hub import upload

        return upload(self.to_dict(), repo_id, commit_message, private, token, create_pr)
