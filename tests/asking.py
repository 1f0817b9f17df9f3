"""A REST client of a scripted server, and a page of a listing, for tests of the endpoints."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from http_server import HttpServer, reply

from capture.auth import Credentials
from capture.environments import environment
from capture.rest import RestClient, RestOptions
from core.records import RestCall

ROOT: Final = "/trade-api/v2"
ACCESS_KEY: Final = "canary-access-key"
PRIVATE_KEY: Final = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
HEAD: Final = b"HTTP/1.1 200 OK\r\n"
FAST: Final = RestOptions(timeout_s=5.0, first_wait_s=0.001, max_tries=4)


def page(tickers: list[str], cursor: str = "") -> Any:
    return reply(200, json.dumps({"markets": [{"ticker": name} for name in tickers], "cursor": cursor}).encode())


def client(server: HttpServer, calls: list[RestCall] | None = None) -> RestClient:
    taken = [] if calls is None else calls
    return RestClient(environment(server.url), None, taken.append, RestOptions(max_tries=1))


class Asker:
    """A client of one server and the calls it wrote down."""

    def __init__(self, url: str, options: RestOptions = FAST) -> None:
        self.calls: list[RestCall] = []
        credentials = Credentials(ACCESS_KEY, PRIVATE_KEY)
        self.client = RestClient(environment(url), credentials, self.calls.append, options)

    def get(self, path: str = "/markets") -> bytes:
        return self.client.call("GET", path)

    def post(self) -> bytes:
        return self.client.call("POST", "/portfolio/events/orders", body=b'{"count":"1.00"}')


def raised(call: Callable[[], object]) -> BaseException:
    """What it raises."""
    with pytest.raises(Exception) as caught:  # it is looked at by the caller
        call()
    return caught.value
