"""What is known of markets, series and the exchange beside prices: by REST answers, and by lifecycle messages since.

Knows which source is the newer one. Must not know books or orders. Units as in core.answers.
"""

from typing import Final

from core.answers.types import Event, ExchangeStatus, Market, Page, Schedule, Series
from core.fees import COUNTED, ONE, FeeOverride, FeeTerms, FeeType, terms_in_force
from core.fetched import Fetched
from core.hours import next_pause
from core.lifecycle import Lifecycle, Phase
from core.messages.types import EventFeeUpdate, PriceRange
from core.store import MarketStateStore
from core.ticks import ranges_of
from core.times import SECOND_NS

MAX_KEPT: Final = 65_536
"""Markets, events and series kept, of each; the oldest are forgotten."""

NOT_CHARGEABLE: Final = FeeTerms(FeeType.WITH_COMBO_MAKER_FEES, 2 * ONE)
"""What fees are taken to be where nothing is known: dearer than any series that was seen."""

_UNCOUNTED: Final = FeeTerms(FeeType.FLAT)
"""What is read of fees that nobody here can count."""

CACHED_NS: Final = 15 * SECOND_NS
"""REST may answer from a cache that is so old (protocol 9.6): an answer that is no newer tells no news."""

_OPEN: Final = ("active", "open")


class Reference:
    """Facts by name; every method answers for what the tape has told so far."""

    __slots__ = ("_events", "_markets", "_overrides", "_series", "_store", "_told_ns", "schedule", "status")

    def __init__(self, store: MarketStateStore) -> None:
        self._store = store
        self._markets: dict[str, Market] = {}
        self._events: dict[str, Event] = {}
        self._series: dict[str, Series] = {}
        self._overrides: dict[str, FeeOverride] = {}
        self._told_ns: dict[str, int] = {}
        self.status: ExchangeStatus | None = None
        self.schedule: Schedule | None = None

    def take(self, fetched: Fetched) -> None:
        """Learn from an answer."""
        match fetched.value:
            case Market() as market:
                self._market(market, fetched.asked_ns)
            case Event() as event:
                self._event(event, fetched.asked_ns)
            case Series() as series:
                _put(self._series, series.ticker, series)
            case ExchangeStatus() as status:
                self.status = status
            case Schedule() as schedule:
                self.schedule = schedule
            case Page(items=items):
                for item in items:
                    if isinstance(item, Market):
                        self._market(item, fetched.asked_ns)
                    elif isinstance(item, Event):
                        self._event(item, fetched.asked_ns)
            case _:
                pass

    def heard(self, ticker: str, now_ns: int) -> None:
        """The store has taken in a lifecycle message of a market: what REST said before is older."""
        _put(self._told_ns, ticker, now_ns)

    def override(self, update: EventFeeUpdate, now_ns: int = 0) -> None:
        """An event charges other fees from now on."""
        _put(self._told_ns, f"fees {update.event_ticker}", now_ns)
        _put(self._overrides, update.event_ticker, _override(update.fee_type, update.multiplier))

    def market(self, ticker: str) -> Market | None:
        """The market as REST told of it last."""
        return self._markets.get(ticker)

    def close_ns(self, ticker: str) -> int:
        """When it closes (Unix ns), 0 = not known."""
        told = self.life(ticker).close_ns
        market = self._markets.get(ticker)
        return told or (0 if market is None else market.close_ns)

    def ranges(self, ticker: str) -> tuple[PriceRange, ...]:
        """Bands of the prices it takes; empty = not known."""
        life, market = self.life(ticker), self._markets.get(ticker)
        for structure, ranges in (
            (life.price_level_structure, life.price_ranges),
            ("", ()) if market is None else (market.price_level_structure, market.price_ranges),
        ):
            try:
                return ranges_of(structure, ranges)
            except ValueError:
                continue
        return ()

    def fees(self, ticker: str, now_ns: int) -> FeeTerms:
        """What its trades are charged; more than is charged anywhere where that is not known."""
        return told_fees(self, ticker, now_ns) or NOT_CHARGEABLE

    def series_of(self, ticker: str) -> str:
        """The series of a market; by its event where that is known, else by its name."""
        event = self._events.get(self._event_of(ticker))
        return event.series_ticker if event is not None and event.series_ticker else ticker.partition("-")[0]

    def knows_fees(self, ticker: str) -> bool:
        """Whether the series's fees were told."""
        return self.series_of(ticker) in self._series

    def is_open(self, ticker: str, now_ns: int) -> bool:
        """Whether it trades now, as far as told: by lifecycle messages since, else by REST; not known = no."""
        life, market = self.life(ticker), self._markets.get(ticker)
        close_ns = self.close_ns(ticker)
        if close_ns and now_ns >= close_ns:
            return False
        if life.phase in (Phase.ACTIVE, Phase.INACTIVE, Phase.DETERMINED, Phase.SETTLED):
            return life.phase is Phase.ACTIVE
        if market is None or market.status not in _OPEN:
            open_ns = life.open_ns or (0 if market is None else market.open_ns)
            return 0 < open_ns <= now_ns and (market is None or market.status in ("initialized", "unopened"))
        return True

    def is_trading(self, exchange_index: int = 0) -> bool:
        """Whether the exchange takes orders, as far as it said; not known = yes."""
        status = self.status
        if status is None:
            return True
        shard = next((s for s in status.shards if s[0] == exchange_index), None)
        return status.is_exchange_active and status.is_trading_active and (shard is None or (shard[1] and shard[2]))

    def pause_ns(self, now_ns: int) -> int:
        """When the next scheduled pause begins (Unix ns), or the present one began; 0 = none is known."""
        pause = next_pause(self.schedule, now_ns)
        return 0 if pause is None else pause.from_ns

    def _market(self, market: Market, asked_ns: int) -> None:
        _put(self._markets, market.ticker, market)
        if asked_ns - self._told_ns.get(market.ticker, asked_ns) > CACHED_NS:
            del self._told_ns[market.ticker]

    def _event(self, event: Event, asked_ns: int) -> None:
        _put(self._events, event.event_ticker, event)
        for market in event.markets:
            self._market(market, asked_ns)
        told_ns = self._told_ns.get(f"fees {event.event_ticker}")
        if told_ns is None or asked_ns - told_ns > CACHED_NS:
            _put(self._overrides, event.event_ticker, _override(event.fee_type, event.fee_multiplier))

    def _event_of(self, ticker: str) -> str:
        """The event of a market, "" = not known."""
        market = self._markets.get(ticker)
        return self._store.lifecycle(ticker).event_ticker if market is None else market.event_ticker

    def life(self, ticker: str) -> Lifecycle:
        """What lifecycle messages said, unless REST has answered since."""
        if ticker in self._markets and ticker not in self._told_ns:
            return Lifecycle()
        return self._store.lifecycle(ticker)


