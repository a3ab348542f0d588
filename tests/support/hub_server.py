"""A small Hub: the endpoints that `huggingface_hub` uses to make a Space, to commit to it, to list and to fetch it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Space:
    """A repository: its files at each commit, by commit and branch."""

    created: dict[str, Any]
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    pull_requests: list[str] = field(default_factory=list)

    def commit(self, branch: str, files: dict[str, bytes], message: str) -> str:
        before = self.commits.get(self.branches.get(branch, ""), {})
        after = {**before, **files}
        self.messages.append(message)
        sha = hashlib.sha1(repr((sorted(after.items()), len(self.messages))).encode()).hexdigest()
        self.commits[sha] = after
        self.branches[branch] = sha
        return sha

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        sha = self.branches.get(revision, revision)
        return (sha, self.commits[sha]) if sha in self.commits else None


@dataclass
class Hub:
    """What the server holds, and what it was asked."""

    url: str = ""
    token: str | None = None
    spaces: dict[str, Space] = field(default_factory=dict)
    collections: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """The type and name of each item, by the collection's address."""
    requests: list[str] = field(default_factory=list)

    def files(self, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        found = self.spaces[repo_id].at(revision)
        assert found is not None
        return found[1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args: Any) -> None:
        pass

    def answer(self, status: int, body: Any = b"", **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def refuse(self, status: int, code: str) -> None:
        self.answer(status, {"error": code}, X_Error_Code=code, X_Error_Message=code)

    def handle_any(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append(f"{self.command} {path}")
        if self.hub.token is not None and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            # The Hub does not tell who may not read a repository that there is one.
            self.refuse(401, "RepoNotFound")
            return
        for method, pattern, answer in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and self.command in method:
                answer(self, body, **match.groupdict())
                return
        self.answer(404, {"error": f"no such endpoint: {self.command} {path}"})

    do_GET = do_POST = do_HEAD = handle_any

    def space(self, repo: str, revision: str = "main") -> tuple[str, dict[str, bytes]] | None:
        space = self.hub.spaces.get(repo)
        if space is None:
            self.refuse(404, "RepoNotFound")
            return None
        found = space.at(revision)
        if found is None:
            self.refuse(404, "RevisionNotFound")
        return found

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        repo = f"{asked.get('organization') or 'me'}/{asked['name']}"
        url = f"{self.hub.url}/spaces/{repo}"
        if repo in self.hub.spaces:
            self.answer(409, {"error": "You already created this space repo", "url": url})
            return
        self.hub.spaces[repo] = space = Space(asked)
        card = f"---\ntitle: {asked['name']}\nemoji: 🚀\nsdk: {asked['sdk']}\n---\n\nMade by the Hub.\n"
        space.commit("main", {"README.md": card.encode()}, "initial commit")
        self.answer(200, {"url": url, "name": repo})

    def info(self, body: bytes, repo: str, revision: str = "main") -> None:
        found = self.space(repo, revision)
        if found:
            siblings = [{"rfilename": name} for name in found[1]]
            self.answer(200, {"id": repo, "sha": found[0], "private": False, "siblings": siblings, "sdk": "gradio"})

    def tree(self, body: bytes, repo: str, revision: str) -> None:
        found = self.space(repo, revision)
        if found:
            listed = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in found[1].items()
            ]
            self.answer(200, listed)

    def resolve(self, body: bytes, repo: str, revision: str, path: str) -> None:
        found = self.space(repo, revision)
        if not found:
            return
        if path not in found[1]:
            self.answer(404, {}, X_Error_Code="EntryNotFound", X_Repo_Commit=found[0])
            return
        content = found[1][path]
        self.answer(200, content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=found[0])

    def preupload(self, body: bytes, repo: str, revision: str) -> None:
        if self.space(repo, revision):
            names = [each["path"] for each in json.loads(body)["files"]]
            self.answer(
                200, {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
            )

    def commit(self, body: bytes, repo: str, revision: str) -> None:
        if not self.space(repo, revision):
            return
        lines = [json.loads(line) for line in body.splitlines()]
        files = {
            each["value"]["path"]: base64.b64decode(each["value"]["content"])
            for each in lines
            if each["key"] == "file"
        }
        header = next(each["value"] for each in lines if each["key"] == "header")
        sha = self.hub.spaces[repo].commit(revision, files, header["summary"])
        url = f"{self.hub.url}/spaces/{repo}/commit/{sha}"
        self.answer(200, {"success": True, "commitOid": sha, "commitUrl": url})

    def collection(self, body: bytes, slug: str) -> None:
        items = self.hub.collections.get(slug)
        if items is None:
            self.answer(404, {"error": "Collection not found"})
            return
        listed = [
            {"_id": f"{number:024x}", "id": name, "type": kind, "position": number}
            for number, (kind, name) in enumerate(items)
        ]
        about = {
            "slug": slug,
            "title": "Tools",
            "owner": {"name": "me"},
            "lastUpdated": "2026-01-01T00:00:00.000Z",
            "position": 0,
            "private": False,
            "theme": "blue",
            "upvotes": 0,
        }
        self.answer(200, {**about, "items": listed})

    def discuss(self, body: bytes, repo: str) -> None:
        asked = json.loads(body)
        space = self.hub.spaces[repo]
        assert asked["pullRequest"]
        space.pull_requests.append(asked["title"])
        number = len(space.pull_requests)
        space.branches[f"refs/pr/{number}"] = space.branches["main"]
        self.answer(200, {"num": number})

    def discussion(self, body: bytes, repo: str, number: str) -> None:
        details = {
            "title": self.hub.spaces[repo].pull_requests[int(number) - 1],
            "num": int(number),
            "createdAt": "2026-01-01T00:00:00.000Z",
            "status": "draft",
            "repo": {"name": repo, "type": "space"},
            "isPullRequest": True,
            "changes": {"base": "refs/heads/main"},
            "filesWithConflicts": [],
            "events": [],
        }
        self.answer(200, details)


_REPO = r"(?P<repo>[^/]+/[^/]+)"
_ROUTES: list[tuple[tuple[str, ...], str, Any]] = [
    (("GET",), r"/api/collections/(?P<slug>.+)", _Handler.collection),
    (("POST",), "/api/repos/create", _Handler.create),
    (("POST",), "/api/validate-yaml", lambda handler, body: handler.answer(200, {"errors": [], "warnings": []})),
    (("POST",), rf"/api/spaces/{_REPO}/preupload/(?P<revision>.+)", _Handler.preupload),
    (("POST",), rf"/api/spaces/{_REPO}/commit/(?P<revision>.+)", _Handler.commit),
    (("POST",), rf"/api/spaces/{_REPO}/discussions", _Handler.discuss),
    (("GET",), rf"/api/spaces/{_REPO}/discussions/(?P<number>\d+)", _Handler.discussion),
    (("GET",), rf"/api/spaces/{_REPO}/tree/(?P<revision>.+)", _Handler.tree),
    (("GET",), rf"/api/spaces/{_REPO}/revision/(?P<revision>.+)", _Handler.info),
    (("GET",), rf"/api/spaces/{_REPO}", _Handler.info),
    (("GET", "HEAD"), rf"/spaces/{_REPO}/resolve/(?P<revision>refs/pr/\d+|[^/]+)/(?P<path>.+)", _Handler.resolve),
]


@contextlib.contextmanager
def serve(token: str | None = None) -> Iterator[Hub]:
    """A Hub on this machine, for as long as the block lasts. With `token`, only requests that carry it are let in."""
    hub = Hub(token=token)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
