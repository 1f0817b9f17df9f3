"""What REST lists of the past and the engine does not keep: trades, fills, payouts, series, the volume of a day.

Knows happenings. Must not know requests. Everything is bounded; the oldest goes first.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

from core.times import SECOND_NS
from replay.exchange.happenings import (
    EventCreated,
    EventFeesChanged,
    Filled,
    Happening,
    LifecycleChanged,
    OrderChanged,
    Settled,
    Traded,
)
from replay.exchange.orders import Order
from replay.exchange.specs import EventSpec, MarketSpec

TRADES_KEPT: Final = 20_000
"""Public trades, over all markets: hours of synthetic ones."""

FILLS_KEPT: Final = 20_000
"""Fills and payouts of an account."""

FEE_CHANGES_KEPT: Final = 1_000
"""Fee overrides of events, over all of them."""

DAY_NS: Final = 86_400 * SECOND_NS


class TradeLog:
    """Everything newest last. series: the first event seen of each; events: tickers in the order they were listed;
    each with its series; settlements: payouts with the facts of their markets, which may be forgotten since;
    fee_changes: of events, with their series."""

    def __init__(self, now_ns: Callable[[], int] = lambda: 0, stale_ns: int = 0) -> None:
        self.trades: deque[Traded] = deque(maxlen=TRADES_KEPT)
        self._days: dict[str, deque[Traded]] = defaultdict(lambda: deque(maxlen=TRADES_KEPT))
        self.fills: dict[str, deque[Filled]] = defaultdict(lambda: deque(maxlen=FILLS_KEPT))
        self.settlements: dict[str, deque[tuple[Settled, MarketSpec]]] = defaultdict(lambda: deque(maxlen=FILLS_KEPT))
        self.series: dict[str, EventSpec] = {}
        self.events: dict[str, str] = {}
        self.fee_changes: deque[tuple[EventFeesChanged, str]] = deque(maxlen=FEE_CHANGES_KEPT)
        self._specs: dict[str, MarketSpec] = {}
        self._now_ns = now_ns
        self._stale_ns = stale_ns
        self._former: dict[str, tuple[int, Order | None]] = {}
        self._latest: dict[str, Order] = {}

    def observe(self, happening: Happening) -> None:
        """Keep what will be asked for."""
        match happening:
            case Traded():
                self.trades.append(happening)
                self._days[happening.market].append(happening)
            case Filled():
                self.fills[happening.account].append(happening)
            case Settled():
                self.settlements[happening.account].append((happening, self._specs[happening.market]))
            case LifecycleChanged():
                self._specs[happening.spec.ticker] = happening.spec
            case EventCreated():
                self.series.setdefault(happening.event.series_ticker, happening.event)
                self.events[happening.event.event_ticker] = happening.event.series_ticker
            case EventFeesChanged():
                self.fee_changes.append((happening, self.events[happening.event_ticker]))
            case OrderChanged() if self._stale_ns:
                self._order(happening)
            case _:
                pass

    def forget(self, market: str) -> None:
        """Drop what is kept of a market, and its event when it was the last of it; trades, fills and payouts stay."""
        self._days.pop(market, None)
        event = self._specs.pop(market).event_ticker
        if all(spec.event_ticker != event for spec in self._specs.values()):
            del self.events[event]

    def as_read(self, order: Order) -> Order | None:
        """How a read shows an order that changed within the lag: as it stood before, None = not there yet."""
        changed = self._former.get(order.order_id)
        if changed is None or self._now_ns() - changed[0] >= self._stale_ns:
            return order
        return changed[1]

    def volume_of_day(self, market: str, now_ns: int) -> int:
        """Contracts (1/100) traded in a market within 24 hours, as far as trades are kept."""
        day = self._days[market]
        while day and day[0].at_ns <= now_ns - DAY_NS:
            day.popleft()
        return sum(told.count for told in day)

    def _order(self, told: OrderChanged) -> None:
        """Remember how an order stood before it changed, as long as reads may show it so."""
        order_id = told.order.order_id
        before = self._latest.pop(order_id, None)
        if told.order.remaining:
            self._latest[order_id] = told.order
        self._former.pop(order_id, None)  # the latest change comes last
        self._former[order_id] = told.at_ns, before
        while (oldest := next(iter(self._former))) != order_id:
            if told.at_ns - self._former[oldest][0] < self._stale_ns:
                break
            del self._former[oldest]
