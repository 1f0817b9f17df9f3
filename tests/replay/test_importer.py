"""Recordings become tapes: the right records, whole or not at all, and a clear word when it cannot be."""

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from recordings import frames_of
from tapes import TAPES, needs_tapes

from capture.tape.errors import DiskError, TapeError
from capture.tape.layout import day_number
from capture.tape.reader import Ended, Tape
from capture.tape.verify import verify
from core.records import Coverage, Kind, Record, Session, decode_gap, decode_opened, decode_session
from replay import importer
from replay.importer import ImportOptions, ImportReport, import_recording
from replay.sources import PIECE
from replay.synthetic import Plan, write_recording

ROOT = Path(__file__).resolve().parents[2]
MS = 1_786_401_938_338
DAY_MS = 86_400_000


def gold(path: Path, times_ms: Sequence[int], first_seq: int = 1, step: int = 1) -> Path:
    """A gold15m recording with a frame at each time."""
    frame = b'{"type":"trade","sid":1,"seq":%d,"msg":{}}'
    seqs = range(first_seq, first_seq + step * len(times_ms), step)
    lines = [b'{"recv_ms":%d,"event":%b}\n' % (ms, frame % seq) for ms, seq in zip(times_ms, seqs, strict=True)]
    path.write_bytes(b"".join(lines))
    return path


def records_of(out: Path) -> list[Record]:
    records = list(Tape.open(out).records())
    assert [record.seq for record in records] == list(range(len(records)))
    return records


def frames_in(records: Sequence[Record]) -> list[bytes]:
    return [record.payload for record in records if record.kind == Kind.FRAME]


def kinds_of(records: Sequence[Record]) -> list[Kind]:
    """The kinds in order, frames once each run."""
    kinds = [Kind(record.kind) for record in records]
    return [kind for index, kind in enumerate(kinds) if kind != Kind.FRAME or kinds[index - 1] != Kind.FRAME]


def sessions_of(records: Sequence[Record]) -> list[Session]:
    return [decode_session(record.payload) for record in records if record.kind == Kind.SESSION]


def refused(files: Sequence[Path], out: Path, options: ImportOptions | None = None) -> str:
    """The one sentence with which an import is refused; nothing is left of it."""
    before = sorted(out.parent.iterdir())
    with pytest.raises(TapeError) as caught:
        import_recording(files, out, options)
    assert sorted(out.parent.iterdir()) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


@needs_tapes
@pytest.mark.parametrize(
    "name",
    [
        "gold15m/101900-00/2026-08-10.ndjson.gz",
        "btc15m/short-30s.jsonl.gz",
        "hourly-btc/kalshi_ws_frames.jsonl",
    ],
)
def test_a_real_recording_becomes_a_whole_tape_with_its_frames(name: str, tmp_path: Path) -> None:
    """One of each dialect; tests/test_websocket_integration.py holds all recordings against their frames."""
    report = import_recording([TAPES / name], tmp_path / "tape")
    records = records_of(tmp_path / "tape")
    frames = frames_of(TAPES / name)
    assert frames_in(records) == frames
    assert (report.records, report.frames, report.sessions) == (len(records), len(frames), 1)
    assert Tape.open(tmp_path / "tape").ended == Ended.CLEAN_STOP
    assert all(record.mono_ns == 0 for record in records)
    assert verify(tmp_path / "tape", deep=True).problems == ()


