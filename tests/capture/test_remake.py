from pathlib import Path

import pytest
from sample_records import sealed_tape, session_records

from capture.tape.errors import TapeDamaged
from capture.tape.layout import read_label
from capture.tape.lines import FileMark
from capture.tape.manifest import Manifest
from capture.tape.remake import remake_manifest, vouch

RECORDS = session_records(400)


def made(tmp_path: Path, name: str = "tape") -> Manifest:
    return sealed_tape(tmp_path / name, RECORDS)


def remade(manifest: Manifest, keep: int = 0) -> tuple[Manifest, list[str]]:
    layout = manifest.layout
    count, problems = remake_manifest(layout, read_label(layout.root), manifest.entries[:keep])
    again = Manifest.load(layout)
    assert (again.faults, again.torn_bytes, len(again.entries)) == ([], 0, count)
    return again, problems


def test_a_lost_manifest_is_made_again_from_the_files(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    before = manifest.layout.manifest.read_bytes()
    manifest.layout.manifest.unlink()
    again, problems = remade(manifest)
    assert (again.entries, problems) == (manifest.entries, [])
    assert manifest.layout.manifest.read_bytes() == before
    assert manifest.layout.manifest.stat().st_mode & 0o777 == 0o600


def test_marks_that_only_the_manifest_knows_are_kept(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    manifest.archive(1, "s3://bucket/1")
    manifest.prune(2)
    manifest.replace(3, FileMark(9, "ab" * 32), manifest.entries[2].marks[0], 5)
    for entry in manifest.entries[:2]:
        (manifest.layout.root / entry.file).unlink()
    again, problems = remade(manifest, keep=3)
    assert (again.entries, problems) == (manifest.entries, [])


def test_a_damaged_file_is_left_out_and_named(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    path = manifest.layout.root / manifest.entries[1].file
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    again, problems = remade(manifest)
    assert [entry.number for entry in again.entries] == [1, 3, 4]
    assert len(problems) == 1
    assert path.name in problems[0]


def test_a_segment_of_another_tape_does_not_follow(tmp_path: Path) -> None:
    manifest, other = made(tmp_path), made(tmp_path, "other")
    file = manifest.entries[1].file
    (manifest.layout.root / file).write_bytes((other.layout.root / file).read_bytes())
    again, problems = remade(manifest)
    assert [entry.number for entry in again.entries] == [1, 3, 4]
    assert "does not follow" in problems[0]


def test_a_file_is_vouched_for_by_its_whole_content(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    path = manifest.layout.root / manifest.entries[2].file
    assert vouch(manifest.layout, path) == manifest.entries[2]


def test_a_file_in_another_ones_place_is_not_vouched_for(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    path = manifest.layout.root / manifest.entries[2].file
    renamed = path.rename(path.with_name("00000009.parquet"))
    with pytest.raises(TapeDamaged, match="is not the segment"):
        vouch(manifest.layout, renamed)
