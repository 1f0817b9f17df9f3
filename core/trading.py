"""The run's side of the exchange: its orders, what the account has, its limits, and the upkeep of all that.

Knows which record says what of them, and what has to be asked when nothing does: an order whose cancel found nothing, a
fill that was announced and did not come, all of them after a connection was lost. Must not know strategies' reasons.
"""

from typing import Final, NamedTuple

from core.actions import (
    Amend,
    BookSide,
    Cancel,
    Fetch,
    Outcome,
    PaperEvent,
    RunTerms,
)
from core.answers.types import Balance, FillAnswer, OrderAnswer, Page, PositionAnswer
from core.fetched import Fetched
from core.holdings import Execution, Holding, Holdings
from core.messages.types import Fill, MarketLifecycle, Side, UserOrder
from core.money import DOLLAR
from core.orders import Ledger, OrderState, OwnOrder
from core.risk import Risk
from core.store import MarketStateStore
from core.times import SECOND_NS

DAY_NS: Final = 86_400 * SECOND_NS

REVIEW_NS: Final = 2 * SECOND_NS
"""An order in doubt is asked about so often: reads lag behind writes by less (protocol 13.6: 0.36 s)."""

RETRY_NS: Final = SECOND_NS
"""A cancel that failed is asked again after this."""

STUCK_NS: Final = 30 * SECOND_NS
"""What was asked for and not answered for so long is in doubt."""

LOOK_BACK_S: Final = 120
"""Fills are asked for from so long before the connection was lost."""


class News(NamedTuple):
    """What a record changed here: an order, a fill that was not known, a market whose position was told."""

    order: OwnOrder | None = None
    fill: Fill | None = None
    position: str = ""


