"""REST objects for what a tape does not tell: as little as a client can live with, and honest about it.

Knows the required members of the exchange's objects (protocol 12, 13). Must not know requests. What is made up: every
text (`MADE_UP` says so in the market's rules), the fees (quadratic, 1), a grid as fine as prices go, times of a
market that no lifecycle message gave. What is not: quotes, sizes, volume, result, from the tape at its playhead.
"""

from typing import Any, Final

from core.lifecycle import Lifecycle, Phase, phase_at
from core.messages.types import Level
from core.money import DOLLAR, format_price, format_size
from core.views import MarketView, RecentTrade
from replay.facts import series_of
from replay.when import format_time

MADE_UP: Final = "Made up by the local exchange: the recording does not say what this market is about."

FAR: Final = "2099-12-31T00:00:00Z"
"""When a market closes of which nobody said when."""

FINEST: Final = ({"start": "0.0000", "end": "1.0000", "step": "0.0001"},)

STATUSES: Final = {
    Phase.UNKNOWN: "active",
    Phase.INITIALIZED: "initialized",
    Phase.ACTIVE: "active",
    Phase.INACTIVE: "inactive",
    Phase.CLOSED: "closed",
    Phase.DETERMINED: "determined",
    Phase.SETTLED: "finalized",
}

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

STATUS: Final[dict[str, Any]] = {"exchange_active": True, "trading_active": True}


def schedule() -> dict[str, Any]:
    """Open all week but for the Thursday maintenance (protocol 16.2), New York time."""
    whole = [{"open_time": "00:00", "close_time": "00:00"}]
    thursday = [{"open_time": "00:00", "close_time": "03:00"}, {"open_time": "05:00", "close_time": "00:00"}]
    week = {day: thursday if day == "thursday" else whole for day in _DAYS}
    hours = {"start_time": "2000-01-01T00:00:00Z", "end_time": FAR, **week}
    return {"schedule": {"standard_hours": [hours], "maintenance_windows": []}}


def limits() -> dict[str, Any]:
    """The account of a reader: the lowest tier (protocol 11.1)."""
    read = {"refill_rate": 200, "bucket_capacity": 400}
    return {"usage_tier": "basic", "read": read, "write": {"refill_rate": 100, "bucket_capacity": 100}, "grants": []}


