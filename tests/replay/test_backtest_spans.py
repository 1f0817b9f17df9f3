"""Parts of tapes: between two instants, or on some days; the venue knows what was before, strategies do not."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final

import pytest
from sample_tapes import MILLI, SECOND, START_NS, Script
from trials import STRATEGIES, VENUE, joiner, made_tape, perform, setup
from typer.testing import CliRunner
from venues import Day

import tapedeck
from core.actions import BookSide, StrategySpec
from core.context import Context
from core.errors import ConfigError
from core.strategy import Strategy
from core.window import Window
from replay import open_tape, synthetic
from replay.backtest.foresight import examine_result
from replay.backtest.proof import repeat
from replay.backtest.result import Result
from replay.backtest.run import backtest
from replay.backtest.setup import setup_of
from replay.backtest.spans import DAY_NS, Span, between, day_ns, days_of, on_days
from replay.hosted import AROUND
from replay.verdicts import foresight_lines

MIDNIGHT: Final = (synthetic.START_NS // DAY_NS + 1) * DAY_NS
DAYS: Final = ("2026-09-21", "2026-09-22")


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some twenty seconds around a midnight."""
    return made_tape(tmp_path_factory.mktemp("spans"), frames=2_000, start_ns=MIDNIGHT - 8 * SECOND)


def decided(result: Result) -> list[int]:
    found: list[int] = result.tables["decisions"].column("at_ns").to_pylist()
    return found


@pytest.mark.parametrize("path", ["columns", "bytes"])
def test_a_run_begins_at_its_instant_in_books_that_are_known(tape: Path, path: str) -> None:
    begin_ns = MIDNIGHT + SECOND // 2
    found = perform(setup(tape, from_ns=begin_ns), path=path)
    assert begin_ns <= decided(found)[0] < begin_ns + SECOND // 4
    assert found.tables["equity"].column("at_ns")[0].as_py() == begin_ns
    assert found.manifest["tapes"][0]["from_ns"] == begin_ns
    assert set(found.tables["orders"].column("trusted").to_pylist()) == {True}
    assert not found.totals["pnl_untrusted"]
    assert any("strategies have seen nothing before it" in said for said in found.manifest["assumptions"])
    other = perform(setup(tape, from_ns=begin_ns), path="bytes" if path == "columns" else "columns", around=AROUND)
    assert other.orders_hash == found.orders_hash


def test_a_run_between_two_instants_is_repeated_and_no_future_changes_it(tape: Path, tmp_path: Path) -> None:
    made = perform(setup(tape, from_ns=MIDNIGHT - 3 * SECOND, until_ns=MIDNIGHT + 3 * SECOND))
    made.write(tmp_path / "r")
    assert setup_of(made.manifest) == setup(tape, from_ns=MIDNIGHT - 3 * SECOND, until_ns=MIDNIGHT + 3 * SECOND)
    assert repeat(tmp_path / "r").equal
    found = examine_result(tmp_path / "r", places=2, seed=3, **AROUND)
    assert (found.causal, len(found.tapes), found.changed) == (True, 1, ())
    assert found.tapes[0].decisions == made.totals["decisions"]


