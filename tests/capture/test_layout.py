"""capture.tape.layout: paths, names, the label, durable small files."""

from pathlib import Path

import msgspec
import pytest
from writing import DAY_NS

from capture.tape.errors import DiskError, TapeError, TapeFormat
from capture.tape.layout import (
    FORMAT_VERSION,
    Label,
    Layout,
    checkpoint_seqs,
    day_number,
    hot_numbers,
    make_tree,
    read_label,
    sealed_files,
    utc_day,
    write_durably,
    write_label,
)

LABEL = Label(FORMAT_VERSION, "6f1c1f0e-0000-4000-8000-000000000001", "demo")


def test_names_are_made_of_numbers_and_days_only(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.relative(layout.hot(7)) == "wal/00000007.wal"
    assert layout.relative(layout.sealed(7, "2026-08-11")) == "data/date=2026-08-11/00000007.parquet"
    assert layout.relative(layout.partial(7)) == "tmp/00000007.parquet.partial"
    assert layout.relative(layout.checkpoint(12)) == "checkpoints/12.ckpt"


def test_a_file_written_aside_matches_no_glob_for_parquet(tmp_path: Path) -> None:
    assert not Layout(tmp_path).partial(7).match("*.parquet")


def test_a_new_tree_is_for_its_owner_only_and_no_tape_before_it_has_a_label(tmp_path: Path) -> None:
    layout = make_tree(tmp_path / "deep" / "tape")
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in (layout.root, *layout.directories()))
    with pytest.raises(TapeFormat, match=r"is no tape: it has no tape\.json"):
        read_label(layout.root)
    write_label(layout, LABEL)
    assert read_label(layout.root) == LABEL
    assert layout.label.stat().st_mode & 0o777 == 0o600


def test_a_tree_is_made_in_an_empty_directory_but_never_over_something(tmp_path: Path) -> None:
    make_tree(tmp_path)
    with pytest.raises(TapeError, match="not empty"):
        make_tree(tmp_path)


def test_a_file_in_the_place_of_a_tape_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DiskError, match="file: cannot make a tape here: File exists"):
        make_tree(tmp_path / "file")
    with pytest.raises(TapeFormat, match="file: is no tape"):
        read_label(tmp_path / "file")


def test_a_newer_format_is_refused_by_its_number_whatever_else_it_holds(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.label.write_bytes(b'{"format": 7, "colour": "blue"}')
    with pytest.raises(TapeFormat, match="format version 7, this program reads up to 1"):
        read_label(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format":"1"}', b'{"format":1}', b"\xff\x00"])
def test_a_label_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tape.json").write_bytes(content)
    with pytest.raises(TapeFormat, match=r"tape\.json"):
        read_label(tmp_path)


def test_the_label_tells_a_stranger_how_to_read_the_tape() -> None:
    fields = msgspec.json.decode(LABEL.encoded())
    assert "Parquet" in fields["reading"] and fields["environment"] == "demo"
    assert len(LABEL.digest()) == 64


def test_files_are_listed_by_number_and_strangers_are_not(tmp_path: Path) -> None:
    layout = make_tree(tmp_path / "tape")
    for path in (layout.hot(10), layout.hot(9), layout.wal / "x.wal", layout.wal / "00000001.wal.bak"):
        path.touch()
    late, early = layout.sealed(2, "2026-01-01"), layout.sealed(1, "2026-01-02")
    for path in (
        late,
        early,
        layout.data / "date=2026-01-01" / "x.parquet",
        layout.checkpoint(100),
        layout.checkpoint(9),
    ):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert hot_numbers(layout) == [9, 10]
    assert sealed_files(layout) == [(1, early), (2, late)]
    assert checkpoint_seqs(layout) == [9, 100]


def test_a_directory_that_is_missing_holds_nothing(tmp_path: Path) -> None:
    assert hot_numbers(Layout(tmp_path)) == checkpoint_seqs(Layout(tmp_path)) == []
    assert sealed_files(Layout(tmp_path)) == []


@pytest.mark.parametrize(
    ("at_ns", "day"),
    [(0, "1970-01-01"), (DAY_NS - 1, "1970-01-01"), (DAY_NS, "1970-01-02"), (1_772_323_199_999_999_999, "2026-02-28")],
)
def test_the_day_of_a_time_is_the_utc_day(at_ns: int, day: str) -> None:
    assert utc_day(at_ns) == day


def test_day_numbers_count_days() -> None:
    assert [day_number(n) for n in (0, DAY_NS - 1, DAY_NS, 2 * DAY_NS)] == [0, 0, 1, 2]


def test_a_small_file_is_replaced_whole_and_leaves_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_durably(path, b"one")
    write_durably(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_a_disk_that_refuses_is_reported_as_such(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="cannot write the label"):
        write_label(Layout(tmp_path / "missing"), LABEL)
