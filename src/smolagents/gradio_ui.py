"""Documented path of the web page's parts; they live in `smolagents.ui.gradio`."""

from smolagents.ui.gradio.app import GradioUI
from smolagents.ui.gradio.messages import get_step_footnote_content, pull_messages_from_step, stream_to_gradio

__all__ = ["GradioUI", "get_step_footnote_content", "pull_messages_from_step", "stream_to_gradio"]
