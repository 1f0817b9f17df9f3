"""What a strategy is given in a hook: time, dice, sight of markets, its account, and commands.

Knows how a command becomes a decision. Must not know how decisions are carried out or recorded.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from core.actions import (
    Action,
    BookSide,
    Cancel,
    Fetch,
    Place,
    RiskLimits,
    RunTerms,
    Say,
    Select,
    Subscribe,
    Unsubscribe,
)
from core.dice import Dice
from core.health import Health
from core.holdings import Holding
from core.lookout import Lookout
from core.orders import OwnOrder
from core.reference import Reference
from core.times import SECOND_NS
from core.trading import Trading, amended
from core.window import Window

Decide: TypeAlias = Callable[[int, Action], str]
"""Takes the number of a strategy and its action; why it was refused, "" = it was taken."""


class Desk(Protocol):
    """What a context needs of the host."""

    @property
    def now_ns(self) -> int:
        """The tape's time."""

    terms: RunTerms
    lookout: Lookout
    reference: Reference
    order_life_ns: int

    @property
    def health(self) -> Health:
        """What concerns all markets at once."""

    @property
    def selected(self) -> tuple[str, ...]:
        """The markets that a strategy has chosen."""

    def window(self, market: str) -> Window:
        """Sight of a market."""

    def flaw(self, market: str) -> str:
        """Why a market's book is not to be acted upon."""

    def next_id(self) -> str:
        """The client_order_id of the next decision."""

    def wake(self, seat: int, name: str, at_ns: int) -> None:
        """Set a timer."""


class Account:
    """What the run has, as its strategies see it."""

    __slots__ = ("_seat", "_trading")

    def __init__(self, trading: Trading, seat: str) -> None:
        self._trading = trading
        self._seat = seat

    @property
    def cash(self) -> int | None:
        """Money (1/1,000,000 dollar); None = not told yet."""
        return self._trading.holdings.cash

    @property
    def day_pnl(self) -> int:
        """Money won or lost today, what is held counted at what it would bring now."""
        return self._trading.risk.day_pnl

    @property
    def exposure(self) -> int:
        """Money that could be lost by what is held and what rests."""
        return self._trading.risk.exposure()

    def position(self, market: str) -> int:
        """Contracts held (1/100): positive = yes, negative = no."""
        return self._trading.holdings.of(market).position

    def holding(self, market: str) -> Holding:
        """The position with its cost."""
        return self._trading.holdings.of(market)

    def orders(self, market: str = "") -> tuple[OwnOrder, ...]:
        """This strategy's orders that are not known to be over, oldest first; of one market if given."""
        return self._trading.ledger.live(market, self._seat)

    def order(self, client_order_id: str) -> OwnOrder | None:
        """An order as it is now, gone or not."""
        return self._trading.ledger.get(client_order_id)

    def is_disputed(self, market: str) -> bool:
        """Whether the exchange told of another position than ours."""
        return market in self._trading.holdings.disputed


