"""Cancelling by REST alone: whose orders, that they are gone, and what is said when that cannot be known."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from live import place
from lives import CALM
from trading_floor import Floor, floor
from writing import session

from capture.tape.writer import TapeWriter
from capture.trading.sweep import cancel_resting, sweep, sweep_lines
from core.actions import RunTerms
from core.answers import OrderAnswer
from core.errors import AuthError, ConfigError, ExchangeError
from core.records import RestCall

pytestmark = pytest.mark.integration

NONCE = session().uuid.replace("-", "")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Floor]:
    with floor(rate=20) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(sandbox: Floor) -> Iterator[None]:
    yield
    sandbox.clear()


def tape_of(floor: Floor, path: Path, environment: str = "") -> Path:
    """A tape on which strategies ran once."""
    where = environment or place(floor.exchange).name
    told = msgspec.structs.replace(session(where), run=msgspec.to_builtins(RunTerms()))
    TapeWriter.create(path, where, told, options=CALM).close()
    return path


def test_by_command_a_tapes_orders_or_any_runs_or_all(sandbox: Floor, tmp_path: Path) -> None:
    tape = tape_of(sandbox, tmp_path / "tape")
    orders = {
        "tape": sandbox.somebody_places(f"td-{NONCE}-1"),
        "run": sandbox.somebody_places(f"td-{'cd' * 16}-1"),
        "hand": sandbox.somebody_places(),
    }
    where, key = place(sandbox.exchange), sandbox.credentials()
    swept = cancel_resting(where, key, tape=tape, everything=False, ca_file=None)
    assert (swept.cancelled, swept.left, swept.untouched) == ((orders["tape"],), (), 2)
    assert set(sandbox.resting()) == {orders["run"], orders["hand"]}
    swept = cancel_resting(where, key, tape=None, everything=False, ca_file=None)
    assert (swept.cancelled, swept.untouched) == ((orders["run"],), 1)
    swept = cancel_resting(where, key, tape=None, everything=True, ca_file=None)
    assert (swept.cancelled, swept.untouched) == ((orders["hand"],), 0)
    assert sandbox.resting() == []
    assert sweep_lines(swept)[0] == "cancelled 1 orders, 0 others were left alone"


def test_a_tape_that_is_none_or_of_elsewhere_is_refused(sandbox: Floor, tmp_path: Path) -> None:
    where, key = place(sandbox.exchange), sandbox.credentials()
    with pytest.raises(ConfigError, match="there is no tape"):
        cancel_resting(where, key, tape=tmp_path / "none", everything=False, ca_file=None)
    with pytest.raises(ConfigError, match="of environment 'prod'"):
        cancel_resting(where, key, tape=tape_of(sandbox, tmp_path / "tape", "prod"), everything=False, ca_file=None)


def is_any(_order: OrderAnswer) -> bool:
    return True


def test_a_listing_that_fails_is_tried_again_and_a_key_that_is_refused_is_not(sandbox: Floor) -> None:
    sandbox.somebody_places()
    calls: list[RestCall] = []
    with sandbox.account(calls.append) as account:
        sandbox.exchange.control("inject", fault="http@rest=/portfolio/orders,status=503")
        swept = sweep(account, is_any, "test", time.monotonic() + 30)
        assert (len(swept.cancelled), swept.left) == (1, ())
        assert next(call.status for call in calls if "status=resting" in call.path) == 503
        sandbox.exchange.control("inject", fault="http@rest=/portfolio/orders,status=401")
        with pytest.raises(AuthError):
            sweep(account, is_any, "test", time.monotonic() + 30)
        sandbox.exchange.control("inject", fault="http@rest=/portfolio/orders,status=503")
        with pytest.raises(ExchangeError):
            sweep(account, is_any, "test", 0.0)


def test_what_cannot_be_cancelled_in_time_is_named(sandbox: Floor) -> None:
    order_id = sandbox.somebody_places()
    with sandbox.account(lambda _call: None) as account:
        sandbox.exchange.control("inject", fault=f"http@rest=/portfolio/events/orders/{order_id},status=503,times=2")
        swept = sweep(account, is_any, "test", 0.0)
    assert swept.cancelled == () and len(swept.left) == 1
    assert order_id in swept.left[0] and sandbox.market in swept.left[0]
    assert sweep_lines(swept)[1].startswith("1 may still rest")


def test_one_empty_listing_is_not_believed(sandbox: Floor) -> None:
    """Reads lag behind writes: an order that was just placed is in no listing yet."""
    looks: list[int] = []

    def places_late(call: RestCall) -> None:
        if "status=resting" in call.path:
            looks.append(call.answer.count("order_id"))
            if len(looks) == 1:
                sandbox.somebody_places()

    with sandbox.account(places_late) as account:
        swept = sweep(account, is_any, "test", time.monotonic() + 30)
    assert looks[0] == 0 < looks[1] and looks[-2:] == [0, 0]
    assert len(swept.cancelled) == 1 and sandbox.resting() == []
