from pathlib import Path

import pytest
from sample_records import mixed_tape, session_records

from capture.tape.manifest import Manifest
from capture.tape.strays import kept_name, strays

RECORDS = session_records(300)


def made(tmp_path: Path) -> Manifest:
    return mixed_tape(tmp_path / "tape", RECORDS, sealed=200)


def found(manifest: Manifest, *, recording: bool = False) -> dict[str, str]:
    layout = manifest.layout
    return {layout.relative(path): what for path, what in strays(layout, manifest, recording=recording)}


def test_nothing_strays_on_a_good_tape(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    manifest.layout.lock.touch()
    manifest.layout.reserve.write_bytes(b"\0" * 3_000_000)
    manifest.layout.checkpoint(9).write_bytes(b"its content is another's business")
    assert found(manifest) == {}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("notes.txt", "no file of a tape"),
        ("wal/3.wal", "no file of a tape"),
        ("wal/00000003.wal.bak", "no file of a tape"),
        ("data/00000001.parquet", "manifest does not name"),
        ("data/date=2026-08-11/00000099.parquet", "manifest does not name"),
        ("data/date=2026-08-12/00000001.parquet", "manifest does not name"),
        ("data/date=2026-08-11/deeper/00000001.parquet", "manifest does not name"),
        ("checkpoints/latest", "no file of a tape"),
        ("tmp/00000009.parquet.partial", "half written"),
        ("MANIFEST.partial", "half written"),
        ("quarantine/thing", "not what was put"),
        ("quarantine/thing.0123456789abcdef", "not what was put"),
    ],
)
def test_a_file_that_does_not_belong_is_named(tmp_path: Path, name: str, what: str) -> None:
    manifest = made(tmp_path)
    path = manifest.layout.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"content")
    assert what in found(manifest)[name]


def test_directories_and_links_that_do_not_belong_are_named(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    root = manifest.layout.root
    (root / "wal" / "inner").mkdir()
    (root / "link").symlink_to(root / "tape.json")
    (root / "checkpoints" / "9.ckpt").symlink_to(root / "tape.json")
    assert found(manifest) == {
        "wal/inner": "is no directory of a tape",
        "link": "is no regular file",
        "checkpoints/9.ckpt": "is no regular file",
    }


def test_files_that_hold_nothing_must_hold_nothing(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    manifest.layout.lock.write_bytes(b"\0")
    manifest.layout.reserve.write_bytes(b"\0" * 2_000_000 + b"\1")
    assert found(manifest) == {
        "LOCK": "holds something, and should be empty",
        "tmp/RESERVE": "holds something, and should be room only",
    }


def test_what_was_put_in_quarantine_must_stay_as_it_was(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    layout = manifest.layout
    from hashlib import sha256

    name = kept_name(layout, layout.hot(3), sha256(b"torn").hexdigest())
    assert name.startswith("wal_00000003.wal.")
    (layout.quarantine / name).write_bytes(b"torn")
    assert found(manifest) == {}
    (layout.quarantine / name).write_bytes(b"worn")
    assert list(found(manifest)) == [f"quarantine/{name}"]


def test_half_written_files_belong_to_who_writes_now(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    manifest.layout.partial(9).write_bytes(b"half")
    manifest.layout.reserve.write_bytes(b"")
    assert list(found(manifest)) == ["tmp/00000009.parquet.partial"]
    assert found(manifest, recording=True) == {}


def test_files_of_archived_and_pruned_segments_may_still_be_there(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    manifest.archive(1, "elsewhere")
    manifest.prune(2)
    assert found(manifest) == {}


def test_without_a_manifest_every_segment_strays(tmp_path: Path) -> None:
    layout = made(tmp_path).layout
    names = [layout.relative(path) for path, _ in strays(layout, None, recording=False)]
    assert names == ["data/date=2026-08-11/00000001.parquet", "data/date=2026-08-11/00000002.parquet"]
