"""The matching engine: the door to a whole exchange that is pure, told the time and told its ids.

The same calls give the same happenings. Must not know clocks, dice, threads, files, sockets or how frames are worded.
Units: prices 1/10,000 dollar, sizes 1/100 contract, money 1/1,000,000 dollar, times Unix ns.

Every command is told the time and first does what fell due by then (openings, expiries, closings, payouts), in the
order of their instants; a time before the last one counts as the last one. Answers are values: a Refusal is the
exchange's own word. What clients are to be told is appended to the happenings, which the caller drains.
"""

from collections.abc import Callable, Sequence

from replay.exchange.accounts import Account
from replay.exchange.floor import Floor
from replay.exchange.grouping import Groups
from replay.exchange.happenings import Happening
from replay.exchange.life import Life
from replay.exchange.orders import Amendment, NewOrder, Order, PlaceAnswer, ReduceAnswer, Refusal
from replay.exchange.reads import Reads
from replay.exchange.settings import DIRECT, RETAIL, EngineOptions
from replay.exchange.trading import Trading

__all__ = ["DIRECT", "RETAIL", "EngineOptions", "MatchingEngine"]


class MatchingEngine:
    """A whole exchange: `place` and its like for clients, `life` for the exchange's own doings, `reads` to look.

    KeyError for accounts that were never funded.
    """

    __slots__ = ("_floor", "_trading", "groups", "life", "reads")

    def __init__(self, ids: Callable[[], str], options: EngineOptions | None = None) -> None:
        self._floor = Floor(ids, EngineOptions() if options is None else options)
        self._trading = Trading(self._floor)
        self.life = Life(self._floor, self.advance)
        self.groups = Groups(self._floor, self.advance)
        self.reads = Reads(self._floor)

    @property
    def now_ns(self) -> int:
        """The latest time it was told."""
        return self._floor.now_ns

    @property
    def next_due_ns(self) -> int | None:
        """When `advance` has something to do next; None = nothing is planned. It may turn out to be nothing."""
        return self._floor.schedule.next_ns

    def advance(self, now_ns: int) -> None:
        """Do all that is due by now, in the order of its instants: expire, open, close, pay out."""
        floor = self._floor
        now_ns = max(now_ns, floor.now_ns)
        while (due := floor.schedule.due(now_ns)) is not None:
            floor.now_ns = max(floor.now_ns, due.at_ns)
            self.life.do(due)
        floor.now_ns = now_ns

    def drain(self) -> list[Happening]:
        """All that happened since the last call, in order."""
        happenings = self._floor.happenings
        self._floor.happenings = []
        return happenings

    def fund(self, account: str, money: int, *, precision: int = DIRECT) -> None:
        """Pay into an account, which is made by its first payment; precision: of its balance, money units."""
        accounts = self._floor.accounts
        if account not in accounts:
            accounts[account] = Account(account, precision)
        accounts[account].balance += money

    def place(self, account: str, new: NewOrder, now_ns: int) -> PlaceAnswer:
        """Match an order and let the rest of it rest, as its terms say."""
        self.advance(now_ns)
        return self._trading.place(account, new)

    def place_batch(self, account: str, orders: Sequence[NewOrder], now_ns: int) -> tuple[PlaceAnswer, ...]:
        """Place one after the other; each has its own answer."""
        self.advance(now_ns)
        return tuple(self._trading.place(account, new) for new in orders)

    def cancel(self, account: str, order_id: str, now_ns: int) -> ReduceAnswer:
        """Cancel a resting order. Cancelled, executed and unknown orders get the same 404."""
        self.advance(now_ns)
        return self._trading.cancel(account, order_id)

    def cancel_batch(self, account: str, order_ids: Sequence[str], now_ns: int) -> tuple[ReduceAnswer, ...]:
        """Cancel one after the other; each has its own answer."""
        self.advance(now_ns)
        return tuple(self._trading.cancel(account, order_id) for order_id in order_ids)

    def cancel_all(self, account: str, now_ns: int) -> tuple[Order, ...] | Refusal:
        """Cancel all that rests and may be cancelled; gives these orders."""
        self.advance(now_ns)
        return self._trading.cancel_all(account)

    def amend(self, account: str, amendment: Amendment, now_ns: int) -> PlaceAnswer:
        """Change price, count or expiry. A new price or a greater count loses the place in the queue."""
        self.advance(now_ns)
        return self._trading.amend(account, amendment)

    def meet(self, account: str, order_id: str, count: int, now_ns: int) -> Order:
        """Somebody outside of the floor (see `replay.exchange.market.Outside`) trades with a resting order, at its
        price; gives the order as it stands then. KeyError for one that does not rest."""
        self.advance(now_ns)
        return self._trading.meet(account, order_id, count)

    def decrease(
        self, account: str, order_id: str, now_ns: int, *, by: int | None = None, to: int | None = None
    ) -> ReduceAnswer:
        """Make an order smaller by or to a size (exactly one of them); it keeps its place, and at 0 is cancelled."""
        self.advance(now_ns)
        return self._trading.decrease(account, order_id, by, to)
