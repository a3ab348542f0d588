"""The list of allowed domains, as names and in a real browser."""

from __future__ import annotations

import pytest
from web_waiting import until

from smolagents.cli.web_agent.domains import check_address, is_allowed, parse_domains, resolver_rules
from smolagents.vision_web_browser import Browser, BrowserError, BrowserSettings, browser_tools
from support.browser import installed


def test_names_are_written_as_browsers_write_them():
    assert parse_domains(["Example.COM.", "*.shop.org", "bücher.de", "127.0.0.1", "::1", "example.com"]) == (
        *("example.com", "shop.org", "xn--bcher-kva.de", "127.0.0.1", "[::1]"),
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "*",
        "https://example.com",
        "example.com/men",
        "example.com:80",
        "a b",
        "a,MAP * 1.2.3.4",
        "-a.com",
        "a..b",
    ],
)
def test_what_is_no_domain_is_refused(name):
    with pytest.raises(ValueError, match="is not a domain"):
        parse_domains([name])
    with pytest.raises(ValueError, match="must be a list"):
        parse_domains("example.com")


def test_subdomains_are_allowed_and_look_alikes_are_not():
    domains = parse_domains(["example.com", "::1"])
    for host in ("example.com", "www.example.com", "a.b.Example.com.", "::1"):
        assert is_allowed(host, domains)
    for host in ("notexample.com", "example.com.evil.org", "example.org", "com", "", None):
        assert not is_allowed(host, domains)
    assert is_allowed("anything", None)
    assert not is_allowed("anything", ())


def test_an_empty_list_is_not_taken_for_every_domain():
    with pytest.raises(ValueError, match="list of allowed domains is empty: name some, or leave it out"):
        BrowserSettings(allowed_domains=[])


def test_rules_name_each_domain_and_its_subdomains():
    assert resolver_rules(("example.com", "127.0.0.1")) == (
        "MAP * ~NOTFOUND, EXCLUDE example.com, EXCLUDE *.example.com, EXCLUDE 127.0.0.1"
    )


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "javascript:alert(1)", "chrome://settings", "data:text/html,x", "view-source:http://a"],
)
def test_only_web_addresses_are_opened(url):
    with pytest.raises(BrowserError, match="only http and https addresses can"):
        check_address(url, None)


def test_addresses_are_completed_and_checked():
    assert check_address(" example.com/men ", None) == "https://example.com/men"
    assert check_address("localhost:8000", None) == "https://localhost:8000"
    for url in ("", "http://", "http://a b/"):
        with pytest.raises(BrowserError, match="is not an address"):
            check_address(url, None)
    with pytest.raises(BrowserError, match=r"evil.org was not opened: only these domains are allowed.*: example.com"):
        check_address("https://example.com@evil.org/", ("example.com",))


@pytest.fixture(scope="module")
def confined(downloads):
    installed()
    settings = BrowserSettings(headless=True, download_folder=downloads, allowed_domains=("127.0.0.1",))
    with Browser(settings) as browser:
        yield browser


@pytest.fixture
def confined_tools(confined, shop):
    confined.act(lambda driver: (driver.get(shop.url), driver.add_cookie({"name": "consent", "value": "no"})))
    shop.visited.clear()
    return {tool.name: tool for tool in browser_tools(confined)}


def test_other_hosts_are_not_opened(confined_tools, shop):
    for url in (shop.other_host, f"http://[::1]:{shop.server_port}/", f"http://0:{shop.server_port}/"):
        with pytest.raises(BrowserError, match="only these domains are allowed"):
            confined_tools["go_to"](url)
    assert shop.visited == []


def test_a_redirect_to_another_host_is_not_followed(confined_tools, shop):
    confined_tools["go_to"](f"{shop.url}/men/linen-shirt.html")
    for leave in (
        lambda: confined_tools["click"]("Our partner"),
        lambda: confined_tools["go_to"](f"{shop.url}/elsewhere"),
    ):
        with pytest.raises(BrowserError, match="localhost was not opened: only these domains are allowed"):
            leave()
        assert "Current page: Linen shirt" in confined_tools["read_page"]()
    assert not [url for url in shop.visited if url.startswith(shop.other_host)]


def test_a_window_that_opens_for_another_host_is_closed(confined, confined_tools, shop):
    confined_tools["go_to"](f"{shop.url}/men/linen-shirt.html")
    link = f"<a target=_blank href={shop.other_host}>Offers</a>"
    confined.act(
        lambda driver: driver.execute_script("document.body.insertAdjacentHTML('afterbegin', arguments[0])", link)
    )
    with pytest.raises(BrowserError, match="localhost was not opened: only these domains are allowed"):
        confined_tools["click"]("Offers")
    assert "Current page: Linen shirt" in confined_tools["read_page"]()
    assert confined.act(lambda driver: len(driver.window_handles)) == 1


@pytest.mark.parametrize("host", ["localhost", "[::1]", "0.0.0.0", "sub.localhost"])
def test_a_page_loads_nothing_from_another_host(confined, confined_tools, shop, host):
    other = f"http://{host}:{shop.server_port}"
    script = """
        const [url, done] = arguments;
        document.body.append(Object.assign(document.createElement('img'), {src: url + '/img'}));
        document.body.append(Object.assign(document.createElement('iframe'), {src: url + '/frame'}));
        navigator.sendBeacon(url + '/beacon', 'x');
        new WebSocket(url.replace('http', 'ws') + '/socket').onerror = () =>
          fetch(url + '/fetch', {mode: 'no-cors'}).then(() => done('fetched'), error => done('refused'));
    """
    assert confined.act(lambda driver: driver.execute_async_script(script, other)) == "refused"
    last = f"{shop.url}/women.html?after={host.strip('[]')}"
    confined_tools["go_to"](last)
    until(lambda: last in shop.visited)
    assert all(url.startswith(shop.url) for url in shop.visited)
