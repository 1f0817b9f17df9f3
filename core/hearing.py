"""What a record means to strategies: which of their hooks it concerns, and what it tells of the run's trading.

Knows records of every kind. Must not know whose turn it is (`core.seats`) nor what is done with decisions.
"""

from dataclasses import dataclass
from typing import Final

from core.actions import GO, HOLD, decode_outcome
from core.ahead import Ahead
from core.book import SIDES
from core.changes import Change, ChangeKind
from core.decider import Decider
from core.engine import Engine, Step
from core.fetched import read as read_answer
from core.gaps import MUTE, SEQUENCE, STALL, Gap
from core.inquiry import News
from core.lookout import Lookout
from core.messages.types import BookDelta, EventFeeUpdate, Fill, MarketLifecycle, Subscribed, Trade, UserOrder
from core.records import Control, Kind, Record, decode_rest
from core.reference import Reference
from core.seats import Seats
from core.trading import Trading
from core.wakes import Wakes

_TEXT: Final = int(Kind.FRAME)
_HEARD_ON: Final = (STALL, MUTE, "asleep", "disk_full", "sync_failed", "write_failed")
"""Gaps after whose end the same subscriptions go on."""


@dataclass(slots=True)
class Parts:
    """What a session of strategies is made of."""

    reference: Reference
    trading: Trading
    lookout: Lookout
    seats: Seats
    wakes: Wakes
    decider: Decider


class Hearing:
    """That of one session."""

    def __init__(self, engine: Engine, ahead: Ahead, parts: Parts) -> None:
        self._engine = engine
        self._ahead = ahead
        self._reference = parts.reference
        self._trading = parts.trading
        self._lookout = parts.lookout
        self._seats = parts.seats
        self._wakes = parts.wakes
        self._decider = parts.decider

    def message(self, step: Step) -> None:
        """A text frame, and what it changed."""
        message, change = step.message, step.change
        if isinstance(message, Fill | UserOrder):
            self.news(self._trading.message(message))
            return
        if isinstance(message, EventFeeUpdate):
            self._reference.override(message, self._ahead.now_ns)
        elif isinstance(message, Subscribed) and message.channel == "fill":
            self._trading.found()
        if type(change) is not Change:
            return
        what, market = change.what, change.market
        if what is ChangeKind.BOOK:
            self._book(market, SIDES[message.side] if isinstance(message, BookDelta) else 0)
        elif what is ChangeKind.TRADE:
            assert isinstance(message, Trade)
            self._seats.trade(market, self._wakes.window(market), message)
        elif what is ChangeKind.TICKER:
            self._seats.ticker(market, self._wakes.window(market))
        elif what is ChangeKind.LIFECYCLE:
            assert isinstance(message, MarketLifecycle)
            self._reference.heard(market, self._ahead.now_ns)
            for news in self._trading.life(message):
                self.news(news)
            self._seats.tell("on_lifecycle", self._wakes.window(market), market=market)
        elif what is ChangeKind.POSITION:
            self._seats.tell("on_position", market, market=market)

    def _book(self, market: str, side: int) -> None:
        memory = self._engine.memory
        moved = memory.machine.top_moved(memory.m, self._engine.store.states()[market].at, side)
        self._seats.book(market, self._wakes.window(market), top_moved=moved)

    def rest(self, record: Record) -> None:
        """An answer of REST."""
        fetched = read_answer(decode_rest(record.payload), self._ahead.now_ns)
        if fetched is None:
            return
        self._decider.answered(fetched.why)
        self._reference.take(fetched)
        for news in self._trading.answer(fetched):
            self.news(news)
        self._seats.tell("on_rest", fetched)

    def outcome(self, record: Record) -> None:
        """What became of a decision."""
        outcome = decode_outcome(record.payload)
        for news in self._trading.outcome(outcome):
            self.news(news)
        self._decider.concluded(outcome.decision)

    def control(self, control: Control) -> None:
        """What the operator wants."""
        if control.action == GO:
            is_first = not self._trading.has_begun
            self._trading.begin(control.markets, self._seats.heir, self._ahead.now_ns)
            self.look(Kind.CONTROL)
            if is_first:
                self._seats.tell("on_start")
        elif control.action in (HOLD, "stop"):
            self._trading.is_started = False
            self._trading.pull()

    def news(self, news: News) -> None:
        """Tell whom it concerns; of a fill first the order, so that whoever hears of it sees both."""
        order, fill = news.order, news.fill
        if order is not None:
            seat = self._seats.named(order.strategy)
            self._seats.call(seat, "on_order", order)
            if fill is not None:
                self._seats.call(seat, "on_fill", fill)
        elif fill is not None:
            self._seats.tell("on_fill", fill, market=fill.market)

    def gaps(self, gaps: tuple[Gap, ...]) -> None:
        """Numbers tell of missing books alone; every other gap may have swallowed what concerns the account."""
        for gap in gaps:
            if gap.reason != SEQUENCE:
                self._trading.lost(gap.at_ns)
                if gap.until_ns is not None and gap.reason in _HEARD_ON:
                    self._trading.found()
        self.look(_TEXT)
        for gap in gaps:
            self._seats.tell("on_gap", gap)

    def look(self, kind: int) -> None:
        """See whether connection, exchange or limits are other than before; costly, so not at every frame."""
        before = self._lookout.health
        self._lookout.look(kind, self._ahead.now_ns)
        if self._lookout.health != before:
            if self._lookout.health.halted and not before.halted:
                self._trading.pull()
            self._seats.tell("on_health", self._lookout.health)
