"""Gets between requests and their answers: HTTP errors, upgrades that hang, cursors and reads that are not true.

Knows what is due from the arsenal. Must not know sockets or the server library.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from replay.exchange.armed import Armed
from replay.exchange.arsenal import Arsenal
from replay.exchange.clock import Clock
from replay.exchange.distortions import with_field
from replay.exchange.faults import Fault
from replay.exchange.gate import ROOT, TOO_MANY
from replay.exchange.keyring import WRONG_SIGNATURE
from replay.exchange.port import RestAnswer, RestRequest, Venue

REMEMBERED: Final = 64
"""Reads that can be answered as before a write: the latest different ones."""

_Key = tuple[str, str, tuple[tuple[str, str], ...]]

_BODIES: Final = {
    401: WRONG_SIGNATURE.body,
    403: b'{"error":{"code":"forbidden","message":"forbidden"}}',
    429: TOO_MANY.body,
    500: b'{"error":{"code":"internal_server_error","message":"internal server error"}}',
}
_PAGE: Final = b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center></body></html>"


@dataclass(frozen=True, slots=True)
class Hang:
    """An upgrade that is not answered for this long, 0 = never."""

    for_s: float


class RestSaboteur:
    """The gate's meddler, and the one whom the server asks at every upgrade."""

    def __init__(self, arsenal: Arsenal) -> None:
        self._arsenal = arsenal
        self._reads: dict[_Key, RestRequest] = {}
        self._stale: dict[_Key, tuple[int, RestAnswer]] = {}

    def upgrade(self) -> RestAnswer | Hang | None:
        """What happens to a WebSocket upgrade instead of being judged; None = nothing."""
        found: RestAnswer | Hang | None = None
        for armed in tuple(self._arsenal.armed("upgrade")):
            if found is not None or not armed.sees(0):
                continue
            if armed.fault.kind == "clock":
                self._arsenal.jump(armed)
                continue
            self._arsenal.note(armed)
            found = Hang(armed.fault.number("for") / 1e9) if armed.fault.kind == "hang" else http_error(armed.fault)
        return found

    def instead(self, request: RestRequest) -> RestAnswer | None:
        """An HTTP error that comes instead of everything else; None = go on."""
        for armed in self._due(request, "http"):
            return http_error(armed.fault)
        return None

    def answer(self, request: RestRequest, venue: Venue) -> RestAnswer:
        """The venue's answer; or the one from before a write; or one with a cursor of its own."""
        key = (request.account, request.path, request.query)
        if request.method != "GET":
            for armed in self._due(request, "stale"):
                self._freeze(request, venue, Clock.true_ns() + armed.fault.number("for"))
            return venue.rest(request)
        self._reads.pop(key, None)
        self._reads[key] = request
        if len(self._reads) > REMEMBERED:
            del self._reads[next(iter(self._reads))]
        until_ns, old = self._stale.get(key, (0, None))
        answer = old if old is not None and Clock.true_ns() < until_ns else venue.rest(request)
        if b'"cursor"' in answer.body:
            for armed in self._due(request, "cursor"):
                value = msgspec.json.encode(armed.fault.word("value")).decode()
                return msgspec.structs.replace(answer, body=with_field(answer.body, "cursor", value))
        return answer

    def _due(self, request: RestRequest, kind: str) -> Iterator[Armed]:
        """At most one fault of this kind that acts on this request; it is noted."""
        below = request.path.removeprefix(ROOT)
        for armed in tuple(self._arsenal.armed("rest")):
            if armed.fault.kind == kind and below.startswith(str(armed.fault.at)) and armed.sees(0):
                self._arsenal.note(armed)
                yield armed
                return

    def _freeze(self, write: RestRequest, venue: Venue, until_ns: int) -> None:
        """Keep what the reads say before this write: those that were made, and those that would show it."""
        for path in _shown_by(write.path):
            read = RestRequest(method="GET", path=ROOT + path, account=write.account, headers=write.headers)
            self._reads.setdefault((read.account, read.path, ()), read)
        for key, read in self._reads.items():
            if read.account in ("", write.account):
                self._stale[key] = until_ns, venue.rest(read)


def http_error(fault: Fault) -> RestAnswer:
    """The answer of an `http` fault. 502 to 504 come from a gateway, whose page is no JSON."""
    status = fault.number("status")
    headers = {"Retry-After": fault.word("retry")} if fault.word("retry") else {}
    if fault.word("body"):
        return RestAnswer(status, fault.word("body").encode(), headers=headers)
    if status in (502, 503, 504):
        return RestAnswer(status, _PAGE % (status, status), "text/html", headers)
    return RestAnswer(status, _BODIES.get(status, b'{"error":{"code":"error","message":"error"}}'), headers=headers)


def _shown_by(path: str) -> Iterator[str]:
    yield from ("/portfolio/orders", "/portfolio/positions", "/portfolio/balance", "/portfolio/fills")
    order = path.removeprefix(ROOT + "/portfolio/events/orders/").removeprefix(ROOT + "/portfolio/orders/")
    if order != path:
        yield f"/portfolio/orders/{order.partition('/')[0]}"
