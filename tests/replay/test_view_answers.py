"""replay.view: what the page is told of a tape is what the tape says, wherever one stands."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from imported import tape_of
from lived import lived
from sample_tapes import MILLI, SECOND, START_NS, Script, make_tape, story
from tapes import needs_tapes
from viewing import answering
from wild import busy, wild

from capture.tape.reader import Tape
from core.actions import Say, Select, decode_decision
from core.records import Kind, Record, RestCall, encode_payload
from replay.player import Player
from replay.view.answers import Answers, BadQuestionError, NotOnTapeError
from replay.view.chart import chart
from replay.view.outline import MARKS, marks_of
from replay.view.timeline import step_of, timeline
from replay.view.why import decisions_answer, why_answer
from replay.view.wording import decoded_of

MARKET = "KXTEST-A"


def truth(tape: Tape, seqs: list[int], market: str) -> dict[int, dict[str, Any]]:
    """The market's state at these records, by the byte path from the beginning."""
    player = Player(tape, "bytes", checkpoint_records=0)
    found = {}
    for seq in sorted(set(seqs)):
        player.advance(until_seq=seq)
        view = player.store.view(market)
        found[seq] = {
            "yes": [list(level) for level in view.yes[::-1]],
            "no": [list(level) for level in view.no[::-1]],
            "trusted": view.trusted,
            "trades": [[t.price, t.count, t.taker.value, t.now_ns / 1e6] for t in view.trades[-40:][::-1]],
        }
    return found


def require_states(answers: Answers, tape: Tape, market: str, seqs: list[int]) -> None:
    expected = truth(tape, seqs, market)
    for seq in seqs:
        book = answers.state_answer(seq, market)["book"]
        assert {name: book[name] for name in expected[seq]} == expected[seq], seq


@pytest.mark.parametrize("segment_records", [37, 1_000])
def test_the_state_at_any_record_is_the_tapes_in_whatever_order_one_looks(tmp_path: Path, segment_records: int) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=segment_records)
    dice = random.Random(segment_records)
    seqs = [dice.randrange(tape.manifest.next_seq) for _ in range(50)]
    with answering(tape.path) as answers:
        require_states(answers, tape, MARKET, seqs)
        require_states(answers, tape, "KXTEST-B", sorted(seqs, reverse=True))


def test_steps_back_come_from_a_state_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay.view.stands.STEP_BACK", 20)
    tape = story().tape(tmp_path / "tape")
    with answering(tape.path) as answers:
        require_states(answers, tape, MARKET, list(range(120, 90, -1)))
        assert answers.stands._states, "some were kept"


@needs_tapes
def test_the_state_of_a_real_market_is_the_tapes() -> None:
    tape = tape_of("btc15m/short-30s")
    market = next(record for record in Player(tape).messages() if hasattr(record[1], "market"))[1].market  # type: ignore[union-attr]  # it has one
    dice = random.Random(1)
    seqs = [dice.randrange(tape.manifest.next_seq) for _ in range(40)]
    with answering(tape.path) as answers:
        require_states(answers, tape, market, seqs)


def test_records_are_listed_as_they_are_around_the_one_looked_at(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=40)
    records = list(tape.records())
    with answering(tape.path) as answers:
        for seq in (0, 39, 40, 41, len(records) - 1):
            rows = answers.records_answer(seq, 30, "all", "")["rows"]
            assert len(rows) >= min(16, len(records))
            assert seq in [row["seq"] for row in rows]
            assert [row["seq"] for row in rows] == list(range(rows[0]["seq"], rows[-1]["seq"] + 1))
            for row in rows:
                record = records[row["seq"]]
                assert (row["connection"], row["when_ms"]) == (record.connection, record.at_ns / 1e6)
                assert row["kind"] == Kind(record.kind).name.lower()
            whole = answers.state_answer(seq, MARKET)["record"]
            assert whole["raw"]["text"].encode() == records[seq].payload


def test_a_list_holds_only_what_was_asked_for(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=40)
    with answering(tape.path) as answers:
        for row in answers.records_answer(100, 40, "market", "KXTEST-B")["rows"]:
            assert row["market"] == "KXTEST-B"
        incidents = answers.records_answer(100, 400, "incidents", "")["rows"]
        kinds = [record.kind for record in tape.records()]
        for row in incidents:
            assert row["mark"] in ("session", "connection", "malformed", "gap", "fault")
        assert {"session", "connection", "malformed"} <= {row["mark"] for row in incidents}
        assert sum(row["kind"] == "opened" for row in incidents) == kinds.count(Kind.OPENED)