class Context:
    """Given to every hook; keep it or not, it always shows the present. account: see Account. dice: this strategy's."""

    __slots__ = ("_decide", "_host", "_seat", "account", "dice")

    def __init__(self, host: Desk, seat: int, decide: Decide, account: Account, dice: Dice) -> None:
        self._host = host
        self._seat = seat
        self._decide = decide
        self.account = account
        self.dice = dice

    @property
    def now_ns(self) -> int:
        """The time (Unix ns); it never goes back. There is no other clock."""
        return self._host.now_ns

    @property
    def health(self) -> Health:
        """What concerns all markets at once."""
        return self._host.health

    @property
    def limits(self) -> RiskLimits:
        """What the run may do at most; an order beyond it is refused."""
        return self._host.terms.limits

    @property
    def selected(self) -> tuple[str, ...]:
        """The markets another strategy of this run has chosen, best first."""
        return self._host.selected

    @property
    def reference(self) -> Reference:
        """Facts of markets, series and the exchange beside prices."""
        return self._host.reference

    def market(self, market: str) -> Window:
        """Sight of a market, valid until the hook returns."""
        return self._host.window(market)

    def flaw(self, market: str) -> str:
        """Why its WebSocket book is not to be acted upon now, "" = it is: no book, untrusted, silent, crossed."""
        return self._host.flaw(market)

    def heard_ns(self, market: str) -> int:
        """When the connection of a market's book last brought anything, pings included (up to a second old); 0 = it is
        silent, or nobody's."""
        return self._host.lookout.heard_ns(self._host.window(market))

    def place(
        self, market: str, side: BookSide, price: int, count: int, *, post_only: bool = True, ioc: bool = False,
        fok: bool = False, reduce_only: bool = False, cancels_own: bool = False, life_s: int = 0,
    ) -> str:  # fmt: skip
        """Place an order; its client_order_id, "" = it was refused (the decision says why).

        side: BID buys yes, ASK buys no. price: the yes price. It ends by itself after life_s (0, and at most: the run's
        order life) unless it is renewed. Nothing rests of one that is ioc (takes what is there), fok (takes all or
        nothing) or reduce_only (takes what brings the position nearer to nothing). cancels_own: where it meets an order
        of this account, that one goes; else this one ends there.
        """
        host = self._host
        key = host.next_id()
        ioc = ioc or fok or reduce_only
        post_only = post_only and not ioc
        expires_s = 0 if ioc else self._expires_s(life_s)
        order = Place(
            market=market, client_order_id=key, side=side, price=price, count=count, expires_s=expires_s,
            post_only=post_only, ioc=ioc, fok=fok, reduce_only=reduce_only, cancels_own=cancels_own,
        )  # fmt: skip
        return "" if self._do(order) else key

    def amend(self, order: OwnOrder, price: int, remaining: int) -> bool:
        """Have an order be this, `remaining` contracts of it left to fill, and live on; False = refused, or busy.

        Busy: something is under way with it as it is now, however old `order` is, or it is to be cancelled, or over.
        """
        now = self.account.order(order.client_order_id)
        if now is None or not now.is_live or now.asked or now.wants_cancel or not now.order_id:
            return False
        return not self._do(amended(now, price, remaining, self._expires_s(0)))

    def renew(self, order: OwnOrder) -> bool:
        """Have it live on as it is, at its place in the queue; False = refused, or busy."""
        now = self.account.order(order.client_order_id)
        return now is not None and self.amend(now, now.price, now.remaining)

    def cancel(self, order: OwnOrder) -> None:
        """Cancel it, at once or as soon as what is under way is answered; asked again until it is known to be over."""
        self._decide(
            self._seat, Cancel(market=order.market, client_order_id=order.client_order_id, order_id=order.order_id)
        )

    def subscribe(self, *markets: str) -> None:
        """Have these markets on the socket."""
        self._do(Subscribe(markets))

    def unsubscribe(self, *markets: str) -> None:
        """Have them there no longer."""
        self._do(Unsubscribe(markets))

    def fetch(self, path: str, **params: str | int | tuple[str, ...]) -> None:
        """Ask by REST; the answer comes to on_rest, its absence to on_failed. path: "/markets/X/orderbook".

        params: the query in this order; "" is left out, and a tuple repeats its name: tickers=("A", "B").
        """
        pairs = [(name, value) for name, given in params.items() for value in _each(given)]
        self._decide(self._seat, Fetch(path, tuple((name, str(value)) for name, value in pairs if value != "")))

    def select(self, *markets: str) -> None:
        """Tell the other strategies which markets are the ones to look at, best first."""
        self._do(Select(markets))

    def say(self, text: str, market: str = "") -> None:
        """Words for people; they are on the tape."""
        self._do(Say(text, market))

    def wake(self, name: str, after_ns: int) -> None:
        """Have on_timer called after so long; a timer of this name that was set before is set anew."""
        self._host.wake(self._seat, name, self._host.now_ns + max(after_ns, 1))

    def _do(self, action: Action) -> str:
        return self._decide(self._seat, action)

    def _expires_s(self, life_s: int) -> int:
        life_ns = self._host.order_life_ns
        if life_s:
            life_ns = min(life_ns, life_s * SECOND_NS)
        return (self._host.now_ns + life_ns) // SECOND_NS


def _each(given: str | int | tuple[str, ...]) -> tuple[str | int, ...]:
    return given if isinstance(given, tuple) else (given,)
