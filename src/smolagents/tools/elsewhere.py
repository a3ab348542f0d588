"""Where tools come from and go to: the Hub, Gradio apps, LangChain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from smolagents.tools.base import Tool

__all__ = ["FromElsewhere"]


class FromElsewhere:
    """How a tool is loaded from elsewhere, and put there. Mixed into `Tool`."""

    def push_to_hub(
        self,
        repo_id: str,
        commit_message: str = "Upload tool",
        private: bool | None = None,
        token: bool | str | None = None,
        create_pr: bool = False,
    ) -> Any:
        """Upload the tool to a Space of the Hugging Face Hub, which shows it as a web page.

        Args:
            repo_id: Name of the Space, such as "user/tool"; made if it is not there.
            commit_message: Message of the commit.
            private: Whether a new Space is private; None to leave it to the settings of its owner.
            token: Token for the Hub; by default the one you logged in with.
            create_pr: Whether to propose the files in a pull request in place of committing them.

        Returns:
            The `huggingface_hub.CommitInfo` of the upload, a string with the commit's address.

        Raises:
            ToolDefinitionError: the tool cannot be written as source; nothing is uploaded then.
            ValueError: there is no token, or it may not write there.
            ConnectionError: the Hub cannot be reached, or failed.
        """
        from smolagents.tools.hub import upload

        return upload(cast("Tool", self), repo_id, commit_message, private, token, create_pr)

    @classmethod
    def from_hub(cls, repo_id: str, token: str | None = None, trust_remote_code: bool = False, **kwargs: Any) -> Tool:
        """Load a tool from a Space of the Hugging Face Hub. This runs its code on your machine.

        Args:
            repo_id: Name of the Space, such as "user/tool".
            token: Token for the Hub; by default the one you logged in with.
            trust_remote_code: True to say that you have read the code and let it run.
            **kwargs: Arguments for the download, such as `revision`, `cache_dir` and `subfolder`; the others are for
                the tool's constructor, over those that it was saved with.

        Raises:
            ValueError: `trust_remote_code` is not True, with what would run; or there is no such Space, or it may not
                be read, or what is in it is no tool.
            ConnectionError: the Hub cannot be reached.
            ImportError: the tool needs a package that is not installed.
        """
        from smolagents.tools.hub import download

        return download(cast("type[Tool]", cls), repo_id, token, trust_remote_code, kwargs)

    @classmethod
    def from_space(
        cls,
        space_id: str,
        name: str,
        description: str = "",
        api_name: str | None = None,
        token: str | None = None,
    ) -> Tool:
        """Make a tool of a Gradio app: a Space of the Hugging Face Hub, or one at an address. The app runs there.

        Images, sounds and files are uploaded to it, and what it returns of these is downloaded.

        Args:
            space_id: Name of the Space, such as "user/app", or the address of an app: "http://127.0.0.1:7860".
            name: What the model calls the tool.
            description: What it does, for the model; by default what the app says.
            api_name: Which of the app's functions to call, such as "/predict"; needed where it has several, unless one
                is named "/predict".
            token: Token for the Hub; by default the one you logged in with.

        Raises:
            ValueError: there is no such app or function, or it has several and none was named; the message lists them.
            ConnectionError: the app cannot be reached.
            MissingExtraError: `gradio_client` is not installed.
        """
        from smolagents.tools.gradio_tools import tool_of_app

        return tool_of_app(space_id, name, description, api_name, token)

    @classmethod
    def from_gradio(cls, gradio_tool: Any) -> Tool:
        """Make a tool of a Gradio app in this process, or of an object of the `gradio_tools` kind.

        Args:
            gradio_tool: A `gradio.Interface` or `gradio.Blocks` with one function, called here without a server; or an
                object with `name`, `description` and `run`.

        Raises:
            ToolDefinitionError: it is neither, or the app has no function or several.
        """
        from smolagents.tools.gradio_tools import tool_of_object

        return tool_of_object(gradio_tool)

    @classmethod
    def from_langchain(cls, langchain_tool: Any) -> Tool:
        """Make a tool of a LangChain tool. One that is only asynchronous becomes an asynchronous tool.

        Args:
            langchain_tool: A `langchain_core.tools.BaseTool`, as its `@tool` and `StructuredTool.from_function` make.

        Raises:
            ToolDefinitionError: it is none.
        """
        from smolagents.tools.langchain_tools import LangChainTool

        return LangChainTool(langchain_tool)
