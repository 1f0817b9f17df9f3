"""Runs against a sandbox exchange: what rests afterwards, what stays on the tape, and what is said of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from floor_strategies import RELEASED
from live import until
from trading_floor import (
    LOOSE,
    Floor,
    Run,
    assert_replays,
    decisions_on,
    floor,
    outcomes_on,
    paper_events_on,
    posts_on,
    quoter,
    records_of,
)

from core.actions import Cancel, Done, Place, RiskLimits
from core.records import Kind, decode_rest
from core.trading import nonce_of
from replay.loading import specify

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Floor]:
    with floor() as running:
        yield running


@pytest.fixture(autouse=True)
def clean(sandbox: Floor) -> Iterator[None]:
    yield
    for account in ("trader", "other"):
        sandbox.clear(account)


def test_a_stop_cancels_the_runs_orders_and_no_others(sandbox: Floor, tmp_path: Path) -> None:
    others = sandbox.somebody_places()
    with Run(sandbox, tmp_path / "tape", quoter(sandbox, orders=3), ignore=True) as run:
        run.wait_orders(3)
        assert len(sandbox.resting()) == 4
        assert run.end() == 0
    assert sandbox.resting() == [others]
    assert run.desk.last_words() == []
    assert_replays(run.tape, 6)


def test_an_order_is_sent_after_its_decision_is_on_the_tape_and_everything_has_one_outcome(
    sandbox: Floor, tmp_path: Path
) -> None:
    with Run(sandbox, tmp_path / "tape", quoter(sandbox, orders=4)) as run:
        run.wait_orders(4)
    sent = posts_on(run.tape)
    carried_out = [
        (decision, record.seq)
        for decision, record in zip(decisions_on(run.tape), records_of(run.tape, Kind.DECISION), strict=True)
        if isinstance(decision.action, Place | Cancel)
    ]
    assert len(carried_out) == 8
    for decision, seq in carried_out:
        assert decision.cause < seq < sent[f"decision {decision.number}"]
    numbers = [outcome.decision for outcome in outcomes_on(run.tape)]
    assert sorted(numbers) == [decision.number for decision, _ in carried_out]


def test_late_orders_are_refused_and_a_late_cancel_passes(sandbox: Floor, tmp_path: Path) -> None:
    with Run(sandbox, tmp_path / "late", quoter(sandbox, deed="late"), max_lag_ms=60) as run:
        run.wait(lambda: run.desk.summary.stale, "the refusal")
        assert len(sandbox.resting()) == 1
    stale = [outcome for outcome in outcomes_on(run.tape) if outcome.code == "stale"]
    assert {outcome.done for outcome in stale} == {Done.REFUSED}
    assert_replays(run.tape)
    with Run(sandbox, tmp_path / "cancel", quoter(sandbox, deed="late-cancel"), max_lag_ms=60) as run:
        run.wait(lambda: run.desk.status().decisions >= 3 and not run.desk.status().orders, "the cancel")
        assert sandbox.resting() == []
    assert [outcome.done for outcome in outcomes_on(run.tape)] == [Done.DONE] * 2


def test_a_strategy_that_hangs_stops_neither_recording_nor_repair(sandbox: Floor, tmp_path: Path) -> None:
    RELEASED.clear()
    try:
        with Run(sandbox, tmp_path / "tape", quoter(sandbox, deed="hang"), max_lag_ms=500) as run:
            run.wait(lambda: "has not returned" in run.desk.summary.health, "the hook to hang")
            frames = run.deck.status().counts.frames
            sandbox.exchange.control("inject", fault="drop@frames=1,channel=orderbook_delta")
            run.wait(lambda: run.deck.status().gaps == 1 and run.deck.status().healthy, "the repair of a gap")
            run.wait(lambda: run.deck.status().counts.frames > frames + 20, "frames")
            assert run.desk.summary.lag_records > 20
            assert len(sandbox.resting()) == 1
            RELEASED.set()
            run.wait(lambda: run.desk.summary.stale == 1, "the refusal of what was decided too late")
            assert run.end() == 0
    finally:
        RELEASED.set()
    assert sandbox.resting() == []
    assert_replays(run.tape)


def test_a_strategy_that_raises_loses_its_orders_and_the_other_goes_on(sandbox: Floor, tmp_path: Path) -> None:
    good = quoter(sandbox, "good", price=200)
    with Run(sandbox, tmp_path / "tape", quoter(sandbox, "bad", orders=2, deed="boom"), good) as run:
        run.wait(lambda: run.desk.summary.failed and len(sandbox.resting()) == 1, "the end of the bad one")
        frames = run.deck.status().counts.frames
        run.wait(lambda: run.deck.status().counts.frames > frames, "recording to go on")
        assert [order.strategy for order in run.desk.status().orders] == ["good"]
        assert run.end() == 1
    assert run.desk.last_words() == ["FAILED strategy bad: on_order: RuntimeError: boom"]
    assert [b"RuntimeError: boom" in record.payload for record in records_of(run.tape, Kind.FAULT)] == [True]
    assert sandbox.resting() == []
    assert_replays(run.tape)


def test_a_restart_takes_over_nothing_unasked_and_uses_no_id_twice(sandbox: Floor, tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    with Run(sandbox, tape, quoter(sandbox)) as run:
        run.wait_orders(1)
    key = f"td-{run.session.uuid.replace('-', '')}-99"
    order_id = sandbox.somebody_places(key)  # as if the run had been killed
    with Run(sandbox, tape, quoter(sandbox)) as run:
        until(lambda: run.desk.fatal, "the refusal")
        assert "1 orders of earlier sessions of this tape still rest" in run.desk.fatal
        assert sandbox.market in run.desk.fatal and "--adopt" in run.desk.fatal
        assert run.end() == 2
    assert sandbox.resting() == [order_id], "what nobody decided about is left alone"
    with Run(sandbox, tape, quoter(sandbox), adopt=True) as run:
        run.wait_orders(2)
        assert key in {order.client_order_id for order in run.desk.status().orders}
        assert run.end() == 0
    assert sandbox.resting() == []
    placed = [d.action.client_order_id for d in decisions_on(tape) if isinstance(d.action, Place)]
    assert len(set(placed)) == len(placed) == 2
    assert len({nonce_of(each) for each in placed}) == 2
    assert_replays(tape)


def test_orders_that_nothing_proves_ours_are_only_left_alone_when_that_is_said(sandbox: Floor, tmp_path: Path) -> None:
    foreign = sandbox.somebody_places()
    for adopt in (False, True):
        with Run(sandbox, tmp_path / f"{adopt}", quoter(sandbox), adopt=adopt) as run:
            until(lambda: run.desk.fatal, "the refusal")
            assert "nothing on this tape proves ours" in run.desk.fatal and "--ignore" in run.desk.fatal
            assert run.end() == 2
    assert sandbox.resting() == [foreign]


def test_orders_are_cancelled_by_rest_when_a_strategy_never_returns(sandbox: Floor, tmp_path: Path) -> None:
    """Those that it has placed, and those that the run has taken over."""
    tape = tmp_path / "tape"
    with Run(sandbox, tape) as run:
        pass
    sandbox.somebody_places(f"td-{run.session.uuid.replace('-', '')}-99")
    RELEASED.clear()
    try:
        with Run(sandbox, tape, quoter(sandbox, deed="hang"), adopt=True) as run:
            run.wait(lambda: run.desk.summary.health and len(sandbox.resting()) == 2, "the hook to hang")
            assert run.end(stop_s=0.2) == 1
            assert sandbox.resting() == []
            assert "does not return" in run.desk.last_words()[0]
    finally:
        RELEASED.set()


def test_the_days_loss_and_its_halt_outlive_a_restart(sandbox: Floor, tmp_path: Path) -> None:
    tape, limits = tmp_path / "tape", RiskLimits(order=10_000, market=10_000, exposure=10**9, day_loss=10_000)
    lifter = quoter(sandbox, deed="lift")
    with Run(sandbox, tape, lifter, account="other", limits=limits) as run:
        run.wait(lambda: "the limit is" in run.desk.summary.health, "the day's limit")
        run.wait(lambda: sandbox.resting("other") == [], "the orders to be pulled")
        assert run.desk.summary.fills >= 1
    with Run(sandbox, tape, quoter(sandbox), account="other", limits=LOOSE) as run:
        run.wait(lambda: run.desk.status().refused >= 1, "the refusal")
        assert run.session.run is not None and run.session.run["halted"]
        assert sandbox.resting("other") == []
    refused = [decision for decision in decisions_on(tape) if decision.refused]
    assert "the day's loss had reached its limit" in refused[-1].refused
    assert_replays(tape)


def owned(sandbox: Floor) -> dict[str, Any]:
    """What the account has, without `portfolio`: what it holds from other tests is worth more or less as books move."""
    return {name: value for name, value in sandbox.totals().items() if name != "portfolio"}


def test_on_paper_nothing_is_placed_and_everything_replays(sandbox: Floor, tmp_path: Path) -> None:
    before = owned(sandbox)
    joiner = specify("joiner", "floor_strategies:Joiner", {"markets": [sandbox.market]})
    with Run(sandbox, tmp_path / "tape", joiner, paper="touch", order_life_s=1) as run:
        run.wait(lambda: paper_events_on(run.tape), "an order that ended or filled")
        assert run.desk.summary.paper
        assert run.end() == 0
    assert owned(sandbox) == before
    assert posts_on(run.tape) == {}
    assert_replays(run.tape, 2)


def test_a_stop_while_the_account_is_read_lets_nothing_begin(sandbox: Floor, tmp_path: Path) -> None:
    sandbox.exchange.control("inject", fault="hang@upgrade,for=1s")
    with Run(sandbox, tmp_path / "tape", quoter(sandbox)) as run:
        assert run.end() == 0
    actions = [record.payload for record in records_of(run.tape, Kind.CONTROL)]
    assert any(b'"hold"' in action for action in actions) and not any(b'"go"' in action for action in actions)
    assert not any(isinstance(decision.action, Place) for decision in decisions_on(run.tape))


def test_an_exchange_that_lists_nothing_at_the_end_is_told_and_no_secret(sandbox: Floor, tmp_path: Path) -> None:
    with Run(sandbox, tmp_path / "tape", quoter(sandbox)) as run:
        run.wait_orders(1)
        sandbox.exchange.control("inject", fault="http@rest=/portfolio/orders,status=401,times=1")
        assert run.end() == 1
    assert any("could not be confirmed" in words and "cancel-all" in words for words in run.desk.last_words())
    assert sandbox.resting() == [], "the strategies' own cancels had gone through"


def groups_at(sandbox: Floor) -> list[str]:
    """The account's order groups."""
    with sandbox.account(lambda _call: None) as account:
        return [group.group_id for group in account.groups.listed()]


