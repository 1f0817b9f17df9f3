"""The markets of a backtest's exchange: listed when somebody orders there, and living on as the tape tells.

Knows fees, ticks, pauses and lives. Must not know orders. Sources: PROTOCOL 14 to 16.
"""

from collections.abc import Callable
from typing import Final

from core.answers.types import ExchangeStatus
from core.cells import NEVER
from core.fees import FeeOverride, FeeTerms
from core.lifecycle import Phase
from replay.exchange.engine import MatchingEngine
from replay.exchange.floor import EVERYWHERE
from replay.exchange.market import Outside
from replay.exchange.specs import EventSpec, MarketSpec, MarketStatus
from replay.exchange.views import MarketView, Pause
from replay.venue.facts import Facts

FAR_NS: Final = NEVER // 2
"""When a market closes or pays of which nobody has said it; within what an instant can be, and never reached."""


class Listing:
    """book: gives the others of a market. ConfigError when a fact is neither told nor supposed."""

    def __init__(self, engine: MatchingEngine, facts: Facts, book: Callable[[str], Outside]) -> None:
        self._engine = engine
        self._facts = facts
        self._book = book

    @property
    def markets(self) -> tuple[str, ...]:
        """Those that are listed."""
        return self._engine.reads.markets()

    def sync(self, market: str, now_ns: int) -> None:
        """See that fees, ticks and life of a market are as the tape has told by now; it is listed if it was not."""
        terms, ranges = self._facts.fees(market, now_ns), self._facts.ranges(market)
        life = self._engine.life
        self._engine.advance(now_ns)
        if market not in self._engine.reads.markets():
            self._list(market, terms, now_ns)
        view = self._engine.reads.market(market)
        if view.spec.price_ranges != ranges:
            spec = MarketSpec(
                ticker=market, event_ticker="", market_id="", open_ns=0, close_ns=0, price_level_structure="",
                price_ranges=ranges,
            )  # fmt: skip
            life.change_price_levels(market, spec, now_ns)
        if view.fees != terms:
            override = FeeOverride(terms.fee_type, terms.multiplier)
            life.override_fees(view.spec.event_ticker, override, now_ns)
        self._live(view, now_ns)

    def pause(self, status: ExchangeStatus | None, now_ns: int) -> None:
        """The exchange says whether it takes orders; None = nothing is known."""
        pauses = {EVERYWHERE: Pause.NONE}
        if status is not None:
            pauses[EVERYWHERE] = _pause(status.is_exchange_active, status.is_trading_active)
            pauses |= {shard: _pause(active, trading) for shard, active, trading in status.shards}
        for shard, pause in pauses.items():
            if self._engine.reads.pause(shard) is not pause:
                self._engine.life.pause(pause, now_ns, exchange_index=shard)

    def _list(self, market: str, terms: FeeTerms, now_ns: int) -> None:
        facts, life = self._facts, self._engine.life
        event = facts.event(market)
        if all(self._engine.reads.market(name).spec.event_ticker != event for name in self._engine.reads.markets()):
            series = facts.reference.series_of(market)
            life.add_event(EventSpec(event_ticker=event, series_ticker=series, fees=terms), now_ns)
        open_ns, close_ns = facts.times(market)
        is_new = facts.phase(market, now_ns) is Phase.INITIALIZED and open_ns < min(close_ns, FAR_NS)
        spec = MarketSpec(
            ticker=market, event_ticker=event, market_id=market, open_ns=open_ns if is_new else 0,
            close_ns=min(close_ns, FAR_NS), exchange_index=facts.shard(market), price_level_structure="",
            price_ranges=facts.ranges(market), settlement_timer_ns=FAR_NS,
        )  # fmt: skip
        life.add_market(spec, now_ns, outside=self._book(market))

    def _live(self, view: MarketView, now_ns: int) -> None:
        """Have a market's life go on as the tape told."""
        life, market, status = self._engine.life, view.spec.ticker, view.status
        if status is MarketStatus.FINALIZED:
            return
        phase, outcome = self._facts.phase(market, now_ns), self._facts.outcome(market)
        close_ns = min(self._facts.times(market)[1], FAR_NS)
        if phase in (Phase.DETERMINED, Phase.SETTLED):
            if outcome is None:
                close_ns = now_ns
            elif phase is Phase.SETTLED or view.outcome != outcome:
                life.determine(market, outcome, now_ns, timer_ns=0 if phase is Phase.SETTLED else FAR_NS - now_ns)
                self._engine.advance(now_ns)
                return
        elif phase is Phase.CLOSED:
            close_ns = min(close_ns, now_ns)
        if status is MarketStatus.DETERMINED:
            return
        if close_ns != view.spec.close_ns:
            life.move_close(market, close_ns, now_ns)
        if phase is Phase.INACTIVE and status is MarketStatus.ACTIVE:
            life.deactivate(market, now_ns)
        elif phase is Phase.ACTIVE and status in (MarketStatus.INACTIVE, MarketStatus.CLOSED) and close_ns > now_ns:
            life.activate(market, now_ns)


def _pause(is_active: bool, is_trading: bool) -> Pause:
    if not is_active:
        return Pause.EXCHANGE
    return Pause.NONE if is_trading else Pause.TRADING
