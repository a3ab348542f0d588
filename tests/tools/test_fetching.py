"""Fetching against servers that misbehave, all on this machine."""

from __future__ import annotations

import gzip
import ipaddress
import threading
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolagents.tools.fetching import Fetched, Fetcher, FetchError
from smolagents.tools.guarded_network import is_public_address
from smolagents.tools.interruption import current_interrupt
from smolagents.types.errors import AgentInterruptedError


def fetcher(**settings) -> Fetcher:
    return Fetcher(**{"allow_private": True, "timeout": 5, **settings})


def test_a_page_is_fetched_with_its_type_and_final_address(web):
    web.serve("/page", "héllo", "Text/HTML; charset=UTF-8")
    web.redirect("/from", "/page")
    page = fetcher().get(f"{web.url}/from", params={"a": "b c"})
    assert (page.text, page.content_type, page.url) == ("héllo", "text/html", f"{web.url}/page")
    assert web.requests[0][1] in ("/from?a=b+c", "/from?a=b%20c")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_addresses_that_are_not_public(address):
    assert not is_public_address(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_that_are_public(address):
    assert is_public_address(address)


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_however_it_is_written(address):
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    assert is_public_address(str(address)) == is_public_address(str(mapped))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1", "0"]
)
def test_this_machine_is_not_reached_however_it_is_written(web, host):
    web.serve("/", "secret")
    with pytest.raises(FetchError, match=r"allow_private=True|not a URL|not known"):
        Fetcher(timeout=5).get(f"http://{host}:{web.port}/")
    assert web.requests == []


def test_a_redirect_to_a_private_address_is_not_followed(web, monkeypatch):
    # One name is made to stand for a public address; its connection goes to the local server all the same.
    import smolagents.tools.guarded_network as network

    inner = web.serve("/inner", "secret")
    web.redirect("/out", inner)
    judged = network.is_public_address
    first = iter([True])
    monkeypatch.setattr(network, "is_public_address", lambda address: next(first, False) or judged(address))
    with pytest.raises(FetchError, match="allow_private=True"):
        Fetcher(timeout=5).get(f"{web.url}/out")
    assert [request[1] for request in web.requests] == ["/out"]


def test_the_address_that_was_judged_is_the_one_connected_to(web, monkeypatch):
    import socket

    web.serve("/", "hi")
    real = socket.getaddrinfo
    asked = []

    def changing(host, *args, **kwargs):
        # A name server that answers with a good address first and with another one each time after.
        if host == "rebind.test":
            asked.append(host)
            host = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    assert fetcher().get(f"http://rebind.test:{web.port}/").text == "hi"
    assert asked == ["rebind.test"]
    assert web.requests[0][2]["Host"] == f"rebind.test:{web.port}"


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.com/x", "gopher://x", "data:text/html,x", "javascript:1", "//x", "http://"],
)
def test_only_http_is_spoken(url):
    with pytest.raises(FetchError, match=r"only http|names no server|not a URL"):
        fetcher().get(url)


def test_a_redirect_to_another_scheme_is_refused(web):
    url = web.redirect("/", "file:///etc/passwd")
    with pytest.raises(FetchError, match="only http:// and https:// URLs"):
        fetcher().get(url)


def test_keys_are_not_sent_on_to_another_server(web):
    seen = web.serve("/seen", "seen")
    near, far = web.redirect("/near", seen), web.redirect("/far", seen.replace("127.0.0.1", "localhost"))
    for url in (near, far):
        fetcher(headers={"X-Key": "secret", "User-Agent": "me"}).get(url, headers={"X-Other": "secret"})
    there, elsewhere = [headers for _, path, headers, _ in web.requests if path == "/seen"]
    assert there["X-Key"] == there["X-Other"] == "secret"
    assert "secret" not in str(elsewhere)
    assert elsewhere["User-Agent"] == "me"


def test_redirects_end(web):
    url = web.redirect("/a", "/b")
    web.redirect("/b", "/a")
    with pytest.raises(FetchError, match="redirects more than 10 times"):
        fetcher().get(url)
    assert len(web.requests) <= 11


def drip(handler, parts, wait):
    for part in parts:
        handler.wfile.write(part)
        handler.wfile.flush()
        time.sleep(wait)


@pytest.mark.parametrize("where", ["headers", "body", "nothing"])
def test_a_slow_drip_is_cut_off_at_the_time_limit(web, where):
    released = threading.Event()

    def answer(handler):
        if where == "nothing":
            released.wait(5)
        elif where == "headers":
            drip(handler, [b"HTTP/1.1 200 OK\r\n"] + [b"X-%d: y\r\n" % n for n in range(200)], 0.02)
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            drip(handler, [b"x"] * 200, 0.02)

    web.answers["/"] = answer
    start = time.monotonic()
    with pytest.raises(FetchError, match=r"longer than 0\.3 seconds"):
        fetcher(timeout=0.3).get(f"{web.url}/")
    assert time.monotonic() - start < 1.5
    released.set()


