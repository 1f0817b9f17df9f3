"""`tapedeck backtest`, and `parity` and `causality` of its result, as a user types them."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from trials import STRATEGIES, made_tape
from typer.testing import CliRunner, Result

import tapedeck
from core.errors import ConfigError
from replay.backtest.result import Result as Backtest
from replay.venue.terms import DEFAULT_QUEUE, Latency
from tapedeck_backtest import backtest, latency_of, sweep, venue_terms

SUPPOSED = ("--fees", "quadratic:1", "--ticks", "linear_cent")


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(made_tape(tmp_path_factory.mktemp("command"), frames=2_500))


def run(*words: str) -> Result:
    return CliRunner().invoke(tapedeck.app, list(words))


def joiner(**params: int) -> list[str]:
    return [f"{STRATEGIES}:Joiner", *(word for name, value in params.items() for word in ("--set", f"{name}={value}"))]


def test_a_backtest_is_shown_kept_and_repeated(tape: str, tmp_path: Path) -> None:
    out = str(tmp_path / "r")
    shown = run("backtest", *joiner(size=50), "--tape", tape, *SUPPOSED, "--cash", "500", "--out", out)
    assert shown.exit_code == 0, shown.output
    result = Backtest.read(Path(out))
    assert f"orders hash  {result.orders_hash}" in shown.output
    assert (result.manifest["start_cash"], result.totals["start_cash"]) == (500_000_000, 500_000_000)
    assert f"${result.totals['pnl'] / 1e6:,.4f}".replace("$-", "-$") in shown.output
    assert result.manifest["strategies"][0]["params"]["size"] == 50
    again = run("parity", out)
    assert (again.exit_code, again.output.split()[0]) == (0, "equal")
    causal = run("causality", out, "--places", "2", "--json")
    assert (causal.exit_code, json.loads(causal.output)["causal"]) == (0, True)
    taken = run("backtest", *joiner(), "--tape", tape, *SUPPOSED, "--out", out)
    assert isinstance(taken.exception, ConfigError)
    assert "exists already and is not empty" in str(taken.exception)


def test_json_is_the_manifest(tape: str) -> None:
    told = json.loads(run("backtest", *joiner(), "--tape", tape, *SUPPOSED, "--json").output)
    assert told["schema"] == 1
    assert told["totals"]["orders"] > 0
    assert told["venue"]["latency"] == {
        "feed_ns": 0,
        "order_ns": 50_000_000,
        "answer_ns": 50_000_000,
        "is_drawn": False,
    }


def test_a_strategy_that_fails_is_exit_code_1(tape: str) -> None:
    failed = run("backtest", *joiner(fails_after=3), "--tape", tape, *SUPPOSED)
    assert failed.exit_code == 1
    assert "RuntimeError: as it was told to" in failed.output


def test_latency_is_read_as_it_is_written() -> None:
    assert latency_of("recorded") == Latency(is_drawn=True)
    assert latency_of("order=5ms") == Latency(0, 5_000_000, 50_000_000)
    assert latency_of("feed=1s, answer=0,order=0") == Latency(1_000_000_000, 0, 0)
    for wrong in ("50ms", "order=fast", "order=1ms,order=2ms", "wire=1ms", "order=-5ms", ""):
        with pytest.raises(ConfigError, match="write recorded, or feed="):
            latency_of(wrong)


@pytest.mark.parametrize("cash", [0.0, -5.0, 1e9, float("nan"), float("inf")])
def test_cash_that_is_none_is_refused(cash: float) -> None:
    with pytest.raises(ConfigError, match="give dollars above 0 and below"):
        venue_terms(queue="power@1", latency="order=1ms", fees="", ticks="", cash=cash)


@pytest.mark.parametrize("command", [backtest, sweep])
def test_the_queue_of_the_commands_is_the_default_one(command: Callable[..., object]) -> None:
    assert inspect.signature(command).parameters["queue"].default == DEFAULT_QUEUE
