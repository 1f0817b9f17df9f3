"""Every market, event and series of a tape as of its playhead: as REST told of it, else made up.

Knows which belongs to which. Must not know requests. `Scene` is what it looks at.
"""

from typing import Any, Protocol

from core.lifecycle import phase_at
from core.views import MarketView
from replay.exchange import made_up
from replay.exchange.recorded import Recorded
from replay.facts import series_of, text_of


class Scene(Protocol):
    """A tape at its playhead. now_ns: the tape's time there; begun_ns: when it begins (Unix ns)."""

    @property
    def recorded(self) -> Recorded: ...

    @property
    def now_ns(self) -> int: ...

    @property
    def begun_ns(self) -> int: ...

    def markets(self) -> tuple[str, ...]:
        """Every market that a frame of the tape names, later ones too."""

    def book(self, market: str) -> MarketView:
        """What the store knows of a market."""

    def knows_book(self, market: str) -> bool:
        """Whether its book can be trusted now."""


class Catalogue:
    """Objects by ticker, each what JSON is made of."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def markets(self) -> tuple[str, ...]:
        """All tickers, sorted: those that frames name and those that REST told of."""
        return tuple(sorted({*self.scene.markets(), *self.scene.recorded.facts.markets()}))

    def events(self) -> dict[str, list[str]]:
        """All event tickers, sorted, each with its markets, sorted; one that REST told of may have none."""
        found: dict[str, list[str]] = {event: [] for event in self.scene.recorded.facts.events()}
        for market in self.markets():
            found.setdefault(self.event_of(market), []).append(market)
        return dict(sorted(found.items()))

    def series(self) -> tuple[str, ...]:
        """All series tickers, sorted."""
        named = {self.series_of(event) for event in self.events()}
        return tuple(sorted({*named, *self.scene.recorded.facts.series()}))

    def market(self, ticker: str) -> Any:
        """A Market; None when the tape knows nothing of that name."""
        told = self.scene.recorded.facts.market(ticker)
        if told is not None or ticker not in self.scene.markets():
            return told
        scene = self.scene
        times = scene.begun_ns, scene.now_ns
        return made_up.market(scene.book(ticker), *times, knows_book=scene.knows_book(ticker))

    def event(self, ticker: str) -> Any:
        """An Event, without its markets; of any name, so ask `events` first."""
        told = self.scene.recorded.facts.event(ticker)
        return made_up.event(ticker) if told is None else told

    def one_series(self, ticker: str) -> Any:
        """A Series; of any name, so ask `series` first."""
        told = self.scene.recorded.facts.one_series(ticker)
        return made_up.one_series(ticker) if told is None else told

    def event_of(self, market: str) -> str:
        """The event of a market."""
        told = self.scene.recorded.facts.market(market)
        if told is not None:
            return text_of(told, "event_ticker")
        return made_up.event_of(market, self.scene.book(market).lifecycle)

    def series_of(self, event: str) -> str:
        """The series of an event."""
        told = self.scene.recorded.facts.event(event)
        return series_of(event) if told is None else text_of(told, "series_ticker")

    def market_time(self, market: str, member: str) -> str:
        """One of a market's instants as REST writes it, "" when it has none."""
        told = self.scene.recorded.facts.market(market)
        return str(self.market(market).get(member, "")) if told is None else text_of(told, member)

    def event_time(self, event: str, member: str) -> str:
        """As `market_time`, of an event."""
        told = self.scene.recorded.facts.event(event)
        return "" if told is None else text_of(told, member)

    def status_of(self, market: str) -> str:
        """A market's status as REST writes it."""
        told = self.scene.recorded.facts.market(market)
        if told is not None:
            return text_of(told, "status")
        return made_up.STATUSES[phase_at(self.scene.book(market).lifecycle, self.scene.now_ns)]
