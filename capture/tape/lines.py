"""The lines of a manifest: what each says, how it lies in the file, and what a segment is once all are read.

Knows the bytes of one line (`crc32 SP json LF`) and how segments chain. Must not know the file they stand in.
"""

import zlib
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

import msgspec

from capture.tape.layout import Label, Layout, utc_day


class State(StrEnum):
    """Where the bytes of a segment are."""

    PRESENT = "present"
    ARCHIVED = "archived"
    PRUNED = "pruned"


class FileMark(NamedTuple):
    """What tells one file from another: its size and its SHA-256 (hex)."""

    bytes: int
    sha256: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a segment holds. Each segment file carries its own, so that a lost manifest can be made again.

    first_ns, last_ns: wall clock (Unix ns) of the first and the last record. last_kind: kind of the last record.
    raw_sha256: of the raw columns (`schema.RawHasher`). chain: SHA-256 of `after` (the chain of the segment before)
    and raw_sha256, so that decoding again leaves it as it is. decoder: version that made the typed columns.
    hot_crc: the last checksum of the hot segment it was made from, 0 = made from none.
    """

    number: int
    rows: int
    first_seq: int
    last_seq: int
    first_ns: int
    last_ns: int
    last_kind: int
    raw_sha256: str
    after: str
    chain: str
    schema: int
    decoder: int
    hot_crc: int = 0


class Entry(Facts, frozen=True, kw_only=True):
    """A segment as the whole manifest describes it.

    file: path inside the tape. former_*: size and hash of the file that a rebuild replaces; either file is right,
    so that there is no instant at which neither is. place: where an archived segment was put.
    """

    file: str
    bytes: int
    sha256: str
    former_bytes: int = -1
    former_sha256: str = ""
    state: State = State.PRESENT
    place: str = ""

    @property
    def marks(self) -> tuple[FileMark, FileMark]:
        """The file that is this segment, and the one that is still right when a rebuild was interrupted."""
        return FileMark(self.bytes, self.sha256), FileMark(self.former_bytes, self.former_sha256)


class Genesis(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="genesis"):
    """First line: what tape this is. Holds the whole label, so that either can be made again from the other."""

    prev: str = ""
    format: int
    label: Label


class Sealed(Facts, frozen=True, kw_only=True, tag_field="line", tag="segment"):
    """A segment was sealed: the commit point of sealing."""

    prev: str = ""
    file: str
    bytes: int
    sha256: str


class Replaced(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="replaced"):
    """A segment's typed columns are made again, its raw content is the same: the new file, and the one in place."""

    prev: str = ""
    number: int
    bytes: int
    sha256: str
    former_bytes: int
    former_sha256: str
    decoder: int


class Archived(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="archived"):
    """A segment's file was moved to `place`."""

    prev: str = ""
    number: int
    place: str
    sha256: str


class Pruned(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="pruned"):
    """A segment's file was deleted on purpose."""

    prev: str = ""
    number: int


Line: TypeAlias = Genesis | Sealed | Replaced | Archived | Pruned

_CRC_DIGITS: Final = 8
_DECODER: Final = msgspec.json.Decoder(Line)


class Fault(msgspec.Struct, frozen=True):
    """A line (counted from 1) that is not what was written, and why."""

    line: int
    what: str


def chain_start(uuid: str) -> str:
    """What the first segment of a tape follows: differs from tape to tape, so that segments cannot be exchanged."""
    return sha256(f"tapedeck chain {uuid}".encode()).hexdigest()


def chain_after(after: str, raw: str) -> str:
    """The chain of a segment with this raw_sha256 that follows `after`."""
    return sha256(bytes.fromhex(after) + bytes.fromhex(raw)).hexdigest()


def facts_of(entry: Entry) -> Facts:
    """What the segment file itself says."""
    return Facts(**{name: getattr(entry, name) for name in Facts.__struct_fields__})


def encode_line(line: Line) -> bytes:
    """A line as it lies in the file."""
    body = msgspec.json.encode(line)
    return b"%08x %s\n" % (zlib.crc32(body), body)


def genesis_line(label: Label) -> Genesis:
    """The first line of the manifest of a tape with this label."""
    return Genesis(format=label.format, label=label)


def segment_file(layout: Layout, facts: Facts) -> str:
    """Where a segment's file lies, relative to the tape; raises ValueError or OverflowError on an absurd time."""
    return layout.relative(layout.sealed(facts.number, utc_day(facts.first_ns)))


def decode_line(raw: bytes) -> Line | None:
    """The line in these bytes, None when they are no whole line."""
    body = raw[_CRC_DIGITS + 1 : -1]
    if raw != b"%08x %s\n" % (zlib.crc32(body), body):
        return None
    try:
        line: Line = _DECODER.decode(body)
        return line
    except (ValueError, RecursionError):
        return None


def changed(entry: Entry, line: Replaced | Archived | Pruned) -> Entry:
    """The segment once this line is read too."""
    match line:
        case Replaced():
            return msgspec.structs.replace(
                entry,
                bytes=line.bytes,
                sha256=line.sha256,
                former_bytes=line.former_bytes,
                former_sha256=line.former_sha256,
                decoder=line.decoder,
            )
        case Archived():
            return msgspec.structs.replace(entry, state=State.ARCHIVED, place=line.place, sha256=line.sha256)
        case Pruned():
            return msgspec.structs.replace(entry, state=State.PRUNED)
