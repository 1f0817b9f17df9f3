from pathlib import Path

import msgspec
import pytest

from capture.tape.errors import DiskError, TapeDamaged, TapeError, TapeFormat
from capture.tape.layout import FORMAT_VERSION, Label, Layout, make_tree
from capture.tape.lines import Facts, FileMark, Genesis, State, chain_after, chain_start, encode_line
from capture.tape.manifest import Manifest, append_durably

LABEL = Label(FORMAT_VERSION, "a-uuid", "test")
MARK = FileMark(1000, "ab" * 32)


def new_manifest(root: Path) -> Manifest:
    return Manifest.create(make_tree(root / "tape"), LABEL)


def facts_after(manifest: Manifest, rows: int = 10, *, skip: int = 0, number: int = 0) -> Facts:
    raw = f"{manifest.next_seq:064x}"
    first = manifest.next_seq + skip
    return Facts(
        number=number or (manifest.last.number + 1 if manifest.last else 1),
        rows=rows,
        first_seq=first,
        last_seq=first + rows - 1,
        first_ns=0,
        last_ns=0,
        last_kind=1,
        raw_sha256=raw,
        after=manifest.chain,
        chain=chain_after(manifest.chain, raw),
        schema=1,
        decoder=1,
    )


def filled(root: Path, segments: int = 3) -> Manifest:
    manifest = new_manifest(root)
    for _ in range(segments):
        manifest.seal(facts_after(manifest), MARK)
    return manifest


def lines_of(manifest: Manifest) -> list[bytes]:
    return manifest.layout.manifest.read_bytes().splitlines(keepends=True)


def rewrite(manifest: Manifest, lines: list[bytes]) -> Manifest:
    manifest.layout.manifest.write_bytes(b"".join(lines))
    return Manifest.load(manifest.layout)


def test_a_new_manifest_names_its_tape_and_no_segment(tmp_path: Path) -> None:
    manifest = new_manifest(tmp_path)
    again = Manifest.load(manifest.layout)
    for each in (manifest, again):
        assert each.genesis == Genesis(format=1, label=LABEL)
        assert (each.entries, each.last, each.next_seq, each.faults) == ((), None, 0, [])
        assert each.chain == chain_start("a-uuid")
    assert manifest.layout.manifest.stat().st_mode & 0o777 == 0o600


def test_a_second_manifest_is_refused(tmp_path: Path) -> None:
    manifest = new_manifest(tmp_path)
    with pytest.raises(TapeError, match="exists already"):
        Manifest.create(manifest.layout, LABEL)


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    manifest = filled(tmp_path)
    manifest.archive(1, "s3://bucket/one")
    manifest.prune(2)
    manifest.replace(3, FileMark(5, "cd" * 32), MARK, 7)
    again = Manifest.load(manifest.layout)
    assert again.entries == manifest.entries
    assert [entry.state for entry in again.entries] == [State.ARCHIVED, State.PRUNED, State.PRESENT]
    assert again.entries[0].place == "s3://bucket/one"
    third = again.entry(3)
    assert third is not None
    assert (third.marks, third.decoder) == ((FileMark(5, "cd" * 32), MARK), 7)
    assert (again.sound, again.next_seq, again.chain) == (3, 30, manifest.chain)
    assert third.file == "data/date=1970-01-01/00000003.parquet"


def test_appending_goes_on_after_loading(tmp_path: Path) -> None:
    again = Manifest.load(filled(tmp_path).layout)
    again.seal(facts_after(again), MARK)
    assert Manifest.load(again.layout).next_seq == 40


def test_a_segment_that_was_never_sealed_cannot_be_marked(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="names no segment 9"):
        filled(tmp_path).prune(9)


def test_a_segment_must_follow_the_last_one(tmp_path: Path) -> None:
    manifest = filled(tmp_path)
    strange = msgspec.structs.replace(facts_after(manifest), after="00" * 32)
    for wrong in (strange, facts_after(manifest, skip=-5), facts_after(manifest, number=2)):
        with pytest.raises(AssertionError):
            manifest.seal(wrong, MARK)
    assert Manifest.load(manifest.layout).next_seq == 30


def test_a_hole_between_segments_is_no_fault_of_the_lines(tmp_path: Path) -> None:
    manifest = filled(tmp_path)
    manifest.seal(facts_after(manifest, skip=5), MARK)
    again = Manifest.load(manifest.layout)
    assert (again.faults, again.next_seq, len(again.entries)) == ([], 45, 4)


def test_a_missing_manifest_is_damage_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(TapeDamaged, match="tapedeck recover"):
        Manifest.load(Layout(tmp_path))


def test_an_empty_manifest_is_damage(tmp_path: Path) -> None:
    manifest = rewrite(filled(tmp_path), [])
    assert [fault.line for fault in manifest.faults] == [1]
    assert (manifest.genesis, manifest.entries, manifest.sound) == (None, (), 0)


