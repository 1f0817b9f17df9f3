"""The run's own orders: what was asked for, what the exchange said of it by either way, and what may still happen.

Knows that acks, order frames and fills come in any order, twice, late or never; that a cancel's 404 does not tell
filled from cancelled; and that a read may lag behind a write (protocol 13.5, 13.6). So an order only counts as gone
when something says so that cannot be stale, and until then as alive: what an order that is over has filled is final,
what one that rests has filled is the least. Must not know limits, prices to quote, or money.
"""

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
"""So long after its expiration an order of which nothing was heard is over: clocks differ by seconds (protocol 2.4)."""

LAG_NS: Final = 2 * SECOND_NS
"""Reads lag behind writes by less (protocol 13.6: 0.36 s)."""

_EXISTS: Final = "order_already_exists"
"""Why a place is refused whose id is taken: ids are never used twice, so it is this very order that is there."""

_ENDED: Final = ("canceled", "executed")


class OrderState(StrEnum):
    """What is known of an order."""

    PENDING = "pending"  # asked for, not confirmed
    RESTING = "resting"
    UNKNOWN = "unknown"  # whether it rests cannot be told: no answer, a cancel that found nothing, an expiry unheard of
    GONE = "gone"


class OwnOrder(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One order at one instant. Prices and counts as in core.actions.

    filled: the most that anything has said; seen: the sum of the fills that came. expires_ns: 0 = never.
    asked: what is under way ("place", "amend", "cancel", "" = nothing); asked_ns: since when, or when the last of it
    was answered. new_price, new_count, new_expires_ns: what an amendment asks for that is under way, or was not
    answered, so that either form may stand. wants_cancel: a cancel is due as soon as nothing else is under way. why: of
    its end.
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
    ioc: bool = False

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

    __slots__ = ("_by_decision", "_by_order_id", "_gone", "_live", "_strays", "_unsettled", "_unwanted")

    def __init__(self) -> None:
        self._live: dict[str, OwnOrder] = {}
        self._gone: dict[str, OwnOrder] = {}
        self._unsettled: dict[str, None] = {}
        self._unwanted: dict[str, None] = {}
        self._by_decision: dict[int, tuple[str, str]] = {}
        self._by_order_id: dict[str, str] = {}
        self._strays: dict[str, int] = {}

    def get(self, client_order_id: str) -> OwnOrder | None:
        """The order, gone or not; None = none of ours, or long gone."""
        return self._live.get(client_order_id) or self._gone.get(client_order_id)

    def of_decision(self, number: int) -> OwnOrder | None:
        """The order that a decision is about, while it is not answered."""
        return self.get(self._by_decision.get(number, ("", ""))[0])

    def live(self, market: str = "", strategy: str | None = None) -> tuple[OwnOrder, ...]:
        """Orders that may rest, oldest first; of one market and strategy where given."""
        return tuple(
            order
            for order in self._live.values()
            if (not market or order.market == market) and (strategy is None or order.strategy == strategy)
        )

    def unsettled(self) -> tuple[OwnOrder, ...]:
        """Gone orders whose fills have not all come."""
        return tuple(self._gone[key] for key in self._unsettled)

    @property
    def has_unwanted(self) -> bool:
        """Whether a cancel is due of any."""
        return bool(self._unwanted)

    def unwanted(self) -> tuple[OwnOrder, ...]:
        """Live orders of which a cancel is due."""
        return tuple(self._live[key] for key in self._unwanted)

    def asked(self, number: int, action: Place | Amend | Cancel, strategy: str, now_ns: int) -> OwnOrder:
        """A decision about an order was taken. An Amend or Cancel must be of a live order with nothing under way."""
        key, expires = action.client_order_id, 0
        if not isinstance(action, Cancel):
            expires = action.expires_s * SECOND_NS
        if isinstance(action, Place):
            order = OwnOrder(
                client_order_id=key, strategy=strategy, market=action.market, side=action.side, price=action.price,
                count=action.count, placed_ns=now_ns, expires_ns=expires, asked="place", asked_ns=now_ns,
                ioc=action.ioc,
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
            self._keep(msgspec.structs.replace(order, wants_cancel=True))

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

    def outcome(self, outcome: Outcome, now_ns: int) -> OwnOrder | None:
        """What became of a decision about an order."""
        key, asked = self._by_decision.pop(outcome.decision, ("", ""))
        order = self.get(key)
        if order is None or asked != order.asked:
            return None
        order = msgspec.structs.replace(order, asked="", asked_ns=now_ns)
        if asked == "place":
            return self._keep(_placed(order, outcome))
        if asked == "amend":
            return self._keep(_amended(order, outcome))
        return self._keep(_cancelled(order, outcome))

    def stuck(self, now_ns: int, after_ns: int) -> tuple[OwnOrder, ...]:
        """What was asked for so long ago (ns) gets no answer any more: as if it had failed. The orders concerned."""
        over = []
        for number, (key, asked) in self._by_decision.items():
            order = self.get(key)
            if order is None or asked != order.asked or now_ns - order.asked_ns > after_ns:
                over.append(number)
        found = [self.outcome(Outcome(number, Done.FAILED), now_ns) for number in over]
        return tuple(order for order in found if order is not None)

    def told(self, message: UserOrder) -> OwnOrder | None:
        """An order frame: cumulative counts, perhaps before the ack, perhaps long after it."""
        order = self._of(message.client_order_id, message.order_id)
        if order is None:
            return None
        if message.status in _ENDED:
            why = message.update_reason or message.status
            return self._news(order, _over(order, message.order_id, message.fill_count, why))
        if not order.is_live:
            return None  # an order that is over does not come back
        after = _counted(order, message.order_id, message.fill_count)
        is_new = order.state is OrderState.PENDING or not order.order_id
        if message.status == "resting" and is_new:  # else it may be older than what made us doubt
            after = msgspec.structs.replace(after, state=OrderState.RESTING)
        return self._news(order, after)

    def listed(self, answer: OrderAnswer, asked_ns: int) -> OwnOrder | None:
        """An order by REST, asked for at that time, which may be stale: its end is believed, for nothing comes back;
        that it rests only if nothing was known of it, or if what made us doubt is older than reads lag."""
        order = self._of(answer.client_order_id, answer.order_id)
        if order is None:
            return None
        if answer.status in _ENDED:
            return self._news(order, _over(order, answer.order_id, answer.fill_count, answer.status))
        if not order.is_live:
            return None
        after = _counted(order, answer.order_id, answer.fill_count)
        if not order.order_id:
            after = msgspec.structs.replace(after, state=OrderState.RESTING)
        elif order.state is OrderState.UNKNOWN and asked_ns - order.asked_ns >= LAG_NS:
            after = msgspec.structs.replace(after, state=OrderState.RESTING, wants_cancel=True)
        return self._news(order, after)

    def filled(self, fill: Fill) -> OwnOrder | None:
        """A fill that was not met before; one by REST names no client_order_id (protocol 13.1)."""
        order = self._of(fill.client_order_id, fill.order_id)
        if order is None:
            if len(self._strays) >= MAX_GONE:
                del self._strays[next(iter(self._strays))]
            self._strays[fill.order_id] = self._strays.get(fill.order_id, 0) + fill.count
            return None
        return self._keep(_seen(_counted(order, fill.order_id, 0), fill.count))

    def end(self, client_order_id: str, why: str) -> OwnOrder | None:
        """It is over, by what cannot be doubted."""
        order = self._live.get(client_order_id)
        return None if order is None else self._keep(_end(order, why))

    def expire(self, now_ns: int, *, for_certain: bool) -> tuple[OwnOrder, ...]:
        """Orders of which nothing was heard until well after their expiration: no more than their fills is unknown.

        for_certain: nothing can have been missed, so they are over.
        """
        due = [order for order in self._live.values() if is_past(order, now_ns)]
        if for_certain:
            return tuple(self._keep(_end(order, "expired")) for order in due)
        return tuple(
            self._keep(msgspec.structs.replace(order, state=OrderState.UNKNOWN))
            for order in due
            if order.state is not OrderState.UNKNOWN
        )

    def _of(self, client_order_id: str, order_id: str) -> OwnOrder | None:
        order = self.get(client_order_id) if client_order_id else None
        if order is None and order_id:
            order = self.get(self._by_order_id.get(order_id, ""))
        return order

    def _news(self, before: OwnOrder, after: OwnOrder) -> OwnOrder | None:
        return None if after == before else self._keep(after)

    def _keep(self, order: OwnOrder) -> OwnOrder:
        key = order.client_order_id
        if order.order_id:
            self._by_order_id[order.order_id] = key
            if order.order_id in self._strays:
                order = _seen(order, self._strays.pop(order.order_id))
        if order.wants_cancel:
            self._unwanted[key] = None
        else:
            self._unwanted.pop(key, None)
        if order.is_live:
            self._live[key] = order
            return order
        self._live.pop(key, None)
        self._gone[key] = order
        if order.unseen:
            self._unsettled[key] = None
        else:
            self._unsettled.pop(key, None)
        while len(self._gone) > MAX_GONE:
            forgotten = self._gone.pop(next(iter(self._gone)))
            self._by_order_id.pop(forgotten.order_id, None)
            self._unsettled.pop(forgotten.client_order_id, None)
        return order


def is_past(order: OwnOrder, now_ns: int) -> bool:
    """Whether it has expired for so long that it cannot rest any more, whichever of its forms stands."""
    return bool(order.expires_ns) and now_ns > max(order.expires_ns, order.new_expires_ns) + EXPIRY_GRACE_NS


def _counted(order: OwnOrder, order_id: str, filled: int) -> OwnOrder:
    return msgspec.structs.replace(order, order_id=order_id or order.order_id, filled=max(order.filled, filled))


def _seen(order: OwnOrder, count: int) -> OwnOrder:
    seen = order.seen + count
    order = msgspec.structs.replace(order, seen=seen, filled=max(order.filled, seen))
    return _end(order, "executed") if order.filled >= max(order.count, order.new_count) else order


def _over(order: OwnOrder, order_id: str, filled: int, why: str) -> OwnOrder:
    """It has ended, with so much filled: that number is final."""
    order = msgspec.structs.replace(
        order, order_id=order_id or order.order_id, filled=max(order.seen, filled), new_price=0, new_count=0,
        new_expires_ns=0,
    )  # fmt: skip
    return _end(order, why)


def _placed(order: OwnOrder, outcome: Outcome) -> OwnOrder:
    if outcome.done is Done.DONE:
        order = _counted(order, outcome.order_id, outcome.filled)
        if not order.is_live:
            return order
        if outcome.remaining == 0 or (order.ioc and outcome.filled >= 0):
            return _end(order, "executed" if order.filled >= order.count else "canceled")
        return msgspec.structs.replace(order, state=OrderState.UNKNOWN if order.ioc else OrderState.RESTING)
    if order.state is not OrderState.PENDING:
        return order  # a frame has told more than this answer
    if outcome.done is Done.REFUSED and outcome.code != _EXISTS:
        return _end(order, outcome.code or outcome.reason or "refused")
    return msgspec.structs.replace(order, state=OrderState.UNKNOWN, wants_cancel=True)


def _amended(order: OwnOrder, outcome: Outcome) -> OwnOrder:
    if not order.is_live:
        return order
    if outcome.done is Done.FAILED:  # either form may stand, so neither is to be relied on
        return msgspec.structs.replace(order, wants_cancel=True)
    wanted = order.new_price, order.new_count, order.new_expires_ns
    order = msgspec.structs.replace(order, new_price=0, new_count=0, new_expires_ns=0)
    if outcome.done is Done.DONE:
        order = msgspec.structs.replace(order, price=wanted[0], count=wanted[1], expires_ns=wanted[2])
        order = _counted(order, outcome.order_id, outcome.filled)
        return _end(order, "executed") if outcome.remaining == 0 or order.filled >= order.count else order
    if outcome.status == 404:
        return msgspec.structs.replace(order, state=OrderState.UNKNOWN)
    return _end(order, "executed") if order.filled >= order.count else order


def _cancelled(order: OwnOrder, outcome: Outcome) -> OwnOrder:
    if not order.is_live:
        return order
    if outcome.done is Done.DONE:
        if outcome.remaining < 0 or order.new_count:  # over, but with how much filled?
            return msgspec.structs.replace(order, state=OrderState.UNKNOWN, wants_cancel=False)
        return _end(_counted(order, "", order.count - outcome.remaining), "canceled")
    if outcome.done is Done.REFUSED and outcome.status == 404:
        return msgspec.structs.replace(order, state=OrderState.UNKNOWN, wants_cancel=False)
    return msgspec.structs.replace(order, wants_cancel=True)


def _end(order: OwnOrder, why: str) -> OwnOrder:
    if not order.is_live:
        return order
    return msgspec.structs.replace(order, state=OrderState.GONE, wants_cancel=False, why=why)
