"""A shop, served on this machine, and a browser to visit it with."""

from __future__ import annotations

import functools
import html
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from smolagents.vision_web_browser import Browser, BrowserSettings, browser_tools
from support.browser import installed

PRODUCTS = {"Linen shirt": "/men/linen-shirt.html", "Wool jumper": "#", "Rain coat": "#"}


class Shop(SimpleHTTPRequestHandler):
    """The pages of the folder `shop`, a search, and what shops lead to."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.visited.append(f"http://{self.headers['Host']}{self.path}")
        url = urlsplit(self.path)
        if url.path == "/search":
            wanted = parse_qs(url.query).get("q", [""])[0]
            found = [
                f'<a href="{link}">{name}</a>' for name, link in PRODUCTS.items() if wanted.lower() in name.lower()
            ]
            self.page(
                f"<title>Search</title><h1>Results for {html.escape(wanted)}</h1>{' '.join(found) or 'Nothing.'}"
            )
        elif url.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/women.html")
            self.end_headers()
        elif url.path == "/invoice":
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Disposition", 'attachment; filename="../../invoice.txt"')
            self.end_headers()
            self.wfile.write(b"39.90 EUR")
        elif url.path == "/slow":
            self.server.released.wait(20)
            self.close_connection = True
        else:
            super().do_GET()

    def page(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(f"<!doctype html><body>{body}</body>".encode())


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), functools.partial(Shop, directory=Path(__file__).parent / "shop"))
        self.visited = []
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.other_host = f"http://localhost:{self.server_port}"


@pytest.fixture(scope="session")
def shop():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "downloads"


@pytest.fixture(scope="module")
def browser(downloads):
    installed()
    with Browser(BrowserSettings(headless=True, download_folder=downloads)) as running:
        yield running


@pytest.fixture
def tools(browser):
    """The browser's tools by name, on an empty page with no cookies."""
    browser.act(lambda driver: (driver.get("about:blank"), driver.execute_cdp_cmd("Network.clearBrowserCookies", {})))
    return {tool.name: tool for tool in browser_tools(browser)}
