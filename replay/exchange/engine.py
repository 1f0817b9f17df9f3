"""The matching engine: the door to a whole exchange that is pure, told the time and told its ids.

The same calls give the same happenings. Must not know clocks, dice, threads, files, sockets or how frames are worded.
Units: prices 1/10,000 dollar, sizes 1/100 contract, money 1/1,000,000 dollar, times Unix ns.

Every command is told the time and first does what fell due by then (openings, expiries, closings, payouts), in the
order of their instants; a time before the last one counts as the last one. Answers are values: a Refusal is the
exchange's own word. What clients are to be told is appended to the happenings, which the caller drains.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from replay.exchange.happenings import Happening
from replay.exchange.orders import Amendment, NewOrder, Order, PlaceAnswer, ReduceAnswer, Refusal
from replay.exchange.specs import (
    BookView,
    EventSpec,
    FeeOverride,
    MarketSpec,
    MarketTexts,
    Outcome,
)
from replay.exchange.views import BalanceView, GroupView, HoldingView, MarketView, Pause

DIRECT: Final = 100
"""Precision of a direct member's balance, in money units: $0.0001 (protocol 14)."""

RETAIL: Final = 10_000
"""Precision of everybody else's balance: $0.01."""


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the exchange is set up.

    fee_step: trade fees are rounded up to it (money units); None = as the date says. finished_kept: orders that are
    over and can still be read; older ones are forgotten. open_orders: most that an account may have resting.
    """

    fee_step: int | None = None
    finished_kept: int = 100_000
    open_orders: int = 200_000  # protocol 11


class Life:
    """What the exchange itself does with its events and markets. Times in Unix ns.

    ValueError for a market or event that is not there, or not in a state for it: these are the caller's to know.
    """

    def add_event(self, event: EventSpec, now_ns: int) -> None:
        """List an event."""
        raise NotImplementedError

    def add_market(self, spec: MarketSpec, now_ns: int) -> None:
        """List a market of a listed event; it opens and closes by itself when its time comes."""
        raise NotImplementedError

    def deactivate(self, market: str, now_ns: int) -> None:
        """Stop a market's trading; its resting orders stay, but for those with cancel_on_pause."""
        raise NotImplementedError

    def activate(self, market: str, now_ns: int) -> None:
        """Go on with a deactivated market, or with a closed one whose close was moved on: all resting orders go."""
        raise NotImplementedError

    def move_close(self, market: str, close_ns: int, now_ns: int) -> None:
        """Change a market's close; a closed market opens again by `activate` only."""
        raise NotImplementedError

    def determine(self, market: str, outcome: Outcome, now_ns: int) -> None:
        """Set a market's result; an open market closes now. It pays after its settlement timer, by `advance`."""
        raise NotImplementedError

    def change_price_levels(self, market: str, spec: MarketSpec, now_ns: int) -> None:
        """Take price_level_structure and price_ranges of `spec`; orders that rest off the new grid stay."""
        raise NotImplementedError

    def change_texts(self, market: str, texts: MarketTexts, now_ns: int) -> None:
        """Change what people read of a market, or its strike."""
        raise NotImplementedError

    def override_fees(self, event_ticker: str, override: FeeOverride, now_ns: int) -> None:
        """Let an event charge other fees than its series from now on."""
        raise NotImplementedError

    def pause(self, pause: Pause, now_ns: int, *, exchange_index: int | None = None) -> None:
        """Pause one shard, or all of them; Pause.NONE goes on. cancel_on_pause orders go. There is no frame of it."""
        raise NotImplementedError

    def pause_of(self, exchange_index: int) -> Pause:
        """How much is stopped on a shard."""
        raise NotImplementedError


class Groups:
    """Order groups: a limit on what their orders may match within 15 seconds (protocol 13.4)."""

    def create(self, account: str, contracts_limit: int | None, now_ns: int) -> GroupView | Refusal:
        """A new group; its limit in 1/100 contract, None = none."""
        raise NotImplementedError

    def trigger(self, account: str, group_id: str, now_ns: int) -> GroupView | Refusal:
        """Cancel its orders and refuse new ones until it is reset."""
        raise NotImplementedError

    def reset(self, account: str, group_id: str, now_ns: int) -> GroupView | Refusal:
        """Count from 0 again, and take orders again."""
        raise NotImplementedError

    def set_limit(self, account: str, group_id: str, contracts_limit: int, now_ns: int) -> GroupView | Refusal:
        """Change its limit; one that the counter has reached triggers it."""
        raise NotImplementedError

    def delete(self, account: str, group_id: str, now_ns: int) -> GroupView | Refusal:
        """Cancel its orders and forget it."""
        raise NotImplementedError

    def of(self, account: str) -> tuple[GroupView, ...]:
        """All groups of an account, oldest first."""
        raise NotImplementedError


