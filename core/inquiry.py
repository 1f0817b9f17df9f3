"""What REST is asked about the run's account, and what its answers tell: fills that were missed, orders in doubt.

Knows that answers may be stale, that a fill counts once whichever way it comes, and that what was filled before the run
began is in the position it began with. Must not know limits, or when a connection was lost.
"""

from typing import Final, NamedTuple

from core.actions import BookSide, Fetch
from core.answers.types import FillAnswer, OrderAnswer, Page, PositionAnswer
from core.fetched import Fetched
from core.holdings import Execution, Holdings
from core.messages.types import Fill, Side
from core.orders import LAG_NS, Ledger, OrderState, OwnOrder, is_past
from core.questions import Questions
from core.times import SECOND_NS

STUCK_NS: Final = 30 * SECOND_NS
"""What was asked for and not answered for so long is taken not to be answered any more."""

SKEW_NS: Final = 10 * SECOND_NS
"""A fill that the exchange dates so long before the run began is in the position that the run began with."""

_ORDERS: Final = "/portfolio/orders"
_FILLS: Final = "/portfolio/fills"
_POSITIONS: Final = "/portfolio/positions"
_MOST: Final = ("limit", "1000")


class News(NamedTuple):
    """What a record changed here: an order, a fill that was not known, a market whose position was told."""

    order: OwnOrder | None = None
    fill: Fill | None = None
    position: str = ""