def test_an_interrupt_ends_a_slow_page(web):
    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        drip(handler, [b"x"] * 200, 0.02)

    web.answers["/"] = answer
    token = threading.Event()
    threading.Timer(0.1, token.set).start()
    reset = current_interrupt.set(token)
    try:
        with pytest.raises(AgentInterruptedError):
            fetcher().get(f"{web.url}/")
    finally:
        current_interrupt.reset(reset)


def test_50_mb_are_not_read(web):
    sent = []

    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        for _ in range(50):
            handler.wfile.write(b"x" * 1_000_000)
            sent.append(1)

    web.answers["/"] = answer
    with pytest.raises(FetchError, match="more than 100,000 bytes"):
        fetcher(max_bytes=100_000).get(f"{web.url}/")
    page = fetcher(max_bytes=100_000).get(f"{web.url}/", truncate=True)
    assert page.truncated
    assert len(page.content) == 100_000
    assert len(sent) < 100


@pytest.mark.parametrize("kind", ["gzip", "deflate"])
def test_a_zip_bomb_does_not_fill_memory(web, kind):
    zeros = b"\0" * 300_000_000
    bomb = gzip.compress(zeros, 9) if kind == "gzip" else zlib.compress(zeros, 9)
    del zeros
    url = web.serve("/", bomb, Content_Encoding=kind)
    tracemalloc.start()
    try:
        with pytest.raises(FetchError, match="more than 1,000,000 bytes"):
            fetcher(max_bytes=1_000_000).get(url)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compressobj(wbits=-15).compress(data) + b""),
        ("identity", bytes),
    ],
)
def test_compressed_pages_are_read(web, encoding, compress):
    text = "some text " * 5000
    data = text.encode()
    if encoding == "deflate" and compress is not zlib.compress:
        raw = zlib.compressobj(wbits=-15)
        packed = raw.compress(data) + raw.flush()
    else:
        packed = compress(data)
    assert fetcher().get(web.serve("/", packed, Content_Encoding=encoding)).text == text


def test_broken_or_unasked_compression_is_reported(web):
    with pytest.raises(FetchError, match="could not be fetched"):
        fetcher().get(web.serve("/", b"not gzip at all", Content_Encoding="gzip"))
    with pytest.raises(FetchError, match="encoding 'br'"):
        fetcher().get(web.serve("/", b"x", Content_Encoding="br"))


@pytest.mark.parametrize(
    ("content", "content_type", "expected"),
    [
        ("é".encode(), "text/html; charset=utf-8", "é"),
        ("é".encode("latin-1"), "text/html; charset=latin-1", "é"),
        ("é".encode(), "text/html; charset=ascii", "é"),
        ("é".encode(), "text/html; charset=klingon", "é"),
        ("é".encode(), "text/html; charset=zlib", "é"),
        ("é".encode(), "text/html", "é"),
        ('<meta charset="latin-1">é'.encode("latin-1"), "text/html", '<meta charset="latin-1">é'),
        (b"\xef\xbb\xbf" + "é".encode(), "text/html; charset=latin-1", "é"),
        ("é".encode("utf-16"), "text/html", "é"),
        (b"a\xff\xfe", "text/html; charset=utf-8", "a\ufffd\ufffd"),
    ],
)
def test_charsets_right_wrong_and_unknown(web, content, content_type, expected):
    assert fetcher().get(web.serve("/", content, content_type)).text == expected


@given(st.binary(max_size=200), st.one_of(st.none(), st.text(max_size=8)))
def test_any_bytes_are_some_text(content, charset):
    assert isinstance(Fetched("u", "", charset, content, False).text, str)


def test_what_fails_says_why(web, closed_port):
    with pytest.raises(FetchError, match=r"/none answered 404 Not Found\."):
        fetcher().get(f"{web.url}/none")
    with pytest.raises(FetchError, match="could not be fetched"):
        fetcher().get(f"http://127.0.0.1:{closed_port}/")
    with pytest.raises(FetchError, match=r"name 'no-such-host\.invalid' is not known"):
        fetcher().get("http://no-such-host.invalid/")
    web.answers["/cut"] = lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc")
    with pytest.raises(FetchError, match="could not be fetched"):
        fetcher().get(f"{web.url}/cut")
    web.answers["/garbage"] = lambda handler: handler.wfile.write(b"\x00\x01\x02 what?\r\n\r\n")
    with pytest.raises(FetchError, match="could not be fetched"):
        fetcher().get(f"{web.url}/garbage")
    with pytest.raises(FetchError, match="did not answer with JSON: 'nope'"):
        fetcher().get(web.serve("/json", "nope")).json()
