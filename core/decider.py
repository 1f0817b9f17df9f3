"""From what a strategy asks for to a decision: numbered, checked, noted where it has effects at once.

Knows who may ask for what, and which decisions wait for an answer. Must not know records.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from core.actions import Action, Amend, Cancel, Decision, Fetch, Place, Select
from core.inquiry import News
from core.lookout import Lookout
from core.money import DOLLAR
from core.records import Fault
from core.seats import Seat, Seats
from core.trading import Trading, client_order_id


@dataclass(slots=True)
class Reaction:
    """What a record led to: decisions in order, and strategies that failed."""

    decisions: list[Decision] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class Decider:
    """Takes the decisions of one session. decisions: how many so far. selected: markets that a strategy has chosen.

    reaction: what the present record has led to; whoever begins a record puts a new one here.
    """

    __slots__ = (
        "_cause", "_lookout", "_nonce", "_now_ns", "_seats", "_tell", "_trading", "_unanswered", "decisions",
        "reaction", "selected",
    )  # fmt: skip

    def __init__(
        self, nonce: str, seats: Seats, trading: Trading, lookout: Lookout, tell: Callable[[News], None]
    ) -> None:
        """tell: is told of orders that a decision has changed."""
        self.decisions = 0
        self.selected: tuple[str, ...] = ()
        self.reaction = Reaction()
        self._nonce = nonce
        self._seats = seats
        self._trading = trading
        self._lookout = lookout
        self._tell = tell
        self._unanswered: dict[str, tuple[Seat, str]] = {}  # fetches, by the why of their RestCall
        self._cause = -1
        self._now_ns = 0

    def begin(self, cause: int, now_ns: int) -> Reaction:
        """A record begins; what is decided from now on is because of it."""
        self._cause, self._now_ns = cause, now_ns
        self.reaction = Reaction()
        return self.reaction

    def next_id(self) -> str:
        """The client_order_id of the next decision."""
        return client_order_id(self._nonce, self.decisions + 1)

    def ask(self, seat: int, action: Action) -> str:
        """A strategy asks for something; why it is refused, "" = it is not."""
        if isinstance(action, Cancel):  # asked for as part of the upkeep at the end of this record
            self._trading.ledger.want_cancel(action.client_order_id)
            return ""
        return self.decide(self._seats.seats[seat], action)

    def decide(self, seat: Seat | None, action: Action) -> str:
        """A decision is taken, by a strategy or (None) by the host; why it is refused, "" = it is not."""
        name = "" if seat is None else seat.name
        refused = self._refuse(seat, action) if isinstance(action, Place | Amend) else ""
        number = self.decisions = self.decisions + 1
        decisions = self.reaction.decisions
        decisions.append(Decision(number, self._cause, len(decisions), name, action, refused))
        if refused:
            return refused
        if isinstance(action, Place | Amend | Cancel):
            order = self._trading.ledger.asked(number, action, name, self._now_ns)
            if isinstance(action, Cancel):
                self._tell(News(order=order))
        elif isinstance(action, Fetch) and seat is not None:
            self._unanswered[f"decision {number}"] = seat, action.path
        elif isinstance(action, Select):
            self.selected = action.markets
            self._seats.tell("on_selected", action.markets, but=seat)
        return ""

    def answered(self, why: str) -> None:
        """REST has answered what was asked for this."""
        self._unanswered.pop(why, None)

    def concluded(self, number: int) -> None:
        """There is an outcome: a fetch that has no answer by now was refused, failed, or cannot be read."""
        seat, path = self._unanswered.pop(f"decision {number}", (None, ""))
        if seat is not None:
            self._seats.call(seat, "on_failed", path)

    def _refuse(self, seat: Seat | None, action: Place | Amend) -> str:
        trading = self._trading
        if not trading.is_started:
            return "not started"
        if seat is None or seat.failed:
            return "the strategy has failed"
        if action.count <= 0 or not 0 < action.price < DOLLAR:
            return f"no order: {action.count} at {action.price}"
        if isinstance(action, Amend):
            order = trading.ledger.get(action.client_order_id)
            if order is None or not order.is_live or order.asked or order.wants_cancel:
                return "nothing to amend, or something else is under way"
        return self._lookout.health.halted or trading.risk.refuse(action)
