"""Which hosts the browser may reach."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from smolagents.cli.web_agent.errors import BrowserError

__all__ = ["check_address", "is_allowed", "parse_domains", "resolver_rules"]

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")


def parse_domains(domains: Iterable[str]) -> tuple[str, ...]:
    """Domains as the browser writes them: in lower case, international names in their ASCII form.

    Raises:
        ValueError: one is no domain, or there is none: then nothing could be opened, which nobody can mean.
    """
    if isinstance(domains, str):
        raise ValueError(f"allowed domains must be a list of names, not the string {domains!r}")
    parsed = tuple(dict.fromkeys(_parsed(domain) for domain in domains))
    if not parsed:
        raise ValueError("the list of allowed domains is empty: name some, or leave it out to allow all")
    return parsed


def _parsed(domain: str) -> str:
    name = domain.strip().lower().removeprefix("*.").rstrip(".")
    try:
        address = ipaddress.ip_address(name.strip("[]"))
        return f"[{address}]" if address.version == 6 else str(address)
    except ValueError:
        pass
    try:
        ascii_name = name.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_name = ""
    if not ascii_name or not all(_LABEL.fullmatch(label) for label in ascii_name.split(".")):
        raise ValueError(
            f"{domain!r} is not a domain: write a name alone, such as example.com, which stands for its subdomains too"
        )
    return ascii_name


def is_allowed(host: str | None, domains: Sequence[str] | None) -> bool:
    """Whether `host` is one of `domains` or below one. Without a list, every host is."""
    if domains is None:
        return True
    host = (host or "").lower().rstrip(".")
    if ":" in host:
        host = f"[{host.strip('[]')}]"
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def resolver_rules(domains: Sequence[str]) -> str:
    """Rules by which Chromium finds no address for any other host, whether it is a name or an address itself.

    They hold for all that the browser does: pages, redirects, frames, scripts and what these load. See
    https://www.chromium.org/developers/design-documents/network-stack/socks-proxy/ for their form.
    """
    exceptions = [f"EXCLUDE {name}" for domain in domains for name in _names(domain)]
    return ", ".join(["MAP * ~NOTFOUND", *exceptions])


def _names(domain: str) -> list[str]:
    is_address = domain.startswith("[") or domain.replace(".", "").isdigit()
    return [domain] if is_address else [domain, f"*.{domain}"]


def check_address(url: str, domains: Sequence[str] | None) -> str:
    """The whole address for `url`, which may lack its scheme.

    Raises:
        BrowserError: it is no page of the web, or its host is not allowed.
    """
    url = url.strip()
    scheme = re.match(r"([a-z][a-z0-9+.-]*):(?!\d)", url, re.IGNORECASE)
    if scheme is None:
        url = f"https://{url}"
    elif scheme[1].lower() not in ("http", "https"):
        raise BrowserError(f"{url[:200]!r} cannot be opened: only http and https addresses can.")
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host or re.search(r"\s", url):
        raise BrowserError(f"{url[:200]!r} is not an address; write one like https://example.com/page.")
    if not is_allowed(host, domains):
        raise BrowserError(refusal(host, domains))
    return url


def refusal(host: str | None, domains: Sequence[str] | None) -> str:
    """Say that a host is not allowed."""
    return f"{host} was not opened: only these domains are allowed, with their subdomains: {', '.join(domains or ())}."
