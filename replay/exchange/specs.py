"""What the exchange is told of its events and markets: the facts that clients read in listings and lifecycle frames.

Units: prices in 1/10,000 dollar, times in Unix ns, 0 and "" = none. Knows facts only. Must not know books or accounts.
"""

from enum import StrEnum
from typing import Final

import msgspec

from core.fees import FeeTerms
from core.messages.types import PriceRange, Side


class EventSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An event as listed. fees: those of its series."""

    event_ticker: str
    series_ticker: str
    title: str = ""
    subtitle: str = ""
    exchange_index: int = 0
    collateral_return_type: str = ""
    strike_ns: int = 0
    strike_period: str = ""
    fees: FeeTerms = FeeTerms()


class MarketTexts(msgspec.Struct, frozen=True, kw_only=True):
    """What people read of a market, and its strike; numbers as the JSON text they are listed with, "" = not given."""

    name: str = ""
    title: str = ""
    yes_sub_title: str = ""
    no_sub_title: str = ""
    rules_primary: str = ""
    rules_secondary: str = ""
    strike_type: str = ""
    floor_strike: str = ""
    cap_strike: str = ""
    custom_strike: str = ""


class MarketSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A market as listed. Its event must be known to the exchange first.

    price_ranges: empty = those that `price_level_structure` means. fee_waiver_ns: no fees before this instant.
    settlement_timer_ns: from determination to payout.
    """

    ticker: str
    event_ticker: str
    market_id: str
    open_ns: int
    close_ns: int
    exchange_index: int = 0
    price_level_structure: str = "linear_cent"
    price_ranges: tuple[PriceRange, ...] = ()
    expected_expiration_ns: int = 0
    settlement_timer_ns: int = 0
    fee_waiver_ns: int = 0
    can_close_early: bool = True
    texts: MarketTexts = MarketTexts()


class MarketStatus(StrEnum):
    """Where a market is in its life, in the words of REST (protocol 16.1)."""

    INITIALIZED = "initialized"
    ACTIVE = "active"
    INACTIVE = "inactive"
    CLOSED = "closed"
    DETERMINED = "determined"
    FINALIZED = "finalized"


class Result(StrEnum):
    """What a market came to."""

    YES = "yes"
    NO = "no"
    SCALAR = "scalar"


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """A market's result and what one yes contract pays (price units); a no contract pays the rest of a dollar."""

    result: Result
    settlement_value: int


YES_WINS: Final = Outcome(Result.YES, 10_000)
NO_WINS: Final = Outcome(Result.NO, 0)


class BookView(msgspec.Struct, frozen=True, gc=False):
    """A market's book: levels ascending, best last, each ladder on its own scale.

    clock: that of the newest change in it, 0 = never changed.
    """

    market: str
    clock: int
    yes: tuple[tuple[int, int], ...]
    no: tuple[tuple[int, int], ...]

    def ladder(self, side: Side) -> tuple[tuple[int, int], ...]:
        """The levels of one side."""
        return self.yes if side is Side.YES else self.no