@needs_tapes
def test_the_windows_of_a_directory_become_one_session_in_order_of_time(tmp_path: Path) -> None:
    report = import_recording([TAPES / "gold15m"], tmp_path / "tape", ImportOptions(filtered=True))
    records = records_of(tmp_path / "tape")
    assert report.frames == len(frames_in(records)) == 23_003 + 47_658 + 34_334 + 184_861
    assert [source.bytes for source in report.sources][:5] == [373_228, 733_534, 323, 535_405, 2_465_962]
    windows = [Kind.FRAME, Kind.GAP_CLOSE] * 3 + [Kind.FRAME]  # the two files of one window are one stretch
    answers = [Kind.SESSION, *[Kind.REST] * 4, Kind.CLEAN_STOP]
    assert kinds_of(records) == [Kind.SESSION, *windows, Kind.CLEAN_STOP, *answers]
    assert [source for session in sessions_of(records) for source in session.sources] == list(report.sources)
    days = [(day_number(entry.first_ns), day_number(entry.last_ns)) for entry in Tape.open(tmp_path / "tape").segments]
    assert all(first == last for first, last in days)
    assert len(set(days)) == 3
    assert report.hints == ()


@needs_tapes
def test_the_outage_recording_has_three_connections(tmp_path: Path) -> None:
    import_recording([TAPES / "btc15m" / "outage-22s.jsonl.gz"], tmp_path / "tape")
    records = records_of(tmp_path / "tape")
    opened = [
        (record.connection, decode_opened(record.payload).replaces) for record in records if record.kind == Kind.OPENED
    ]
    assert opened == [(1, 0), (2, 1), (3, 2)]
    assert sessions_of(records)[0].coverage == Coverage(control=False, sent=False)


@needs_tapes
def test_only_a_filtered_recording_gets_the_hint(tmp_path: Path) -> None:
    gold_report = import_recording([TAPES / "gold15m" / "101900-00"], tmp_path / "gold")
    assert gold_report.jumps == 9_139
    assert re.search("9,139 of 23,003 .* --filtered", gold_report.hints[0])
    btc_report = import_recording([TAPES / "btc15m" / "outage-22s.jsonl.gz"], tmp_path / "btc")
    assert (btc_report.jumps, btc_report.hints) == (0, ())


def test_a_tape_begins_with_its_session_and_ends_with_a_clean_stop(tmp_path: Path) -> None:
    path = gold(tmp_path / "a", [MS, MS + 5])
    options = ImportOptions(environment="prod", filtered=True)
    report = import_recording([path], tmp_path / "tape", options)
    first, *_, last = records = records_of(tmp_path / "tape")
    session = decode_session(first.payload)
    assert (first.kind, first.at_ns, first.connection) == (Kind.SESSION, MS * 10**6, 0)
    assert (session.environment, session.coverage.filtered, session.coverage.receive_time) == ("prod", True, True)
    assert [(source.name, source.dialect) for source in session.sources] == [("a", "gold15m")]
    assert (last.kind, last.at_ns, last.payload) == (Kind.CLEAN_STOP, (MS + 5) * 10**6, b"")
    assert [record.connection for record in records] == [0, 1, 1, 0]
    assert Tape.open(tmp_path / "tape").environment == report.environment == "prod"
    assert (report.first_ns, report.last_ns, report.segments) == (MS * 10**6, (MS + 5) * 10**6, 1)


