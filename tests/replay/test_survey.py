"""Which files are recordings: recognised, described, found in directories, put in order."""

import gzip
from pathlib import Path

import pytest
from tapes import TAPES, needs_tapes

from capture.tape.errors import TapeError
from replay.sources import LINE_LIMIT
from replay.survey import Survey, survey

MS = 1_786_401_938_338


def gold(path: Path, *times_ms: int) -> Path:
    path.write_bytes(b"".join(b'{"recv_ms":%d,"event":{"type":"%s"}}\n' % (ms, path.name.encode()) for ms in times_ms))
    return path


def btc(path: Path, first: bytes) -> Path:
    path.write_bytes(b'{"recv_ns":%d000000,"conn":1,%b}\n' % (MS, first))
    return path


def look(*paths: Path) -> Survey:
    return survey(paths, LINE_LIMIT)


def names(found: Survey) -> list[str]:
    return [item.path.name for item in found.recordings]


def test_recordings_come_in_order_of_their_first_time(tmp_path: Path) -> None:
    files = [gold(tmp_path / name, ms) for name, ms in (("a", MS + 2), ("b", MS), ("d", MS + 1), ("c", MS + 1))]
    found = look(*files)
    assert names(found) == ["b", "c", "d", "a"]
    assert found.recordings[0].first_ns == MS * 1_000_000
    assert found.recordings[0].timed


def test_a_recording_says_whether_it_begins_with_a_connection(tmp_path: Path) -> None:
    assert look(btc(tmp_path / "a", b'"event":"connected"')).recordings[0].opens
    assert not look(btc(tmp_path / "b", b'"raw":"{}"')).recordings[0].opens


def test_bare_frames_are_in_order_by_their_own_time_and_not_timed(tmp_path: Path) -> None:
    (tmp_path / "bare").write_bytes(b'{"type":"x","sid":1,"msg":{},"sending_ts_ms":%d}\n' % (MS - 1))
    found = look(gold(tmp_path / "a", MS), tmp_path / "bare")
    assert [(item.path.name, item.timed) for item in found.recordings] == [("bare", False), ("a", True)]


def test_a_directory_stands_for_the_recordings_in_it(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / ".hidden").mkdir()
    gold(tmp_path / "deep" / "b", MS)
    gold(tmp_path / "a", MS + 1)
    gold(tmp_path / ".hidden" / "c", MS + 2)
    (tmp_path / "event.json").write_text('{"event":{}}\n')
    (tmp_path / "empty").touch()
    found = look(tmp_path)
    assert names(found) == ["b", "a"]
    assert found.skipped == (str(tmp_path / "empty"), str(tmp_path / "event.json"))


def test_a_directory_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("{}\n")
    with pytest.raises(TapeError, match="holds no recording known here"):
        look(tmp_path)


def test_a_tape_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "tape.json").touch()
    gold(tmp_path / "a", MS)
    with pytest.raises(TapeError, match="is a tape already"):
        look(tmp_path)


def test_nothing_given_is_refused() -> None:
    with pytest.raises(TapeError, match="no file"):
        look()


def test_the_same_recording_twice_is_refused(tmp_path: Path) -> None:
    first = gold(tmp_path / "a", MS)
    copy = tmp_path / "b"
    copy.write_bytes(first.read_bytes())
    with pytest.raises(TapeError, match="hold the same bytes"):
        look(first, copy)
    with pytest.raises(TapeError, match="was given twice"):
        look(first, first)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (gzip.compress(b"x" * 5000, mtime=0)[:15], "is cut off within its first bytes"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary or other data"),
        (b"recv_ms,event\n1,2\n", "its first line is 'recv_ms,event', not JSON"),
        (b'{"markets":[],"cursor":""}', "none holds a frame"),
        (b'{\n  "markets": []\n}\n', "none holds a frame"),
        (b'{"recv_ms":178640193', "none holds a frame"),
    ],
)
def test_what_is_no_recording_is_described(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "thing"
    path.write_bytes(content)
    with pytest.raises(TapeError) as caught:
        look(path)
    assert str(caught.value).startswith(f"{path}: is ")
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_line_is_left_for_the_import_to_tell(tmp_path: Path) -> None:
    path = gold(tmp_path / "a", MS, MS + 1)
    path.write_bytes(path.read_bytes() + b"bad\n")
    assert look(path).recordings[0].first_ns == MS * 1_000_000
    path.write_bytes(b"bad\n" + gold(path, MS).read_bytes())
    assert look(path).recordings[0].first_ns == 0


@needs_tapes
def test_all_real_recordings_are_found_and_nothing_else() -> None:
    found = look(TAPES)
    assert [item.dialect.name for item in found.recordings] == [
        *["hourly-btc", "btc15m", "btc15m", "frames-marked", "frames-blank", "frames-blank", "frames"],
        *["gold15m"] * 5, *["answers"] * 4,
    ]  # fmt: skip
    assert not [name for name in found.skipped if name.endswith((".gz", ".jsonl"))]
