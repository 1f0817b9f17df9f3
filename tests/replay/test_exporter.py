"""Exports: imported bytes come back, live tapes become lines that import again, files are whole or not there."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from sample_tapes import Script, make_tape, story
from tapes import TAPES, but_the_longest, needs_tapes

from capture.tape.errors import DiskError, TapeDamaged, TapeError
from capture.tape.reader import Tape
from core.records import Kind, Record, Session, Source, decode_opened, encode_payload
from replay.exporter import ExportReport, export_jsonl
from replay.importer import ImportOptions, import_recording
from replay.synthetic import Plan, write_recording

MS = 1_786_401_938_338
SOURCES = (
    "gold15m/101900-00/2026-08-10.ndjson.gz",
    "gold15m/102000-00/2026-08-10.ndjson.gz",
    "gold15m/102000-00/2026-08-11.ndjson.gz",
    "gold15m/102030-30/2026-08-11.ndjson.gz",
    "gold15m/102115-15/2026-08-11.ndjson.gz",
    "btc15m/short-30s.jsonl.gz",
    "btc15m/outage-22s.jsonl.gz",
    "hourly-btc/kalshi_ws_frames.jsonl",
    "channels/captured_lifecycle_frames.jsonl",
    "channels/live-10-channels-20260520.txt",
    "rest/fortuna/ws__orderbook_trade_noleg.jsonl",
    "rest/fortuna/ws__orderbook_trade_yes.jsonl",
)


def text_of(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def exported(tape: Tape, place: Path) -> tuple[bytes, ExportReport]:
    report = export_jsonl(tape, place / "out.jsonl")
    text = (place / "out.jsonl").read_bytes()
    assert report.bytes == len(text)
    (place / "out.jsonl").unlink()
    return text, report


def round_trip(place: Path, *files: Path, options: ImportOptions | None = None) -> tuple[bytes, ExportReport]:
    import_recording(files, place / "tape", options)
    return exported(Tape.open(place / "tape"), place)


@needs_tapes
@pytest.mark.parametrize("name", but_the_longest(SOURCES))
def test_a_real_recording_comes_back_byte_for_byte(name: str, tmp_path: Path) -> None:
    text, report = round_trip(tmp_path, TAPES / name)
    assert text == text_of(TAPES / name)
    assert report.skipped == {}


@needs_tapes
def test_files_come_back_one_after_the_other(tmp_path: Path) -> None:
    files = sorted((TAPES / "gold15m").glob("102[0]*/*.gz")) + sorted((TAPES / "channels").glob("*_*"))
    text, _ = round_trip(tmp_path, *files)
    assert text == b"".join(text_of(path) for path in [files[-1], *files[:-1]])


@pytest.mark.parametrize("rows", [1, 3, 65_536])
def test_odd_bytes_come_back_whatever_the_segments(rows: int, tmp_path: Path) -> None:
    text = (
        b'\n\n{"recv_ns":%d,"conn":1,"event":"connected"}\n{"recv_ns":%d,"conn":1,"raw":"{}"}\r\n  \n'
        b'{"recv_ns": %d, "conn":1, "raw":"\\u00e9"}\n{"recv_ns":%d,"conn":1,"event":"note"}\n'
        b'{"recv_ns":%d,"conn":2,"event":"closed"}\n\n\t\n'
    ) % tuple(MS * 10**6 + step for step in range(5))
    (tmp_path / "a").write_bytes(text)
    back, report = round_trip(tmp_path, tmp_path / "a", options=ImportOptions(segment_rows=rows))
    assert back == text
    assert report.records == 5  # four lines with a record, and what comes after them


def test_a_torn_end_comes_back_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'{"recv_ms":%d,"event":{}}\n\n{"recv_ms":17' % MS)
    back, _ = round_trip(tmp_path, tmp_path / "a", options=ImportOptions(torn_tail=True))
    assert back == (tmp_path / "a").read_bytes()


def test_a_made_up_recording_comes_back(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.jsonl", Plan(frames=3000, reconnects=2))
    back, report = round_trip(tmp_path, tmp_path / "a.jsonl")
    assert back == (tmp_path / "a.jsonl").read_bytes()
    assert (report.frames, report.records) == (3000, 3003)


def comparable(tape: Tape) -> list[tuple[int, int, int, bytes]]:
    """What an import of an export keeps of a live tape."""
    kept = (Kind.FRAME, Kind.OPENED, Kind.CLOSED)
    return [
        (r.at_ns, r.connection, r.kind, b"" if r.kind == Kind.CLOSED else _shortened(r))
        for r in tape.records()
        if r.kind in kept
    ]


def _shortened(record: Record) -> bytes:
    return b"%d" % decode_opened(record.payload).replaces if record.kind == Kind.OPENED else record.payload


def test_a_live_tape_is_written_as_lines_that_can_be_imported(tmp_path: Path) -> None:
    live = story().ping(2).put(Kind.SENT, b'{"id":1}', 2).frame(b"\xff\xfe", 2).tape(tmp_path / "live")
    text, report = exported(live, tmp_path)
    assert report.skipped == {"CLEAN_STOP": 1, "FRAME_PING": 1, "SENT": 1, "SESSION": 1}
    (tmp_path / "again.jsonl").write_bytes(text)
    import_recording([tmp_path / "again.jsonl"], tmp_path / "again")
    assert comparable(Tape.open(tmp_path / "again")) == comparable(live)
    assert exported(Tape.open(tmp_path / "again"), tmp_path)[0] == text


def test_connections_side_by_side_are_not_taken_for_reconnects(tmp_path: Path) -> None:
    script = Script().session().opened(1).opened(2).opened(3, replaces=1).opened(4, replaces=3).stop()
    live = script.session().opened(1).opened(2, replaces=1).stop().tape(tmp_path / "live")
    text, _ = exported(live, tmp_path)
    assert text.count(b"replaces") == 2
    (tmp_path / "again.jsonl").write_bytes(text)
    import_recording([tmp_path / "again.jsonl"], tmp_path / "again")
    opened = [r for r in Tape.open(tmp_path / "again").records() if r.kind == Kind.OPENED]
    # The second session of the live tape begins again: as lines it takes over from the last connection before it.
    assert [(r.connection, decode_opened(r.payload).replaces) for r in opened] == [
        (1, 0), (2, 0), (3, 1), (4, 3), (1, 4), (2, 1),
    ]  # fmt: skip


def test_a_tape_of_many_segments_and_an_empty_one_can_be_exported(tmp_path: Path) -> None:
    script = story()
    assert exported(script.tape(tmp_path / "a", segment_records=17), tmp_path)[0]
    assert exported(make_tape(tmp_path / "b", []), tmp_path) == (
        b"",
        ExportReport(str(tmp_path / "out.jsonl"), 0, 0, 0, {}),
    )


def test_a_dialect_of_a_later_program_is_refused(tmp_path: Path) -> None:
    session = Session("s", "test", sources=(Source("a.bin", 1, "0", "novel"),))
    tape = make_tape(tmp_path / "tape", [Record(0, MS * 10**6, 0, 0, Kind.SESSION, encode_payload(session))])
    with pytest.raises(TapeError, match=r"a\.bin: was imported as 'novel', unknown here"):
        export_jsonl(tape, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["tape"]


def test_damage_leaves_no_file(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=50)
    path = tmp_path / "tape" / tape.segments[1].file
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(TapeDamaged):
        export_jsonl(tape, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["tape"]


def test_what_exists_is_not_written_over(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    (tmp_path / "out").write_bytes(b"precious")
    with pytest.raises(TapeError, match="out: exists already"):
        export_jsonl(tape, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"precious"
    with pytest.raises(DiskError, match="nowhere"):
        export_jsonl(tape, tmp_path / "nowhere" / "out")


def test_progress_counts_records(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=50)
    seen: list[tuple[int, int]] = []
    export_jsonl(tape, tmp_path / "out", lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(entry.last_seq + 1 for entry in tape.segments)
    assert seen[-1] == (tape.head_seq + 1, tape.head_seq + 1)


@pytest.mark.integration
def test_a_dash_means_standard_output(tmp_path: Path) -> None:
    text, _ = exported(story().tape(tmp_path / "tape"), tmp_path)
    code = (
        "import sys; from pathlib import Path; from capture.tape.reader import Tape;"
        "from replay.exporter import export_jsonl; export_jsonl(Tape.open(Path(sys.argv[1])), Path('-'))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "tape")]
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run(command, cwd=root, capture_output=True, check=True).stdout == text