class Trading:
    """One session's trading. started: orders are taken. paper: see RunTerms."""

    __slots__ = (
        "_asked_ns", "_cancelled_ns", "_listed", "_lost_ns", "_marks", "_store", "_terms", "_to_ask", "day", "holdings",
        "is_started", "ledger", "risk",
    )  # fmt: skip

    def __init__(self, terms: RunTerms, store: MarketStateStore, now_ns: int) -> None:
        self._terms = terms
        self._store = store
        self.ledger = Ledger()
        self.holdings = Holdings()
        self.day = now_ns // DAY_NS
        earlier = terms.day_pnl if terms.day == self.day else 0
        is_halted = terms.halted and terms.day == self.day
        self.risk = Risk(
            terms.limits,
            self.ledger,
            self.holdings,
            self.worth,
            earlier,
            is_halted=is_halted,
        )
        self.is_started = False
        if terms.paper:
            self.holdings.start(terms.paper_cash)
        self._listed: dict[str, OrderAnswer] = {}
        self._marks: dict[str, tuple[int, int]] = {}
        self._to_ask: dict[Fetch, None] = {}
        self._asked_ns: dict[str, int] = {}
        self._cancelled_ns: dict[str, int] = {}
        self._lost_ns = 0

    def worth(self, held: Holding) -> int:
        """What a position would bring at the last best bid for what is held; nothing where nobody ever bid."""
        bid, ask = self._marks.get(held.market, (0, DOLLAR))
        return held.position * bid if held.position > 0 else -held.position * (DOLLAR - ask)

    def begin(self, adopted: tuple[str, ...], strategy: str, now_ns: int) -> None:
        """Take orders from now on; those adopted are the strategy's."""
        self.is_started = True
        for key in adopted:
            if key in self._listed:
                self.ledger.adopt(self._listed[key], strategy, now_ns)
        self._listed.clear()

    def pull(self, strategy: str | None = None) -> None:
        """Have every order cancelled, or every one of a strategy."""
        for order in self.ledger.live(strategy=strategy):
            self.ledger.want_cancel(order.client_order_id)

    def lost(self, now_ns: int) -> None:
        """A connection was lost: what it would have told has to be asked for."""
        self._lost_ns = self._lost_ns or now_ns

    def found(self) -> None:
        """The account's channels are heard again: what was missed meanwhile is asked for."""
        if not self._lost_ns or self._terms.paper:
            return
        since_s = self._lost_ns // SECOND_NS - LOOK_BACK_S
        self._lost_ns = 0
        self._to_ask[Fetch("/portfolio/orders", (("status", "resting"), ("limit", "1000")))] = None
        self._to_ask[Fetch("/portfolio/fills", (("min_ts", str(since_s)), ("limit", "1000")))] = None

    def message(self, message: Fill | UserOrder) -> News:
        """A frame of a private channel."""
        if self._terms.paper:
            return News()
        return self._fill(message) if isinstance(message, Fill) else News(order=self.ledger.told(message))

    def life(self, message: MarketLifecycle) -> None:
        """A market was settled: what was held is paid. Trading in it is over, so its orders are too."""
        value = message.settlement_value
        if value is None and message.result in ("yes", "no"):
            value = 10_000 if message.result == "yes" else 0
        if value is not None and (message.settled_ns or message.event == "settled"):
            self.holdings.settle(message.market, value)

    def outcome(self, outcome: Outcome | PaperEvent) -> list[News]:
        """What became of a decision."""
        if isinstance(outcome, Outcome):
            return [News(order=self.ledger.outcome(outcome))]
        news = []
        for made in outcome.fills:
            order = self.ledger.get(made.client_order_id)
            if order is not None:
                side = Side.YES if order.side is BookSide.BID else Side.NO
                news.append(
                    self._fill(
                        Fill(
                            market=order.market, trade_id=made.trade_id, order_id=order.order_id, side=side,
                            price=made.price, count=made.count, is_taker=made.is_taker, fee=made.fee,
                            client_order_id=made.client_order_id,
                        )
                    )
                )  # fmt: skip
        return news + [News(order=self.ledger.end(key, "expired")) for key in outcome.ended]

    def answer(self, fetched: Fetched) -> list[News]:
        """What REST said of the account."""
        if self._terms.paper or not fetched.path.startswith("/portfolio/"):
            return []
        match fetched.value:
            case Balance(balance=balance) if not self.is_started:
                self.holdings.start(balance)
            case OrderAnswer() as order:
                return [News(order=self.ledger.listed(order))]
            case Page(items=items, cursor=cursor):
                if cursor:
                    rest = tuple(p for p in fetched.params if p[0] != "cursor")
                    self._ask_more(fetched, Fetch(fetched.path, (*rest, ("cursor", cursor))))
                return self._page(fetched, items, is_whole=not cursor and "cursor" not in dict(fetched.params))
            case _:
                pass
        return []

    def expired(self, now_ns: int) -> list[News]:
        """Orders that are over because nothing was heard of them until well after their expiration."""
        return [News(order=order) for order in self.ledger.expire(now_ns)]

    def upkeep(self, now_ns: int, *, is_beat: bool) -> list[Cancel | Fetch]:
        """What has to be asked for, whatever the strategies do. is_beat: about a second has passed."""
        asked: list[Cancel | Fetch] = []
        if is_beat:
            self._roll_day(now_ns)
            self._mark()
            self._review(now_ns)
            self._cancelled_ns = {k: v for k, v in self._cancelled_ns.items() if now_ns - v < RETRY_NS}
        for order in self.ledger.live():
            key = order.client_order_id
            is_free = order.wants_cancel and order.order_id and not order.asked
            if is_free and now_ns - self._cancelled_ns.get(key, -RETRY_NS) >= RETRY_NS:
                self._cancelled_ns[key] = now_ns
                asked.append(Cancel(market=order.market, client_order_id=key, order_id=order.order_id))
        asked += self._to_ask
        self._to_ask.clear()
        return asked

    def _fill(self, fill: Fill) -> News:
        key = f"{fill.trade_id}/{fill.order_id}"
        if not self.is_started:
            self.holdings.know(key)
            return News()
        side = BookSide.BID if fill.side is Side.YES else BookSide.ASK
        new = self.holdings.execute(
            Execution(key, fill.market, side, fill.price, fill.count, fill.fee, fill.is_taker, fill.post_position)
        )
        if not new:
            return News()
        return News(order=self.ledger.filled(fill), fill=fill)

    def _page(self, fetched: Fetched, items: tuple[object, ...], *, is_whole: bool) -> list[News]:
        news: list[News] = []
        for item in items:
            match item:
                case OrderAnswer():
                    if not self.is_started and item.status == "resting":
                        self._listed[item.client_order_id] = item
                    news.append(News(order=self.ledger.listed(item)))
                case FillAnswer():
                    news.append(self._fill(_fill_of(item)))
                case PositionAnswer():
                    if not self.is_started or item.market in self.holdings.disputed:
                        self.holdings.hold(item.market, item.position, item.exposure)
                case _:
                    pass
        if is_whole and fetched.path == "/portfolio/orders" and ("status", "resting") in fetched.params:
            self._doubt_missing(items, fetched.asked_ns)
        return news

    def _doubt_missing(self, items: tuple[object, ...], asked_ns: int) -> None:
        """Orders that a whole listing of what rests does not have are asked about one by one."""
        listed = {item.order_id: None for item in items if isinstance(item, OrderAnswer)}
        for order in self.ledger.live():
            if order.order_id and order.order_id not in listed and order.placed_ns < asked_ns - REVIEW_NS:
                self._to_ask[_about(order)] = None

    def _review(self, now_ns: int) -> None:
        """Ask about what has been in doubt for a while, again and again; most doubts end by themselves before."""
        doubts = {} if self._terms.paper else self._doubts(now_ns)
        self._asked_ns = {key: self._asked_ns.get(key, now_ns) for key in doubts}
        for key, fetch in doubts.items():
            if now_ns - self._asked_ns[key] >= REVIEW_NS:
                self._asked_ns[key] = now_ns
                self._to_ask[fetch] = None

    def _doubts(self, now_ns: int) -> dict[str, Fetch]:
        doubts = {}
        for order in self.ledger.live():
            is_stuck = order.asked and now_ns - order.asked_ns > STUCK_NS
            if order.state is OrderState.UNKNOWN or is_stuck:
                doubts[order.client_order_id] = _about(order)
        for order in self.ledger.unsettled():
            if order.order_id:
                doubts[order.client_order_id] = Fetch(
                    "/portfolio/fills", (("order_id", order.order_id), ("limit", "1000"))
                )
        for market in self.holdings.disputed:
            doubts[market] = Fetch("/portfolio/positions", (("ticker", market), ("limit", "1000")))
        return doubts

    def _ask_more(self, fetched: Fetched, more: Fetch) -> None:
        if fetched.why.startswith("decision ") and self.is_started:
            self._to_ask[more] = None

    def _mark(self) -> None:
        """Note the best prices of what is held, where there are any; an empty or doubtful book is no price."""
        for held in self.holdings.all():
            window = self._store.window(held.market, 0)
            if held.position and window.is_trusted:
                bid, ask = self._marks.get(held.market, (0, DOLLAR))
                self._marks[held.market] = (
                    bid if window.bid is None else window.bid,
                    ask if window.ask is None else window.ask,
                )

    def _roll_day(self, now_ns: int) -> None:
        day = now_ns // DAY_NS
        if day != self.day:
            self.day = day
            self.risk.begin_day()


