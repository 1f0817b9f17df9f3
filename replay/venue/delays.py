"""How long orders and answers are on their way: constant, or as long as the tape's own requests took.

A draw is made from a hash of the seed and what is on its way, so it does not depend on what else happens; and only
from requests that the tape has answered by then, so it knows no future. Times in ns.
"""

import hashlib
from typing import Final, NamedTuple

from core.fetched import endpoint_of
from core.records import RestCall
from replay.venue.terms import Latency

MAX_TRIPS: Final = 100_000
"""Round trips kept; those after them are like those before."""

_ORDERS: Final = "/portfolio/events/orders"
_BYTES: Final = 8


class Trip(NamedTuple):
    """out_ns: from the record that a strategy acts upon to the venue. back_ns: from the venue to the strategy."""

    out_ns: int
    back_ns: int


class Delays:
    """Those of one run.

    What a strategy sees is `feed_ns` old. Its clock is the tape's, so all that leaves it comes to the venue so much
    later, and all that comes from there so much earlier; never before it happened, though: with a feed that is slower
    than answers these are told later than they would be.
    """

    __slots__ = ("_latency", "_seed", "_trips")

    def __init__(self, latency: Latency, seed: int) -> None:
        self._latency = latency
        self._seed = seed
        self._trips: list[int] = []

    def learn(self, call: RestCall) -> None:
        """Take note of an order request that the tape holds."""
        is_order = call.method in ("POST", "DELETE") and call.took_ns > 0 and call.status > 0
        if is_order and len(self._trips) < MAX_TRIPS and endpoint_of(call).startswith(_ORDERS):
            self._trips.append(call.took_ns)

    def trip(self, what: str) -> Trip:
        """How long something takes. what: names it, and nothing else by this name is ever on its way."""
        latency = self._latency
        order_ns, answer_ns = latency.order_ns, latency.answer_ns
        if latency.is_drawn and self._trips:
            key = hashlib.blake2b(f"{self._seed}/{what}".encode(), digest_size=_BYTES).digest()
            whole_ns = self._trips[int.from_bytes(key, "big") % len(self._trips)]
            order_ns, answer_ns = whole_ns // 2, whole_ns - whole_ns // 2
        return Trip(latency.feed_ns + order_ns, max(answer_ns - latency.feed_ns, 0))

    def assumptions(self) -> list[str]:
        """What was supposed, in sentences."""
        latency = self._latency
        said = [f"orders take {_ms(latency.order_ns)} to the venue, answers and fills {_ms(latency.answer_ns)} back"]
        if latency.is_drawn and self._trips:
            source = f"{len(self._trips)} order requests of the tape, half of each for either way"
            said = [f"latencies are drawn from {source}; before the first of them {said[0]}"]
        elif latency.is_drawn:
            said = [f"the tape holds no order request to draw latencies from: {said[0]}"]
        if latency.feed_ns:
            said.append(f"what strategies see is {_ms(latency.feed_ns)} older than the tape's receive times")
        if latency.feed_ns > latency.answer_ns:
            said.append("the feed is slower than answers, which are told as late as the feed")
        return said


def _ms(span_ns: int) -> str:
    return f"{span_ns / 1_000_000:g} ms"
