import random
from pathlib import Path

import msgspec
import pytest
from sample_records import sealed_tape, session_records

from capture.tape.errors import TapeDamaged, TapeFormat
from capture.tape.identity import (
    claimed_version,
    is_recording,
    label_problem,
    load_identified,
    require_version,
)
from capture.tape.layout import Layout, read_label
from capture.tape.lock import TapeLock
from capture.tape.manifest import Manifest


def made(tmp_path: Path) -> Manifest:
    return sealed_tape(tmp_path / "tape", session_records(10))


def test_a_good_tape_is_what_it_claims_to_be(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    label, loaded = load_identified(manifest.layout.root)
    assert (label.environment, loaded.entries) == ("test", manifest.entries)
    assert label_problem(manifest.layout, manifest) == ""
    assert read_label(manifest.layout.root) == label
    assert claimed_version(manifest.layout) == 1


@pytest.mark.parametrize("name", ["", "absent", "file"])
def test_what_is_no_tape_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    with pytest.raises(TapeFormat, match="no tape"):
        load_identified(tmp_path / name)
    assert claimed_version(Layout(tmp_path / name)) == 0


def test_a_newer_version_is_refused_with_both_versions(tmp_path: Path) -> None:
    layout = made(tmp_path).layout
    label = read_label(layout.root)
    layout.label.write_bytes(msgspec.structs.replace(label, format=7).encoded())
    for refuse in (lambda: require_version(layout), lambda: load_identified(layout.root)):
        with pytest.raises(TapeFormat, match=r"tape\.json: has format version 7.*up to 1; use a newer"):
            refuse()
    layout.manifest.write_bytes(b"a manifest as it will be written in years to come")
    with pytest.raises(TapeFormat, match="version 7"):
        load_identified(layout.root)


def test_a_version_that_the_manifest_contradicts_is_called_altered(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    layout = manifest.layout
    layout.label.write_bytes(layout.label.read_bytes().replace(b'"format": 1', b'"format": 3'))
    assert label_problem(layout, manifest) == "is altered: it claims format version 3"


def test_any_flipped_bit_of_the_label_is_seen(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    layout = manifest.layout
    whole = layout.label.read_bytes()
    for bit in random.Random(2).sample(range(len(whole) * 8), 300):
        altered = bytearray(whole)
        altered[bit // 8] ^= 1 << bit % 8
        layout.label.write_bytes(altered)
        assert label_problem(layout, manifest).startswith("is altered")
        with pytest.raises((TapeDamaged, TapeFormat), match=r"tape\.json"):
            load_identified(layout.root)


def test_a_missing_label_or_manifest_is_damage(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    layout = manifest.layout
    label = layout.label.read_bytes()
    layout.label.unlink()
    assert label_problem(layout, manifest) == "is missing"
    with pytest.raises(TapeDamaged, match=r"tape\.json: is missing; run `tapedeck recover`"):
        load_identified(layout.root)
    layout.label.write_bytes(label)
    layout.manifest.write_bytes(layout.manifest.read_bytes()[1:])
    with pytest.raises(TapeDamaged, match="line 1"):
        load_identified(layout.root)
    layout.manifest.unlink()
    with pytest.raises(TapeDamaged, match="MANIFEST: is missing"):
        load_identified(layout.root)


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 1}', b"\xff\xfe", b"[" * 5_000, b'{"format": "1"}'])
def test_a_label_without_a_manifest_must_be_whole(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tape.json").write_bytes(content)
    with pytest.raises(TapeFormat, match=r"tape\.json"):
        read_label(tmp_path)


def test_a_held_lock_means_that_somebody_records(tmp_path: Path) -> None:
    layout = made(tmp_path).layout
    assert not is_recording(layout)
    with TapeLock(layout.lock):
        assert is_recording(layout)
        assert is_recording(layout)
    assert not is_recording(layout)
    with TapeLock(layout.lock):  # looking has not taken it
        pass