def balance(now_ns: int) -> dict[str, Any]:
    """Nothing at all."""
    empty: dict[str, Any] = {"balance": 0, "balance_dollars": "0.0000", "portfolio_value": 0}
    return {**empty, "updated_ts": now_ns // 1_000_000_000, "balance_breakdown": []}


def resting_value() -> dict[str, Any]:
    """No order rests."""
    return {"total_resting_order_value": 0, "resting_order_value_breakdown": []}


def cutoff() -> dict[str, str]:
    """Nothing was moved to the archive."""
    return dict.fromkeys(("market_settled_ts", "trades_created_ts", "orders_updated_ts"), format_time(0))


def market(view: MarketView, begun_ns: int, now_ns: int, *, knows_book: bool) -> dict[str, Any]:
    """A Market of a tape that began at an instant, as of another (Unix ns).

    Its quotes are of the book where that is known, else of the latest ticker, else of nobody bidding.
    """
    life, begun = view.lifecycle, format_time(begun_ns)
    ranges = [
        {name: format_price(getattr(band, name)) for name in ("start", "end", "step")} for band in life.price_ranges
    ]
    return {
        "ticker": view.market,
        "event_ticker": event_of(view.market, life),
        "market_type": "binary",
        "yes_sub_title": "",
        "no_sub_title": "",
        "created_time": _time(life.open_ns, begun),
        "updated_time": _time(view.heard_ns, begun),
        "open_time": _time(life.open_ns, begun),
        "close_time": _time(life.close_ns, FAR),
        "latest_expiration_time": _time(life.close_ns, FAR),
        "settlement_timer_seconds": 0,
        "status": STATUSES[phase_at(life, now_ns)],
        **_quotes(view, knows_book=knows_book),
        "notional_value_dollars": format_price(DOLLAR),
        "previous_yes_bid_dollars": format_price(0),
        "previous_yes_ask_dollars": format_price(0),
        "previous_price_dollars": format_price(0),
        "result": life.result,
        "can_close_early": True,
        "expiration_value": "",
        "rules_primary": MADE_UP,
        "rules_secondary": "",
        "price_level_structure": life.price_level_structure,
        "price_ranges": ranges or list(FINEST),
        "settlement_bounds_type": "default",
    }


def event(ticker: str) -> dict[str, Any]:
    """An Event of that name."""
    names = {"event_ticker": ticker, "series_ticker": series_of(ticker), "title": ticker, "sub_title": ""}
    return {**names, "collateral_return_type": "", "mutually_exclusive": False, "settlement_sources": []}


def one_series(ticker: str) -> dict[str, Any]:
    """A Series of that name."""
    texts = dict.fromkeys(("category", "contract_url", "contract_terms_url"), "")
    lists: dict[str, list[str]] = {
        name: [] for name in ("categories", "tags", "settlement_sources", "additional_prohibitions")
    }
    fees = {"fee_type": "quadratic", "fee_multiplier": 1}
    return {"ticker": ticker, "frequency": "custom", "title": ticker, **texts, **lists, **fees}


def trade(market_ticker: str, told: RecentTrade) -> dict[str, Any]:
    """A trade of the tape, as REST lists them."""
    return {
        "trade_id": told.trade_id,
        "ticker": market_ticker,
        "count_fp": format_size(told.count),
        "yes_price_dollars": format_price(told.price),
        "no_price_dollars": format_price(DOLLAR - told.price),
        "taker_outcome_side": told.taker.value,
        "taker_book_side": "bid" if told.taker == "yes" else "ask",
        "taker_side": told.taker.value,
        "created_time": format_time(told.exchange_ns or told.now_ns),
        "is_block_trade": told.is_block,
    }


def levels(side: tuple[Level, ...], depth: int = 0) -> list[list[str]]:
    """A ladder as REST writes it, best last; depth: only so many of the best, 0 = all."""
    return [[format_price(price), format_size(size)] for price, size in side[-depth:]]


def event_of(ticker: str, life: Lifecycle | None = None) -> str:
    """The event of a market by what was told, else by its name (protocol 12.5)."""
    told = "" if life is None else life.event_ticker
    return told or ticker.rpartition("-")[0] or ticker


def _time(at_ns: int, otherwise: str) -> str:
    return format_time(at_ns) if at_ns else otherwise


def _quotes(view: MarketView, *, knows_book: bool) -> dict[str, str]:
    told = view.ticker
    if knows_book:
        (bid, bid_size), (ask, ask_size) = view.yes_bid or (0, 0), view.yes_ask or (DOLLAR, 0)
    elif told is not None:
        bid, ask = told.yes_bid or 0, DOLLAR if told.yes_ask is None else told.yes_ask
        bid_size, ask_size = told.yes_bid_size or 0, told.yes_ask_size or 0
    else:
        bid, bid_size, ask, ask_size = 0, 0, DOLLAR, 0
    last = view.last_trade.price if view.last_trade is not None else (told and told.price) or 0
    volume, interest = (0, 0) if told is None else (told.volume or 0, told.open_interest or 0)
    return {
        "yes_bid_dollars": format_price(bid),
        "yes_bid_size_fp": format_size(bid_size),
        "yes_ask_dollars": format_price(ask),
        "yes_ask_size_fp": format_size(ask_size),
        "no_bid_dollars": format_price(DOLLAR - ask),
        "no_ask_dollars": format_price(DOLLAR - bid),
        "last_price_dollars": format_price(last),
        "volume_fp": format_size(max(volume, view.traded_size)),
        "volume_24h_fp": format_size(view.traded_size),
        "open_interest_fp": format_size(interest),
    }
