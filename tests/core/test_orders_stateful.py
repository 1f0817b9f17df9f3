"""The run's books against a real matching engine, with answers, frames and fills late, twice, astray, stale or lost."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from matched import Exchange
from port import Puppet, Run, path_of

from core.actions import Amend, BookSide, Cancel, Decision, Done, Fetch, Place, RiskLimits
from core.context import Context
from core.fees import FeeTerms, FeeType
from core.messages.types import Fill, UserOrder
from core.orders import OwnOrder
from core.times import SECOND_NS
from replay.exchange import bodies
from replay.exchange import orders as ex
from replay.exchange.happenings import Filled, OrderChanged
from replay.exchange.views import Pause

LIMITS = RiskLimits(order=1_000, market=2_500, exposure=20_000_000, day_loss=10**12, markets=2)
LAG_NS = 1_500_000_000  # reads are at most so stale here
LATE_NS = 5 * SECOND_NS
STORMS = 10
TAKER = FeeTerms(FeeType.WITH_MAKER_FEES)

PRICES = (3_500, 4_500, 5_000, 5_500, 6_500)
COUNTS = (100, 300, 700, 1_000)
KINDS = ("maker", "taker", "ioc")
FATES = (
    "answered",
    "answered",
    "answered",
    "late",
    "late",
    "lost before",
    "lost after",
    "silent before",
    "silent after",
)
SIDE, PRICE, COUNT, KIND, FATE = map(st.sampled_from, (tuple(BookSide), PRICES, COUNTS, KINDS, FATES))
ANY = st.integers(0, 1_000)


class Wires(RuleBasedStateMachine):
    """An exchange with one account's run on it, and everything that is on its way between them."""

    def open(self, *, cancel_on_pause: bool, restless: bool) -> None:
        self.market = Exchange("me", "bob", fees=TAKER)
        self.run = Run(Puppet(), terms={"limits": LIMITS, "order_life_s": 20}, now_ns=self.market.now_ns)
        self.cancel_on_pause, self.restless = cancel_on_pause, restless
        self.requests: list[Decision] = []
        self.questions: list[Decision] = []
        self.asked_ns: dict[int, int] = {}
        self.acks: list[tuple[int, Done, dict[str, Any]]] = []
        self.frames: list[Fill | UserOrder] = []
        self.answers: list[tuple[Fetch, Any, int, int]] = []
        self.fills: list[Filled] = []
        self.past: list[tuple[int, Any]] = []
        self.connection, self.online, self.paused = 1, True, False

    def take(self, reaction: Any) -> None:
        taken = [decision for decision in reaction.decisions if not decision.refused]
        self.requests += [decision for decision in taken if not isinstance(decision.action, Fetch)]
        self.questions += [decision for decision in taken if isinstance(decision.action, Fetch)]
        self.asked_ns |= {decision.number: self.market.now_ns for decision in taken}

    def wait(self, ns: int) -> None:
        self.market.now_ns += ns
        self.market.engine.advance(self.market.now_ns)
        self.look()
        self.run.now_ns = self.market.now_ns
        self.take(self.run.beat(0))

    def reconnect(self) -> None:
        self.online, self.connection = True, self.connection + 1
        self.take(self.run.opened(self.connection))
        self.take(self.run.subscribed("fill", 2, self.connection))

    def look(self) -> None:
        """Frames of what has happened are on their way, and what can be read is another."""
        for told in self.market.told(Filled, OrderChanged):
            if isinstance(told, OrderChanged) and told.order.account == "me" and self.online:
                self.frames.append(frame_of(told.order))
            elif isinstance(told, Filled) and told.account == "me":
                self.fills.append(told)
                if self.online:
                    self.frames.append(fill_of(told))
        reads = self.market.engine.reads
        state = reads.orders("me"), tuple(self.fills), reads.holdings("me")
        self.past.append((self.market.now_ns, state))

    def carry(self, decision: Decision, fate: str, *, fresh: bool = False) -> None:
        action, number = decision.action, decision.number
        if isinstance(action, Fetch):
            if not fate.endswith("before"):
                self.answers.append((action, self.read(action, fresh=fresh), number, self.market.now_ns))
            return
        answer: tuple[Done, dict[str, Any]]
        if isinstance(action, Place | Amend) and self.market.now_ns - self.asked_ns[number] > LATE_NS:
            fate, answer = "answered", (Done.REFUSED, {"code": "late"})  # the shell sends nothing so old
        elif fate.endswith("before"):
            answer = Done.FAILED, {}
        else:
            answer = self.ask(action)
            self.look()
        if fate in ("answered", "late"):
            self.acks.append((number, *answer))
        elif fate.startswith("lost"):
            self.acks.append((number, Done.FAILED, {}))

    def ask(self, action: Any) -> tuple[Done, dict[str, Any]]:
        engine, now_ns = self.market.engine, self.market.now_ns
        answer: ex.PlaceAnswer | ex.ReduceAnswer
        if isinstance(action, Cancel):
            answer = engine.cancel("me", action.order_id, now_ns)
        elif isinstance(action, Amend):
            answer = engine.amend("me", amendment(action), now_ns)
        else:
            assert isinstance(action, Place)
            answer = engine.place("me", new_order(action, cancel_on_pause=self.cancel_on_pause), now_ns)
        if isinstance(answer, ex.Refusal):
            return Done.REFUSED, {"status": answer.status, "code": answer.code}
        order = answer.order
        if isinstance(answer, ex.Reduced):
            return Done.DONE, {"status": 200, "remaining": answer.reduced_by}
        filled = {"order_id": order.order_id, "filled": answer.fill_count, "remaining": order.remaining}
        return Done.DONE, {"status": 200, **filled}

    def read(self, fetch: Fetch, *, fresh: bool) -> Any:
        """What the exchange answers, as of now or of a while ago."""
        since_ns = self.market.now_ns - LAG_NS
        states = [state for at_ns, state in self.past if at_ns >= since_ns]
        orders, fills, holdings = states[-1] if fresh or not self.restless or not states else states[0]
        params = dict(fetch.params)
        if fetch.path.startswith("/portfolio/orders/"):
            found = [order for order in orders if order.order_id == fetch.path.rpartition("/")[2]]
            return {"order": bodies.order(found[0])} if found else None
        if fetch.path == "/portfolio/orders":
            wanted = params.get("status", "")
            return {"orders": [bodies.order(o) for o in orders if wanted in ("", o.status.value)], "cursor": ""}
        if fetch.path == "/portfolio/fills":
            wanted, min_ns = params.get("order_id", ""), int(params.get("min_ts", 0)) * SECOND_NS
            found_fills = [f for f in fills if wanted in ("", f.order_id) and f.at_ns >= min_ns]
            return {"fills": [bodies.fill(told) for told in found_fills], "cursor": ""}
        assert fetch.path == "/portfolio/positions"
        spec = self.market.engine.reads.market("M").spec
        return {"market_positions": [bodies.position(h, spec) for h in holdings if h.position], "cursor": ""}


