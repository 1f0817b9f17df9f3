import os
import shutil
import stat
from pathlib import Path

import duckdb
import forked
import pyarrow.parquet as pq
import pytest
from dying import work_until
from sample_records import DAY, START_NS, hot_segment, sealed_tape, session_records

from capture.tape import segment, verify
from capture.tape.errors import DiskError, TapeDamaged, TapeError
from capture.tape.layout import FORMAT_VERSION, Label, Layout
from capture.tape.manifest import Manifest
from capture.tape.reader import Tape
from capture.tape.recovery import recover
from capture.tape.schema import RawBatch
from capture.tape.sealer import (
    Step,
    commit_segment,
    create_tape,
    rebuild_segment,
    seal_hot_segment,
    seal_records,
    write_batch,
)
from core.records import Record

DAY_NS = 86_400 * 10**9


def die_at(root: Path, work: str, step: Step) -> int:
    """Run the work in a process that ends, as if killed, right after the step."""
    return forked.call(work_until, root, work, step)


def tape_with_hot(root: Path, count: int = 300) -> list[Record]:
    records = session_records(count)
    sealed_tape(root, records[:200])
    hot_segment(root, 3, records[200:])
    return records


def count_by_duckdb(root: Path) -> tuple[int, int]:
    with duckdb.connect() as connection:
        glob = f"{root}/data/**/*.parquet"
        found = connection.execute("select count(*), count(distinct seq) from read_parquet(?)", [glob]).fetchall()[0]
    return int(found[0]), int(found[1])


