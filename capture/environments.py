"""Which exchange: its two public environments, or the URL of a server that speaks the same protocol.

Knows hosts and paths (protocol 1). Must not know keys, sockets or what is asked of them.
"""

import ipaddress
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from core.errors import ConfigError

REST_PATH: Final = "/trade-api/v2"
WS_PATH: Final = "/trade-api/ws/v2"

_REMEDY: Final = 'use "prod", "demo" or a URL such as http://127.0.0.1:8123'
_SCHEMES: Final = {"http": ("http", "ws"), "ws": ("http", "ws"), "https": ("https", "wss"), "wss": ("https", "wss")}
_PATHS: Final = ("", REST_PATH, WS_PATH)  # what the servers' own URLs end with, so that one of them can be pasted
_MAX_URL: Final = 300  # a host name has at most 253 characters


class Environment(msgspec.Struct, frozen=True):
    """One exchange. name: as it stands on a tape; the URLs are without a slash at the end.

    is_production: real money may be behind it: everything but the demo environment and this machine.
    """

    name: str
    rest_url: str
    ws_url: str
    is_production: bool


_KNOWN: Final = {
    "prod": Environment(
        "prod",
        f"https://external-api.kalshi.com{REST_PATH}",
        f"wss://external-api-ws.kalshi.com{WS_PATH}",
        is_production=True,
    ),
    "demo": Environment(
        "demo",
        f"https://external-api.demo.kalshi.co{REST_PATH}",
        f"wss://external-api-ws.demo.kalshi.co{WS_PATH}",
        is_production=False,
    ),
}
"""The hosts dedicated to API traders; the shared ones can be given as URLs."""


def environment(name: str) -> Environment:
    """The environment called `name`, or the one at the URL `name`; ConfigError when it is neither."""
    if name in _KNOWN:
        return _KNOWN[name]
    if "://" not in name:
        raise ConfigError(f"environment {name[:40]!r} is not known; {_REMEDY}")
    scheme, host, port = _place(name)
    rest, ws = _SCHEMES[scheme]
    if rest == "http" and not is_loopback(host):
        raise ConfigError(
            f"{rest}://{host} would send signatures in the clear, which is allowed to this machine only; "
            f"use https://{host}"
        )
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port else ""
    return Environment(
        f"{rest}://{place}",
        f"{rest}://{place}{REST_PATH}",
        f"{ws}://{place}{WS_PATH}",
        is_production=not is_loopback(host) and not host.endswith(".kalshi.co"),
    )


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine: localhost or an address of the loopback interface."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _place(url: str) -> tuple[str, str, int]:
    """Scheme, host (lower case, an IPv6 address without brackets) and port (0 = the scheme's own) of a URL."""
    parts, port = _split(url)
    # What is refused may hold a password: none of it is repeated.
    if parts is None or parts.hostname is None or not all("!" <= letter <= "~" for letter in url):
        raise ConfigError(f"the exchange's URL cannot be read; {_REMEDY}")
    if parts.scheme not in _SCHEMES:
        raise ConfigError(f"the exchange's URL begins with {parts.scheme[:20]!r}, not http or https; {_REMEDY}")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"the exchange's URL holds a user name or password, which is used nowhere; {_REMEDY}")
    if parts.query or parts.fragment or parts.path.rstrip("/") not in _PATHS:
        raise ConfigError(f"the exchange's URL ends with more than host and port; {_REMEDY}")
    return parts.scheme, parts.hostname, port


def _split(url: str) -> tuple[SplitResult | None, int]:
    if len(url) > _MAX_URL:
        return None, 0
    try:
        parts = urlsplit(url)
        return parts, parts.port or 0
    except ValueError:
        return None, 0