def _about(order: OwnOrder) -> Fetch:
    if order.order_id:
        return Fetch(f"/portfolio/orders/{order.order_id}")
    return Fetch("/portfolio/orders", (("ticker", order.market), ("limit", "1000")))


def _fill_of(answer: FillAnswer) -> Fill:
    return Fill(
        market=answer.market, trade_id=answer.trade_id, order_id=answer.order_id, side=answer.side, price=answer.price,
        count=answer.count, is_taker=answer.is_taker, fee=answer.fee,
    )  # fmt: skip


def client_order_id(nonce: str, number: int) -> str:
    """The id of the order that a decision places: no other session has the nonce, so it is never used twice."""
    return f"td-{nonce}-{number}"


def nonce_of(key: str) -> str:
    """The session's part of such an id, "" = it is none of ours."""
    parts = key.split("-")
    return parts[1] if len(parts) == 3 and parts[0] == "td" and parts[2].isdecimal() else ""


def amended(order: OwnOrder, price: int, remaining: int, expires_s: int) -> Amend:
    """The command that has an order be this; remaining: what is to be left to fill."""
    return Amend(
        market=order.market, client_order_id=order.client_order_id, order_id=order.order_id, side=order.side,
        price=price, count=order.filled + remaining, expires_s=expires_s,
    )  # fmt: skip
