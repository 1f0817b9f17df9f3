"""A REST client of a scripted server, and a page of a listing, for tests of the endpoints."""

import json
from typing import Any, Final

from http_server import HttpServer, reply

from capture.environments import environment
from capture.rest import RestClient, RestOptions
from core.records import RestCall

ROOT: Final = "/trade-api/v2"


def page(tickers: list[str], cursor: str = "") -> Any:
    return reply(200, json.dumps({"markets": [{"ticker": name} for name in tickers], "cursor": cursor}).encode())


def client(server: HttpServer, calls: list[RestCall] | None = None) -> RestClient:
    taken = [] if calls is None else calls
    return RestClient(environment(server.url), None, taken.append, RestOptions(max_tries=1))
