"""Tells what happened at the venue: at once to whoever listens, and, when it has come there, to the run as records.

Knows what happened and how long news take. Must not know why. Frames of private channels come in their order, as on
one connection, whatever each was drawn to take; answers to requests each by its own way.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from core.actions import BookSide
from core.messages.types import Side
from replay.exchange.happenings import Filled, Happening, Life, LifecycleChanged, OrderChanged, Settled
from replay.exchange.orders import OrderStatus, Reason
from replay.venue import told
from replay.venue.agenda import Agenda
from replay.venue.exchange import ACCOUNT, Exchange
from replay.venue.words import AccountDesk, Made, frames

TOOK: Final = "took"
"""Why a taker's fill came about."""

_ENDS: Final = {Reason.EXPIRY_CANCEL: "expired"}


class Teller:
    """seq: of the tape's last record, because of which all that happens now does. due: what the run is told now."""

    def __init__(self, exchange: Exchange, agenda: Agenda, listener: told.Listener) -> None:
        self.seq = -1
        self.due: list[Made] = []
        self.desk = AccountDesk(exchange.engine, ACCOUNT)
        self._exchange = exchange
        self._agenda = agenda
        self._listener = listener
        self._frames_ns = 0

    def take(self) -> list[Made]:
        """What the run is told now, once."""
        due, self.due = self.due, []
        return due

    def answer(self, at_ns: int, answer: Sequence[Made], then: told.Answered | None = None) -> None:
        """Have the run told of an answer then."""
        self._agenda.plan(at_ns, partial(self._tell, answer, then))

    def news(self, now_ns: int, why: str, back_ns: Callable[[str], int], *, is_mute: bool = False) -> None:
        """Tell of all that has happened since the last call. why: what led to fills. back_ns: how long news of that
        name take. is_mute: the run is over and is told nothing."""
        happenings = self._exchange.engine.drain()
        if not happenings:
            return
        for happening in happenings:
            self.desk.observe(happening)
        sent = frames(happenings)
        told_ns = now_ns
        if sent:
            told_ns = self._frames_ns = max(self._frames_ns, now_ns + back_ns(_name(happenings)))
        for happening in happenings:
            self._listen(happening, why, told_ns)
        if sent and not is_mute:
            self.answer(told_ns, sent)

    def forget(self) -> None:
        """A new run hears of nothing that was on its way to the one before."""
        self.due.clear()
        self._agenda.clear()

    def _tell(self, answer: Sequence[Made], then: told.Answered | None, _now_ns: int) -> None:
        self.due += answer
        if then is not None:
            self._listener(then)

    def _listen(self, happening: Happening, why: str, told_ns: int) -> None:
        match happening:
            case Filled():
                self._listener(self._filled(happening, why, told_ns))
            case OrderChanged(order=order) if order.status is not OrderStatus.RESTING:
                own = self._exchange.orders.get(order.client_order_id)
                if own is not None:
                    self._exchange.forget(own)
                end = "executed" if order.status is OrderStatus.EXECUTED else _ENDS.get(order.reason, "canceled")
                self._listener(told.Ended(happening.at_ns, order.client_order_id, end))
            case LifecycleChanged(event=Life.DETERMINED, outcome=outcome) if outcome is not None:
                market = happening.spec.ticker
                self._listener(told.Determined(happening.at_ns, market, outcome.settlement_value))
            case Settled():
                position = happening.yes_count - happening.no_count
                price = happening.outcome.settlement_value
                paid = told.Settled(happening.at_ns, happening.market, price, position, happening.revenue)
                self._listener(paid)
            case _:
                pass

    def _filled(self, fill: Filled, why: str, told_ns: int) -> told.Filled:
        own = self._exchange.orders[fill.client_order_id]
        is_lost = self._exchange.book(own.market).is_lost
        return told.Filled(
            at_ns=fill.at_ns, told_ns=told_ns, seq=self.seq, trade_id=fill.trade_id, client_order_id=own.key,
            market=own.market, side=BookSide.BID if fill.side is Side.YES else BookSide.ASK, price=fill.price,
            count=fill.count, fee=fill.fee, is_taker=fill.is_taker, why=TOOK if fill.is_taker else why,
            rested_ns=-1 if fill.is_taker else fill.at_ns - own.rested_ns,
            trusted=not (is_lost or own.is_doubtful),
        )  # fmt: skip


def _name(happenings: Sequence[Happening]) -> str:
    """A name for these news that no others have: of an order and how much of it has happened."""
    for happening in happenings:
        if isinstance(happening, OrderChanged):
            order = happening.order
            return f"{order.client_order_id}/{order.fill_count}/{order.status}"
    return "news"
