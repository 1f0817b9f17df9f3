"""What the account has: positions, cash and fees, from what REST said at first and from every fill since.

Knows the exchange's arithmetic of one net position in a market (protocol 13.2): buying no is selling yes, what closes a
position brings the rest of the dollar. A fill counts once, whichever way it comes. Must not know orders or quotes.
Units: sizes in 1/100 contract (positive = yes), money in 1/1,000,000 dollar; price * size is money.
"""

from typing import Final

import msgspec

from core.actions import BookSide
from core.fees import CENT
from core.money import DOLLAR
from core.seen import Seen

MAX_FILLS: Final = 65_536
"""Fills known again, by trade and order; a listing by REST goes back that far at most."""


class Execution(msgspec.Struct, frozen=True, gc=False):
    """A fill, however it was told of. key: trade and order. fee None = not told. after: the position then, as told."""

    key: str
    market: str
    side: BookSide
    price: int
    count: int
    fee: int | None = None
    is_taker: bool = False
    after: int | None = None


class Holding(msgspec.Struct, frozen=True, gc=False):
    """A position. cost: money paid for what is held now, by average, on the scale of the side held.

    flow: money that came in less what went out, fees included, what was held at the beginning counted at its cost: so
    flow + cost is what was won (below 0: lost) for good, and flow + what the position is worth now is all of it.
    """

    market: str
    position: int = 0
    cost: int = 0
    fees: int = 0
    flow: int = 0

    @property
    def side(self) -> str:
        """yes, no, or "" for nothing."""
        return "yes" if self.position > 0 else "no" if self.position < 0 else ""


class Holdings:
    """Positions and money. cash None = no balance was told yet. fees, fills: of this session. unpriced: fills without a
    fee. disputed: markets of which the exchange told another position than ours.
    """

    __slots__ = ("_by_market", "_keys", "cash", "disputed", "fees", "fills", "unpriced")

    def __init__(self) -> None:
        self.cash: int | None = None
        self.fees = self.unpriced = self.fills = 0
        self.disputed: dict[str, None] = {}
        self._by_market: dict[str, Holding] = {}
        self._keys = Seen(MAX_FILLS)

    def of(self, market: str) -> Holding:
        """The position in a market."""
        return self._by_market.get(market) or Holding(market)

    def all(self) -> tuple[Holding, ...]:
        """Every market that was ever held or traded in this session, by name."""
        return tuple(holding for _, holding in sorted(self._by_market.items()))

    def start(self, cash: int) -> None:
        """The balance by REST before anything was traded."""
        self.cash = cash

    def hold(self, market: str, position: int, cost: int | None) -> None:
        """The position by REST; cost None = not told, then the worst: a dollar a contract."""
        held = self.of(market)
        self.disputed.pop(market, None)
        if held.position == position:
            return
        paid = abs(position) * DOLLAR if cost is None else cost
        self._by_market[market] = msgspec.structs.replace(
            held, position=position, cost=paid, flow=held.flow + held.cost - paid
        )

    @property
    def realized(self) -> int:
        """Money won or lost for good since the session began, fees included."""
        return sum(held.flow + held.cost for held in self._by_market.values())

    def know(self, key: str) -> bool:
        """Take note of a fill that the balance at the start already holds; False = it was known."""
        return self._keys.add(key)

    def execute(self, fill: Execution) -> bool:
        """Take in a fill; False = it was known already."""
        if not self._keys.add(fill.key):
            return False
        held = self.of(fill.market)
        signed = fill.count if fill.side is BookSide.BID else -fill.count
        own_price = fill.price if fill.side is BookSide.BID else DOLLAR - fill.price
        closing = min(fill.count, max(0, -held.position if signed > 0 else held.position))
        opening = fill.count - closing
        flow = closing * (DOLLAR - own_price) - opening * own_price
        cost = held.cost
        if closing:
            cost -= cost * closing // abs(held.position)
        cost += opening * own_price
        fee = fill.fee or 0
        if fill.fee is None:
            self.unpriced += 1
        self.fees += fee
        self.fills += 1
        if self.cash is not None:
            self.cash += flow - fee
        position = held.position + signed
        self._by_market[fill.market] = msgspec.structs.replace(
            held, position=position, cost=cost, fees=held.fees + fee, flow=held.flow + flow - fee
        )
        if fill.after is not None:
            self.told(fill.market, fill.after)
        return True

    def told(self, market: str, position: int) -> bool:
        """The exchange says what is held; whether that is what we have. If not, one of us is late, or missed a fill."""
        agrees = self.of(market).position == position
        if agrees:
            self.disputed.pop(market, None)
        else:
            self.disputed[market] = None
        return agrees

    def settle(self, market: str, settlement_value: int) -> int:
        """A market paid (price units a yes contract); what came in, rounded down to the cent (protocol 14)."""
        held = self.of(market)
        self.disputed.pop(market, None)
        if not held.position:
            return 0
        value = settlement_value if held.position > 0 else DOLLAR - settlement_value
        paid = abs(held.position) * value
        paid -= paid % CENT
        if self.cash is not None:
            self.cash += paid
        self._by_market[market] = msgspec.structs.replace(held, position=0, cost=0, flow=held.flow + paid)
        return paid
