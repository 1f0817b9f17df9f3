"""`tapedeck run` and `cancel-all` as traders use them: processes, signals, exit codes, and what is refused at once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from console import Cli, assert_refused, console
from live import place, until
from recorded_exchange import PATIENCE_S, ROOT
from trading_floor import Floor, assert_replays, decisions_on, floor, paper_events_on, records_of
from writing import session

from capture.tape.writer import TapeWriter
from core.actions import Place, RunTerms
from core.records import Kind
from tapedeck_cast import specify
from tapedeck_run import impurity_lines

pytestmark = pytest.mark.integration

cli = pytest.fixture(console)

STRATEGIES = str(ROOT / "tests" / "floor_strategies.py")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Floor]:
    with floor() as running:
        yield running


@pytest.fixture(autouse=True)
def clean(sandbox: Floor) -> Iterator[None]:
    yield
    sandbox.clear()


def url_of(sandbox: Floor) -> str:
    return place(sandbox.exchange).name


class Running:
    """`tapedeck run` as a process of its own; a context manager that leaves none behind."""

    def __init__(self, sandbox: Floor, tape: Path, *arguments: str, strategy: str = f"{STRATEGIES}:Quoter") -> None:
        command = [sys.executable, "-m", "tapedeck", "run", strategy, "--env", url_of(sandbox), "--out", str(tape)]
        self.process = subprocess.Popen(
            [*command, "--json", "--set", f"markets={sandbox.market}", *arguments],
            cwd=ROOT,
            env={**os.environ, **sandbox.exchange.environ()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Until the condition holds; AssertionError with what was complained of when the process ended before."""
        until(lambda: condition() or self.process.poll() is not None, what)
        assert self.process.poll() is None, self.ended()

    def ended(self) -> tuple[int, list[dict[str, Any]], str]:
        """Exit code, lines and complaints."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()], err


def test_a_signal_leaves_no_order_of_the_run_and_all_others(sandbox: Floor, tmp_path: Path) -> None:
    others = sandbox.somebody_places()
    with Running(sandbox, tmp_path / "tape", "--set", "orders=2", "--ignore") as run:
        run.wait(lambda: len(sandbox.resting()) == 3, "two orders")
        run.process.send_signal(signal.SIGTERM)
        code, lines, err = run.ended()
    assert (code, err) == (0, "")
    assert sandbox.resting() == [others]
    notes = [line["note"] for line in lines if "note" in line]
    assert any("no real money" in note for note in notes) and any("worst case: $50 lost" in note for note in notes)
    stopped = lines[-1]["stopped"]
    assert stopped["trading"]["strategies"] == ["Quoter"] and stopped["trading"]["orders"] == 0
    assert stopped["markets"] == 1
    assert_replays(tmp_path / "tape", 4)


def test_after_a_kill_orders_end_by_themselves_and_the_next_run_asks_whose_they_are(tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    with floor(rate=20) as sandbox:  # of its own, for its clock is moved
        with Running(sandbox, tape, "--order-life", "60") as run:
            run.wait(lambda: len(sandbox.resting()) == 1, "an order")
            run.process.kill()
            run.process.communicate()
        with Running(sandbox, tape) as run:
            code, _, err = run.ended()
        assert code == 2 and err.count("\n") == 1
        assert f"1 orders of earlier sessions of this tape still rest ({sandbox.market} yes 1.00 at 0.0100)" in err
        assert len(sandbox.resting()) == 1
        sandbox.exchange.control("advance", seconds=61)
        assert sandbox.resting() == []
    keys = [d.action.client_order_id for d in decisions_on(tape) if isinstance(d.action, Place)]
    assert len(keys) == 1, "the second run has placed nothing"


@pytest.mark.slow
def test_a_strategy_that_raises_makes_exit_code_1(sandbox: Floor, tmp_path: Path) -> None:
    with Running(sandbox, tmp_path / "tape", "--set", "deed=boom", "--for", "3") as run:
        code, lines, err = run.ended()
    assert code == 1 and "a strategy failed" in err
    notes = [line["note"] for line in lines if "note" in line]
    assert "FAILED strategy Quoter: on_order: RuntimeError: boom" in notes
    assert sandbox.resting() == []
    frames = records_of(tmp_path / "tape", Kind.FRAME)
    fault = records_of(tmp_path / "tape", Kind.FAULT)[0]
    assert frames[-1].seq > fault.seq + 20, "recording went on"


@pytest.mark.slow
def test_paper_places_nothing_and_replays(sandbox: Floor, tmp_path: Path) -> None:
    before = sandbox.totals()
    tape = tmp_path / "tape"
    with Running(sandbox, tape, "--paper", "--for", "4", strategy=f"{STRATEGIES}:Joiner") as run:
        code, _, err = run.ended()
    assert (code, err) == (0, "")
    assert sandbox.totals() == before
    assert any(isinstance(decision.action, Place) for decision in decisions_on(tape))
    assert paper_events_on(tape), "orders have ended or filled"
    assert_replays(tape)


@pytest.fixture
def asked(sandbox: Floor, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs a command that must be refused before anything: no tape is made, and nothing asked."""
    for name, value in sandbox.exchange.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT)

    def ask(*arguments: object, words: tuple[str, ...], env: str = "") -> None:
        where = ("--env", env or url_of(sandbox), "--out", tmp_path / "tape")
        assert_refused(cli("run", *arguments, *where), *words)
        assert not (tmp_path / "tape").exists()

    calls = sandbox.exchange.control("stats")
    yield ask
    assert sandbox.exchange.control("stats") == calls


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody",), ("'nobody' names no strategy",)),
        (("no.such.module:Class",), ("there is no module", "no")),
        (("strategies.market_maker:Taker",), ("there is no Taker", "MarketMaker")),
        (("core.money:DOLLAR",), ("DOLLAR is no",)),
        (("market-maker", "--set", "markets"), ("--set 'markets'", "parameter=value")),
        (("market-maker", "--set", "colour=red"), ("no parameter 'colour'",)),
        ((f"{STRATEGIES}:Quoter", "--set", "price=dear"), ("price='dear'", "int")),
        ((f"{STRATEGIES}:Unmakeable",), ("making it raised ValueError: no such luck",)),
        (("market-maker", "market-maker"), ("market-maker is named twice",)),
        (("market-maker", "--params", "/dev/null/x"), ("--params /dev/null/x",)),
        (("market-maker", "--live-orders"), ("--live-orders is for a production environment",)),
        (("market-maker", "--max-order", "inf"), ("no limit",)),
        (("market-maker", "--group-limit", "5", "--paper"), ("--group-limit", "order groups", "--paper has not")),
        (("market-maker", "--group-limit", "0.001"), ("--group-limit 0.001", "smallest size")),
        (("market-maker", "--ca-file", "/no/such/file"), ("there is no such file",)),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_before_anything(asked: Any, arguments: tuple[str, ...], words: Any) -> None:
    asked(*arguments, words=words)


