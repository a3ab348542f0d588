"""The tools that read the web, against a server on this machine."""

from __future__ import annotations

import json
import pickle
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from smolagents.default_tools import (
    ApiWebSearchTool,
    DuckDuckGoSearchTool,
    GoogleSearchTool,
    VisitWebpageTool,
    WebSearchTool,
    WikipediaSearchTool,
)
from smolagents.tools import FetchError
from smolagents.tools.search_results import NoResultsError

DUCKDUCKGO = """<html><body><table>
<tr><td>1.</td><td><a rel="nofollow" href="https://example.com/a?x=1&amp;y=2" class='result-link'>First <b>one</b></a></td></tr>
<tr><td class='result-snippet'>About the <b>first</b> &amp; more.</td></tr>
<tr><td><span class='link-text'>example.com</span></td></tr>
<tr><td>2.</td><td><a class="result-link" href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fexample.org%2Fb&amp;rut=1">Second</a></td></tr>
<tr><td class='result-snippet'>
   About the second.</td></tr>
<tr><td><a class="result-link" href="https://example.net">Third</a></td></tr>
</table></body></html>"""

BING = """<?xml version="1.0" encoding="utf-8" ?><rss version="2.0"><channel><title>Bing: x</title>
<item><title>First</title><link>https://example.com/a</link><description>About &amp; more</description></item>
<item><title>Second</title><link>https://example.org/b</link><description></description></item>
</channel></rss>"""


def query_of(web, index=-1):
    return {key: values[0] for key, values in parse_qs(urlsplit(web.requests[index][1]).query).items()}


def test_web_search_reads_duckduckgo_s_lite_page(web):
    tool = WebSearchTool(max_results=2, allow_private=True)
    tool.duckduckgo_url = web.serve("/lite/", DUCKDUCKGO)
    assert tool.search("what?") == [
        {"title": "First one", "link": "https://example.com/a?x=1&y=2", "description": "About the first & more."},
        {"title": "Second", "link": "https://example.org/b", "description": "\n   About the second."},
    ]
    assert tool("what?") == (
        "## Search Results\n\n[First one](https://example.com/a?x=1&y=2)\nAbout the first & more.\n\n"
        "[Second](https://example.org/b)\nAbout the second."
    )
    assert query_of(web) == {"q": "what?"}


def test_web_search_reads_bing_s_feed(web):
    tool = WebSearchTool(engine="bing", allow_private=True)
    tool.bing_url = web.serve("/search", BING, "text/xml")
    assert tool("x y") == (
        "## Search Results\n\n[First](https://example.com/a)\nAbout & more\n\n[Second](https://example.org/b)"
    )
    assert query_of(web) == {"q": "x y", "format": "rss"}


def test_web_search_says_what_went_wrong(web):
    tool = WebSearchTool(allow_private=True)
    tool.duckduckgo_url = web.serve("/", "<html></html>")
    with pytest.raises(NoResultsError, match="No results found for 'zzz'"):
        tool("zzz")
    tool.duckduckgo_url = web.serve("/robot", "<form id='challenge-form' action='//duckduckgo.com/anomaly.js'>")
    with pytest.raises(FetchError, match="proof of a human"):
        tool("zzz")
    tool.engine, tool.bing_url = "bing", web.serve("/bing", "<html>hello")
    with pytest.raises(FetchError, match="did not answer with a feed"):
        tool("zzz")
    with pytest.raises(ValueError, match="unknown search engine 'altavista'"):
        WebSearchTool(engine="altavista")


def test_search_tools_do_not_reach_private_addresses_unasked(web):
    tool = WebSearchTool()
    tool.duckduckgo_url = web.serve("/", DUCKDUCKGO)
    with pytest.raises(FetchError, match="allow_private=True"):
        tool("x")
    with pytest.raises(FetchError, match="allow_private=True"):
        VisitWebpageTool()(web.url)
    with pytest.raises(FetchError, match="allow_private=True"):
        ApiWebSearchTool(endpoint=web.url, rate_limit=None)("x")
    assert web.requests == []


def test_google_by_serpapi_and_serper(web, monkeypatch):
    found = [{"title": "T", "link": "https://e.com", "snippet": "S", "date": "May 3", "source": "E"}, {"title": "U"}]
    monkeypatch.setenv("SERPAPI_API_KEY", "k1")
    monkeypatch.setenv("SERPER_API_KEY", "k2")
    expected = "## Search Results\n\n[T](https://e.com)\nDate published: May 3. Source: E. S\n\n[U]()"

    tool = GoogleSearchTool(allow_private=True)
    tool.urls = {"serpapi": web.serve("/serpapi", json.dumps({"organic_results": found}))}
    assert tool("q", filter_year=2020) == expected
    sent = query_of(web)
    assert (sent["q"], sent["api_key"]) == ("q", "k1")
    assert sent["tbs"] == "cdr:1,cd_min:01/01/2020,cd_max:12/31/2020"

    tool = GoogleSearchTool("serper", allow_private=True)
    tool.urls = {"serper": web.serve("/serper", json.dumps({"organic": found}))}
    assert tool("q") == expected
    method, _, headers, body = web.requests[-1]
    assert (method, {key.lower(): value for key, value in headers.items()}["x-api-key"]) == ("POST", "k2")
    assert json.loads(body) == {"q": "q"}

    tool.urls = {"serper": web.serve("/empty", "{}")}
    with pytest.raises(NoResultsError, match="'q in 1990'"):
        tool("q", 1990)