def test_the_same_files_always_give_the_same_tape(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.jsonl", Plan(frames=3000, reconnects=1))
    for name in ("one", "two"):
        import_recording([tmp_path / "a.jsonl"], tmp_path / name, ImportOptions(segment_rows=1000))
    trees = [
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    ]
    assert trees[0] == trees[1]
    import_recording([gold(tmp_path / "b", [MS])], tmp_path / "other")
    assert Tape.open(tmp_path / "other").label.uuid != Tape.open(tmp_path / "one").label.uuid


@pytest.mark.parametrize("rows", [1, 7, 64, 65_536])
def test_segments_have_the_size_asked_for(rows: int, tmp_path: Path) -> None:
    path = gold(tmp_path / "a", [MS + step for step in range(70)])
    report = import_recording([path], tmp_path / "tape", ImportOptions(segment_rows=rows))
    sizes = [entry.rows for entry in Tape.open(tmp_path / "tape").segments]
    assert sizes == [rows] * (72 // rows) + [72 % rows] * (72 % rows > 0)
    assert report.segments == len(sizes)
    assert len(frames_in(records_of(tmp_path / "tape"))) == 70


def test_a_segment_of_huge_frames_is_sealed_sooner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "SEGMENT_BYTES", 1000)
    write_recording(tmp_path / "a.jsonl", Plan(frames=4000))
    assert (tmp_path / "a.jsonl").stat().st_size > 4 * PIECE
    report = import_recording([tmp_path / "a.jsonl"], tmp_path / "tape")
    assert report.segments > 4
    assert len(frames_in(records_of(tmp_path / "tape"))) == 4000


def test_a_utc_day_begins_a_segment_and_a_clock_that_goes_back_does_not(tmp_path: Path) -> None:
    midnight = MS // DAY_MS * DAY_MS + DAY_MS
    times = [midnight - 2, midnight - 1, midnight, midnight - 1, midnight + 1, midnight + 3 * DAY_MS]
    import_recording([gold(tmp_path / "a", times)], tmp_path / "tape")
    segments = Tape.open(tmp_path / "tape").segments
    assert [entry.rows for entry in segments] == [3, 3, 2]
    day = day_number(midnight * 10**6)
    assert [day_number(entry.first_ns) for entry in segments] == [day - 1, day, day + 3]
    assert [record.at_ns // 10**6 for record in records_of(tmp_path / "tape")][1:-1] == times


def test_files_of_one_dialect_are_one_session_and_another_dialect_is_another(tmp_path: Path) -> None:
    write_recording(tmp_path / "b.jsonl", Plan(frames=20, start_ns=(MS + 100) * 10**6))
    files = [
        gold(tmp_path / "c", [MS + 10**9], 5),
        tmp_path / "b.jsonl",
        gold(tmp_path / "a2", [MS + 2], 3),
        gold(tmp_path / "a1", [MS, MS + 1]),
    ]
    report = import_recording(files, tmp_path / "tape")
    records = records_of(tmp_path / "tape")
    assert [[source.name for source in session.sources] for session in sessions_of(records)] == [
        ["a1", "a2"],
        ["b.jsonl"],
        ["c"],
    ]
    plain = [Kind.SESSION, Kind.FRAME, Kind.CLEAN_STOP]
    assert kinds_of(records) == [*plain, Kind.SESSION, Kind.OPENED, *plain[1:], *plain]
    assert report.sessions == 3
    assert len({session.uuid for session in sessions_of(records)}) == 3


def test_a_long_time_between_two_files_is_a_gap_and_a_short_one_is_not(tmp_path: Path) -> None:
    first = gold(tmp_path / "a", [MS])
    later = gold(tmp_path / "b", [MS + 25_000], first_seq=2)
    much_later = gold(tmp_path / "c", [MS + 50_001], first_seq=3)
    import_recording([first, later, much_later], tmp_path / "tape")
    records = records_of(tmp_path / "tape")
    assert [record.kind for record in records] == [
        Kind.SESSION,
        Kind.FRAME,
        Kind.FRAME,
        Kind.GAP_CLOSE,
        Kind.FRAME,
        Kind.CLEAN_STOP,
    ]
    gap = decode_gap(records[3].payload)
    assert (gap.reason, gap.until_ns - gap.from_ns) == ("down", 25_001_000_000)


def test_a_connection_number_goes_on_being_replaced_in_the_next_file(tmp_path: Path) -> None:
    for number in range(2):
        plan = Plan(frames=30, seed=number, start_ns=(MS + number * 10**6) * 10**6)
        write_recording(tmp_path / f"{number}.jsonl", plan)
    import_recording([tmp_path / "1.jsonl", tmp_path / "0.jsonl"], tmp_path / "tape")
    opened = [record for record in records_of(tmp_path / "tape") if record.kind == Kind.OPENED]
    assert [(record.connection, decode_opened(record.payload).replaces) for record in opened] == [(1, 0), (1, 1)]


def test_a_recording_that_does_not_begin_with_a_connection_does_not_vouch_for_any(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.jsonl", Plan(frames=30))
    text = (tmp_path / "a.jsonl").read_bytes()
    (tmp_path / "a.jsonl").write_bytes(text.split(b"\n", 1)[1])
    import_recording([tmp_path / "a.jsonl"], tmp_path / "tape")
    assert not sessions_of(records_of(tmp_path / "tape"))[0].coverage.connections


def test_bare_frames_say_that_nobody_noted_when_they_came(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'{"type":"x","sid":1,"msg":{},"sending_ts_ms":%d}\n' % MS)
    import_recording([tmp_path / "a"], tmp_path / "tape")
    records = records_of(tmp_path / "tape")
    assert sessions_of(records)[0].coverage == Coverage(False, False, False, False)
    assert [record.at_ns for record in records] == [MS * 10**6] * 3


def test_overlapping_recordings_are_refused(tmp_path: Path) -> None:
    first, second = gold(tmp_path / "a", [MS, MS + 11]), gold(tmp_path / "b", [MS + 10])
    assert refused([second, first], tmp_path / "tape") == (
        f"{first} goes on until 2026-08-10T22:45:38.349Z or later, but {second} begins at 2026-08-10T22:45:38.348Z "
        "already: they overlap; import each into a tape of its own"
    )
    gold(tmp_path / "a", [MS, MS + 10])
    assert import_recording([second, first], tmp_path / "tape").frames == 3


@pytest.fixture
def long_recording(tmp_path: Path) -> Path:
    """Several pieces long."""
    return gold(tmp_path / "a", [MS + number for number in range(20_000)])


@pytest.mark.parametrize("line", [1, 2, 3000, 19_999, 20_000])
@pytest.mark.parametrize(
    "garbage", [b"garbage", b'{"recv_ms":1786401938338,"event":{"type":', b"\0\0\0", b'{"recv_ns":1}']
)
def test_garbage_is_refused_with_its_place(line: int, garbage: bytes, long_recording: Path) -> None:
    lines = long_recording.read_bytes().split(b"\n")
    lines.insert(line - 1, garbage)
    long_recording.write_bytes(b"\n".join(lines))
    offset = sum(len(text) + 1 for text in lines[: line - 1])
    message = refused([long_recording], long_recording.with_name("tape"))
    assert message.startswith(
        f"{long_recording}: line {line} (byte {offset} of the text) is no line of a gold15m recording ("
    )
    assert message.endswith("); take that line out, or import the parts before and after it as two files")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_half_a_last_line_is_refused_with_its_remedy(pack: type[bytes], long_recording: Path) -> None:
    text = long_recording.read_bytes()
    long_recording.write_bytes(pack(text[:-9]))
    offset = text.rindex(b"\n", 0, -1) + 1
    assert refused([long_recording], long_recording.with_name("tape")) == (
        f"{long_recording}: line 20000 (byte {offset} of the text) is only half there; import what precedes it with "
        "--torn-tail, which notes the loss as a gap"
    )


def test_half_a_last_line_may_be_a_gap(long_recording: Path) -> None:
    long_recording.write_bytes(long_recording.read_bytes()[:-9])
    out = long_recording.with_name("tape")
    report = import_recording([long_recording], out, ImportOptions(torn_tail=True))
    records = records_of(out)
    assert kinds_of(records) == [Kind.SESSION, Kind.FRAME, Kind.GAP_OPEN, Kind.CLEAN_STOP]
    gap = decode_gap(records[-2].payload)
    assert (gap.reason, gap.from_ns, gap.until_ns) == ("torn_tail", (MS + 19_998) * 10**6, 0)
    assert gap.detail.startswith("a: line 20000 (byte ")
    assert report.frames == 19_999
    assert report.torn == (f"{long_recording}: {gap.detail[3:]}",)


def test_a_last_line_without_its_end_is_whole_if_it_can_be_read(long_recording: Path) -> None:
    long_recording.write_bytes(long_recording.read_bytes()[:-1])
    report = import_recording([long_recording], long_recording.with_name("tape"))
    assert (report.frames, report.torn) == (20_000, ())


def test_a_packed_recording_that_stops_early_is_half_there(long_recording: Path) -> None:
    packed = gzip.compress(long_recording.read_bytes())
    long_recording.write_bytes(packed[:-9])
    out = long_recording.with_name("tape")
    expected = (
        f"{long_recording}: its packed data stops at byte {len(packed) - 9}, before its end; import what precedes"
    )
    assert refused([long_recording], out).startswith(expected)
    import_recording([long_recording], out, ImportOptions(torn_tail=True))
    records = records_of(out)
    assert len(frames_in(records)) == 20_000
    assert decode_gap(records[-2].payload).reason == "torn_tail"


def test_the_gap_of_a_torn_recording_closes_where_the_next_begins(tmp_path: Path) -> None:
    first, second = gold(tmp_path / "a", [MS, MS + 1]), gold(tmp_path / "b", [MS + 7, MS + 8], 3)
    first.write_bytes(first.read_bytes()[:-9])
    import_recording([first, second], tmp_path / "tape", ImportOptions(torn_tail=True))
    records = records_of(tmp_path / "tape")
    assert kinds_of(records)[1:-1] == [Kind.FRAME, Kind.GAP_OPEN, Kind.GAP_CLOSE, Kind.FRAME]
    gap = decode_gap(next(record.payload for record in records if record.kind == Kind.GAP_CLOSE))
    assert (gap.reason, gap.from_ns, gap.until_ns) == ("torn_tail", MS * 10**6, (MS + 7) * 10**6)


def test_a_recording_that_still_grows_is_refused(long_recording: Path) -> None:
    def grow(done: int, total: int) -> None:
        del done, total
        with long_recording.open("ab") as file:
            file.write(b'{"recv_ms":%d,"event":{}}\n' % (MS + 10**6))

    message = refused([long_recording], long_recording.with_name("tape"), ImportOptions(progress=grow))
    assert message == f"{long_recording}: was changed while it was imported; stop its recorder, then import again"


def test_progress_counts_the_bytes_of_all_files(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_recording(tmp_path / "a.jsonl.gz", Plan(frames=3000))
    second = gold(tmp_path / "b", [2 * MS])
    options = ImportOptions(progress=lambda done, total: seen.append((done, total)))
    import_recording([second, tmp_path / "a.jsonl.gz"], tmp_path / "tape", options)
    total = (tmp_path / "a.jsonl.gz").stat().st_size + second.stat().st_size
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    path = gold(tmp_path / "a", [MS])
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(1 << 22)))
    path.write_bytes(gzip.compress(gold(tmp_path / "b", [MS]).read_bytes() + bytes(1 << 22)))
    assert "line 2 (byte 76 of the unpacked text) is longer than 1,048,576 bytes" in refused(
        [path], tmp_path / "tape", ImportOptions(line_limit=1 << 20)
    )


def test_what_lies_at_the_place_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "tape").mkdir()
    assert "exists already" in refused([tmp_path / "nothing"], tmp_path / "tape")
    assert "No such file" in refused([tmp_path / "nothing"], tmp_path / "new")


def test_a_place_that_takes_no_tape_is_refused(tmp_path: Path) -> None:
    path = gold(tmp_path / "a", [MS])
    with pytest.raises(DiskError, match="a"):
        import_recording([path], path / "tape")  # a file is no directory


def test_the_directories_above_a_tape_are_made(tmp_path: Path) -> None:
    import_recording([gold(tmp_path / "a", [MS])], tmp_path / "new" / "deep" / "tape")
    assert verify(tmp_path / "new" / "deep" / "tape").whole


def test_reports_can_be_encoded(tmp_path: Path) -> None:
    report = import_recording([gold(tmp_path / "a", [MS])], tmp_path / "tape")
    assert msgspec.json.decode(msgspec.json.encode(report), type=ImportReport) == report