def test_real_money_needs_to_be_said(asked: Any) -> None:
    asked("market-maker", words=("trades real money", "--live-orders", "--paper"), env="prod")
    asked("market-maker", "--live-orders", "--paper", words=("--live-orders is for",), env="prod")


def test_a_tape_or_a_key_of_another_environment_is_refused(
    sandbox: Floor, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sandbox.exchange.environ().items():
        monkeypatch.setenv(name, value)
    run = ("run", f"{STRATEGIES}:Quoter", "--env", url_of(sandbox), "--out")
    TapeWriter.create(tmp_path / "prod", "prod", session("prod")).close()
    before = sorted(path.name for path in (tmp_path / "prod").rglob("*"))
    refused = cli(*run, tmp_path / "prod")
    assert refused.code == 2 and "is a tape of environment 'prod'" in refused.err
    assert sorted(path.name for path in (tmp_path / "prod").rglob("*")) == before
    monkeypatch.setenv("KALSHI_ACCESS_KEY", "00000000-0000-4000-8000-000000000000")
    refused = cli(*run, tmp_path / "tape")
    assert refused.code == 2 and "refused the key" in refused.err and refused.err.count("\n") == 1
    assert not (tmp_path / "tape").exists()


def test_cancel_all_says_what_it_did_by_its_exit_code(
    sandbox: Floor, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sandbox.exchange.environ().items():
        monkeypatch.setenv(name, value)
    sandbox.somebody_places()
    env = ("cancel-all", "--env", url_of(sandbox))
    assert cli(*env, "--json").json == {"cancelled": [], "left": [], "untouched": 1}
    assert_refused(cli(*env, "--tape", tmp_path / "none"), "there is no tape")
    assert_refused(cli(*env, "--tape", tmp_path, "--everything"), "contradict")
    done = cli(*env, "--everything")
    assert (done.code, done.err) == (0, "") and done.out.startswith("cancelled 1 orders")
    assert sandbox.resting() == []
    sandbox.exchange.control("inject", fault="http@rest=/portfolio/orders,status=404,times=0")
    try:
        monkeypatch.setattr("capture.trading.sweep.PATIENCE_S", 0.0)
        failed = cli(*env)
        assert failed.code == 1 and "orders may still rest" in failed.err
    finally:
        sandbox.exchange.control("clear")


def test_what_a_replay_may_not_repeat_is_said_before_the_run() -> None:
    said = impurity_lines(RunTerms(specify([f"{ROOT / 'tests' / 'pupils_impure.py'}:ReadsClock"], [], None)))
    assert any("pupils_impure.py" in line and "imports time" in line for line in said)
    assert impurity_lines(RunTerms(specify(["scanner", "market-maker"], [], None))) == []
