"""A Gradio app with functions of many kinds, and a process that serves it on a free port."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def make_app() -> Any:
    import gradio as gr

    def greet(name: str, times: float = 2, loud: bool = False, style: str = "plain") -> str:
        """Greets somebody."""
        return ("HELLO " if loud else "hello ") + name * int(times) + f" ({style})"

    def fail(name: str) -> str:
        raise gr.Error(f"no {name} today")

    def slow(name: str) -> str:
        time.sleep(60)
        return name

    with gr.Blocks(title="many kinds") as app:
        name, times, loud = gr.Textbox(label="Name"), gr.Number(2, precision=0), gr.Checkbox(label="Loud")
        style = gr.Dropdown(["plain", "fancy"], value="plain", label="Style")
        text, number = gr.Textbox(label="Greeting"), gr.Number(label="How many")
        image, turned = gr.Image(type="pil", label="Picture"), gr.Image(format="png")
        sound, same = gr.Audio(type="filepath"), gr.Audio()
        file, back, data = gr.File(label="A file"), gr.File(), gr.JSON()
        go = gr.Button()
        go.click(greet, [name, times, loud, style], text, api_name="greet")
        go.click(fail, name, text, api_name="fail")
        go.click(slow, name, text, api_name="slow")
        go.click(lambda given: given.rotate(90, expand=True), image, turned, api_name="turn")
        go.click(lambda given: given, sound, same, api_name="sound")
        go.click(lambda path: len(Path(path).read_bytes()), file, number, api_name="size")
        go.click(lambda path: path, file, back, api_name="file")
        go.click(lambda n: (n, str(n)), times, [number, text], api_name="two")
        go.click(lambda given: {"given": given}, data, data, api_name="data")
    return app


@contextlib.contextmanager
def serve(program: str = "from support.gradio_app import make_app; make_app().launch(quiet=True)") -> Iterator[str]:
    """Run a program that serves an app, in a process of its own. Yields the address once it answers."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/config", timeout=5):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise AssertionError(f"the app did not start: {process.communicate()[0]}")
            time.sleep(0.1)
        yield address
    finally:
        process.kill()
        process.communicate()
