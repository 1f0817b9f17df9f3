"""Files as whole lines: packings, places, limits, and files that stop or lie."""

import bz2
import gzip
import lzma
import os
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from tapes import TAPES, needs_tapes

from capture.tape.errors import DiskError, TapeError
from replay.sources import PIECE, Lines, SourceFile, identify, packing_of


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}
TEXT = b"".join(
    b"line %d %s\n" % (number, random.Random(number).randbytes(40).hex().encode()) for number in range(9000)
)


def lines_of(path: Path, limit: int = 1 << 20) -> list[Lines]:
    with SourceFile(path, line_limit=limit) as file:
        return list(file.lines())


def text_of(path: Path) -> bytes:
    return b"".join(lines.text for lines in lines_of(path))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "recording.txt"


@pytest.mark.parametrize("packing", PACKERS)
def test_a_file_is_unpacked_by_its_magic_number(place: Path, packing: str) -> None:
    packed = PACKERS[packing](TEXT)
    place.write_bytes(packed)
    assert packing_of(packed) == packing
    assert text_of(place) == TEXT


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz", "zstd"])
def test_several_packed_streams_end_to_end_are_one_text(place: Path, packing: str) -> None:
    pack = PACKERS[packing]
    place.write_bytes(pack(TEXT[:1000]) + pack(b"") + pack(TEXT[1000:]))
    assert text_of(place) == TEXT


@needs_tapes
def test_the_real_recordings_are_packed_in_several_streams() -> None:
    path = TAPES / "gold15m" / "102115-15" / "2026-08-11.ndjson.gz"
    assert text_of(path) == gzip.decompress(path.read_bytes())


@pytest.mark.parametrize("packing", PACKERS)
def test_every_piece_says_where_it_is(place: Path, packing: str) -> None:
    place.write_bytes(PACKERS[packing](TEXT + b"half"))
    pieces = lines_of(place)
    number, offset = 1, 0
    for piece in pieces:
        assert (piece.number, piece.offset) == (number, offset)
        assert len(piece.text) <= 2 * PIECE
        assert piece.ended == piece.text.endswith(b"\n") == (piece is not pieces[-1])
        number += piece.text.count(b"\n")
        offset += len(piece.text)
    assert pieces[-1] == Lines(b"half", 9001, len(TEXT), False)


def test_an_empty_file_has_no_lines(place: Path) -> None:
    place.write_bytes(b"")
    assert lines_of(place) == []
    place.write_bytes(gzip.compress(b""))
    assert lines_of(place) == []


def test_a_line_may_be_longer_than_a_piece(place: Path) -> None:
    place.write_bytes(b"a\n" + b"b" * (3 * PIECE) + b"\nc\n")
    assert text_of(place) == place.read_bytes()


def test_a_line_without_end_is_refused_at_the_limit(place: Path) -> None:
    bomb = gzip.compress(b"ok\n" + bytes(64 << 20), 9)
    assert len(bomb) < 100_000
    place.write_bytes(bomb)
    with pytest.raises(
        TapeError, match=r"recording.txt: line 2 \(byte 3 of the unpacked text\) is longer than 1,048,576"
    ):
        lines_of(place)


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz", "zstd"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_packed_file_that_stops_early_gives_what_it_holds(place: Path, packing: str, share: float) -> None:
    packed = PACKERS[packing](TEXT)
    place.write_bytes(packed[: int(len(packed) * share)])
    with SourceFile(place) as file:
        pieces = list(file.lines())
        assert file.truncated
    text = b"".join(piece.text for piece in pieces)
    assert TEXT.startswith(text)
    assert len(text) > len(TEXT) * (share - 0.02) - 64 * 1024 or packing == "bzip2"  # which unpacks 900 kB or nothing


def test_a_whole_file_is_not_truncated(place: Path) -> None:
    for pack in PACKERS.values():
        place.write_bytes(pack(TEXT))
        with SourceFile(place) as file:
            list(file.lines())
            assert not file.truncated
            assert file.consumed == place.stat().st_size


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz", "zstd"])
def test_damaged_packing_is_told(place: Path, packing: str) -> None:
    packed = bytearray(PACKERS[packing](TEXT))
    if packing == "zstd":  # may go without a checksum: only what breaks its structure shows
        packed += packed[:4] + b"\xff" * 64
    else:
        middle = len(packed) // 2
        packed[middle : middle + 64] = bytes(64)
    place.write_bytes(packed)
    with pytest.raises(TapeError, match=f"recording.txt: the {packing} data is damaged before byte .* import that"):
        lines_of(place)


def test_zeros_after_the_packed_data_are_padding_and_other_bytes_are_damage(place: Path) -> None:
    place.write_bytes(gzip.compress(TEXT) + bytes(100))
    assert text_of(place) == TEXT
    place.write_bytes(gzip.compress(TEXT) + b"more")
    with pytest.raises(TapeError, match="damaged"):
        lines_of(place)


def test_what_is_no_file_is_refused(place: Path) -> None:
    with pytest.raises(DiskError, match="No such file"):
        SourceFile(place)
    with pytest.raises(TapeError, match="not a regular file"):
        SourceFile(place.parent)
    os.mkfifo(place)
    with pytest.raises(TapeError, match="not a regular file"):
        SourceFile(place)
    with pytest.raises(TapeError, match="not a regular file"):
        identify(place)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read_is_told(place: Path) -> None:
    place.write_bytes(TEXT)
    place.chmod(0)
    with pytest.raises(DiskError, match="Permission denied"):
        SourceFile(place)


def test_a_file_is_known_by_the_hash_of_its_bytes_on_disk(place: Path) -> None:
    place.write_bytes(b"abc")
    seen = identify(place)
    assert (seen.size, seen.sha256[:8]) == (3, "ba7816bf")
    with SourceFile(place) as file:
        assert file.unchanged_since(seen)
        place.write_bytes(b"abcd")
        assert not file.unchanged_since(seen)
        place.unlink()
        assert not file.unchanged_since(seen)


def test_no_more_is_read_than_asked_for(place: Path) -> None:
    place.write_bytes(TEXT)
    with SourceFile(place, size=PIECE + 7) as file:
        assert b"".join(lines.text for lines in file.lines()) == TEXT[: PIECE + 7]
