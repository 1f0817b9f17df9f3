"""The run's own orders: what was asked for, what the exchange said of it by either way, and what may still happen.

Knows that acks, order frames and fills come in any order, twice, late or never; that a cancel's 404 does not tell
filled from cancelled; and that a read may lag behind a write (protocol 13.5, 13.6). So an order only counts as gone
when something says so that cannot be stale, and until then as alive. Must not know limits, prices to quote, or money.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec

from core.actions import Amend, BookSide, Cancel, Done, Outcome, Place
from core.answers.types import OrderAnswer
from core.messages.types import Fill, UserOrder
from core.times import SECOND_NS

MAX_GONE: Final = 4_096
"""Orders remembered after their end, so that late words about them are known for what they are."""

EXPIRY_GRACE_NS: Final = 5 * SECOND_NS
"""After its expiration an order that nothing was heard of counts as gone: clocks differ by seconds (protocol 2.4)."""

_ENDED: Final = ("canceled", "executed")


class OrderState(StrEnum):
    """What is known of an order."""

    PENDING = "pending"  # asked for, not confirmed
    RESTING = "resting"
    UNKNOWN = "unknown"  # whether it rests cannot be told: no answer, or a cancel that found nothing
    GONE = "gone"


class OwnOrder(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One order at one instant. Prices and counts as in core.actions.

    filled: the most that anything has said; seen: the sum of the fills that came. expires_ns: 0 = never.
    asked: what is under way ("place", "amend", "cancel", "" = nothing) since asked_ns; new_price, new_count,
    new_expires_ns: what an amendment under way asks for. wants_cancel: a cancel is due as soon as nothing else is under
    way. why: of its end.
    """

    client_order_id: str
    strategy: str
    market: str
    side: BookSide
    price: int
    count: int
    order_id: str = ""
    state: OrderState = OrderState.PENDING
    filled: int = 0
    seen: int = 0
    placed_ns: int = 0
    expires_ns: int = 0
    asked: str = ""
    asked_ns: int = 0
    new_price: int = 0
    new_count: int = 0
    new_expires_ns: int = 0
    wants_cancel: bool = False
    why: str = ""

    @property
    def is_live(self) -> bool:
        """Whether it may rest or come to rest."""
        return self.state is not OrderState.GONE

    @property
    def remaining(self) -> int:
        """What may still fill of it, an amendment under way included."""
        return max(max(self.count, self.new_count) - self.filled, 0) if self.is_live else 0

    @property
    def unseen(self) -> int:
        """Filled by what was said, but the fills themselves have not come."""
        return max(self.filled - self.seen, 0)


