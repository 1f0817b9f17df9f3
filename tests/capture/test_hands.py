"""Hands against a sandbox exchange: what is sent, what is not, and the one OUTCOME of each decision."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from live import until
from lives import CALM
from trading_floor import Floor, floor, outcomes_on
from writing import ENOSPC, FaultyDisk, session

from capture.account_api import AccountApi
from capture.tape.writer import TapeWriter
from capture.trading.hands import Hands
from core.actions import Action, Amend, BookSide, Cancel, Decision, Done, Fetch, Outcome, Place
from core.records import RestCall

pytestmark = pytest.mark.integration

LAG_NS: Final = 1_000


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Floor]:
    with floor(rate=20) as running:
        yield running


class Handed:
    """Hands with a tape, an account, and a clock that stands at `now_ns`."""

    def __init__(self, floor: Floor, account: AccountApi, path: Path, calls: list[RestCall]) -> None:
        self.now_ns = 0
        self.calls = calls
        self.path = path
        self.disk = FaultyDisk()
        self.writer = TapeWriter.create(path, "demo", session(), options=CALM, disk=self.disk)
        self.hands = Hands(account, self.writer, max_lag_ns=LAG_NS, mono_ns=lambda: self.now_ns)
        self._floor = floor
        self._count = 0
        self.hands.start()

    def do(self, *actions: Action, cause_ns: int = 0) -> list[Outcome]:
        """What became of these, done one after another."""
        before = len(outcomes_on(self.path))
        for action in actions:
            self._count += 1
            self.hands.take(Decision(self._count, 0, 0, "a", action), cause_ns)
            until(lambda: not self.hands.under_way, "the outcome")
        return outcomes_on(self.path)[before:]

    def place(self, key: str, **changes: object) -> Place:
        """A small order far from the market."""
        given: dict[str, Any] = {"market": self._floor.market, "side": BookSide.BID, "price": 100, "count": 100}
        return Place(**given | {"client_order_id": key} | changes)


@pytest.fixture
def handed(sandbox: Floor, tmp_path: Path) -> Iterator[Handed]:
    calls: list[RestCall] = []
    with sandbox.account(calls.append) as account:
        found = Handed(sandbox, account, tmp_path / "tape", calls)
        yield found
        found.hands.stop(5.0)
        found.writer.close()
        sandbox.clear()


def test_an_order_is_placed_amended_and_cancelled(sandbox: Floor, handed: Handed) -> None:
    (placed,) = handed.do(handed.place("a1"))
    assert (placed.done, placed.status, placed.filled, placed.remaining) == (Done.DONE, 201, 0, 100)
    assert sandbox.resting() == [placed.order_id]
    key: dict[str, Any] = {"market": sandbox.market, "client_order_id": "a1", "order_id": placed.order_id}
    amended, cancelled, gone = handed.do(
        Amend(**key, side=BookSide.BID, price=200, count=300), Cancel(**key), Cancel(**key)
    )
    assert (amended.done, amended.order_id) == (Done.DONE, placed.order_id)
    assert (cancelled.done, cancelled.remaining) == (Done.DONE, 300)
    assert (gone.done, gone.status) == (Done.REFUSED, 404)
    assert sandbox.resting() == []


def test_the_terms_of_an_order_reach_the_exchange_in_its_words(handed: Handed) -> None:
    far: dict[str, Any] = {"post_only": False, "ioc": True}
    killed, reduced, own = handed.do(
        handed.place("e1", **far, fok=True), handed.place("e2", **far, reduce_only=True),
        handed.place("e3", **far, cancels_own=True),
    )  # fmt: skip
    bodies = [json.loads(call.body) for call in handed.calls if call.method == "POST"][-3:]
    assert [body["time_in_force"] for body in bodies] == ["fill_or_kill", *["immediate_or_cancel"] * 2]
    assert [body.get("reduce_only", False) for body in bodies] == [False, True, False]
    assert [body["self_trade_prevention_type"] for body in bodies] == ["taker_at_cross", "taker_at_cross", "maker"]
    assert not [body for body in bodies if body.get("cancel_order_on_pause") or body.get("expiration_time")]
    assert (killed.done, killed.code) == (Done.REFUSED, "fill_or_kill_insufficient_resting_volume")
    assert [(one.done, one.filled, one.remaining) for one in (reduced, own)] == [(Done.DONE, 0, 0)] * 2


def test_orders_carry_the_runs_group_which_the_exchange_ends_and_refuses(sandbox: Floor, handed: Handed) -> None:
    with sandbox.account(lambda _call: None) as account:
        group = account.groups.create(100)
        outside, *_ = handed.do(handed.place("g1"))
        handed.hands.group_id = group
        first, second = handed.do(handed.place("g2"), handed.place("g3"))
        assert sorted(account.groups.orders(group)) == sorted([first.order_id, second.order_id])
        account.groups.change(group, "trigger")
        assert sandbox.resting() == [outside.order_id]
        assert handed.hands.declined == 0
        (refused,) = handed.do(handed.place("g4"))
        assert handed.hands.declined == 1
        account.groups.change(group, "delete")
    assert (refused.done, refused.status, refused.code) == (Done.REFUSED, 409, "order_group_triggered")
    bodies = [json.loads(call.body) for call in handed.calls if call.method == "POST"][-4:]
    assert [body.get("order_group_id", "") for body in bodies] == ["", *[group] * 3]


def test_orders_that_are_late_are_not_sent_and_cancels_are(sandbox: Floor, handed: Handed) -> None:
    handed.now_ns = LAG_NS
    (placed,) = handed.do(handed.place("b1"), cause_ns=0)  # just in time
    handed.now_ns = LAG_NS + 1
    sent = len(handed.calls)
    key: dict[str, Any] = {"market": sandbox.market, "client_order_id": "b1", "order_id": placed.order_id}
    late = handed.do(handed.place("b2"), Amend(**key, side=BookSide.BID, price=200, count=300))
    assert [(o.done, o.code, o.status) for o in late] == [(Done.REFUSED, "stale", 0)] * 2
    assert len(handed.calls) == sent and (handed.hands.refused_stale, handed.hands.declined) == (2, 0)
    assert [o.done for o in handed.do(Cancel(**key))] == [Done.DONE]
    assert sandbox.resting() == []


@pytest.mark.parametrize(
    ("status", "done"), [(400, Done.REFUSED), (401, Done.REFUSED), (408, Done.FAILED), (500, Done.FAILED)]
)
def test_only_a_clear_no_is_a_refusal(sandbox: Floor, handed: Handed, status: int, done: Done) -> None:
    sandbox.exchange.control("inject", fault=f"http@rest=/portfolio/events/orders,status={status}")
    (outcome,) = handed.do(handed.place(f"c{status}"))
    assert (outcome.done, outcome.status) == (done, status)
    assert outcome.reason


def test_an_id_that_exists_already_leaves_the_order_in_doubt(handed: Handed) -> None:
    first, second = handed.do(handed.place("d1"), handed.place("d1"))
    assert first.done is Done.DONE
    assert (second.done, second.status, second.code) == (Done.FAILED, 409, "order_already_exists")


def test_a_request_that_no_one_answers_is_in_doubt(sandbox: Floor, handed: Handed) -> None:
    handed.hands._account.client.abort()
    (placed, cancelled) = handed.do(handed.place("e1"), Cancel(market="M", client_order_id="e0", order_id="x"))
    assert [(o.done, o.status) for o in (placed, cancelled)] == [(Done.FAILED, 0)] * 2
    assert sandbox.resting() == []


def test_a_fetch_is_asked_as_it_was_decided(handed: Handed) -> None:
    done, failed = handed.do(Fetch("/exchange/status", (("a", "1"),)), Fetch("/no/such/path"))
    assert (done.done, failed.done, failed.status) == (Done.DONE, Done.REFUSED, 404)
    assert [(call.path, call.why) for call in handed.calls[:1]] == [("/trade-api/v2/exchange/status?a=1", "decision 1")]


def test_an_outcome_that_the_disk_refuses_comes_later_and_holds_up_no_cancel(sandbox: Floor, handed: Handed) -> None:
    (placed,) = handed.do(handed.place("f1"))
    handed.disk.always["write"] = ENOSPC
    cancel = Cancel(market=sandbox.market, client_order_id="f1", order_id=placed.order_id)
    assert handed.do(handed.place("f2"), cancel) == []
    assert len(sandbox.resting()) == 1 and placed.order_id not in sandbox.resting()
    handed.disk.always.clear()
    until(lambda: len(outcomes_on(handed.path)) == 3, "what is owed")
    assert [(o.decision, o.done) for o in outcomes_on(handed.path)[1:]] == [(2, Done.DONE), (3, Done.DONE)]


def test_what_is_decided_after_the_end_is_told_as_not_done(handed: Handed) -> None:
    assert handed.hands.stop(5.0)
    (outcome,) = handed.do(handed.place("g1"))
    assert (outcome.done, outcome.code) == (Done.REFUSED, "stopped")
