"""The run's side of the exchange: its orders, what the account has, its limits, and the upkeep of all that.

Knows which record says what of them, and what has to be asked when nothing does: an order whose cancel found nothing, a
fill that was announced and did not come, all of them after a connection was lost. Must not know strategies' reasons.
"""

from typing import Final

import msgspec

from core.actions import Amend, BookSide, Cancel, Fetch, Outcome, PaperEvent, RunTerms
from core.answers.types import Balance
from core.fetched import Fetched
from core.holdings import Holding, Holdings
from core.inquiry import STUCK_NS, Inquiry, News
from core.lifecycle import Phase, phase_at
from core.messages.types import Fill, MarketLifecycle, Side, UserOrder
from core.money import DOLLAR
from core.orders import Ledger, OwnOrder
from core.risk import Risk
from core.store import MarketStateStore
from core.times import SECOND_NS

DAY_NS: Final = 86_400 * SECOND_NS

RETRY_NS: Final = SECOND_NS
"""A cancel that failed is asked again after this."""

LOOK_BACK_S: Final = 120
"""Fills are asked for from so long before the connection was lost."""


class Trading:
    """One session's trading. is_started: orders are taken. day: the UTC day (since 1970) that losses count for."""

    __slots__ = (
        "_cancelled_ns", "_inquiry", "_lost_ns", "_marks", "_now_ns", "_store", "_terms", "day", "holdings",
        "is_started", "ledger", "risk",
    )  # fmt: skip

    def __init__(self, terms: RunTerms, store: MarketStateStore, now_ns: int) -> None:
        self._terms = terms
        self._store = store
        self._now_ns = now_ns
        self.ledger = Ledger()
        self.holdings = Holdings()
        self.day = now_ns // DAY_NS
        earlier = terms.day_pnl if terms.day == self.day else 0
        self.risk = Risk(terms.limits, self.ledger, self.holdings, self._worth, earlier)
        if terms.halted and terms.day == self.day:
            self.risk.halted = "the day's loss had reached its limit before this session"
        self._marks: dict[str, tuple[int, int]] = {}
        self.is_started = False
        if terms.paper:
            self.holdings.start(terms.paper_cash)
        self._inquiry = Inquiry(self.ledger, self.holdings)
        self._cancelled_ns: dict[str, int] = {}
        self._lost_ns = 0

    @property
    def has_begun(self) -> bool:
        """Whether account and tape have agreed once: from then on fills count, also while orders are not taken."""
        return self._inquiry.begun_ns > 0

    def at(self, now_ns: int) -> None:
        """The time of the next record; a new day begins with nothing lost."""
        self._now_ns = now_ns
        if now_ns // DAY_NS != self.day:
            self.day = now_ns // DAY_NS
            self.risk.new_day()

    def begin(self, adopted: tuple[str, ...], strategy: str, now_ns: int) -> None:
        """Take orders from now on; those adopted are the strategy's."""
        self.is_started = True
        self._inquiry.begun_ns = self._inquiry.begun_ns or now_ns
        listed = self._inquiry.listed
        for key in adopted:
            if key in listed:
                self.ledger.adopt(listed[key], strategy, now_ns)
        listed.clear()

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
        since_s = max(self._lost_ns // SECOND_NS - LOOK_BACK_S, 0)
        self._lost_ns = 0
        self._inquiry.catch_up(since_s, self._now_ns)

    def message(self, message: Fill | UserOrder) -> News:
        """A frame of a private channel."""
        if self._terms.paper:
            return News()
        if isinstance(message, Fill):
            return self._inquiry.fill(message)
        found, key = self._inquiry.listed, message.client_order_id
        if key in found and message.status == "resting":  # it will be adopted as it is by then
            found[key] = msgspec.structs.replace(
                found[key], fill_count=message.fill_count, remaining_count=message.remaining_count, price=message.price
            )
        else:
            found.pop(key, None)
        return News(order=self.ledger.told(message))

    def life(self, message: MarketLifecycle) -> list[News]:
        """A market was settled: what was held is paid. Trading in it is over, so its orders are too."""
        life = self._store.lifecycle(message.market)  # the settled frame itself names no value (protocol 8.8)
        if life.phase is not Phase.SETTLED:
            return []
        value = _value(life.settlement_value, life.result)
        if value is not None:
            self.holdings.settle(message.market, value)
        over = [self.ledger.end(order.client_order_id, "settled") for order in self.ledger.live(message.market)]
        return [News(order=order) for order in over]

    def outcome(self, outcome: Outcome | PaperEvent) -> list[News]:
        """What became of a decision."""
        if isinstance(outcome, Outcome):
            return [News(order=self.ledger.outcome(self._whole(outcome), self._now_ns))]
        news = []
        for made in outcome.fills:
            order = self.ledger.get(made.client_order_id)
            if order is not None:
                side = Side.YES if order.side is BookSide.BID else Side.NO
                news.append(
                    self._inquiry.fill(
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
        if isinstance(fetched.value, Balance):
            if not self.has_begun:
                self.holdings.start(fetched.value.balance)
            return []
        return self._inquiry.answer(fetched)

    @property
    def has_upkeep(self) -> bool:
        """Whether something is to be asked, now or soon."""
        return self.ledger.has_unwanted or self._inquiry.is_asking

    @property
    def due_ns(self) -> int:
        """From when on something is to be done though nothing has happened: a new day, a cancel asked for again."""
        due_ns = (self.day + 1) * DAY_NS
        for order in self.ledger.unwanted():
            if order.order_id and not order.asked:
                due_ns = min(due_ns, self._cancelled_ns.get(order.client_order_id, -RETRY_NS) + RETRY_NS)
        return 0 if self._inquiry.is_asking else due_ns

    def upkeep(self, *, is_beat: bool) -> tuple[list[News], list[Cancel | Fetch]]:
        """What is over by now, and what has to be asked whatever the strategies do. is_beat: a second has passed."""
        news: list[News] = []
        if is_beat:
            self._mark()
            over = self.ledger.stuck(self._now_ns, STUCK_NS)
            over += self.ledger.expire(self._now_ns, for_certain=bool(self._terms.paper))
            news = [News(order=order) for order in over]
            if not self._terms.paper:
                self._inquiry.beat(self._now_ns)
            self._cancelled_ns = {k: v for k, v in self._cancelled_ns.items() if self._now_ns - v < RETRY_NS}
        asked: list[Cancel | Fetch] = []
        for order in self.ledger.unwanted():
            key = order.client_order_id
            if order.order_id and not order.asked and self._now_ns - self._cancelled_ns.get(key, -RETRY_NS) >= RETRY_NS:
                self._cancelled_ns[key] = self._now_ns
                asked.append(Cancel(market=order.market, client_order_id=key, order_id=order.order_id))
        return news, asked + list(self._inquiry.take())

    def _mark(self) -> None:
        """Note the best prices of what is held, where there are any."""
        for held in self.holdings.all():
            window = self._store.window(held.market, self._now_ns)
            if held.position and window.is_trusted:
                bid, ask = self._marks.get(held.market, (0, DOLLAR))
                self._marks[held.market] = (
                    bid if window.bid is None else window.bid,
                    ask if window.ask is None else window.ask,
                )

    def _worth(self, held: Holding) -> int:
        """What a position would bring at the best bid for what is held at the last beat, or the last one there was.

        A book that is empty or in doubt for a moment is no price, so it halts nobody; nothing where nobody ever bid.

        Once there is a result, what it pays; where trading is over without one, or no book was seen, what it cost.
        """
        view = self._store.window(held.market, self._now_ns)
        life = view.lifecycle
        value = _value(life.settlement_value, life.result)
        if value is not None:
            return held.position * value if held.position > 0 else -held.position * (DOLLAR - value)
        if view.book_ns == 0 or phase_at(life, self._now_ns) in (Phase.CLOSED, Phase.DETERMINED, Phase.SETTLED):
            return held.cost
        bid, ask = self._marks.get(held.market, (view.bid or 0, DOLLAR if view.ask is None else view.ask))
        return held.position * bid if held.position > 0 else -held.position * (DOLLAR - ask)

    def _whole(self, outcome: Outcome) -> Outcome:
        """On paper there is nothing to doubt: a cancelled order was reduced by what it had left."""
        order = self.ledger.of_decision(outcome.decision)
        if not self._terms.paper or order is None or order.asked != "cancel" or outcome.remaining >= 0:
            return outcome
        return msgspec.structs.replace(outcome, remaining=order.count - order.filled)


def _value(settlement_value: int | None, result: str) -> int | None:
    """What a yes contract pays (price units), None = it is not known yet."""
    if settlement_value is not None:
        return settlement_value
    return {"yes": DOLLAR, "no": 0}.get(result)


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
