"""What a simulated venue tells whoever listens: the life of each order, its fills, and what markets paid.

Units: `_ns` Unix ns of the tape's clock, prices 1/10,000 dollar on the yes scale, counts 1/100 contract, money
1/1,000,000 dollar. `at_ns` is when it happened at the venue; `told_ns` when the strategy heard of it. They come in the
order in which the tape's records and the venue's own delays bring them about.
"""

from collections.abc import Callable

import msgspec

from core.actions import BookSide


class Arrived(msgspec.Struct, frozen=True, tag=True):
    """A new order came to the venue, before it was looked at.

    trusted: the market's book was, and nothing was known to be missing.
    """

    at_ns: int
    client_order_id: str
    strategy: str
    market: str
    side: BookSide
    price: int
    count: int
    post_only: bool
    ioc: bool
    decided_ns: int
    trusted: bool


class Rested(msgspec.Struct, frozen=True, tag=True):
    """An order, or what is left of it, came to rest, at first or after an amendment that cost it its place.

    ahead: contracts of others that are served before it.
    """

    at_ns: int
    client_order_id: str
    ahead: int


class Filled(msgspec.Struct, frozen=True, tag=True):
    """Some of an order traded.

    seq: record of the tape that led to it. why: trade (somebody traded at its price), through (beyond its price),
    crossed (the other side came to its price without a trade that is known), gap (the other side was at its price when
    the book was seen again after a gap), took (it took what rested).
    rested_ns: how long it had rested, -1 = it took.
    """

    at_ns: int
    told_ns: int
    seq: int
    trade_id: str
    client_order_id: str
    market: str
    side: BookSide
    price: int
    count: int
    fee: int
    is_taker: bool
    why: str
    rested_ns: int
    trusted: bool


class Amended(msgspec.Struct, frozen=True, tag=True):
    """An order has another price or another count (what is filled included)."""

    at_ns: int
    client_order_id: str
    price: int
    count: int


class Answered(msgspec.Struct, frozen=True, tag=True):
    """The strategy heard what became of its placing."""

    told_ns: int
    client_order_id: str
    refused: str  # code of a refusal, as the exchange words it; "" = it was accepted


class Ended(msgspec.Struct, frozen=True, tag=True):
    """An order is over: executed, canceled, expired, settled, or refused:<code>."""

    at_ns: int
    client_order_id: str
    end: str


class Determined(msgspec.Struct, frozen=True, tag=True):
    """It became known what a market will pay, in which an order was placed. price: of a yes contract."""

    at_ns: int
    market: str
    price: int


class Settled(msgspec.Struct, frozen=True, tag=True):
    """A market in which something was held paid. price: what a yes contract paid; money: what the account got."""

    at_ns: int
    market: str
    price: int
    position: int  # that it paid for, + yes, - no
    money: int


Happening = Arrived | Rested | Filled | Amended | Answered | Ended | Determined | Settled

Listener = Callable[[Happening], None]