class Reads:
    """What can be read, as of the last command. KeyError for markets and accounts that are not there."""

    def markets(self) -> tuple[str, ...]:
        """Every market, in the order they were listed."""
        raise NotImplementedError

    def market(self, market: str) -> MarketView:
        """A market, whatever its state."""
        raise NotImplementedError

    def event(self, event_ticker: str) -> EventSpec:
        """An event as listed."""
        raise NotImplementedError

    def override(self, event_ticker: str) -> FeeOverride:
        """An event's fee override; both parts None = none."""
        raise NotImplementedError

    def book(self, market: str) -> BookView:
        """A market's book now."""
        raise NotImplementedError

    def accounts(self) -> tuple[str, ...]:
        """Every account, in the order they were funded."""
        raise NotImplementedError

    def balance(self, account: str) -> BalanceView:
        """An account's money."""
        raise NotImplementedError

    def holdings(self, account: str) -> tuple[HoldingView, ...]:
        """All an account has, or had, in any market, in the order of its first order there."""
        raise NotImplementedError

    def orders(self, account: str) -> tuple[Order, ...]:
        """An account's orders, oldest first: all that rest, and those that are over and still kept."""
        raise NotImplementedError

    def order(self, account: str, order_id: str) -> Order | None:
        """One order of an account; None = not its, unknown or forgotten."""
        raise NotImplementedError

    def resting(self, account: str, market: str = "") -> tuple[Order, ...]:
        """An account's resting orders, oldest first; of one market if given."""
        raise NotImplementedError

    def queue_position(self, order: Order) -> int:
        """Contracts (1/100) that rest before an order at its price; 0 when it does not rest."""
        raise NotImplementedError

    def house(self) -> int:
        """Money the exchange kept: fees and what payouts were rounded down by."""
        raise NotImplementedError

    def collateral(self) -> int:
        """Money that backs open positions: a dollar for each open contract. Balances + this + house = funded."""
        raise NotImplementedError


class MatchingEngine:
    """A whole exchange: `place` and its like for clients, `life` for the exchange's own doings, `reads` to look."""

    life: Life
    groups: Groups
    reads: Reads

    def __init__(self, ids: Callable[[], str], options: EngineOptions = EngineOptions()) -> None:  # noqa: B008  # frozen
        self._ids = ids
        self._options = options

    @property
    def now_ns(self) -> int:
        """The latest time it was told."""
        raise NotImplementedError

    @property
    def next_due_ns(self) -> int | None:
        """When `advance` has something to do next; None = nothing is due. May be earlier than anything happens."""
        raise NotImplementedError

    def advance(self, now_ns: int) -> None:
        """Do all that is due by now, in the order of its instants: open, expire, close, pay out."""
        raise NotImplementedError

    def drain(self) -> list[Happening]:
        """All that happened since the last call, in order."""
        raise NotImplementedError

    def fund(self, account: str, money: int, *, precision: int = DIRECT) -> None:
        """Pay into an account, which is made by its first payment; precision: of its balance, money units."""
        raise NotImplementedError

    def place(self, account: str, new: NewOrder, now_ns: int) -> PlaceAnswer:
        """Match an order and let the rest of it rest, as its terms say."""
        raise NotImplementedError

    def place_batch(self, account: str, orders: Sequence[NewOrder], now_ns: int) -> tuple[PlaceAnswer, ...]:
        """Place one after the other; each has its own answer."""
        raise NotImplementedError

    def cancel(self, account: str, order_id: str, now_ns: int) -> ReduceAnswer:
        """Cancel a resting order. Cancelled, executed and unknown orders get the same 404."""
        raise NotImplementedError

    def cancel_batch(self, account: str, order_ids: Sequence[str], now_ns: int) -> tuple[ReduceAnswer, ...]:
        """Cancel one after the other; each has its own answer."""
        raise NotImplementedError

    def cancel_all(self, account: str, now_ns: int) -> tuple[Order, ...] | Refusal:
        """Cancel all that rests and may be cancelled; gives these orders."""
        raise NotImplementedError

    def amend(self, account: str, amendment: Amendment, now_ns: int) -> PlaceAnswer:
        """Change price, count or expiry. A new price or a greater count loses the place in the queue."""
        raise NotImplementedError

    def decrease(
        self, account: str, order_id: str, now_ns: int, *, by: int | None = None, to: int | None = None
    ) -> ReduceAnswer:
        """Make an order smaller by or to a size (exactly one of them); it keeps its place, and at 0 is cancelled."""
        raise NotImplementedError
