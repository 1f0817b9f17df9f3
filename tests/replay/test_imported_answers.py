"""REST answers beside a recording: on the tape at the time of their fetch, known to a backtest from then on only."""

import json
from pathlib import Path
from typing import Any

import pytest
from imported import files_of
from tapes import TAPES, needs_tapes
from trials import made_tape, perform, setup
from viewing import answering

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from core.actions import StrategySpec
from core.records import Kind, decode_rest, decode_session
from replay import synthetic
from replay.backtest.result import Result
from replay.backtest.run import backtest, strategy
from replay.exporter import export_jsonl
from replay.importer import ImportOptions, import_recording
from replay.survey import survey
from replay.synthetic import Plan, write_recording
from replay.venue.terms import VenueTerms

MS = 1_786_401_938_338
DAY_MS = 86_400_000
EVENT = "KXTEST-26"


def answer(path: Path, fetched_ms: int, body: Any = None, *, indent: int | None = 1, status: int = 200) -> Path:
    url = f"https://api.example.com/trade-api/v2/events/{EVENT}?with_nested_markets=true"
    file = {"fetched_at_ms": fetched_ms, "response": body or {"event": {}}, "status": status, "url": url}
    path.write_text(json.dumps(file, indent=indent))
    return path


def gold(path: Path, *times_ms: int) -> Path:
    frame = '{"type":"trade","sid":1,"seq":%d,"msg":{}}'
    path.write_text("".join(f'{{"recv_ms":{ms},"event":{frame % seq}}}\n' for seq, ms in enumerate(times_ms, 1)))
    return path


