"""Tests of the matching engine as a whole: laws that hold after any calls, and a slow engine that agrees with it."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from matched import FOK, GTC, IOC, Exchange

from core.fees import FeeTerms, FeeType
from core.messages.types import Side
from core.money import DOLLAR
from core.times import SECOND_NS
from replay.exchange.happenings import (
    BookChanged,
    Filled,
    Happening,
    OrderChanged,
)
from replay.exchange.orders import (
    Amendment,
    BookSide,
    NewOrder,
    Order,
    OrderStatus,
    Placed,
    Refusal,
    SelfTrade,
    TimeInForce,
)
from replay.exchange.specs import Outcome, Result

ACCOUNTS = ("ann", "bob", "cy")


@dataclass(frozen=True, slots=True)
class Place:
    account: str
    side: BookSide
    price: int
    count: int
    time_in_force: TimeInForce = GTC
    self_trade: SelfTrade = SelfTrade.TAKER_AT_CROSS
    post_only: bool = False
    reduce_only: bool = False
    lives_s: int = 0
    grouped: bool = False


@dataclass(frozen=True, slots=True)
class Touch:
    """Cancel, decrease or amend one of the orders placed so far."""

    what: str
    which: int
    price: int
    count: int


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: int


Step = Place | Touch | Wait

PRICES = st.integers(1, 19).map(lambda step: step * 500)
COUNTS = st.one_of(st.integers(1, 12).map(lambda contracts: contracts * 100), st.integers(1, 999))


@st.composite
def places(draw: st.DrawFn) -> Place:
    """A valid order; reduce_only and expiry only where they may be."""
    time_in_force = draw(st.sampled_from((GTC, GTC, GTC, IOC, FOK)))
    return Place(
        account=draw(st.sampled_from(ACCOUNTS)),
        side=draw(st.sampled_from(BookSide)),
        price=draw(PRICES),
        count=draw(COUNTS),
        time_in_force=time_in_force,
        self_trade=draw(st.sampled_from(SelfTrade)),
        post_only=time_in_force is GTC and draw(st.booleans()) and draw(st.booleans()),
        reduce_only=time_in_force is IOC and draw(st.booleans()),
        lives_s=draw(st.sampled_from((0, 0, 0, 5, 20))) if time_in_force is GTC else 0,
        grouped=draw(st.integers(0, 3)) == 0,
    )


TOUCHES = st.builds(Touch, st.sampled_from(("cancel", "decrease", "amend")), st.integers(0, 30), PRICES, COUNTS)
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(places(), places(), places(), TOUCHES, st.builds(Wait, st.integers(1, 9))), max_size=40
)
FEES = st.builds(
    FeeTerms,
    fee_type=st.sampled_from(FeeType),
    multiplier=st.sampled_from((0, 5_000, 10_000, 20_000)),
    flat=st.sampled_from((0, 20_000)),
)


@dataclass(slots=True)
class Run:
    """Steps carried out on an exchange, with all that was told and answered."""

    exchange: Exchange
    orders: list[Order] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    answers: list[object] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)

    def do(self, step: Step) -> object:
        answer = self._do(step)
        self.answers.append(answer)
        self.happenings += self.exchange.engine.drain()
        return answer

    def _do(self, step: Step) -> object:
        exchange = self.exchange
        match step:
            case Wait(seconds):
                return exchange.later(seconds)
            case Place():
                answer = exchange.engine.place(step.account, self._order(step), exchange.now_ns)
                if isinstance(answer, Placed):
                    self.orders.append(answer.order)
                return answer
            case Touch(what, which, price, count):
                if not self.orders:
                    return None
                order = self.orders[which % len(self.orders)]
                if what == "cancel":
                    return exchange.engine.cancel(order.account, order.order_id, exchange.now_ns)
                if what == "decrease":
                    return exchange.engine.decrease(order.account, order.order_id, exchange.now_ns, by=count)
                amendment = Amendment(
                    order_id=order.order_id, market="M", side=order.book_side, price=price, count=count
                )
                return exchange.engine.amend(order.account, amendment, exchange.now_ns)

    def _order(self, step: Place) -> NewOrder:
        return NewOrder(
            market="M",
            side=step.side,
            price=step.price,
            count=step.count,
            time_in_force=step.time_in_force,
            self_trade=step.self_trade,
            post_only=step.post_only,
            reduce_only=step.reduce_only,
            expiration_ns=self.exchange.now_ns + step.lives_s * SECOND_NS if step.lives_s else 0,
            group_id=self._group(step.account) if step.grouped else "",
        )

    def _group(self, account: str) -> str:
        if account not in self.groups:
            view = self.exchange.engine.groups.create(account, 1_500, self.exchange.now_ns)
            assert not isinstance(view, Refusal)
            self.groups[account] = view.group_id
        return self.groups[account]


def run(steps: list[Step], fees: FeeTerms, dollars: int = 1_000) -> Run:
    done = Run(Exchange(*ACCOUNTS, fees=fees, dollars=dollars))
    for step in steps:
        done.do(step)
    return done


def resting(exchange: Exchange) -> list[Order]:
    return [order for account in ACCOUNTS for order in exchange.engine.reads.resting(account)]


@given(steps=STEPS, fees=FEES, value=st.integers(0, DOLLAR), dollars=st.sampled_from((5, 20, 1_000)))
@settings(max_examples=150, deadline=None)
def test_no_money_is_made_or_lost_and_positions_sum_to_nothing(
    steps: list[Step], fees: FeeTerms, value: int, dollars: int
) -> None:
    done = Run(Exchange(*ACCOUNTS, fees=fees, dollars=dollars))
    exchange = done.exchange
    for step in steps:
        done.do(step)
        assert exchange.missing == 0
        assert sum(exchange.position(account) for account in ACCOUNTS) == 0
    exchange.engine.life.determine("M", Outcome(Result.SCALAR, value), exchange.now_ns)
    exchange.later(60)
    assert exchange.missing == 0
    assert [exchange.position(account) for account in ACCOUNTS] == [0, 0, 0]
    assert exchange.engine.reads.collateral == 0
    assert [exchange.engine.reads.balance(account).reserved for account in ACCOUNTS] == [0, 0, 0]


@given(steps=STEPS, dollars=st.sampled_from((5, 20, 1_000)))
@settings(max_examples=150, deadline=None)
def test_without_fees_nobody_ever_owes_and_orders_are_backed_in_full(steps: list[Step], dollars: int) -> None:
    done = Run(Exchange(*ACCOUNTS, fees=FeeTerms(multiplier=0), dollars=dollars))
    for step in steps:
        done.do(step)
        for account in ACCOUNTS:
            assert done.exchange.available(account) >= 0
            assert done.exchange.engine.reads.balance(account).reserved == backing(done.exchange, account)


def backing(exchange: Exchange, account: str) -> int:
    """The rule of collateral, contract by contract: held contracts back the best-priced of the orders against them."""
    position, needed = exchange.position(account), 0
    for side, cover in ((Side.YES, -position), (Side.NO, position)):
        orders = [order for order in exchange.engine.reads.resting(account) if order.side is side]
        for order in sorted(orders, key=lambda order: -order.own_price):
            backed = min(order.remaining, max(cover, 0))
            cover -= backed
            needed += (order.remaining - backed) * order.own_price
    return needed


@given(steps=STEPS, fees=FEES)
@settings(max_examples=150, deadline=None)
def test_the_book_is_the_sum_of_what_rests_and_is_never_crossed(steps: list[Step], fees: FeeTerms) -> None:
    done = Run(Exchange(*ACCOUNTS, fees=fees))
    for step in steps:
        done.do(step)
        sums: dict[Side, Counter[int]] = {side: Counter() for side in Side}
        for order in resting(done.exchange):
            assert order.status is OrderStatus.RESTING
            assert order.remaining > 0
            sums[order.side][order.own_price] += order.remaining
        yes, no = done.exchange.yes(), done.exchange.no()
        assert (yes, no) == (sums[Side.YES], sums[Side.NO])
        assert not yes or not no or max(yes) + max(no) < DOLLAR


@given(steps=STEPS, fees=FEES)
@settings(max_examples=100, deadline=None)
def test_who_follows_the_deltas_and_the_orders_knows_the_book_and_who_holds_what(
    steps: list[Step], fees: FeeTerms
) -> None:
    done = run(steps, fees)
    book: dict[Side, Counter[int]] = {side: Counter() for side in Side}
    orders: dict[str, Order] = {}
    positions: Counter[str] = Counter()
    clock = 0
    for happening in done.happenings:
        match happening:
            case BookChanged():
                book[happening.side][happening.price] += happening.delta
                assert book[happening.side][happening.price] >= 0
                assert happening.clock >= clock
                clock = happening.clock
            case OrderChanged(order=order):
                orders[order.order_id] = order
            case Filled():
                positions[happening.account] += happening.count if happening.side is Side.YES else -happening.count
                assert positions[happening.account] == happening.post_position
            case _:
                pass
    assert (dict(+book[Side.YES]), dict(+book[Side.NO])) == (done.exchange.yes(), done.exchange.no())
    assert clock == done.exchange.engine.reads.book("M").clock
    for account in ACCOUNTS:
        assert {order.order_id: order for order in done.exchange.engine.reads.orders(account)} == {
            order_id: order for order_id, order in orders.items() if order.account == account
        }
        assert positions[account] == done.exchange.position(account)
    assert all(order.fill_count + order.remaining <= order.initial_count for order in orders.values())


@given(steps=STEPS, fees=FEES)
@settings(max_examples=50, deadline=None)
def test_the_same_calls_give_the_same_happenings(steps: list[Step], fees: FeeTerms) -> None:
    first, second = run(steps, fees), run(steps, fees)
    assert first.happenings == second.happenings
    assert first.answers == second.answers


@given(steps=STEPS, fees=FEES, last=places())
@settings(max_examples=100, deadline=None)
def test_a_fill_or_kill_order_fills_whole_or_leaves_no_trace(steps: list[Step], fees: FeeTerms, last: Place) -> None:
    done = run(steps, fees)
    before = (done.exchange.engine.reads.book("M"), [done.exchange.balance(account) for account in ACCOUNTS])
    order = NewOrder(
        market="M", side=last.side, price=last.price, count=last.count, time_in_force=FOK, self_trade=last.self_trade
    )
    answer = done.exchange.engine.place(last.account, order, done.exchange.now_ns)
    if isinstance(answer, Placed):
        assert answer.fill_count == last.count
        assert answer.order.status is OrderStatus.EXECUTED
    else:
        assert answer.code in {"fill_or_kill_insufficient_resting_volume", "insufficient_balance"}
        after = (done.exchange.engine.reads.book("M"), [done.exchange.balance(account) for account in ACCOUNTS])
        assert (before, done.exchange.told()) == (after, [])
