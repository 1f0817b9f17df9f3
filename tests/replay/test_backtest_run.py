"""A backtest from tapes to a result: the same however it is run; what cannot be is told in a sentence."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.compute as pc
import pytest
from sample_tapes import SECOND, Script
from seers import needs_numba
from trials import STRATEGIES, VENUE, joiner, made_tape, setup, strategy

from core.actions import RiskLimits, StrategySpec
from core.copies import machine
from core.errors import ConfigError
from replay import synthetic
from replay.backtest.proof import changes, first_difference, repeat
from replay.backtest.result import Result
from replay.backtest.run import backtest, perform
from replay.backtest.setup import setup_of
from replay.backtest.shown import repetition_lines, result_lines
from replay.causality import examine
from replay.hosted import AROUND
from replay.venue.terms import DEFAULT_QUEUE, Latency, VenueTerms

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backtest")


@pytest.fixture(scope="module")
def tape(place: Path) -> Path:
    return made_tape(place)


@pytest.fixture(scope="module")
def later(place: Path) -> Path:
    return made_tape(place, frames=3_000, seed=6, start_ns=synthetic.START_NS + 86_400 * SECOND)


@pytest.fixture(scope="module")
def result(tape: Path) -> Result:
    return perform(setup(tape))


def words(result: Result) -> str:
    return "\n".join(result_lines(result))


def test_a_strategy_trades_and_its_account_adds_up(result: Result) -> None:
    sums, equity = result.totals, result.tables["equity"]
    assert sums["orders"] > 20
    assert sums["fills"] > 5
    assert sums["pnl"] == sums["pnl_trusted"] + sums["pnl_untrusted"]
    assert equity.column("equity")[-1].as_py() == sums["start_cash"] + sums["pnl"]
    assert sums["fees"] > 0
    bought = pc.sum(result.tables["markets"].column("bought")).as_py()
    sold = pc.sum(result.tables["markets"].column("sold")).as_py()
    assert bought + sold == sums["contracts"]
    assert "quadratic_with_maker_fees:1 (supposed)" in result.tables["markets"].column("fee_terms").to_pylist()
    assert any(f"queue model {DEFAULT_QUEUE}" in said for said in result.manifest["assumptions"])


def test_fills_come_after_arrival_and_what_the_strategy_heard_is_later_by_the_latency(result: Result) -> None:
    arrived = {row["client_order_id"]: row for row in result.tables["orders"].to_pylist()}
    for fill in result.tables["fills"].to_pylist():
        order = arrived[fill["client_order_id"]]
        assert fill["at_ns"] >= order["arrived_ns"] >= order["decided_ns"] + 50_000_000
        assert fill["told_ns"] >= fill["at_ns"] + 50_000_000


def test_both_paths_and_a_second_run_make_the_same_tables(tape: Path, result: Result) -> None:
    by_bytes = perform(setup(tape), path="bytes", around=AROUND)
    assert first_difference(result, by_bytes, "bytes") is None
    assert first_difference(result, perform(setup(tape)), "columns") is None
    assert by_bytes.manifest == result.manifest


def test_another_queue_latency_or_seed_of_dice_is_another_backtest(tape: Path, result: Result) -> None:
    others = [
        msgspec.structs.replace(VENUE, queue="optimistic@1"),
        msgspec.structs.replace(VENUE, latency=Latency(order_ns=900_000_000)),
    ]
    assert result.orders_hash not in [perform(setup(tape, venue=venue)).orders_hash for venue in others]


def test_tapes_are_played_in_order_of_time_whatever_their_order_and_share_the_cash(tape: Path, later: Path) -> None:
    one, two = perform(setup(tape, later)), perform(setup(later, tape))
    assert one.orders_hash == two.orders_hash
    assert [told["path"] for told in one.manifest["tapes"]] == [str(tape), str(later)]
    rows = one.tables["equity"].to_pylist()
    first, second = [[row for row in rows if row["tape"] == number] for number in (0, 1)]
    assert second[0]["equity"] == first[-1]["equity"]
    assert second[0]["value"] == first[-1]["value"]
    assert any("cash goes on" in said for said in one.manifest["assumptions"])


def test_backtests_at_the_same_time_come_out_the_same(tape: Path, result: Result) -> None:
    code = (
        "import sys; from pathlib import Path; from trials import setup; from replay.backtest.run import perform; "
        "print(perform(setup(Path(sys.argv[1]))).orders_hash)"
    )

    def run(hash_seed: str) -> str:
        places = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": places}
        done = subprocess.run(
            [sys.executable, "-c", code, str(tape)], env=env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(run, ("1", "99"))) == {result.orders_hash}


def test_a_result_is_repeated_from_its_directory_and_a_difference_is_named(
    tape: Path, result: Result, tmp_path: Path
) -> None:
    result.write(tmp_path / "r")
    found = repeat(tmp_path / "r")
    assert found.equal
    assert set(found.repeated_hashes.values()) == {result.orders_hash}
    assert len(set(found.hash_seeds)) == 2
    assert "equal" in next(repetition_lines(found))
    changed = perform(setup(tape, strategies=(joiner(size=200),)))
    parting = first_difference(result, changed, "columns")
    assert parting is not None
    assert (parting.table, parting.fields) == ("decisions", ("action",))
    assert parting.recorded is not None
    lines = "\n".join(repetition_lines(msgspec.structs.replace(found, equal=False, first_difference=parting)))
    assert f"table decisions, row {parting.row}: action" in lines


def test_what_is_another_now_is_said(tape: Path, result: Result) -> None:
    other = {**result.manifest, "tapes": [{**result.manifest["tapes"][0], "digest": "x"}]}
    other["strategies"] = [{**result.manifest["strategies"][0], "code": "y"}]
    assert list(changes(Result(result.tables, other))) == [
        f"tape {tape} holds something else now", "the code of strategy Joiner is another now",
    ]  # fmt: skip
    assert list(changes(result)) == []


def test_what_a_result_was_made_of_can_be_read_from_it(tape: Path, result: Result) -> None:
    assert setup_of(json.loads(json.dumps(result.manifest))) == setup(tape)


def test_the_future_changes_neither_decisions_nor_fills_before_it(tape: Path) -> None:
    from replay import open_tape

    found = examine(open_tape(tape), (joiner(),), places=4, staged={"venue": VENUE, "seed": 3}, **AROUND)
    assert found.causal
    assert found.decisions > 100
    assert len(found.trials) == 8


def test_markets_are_selected_by_pattern_for_those_who_quote_what_is_selected(tape: Path) -> None:
    maker = strategy("strategies.market_maker:MarketMaker", half_spread=30, edge=1, pace_ms=50)
    idle = perform(setup(tape, strategies=(maker,)))
    assert idle.totals["orders"] == 0
    assert "select some: --market '*'" in words(idle)
    found = perform(setup(tape, strategies=(maker,), markets=("*",)))
    selected = [row for row in found.tables["decisions"].to_pylist() if row["do"] == "select"]
    assert selected[0]["strategy"] == "markets"
    assert found.totals["decisions"] > idle.totals["decisions"]


# ------------------------------------------------------------------ bad input


def test_a_strategy_that_never_trades_is_said_in_words_and_divides_nothing(tape: Path) -> None:
    found = perform(setup(tape, strategies=(strategy(f"{STRATEGIES}:Idler"),)))
    assert (found.totals["fills"], found.totals["pnl"]) == (0, 0)
    assert "no order was placed in 1 decisions" in words(found)
    assert "it said: nothing to do" in words(found)
    assert "nothing traded" in words(found)


@needs_numba
def test_a_glance_that_could_not_be_compiled_is_named_with_the_reason(tape: Path) -> None:
    machine(is_compiled=True)
    said = words(perform(setup(tape, strategies=(strategy("pupils:Wordy"),))))
    assert "a glance could not be compiled, so it is slow: " in said
    assert "Error" in said
    assert "a glance" not in words(perform(setup(tape, strategies=(strategy("pupils:Quoter"),))))


def test_limits_that_refuse_everything_are_named(tape: Path) -> None:
    found = perform(setup(tape, limits=RiskLimits(order=1)))
    assert "refused by the run's limits" in words(found)
    assert found.totals["orders"] == 0


def test_a_strategy_that_fails_is_named_and_keeps_what_it_did_before(tape: Path) -> None:
    found = perform(setup(tape, strategies=(joiner(fails_after=5),)))
    assert found.totals["orders"] == 4
    assert "RuntimeError: as it was told to" in words(found)
    assert found.totals["failed"] == 1


def test_an_empty_tape_has_a_result_that_says_so(tmp_path: Path) -> None:
    path = Script().tape(tmp_path / "empty").path
    found = perform(setup(path))
    assert f"the tape {path} is empty" in words(found)
    assert (found.totals["pnl"], found.tables["equity"].num_rows) == (0, 0)
    found.write(tmp_path / "r")
    assert repeat(tmp_path / "r").equal
    silent = perform(setup(Script().session().opened().stop().tape(tmp_path / "silent").path, markets=("KX*",)))
    assert "no market was selected: the tapes hold no price of one that fits" in words(silent)


def test_gaps_everywhere_are_profit_in_doubt(tmp_path: Path) -> None:
    script = Script(step_ns=20_000_000).session().opened().subscribed(1).subscribed(2, "trade")
    for turn in range(60):
        script.snapshot("KXTEST-A", [("0.4000", "10.00")], [("0.5000", "7.00")])
        script.delta("KXTEST-A", "yes", "0.4000", "1.00").trade("KXTEST-A", "0.5100", "50.00").wait(300_000_000)
        script.skip(2).delta("KXTEST-A", "yes", f"0.{3900 - turn:04d}", "1.00").wait(SECOND)
    found = perform(setup(script.stop().tape(tmp_path / "gaps").path))
    assert found.totals["pnl"] == found.totals["pnl_trusted"] + found.totals["pnl_untrusted"]
    assert found.totals["fills"] > 0
    assert "a book of it was in doubt" in words(found)
    assert found.tables["spans"].num_rows >= 60


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tapes": ()}, "a backtest needs a tape"),
        ({"strategies": ()}, "a backtest needs a strategy"),
        ({"venue": VenueTerms(queue="best@9")}, "queue model 'best@9' is none of pessimistic@1"),
        ({"venue": VenueTerms(cash=0)}, "cash 0 dollars is nothing to trade with"),
        ({"venue": VenueTerms(latency=Latency(order_ns=-1))}, "latency order of -1 ns is before its cause"),
        ({"venue": VenueTerms(fees="0.07", ticks="linear_cent")}, "fees '0.07' is no fee_type:multiplier"),
        ({"venue": VenueTerms(fees="quadratic:1", ticks="cents")}, "ticks 'cents' is none of"),
        ({"venue": VenueTerms()}, "say what to suppose, such as"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(tape: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        perform(msgspec.structs.replace(setup(tape), **change))


def test_a_tape_named_twice_two_strategies_of_a_name_and_a_market_that_is_absent(tape: Path) -> None:
    with pytest.raises(ConfigError, match="a tape is named twice"):
        perform(setup(tape, tape))
    with pytest.raises(ConfigError, match="two strategies have the same name: Joiner, Joiner"):
        perform(setup(tape, strategies=(joiner(), joiner(size=5))))
    for absent in ("KXNONE-1", "KXNONE-*"):
        with pytest.raises(
            ConfigError, match=rf"no market of the tapes fits {re.escape(absent)}; there are \d+ markets"
        ):
            perform(setup(tape, markets=(absent,)))
        some = perform(setup(tape, markets=(absent, "*")))
        assert f"no market of the tapes fits {absent}" in words(some)


def test_the_python_face_takes_paths_and_names(tape: Path, result: Result) -> None:
    found = backtest(tape, f"{STRATEGIES}:Joiner", venue=VENUE)
    assert found.orders_hash == result.orders_hash


def test_a_manifest_is_the_same_before_it_is_written_and_after(tape: Path, tmp_path: Path) -> None:
    maker = StrategySpec("maker", "strategies.market_maker:MarketMaker", {"markets": ("A", "B")})
    made = perform(setup(tape, strategies=(maker,)))
    made.write(tmp_path / "r")
    assert Result.read(tmp_path / "r").manifest == made.manifest