class Ledger:
    """All of a run's orders by client_order_id. Methods that take news give the order as it is now, None = no news."""

    __slots__ = ("_by_decision", "_by_order_id", "_gone", "_live")

    def __init__(self) -> None:
        self._live: dict[str, OwnOrder] = {}
        self._gone: dict[str, OwnOrder] = {}
        self._by_decision: dict[int, tuple[str, str]] = {}
        self._by_order_id: dict[str, str] = {}

    def get(self, client_order_id: str) -> OwnOrder | None:
        """The order, gone or not; None = none of ours, or long gone."""
        return self._live.get(client_order_id) or self._gone.get(client_order_id)

    def live(self, market: str = "", strategy: str | None = None) -> tuple[OwnOrder, ...]:
        """Orders that may rest, oldest first; of one market and strategy where given."""
        return tuple(
            order
            for order in self._live.values()
            if (not market or order.market == market) and (strategy is None or order.strategy == strategy)
        )

    def unsettled(self) -> Iterator[OwnOrder]:
        """Gone orders whose fills have not all come."""
        return (order for order in self._gone.values() if order.unseen)

    def asked(self, number: int, action: Place | Amend | Cancel, strategy: str, now_ns: int) -> OwnOrder:
        """A decision about an order was taken. An Amend or Cancel must be of a live order with nothing under way."""
        key, expires = action.client_order_id, 0
        if not isinstance(action, Cancel):
            expires = action.expires_s * SECOND_NS
        if isinstance(action, Place):
            order = OwnOrder(
                client_order_id=key, strategy=strategy, market=action.market, side=action.side, price=action.price,
                count=action.count, placed_ns=now_ns, expires_ns=expires, asked="place", asked_ns=now_ns,
            )  # fmt: skip
        else:
            order = self._live[key]
            assert not order.asked, f"{key}: {order.asked} is under way"
            order = msgspec.structs.replace(order, asked="cancel", asked_ns=now_ns)
            if isinstance(action, Amend):
                order = msgspec.structs.replace(
                    order, asked="amend", new_price=action.price, new_count=action.count, new_expires_ns=expires
                )
        self._by_decision[number] = key, order.asked
        self._live[key] = order
        return order

    def want_cancel(self, client_order_id: str) -> None:
        """Have it cancelled as soon as that can be asked."""
        order = self._live.get(client_order_id)
        if order is not None and not order.wants_cancel:
            self._live[client_order_id] = msgspec.structs.replace(order, wants_cancel=True)

    def adopt(self, answer: OrderAnswer, strategy: str, now_ns: int) -> OwnOrder:
        """Take over a resting order of an earlier session."""
        order = OwnOrder(
            client_order_id=answer.client_order_id, strategy=strategy, market=answer.market,
            side=BookSide.BID if answer.side == "yes" else BookSide.ASK, price=answer.price,
            count=answer.fill_count + answer.remaining_count, order_id=answer.order_id, state=OrderState.RESTING,
            filled=answer.fill_count, seen=answer.fill_count, placed_ns=now_ns, expires_ns=answer.expiration_ns,
        )  # fmt: skip
        self._live[order.client_order_id] = order
        self._by_order_id[order.order_id] = order.client_order_id
        return order

    def outcome(self, outcome: Outcome) -> OwnOrder | None:
        """What became of a decision about an order."""
        key, asked = self._by_decision.pop(outcome.decision, ("", ""))
        order = self.get(key)
        if order is None or asked != order.asked:
            return None
        order = msgspec.structs.replace(order, asked="")
        if asked == "place":
            return self._keep(_placed(order, outcome))
        if asked == "amend":
            return self._keep(_amended(order, outcome))
        return self._keep(_cancelled(order, outcome))

    def told(self, message: UserOrder) -> OwnOrder | None:
        """An order frame: cumulative counts, in the order in which they happened, perhaps before the ack."""
        order = self._of(message.client_order_id, message.order_id)
        if order is None:
            return None
        if message.status not in _ENDED and not order.is_live:
            return None  # an order that is over does not come back
        order = self._counted(order, message.order_id, message.fill_count)
        if message.status in _ENDED:
            return self._keep(_end(order, message.update_reason or message.status))
        if message.status == "resting" and order.state is not OrderState.RESTING:
            order = msgspec.structs.replace(order, state=OrderState.RESTING)
        if message.price == order.new_price and order.asked == "amend":
            order = msgspec.structs.replace(
                order, price=message.price, count=message.fill_count + message.remaining_count
            )
        return self._keep(order)

    def listed(self, answer: OrderAnswer) -> OwnOrder | None:
        """An order by REST, which may be stale: its end is believed, for nothing comes back; that it rests only if that
        is news about an order of which nothing was known."""
        order = self._of(answer.client_order_id, answer.order_id)
        if order is None:
            return None
        if answer.status in _ENDED:
            return self._keep(_end(self._counted(order, answer.order_id, answer.fill_count), answer.status))
        if order.is_live and not order.order_id and not order.asked:
            order = self._counted(order, answer.order_id, answer.fill_count)
            return self._keep(msgspec.structs.replace(order, state=OrderState.RESTING))
        return None

    def filled(self, fill: Fill, client_order_id: str = "") -> OwnOrder | None:
        """A fill that was not met before."""
        order = self._of(client_order_id or fill.client_order_id, fill.order_id)
        if order is None:
            return None
        seen = order.seen + fill.count
        order = msgspec.structs.replace(order, seen=seen, filled=max(order.filled, seen))
        if order.is_live and order.filled >= max(order.count, order.new_count):
            order = _end(order, "executed")
        return self._keep(order)

    def end(self, client_order_id: str, why: str) -> OwnOrder | None:
        """It is over, by what cannot be doubted."""
        order = self._live.get(client_order_id)
        return None if order is None else self._keep(_end(order, why))

    def expire(self, now_ns: int) -> tuple[OwnOrder, ...]:
        """Orders of which nothing was heard until well after their expiration: they are over."""
        due = [o for o in self._live.values() if o.expires_ns and now_ns > _latest_ns(o) + EXPIRY_GRACE_NS]
        return tuple(self._keep(_end(order, "expired")) for order in due)

    def _of(self, client_order_id: str, order_id: str) -> OwnOrder | None:
        order = self.get(client_order_id) if client_order_id else None
        if order is None and order_id:
            order = self.get(self._by_order_id.get(order_id, ""))
        return order

    def _counted(self, order: OwnOrder, order_id: str, filled: int) -> OwnOrder:
        return msgspec.structs.replace(order, order_id=order_id or order.order_id, filled=max(order.filled, filled))

    def _keep(self, order: OwnOrder) -> OwnOrder:
        key = order.client_order_id
        if order.order_id:
            self._by_order_id[order.order_id] = key
        if order.is_live:
            self._live[key] = order
            return order
        self._live.pop(key, None)
        self._gone[key] = order
        while len(self._gone) > MAX_GONE:
            forgotten = self._gone.pop(next(iter(self._gone)))
            self._by_order_id.pop(forgotten.order_id, None)
        return order


