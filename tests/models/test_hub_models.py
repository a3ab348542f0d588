"""Models that the Hub does not have, does not give, or that cannot be asked for: said in seconds, with a remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed; `make engines` installs it")
pytest.importorskip("transformers", reason="transformers is not installed; `make engines` installs it")

from support.tiny_transformers import save_tiny_llama

_ANSWERS = {
    "/someone/missing": (401, "RepoNotFound"),
    "/someone/gated": (403, "GatedRepo"),
    "/someone/model/resolve/v9": (404, "RevisionNotFound"),
}


class _Hub(BaseHTTPRequestHandler):
    """Answers as the Hub does, by its error codes."""

    def do_HEAD(self):
        status, code = next(
            (answer for start, answer in _ANSWERS.items() if self.path.startswith(start)), (404, "EntryNotFound")
        )
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", "no")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def load(endpoint, cache, program):
    """Run a program that loads models, in a process of its own: where the Hub is, its client reads once."""
    source = f"""
import json
from smolagents import TransformersModel
said = []
def load(*args, **kwargs):
    try:
        said.append(["loaded", TransformersModel(*args, **kwargs).model_id])
    except Exception as error:
        said.append([type(error).__name__, getattr(error, "kind", None), str(error)])
{program}
print(json.dumps(said))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache)}
    result = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_what_the_hub_refuses(hub, tmp_path):
    missing, gated, revision, other = load(
        hub,
        tmp_path,
        """
load("someone/missing")
load("someone/gated")
load("someone/model", model_kwargs={"revision": "v9"})
load("someone/other")
""",
    )
    assert missing[:2] == ["AgentGenerationError", "not_found"]
    assert "the Hub has no such repository, or it is private. Check model_id" in missing[2]
    assert gated[:2] == ["AgentGenerationError", "permission"]
    assert "hf auth login" in gated[2]
    assert "HF_TOKEN" in gated[2]
    assert revision[:2] == ["AgentGenerationError", "not_found"]
    assert "no such revision" in revision[2]
    assert other[0] == "AgentGenerationError"
    assert "no config.json that tells what model it is; GGUF files are for LlamaCppModel" in other[2]


def test_a_hub_that_cannot_be_reached(tmp_path):
    start = time.monotonic()
    snapshot = tmp_path / "hub" / "models--someone--kept" / "snapshots" / ("0" * 40)
    save_tiny_llama(snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    absent, kept = load("http://127.0.0.1:9", tmp_path, 'load("someone/absent")\nload("someone/kept")')
    assert absent[:2] == ["AgentGenerationError", "unreachable"]
    assert "someone/absent cannot be loaded: the Hub cannot be reached" in absent[2]
    assert "HF_ENDPOINT" in absent[2]
    assert kept == ["loaded", "someone/kept"]
    assert time.monotonic() - start < 60