def test_a_new_tape_is_empty_private_and_sound(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    create_tape(root, Label(FORMAT_VERSION, "u", "test"))
    assert list(Tape.open(root).records()) == []
    for path in [root, *root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    with pytest.raises(TapeError, match="not empty"):
        create_tape(root, Label(FORMAT_VERSION, "u", "test"))


def test_batches_follow_each_other(tmp_path: Path) -> None:
    records = session_records(250)
    manifest = sealed_tape(tmp_path / "tape", records)
    assert [(entry.number, entry.first_seq, entry.last_seq) for entry in manifest.entries] == [
        (1, 0, 99),
        (2, 100, 199),
        (3, 200, 249),
    ]
    assert list(Tape.open(tmp_path / "tape").records()) == records
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (tmp_path / "tape").rglob("*.parquet"))


def test_a_batch_that_does_not_follow_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    records = session_records(100)
    manifest = sealed_tape(tmp_path / "tape", records[:50])
    before = sorted((tmp_path / "tape").rglob("*"))
    for wrong in (records[60:], records[40:]):
        with pytest.raises(TapeDamaged, match="where 50 must follow"):
            commit_segment(manifest, write_batch(manifest, RawBatch.of(wrong), None))
    assert sorted((tmp_path / "tape").rglob("*")) == before


def test_a_hot_segment_becomes_a_sealed_one_and_goes(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    records = tape_with_hot(root)
    steps: list[Step] = []
    entry = seal_hot_segment(root, 3, hook=steps.append)
    assert entry is not None
    assert (entry.number, entry.first_seq, entry.last_seq) == (3, 200, 299)
    assert entry.hot_crc
    assert not Layout(root).hot(3).exists()
    assert steps == [Step.WRITTEN, Step.CHECKED, Step.RENAMED, Step.NAMED, Step.COMMITTED, Step.UNLINKED]
    assert seal_hot_segment(root, 3) == entry
    assert list(Tape.open(root).records()) == records
    assert verify.verify(root, deep=True).whole


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the names of open files are known on Linux only")
def test_everything_is_durable_before_what_it_replaces_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "tape"
    tape_with_hot(root)
    calls: list[str] = []
    fsync, rename, unlink, write = os.fsync, os.rename, os.unlink, os.write

    def named(path: object) -> str:
        return Path(str(path)).relative_to(root).as_posix()

    def seen_fsync(fd: int) -> None:
        calls.append(f"fsync {named(Path(f'/proc/self/fd/{fd}').readlink())}")
        fsync(fd)

    def seen_write(fd: int, data: bytes) -> int:
        calls.append(f"write {named(Path(f'/proc/self/fd/{fd}').readlink())}")
        return write(fd, data)

    def seen_rename(source: object, target: object) -> None:
        calls.append(f"rename {named(source)}")
        rename(str(source), str(target))

    def seen_unlink(path: object) -> None:
        calls.append(f"unlink {named(path)}")
        unlink(str(path))

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "write", seen_write)
    monkeypatch.setattr(os, "rename", seen_rename)
    monkeypatch.setattr(os, "unlink", seen_unlink)
    seal_hot_segment(root, 3)
    monkeypatch.undo()
    assert [call for call in calls if call != "unlink tmp/00000003.parquet.partial"] == [
        "fsync tmp/00000003.parquet.partial",
        "rename tmp/00000003.parquet.partial",
        f"fsync data/date={DAY}",
        "write MANIFEST",
        "fsync MANIFEST",
        "unlink wal/00000003.wal",
        "fsync wal",
    ]


def test_an_empty_hot_segment_just_goes(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    records = session_records(10)
    sealed_tape(root, records)
    hot_segment(root, 2, [records[0]])
    header = Layout(root).hot(2).read_bytes()[:40]
    Layout(root).hot(2).write_bytes(header)
    assert seal_hot_segment(root, 2) is None
    assert not Layout(root).hot(2).exists()


def test_a_hot_segment_that_is_not_whole_is_left_to_recovery(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    tape_with_hot(root)
    hot = Layout(root).hot(3)
    hot.write_bytes(hot.read_bytes()[:-3])
    with pytest.raises(TapeDamaged, match="tapedeck recover"):
        seal_hot_segment(root, 3)
    assert hot.exists()
    assert len(Manifest.load(Layout(root)).entries) == 2


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.ANNOUNCED])
def test_a_crash_at_any_step_of_sealing_leaves_each_record_once(tmp_path: Path, step: Step) -> None:
    root = tmp_path / "tape"
    records = tape_with_hot(root)
    assert die_at(root, "seal", step) == 9
    assert list(Tape.open(root).records()) == records
    report = recover(root)
    assert (report.problems, report.records, report.ended) == ((), 300, "clean_stop")
    assert list(Tape.open(root).records()) == records
    assert count_by_duckdb(root) == (300, 300)
    assert verify.verify(root, deep=True).problems == ()
    assert sorted(Layout(root).tmp.iterdir()) == sorted(Layout(root).wal.iterdir()) == []
    assert recover(root).actions == ()


@pytest.mark.parametrize("step", [Step.WRITTEN, Step.CHECKED, Step.ANNOUNCED, Step.RENAMED, Step.NAMED])
def test_a_crash_at_any_step_of_a_rebuild_leaves_each_record_once(tmp_path: Path, step: Step) -> None:
    root = tmp_path / "tape"
    records = session_records(200)
    before = sealed_tape(root, records).entries[0]
    assert die_at(root, "rebuild", step) == 9
    assert list(Tape.open(root).records()) == records
    assert count_by_duckdb(root) == (200, 200)
    recover(root)
    report = verify.verify(root, deep=True)
    assert report.problems == ()
    assert bool(report.notes) == (step is Step.ANNOUNCED)
    assert list(Tape.open(root).records()) == records
    entry = rebuild_segment(root, Manifest.load(Layout(root)).entries[0])
    assert entry.chain == before.chain
    assert verify.verify(root, deep=True).notes == ()
    assert list(Tape.open(root).records()) == records


def test_rebuilding_what_is_up_to_date_changes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    manifest = sealed_tape(root, session_records(50))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert rebuild_segment(root, manifest.entries[0]) == manifest.entries[0]
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_damaged_segment_is_not_rebuilt(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    entry = sealed_tape(root, session_records(50)).entries[0]
    path = root / entry.file
    whole = bytearray(path.read_bytes())
    whole[500] ^= 4
    path.write_bytes(whole)
    with pytest.raises(TapeDamaged, match="is altered"):
        rebuild_segment(root, entry)
    assert path.read_bytes() == whole


def test_a_file_that_reads_back_differently_is_never_committed(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    records = session_records(50)
    manifest = sealed_tape(root, records[:20])

    def spoil(step: Step) -> None:
        if step is Step.WRITTEN:
            segment.write_segment(
                manifest.layout.partial(2), [RawBatch.of(records[20:49])], number=2, after=manifest.chain
            )

    with pytest.raises(TapeDamaged, match="reads back differently"):
        seal_records(manifest, records[20:], 2, 0, hook=spoil)
    assert list(Tape.open(root).records()) == records[:20]
    assert sorted(manifest.layout.tmp.iterdir()) == []


def test_a_disk_that_refuses_leaves_the_tape_as_it_was(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    records = session_records(50)
    manifest = sealed_tape(root, records[:20])
    manifest.layout.tmp.rmdir()
    with pytest.raises(DiskError):
        commit_segment(manifest, write_batch(manifest, RawBatch.of(records[20:]), None))
    assert list(Tape.open(root).records()) == records[:20]


def test_days_are_partitions_that_duckdb_prunes(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    records = session_records(30)
    day = [record.seq // 10 for record in records]
    moved = [
        Record(r.seq, r.at_ns + days * DAY_NS, r.mono_ns, r.connection, r.kind, r.payload)
        for r, days in zip(records, day, strict=True)
    ]
    manifest = sealed_tape(root, moved, rows=10)
    assert [entry.file.split("/")[1] for entry in manifest.entries] == [f"date=2026-08-{d}" for d in (11, 12, 13)]
    assert manifest.entries[0].first_ns == START_NS
    # Only the wanted day's files are opened: with the others unreadable the query still works.
    for entry in manifest.entries[1:]:
        (root / entry.file).write_bytes(b"not parquet")
    with duckdb.connect() as connection:
        query = "select count(*), max(seq) from read_parquet(?, hive_partitioning=true) where date = ?"
        found = connection.execute(query, [f"{root}/data/**/*.parquet", DAY]).fetchall()
    assert found == [(10, 9)]


def test_the_chain_is_the_same_whatever_the_encoder_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = session_records(100)
    first = sealed_tape(tmp_path / "tape", records)
    shutil.move(tmp_path / "tape", tmp_path / "moved")
    monkeypatch.setattr(segment, "ZSTD_LEVEL", 1)
    second = sealed_tape(tmp_path / "tape", records)
    assert first.chain == second.chain
    assert first.entries[0].sha256 != second.entries[0].sha256


def test_a_segment_that_reads_back_with_one_other_value_is_not_committed(tmp_path: Path) -> None:
    manifest = sealed_tape(tmp_path / "tape", [])
    records = session_records(20)
    facts = write_batch(manifest, RawBatch.of(records), None)
    aside = manifest.layout.partial(facts.number)
    table = pq.read_table(aside)
    place = table.column_names.index("at_ns")
    times = table.column("at_ns").to_pylist()
    wrong = table.set_column(place, table.schema.field("at_ns"), [[*times[:7], times[7] + 1, *times[8:]]])
    pq.write_table(wrong, aside)  # what it says of itself (key-value metadata) is as it was
    with pytest.raises(TapeDamaged, match="reads back differently"):
        commit_segment(manifest, facts)
    assert Tape.open(manifest.layout.root).segments == ()
    assert not aside.exists()
