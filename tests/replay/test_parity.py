"""Decision parity: a live run's tape decides the same in replay, and what was done to it is found where it is."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from lived import LiveRun, anew, lived, market_day
from sample_tapes import Script, make_tape, story

from capture.tape.errors import TapeError
from core.actions import (
    Decision,
    Place,
    Say,
    StrategySpec,
    decode_decision,
    decode_progress,
    terms_of,
)
from core.records import Kind, Record, StoredGap, decode_session, encode_payload
from core.state import decision_digest
from replay.hosted import AROUND
from replay.loading import specify
from replay.parity import Difference, Parity, judge

PATHS = pytest.mark.parametrize("path", ["bytes", "columns"])
Change = Callable[[list[Record]], list[Record]]


def judged(tmp_path: Path, records: list[Record], path: str = "columns") -> Parity:
    return judge(make_tape(tmp_path / f"tape-{path}", records), path)


def parting(tmp_path: Path, records: list[Record], path: str = "columns") -> Difference:
    found = judged(tmp_path, records, path)
    assert not found.equal
    assert found.first_difference is not None
    return found.first_difference


def of_kind(records: list[Record], kind: Kind) -> list[Record]:
    return [record for record in records if record.kind == kind]


def saying(record: Record, payload: bytes) -> Record:
    return Record(record.seq, record.at_ns, record.mono_ns, record.connection, record.kind, payload)


@PATHS
def test_a_live_run_and_its_replay_decide_the_same(tmp_path: Path, path: str) -> None:
    records = lived()
    decisions = [record.payload for record in of_kind(records, Kind.DECISION)]
    found = judged(tmp_path, records, path)
    assert found.equal
    assert found.first_difference is None
    assert found.decisions == len(decisions) > 30
    assert (found.unjudged, found.sessions, found.skipped) == (0, 1, 0)
    assert found.decision_digest == decision_digest(decisions)
    assert (found.notes, found.findings) == ((), ())


@PATHS
def test_a_tick_that_is_gone_is_missed_where_it_was(tmp_path: Path, path: str) -> None:
    records = lived()
    tick = of_kind(records, Kind.TICK)[1]
    found = parting(tmp_path, anew([record for record in records if record.seq != tick.seq]), path)
    assert found.what == "a decision that the replay does not take"
    assert found.seq == tick.seq - 1  # the tick's own place is another record's now
    assert found.recorded is not None
    assert isinstance(found.recorded.action, Say)
    assert found.replayed is None


@PATHS
def test_a_changed_price_is_found_at_its_frame(tmp_path: Path, path: str) -> None:
    records = lived()
    frame = next(r for r in records if b"orderbook_delta" in r.payload and b"KXTEST-B" in r.payload)
    changed = saying(frame, frame.payload.replace(b'"0.1100"', b'"0.1150"'))
    found = parting(tmp_path, [changed if record is frame else record for record in records], path)
    assert (found.what, found.session, found.seq, found.kind) == ("another decision", 1, frame.seq, "FRAME")
    assert found.head.encode() == changed.payload
    assert found.fields == ("action.price",)
    assert found.recorded is not None
    assert found.replayed is not None
    assert isinstance(found.recorded.action, Place)
    assert isinstance(found.replayed.action, Place)
    assert (found.recorded.action.price, found.replayed.action.price) == (1100, 1150)
    (sight,) = found.sights
    assert (sight.market, sight.bid, sight.bid_size, sight.ask, sight.flaw) == ("KXTEST-B", 1150, 200, 3000, "")
    assert [(order.price, order.state) for order in sight.orders][-1] == (1150, "pending")


@PATHS
def test_swapped_frames_are_found_at_the_first_of_them(tmp_path: Path, path: str) -> None:
    records = lived()
    first, second = [r for r in records if r.kind == Kind.FRAME and b"orderbook_delta" in r.payload][2:4]
    places = {first.seq: saying(first, second.payload), second.seq: saying(second, first.payload)}
    found = parting(tmp_path, [places.get(record.seq, record) for record in records], path)
    assert found.seq == first.seq
    assert {sight.market for sight in found.sights} == {"KXTEST-A", "KXTEST-B"}


def without_the_last_decision(records: list[Record]) -> list[Record]:
    last = of_kind(records, Kind.DECISION)[-1]
    return anew([record for record in records if record is not last])


def with_one_more(records: list[Record]) -> list[Record]:
    last = of_kind(records, Kind.DECISION)[-1]
    decision = decode_decision(last.payload)
    more = msgspec.structs.replace(decision, number=decision.number + 1, ordinal=decision.ordinal + 1)
    at = records.index(last) + 1
    return anew(
        [*records[:at], msgspec.structs.replace(last, seq=last.seq, payload=encode_payload(more)), *records[at:]]
    )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (without_the_last_decision, "a decision that the live run did not take"),
        (with_one_more, "a decision that the replay does not take"),
    ],
)
def test_a_decision_more_or_less_is_a_difference(tmp_path: Path, change: Change, what: str) -> None:
    records = lived()
    cause = decode_decision(of_kind(records, Kind.DECISION)[-1].payload).cause
    found = parting(tmp_path, change(records))
    assert (found.what, found.seq) == (what, cause)
    assert (found.recorded is None) == ("live" in what)


def test_a_decision_that_was_put_in_between_is_a_difference_at_its_own_record(tmp_path: Path) -> None:
    records = lived()
    quiet = trades(records)[1]
    after = next(r for r in of_kind(records, Kind.DECISION) if decode_decision(r.payload).cause > quiet)
    more = Decision(decode_decision(after.payload).number, quiet, 0, "pupil", Say("hm"))
    at = records.index(after)
    found = parting(tmp_path, anew([*records[:at], saying(after, encode_payload(more)), *records[at:]]))
    assert (found.what, found.seq) == ("a decision that the replay does not take", quiet)
    assert (found.recorded, found.replayed) == (more, None)


@pytest.mark.parametrize(
    ("field", "value"), [("number", 90), ("ordinal", 3), ("strategy", "other"), ("refused", "too much")]
)
def test_each_part_of_a_decision_is_compared(tmp_path: Path, field: str, value: object) -> None:
    records = lived()
    third = of_kind(records, Kind.DECISION)[2]
    decision: Decision = msgspec.structs.replace(decode_decision(third.payload), **{field: value})
    found = parting(tmp_path, [saying(r, encode_payload(decision)) if r is third else r for r in records])
    assert (found.seq, found.fields) == (decision.cause, (field,))


def killed() -> list[Record]:
    """A run that was killed between two decisions of one record, a while after it had told how far it was."""
    records = lived()
    third = of_kind(records, Kind.PROGRESS)[2].seq
    second = next(
        r for r in of_kind(records, Kind.DECISION) if r.seq > third and decode_decision(r.payload).ordinal == 1
    )
    return records[: second.seq]


@PATHS
def test_a_killed_run_is_judged_as_far_as_it_told(tmp_path: Path, path: str) -> None:
    records = killed()
    found = judged(tmp_path, records, path)
    assert found.equal
    assert found.decisions == len(of_kind(records, Kind.DECISION)) > 5
    assert found.unjudged > 0


def test_what_was_recorded_beyond_the_last_progress_has_to_be_equal_too(tmp_path: Path) -> None:
    records = killed()
    last = of_kind(records, Kind.DECISION)[-1]
    decision = decode_decision(last.payload)
    assert decision.cause > decode_progress(of_kind(records, Kind.PROGRESS)[-1].payload).stepped
    other = encode_payload(msgspec.structs.replace(decision, strategy="other"))
    found = parting(tmp_path, [saying(r, other) if r is last else r for r in records])
    assert (found.seq, found.fields) == (decision.cause, ("strategy",))


def test_each_session_of_a_tape_is_judged_and_those_without_strategies_are_not(tmp_path: Path) -> None:
    run = LiveRun(specify("pupil", "pupils:Quoter", {}))
    run.live(market_day(ends=False), is_killed=True).live(market_day(rounds=5, after_s=60))
    records = run.records
    plain = [msgspec.structs.replace(r, seq=len(records) + r.seq) for r in story(3).records]
    found = judged(tmp_path, records + plain)
    assert found.equal
    assert (found.sessions, found.decisions) == (2, len(of_kind(records, Kind.DECISION)))
    second = of_kind(records, Kind.SESSION)[1].seq
    decided = next(r for r in of_kind(records, Kind.DECISION) if r.seq > second)
    changed = msgspec.structs.replace(decode_decision(decided.payload), number=9)
    differs = [saying(r, encode_payload(changed)) if r is decided else r for r in records]
    assert parting(tmp_path / "differs", differs).session == 2


def fails(records: list[Record]) -> Record:
    (fault,) = of_kind(records, Kind.FAULT)
    return fault


@PATHS
def test_a_strategy_that_failed_live_fails_in_the_replay(tmp_path: Path, path: str) -> None:
    records = lived(fails_at=9)
    assert b"strategy pupil" in fails(records).payload
    assert judged(tmp_path, records, path).equal


def failing_at(at: int) -> Change:
    """The run says that its strategy fails at another book, and the replay believes it."""

    def change(records: list[Record]) -> list[Record]:
        session = decode_session(records[0].payload)
        terms = terms_of(session)
        assert terms is not None
        params = {**terms.strategies[0].params, "fails_at": at}
        specs = (msgspec.structs.replace(terms.strategies[0], params=params),)
        run = msgspec.structs.replace(terms, strategies=specs)
        return [saying(records[0], encode_payload(msgspec.structs.replace(session, run=run))), *records[1:]]

    return change


@pytest.mark.parametrize(("live", "replayed"), [(0, 9), (9, 0), (9, 11), (9, 7)])
def test_a_strategy_that_fails_elsewhere_is_a_difference(tmp_path: Path, live: int, replayed: int) -> None:
    first = LiveRun(specify("pupil", "pupils:Quoter", {"fails_at": min(live or 99, replayed or 99)})).live(market_day())
    found = parting(tmp_path, failing_at(replayed)(lived(fails_at=live)))
    assert [found.seq] == first.failed_at


def talking(burst: int = 4, **params: object) -> list[Record]:
    return LiveRun(specify("pupil", "pupils:Talker", params), burst=burst).live(market_day()).records


def trades(records: list[Record]) -> list[int]:
    return [record.seq for record in records if b'"type":"trade"' in record.payload]


@pytest.mark.parametrize("is_loud", [True, False])
def test_a_failure_that_leads_to_no_decision_is_missed_at_its_record(tmp_path: Path, is_loud: bool) -> None:
    records = talking(is_loud=is_loud)
    found = parting(tmp_path, failing_at(2)(records))
    assert found.what == "strategy pupil fails in the replay and did not live: on_trade: RuntimeError: trade 2"
    assert found.seq == trades(records)[1]


def test_a_failure_only_live_is_told_where_it_is_recorded(tmp_path: Path) -> None:
    records = talking(fails_at=2)
    found = parting(tmp_path, failing_at(0)(records))
    assert found.what == "strategy pupil failed live and does not in the replay: on_trade: RuntimeError: trade 2"
    assert found.seq == fails(records).seq


def test_a_failure_that_comes_later_in_the_replay_is_told_at_what_is_decided_between(tmp_path: Path) -> None:
    records = talking(burst=1_000, fails_at=1)  # the FAULT lies behind both trades
    found = parting(tmp_path, failing_at(2)(records))
    assert found.what == "strategy pupil failed live before this was decided: on_trade: RuntimeError: trade 1"
    assert trades(records)[0] < found.seq < trades(records)[1]


def test_only_the_hook_and_the_type_of_an_error_are_compared(tmp_path: Path) -> None:
    records = lived(fails_at=9)
    fault = fails(records)
    other_words = [saying(r, r.payload.replace(b"book 9", b"<at 0x7f>")) if r is fault else r for r in records]
    assert judged(tmp_path, other_words).equal
    other_type = [saying(r, r.payload.replace(b"RuntimeError", b"ValueError")) if r is fault else r for r in records]
    assert "failed live (on_book: ValueError" in parting(tmp_path / "type", other_type).what


def test_other_code_than_ran_is_noted(tmp_path: Path) -> None:
    records = lived()
    spec = specify("pupil", "pupils:Quoter", {})
    payload = records[0].payload.replace(spec.code.encode(), b"0" * 64)
    found = judged(tmp_path, [saying(records[0], payload), *records[1:]])
    assert found.equal
    (note,) = found.notes
    assert note == f"the code of strategy pupil ({spec.code[:12]}) is another than the one that ran (000000000000)"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (story(2), "holds no run of strategies"),
        (LiveRun(StrategySpec("pupil", "pupils:Quoter")).live(Script().session(), is_killed=True), "before it said"),
    ],
)
def test_a_tape_with_nothing_to_judge_is_refused(tmp_path: Path, script: Script | LiveRun, words: str) -> None:
    records = [r for r in script.records if r.kind != Kind.PROGRESS]
    with pytest.raises(TapeError, match=words):
        judged(tmp_path, records)


def test_a_run_without_any_decision_is_equal_when_the_replay_decides_nothing_either(tmp_path: Path) -> None:
    quiet = LiveRun(StrategySpec("pupil", "core.strategy:Strategy")).live(market_day(2)).records
    found = judged(tmp_path, quiet)
    assert (found.equal, found.decisions) == (True, 0)


def test_what_comes_after_the_last_record_to_look_at_is_left_out(tmp_path: Path) -> None:
    records = lived()
    last = of_kind(records, Kind.PROGRESS)[2].seq
    spoilt = [saying(r, b"{}") if r.kind == Kind.DECISION and r.seq > last else r for r in records]
    found = judge(make_tape(tmp_path / "tape", spoilt), "columns", until_seq=last)
    assert found.equal
    assert found.decisions == len([r for r in of_kind(records, Kind.DECISION) if r.seq < last]) > 0


@pytest.mark.parametrize("reason", ["disk_full", "maintenance"])
def test_decisions_may_be_missing_where_the_disk_took_nothing(tmp_path: Path, reason: str) -> None:
    script = market_day()
    gap = encode_payload(StoredGap(reason))
    script.records.insert(20, Record(0, script.records[20].at_ns, 0, 0, Kind.GAP_OPEN, gap))
    script.records.insert(21, Record(0, script.records[21].at_ns, 0, 0, Kind.GAP_CLOSE, gap))
    records = LiveRun(specify("pupil", "pupils:Talker", {}), burst=1).live(script).records
    closed = of_kind(records, Kind.GAP_CLOSE)[0].seq
    lost = [r for r in of_kind(records, Kind.DECISION) if decode_decision(r.payload).cause < closed][-2:]
    found = judged(tmp_path, anew([record for record in records if record not in lost]))
    assert found.equal == (reason == "disk_full")
    assert found.unrecorded == (2 if found.equal else 0)
    later = of_kind(records, Kind.DECISION)[-1]
    assert not judged(tmp_path / "later", anew([r for r in records if r not in (*lost, later)])).equal


def test_a_record_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    records = lived()
    third = of_kind(records, Kind.DECISION)[2]
    with pytest.raises(TapeError, match="cannot be read"):
        judged(tmp_path, [saying(r, b"{}") if r is third else r for r in records])


@pytest.mark.parametrize(
    ("name", "deed"),
    [
        ("ReadsClock", "time.time_ns() reads the clock"),
        ("ThrowsDice", "random"),
        ("AsksTheNetwork", "socket"),
        ("Threads", "thread"),
        ("BornByTheClock", "time.monotonic() reads the clock"),
    ],
)
def test_a_strategy_that_is_not_pure_is_caught_by_the_guard_and_by_the_lint(
    tmp_path: Path, name: str, deed: str
) -> None:
    records = lived(f"pupils_impure:{name}")
    found = judge(make_tape(tmp_path / "tape", records), "columns", **AROUND)
    assert not found.equal
    assert found.first_difference is not None
    assert found.first_difference.what.startswith("the strategy is not pure: ")
    assert deed in found.first_difference.what
    assert found.first_difference.session == 1
    first = 0 if name == "BornByTheClock" else decode_decision(of_kind(records, Kind.DECISION)[0].payload).cause
    assert found.first_difference.seq == first
    assert {finding.what.split()[1] for finding in found.findings} >= {"random,", "socket,", "threading,", "time,"}


def test_a_strategy_that_is_pure_passes_the_guard(tmp_path: Path) -> None:
    assert judge(make_tape(tmp_path / "tape", lived()), "columns", **AROUND).equal