def test_what_the_tape_told_before_the_run_is_known_to_the_venue(tmp_path: Path) -> None:
    """The market has closed before the run begins: the strategy has not heard of it, the venue refuses."""
    day = Day().at(1_000).life("close_date_updated", close_ts=START_NS // SECOND + 2)
    for at_s in range(3, 9):
        day.at(at_s * 1_000).delta("KXTEST-A", "yes", "0.4000", "1.00")
    tape = day.tape(tmp_path / "tape").path
    early = perform(setup(tape, until_ns=START_NS + 1_500 * MILLI))
    late = perform(setup(tape, from_ns=START_NS + 2_500 * MILLI))
    ends = [set(found.tables["orders"].column("end").to_pylist()) for found in (early, late)]
    assert ends == [{"resting"}, {"resting", "refused:MARKET_INACTIVE"}], "resting: on its way when the tape ended"


def test_python_takes_times_as_the_commands_do(tape: Path) -> None:
    given: dict[str, Any] = {"venue": VENUE}
    one = backtest(tape, joiner(), start=MIDNIGHT, end=MIDNIGHT + 4 * SECOND, **given)
    two = backtest(tape, joiner(), start="2026-09-22", end="2026-09-22T00:00:04Z", **given)
    assert one.orders_hash == two.orders_hash
    assert decided(one)
    assert decided(one)[-1] <= MIDNIGHT + 4 * SECOND
    with pytest.raises(ConfigError, match="'noon' is not a time"):
        backtest(tape, joiner(), start="noon", **given)


def test_times_that_no_tape_has_are_refused(tape: Path) -> None:
    for more in ({"from_ns": MIDNIGHT + DAY_NS}, {"until_ns": MIDNIGHT - DAY_NS}, {"days": ("2026-09-23",)}):
        with pytest.raises(ConfigError, match="no tape has anything in the time that is to be played"):
            perform(setup(tape, **more))


def test_the_command_takes_a_beginning_and_an_end(tape: Path) -> None:
    words = ["backtest", f"{STRATEGIES}:Joiner", "--tape", str(tape), "--fees", "quadratic:1", "--ticks", "linear_cent"]
    given = [*words, "--from", "2026-09-22", "--to", "2026-09-22T00:00:04Z", "--json"]
    told = json.loads(CliRunner().invoke(tapedeck.app, given).output)
    assert (told["from_ns"], told["until_ns"]) == (MIDNIGHT, MIDNIGHT + 4 * SECOND)
    wrong = CliRunner().invoke(tapedeck.app, [*words, "--from", "2026-09-22", "--to", "2026-09-21"])
    assert wrong.exit_code == 2


# ------------------------------------------------------------------ days


def test_the_days_of_a_tape_are_those_of_its_frames(tape: Path) -> None:
    assert days_of(open_tape(tape)) == DAYS
    assert day_ns(DAYS[1]) == MIDNIGHT
    with pytest.raises(ConfigError, match="is no UTC day"):
        day_ns("2026-09-31")


def test_days_that_follow_each_other_are_one_stretch_and_the_ends_of_a_tape_are_open(tmp_path: Path) -> None:
    script = Script(start_ns=MIDNIGHT).session().opened().subscribed(1)
    for day in (0, 1, 2, 4):
        script.now_ns = MIDNIGHT + day * DAY_NS + SECOND
        script.snapshot("KXTEST-A", [("0.4000", "1.00")], [])
    tape = script.tape(tmp_path / "tape")
    days = ["2026-09-22", "2026-09-23", "2026-09-24", "2026-09-26"]
    starts = [day_ns(day) for day in days]
    assert days_of(tape) == tuple(days)
    assert on_days(tape, days) == [Span(tape)]
    assert on_days(tape, days[:2]) == [Span(tape, None, starts[2] - 1)]
    assert on_days(tape, [days[1], days[3]]) == [Span(tape, starts[1], starts[2] - 1), Span(tape, starts[3])]
    assert on_days(tape, ["2026-09-25"]) == []
    assert between(Span(tape, 5, 9), 3, 7) == Span(tape, 5, 7)
    assert between(Span(tape, 5, 9), 10, None) is None
    assert between(Span(tape), None, None) == Span(tape)


def test_each_run_of_days_is_a_part_with_the_account_of_the_one_before(tape: Path) -> None:
    whole, first, second = (perform(setup(tape, days=days)) for days in (DAYS, DAYS[:1], DAYS[1:]))
    assert whole.orders_hash == perform(setup(tape)).orders_hash
    assert decided(first)[-1] < MIDNIGHT <= decided(second)[0]
    assert setup_of(first.manifest) == setup(tape, days=DAYS[:1])
    assert "only these UTC days were played" in "".join(first.manifest["assumptions"])


@pytest.mark.slow
def test_causality_of_a_result_covers_all_of_its_tapes(tape: Path, tmp_path: Path) -> None:
    other = made_tape(tmp_path, frames=1_000, seed=6, start_ns=synthetic.START_NS - DAY_NS)
    backtest([tape, other], joiner(size=50), venue=VENUE).write(tmp_path / "r")
    found = examine_result(tmp_path / "r", places=2, seed=3, **AROUND)
    assert [one.tape for one in found.tapes] == [str(other), str(tape)]
    assert found.causal
    told = Result.read(tmp_path / "r").tables["decisions"].column("tape").to_pylist()
    assert [one.decisions for one in found.tapes] == [told.count(0), told.count(1)]


class Fickle(Strategy):
    """On the later tape it orders more each time that it was made."""

    made: ClassVar[list[int]] = []

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self.made.append(1)

    def on_book(self, ctx: Context, market: Window) -> None:
        if not ctx.account.orders(market.market) and market.bid:
            late = ctx.now_ns > MIDNIGHT - DAY_NS // 2
            ctx.place(market.market, BookSide.BID, market.bid, 100 + (len(self.made) if late else 0))


def test_what_changes_on_the_second_tape_alone_is_found(
    tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("backtest_pupils")
    vars(module)["Fickle"] = Fickle
    monkeypatch.setitem(sys.modules, module.__name__, module)
    other = made_tape(tmp_path, frames=1_000, seed=6, start_ns=synthetic.START_NS - DAY_NS)
    backtest([tape, other], StrategySpec("fickle", "backtest_pupils:Fickle"), venue=VENUE).write(tmp_path / "r")
    found = examine_result(tmp_path / "r", places=4, seed=3)
    assert [one.causal for one in found.tapes] == [True, False]
    assert not found.causal
    assert "NOT CAUSAL" in "".join(foresight_lines(found))