def told_fees(known: Reference, ticker: str, now_ns: int, supposed: FeeTerms = _UNCOUNTED) -> FeeTerms | None:
    """What its trades are charged, None = it is not told, or is of a type whose formula nobody has published.

    supposed: what its series charges where that is not known.
    """
    series = known._series.get(known.series_of(ticker))
    terms = supposed if series is None else _terms(series)
    market = known._markets.get(ticker)
    waived = market is not None and now_ns < market.fee_waiver_until_ns
    found = terms_in_force(terms, known._overrides.get(known._event_of(ticker), FeeOverride()), waived=waived)
    return found if waived or found.fee_type in COUNTED else None


T = dict[str, Market] | dict[str, Event] | dict[str, Series] | dict[str, FeeOverride] | dict[str, int]


def _put(kept: T, name: str, value: object) -> None:
    if name not in kept and len(kept) >= MAX_KEPT:
        del kept[next(iter(kept))]
    kept[name] = value  # type: ignore[assignment]  # the callers pair them


def _terms(series: Series) -> FeeTerms:
    try:
        fee_type = FeeType(series.fee_type)
    except ValueError:
        return _UNCOUNTED
    multiplier = _multiplier(series.fee_multiplier)
    return _UNCOUNTED if multiplier is None else FeeTerms(fee_type, multiplier)


def _override(fee_type: str | None, multiplier: str | None) -> FeeOverride:
    try:
        known = None if fee_type is None else FeeType(fee_type)
    except ValueError:
        known = _UNCOUNTED.fee_type
    if multiplier is None:
        return FeeOverride(known, None)
    read = _multiplier(multiplier)
    return FeeOverride(known, read) if read is not None else FeeOverride(_UNCOUNTED.fee_type, None)


def _multiplier(text: str) -> int | None:
    """In 1/10,000, from a decimal text."""
    whole, _, fraction = text.partition(".")
    if not whole.isdecimal() or (fraction and not fraction.isdecimal()) or len(whole) > 4:
        return None
    return int(whole) * ONE + int(fraction[:4].ljust(4, "0") or 0)
