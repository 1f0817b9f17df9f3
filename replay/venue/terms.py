"""What a simulated venue is to suppose: the models by name and version, as a result names them.

Knows names and numbers only, so that a result can be read without the venue. Units: ns, money 1/1,000,000 dollar.
"""

from typing import Final

import msgspec

QUEUES: Final = ("pessimistic@1", "proportional@1", "power@1", "optimistic@1")
"""Queue models. pessimistic: nobody ahead ever cancels. optimistic: everybody who cancels was ahead, and whatever
trades at the price reaches us; an upper bound, no forecast."""

DEFAULT_QUEUE: Final = "proportional@1"
"""Shown best against orders that truly rested among traders who cancel without regard to their place in the queue
(docs/BACKTESTS.md)."""


class Latency(msgspec.Struct, frozen=True, omit_defaults=True):
    """How long each way takes (ns). feed: exchange to strategy beyond what the tape's own receive times hold; order:
    decision to venue; answer: venue to strategy.

    is_drawn: order and answer are drawn, seeded, from the round trips on the tape, and the constants stand where the
    tape has none.
    """

    feed_ns: int = 0
    order_ns: int = 50_000_000
    answer_ns: int = 50_000_000
    is_drawn: bool = False


class VenueTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """A venue's suppositions. cash: money it begins with.

    fees: what is charged where the tape does not say, as "fee_type:multiplier" such as "quadratic:1"; "" = nothing is
    supposed, and a market whose fees the tape does not tell is an error. ticks: likewise, a `price_level_structure`.
    """

    queue: str = DEFAULT_QUEUE
    latency: Latency = Latency()
    cash: int = 10_000_000_000
    fees: str = ""
    ticks: str = ""
