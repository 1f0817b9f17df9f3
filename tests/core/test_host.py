"""Tests of the fold that runs strategies: records in, decisions out, hooks called once and in order."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from port import START_NS, Listener, Puppet, Run, fill, place, rest, started, wake

from core.actions import HOLD, BookSide, Cancel, Decision, Done, Fetch, Say, Subscribe, Unsubscribe
from core.context import Context
from core.host import wanted_markets
from core.messages.types import (
    BookDelta,
    EventFeeUpdate,
    Fill,
    MarketLifecycle,
    MarketPosition,
    Side,
    Trade,
    UserOrder,
)  # fmt: skip
from core.records import Kind, StoredGap, encode_payload
from core.strategy import EVERY, Strategy
from core.times import SECOND_NS
from core.window import Window

DAY_S = 86_400
BID = BookSide.BID


# ------------------------------------------------------------------ sessions


def test_a_session_begins_everything_anew() -> None:
    run = started(Puppet())
    rest(run)
    run.frame(fill())
    run.do(lambda ctx: ctx.select("M"))
    run.do(lambda ctx: ctx.wake("w", 1))
    assert (run.host.decisions, run.host.selected) == (2, ("M",))
    run.session(uuid="v")
    assert (run.host.decisions, run.host.selected, run.host.next_wake_ns) == (0, (), 0)
    assert run.host.trading.ledger.live() == ()
    assert run.host.trading.holdings.all() == ()
    assert not run.host.health.is_started
    assert place(run).refused == "not started"


def test_a_client_order_id_names_session_and_decision() -> None:
    run = started(Puppet())
    assert rest(run).client_order_id == "td-u-1"
    assert run.host.next_id() == "td-u-2"


def test_without_strategies_nothing_is_decided() -> None:
    run = Run()
    run.strategies = []
    run.session()
    assert run.go().decisions == []
    assert run.beat().decisions == []


def test_a_decision_names_its_cause_and_its_place_among_others() -> None:
    run = started(Puppet())

    def speak(ctx: Context) -> None:
        ctx.say("one")
        ctx.say("two")
        ctx.subscribe("M")

    reaction = run.do(speak)
    assert [(d.number, d.cause, d.ordinal, d.strategy) for d in reaction.decisions] == [
        (1, run.seq - 1, 0, "a"), (2, run.seq - 1, 1, "a"), (3, run.seq - 1, 2, "a"),
    ]  # fmt: skip


def test_own_records_concern_nobody() -> None:
    run = started(Listener())
    heard = list(run.strategies[0].heard)  # type: ignore[attr-defined]  # a puppet's
    decision = Decision(1, 0, 0, "a", Say("x"))
    run.put(Kind.DECISION, decision)
    run.put(Kind.PROGRESS, run.host.progress(3))
    assert run.strategies[0].heard == heard  # type: ignore[attr-defined]  # a puppet's


# ------------------------------------------------------------------ hooks


def test_each_record_calls_its_hook_once_and_the_first_strategy_first() -> None:
    order: list[str] = []

    class Noting(Strategy):
        def on_trade(self, ctx: Context, market: Window, trade: Trade) -> None:
            order.append(f"{ctx.account.orders()}{market.market} {trade.price} {self.params}")

    run = started(Noting("first"), Noting("second"))
    run.frame(Trade(sid=2, seq=1, market="M", trade_id="t", price=4_000, count=5, taker=Side.YES))
    run.frame(Trade(sid=2, seq=2, market="M", trade_id="t", price=4_000, count=5, taker=Side.YES))  # told twice
    assert order == ["()M 4000 first", "()M 4000 second"]


def test_what_is_heard_of_a_market() -> None:
    listener = Listener()
    run = started(listener)
    listener.heard.clear()
    run.book("M", ((4_000, 100),), ())
    run.frame(MarketLifecycle(sid=7, seq=1, market="M", event="created", open_ns=1, close_ns=START_NS * 2))
    run.frame(MarketPosition(sid=5, market="M", position=100))
    run.answer("/markets", {"markets": [], "cursor": ""})
    assert [entry for entry in listener.heard if entry[0] != "on_health"] == [
        ("on_book", "M"), ("on_lifecycle", "M"), ("on_position", "M"), ("on_rest", "/markets"),
    ]  # fmt: skip


def test_a_strategy_hears_of_its_markets_only() -> None:
    class Choosy(Listener):
        def markets(self) -> tuple[str, ...]:
            return ("N",)

    choosy = Choosy()
    run = started(choosy)
    run.book("M", ((4_000, 100),), ())
    run.book("N", ((4_000, 100),), (), seq=2)
    assert [entry for entry in choosy.heard if entry[0] == "on_book"] == [("on_book", "N")]


def test_top_wakes_at_best_prices_and_every_at_every_change() -> None:
    class Every(Listener):
        book_wakes = EVERY

    top, every = Listener(), Every()
    run = started(top, every)
    run.book("M", ((3_000, 100), (4_000, 100)), ())
    for seq, price in enumerate((3_000, 4_000), 2):
        run.frame(BookDelta(sid=1, seq=seq, market="M", side=Side.YES, price=price, delta=10))
    assert [len([e for e in listener.heard if e[0] == "on_book"]) for listener in (top, every)] == [2, 3]


def test_an_order_is_told_before_its_fill_and_shows_it() -> None:
    class Watching(Listener):
        def on_fill(self, ctx: Context, fill: Fill) -> None:
            self.heard.append(("on_fill", fill.count, ctx.account.position("M"), ctx.account.orders()[0].remaining))

    owner, other = Watching(), Listener()
    run = started(owner, other)
    key = rest(run).client_order_id
    owner.heard.clear()
    run.frame(fill("o", 40, key=key))
    run.frame(fill("o", 40, key=key))  # told twice
    assert [entry[0] for entry in owner.heard] == ["on_order", "on_fill"]
    assert owner.heard[1] == ("on_fill", 40, 40, 60)
    assert "on_fill" not in [entry[0] for entry in other.heard]


def test_a_fill_of_a_foreign_order_is_told_to_all() -> None:
    listener = Listener()
    run = started(listener)
    run.frame(fill("stranger"))
    assert [entry[0] for entry in listener.heard if entry[0] in ("on_order", "on_fill")] == ["on_fill"]
    assert run.host.trading.holdings.of("M").position == 100


def test_an_order_frame_that_says_nothing_new_is_no_news() -> None:
    owner = Listener()
    run = started(owner)
    key = rest(run).client_order_id
    owner.heard.clear()
    run.frame(
        UserOrder(
            market="M",
            order_id="o",
            status="resting",
            side=Side.YES,
            price=4_000,
            initial_count=100,
            remaining_count=100,
            client_order_id=key,
        )
    )
    assert owner.heard == []


def test_start_is_called_once_and_a_hold_ends_with_health() -> None:
    listener = Listener()
    run = started(listener)
    run.control(HOLD)
    assert place(run).refused == "not started"
    run.go()
    assert [entry[0] for entry in listener.heard].count("on_start") == 1
    assert [entry[1].is_started for entry in listener.heard if entry[0] == "on_health"][-3:] == [True, False, True]
    assert place(run).refused == ""


@pytest.mark.parametrize("word", [HOLD, "stop"])
def test_a_hold_cancels_what_rests_and_fills_count_on(word: str) -> None:
    run = started(Puppet())
    key = rest(run).client_order_id
    assert run.control(word).decisions[0].action == Cancel(market="M", client_order_id=key, order_id="o")
    run.frame(fill("o", 40, key=key))
    assert run.host.trading.holdings.of("M").position == 40


def test_others_hear_what_one_selects() -> None:
    puppet, listener = Puppet(), Listener()
    run = started(puppet, listener)
    run.do(lambda ctx: ctx.select("M", "N"))
    assert ("on_selected", ("M", "N")) in listener.heard
    assert puppet.heard == []
    assert run.host.selected == ("M", "N")


# ------------------------------------------------------------------ timers


def test_timers_go_off_at_ticks_only_and_in_their_order() -> None:
    listener = Listener()
    run = started(listener)
    wake(run, late=2 * SECOND_NS, soon=SECOND_NS, never=99 * SECOND_NS)
    assert run.host.next_wake_ns == run.now_ns + SECOND_NS
    run.beat(3)
    assert "on_timer" not in [entry[0] for entry in listener.heard]
    run.tick(0)
    assert [entry[1] for entry in listener.heard if entry[0] == "on_timer"] == ["soon", "late"]
    run.tick(1)
    assert [entry[1] for entry in listener.heard if entry[0] == "on_timer"] == ["soon", "late"]


def test_a_timer_set_anew_waits_anew() -> None:
    class Again(Puppet):
        def on_timer(self, ctx: Context, name: str) -> None:
            self.heard.append((name, ctx.now_ns))
            ctx.wake("b", 10 * SECOND_NS)
            ctx.wake("a", 0)

    again = Again()
    run = started(again)
    wake(run, a=1, b=2)
    run.tick(1)
    assert [name for name, _ in again.heard] == ["a"]
    run.tick(1)
    assert [name for name, _ in again.heard] == ["a", "a"]


# ------------------------------------------------------------------ days


def test_the_day_is_carried_over_from_session_to_session() -> None:
    day = START_NS // (DAY_S * SECOND_NS)
    run = Run(Puppet(), terms={"day": day, "day_pnl": -5})
    assert run.host.progress(9).day_pnl == -5
    assert Run(Puppet(), terms={"day": day - 1, "day_pnl": -5}).host.progress(9).day_pnl == 0
    run.beat(DAY_S)
    progress = run.host.progress(9)
    assert (progress.day, progress.day_pnl, progress.stepped) == (day + 1, 0, 9)


# ------------------------------------------------------------------ REST and reconnects


def test_after_a_reconnect_orders_and_fills_are_asked_for_until_an_answer_is_fresh() -> None:
    run = started(Puppet())
    run.beat()
    assert run.actions(Fetch) == []
    run.closed()
    run.beat()
    assert run.opened(2).decisions == []
    run.subscribed("user_orders", 3, 2)
    asked = run.subscribed("fill", 2, 2).decisions
    since = str(START_NS // SECOND_NS - 120)  # from the last instant vouched for
    assert [d.action for d in asked] == [
        Fetch("/portfolio/orders", (("status", "resting"), ("limit", "1000"))),
        Fetch("/portfolio/fills", (("min_ts", since), ("limit", "1000"))),
    ]
    query = f"?min_ts={since}&limit=1000"
    run.answer(f"/portfolio/fills{query}", {"fills": [], "cursor": ""}, why=f"decision {asked[1].number}")
    again = [d.action for d in (*run.beat().decisions, *run.beat().decisions)]
    assert [action.path for action in again if isinstance(action, Fetch)] == ["/portfolio/orders", "/portfolio/fills"]
    run.answer(f"/portfolio/fills{query}", {"fills": [], "cursor": ""}, why="decision 4")
    again = [d.action for d in (*run.beat().decisions, *run.beat().decisions)]
    assert [action.path for action in again if isinstance(action, Fetch)] == ["/portfolio/orders"]


@pytest.mark.parametrize(("reason", "asks"), [("disk_full", True), ("mute", True), ("maintenance", False)])
def test_after_a_gap_in_which_the_subscriptions_stood_what_was_missed_is_asked_for(reason: str, *, asks: bool) -> None:
    run = started(Puppet())
    run.put(Kind.GAP_OPEN, StoredGap(reason))
    assert run.actions(Fetch) == []
    run.put(Kind.GAP_CLOSE, StoredGap(reason))
    assert (len(run.actions(Fetch)) == 2) is asks


def test_missing_numbers_of_books_tell_nothing_of_the_account() -> None:
    run = started(Puppet())
    run.book("M", ((4_000, 100),), ())
    run.frame(BookDelta(sid=1, seq=9, market="M", side=Side.YES, price=4_000, delta=10))
    assert run.host.flaw("M") == "untrusted"
    run.subscribed("fill", 2)
    assert run.actions(Fetch) == []


def test_a_fetch_that_comes_to_nothing_is_told_to_who_asked() -> None:
    first, second = Listener(), Listener()
    run = started(first, second)
    number = run.do(lambda ctx: ctx.fetch("/markets", limit=5, cursor="")).decisions[0].number
    assert run.decisions[0].action == Fetch("/markets", (("limit", "5"),))
    run.outcome(number, Done.FAILED)
    run.outcome(number, Done.FAILED)
    assert [[e for e in s.heard if e[0] == "on_failed"] for s in (first, second)] == [[("on_failed", "/markets")], []]
    number = run.do(lambda ctx: ctx.fetch("/markets")).decisions[0].number
    run.answer("/markets", {"markets": [], "cursor": ""}, why=f"decision {number}")
    run.outcome(number)
    assert ("on_rest", "/markets") in second.heard
    assert sum(heard[0] == "on_failed" for heard in first.heard) == 1


def test_a_gap_is_told_when_health_shows_it() -> None:
    class Looking(Puppet):
        def on_gap(self, ctx: Context, gap: Any) -> None:
            self.heard.append((gap.reason, ctx.health.is_connected))

    looking = Looking()
    run = started(looking)
    run.closed()
    assert looking.heard == [("reconnect", False)]


def test_a_fee_change_is_learnt() -> None:
    run = started(Puppet())
    run.frame(EventFeeUpdate(sid=7, seq=1, event_ticker="E", fee_type="quadratic", multiplier="0"))
    run.frame(MarketLifecycle(sid=7, seq=2, market="M", event="created", event_ticker="E"))
    assert run.host.reference.fees("M", run.now_ns).multiplier == 0


def test_what_is_wanted_on_the_socket() -> None:
    wanted = wanted_markets({"M": None}, Subscribe(("N", "M")))
    assert list(wanted) == ["M", "N"]
    assert list(wanted_markets(wanted, Unsubscribe(("M", "X")))) == ["N"]


# ------------------------------------------------------------------ the same again


def digest() -> str:
    """Of all decisions of a busy little session, by two strategies with dice."""

    class Gambler(Strategy):
        def on_book(self, ctx: Context, market: Window) -> None:
            if market.bid is not None:
                price, count = ctx.dice.below(9_998) + 1, ctx.dice.below(300) + 1
                ctx.place(market.market, ctx.dice.choice(tuple(BookSide)), price, count)

        def on_order(self, ctx: Context, order: Any) -> None:
            if order.state == "resting" and not order.asked and ctx.dice.uniform() < 0.5:
                ctx.cancel(order)

    run = started(Gambler(None), Gambler(None))
    for seq in range(1, 60):
        run.book(f"M{seq % 7}", ((4_000 + seq, 100),), ((5_000, 100),), seq)
        for decision in run.reactions[-1].decisions:
            run.outcome(decision.number, order_id=f"o{decision.number}", filled=0, remaining=1)
        run.beat(0.5)
    return hashlib.sha256(b"".join(map(encode_payload, run.decisions))).hexdigest()


def test_the_same_records_give_the_same_decisions_under_another_hash_seed() -> None:
    root = Path(__file__).parents[2]
    paths = os.pathsep.join(map(str, (root, root / "tests", Path(__file__).parent)))
    code = "import test_host; print(test_host.digest())"
    environment = {**os.environ, "PYTHONHASHSEED": "42", "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest() == digest()


def test_an_answer_that_nobody_can_read_is_told_as_none() -> None:
    listener = Listener()
    run = started(listener)
    number = run.do(lambda ctx: ctx.fetch("/markets")).decisions[0].number
    run.answer("/markets", {"markets": "no list"}, why=f"decision {number}")
    assert not [heard for heard in listener.heard if heard[0] == "on_failed"]
    run.outcome(number)
    assert [heard for heard in listener.heard if heard[0] == "on_failed"] == [("on_failed", "/markets")]