def test_google_without_a_key_or_with_a_wrong_provider(monkeypatch):
    monkeypatch.delenv("SERPAPI_API_KEY", raising=False)
    with pytest.raises(ValueError, match="set the environment variable SERPAPI_API_KEY"):
        GoogleSearchTool()
    with pytest.raises(ValueError, match="unknown provider 'x'"):
        GoogleSearchTool("x")


def test_api_search_sends_key_and_parameters(web, monkeypatch):
    found = {"web": {"results": [{"title": "T", "url": "https://e.com", "description": "D", "x": 1}]}}
    monkeypatch.setenv("MY_KEY", "k")
    tool = ApiWebSearchTool(web.serve("/api", json.dumps(found)), api_key_name="MY_KEY", allow_private=True)
    assert tool("q") == "## Search Results\n\n[T](https://e.com)\nD"
    assert query_of(web) == {"q": "q", "count": "10"}
    assert {key.lower(): value for key, value in web.requests[-1][2].items()}["x-subscription-token"] == "k"

    class Other(ApiWebSearchTool):
        def extract_results(self, data):
            return [{"title": each, "url": "u", "description": ""} for each in data["hits"]]

    other = Other(web.serve("/other", '{"hits": ["A"]}'), headers={}, params={}, rate_limit=None, allow_private=True)
    assert other("q") == "## Search Results\n\n[A](u)"


def test_the_rate_limit_keeps_searches_apart(web):
    endpoint = web.serve("/api", '{"web": {"results": [{"title": "T", "url": "u"}]}}')
    tool = pickle.loads(pickle.dumps(ApiWebSearchTool(endpoint, rate_limit=10, allow_private=True)))
    start = time.monotonic()
    for _ in range(3):
        tool("q")
    assert time.monotonic() - start >= 0.2
    with pytest.raises(ValueError, match="rate_limit must be a positive number"):
        ApiWebSearchTool(endpoint, rate_limit=0)


def test_duckduckgo_by_its_package():
    pytest.importorskip("ddgs")
    tool = DuckDuckGoSearchTool(max_results=2, rate_limit=None, timeout=1)
    assert (tool.name, list(tool.inputs)) == ("web_search", ["query"])

    class Engine:
        def text(self, query, max_results):
            return [{"title": query, "href": "https://e.com", "body": "B"}][:max_results]

    tool.ddgs = Engine()
    assert tool("hi") == "## Search Results\n\n[hi](https://e.com)\nB"


def visit(**settings) -> VisitWebpageTool:
    pytest.importorskip("markdownify")
    return VisitWebpageTool(allow_private=True, **settings)


def test_a_page_becomes_markdown(web):
    url = web.serve(
        "/",
        "<html><head><title>T</title><style>p {}</style><script>alert(1)</script></head><body><h1>Hi</h1>\n\n\n\n"
        "<p>Some <b>bold</b> <a href='/x'>link</a></p><ul><li>one</li></ul></body></html>",
    )
    text = visit()(url)
    assert "# Hi" in text
    assert "Some **bold** [link](/x)" in text
    assert "one" in text
    assert "alert" not in text
    assert "p {}" not in text
    assert "\n\n\n" not in text


def test_long_pages_are_cut_and_huge_ones_only_begun(web):
    url = web.serve("/", f"<p>{'word ' * 10_000}</p>")
    text = visit(max_output_length=500)(url)
    assert "truncated" in text
    assert len(text) < 700

    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        for _ in range(50):
            handler.wfile.write(b"<p>word</p>" * 100_000)

    web.answers["/huge"] = answer
    assert len(visit(max_output_length=500, max_bytes=50_000)(f"{web.url}/huge")) < 700


def test_a_page_nested_without_end_is_still_read(web):
    url = web.serve("/", f"{'<div>' * 20_000}deep{'</div>' * 20_000}")
    assert "deep" in visit()(url)


def test_what_is_no_html(web):
    assert visit()(web.serve("/t", "a\n*b*", "text/plain")) == "a\n*b*"
    assert visit()(web.serve("/j", '{"a": 1}', "application/json")) == '{"a": 1}'
    assert visit()(web.serve("/n", "<p>x</p>", "")) == "x"
    with pytest.raises(FetchError, match=r"no text that can be read: its type is application/pdf"):
        visit()(web.serve("/p", b"%PDF-1.4 \0\0", "application/pdf"))


def test_wikipedia_by_title_then_by_search(web):
    page = {"title": "Python (language)", "extract": "Python is…\n", "fullurl": "https://en.wikipedia.org/wiki/P"}

    def answer(handler):
        sent = query_of(web)
        missing = {"query": {"pages": [{"title": "x", "missing": True}]}}
        found = {"query": {"pages": [page]}} if sent.get("gsrsearch") == "python" else missing
        body = json.dumps(found).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    web.answers["/de/api"] = answer
    tool = WikipediaSearchTool("Me (me@example.com)", "de", content_type="summary", allow_private=True)
    tool.url = web.url + "/{language}/api"
    assert tool("python") == "# Python (language)\n\nPython is…\n\nSource: https://en.wikipedia.org/wiki/P"
    assert query_of(web, 0)["titles"] == "python"
    assert query_of(web, 0)["exintro"] == query_of(web, 0)["explaintext"] == "1"
    assert {key.lower(): value for key, value in web.requests[0][2].items()}["user-agent"] == "Me (me@example.com)"
    with pytest.raises(NoResultsError):
        tool("nothing")


@pytest.mark.parametrize(
    "arguments",
    [{"language": "en.evil.com/"}, {"content_type": "x"}, {"extract_format": "x"}, {"user_agent": ""}],
)
def test_wikipedia_refuses_wrong_settings(arguments):
    with pytest.raises(ValueError, match=r"Wikipedia|unknown"):
        WikipediaSearchTool(**arguments)
