"""A sandbox that is asked by REST, and the requests that its tests make."""

import json
from collections.abc import Sequence
from typing import Any

from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.sandbox import SandboxOptions, SandboxVenue

ROOT = "/trade-api/v2"
ORDERS = "/portfolio/events/orders"
GROUPS = "/portfolio/order_groups"
START_NS = 1_795_420_800 * 10**9


def busy() -> SandboxVenue:
    """A sandbox of some markets that has been busy for a while."""
    made = SandboxVenue(SandboxOptions(markets=12, rate=1_000, seed=5, start_ns=START_NS))
    made.step(800)
    return made


def later(venue: SandboxVenue, seconds: float) -> None:
    """Let so much of the exchange's time pass."""
    until_ns = venue.now_ns + int(seconds * 10**9)
    while venue.now_ns < until_ns:
        venue.step()


def ask(
    venue: SandboxVenue,
    method: str,
    path: str,
    query: Sequence[tuple[str, str]] = (),
    body: Any = None,
    *,
    account: str = "trader",
) -> RestAnswer:
    """What a request gets."""
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = RestRequest(method=method, path=ROOT + path, query=tuple(query), body=content, account=account)
    return venue.rest(request)


def get(venue: SandboxVenue, path: str, *, account: str = "trader", **query: str) -> Any:
    """The body of a read that succeeds."""
    answer = ask(venue, "GET", path, tuple(query.items()), account=account)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def a_market(venue: SandboxVenue) -> str:
    """A market with both sides bid, on a grid of cents."""
    reads = venue.engine.reads
    return next(m for m in reads.markets() if "TEMP" in m and reads.book(m).yes and reads.book(m).no)


def order(market: str, **changes: Any) -> dict[str, Any]:
    """The body of a request that places a small order far from the market."""
    return {
        "ticker": market,
        "side": "bid",
        "count": "5.00",
        "price": "0.0100",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    } | changes