def test_the_runs_order_group_is_made_first_ends_its_orders_and_goes_with_it(sandbox: Floor, tmp_path: Path) -> None:
    others = sandbox.somebody_places()
    lifter = quoter(sandbox, orders=3, deed="lift")
    with Run(sandbox, tmp_path / "tape", lifter, ignore=True, limits=LOOSE, group_limit=100) as run:
        run.wait(lambda: run.desk.status().fills, "a fill")
        run.wait(lambda: not run.desk.status().orders, "all orders to end")
        assert sandbox.resting() == [others], "the group ended them, nobody else did"
        assert len(groups_at(sandbox)) == 1
        assert run.end() == 0
    assert sandbox.resting() == [others]
    assert groups_at(sandbox) == []
    calls = [(record.seq, decode_rest(record.payload)) for record in records_of(run.tape, Kind.REST)]
    made = [(seq, call) for seq, call in calls if call.path.endswith("/order_groups/create")]
    deleted = [(seq, call) for seq, call in calls if call.method == "DELETE"]
    (go,) = [record.seq for record in records_of(run.tape, Kind.CONTROL) if b'"go"' in record.payload]
    (hold,) = [record.seq for record in records_of(run.tape, Kind.CONTROL) if b'"hold"' in record.payload]
    group = json.loads(made[0][1].answer)["order_group_id"]
    assert [(seq < go, call.status) for seq, call in made] == [(True, 201)]
    assert [(seq > hold, call.path.rpartition("/")[2]) for seq, call in deleted] == [(True, group)], "and no cancel"
    placed = [json.loads(call.body) for _, call in calls if call.why.startswith("decision ")]
    assert [body["order_group_id"] for body in placed] == [group] * 4
    assert_replays(run.tape, 4)


