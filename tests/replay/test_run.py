"""A replay's figures, and the two paths held against each other."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from lived import lived
from sample_tapes import MILLI, SECOND, START_NS, Script, make_tape, story

from capture.tape.typed import columns_of
from core.columns import Columns, Numbers
from core.errors import ConfigError
from core.records import Kind, Record, encode_payload
from core.state import decision_digest
from replay import Player, feed, hosted, player, run
from replay.run import Span, compare
from replay.run import run as run_span


@pytest.mark.parametrize("path", player.PATHS)
def test_figures_are_those_of_the_whole_tape(tmp_path: Path, path: str) -> None:
    script = story()
    tape = script.tape(tmp_path / "tape", segment_records=40)
    result = run_span(tape, path, Span())
    whole = Player(tape)
    whole.advance()
    assert result.path == path
    assert result.records == len(script.records)
    assert result.frames == sum(record.kind == Kind.FRAME for record in script.records)
    assert result.state_digest == whole.state_digest()
    assert result.decision_digest == whole.decision_digest()
    assert result.gaps == 2
    assert result.rejected == {}
    assert result.wall_s > 0
    assert result.frames_per_s == pytest.approx(result.frames / result.wall_s, rel=0.01)


def test_rejections_are_counted_by_reason(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed().delta("KXTEST-A", "yes", "0.4000", "1.00")
    result = run_span(script.tape(tmp_path / "tape"), "bytes", Span())
    assert sum(result.rejected.values()) == 1


@pytest.mark.parametrize("path", player.PATHS)
def test_a_span_counts_its_own_records_on_the_state_before_it(tmp_path: Path, path: str) -> None:
    script = story()
    tape = script.tape(tmp_path / "tape", segment_records=40)
    span = Span(START_NS + 20 * MILLI, START_NS + 29 * MILLI)
    result = run_span(tape, path, span)
    assert (result.records, result.frames, result.gaps) == (10, 10, 0)
    whole = Player(tape)
    whole.advance(until_ns=span.to_ns)
    assert result.state_digest == whole.state_digest()


def test_a_span_after_the_end_is_empty(tmp_path: Path) -> None:
    result = run_span(story().tape(tmp_path / "tape"), "bytes", Span(START_NS + 3_600 * SECOND))
    assert (result.records, result.frames) == (0, 0)


def test_progress_is_told_in_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PROGRESS_RECORDS", 50)
    script = story()
    seen: list[tuple[int, int]] = []
    run_span(script.tape(tmp_path / "tape"), "bytes", Span(), lambda done, total: seen.append((done, total)))
    count = len(script.records)
    assert seen == [(done, count) for done in range(50, count + 1, 50)]


@pytest.mark.parametrize("every", [1, 7, 1_000])
def test_both_paths_are_equal_throughout(tmp_path: Path, every: int) -> None:
    tape = story(rounds=10).tape(tmp_path / "tape", segment_records=20)
    comparison = compare(tape, Span(), every=every)
    assert comparison.equal
    assert comparison.by_bytes.state_digest == comparison.by_columns.state_digest
    assert comparison.by_bytes.records == comparison.by_columns.records == tape.head_seq + 1
    assert comparison.as_json()["path"] == "both"
    assert comparison.as_json()["equal"] is True


def test_the_first_stretch_that_differs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column path that reads one price wrongly must be caught, and the place found."""
    script = story()
    wrong = next(r.seq for r in script.records[60:] if b'"orderbook_delta"' in r.payload)
    honest = columns_of

    def altered(table: Any) -> Columns:
        columns, row = honest(table), wrong - table.column("seq")[0].as_py()
        if not 0 <= row < columns.rows:
            return columns
        prices = columns.ints["price"].copy()
        prices[row] += 1
        return msgspec.structs.replace(columns, ints=Numbers({**dict(columns.ints.items()), "price": prices}))

    monkeypatch.setattr(feed, "columns_of", altered)
    comparison = compare(script.tape(tmp_path / "tape"), Span(), every=8)
    assert not comparison.equal
    assert (comparison.first_seq, comparison.last_seq) == (wrong // 8 * 8, wrong // 8 * 8 + 7)
    assert comparison.as_json()["differs"] == [comparison.first_seq, comparison.last_seq]


def test_the_strategies_that_ran_decide_again(tmp_path: Path) -> None:
    records = lived()
    tape = make_tape(tmp_path / "tape", records)
    recorded = decision_digest(record.payload for record in records if record.kind == Kind.DECISION)
    both = compare(tape, Span(), every=30)
    assert both.equal
    assert both.by_bytes.decision_digest == both.by_columns.decision_digest == recorded
    assert run_span(tape, "columns", Span(), strategies=False).decision_digest == decision_digest()
    assert run_span(tape, "columns", Span(records[40].at_ns)).decision_digest == decision_digest()


def test_the_stretch_in_which_decisions_differ_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = make_tape(tmp_path / "tape", lived())
    turns = iter(range(1_000))

    def other(decision: msgspec.Struct) -> bytes:
        return encode_payload(decision) + (b"?" if next(turns) == 5 else b"")

    monkeypatch.setattr(hosted, "encode_payload", other)
    both = compare(tape, Span(), every=30)
    assert (both.equal, both.first_seq, both.last_seq) == (False, 0, 29)
    assert both.by_bytes.state_digest == both.by_columns.state_digest


def test_a_tape_whose_strategy_is_not_here_is_played_without(tmp_path: Path) -> None:
    records = lived()
    payload = records[0].payload.replace(b"pupils:Quoter", b"pupils:Nobody")
    records[0] = Record(0, records[0].at_ns, 0, 0, Kind.SESSION, payload)
    tape = make_tape(tmp_path / "tape", records)
    with pytest.raises(ConfigError, match="there is no Nobody in pupils"):
        run_span(tape, "bytes", Span())
    assert run_span(tape, "bytes", Span(), strategies=False).records == len(records)