def test_a_cut_anywhere_is_torn_or_ends_at_a_line(tmp_path: Path) -> None:
    manifest = filled(tmp_path)
    whole = manifest.layout.manifest.read_bytes()
    ends = [0]
    for line in lines_of(manifest):
        ends.append(ends[-1] + len(line))
    for length in range(len(whole)):
        cut = rewrite(manifest, [whole[:length]])
        lines_left = sum(end <= length for end in ends) - 1
        assert len(cut.entries) == max(0, lines_left - 1)
        if lines_left == 0:
            assert cut.faults
        else:
            assert (cut.faults, cut.torn_bytes) == ([], length - max(end for end in ends if end <= length))


def test_a_flipped_bit_anywhere_is_named_by_its_line(tmp_path: Path) -> None:
    manifest = filled(tmp_path, segments=2)
    whole = manifest.layout.manifest.read_bytes()
    for bit in range(0, len(whole) * 8, 3):
        altered = bytearray(whole)
        altered[bit // 8] ^= 1 << bit % 8
        read = rewrite(manifest, [bytes(altered)])
        line = whole[: bit // 8].count(b"\n") + 1
        if line == 3 or (line == 2 and whole[bit // 8] == 10):  # two lines run together are one torn line
            assert (read.torn_bytes > 0, read.sound) == (True, line - 2), f"bit {bit}"
        else:
            assert read.faults[0].line == line, f"bit {bit}"
            assert read.sound == 0, f"bit {bit}"


def test_a_removed_a_swapped_and_a_doubled_line_are_damage(tmp_path: Path) -> None:
    manifest = filled(tmp_path, segments=4)
    lines = lines_of(manifest)
    assert rewrite(manifest, lines[:2] + lines[3:]).faults[0].line == 3
    assert rewrite(manifest, [*lines[:2], lines[3], lines[2], lines[4]]).faults[0].line == 3
    assert rewrite(manifest, [*lines[:3], lines[2], *lines[3:]]).faults[0].line == 4
    assert rewrite(manifest, lines[1:]).faults[0].line == 1
    assert rewrite(manifest, [lines[0], *lines]).faults[0].line == 2


def test_lines_of_another_tape_are_damage(tmp_path: Path) -> None:
    manifest = filled(tmp_path)
    other = Manifest.create(make_tree(tmp_path / "other"), Label(FORMAT_VERSION, "another", "test"))
    other.seal(facts_after(other), MARK)
    assert rewrite(manifest, [*lines_of(manifest)[:1], *lines_of(other)[1:]]).faults[0].line == 2


def test_what_comes_after_a_damaged_line_is_read_but_not_sound(tmp_path: Path) -> None:
    manifest = filled(tmp_path, segments=4)
    lines = lines_of(manifest)
    lines[2] = lines[2].replace(b"rows", b"cows")
    read = rewrite(manifest, lines)
    assert [entry.number for entry in read.entries] == [1, 3, 4]
    assert (read.sound, [fault.line for fault in read.faults]) == (1, [3])


def test_nothing_is_appended_to_a_damaged_or_torn_manifest(tmp_path: Path) -> None:
    manifest = filled(tmp_path)
    lines = lines_of(manifest)
    torn = rewrite(manifest, [*lines[:-1], lines[-1][:20]])
    with pytest.raises(TapeDamaged, match="no whole line"):
        torn.prune(1)
    damaged = rewrite(manifest, lines[:1] + lines[2:])
    with pytest.raises(TapeDamaged, match="line 2 does not follow"):
        damaged.prune(2)


def test_a_manifest_that_someone_else_changed_is_not_appended_to(tmp_path: Path) -> None:
    manifest = filled(tmp_path)
    Manifest.load(manifest.layout).prune(1)
    before = manifest.layout.manifest.read_bytes()
    with pytest.raises(TapeDamaged, match="changed by someone else"):
        manifest.prune(2)
    assert manifest.layout.manifest.read_bytes() == before


def test_a_newer_version_is_refused_with_both_versions(tmp_path: Path) -> None:
    manifest = new_manifest(tmp_path)
    newer = Genesis(format=9, label=LABEL)
    with pytest.raises(TapeFormat, match=r"format version 9.*up to 1"):
        rewrite(manifest, [encode_line(newer)])


def test_an_append_that_fails_leaves_the_manifest_as_it_was(tmp_path: Path) -> None:
    manifest = filled(tmp_path)
    before = manifest.layout.manifest.read_bytes()
    with pytest.raises(TapeDamaged):
        append_durably(manifest.layout, b"x" * 10, len(before) - 1)
    manifest.layout.manifest.unlink()
    with pytest.raises(DiskError, match="append to the manifest"):
        manifest.prune(1)
