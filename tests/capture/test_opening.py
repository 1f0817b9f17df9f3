"""The account before anything is quoted: read until it stands still, and whose the orders are that rest."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from live import until
from trading_floor import Floor, Run, floor, quoter

from capture.trading import desk, opening
from capture.trading.opening import account_lines, adopted, read_account
from core.errors import AuthError, ConfigError, ExchangeError
from core.records import RestCall

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Floor]:
    with floor() as running:
        yield running


@pytest.fixture(autouse=True)
def clean(sandbox: Floor) -> Iterator[None]:
    yield
    sandbox.clear()


def seconds(sandbox: Floor) -> int:
    return sandbox.venue.now_ns // 10**9


def test_orders_are_the_tapes_own_by_their_ids_alone(sandbox: Floor) -> None:
    nonce = "ab" * 16
    own = sandbox.somebody_places(f"td-{nonce}-7")
    other_run = sandbox.somebody_places(f"td-{'cd' * 16}-7")
    hand = sandbox.somebody_places()
    with sandbox.account(lambda _call: None) as account:
        opened = read_account(account, frozenset({nonce}), lambda: seconds(sandbox))
    assert [order.order_id for order in opened.own] == [own]
    assert {order.order_id for order in opened.foreign} == {other_run, hand}
    assert opened.balance == sandbox.totals()["balance"]
    assert account_lines(opened)[1] == "orders resting: 1 of earlier sessions of this tape, 2 others"
    for adopt in (False, True):
        with pytest.raises(ConfigError, match="--ignore"):
            adopted(opened, adopt=adopt, ignore=False)
    assert adopted(opened, adopt=False, ignore=True) == ()
    assert adopted(opened, adopt=True, ignore=True) == (f"td-{nonce}-7",)


def test_a_balance_that_moves_for_ever_is_refused_and_one_that_moves_once_is_read_again(
    sandbox: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "TRIES", 3)
    moves = 1

    def trade_between(call: RestCall) -> None:
        """Somebody else buys after each of the first reads of the balance."""
        nonlocal moves
        if call.path.endswith("/balance") and moves > 0:
            moves -= 1
            other.create(sandbox.order(f"mover-{moves}", price=9_900, count=1, time_in_force="immediate_or_cancel"))

    with sandbox.account(lambda _call: None) as other, sandbox.account(trade_between) as account:
        opened = read_account(account, frozenset(), lambda: seconds(sandbox))
        assert opened.balance == sandbox.totals()["balance"] and dict(opened.positions)[sandbox.market] == 1
        moves = 100
        with pytest.raises(ConfigError, match="moved during 3 readings"):
            read_account(account, frozenset(), lambda: seconds(sandbox))


@pytest.mark.parametrize(("status", "error"), [(503, ExchangeError), (401, AuthError)])
def test_an_account_that_cannot_be_read_is_no_account(sandbox: Floor, status: int, error: type[Exception]) -> None:
    sandbox.exchange.control("inject", fault=f"http@rest=/portfolio/fills,status={status}")
    with sandbox.account(lambda _call: None) as account, pytest.raises(error):
        read_account(account, frozenset(), lambda: seconds(sandbox))


def test_channels_that_do_not_come_up_end_the_run_before_it_begins(
    sandbox: Floor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "READY_S", 0.2)
    sandbox.exchange.control("inject", fault="hang@upgrade,for=5s")
    with Run(sandbox, tmp_path / "tape", quoter(sandbox)) as run:
        until(lambda: run.desk.fatal, "the refusal")
        assert "were not up within" in run.desk.fatal and "nothing was placed" in run.desk.fatal
        assert run.end() == 2
