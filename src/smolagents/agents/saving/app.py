"""`app.py`: a web page to talk with a saved agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["create_agent_gradio_app_template"]

_APP = '''\
"""A web page to talk with {{ title }}. Start it with: python app.py"""

from pathlib import Path

from smolagents import {{ class_name }}, GradioUI

agent = {{ class_name }}.from_folder(Path(__file__).resolve().parent{% if trusted %}, trust_remote_code=True{% endif %})

if __name__ == "__main__":
    GradioUI(agent).launch()
'''


def create_agent_gradio_app_template() -> Template:
    """The template of `app.py`.

    Render it with `class_name`, the class of the agent; `title`, what to call it; and, for an agent whose tools come
    from elsewhere, `trusted=True`.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(_APP, globals={"trusted": False})