def imported(*files: Path) -> list[tuple[Kind, int]]:
    """Kind and time (ms) of every record."""
    out = files[0].parent / "tape"
    import_recording(files, out)
    return [(Kind(record.kind), record.at_ns // 1_000_000) for record in Tape.open(out).records()]


def test_an_answer_that_came_later_is_a_session_of_its_own_at_its_time(tmp_path: Path) -> None:
    later = MS + 11 * DAY_MS
    found = imported(gold(tmp_path / "a", MS, MS + 5), answer(tmp_path / "event.json", later))
    assert found == [
        (Kind.SESSION, MS), (Kind.FRAME, MS), (Kind.FRAME, MS + 5), (Kind.CLEAN_STOP, MS + 5),
        (Kind.SESSION, later), (Kind.REST, later), (Kind.CLEAN_STOP, later),
    ]  # fmt: skip


def test_an_answer_keeps_its_bytes_its_path_and_its_body(tmp_path: Path) -> None:
    file = answer(tmp_path / "event.json", MS + 50, {"event": {"title": "x\u00e9"}})
    imported(gold(tmp_path / "a", MS), file)
    tape = Tape.open(tmp_path / "tape")
    (record,) = [record for record in tape.records() if record.kind == Kind.REST]
    call = decode_rest(record.payload)
    assert (call.method, call.status) == ("GET", 200)
    assert call.path == f"/trade-api/v2/events/{EVENT}?with_nested_markets=true"
    assert json.loads(call.answer) == {"event": {"title": "x\u00e9"}}
    tables = tape.tables(["kind", "source"], payloads=True)
    kept = [row["source"] for table in tables for row in table.to_pylist() if row["kind"] == Kind.REST]
    assert kept == [file.read_bytes()]
    sessions = [decode_session(record.payload) for record in tape.records() if record.kind == Kind.SESSION]
    assert [source.dialect for session in sessions for source in session.sources] == ["gold15m", "answers"]


def test_answers_before_and_among_frames_stand_where_they_came(tmp_path: Path) -> None:
    files = [answer(tmp_path / f"{ms}.json", MS + ms, indent=None) for ms in (-900, 10, 15)]
    found = imported(gold(tmp_path / "a", MS, MS + 10, MS + 20), gold(tmp_path / "b", MS + 30), *files)
    assert found == [
        (Kind.SESSION, MS - 900), (Kind.REST, MS - 900), (Kind.CLEAN_STOP, MS - 900), (Kind.SESSION, MS),
        (Kind.FRAME, MS), (Kind.FRAME, MS + 10), (Kind.REST, MS + 10), (Kind.REST, MS + 15), (Kind.FRAME, MS + 20),
        (Kind.FRAME, MS + 30), (Kind.CLEAN_STOP, MS + 30),
    ]  # fmt: skip


def test_an_export_gives_back_the_frames_and_counts_the_answers(tmp_path: Path) -> None:
    frames = gold(tmp_path / "a", MS, MS + 20)
    imported(frames, answer(tmp_path / "x.json", MS + 10), answer(tmp_path / "y.json", MS + DAY_MS))
    report = export_jsonl(Tape.open(tmp_path / "tape"), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == frames.read_bytes()
    assert report.skipped == {"REST": 2}


@pytest.mark.parametrize("answers", [[DAY_MS, 2 * DAY_MS], []])
def test_the_views_time_line_ends_with_the_frames(tmp_path: Path, answers: list[int]) -> None:
    imported(gold(tmp_path / "a", MS, MS + 500), *[answer(tmp_path / f"{ms}.json", MS + ms) for ms in answers])
    with answering(tmp_path / "tape") as page:
        found = page.tape_answer()
        assert (round(found["first_ms"]), round(found["last_ms"])) == (MS, MS + 500)
        assert (found["records"] > 4) == bool(answers)


def test_the_views_time_line_holds_answers_where_there_is_nothing_else_behind_them(tmp_path: Path) -> None:
    imported(gold(tmp_path / "a", MS + 900), answer(tmp_path / "before.json", MS))
    with answering(tmp_path / "tape") as page:
        found = page.tape_answer()
        assert (round(found["first_ms"]), round(found["last_ms"])) == (MS, MS + 900)


def test_what_only_looks_like_an_answer_is_no_recording(tmp_path: Path) -> None:
    gold(tmp_path / "a", MS)
    (tmp_path / "b.json").write_text('{"status": "ok", "note": "fetched_at_ms"}')
    (tmp_path / "c.json").write_text('{"fetched_at_ms": 17, "response": {}, "url": "x"}')
    (tmp_path / "d.json").write_text(f'{{"fetched_at_ms": {MS}, "response": {{"event": ')
    (tmp_path / "e.json").write_text('{"status": 200}')
    found = survey([tmp_path], 1 << 20)
    assert [item.path.name for item in found.recordings] == ["a"]
    assert [Path(path).name for path in found.skipped] == ["b.json", "c.json", "d.json", "e.json"]
    with pytest.raises(TapeError, match="no REST answer with the time of its fetch"):
        survey([tmp_path / "c.json"], 1 << 20)


def test_answers_without_frames_are_no_tape(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="no recording of frames is given with it"):
        import_recording([answer(tmp_path / "event.json", MS)], tmp_path / "tape")


# ------------------------------------------------------------------ in a backtest


def settled(place: Path, fetched_ns: int, market: str, **more: Any) -> Path:
    """A made recording with an answer that says that a market has paid one dollar."""
    told = {"ticker": market, "event_ticker": EVENT, "status": "finalized", "result": "yes",
            "settlement_value_dollars": "1.0000", "price_level_structure": "linear_cent", **more}  # fmt: skip
    recording, tape = place / "recording.jsonl", place / "settled"
    write_recording(recording, Plan(frames=2_000, markets=1, seed=5))
    event = answer(place / "event.json", fetched_ns // 1_000_000, {"event": {"event_ticker": EVENT}, "markets": [told]})
    import_recording([recording, event], tape)
    return tape


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("answered")


@pytest.fixture(scope="module")
def unsettled(place: Path) -> Result:
    return perform(setup(made_tape(place, frames=2_000, markets=1)))


def test_a_market_settles_when_its_answer_was_fetched_and_no_decision_knows_it_before(
    place: Path, unsettled: Result
) -> None:
    (before,) = unsettled.tables["markets"].to_pylist()
    assert before["mark_by"] not in ("settled", "flat")
    fetched_ns = synthetic.START_NS + 11 * DAY_MS * 1_000_000
    found = perform(setup(settled(place, fetched_ns, before["market"])))
    (after,) = found.tables["markets"].to_pylist()
    assert (after["mark_by"], after["settlement"], after["settled_ns"]) == ("settled", 10_000, fetched_ns)
    assert (after["position"], found.totals["open_markets"], found.totals["settled"]) == (0, 0, 1)
    paid = max(before["position"], 0) * 10_000
    cash = unsettled.tables["equity"].column("cash")[-1].as_py()
    assert found.tables["equity"].column("equity")[-1].as_py() == cash + paid
    assert found.tables["decisions"].equals(unsettled.tables["decisions"])
    assert set(found.tables["fills"].column("settlement").to_pylist()) == {10_000}
    assert after["pnl_untrusted"] == before["pnl_untrusted"], "the exchange's word is no doubt"


def test_days_without_a_record_make_no_rows_and_no_ticks(place: Path, unsettled: Result) -> None:
    (market,) = unsettled.tables["markets"].column("market").to_pylist()
    (place / "far").mkdir()
    tape = settled(place / "far", synthetic.START_NS + 60 * DAY_MS * 1_000_000, market)
    found = perform(setup(tape), path="bytes")
    assert found.tables["equity"].num_rows <= unsettled.tables["equity"].num_rows + 4
    (one,) = found.manifest["tapes"]
    assert one["until_ns"] == unsettled.manifest["tapes"][0]["until_ns"]


@needs_tapes
@pytest.mark.slow
def test_a_real_market_pays_what_its_event_said_eleven_days_later(tmp_path: Path) -> None:
    options = ImportOptions(environment="prod", filtered=True)
    import_recording([*files_of("gold15m/101900-00")], tmp_path / "frames", options)
    import_recording([TAPES / "gold15m" / "101900-00"], tmp_path / "whole", options)
    maker: StrategySpec = strategy("strategies.market_maker:MarketMaker", "maker")
    venue = VenueTerms(fees="quadratic:1", ticks="linear_cent")
    one, two = (
        backtest(tmp_path / name, maker, venue=venue, markets=("*",)) for name in ("frames", "whole")
    )  # fmt: skip
    assert one.tables["decisions"].equals(two.tables["decisions"])
    assert (one.totals["open_markets"], two.totals["open_markets"]) == (1, 0)
    (market,) = two.tables["markets"].to_pylist()
    assert (market["mark_by"], market["settlement"]) == ("settled", 10_000)
    assert market["settled_ns"] == 1_787_293_863_088_000_000
