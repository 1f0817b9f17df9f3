"""How hot segments join, and what recovery makes of their records: of those behind damage, and in place of lost ones.

Knows records and the bytes of hot segments. Changes no file. The tape's numbering stays without a hole: each lost
record's place is taken by one that says so, so that everything after it can still be replayed.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from capture.tape.errors import DiskError, TapeDamaged, disk_error
from capture.tape.hotlog import HEAD, OVERHEAD, Header
from capture.tape.layout import Layout, hot_numbers
from capture.tape.scan import Scan, read_header
from core.records import Kind, Record, StoredGap, encode_payload

MAX_LOST: Final = 1 << 24
"""Records that may be stood in for, 25 full hot segments: a number beyond it is no loss but a foreign file."""

FINAL: Final = frozenset((Kind.CLEAN_STOP, Kind.GAP_OPEN))
"""Kinds of a last record that explain why nothing follows."""

_STAND_IN: Final = b'{"lost":true}'


def hot_limits(layout: Layout) -> dict[int, int | None]:
    """Each hot segment's number, ascending, and the seq at which it ends because a later one begins there.

    None for the newest. A file whose header is broken or names another segment limits no other; one that vanishes
    meanwhile, because it is sealed, is left out. Raises DiskError.
    """
    limits: dict[int, int | None] = {}
    limit: int | None = None
    for number in reversed(hot_numbers(layout)):
        path = layout.hot(number)
        try:
            header = read_header(path)
        except DiskError:
            if path.exists():
                raise
            continue
        limits[number] = limit
        if header is not None and header.number == number:
            limit = header.base_seq
    return dict(reversed(limits.items()))


def joins(before: Scan | None, header: Header | Scan) -> bool:
    """False when a hot segment claims to go on where the one before it ends, and was not written after that."""
    if before is None or before.next_seq == before.base_seq or before.next_seq != header.base_seq:
        return True
    return header.previous_crc == before.last_crc


def behind_damage(scan: Scan, limit: int | None) -> Iterator[Record]:
    """The whole records of a corrupt hot segment behind its first broken place, up to the next broken one.

    limit: the seq at which the next segment begins. Raises DiskError.
    """
    if scan.resumes_at is None:
        return
    try:
        with scan.path.open("rb") as file:
            file.seek(scan.resumes_at)
            data = file.read(scan.size - scan.resumes_at)
    except OSError as error:
        raise disk_error(error, scan.path, "read the hot log") from error
    at, expected, crc = 0, -1, 0
    while at + OVERHEAD <= len(data):
        length, kind, seq, mono_ns, at_ns = HEAD.unpack_from(data, at)
        end = at + OVERHEAD + length
        stored = int.from_bytes(data[end - 4 : end], "little")
        # The scan vouches for the first; from there on each checksum starts from the one before.
        whole = expected < 0 or (seq == expected and zlib.crc32(data[at : end - 4], crc) == stored)
        if end > len(data) or not whole or (limit is not None and seq >= limit):
            return
        yield Record(seq, at_ns, mono_ns, kind >> 8, kind & 0xFF, data[at + HEAD.size : end - 4])
        at, expected, crc = end, seq + 1, stored


def without_holes(records: Iterable[Record], next_seq: int, last: Record | None) -> Iterator[Record]:
    """The records from `next_seq` on, and in the place of each one missing between them a stand-in.

    last: the record before `next_seq`, None when there is none. Raises TapeDamaged when more than MAX_LOST miss.
    """
    for record in records:
        if record.seq < next_seq:
            continue
        if record.seq > next_seq:
            yield from _lost(next_seq, last, record)
        yield record
        next_seq, last = record.seq + 1, record


def _lost(first_seq: int, last: Record | None, found: Record) -> Iterator[Record]:
    count = found.seq - first_seq
    if count > MAX_LOST:
        raise TapeDamaged(f"record {found.seq} where {first_seq} must follow; the segment before it is missing")
    before = last or found
    detail = f"records {first_seq} to {found.seq - 1} were damaged"
    gap = StoredGap("damage", from_ns=before.at_ns, missing=count, detail=detail)
    whole = StoredGap("damage", from_ns=before.at_ns, until_ns=found.at_ns, missing=count, detail=detail)
    if count > 1:
        yield _stamped(first_seq, before, Kind.GAP_OPEN, encode_payload(gap))
    for seq in range(first_seq + 1, found.seq - 1):
        yield _stamped(seq, before, Kind.FAULT, _STAND_IN)
    yield _stamped(found.seq - 1, before, Kind.GAP_CLOSE, encode_payload(whole))


def explained(records: Iterable[Record], *, lost: str = "") -> Iterator[Record]:
    """The records, at least one, and a gap after the last unless that explains the end itself.

    lost: what is known to be missing after them; the gap is there in any case then.
    """
    last: Record | None = None
    for record in records:
        yield record
        last = record
    if last is not None and (lost or last.kind not in FINAL):
        yield end_gap(last, lost or "the recorder ended without a word")


def end_gap(last: Record, detail: str) -> Record:
    """A gap that opens right after the last record. It has that record's stamps: recovery moves no clock."""
    gap = StoredGap("crash", from_ns=last.at_ns, detail=detail)
    return _stamped(last.seq + 1, last, Kind.GAP_OPEN, encode_payload(gap))


def _stamped(seq: int, like: Record, kind: Kind, payload: bytes) -> Record:
    return Record(seq, like.at_ns, like.mono_ns, 0, kind, payload)