def test_the_next_mark_is_the_nearest_one_either_way(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=23)
    opened = [record.seq for record in tape.records() if record.kind in (Kind.OPENED, Kind.CLOSED)]
    with answering(tape.path) as answers:
        for seq in range(tape.manifest.next_seq):
            after = next((at for at in opened if at > seq), None)
            before = next((at for at in reversed(opened) if at < seq), None)
            assert answers.next_answer(seq, 1, "connection", MARKET) == {"seq": after, "market": MARKET}
            assert answers.next_answer(seq, -1, "connection", "") == {"seq": before, "market": ""}


def test_gaps_are_those_of_the_tape_and_lead_to_where_they_begin(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=50)
    with answering(tape.path) as answers:
        gaps = answers.tape_answer()["gaps"]
        assert [gap["reason"] for gap in gaps] == ["sequence", "reconnect"]
        assert gaps[0]["missing"] == 2
        seq, found = 0, []
        while (at := answers.next_answer(seq, 1, "gap", "")["seq"]) is not None:
            found.append(at)
            seq = at
        assert found == [answers.pages.until(round(gap["from_ms"] * 1e6)) for gap in gaps]
        assert answers.next_answer(found[-1], -1, "gap", "")["seq"] == found[0]


def test_a_place_is_a_record_or_an_instant(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=40)
    records = list(tape.records())
    with answering(tape.path) as answers:
        for text, seq in (("17", 17), ("#1", 1), ("1,0", 10), ("end", len(records) - 1), ("2026-08-11T00:59Z", 0)):
            assert answers.place_answer(text) == {"seq": seq}, text
        for record in records[::7]:
            last = max(other.seq for other in records if other.at_ns <= record.at_ns)
            assert answers.until_answer(record.at_ns / 1e6 + 0.001) == {"seq": last}
            assert answers.place_answer(str(record.at_ns)) == {"seq": last}
        with pytest.raises(
            NotOnTapeError, match=f"no record 99999 on this tape: it holds records 0 to {len(records) - 1}"
        ):
            answers.place_answer("#99999")
        with pytest.raises(BadQuestionError, match="'yesterday' is not a time"):
            answers.place_answer("yesterday")


def test_the_time_line_counts_every_record_once(tmp_path: Path) -> None:
    script = wild(3, 200)
    tape = script.tape(tmp_path / "tape", segment_records=60)
    records = list(tape.records())
    first, last = records[0].at_ns, max(record.at_ns for record in records)
    with answering(tape.path) as answers:
        for cells in (1, 10, 1_000):
            line = timeline(answers.pages, answers.scout.outlines, first, last, cells)
            assert round(sum(line["counts"])) == len(records)
            assert len(line["counts"]) <= cells + 1
        sessions = sum(many for _, many, _ in line["marks"]["session"])
        assert sessions == sum(record.kind in (Kind.SESSION, Kind.CLEAN_STOP) for record in records)


def test_cells_lie_at_round_times() -> None:
    assert [step_of(span, 100) for span in (99_000_000, 100 * SECOND - 1, 3_600 * SECOND)] == [
        1_000_000, SECOND, 50 * SECOND,
    ]  # fmt: skip


def test_a_chart_has_the_best_prices_as_they_stood(tmp_path: Path) -> None:
    tape = busy(150).tape(tmp_path / "tape", segment_records=100)
    span = (START_NS + 200_000_000, START_NS + 1_300_000_000)
    with answering(tape.path) as answers:
        market = max(answers.scout.known().markets)
        found = chart(answers.pages, answers.stands, market, span, 1_500)
        quotes = found["quotes"]
        assert len(quotes["ms"]) > 20
        for ms, bid, ask, trusted in zip(*(quotes[name] for name in ("ms", "bid", "ask", "trusted")), strict=True):
            seq = answers.until_answer(ms + 0.001)["seq"]
            book = answers.state_answer(seq, market)["book"]
            assert (bid, ask, trusted) == (
                book["yes"][0][0] if book["yes"] else None,
                10_000 - book["no"][0][0] if book["no"] else None,
                book["trusted"],
            )
        trades = [r for r in tape.records() if b"trade_id" in r.payload and market.encode() in r.payload]
        inside = [record.seq for record in trades if span[0] <= record.at_ns <= span[1]]
        assert found["trades"]["seq"] == inside


