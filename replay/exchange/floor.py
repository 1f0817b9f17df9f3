"""The exchange's floor: all state there is, shared by those who act on it.

Units as in orders.py. Knows where things are kept. Must not know rules: who may do what is decided elsewhere.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from core.fees import FeeOverride
from replay.exchange.accounts import Account
from replay.exchange.groups import Group
from replay.exchange.happenings import Happening
from replay.exchange.market import Market
from replay.exchange.orders import Order, OrderStatus
from replay.exchange.schedule import Due, Schedule, Task
from replay.exchange.settings import EngineOptions
from replay.exchange.specs import EventSpec
from replay.exchange.views import Pause

EVERYWHERE: Final = -1
"""The shard that means all shards."""

CROWDED: Final = 1_024
"""Plans from which on it pays to look for those that hold no more."""


class Floor:
    """State by name. clock: of the newest change of any book; house: money the exchange kept.

    finished: the orders that are over and still kept, oldest first, as account and id. pauses: by shard, EVERYWHERE
    for all of them.
    """

    __slots__ = (
        "_crowded", "accounts", "clock", "events", "finished", "groups", "happenings", "house", "ids", "markets",
        "now_ns", "options", "overrides", "pauses", "schedule",
    )  # fmt: skip

    def __init__(self, ids: Callable[[], str], options: EngineOptions) -> None:
        self.ids = ids
        self.options = options
        self.now_ns = 0
        self.clock = 0
        self.house = 0
        self.markets: dict[str, Market] = {}
        self.events: dict[str, EventSpec] = {}
        self.overrides: dict[str, FeeOverride] = {}
        self.accounts: dict[str, Account] = {}
        self.groups: dict[str, dict[str, Group]] = {}
        self.pauses: dict[int, Pause] = {}
        self.schedule = Schedule()
        self._crowded = CROWDED
        self.finished: deque[tuple[str, str]] = deque()
        self.happenings: list[Happening] = []

    def pause_of(self, exchange_index: int) -> Pause:
        """How much is stopped on a shard."""
        pauses = self.pauses
        if not pauses:
            return Pause.NONE
        return max(pauses.get(EVERYWHERE, Pause.NONE), pauses.get(exchange_index, Pause.NONE))

    def expire_later(self, order: Order) -> None:
        """Plan the end of an order that rests; plans that hold no more are cleared away now and then."""
        if order.status is OrderStatus.RESTING and order.expiration_ns:
            self.schedule.plan(order.expiration_ns, Task.EXPIRE, account=order.account, order_id=order.order_id)
            if len(self.schedule) > self._crowded:
                self.schedule.prune(self._holds)
                self._crowded = CROWDED + 2 * len(self.schedule)

    def expiring(self, due: Due) -> Order | None:
        """The order that is to end by this plan; None = it is over, or its expiry was changed."""
        account = self.accounts[due.account]
        order = account.orders.get(due.order_id)
        if order is None or due.order_id not in account.resting or order.expiration_ns != due.at_ns:
            return None
        return order

    def _holds(self, due: Due) -> bool:
        return due.task is not Task.EXPIRE or self.expiring(due) is not None

    def keep(self, order: Order) -> None:
        """Remember how an order stands."""
        self.accounts[order.account].orders[order.order_id] = order

    def finish(self, order: Order) -> None:
        """Remember an order that is over, and forget the oldest such one beyond the limit."""
        account = self.accounts[order.account]
        account.orders[order.order_id] = order
        account.resting.pop(order.order_id, None)
        if order.group_id:
            group = self.groups[order.account].get(order.group_id)
            if group is not None:
                group.orders.pop(order.order_id, None)
        self.finished.append((order.account, order.order_id))
        if len(self.finished) > self.options.finished_kept:
            name, order_id = self.finished.popleft()
            del self.accounts[name].orders[order_id]