def _latest_ns(order: OwnOrder) -> int:
    return max(order.expires_ns, order.new_expires_ns)


def _placed(order: OwnOrder, outcome: Outcome) -> OwnOrder:
    if outcome.done is Done.DONE:
        order = msgspec.structs.replace(
            order, order_id=outcome.order_id or order.order_id, filled=max(order.filled, outcome.filled)
        )
        if not order.is_live:
            return order
        if outcome.remaining == 0:
            return _end(order, "executed" if order.filled >= order.count else "canceled")
        return msgspec.structs.replace(order, state=OrderState.RESTING)
    if order.state is not OrderState.PENDING:
        return order  # a frame has told more than this answer
    if outcome.done is Done.REFUSED:
        return _end(order, outcome.code or outcome.reason or "refused")
    return msgspec.structs.replace(order, state=OrderState.UNKNOWN, wants_cancel=True)


def _amended(order: OwnOrder, outcome: Outcome) -> OwnOrder:
    wanted = order.new_price, order.new_count, order.new_expires_ns
    order = msgspec.structs.replace(order, new_price=0, new_count=0)
    if not order.is_live:
        return order
    if outcome.done is Done.DONE:
        filled = max(order.filled, outcome.filled)
        order = msgspec.structs.replace(
            order, price=wanted[0], count=wanted[1], expires_ns=wanted[2], new_expires_ns=0, filled=filled,
            order_id=outcome.order_id or order.order_id,
        )  # fmt: skip
        return _end(order, "executed") if outcome.remaining == 0 or filled >= order.count else order
    if outcome.done is Done.REFUSED and outcome.status != 404:
        return msgspec.structs.replace(order, new_expires_ns=0)
    if outcome.done is Done.FAILED:  # either price may stand, so neither is to be relied on
        return msgspec.structs.replace(order, count=max(order.count, wanted[1]), wants_cancel=True)
    return msgspec.structs.replace(order, state=OrderState.UNKNOWN)


def _cancelled(order: OwnOrder, outcome: Outcome) -> OwnOrder:
    if not order.is_live:
        return order
    if outcome.done is Done.DONE:
        filled = order.filled if outcome.remaining < 0 else max(order.filled, order.count - outcome.remaining)
        return _end(msgspec.structs.replace(order, filled=filled), "canceled")
    if outcome.status == 404:
        return msgspec.structs.replace(order, state=OrderState.UNKNOWN, wants_cancel=False)
    return msgspec.structs.replace(order, wants_cancel=True)


def _end(order: OwnOrder, why: str) -> OwnOrder:
    if not order.is_live:
        return order
    return msgspec.structs.replace(order, state=OrderState.GONE, wants_cancel=False, why=why)