def test_a_decision_is_told_with_its_cause_the_state_it_saw_and_its_outcome(tmp_path: Path) -> None:
    tape = make_tape(tmp_path / "tape", lived(), segment_records=30)
    records = {record.seq: record for record in tape.records()}
    decisions = [record.seq for record in records.values() if record.kind == Kind.DECISION]
    assert decisions
    with answering(tape.path) as answers:
        rows = decisions_answer(answers, len(records) - 1, 200)["rows"]
        assert [row["seq"] for row in rows] == decisions[::-1]
        for row in rows:
            why = why_answer(answers, row["seq"])
            assert why["cause"]["seq"] == row["cause"] < row["seq"]
            assert why["cause"]["raw"]["text"].encode() == records[row["cause"]].payload
            assert why["silent"] == isinstance(decode_decision(records[row["seq"]].payload).action, Say | Select)
            if why["market"]:
                expected = truth(tape, [row["cause"]], why["market"])[row["cause"]]
                assert {name: why["book"][name] for name in expected} == expected
            if row["outcome"]:
                assert records[why["outcome"]["seq"]].kind == Kind.OUTCOME
        assert any(row["outcome"] for row in rows)
        with pytest.raises(NotOnTapeError, match="record 0 is no decision: it is a session"):
            why_answer(answers, 0)


def test_a_chart_of_a_run_has_its_decisions_and_is_plain_values(tmp_path: Path) -> None:
    tape = make_tape(tmp_path / "tape", lived())
    with answering(tape.path) as answers:
        found = chart(answers.pages, answers.stands, MARKET, (START_NS, START_NS + 60 * SECOND), 500)
        rows = [
            row for row in decisions_answer(answers, answers.tape.next_seq - 1, 200)["rows"] if row["market"] == MARKET
        ]
        assert found["decisions"]["seq"] == [row["seq"] for row in rows][::-1] != []
        assert msgspec.json.decode(msgspec.json.encode(found)) == found


def test_marks_are_what_the_records_are(tmp_path: Path) -> None:
    tape = make_tape(tmp_path / "tape", lived())
    with answering(tape.path) as answers:
        page = answers.pages.at(0)
        marks = marks_of(page)
        for record in tape.records():
            if record.kind in (Kind.DECISION, Kind.OUTCOME, Kind.SESSION, Kind.CONTROL):
                expected = Kind(record.kind).name.lower()
                assert MARKS[marks[record.seq] - 1].value == expected
            if record.kind in (Kind.HEARTBEAT, Kind.PROGRESS):
                assert marks[record.seq] == 0


def test_what_is_not_on_the_tape_is_said_in_words(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    with answering(tape.path) as answers:
        with pytest.raises(NotOnTapeError, match=r"no market \.\./\.\./etc/passwd on this tape"):
            answers.state_answer(5, "../../etc/passwd")
        with pytest.raises(NotOnTapeError, match="no record -1 on this tape"):
            answers.state_answer(-1, MARKET)
        with pytest.raises(BadQuestionError, match="show=everything is none of all, market, own, incidents"):
            answers.records_answer(5, 10, "everything", "")
        with pytest.raises(BadQuestionError, match="what=luck is none of gap"):
            answers.next_answer(5, 1, "luck", "")


def test_a_tape_without_a_record_says_so(tmp_path: Path) -> None:
    tape = Script().tape(tmp_path / "tape")
    with answering(tape.path) as answers:
        assert answers.tape_answer()["records"] == 0
        with pytest.raises(NotOnTapeError, match="this tape holds no record yet"):
            answers.require(0)


def test_what_a_frame_does_not_say_is_no_zero_and_times_are_times() -> None:
    said = b'{"type":"trade","sid":3,"sending_ts_ms":1786410000123,"msg":{"market_ticker":"KXTEST-A","trade_id":"t1",'
    said += b'"yes_price_dollars":"0.4550","no_price_dollars":"0.5450","count_fp":"1.25","taker_side":"yes","ts":0}}'
    fields = dict(decoded_of(Record(0, START_NS, 0, 1, Kind.FRAME, said))["fields"])
    assert (fields["sid"], fields["seq"], fields["id"], fields["exchange_ns"]) == ("3", "-", "-", "-")
    assert fields["sending_ms"] == "2026-08-11T01:00:00.123Z  (1786410000123)"
    assert fields["unknown_fields"] == "-"
    assert (fields["price"], fields["count"]) == ("0.4550", "1.25")


def test_a_rest_call_is_a_line_of_what_was_asked_and_what_came(tmp_path: Path) -> None:
    script = Script().session()
    for call in (
        RestCall("GET", "/trade-api/v2/markets?limit=5", 200, answer="{}", took_ns=12 * MILLI),
        RestCall("POST", "/trade-api/v2/portfolio/events/orders", 0, error="timeout", took_ns=10_000 * MILLI),
    ):
        script.put(Kind.REST, encode_payload(call), 0)
    with answering(script.put(Kind.REST, b"{ no json", 0).stop().tape(tmp_path / "tape").path) as answers:
        lines = [row["line"] for row in answers.records_answer(2, 10, "all", "")["rows"] if row["kind"] == "rest"]
    assert lines == [
        "GET /markets: 200 in 12 ms",
        "POST /portfolio/events/orders: timeout in 10000 ms",
        "{ no json",
    ]
