"""What REST said of markets, events and series: the latest object of each, in its own bytes.

Knows how to find such objects in any recorded answer, lists and nested ones included. Must not know endpoints, nor
what a field of them is worth: `core` reads values, this keeps texts.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from core.records import RestCall

MAX_OBJECTS: Final = 65_536
"""Objects kept of each sort: as many markets as the store keeps; the one that was new longest ago goes first."""

MAX_DEPTH: Final = 6
"""How deep an object may lie in an answer: `{"events":[{"markets":[{}]}]}` is four."""

OK: Final = range(200, 300)

Members: TypeAlias = Mapping[str, msgspec.Raw]

_MARKET: Final = frozenset(("ticker", "event_ticker", "status", "close_time"))
_EVENT: Final = frozenset(("event_ticker", "series_ticker", "title"))
_SERIES: Final = frozenset(("ticker", "title", "fee_type"))
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)


class About(msgspec.Struct, frozen=True):
    """One market and what belongs to it, each as the JSON text of its object; "" = REST never told.

    now_ns: when the market's was recorded (the tape's own time), 0 = never.
    """

    market: str
    market_json: str = ""
    event_json: str = ""
    series_json: str = ""
    now_ns: int = 0


class Facts:
    """The fold over the REST records of a tape, in their order."""

    def __init__(self) -> None:
        self._markets: dict[str, Members] = {}
        self._events: dict[str, Members] = {}
        self._series: dict[str, Members] = {}
        self._now_ns: dict[str, int] = {}

    def observe(self, call: RestCall, now_ns: int = 0) -> None:
        """Take from an answer what it tells; anything else in it, and an answer that is no JSON, says nothing."""
        if call.status in OK and call.answer:
            self._look(msgspec.Raw(call.answer.encode()), now_ns, MAX_DEPTH)

    def markets(self) -> tuple[str, ...]:
        """Every market told of, sorted."""
        return tuple(sorted(self._markets))

    def events(self) -> tuple[str, ...]:
        """Every event told of, sorted."""
        return tuple(sorted(self._events))

    def series(self) -> tuple[str, ...]:
        """Every series told of, sorted."""
        return tuple(sorted(self._series))

    def market(self, ticker: str) -> Members | None:
        """The members of a market's latest object, each as its own bytes; None when REST never told of it."""
        return self._markets.get(ticker)

    def event(self, ticker: str) -> Members | None:
        """As `market`, of an event; without the markets nested in it."""
        return self._events.get(ticker)

    def one_series(self, ticker: str) -> Members | None:
        """As `market`, of a series."""
        return self._series.get(ticker)

    def about(self, ticker: str) -> About:
        """A market with its event and its series, as far as REST told of them."""
        market = self._markets.get(ticker)
        event_ticker = "" if market is None else text_of(market, "event_ticker")
        event = self._events.get(event_ticker)
        series_ticker = series_of(event_ticker or ticker) if event is None else text_of(event, "series_ticker")
        series = self._series.get(series_ticker)
        return About(ticker, _joined(market), _joined(event), _joined(series), self._now_ns.get(ticker, 0))

    def _look(self, value: msgspec.Raw, now_ns: int, depth: int) -> None:
        first = bytes(value).lstrip()[:1]
        try:
            if first == b"{":
                members = _OBJECT.decode(value)
                self._take(members, now_ns)
                inner = list(members.values())
            elif first == b"[":
                inner = _LIST.decode(value)
            else:
                return
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if depth:
            for part in inner:
                self._look(part, now_ns, depth - 1)

    def _take(self, members: dict[str, msgspec.Raw], now_ns: int) -> None:
        if members.keys() >= _MARKET:
            self._keep(self._markets, "ticker", members)
            ticker = text_of(members, "ticker")
            if ticker in self._markets:
                self._now_ns[ticker] = now_ns
        elif members.keys() >= _EVENT and "ticker" not in members:
            self._keep(self._events, "event_ticker", {k: v for k, v in members.items() if k != "markets"})
        elif members.keys() >= _SERIES and "event_ticker" not in members:
            self._keep(self._series, "ticker", members)

    def _keep(self, table: dict[str, Members], key: str, members: dict[str, msgspec.Raw]) -> None:
        name = text_of(members, key)
        if not name:
            return
        if name not in table and len(table) >= MAX_OBJECTS:
            oldest = next(iter(table))
            del table[oldest]
            self._now_ns.pop(oldest, None)
        table[name] = {member: value.copy() for member, value in members.items()}  # lets go of the whole answer


def text_of(members: Members, name: str) -> str:
    """A member that is a text; "" when it is none."""
    value = members.get(name)
    if value is None:
        return ""
    try:
        return _TEXT.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _joined(members: Members | None) -> str:
    return "" if members is None else msgspec.json.encode(members).decode()


def series_of(ticker: str) -> str:
    """The series of a market or an event by its name, where nothing says it better (protocol 12.3)."""
    return ticker.partition("-")[0]