def test_without_its_order_group_a_run_places_nothing(sandbox: Floor, tmp_path: Path) -> None:
    sandbox.exchange.control("inject", fault="http@rest=/portfolio/order_groups/create,status=400,times=1")
    with Run(sandbox, tmp_path / "tape", quoter(sandbox), group_limit=1_000) as run:
        until(lambda: run.desk.fatal, "the refusal")
        assert "the order group of 10 contracts could not be made, so nothing was placed" in run.desk.fatal
        assert run.end() == 2
    assert not any(isinstance(decision.action, Place) for decision in decisions_on(run.tape))
    assert groups_at(sandbox) == []


def test_an_order_group_that_cannot_be_deleted_is_told_and_its_orders_are_gone(sandbox: Floor, tmp_path: Path) -> None:
    with Run(sandbox, tmp_path / "tape", quoter(sandbox), group_limit=1_000) as run:
        run.wait_orders(1)
        (group,) = groups_at(sandbox)
        sandbox.exchange.control("inject", fault=f"http@rest=/portfolio/order_groups/{group},status=401,times=1")
        assert run.end() == 0
    assert any(f"the run's order group {group} could not be deleted" in note for note in run.notes)
    assert sandbox.resting() == []
    with sandbox.account(lambda _call: None) as account:
        account.groups.change(group, "delete")