class Inquiry:
    """Questions and answers about one session's orders, fills and positions.

    begun_ns: when account and tape first agreed, 0 = not yet: until then answers tell what there is to begin with,
    after it they only mend what was missed. listed: orders found resting until then, by client_order_id.
    """

    __slots__ = ("_claims", "_holdings", "_ledger", "_questions", "begun_ns", "listed")

    def __init__(self, ledger: Ledger, holdings: Holdings) -> None:
        self._ledger = ledger
        self._holdings = holdings
        self._questions = Questions()
        self._claims: dict[str, tuple[int, int]] = {}  # by market: a position told, and when it was first asked for
        self.begun_ns = 0
        self.listed: dict[str, OrderAnswer] = {}

    def catch_up(self, since_s: int, now_ns: int) -> None:
        """Have asked what rests, and what was filled since then (Unix seconds)."""
        self._questions.owe(Fetch(_ORDERS, (("status", "resting"), _MOST)), now_ns)
        self._questions.owe(Fetch(_FILLS, (("min_ts", str(since_s)), _MOST)), now_ns)

    def beat(self, now_ns: int) -> None:
        """About a second has passed: what is in doubt for a while is to be asked about."""
        self._questions.beat(now_ns, self._doubts())

    @property
    def is_asking(self) -> bool:
        """Whether there is something to be asked now."""
        return self._questions.is_asking

    def take(self) -> tuple[Fetch, ...]:
        """What is to be asked now; each is given once."""
        return self._questions.take()

    def answer(self, fetched: Fetched) -> list[News]:
        """What REST said of an order, or of a page of orders, fills or positions."""
        found = fetched.value
        if isinstance(found, OrderAnswer):
            return [News(order=self._ledger.listed(found, fetched.asked_ns))]
        if not isinstance(found, Page):
            return []
        self._questions.answered(fetched)
        self._ask_more(fetched)
        news = [self._item(item, fetched) for item in found.items]
        if not found.cursor and "cursor" not in dict(fetched.params):
            news += self._whole_page(fetched)
        return news

    def fill(self, fill: Fill, created_ns: int = 0) -> News:
        """A fill; created_ns: by the exchange's clock, 0 = it is told as it happens."""
        key = f"{fill.trade_id}/{fill.order_id}"
        if not self.begun_ns or 0 < created_ns < self.begun_ns - SKEW_NS:
            if self._holdings.know(key) and fill.post_position is not None:
                self._holdings.told(fill.market, fill.post_position)
            return News()
        side = BookSide.BID if fill.side is Side.YES else BookSide.ASK
        new = self._holdings.execute(
            Execution(key, fill.market, side, fill.price, fill.count, fill.fee, fill.is_taker, fill.post_position)
        )
        if not new:
            return News()
        self._claims.pop(fill.market, None)
        return News(order=self._ledger.filled(fill), fill=fill)

    def _item(self, item: object, fetched: Fetched) -> News:
        match item:
            case OrderAnswer():
                if not self.begun_ns and item.status == "resting":
                    self.listed[item.client_order_id] = item
                return News(order=self._ledger.listed(item, fetched.asked_ns))
            case FillAnswer():
                return self.fill(_fill_of(item), item.created_ns)
            case PositionAnswer() if not self.begun_ns:
                self._holdings.hold(item.market, item.position, item.exposure)
            case _:
                pass
        return News()

    def _whole_page(self, fetched: Fetched) -> list[News]:
        """What a listing does not have tells something too."""
        params, items = dict(fetched.params), fetched.value.items
        market = params.get("ticker", "")
        if fetched.path == _ORDERS and params.get("status") == "resting" and not market:
            self._doubt_missing(items, fetched.asked_ns)
        elif fetched.path == _ORDERS and market and "status" not in params:
            return self._never_there(market, items, fetched.asked_ns)
        elif fetched.path == _POSITIONS and market in self._holdings.disputed and self.begun_ns:
            found = next((item for item in items if item.market == market), None)
            self._claim(market, found, fetched.asked_ns)
        return []

    def _doubt_missing(self, items: tuple[OrderAnswer, ...], asked_ns: int) -> None:
        """Orders that a whole listing of what rests does not have are asked about one by one."""
        listed = {item.order_id: None for item in items}
        for order in self._ledger.live():
            if order.order_id and order.order_id not in listed and order.placed_ns < asked_ns - LAG_NS:
                self._questions.ask(_about(order))

    def _never_there(self, market: str, items: tuple[OrderAnswer, ...], asked_ns: int) -> list[News]:
        """Orders without an answer that a whole listing does not have, when they cannot come to rest any more."""
        listed = {item.client_order_id: None for item in items}
        over = []
        for order in self._ledger.live(market):
            is_late = is_past(order, asked_ns) if order.expires_ns else asked_ns - order.placed_ns >= STUCK_NS
            is_lost = order.state is OrderState.UNKNOWN and not order.order_id and is_late
            if is_lost and order.client_order_id not in listed:
                over.append(News(order=self._ledger.end(order.client_order_id, "never arrived")))
        return over

    def _claim(self, market: str, found: PositionAnswer | None, asked_ns: int) -> None:
        """A position by REST: who is right shows in time, for what we do not have yet may come as a fill still.

        It is taken when it was told twice, further apart than reads lag, and nothing was filled between.
        """
        position = 0 if found is None else found.position
        if self._holdings.told(market, position):
            self._claims.pop(market, None)
            return
        told, first_ns = self._claims.setdefault(market, (position, asked_ns))
        if told != position:
            self._claims[market] = position, asked_ns
        elif asked_ns - first_ns >= LAG_NS:
            del self._claims[market]
            self._holdings.hold(market, position, None if found is None else found.exposure)

    def _doubts(self) -> dict[str, tuple[Fetch, ...]]:
        """What is not known, and the questions that would tell."""
        doubts: dict[str, tuple[Fetch, ...]] = {}
        for order in (*self._ledger.live(), *self._ledger.unsettled()):
            asked: tuple[Fetch, ...] = ()
            if order.unseen and order.order_id:
                asked = (Fetch(_FILLS, (("order_id", order.order_id), _MOST)),)
            if order.state is OrderState.UNKNOWN or (asked and not order.is_live):
                asked = (_about(order), *asked)
            if asked:
                doubts[f"order {order.client_order_id}"] = asked
        for market in self._holdings.disputed:
            params = ("ticker", market), _MOST
            doubts[f"market {market}"] = Fetch(_FILLS, params), Fetch(_POSITIONS, params)
        return doubts

    def _ask_more(self, fetched: Fetched) -> None:
        """Further pages of what was asked for here; of fills no further back than the run goes."""
        page = fetched.value
        if not page.cursor or not self.begun_ns or not fetched.why.startswith("decision "):
            return
        last = page.items[-1] if page.items else None
        if isinstance(last, FillAnswer) and 0 < last.created_ns < self.begun_ns - SKEW_NS:
            return
        params = tuple(param for param in fetched.params if param[0] != "cursor")
        self._questions.ask(Fetch(fetched.path, (*params, ("cursor", page.cursor))))


def _about(order: OwnOrder) -> Fetch:
    if order.order_id:
        return Fetch(f"{_ORDERS}/{order.order_id}")
    return Fetch(_ORDERS, (("ticker", order.market), _MOST))


def _fill_of(answer: FillAnswer) -> Fill:
    return Fill(
        market=answer.market, trade_id=answer.trade_id, order_id=answer.order_id, side=answer.side, price=answer.price,
        count=answer.count, is_taker=answer.is_taker, fee=answer.fee,
    )  # fmt: skip