class Books(Wires):
    """One account's run and somebody else who trades; everything between them is late."""

    @initialize(cancel_on_pause=st.booleans(), restless=st.booleans())
    def start(self, cancel_on_pause: bool, restless: bool) -> None:
        self.open(cancel_on_pause=cancel_on_pause, restless=restless)
        self.run.answer(
            "/portfolio/balance", bodies.balance(self.market.engine.reads.balance("me"), self.market.now_ns)
        )
        self.run.go()
        for side, price in ((BookSide.BID, 3_500), (BookSide.BID, 4_500), (BookSide.ASK, 5_500), (BookSide.ASK, 6_500)):
            self.others(side, price, 700, ioc=False)

    # -------------------------------------------------------------- what the strategy does

    @rule(side=SIDE, price=PRICE, count=COUNT, kind=KIND, fate=FATE)
    def place(self, side: BookSide, price: int, count: int, kind: str, fate: str) -> None:
        ioc, post_only = kind == "ioc", kind == "maker"
        self.decide(lambda ctx: ctx.place("M", side, price, count, ioc=ioc, post_only=post_only), fate)

    @precondition(lambda self: self.own)
    @rule(which=ANY, price=PRICE, count=COUNT, fate=FATE)
    def amend(self, which: int, price: int, count: int, fate: str) -> None:
        order = self.own[which % len(self.own)]
        self.decide(lambda ctx: ctx.amend(order, price, count), fate)

    @precondition(lambda self: self.own)
    @rule(which=ANY, fate=FATE)
    def cancel(self, which: int, fate: str) -> None:
        order = self.own[which % len(self.own)]
        self.decide(lambda ctx: ctx.cancel(order), fate)

    @property
    def own(self) -> tuple[OwnOrder, ...]:
        return self.run.host.trading.ledger.live()

    def decide(self, todo: Callable[[Context], Any], fate: str) -> None:
        known = len(self.requests)
        self.take(self.run.do(todo))
        while fate != "late" and len(self.requests) > known:
            self.carry(self.requests.pop(), fate)

    # -------------------------------------------------------------- what others do

    @rule(side=SIDE, price=PRICE, count=COUNT, ioc=st.booleans())
    def others(self, side: BookSide, price: int, count: int, ioc: bool) -> None:
        force = ex.TimeInForce.IMMEDIATE_OR_CANCEL if ioc else ex.TimeInForce.GOOD_TILL_CANCELED
        order = ex.NewOrder(
            market="M", side=ex.BookSide(side), price=price, count=count, time_in_force=force,
            self_trade=ex.SelfTrade.MAKER,
        )  # fmt: skip
        self.market.engine.place("bob", order, self.market.now_ns)
        self.look()

    @rule(tenths=st.integers(1, 60))
    def later(self, tenths: int) -> None:
        self.wait(tenths * SECOND_NS // 10)

    @rule()
    def pause(self) -> None:
        self.paused = not self.paused
        self.market.engine.life.pause(Pause.TRADING if self.paused else Pause.NONE, self.market.now_ns)
        self.look()

    # -------------------------------------------------------------- what happens on the way

    @precondition(lambda self: self.requests)
    @rule(which=ANY, fate=FATE)
    def carry_out(self, which: int, fate: str) -> None:
        self.carry(self.requests.pop(which % len(self.requests)), fate)

    @precondition(lambda self: self.questions)
    @rule(lost=st.booleans())
    def ask_all(self, lost: bool) -> None:
        for decision in self.questions:
            if not lost:
                self.carry(decision, "answered")
        self.questions = []

    @precondition(lambda self: self.acks or self.frames or self.answers)
    @rule(which=ANY, again=st.booleans())
    def deliver(self, which: int, again: bool) -> None:
        which %= len(self.acks) + len(self.frames) + len(self.answers)
        if which < len(self.frames):
            frame = self.frames[which] if again else self.frames.pop(which)
            self.take(self.run.frame(frame, self.connection))
        elif which < len(self.frames) + len(self.acks):
            number, done, more = self.acks.pop(which - len(self.frames))
            self.take(self.run.outcome(number, done, **more))
        else:
            fetch, body, number, asked_ns = self.answers.pop(which - len(self.frames) - len(self.acks))
            if body is not None:
                took_ns = self.market.now_ns - asked_ns
                self.take(self.run.answer(path_of(fetch), body, took_ns=took_ns, why=f"decision {number}"))

    @rule(backwards=st.booleans())
    def deliver_all(self, backwards: bool) -> None:
        while self.acks or self.frames or self.answers:
            self.deliver(-1 if backwards else 0, again=False)

    @rule()
    def connection_is_lost_or_found(self) -> None:
        if self.online:
            self.online, self.frames = False, []
            self.take(self.run.closed(self.connection))
        else:
            self.reconnect()

    @rule(seed=st.integers(0, 2**32))
    def storm(self, seed: int) -> None:
        """Much at once, as a dice has it: more of what matters than rules drawn one by one come to."""
        dice = Random(seed)
        for _ in range(30):
            self.one_of_a_storm(dice)
            self.the_worst_case_is_never_less_than_the_truth()

    def one_of_a_storm(self, dice: Random) -> None:
        side, price, count = dice.choice(list(BookSide)), dice.choice(PRICES), dice.choice(COUNTS)
        fate, which, coin = dice.choice(FATES), dice.randrange(1_000), dice.random() < 0.5
        own, requests, questions = self.own, self.requests, self.questions
        match dice.randrange(20):
            case 0 | 1 | 2 | 16:
                self.place(side, price, count, dice.choice(KINDS), fate)
            case 3 | 4 | 17 if own:
                self.amend(which, price, count, fate)
            case 5 if own:
                self.cancel(which, fate)
            case 6 | 7 | 14 | 15:
                self.others(side, price, count, ioc=coin)
            case 8:
                self.later(dice.randrange(1, 60))
            case 9 if requests:
                self.carry_out(which, fate)
            case 10 if questions:
                self.ask_all(lost=which < 200)
            case 11 if which < 100 or self.paused:
                self.pause()
            case 12 if which < 200 or not self.online:
                self.connection_is_lost_or_found()
            case 13:
                self.deliver_all(backwards=coin)
            case _ if self.acks or self.frames or self.answers:
                self.deliver(which, again=coin)
            case _:
                pass

    # -------------------------------------------------------------- what must hold

    @invariant()
    def the_worst_case_is_never_less_than_the_truth(self) -> None:
        if not hasattr(self, "market"):
            return
        trading = self.run.host.trading
        orders = [*trading.ledger.live(), *trading.ledger.unsettled()]
        held, resting = trading.holdings.of("M").position, self.market.engine.reads.resting("me")
        position = self.market.position("me")
        for sign, side in ((1, BookSide.BID), (-1, BookSide.ASK)):
            may_fill = sum(order.remaining + order.unseen for order in orders if order.side is side)
            truth = sum(order.remaining for order in resting if order.book_side.value == side.value)
            assert sign * held + may_fill >= sign * position + truth
            assert sign * position + truth <= LIMITS.market
        view = next(iter(self.market.engine.reads.holdings("me")), None)
        assert view is None or view.cost + view.reserved <= LIMITS.exposure

    def teardown(self) -> None:
        if hasattr(self, "market"):
            self.settle_down()

    def settle_down(self) -> None:
        """Everything is delivered and every question answered: by then both know the same."""
        if self.paused:
            self.pause()
        if not self.online:
            self.reconnect()
        for _ in range(45):
            for decision in self.requests[:]:
                self.requests.remove(decision)
                self.carry(decision, "answered", fresh=True)
            for decision in self.questions:
                self.carry(decision, "answered", fresh=True)
            self.questions = []
            self.deliver_all(backwards=False)
            self.wait(SECOND_NS)
        account, trading = self.market.engine.reads, self.run.host.trading
        assert trading.holdings.of("M").position == self.market.position("me")
        assert trading.holdings.cash == account.balance("me").balance
        assert trading.holdings.fees == account.balance("me").fees_paid
        assert trading.ledger.live() == ()
        assert account.resting("me") == ()
        assert trading.ledger.unsettled() == ()
        assert not trading.holdings.disputed
        assert not any(reaction.faults for reaction in self.run.reactions)


def frame_of(order: ex.Order) -> UserOrder:
    return UserOrder(
        market=order.market, order_id=order.order_id, status=order.status.value, side=order.side, price=order.price,
        initial_count=order.initial_count, fill_count=order.fill_count, remaining_count=order.remaining,
        client_order_id=order.client_order_id, expiration_ns=order.expiration_ns, update_reason=order.reason.value,
    )  # fmt: skip


def fill_of(told: Filled) -> Fill:
    return Fill(
        market=told.market, trade_id=told.trade_id, order_id=told.order_id, client_order_id=told.client_order_id,
        side=told.side, price=told.price, count=told.count, is_taker=told.is_taker, fee=told.fee,
        post_position=told.post_position,
    )  # fmt: skip


def new_order(action: Place, *, cancel_on_pause: bool) -> ex.NewOrder:
    return ex.NewOrder(
        market=action.market, side=ex.BookSide(action.side), price=action.price, count=action.count,
        time_in_force=ex.TimeInForce.IMMEDIATE_OR_CANCEL if action.ioc else ex.TimeInForce.GOOD_TILL_CANCELED,
        client_order_id=action.client_order_id, expiration_ns=action.expires_s * SECOND_NS,
        post_only=action.post_only, cancel_on_pause=cancel_on_pause and not action.ioc,
    )  # fmt: skip


def amendment(action: Amend) -> ex.Amendment:
    return ex.Amendment(
        order_id=action.order_id, market=action.market, side=ex.BookSide(action.side), price=action.price,
        count=action.count, client_order_id=action.client_order_id, expiration_ns=action.expires_s * SECOND_NS,
    )  # fmt: skip


class TestBooks(Books.TestCase):  # type: ignore[misc,valid-type]  # hypothesis makes the class at run time
    settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


@pytest.mark.parametrize("block", range(4))
def test_storms_leave_both_sides_with_the_same_books(block: int) -> None:
    for seed in range(block * STORMS, (block + 1) * STORMS):
        books = Books()
        try:
            books.start(cancel_on_pause=seed % 2 == 0, restless=seed % 3 == 0)
            for part in range(3):
                books.storm(seed * 3 + part)
            books.settle_down()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
