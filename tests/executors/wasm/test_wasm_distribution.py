"""Fetching Pyodide, with the real client and servers of our own."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from smolagents.executors.wasm import distribution
from smolagents.executors.wasm.__main__ import main
from smolagents.executors.wasm.distribution import VERSION, FetchError, fetch, find_distribution

LOCK = {"info": {"abi_version": "2026_0", "platform": "emscripten_5_0_3", "python": "3.14.2"}, "packages": {}}
FILES = {
    "pyodide.mjs": b"loader",
    "pyodide.asm.mjs": b"machine",
    "pyodide.asm.wasm": b"\0asm" * 1000,
    "python_stdlib.zip": b"library",
    "pyodide-lock.json": json.dumps(LOCK).encode(),
    "package.json": b"{}",
    "README.md": b"not needed",
}


def archive(files=FILES):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry of npm packages, whose one package is a small Pyodide."""
    monkeypatch.setenv("SMOLAGENTS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "registry" / "pyodide" / "-"
    folder.mkdir(parents=True)
    data = archive()
    (folder / f"pyodide-{VERSION}.tgz").write_bytes(data)
    monkeypatch.setattr(distribution, "_SHA512", base64.b64encode(hashlib.sha512(data).digest()).decode())
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "registry")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
    for name in ("http_proxy", "HTTP_PROXY", "PYODIDE_URL"):
        monkeypatch.delenv(name, raising=False)
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_core_files_are_fetched_once_and_kept(registry, tmp_path):
    place = fetch()
    assert place == tmp_path / "cache" / "pyodide" / VERSION
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {
        name: data for name, data in FILES.items() if name != "README.md"
    }
    assert find_distribution().platforms[0] == "pyemscripten_2026_0_wasm32"
    assert fetch() == place
    assert registry == [f"/pyodide/-/pyodide-{VERSION}.tgz"]
    assert sorted(path.name for path in place.parent.iterdir()) == [VERSION, f"{VERSION}.lock"]


def test_two_that_ask_at_once_fetch_it_once(registry):
    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry) == 1
    find_distribution()


def test_a_directory_with_files_missing_is_fetched_again(registry):
    place = fetch()
    (place / "python_stdlib.zip").unlink()
    with pytest.raises(FileNotFoundError, match="fetch"):
        find_distribution()
    fetch()
    find_distribution()
    assert len(registry) == 2


def test_what_has_another_hash_is_not_kept(registry, tmp_path):
    other = tmp_path / "other.tgz"
    other.write_bytes(archive({**FILES, "pyodide.mjs": b"evil"}))
    with pytest.raises(FetchError, match=r"is not Pyodide .*, and it was deleted: its SHA-512 is"):
        fetch(other.as_uri())
    assert [path.name for path in (tmp_path / "cache" / "pyodide").iterdir()] == [f"{VERSION}.lock"]


def test_it_can_be_fetched_from_a_file(registry, tmp_path, monkeypatch):
    file = tmp_path / "registry" / "pyodide" / "-" / f"pyodide-{VERSION}.tgz"
    monkeypatch.setenv("PYODIDE_URL", file.as_uri())
    fetch()
    assert registry == []


def test_a_server_that_cannot_be_reached(registry, monkeypatch, capsys):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match=r"cannot be fetched .*--url file:///"):
        fetch()
    assert main(["fetch"]) == 1
    assert "error: http://127.0.0.1:9/pyodide/-/" in capsys.readouterr().err


def test_a_package_that_is_not_there(registry):
    with pytest.raises(FetchError, match=r"cannot be fetched \(HTTP Error 404: File not found\)"):
        fetch(os.environ["npm_config_registry"] + "nothing.tgz")


def test_a_cache_that_cannot_be_written(registry, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SMOLAGENTS_CACHE", str(tmp_path / "file"))
    with pytest.raises(FetchError, match="Set SMOLAGENTS_CACHE"):
        fetch()


def test_a_lock_file_that_cannot_be_read(registry):
    place = fetch()
    (place / "pyodide-lock.json").write_text('{"info": {}}')
    with pytest.raises(ValueError, match=r"pyodide-lock.json cannot be read \(KeyError: 'abi_version'\)"):
        find_distribution()


def test_the_command_says_where_it_is(registry, capsys):
    assert main(["path"]) == 1
    assert "python -m smolagents.executors.wasm fetch" in capsys.readouterr().err
    place = fetch()
    assert main(["path"]) == 0
    assert capsys.readouterr().out.strip() == str(place)


def test_the_command_says_when_what_was_fetched_does_not_start(registry, capsys, installed):
    assert main(["fetch"]) == 1
    assert "it does not start: the interpreter failed" in capsys.readouterr().err
