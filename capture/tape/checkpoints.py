"""Checkpoints: a fold's state after a record, kept beside the data so that no fold has to begin at the beginning.

Knows when a checkpoint belongs to a tape: the same content up to the end of the segment that holds its record, by the
manifest's chain, and the same versions of decoder and state. Must not know what a state is. They are disposable: one
that is damaged, foreign or old is passed over, and none is ever needed.
"""

import contextlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from capture.tape.layout import Layout, checkpoint_seqs, write_durably
from capture.tape.reader import Tape
from core.columns import DECODER_VERSION
from core.state import STATE_VERSION

MAGIC: Final = b"TAPECKP\n"
HEADER_LIMIT: Final = 4096  # bytes; a header is about 250

_PREFIX: Final = len(MAGIC) + 4
_DIGEST: Final = 32


class Header(msgspec.Struct, frozen=True):
    """What a checkpoint is of. now_ns: `now_ns` (Unix ns) of the record `seq`, the last one in the state."""

    seq: int
    now_ns: int
    chain: str
    decoder: int
    state: int


def save(tape: Tape, seq: int, now_ns: int, blob: bytes) -> bool:
    """Keep the state after record `seq`; False when that record is not sealed yet or the tape cannot be written to."""
    chain = _chain_at(tape, seq)
    if not chain:
        return False
    header = Header(seq, now_ns, chain, DECODER_VERSION, STATE_VERSION)
    path = tape.layout.checkpoint(seq)
    if _read_header(path) == header:
        return True
    head = msgspec.json.encode(header)
    content = MAGIC + len(head).to_bytes(4, "little") + head + blob
    try:
        write_durably(path, content + sha256(content).digest())
    except OSError:
        with contextlib.suppress(OSError):
            path.with_name(path.name + ".partial").unlink(missing_ok=True)
        return False
    return True


def nearest(tape: Tape, seq: int | None = None, now_ns: int | None = None) -> tuple[int, bytes] | None:
    """The newest checkpoint at or before a seq and an instant (Unix ns), as (seq, state); None when there is none."""
    for found in reversed(checkpoint_seqs(tape.layout)):
        if seq is not None and found > seq:
            continue
        path = tape.layout.checkpoint(found)
        header = _read_header(path)
        if header is None or (now_ns is not None and header.now_ns > now_ns) or header != _wanted(tape, header):
            continue
        content = _read(path)
        if content is not None and not _problem(content, found):
            return found, content[_PREFIX + int.from_bytes(content[len(MAGIC) : _PREFIX], "little") : -_DIGEST]
    return None


def problems(layout: Layout) -> Iterator[tuple[Path, str]]:
    """Each checkpoint file that is not what was written, and why."""
    for seq in checkpoint_seqs(layout):
        path = layout.checkpoint(seq)
        content = _read(path)
        problem = "cannot be read" if content is None else _problem(content, seq)
        if problem:
            yield path, problem


def _wanted(tape: Tape, header: Header) -> Header:
    return Header(header.seq, header.now_ns, _chain_at(tape, header.seq), DECODER_VERSION, STATE_VERSION)


def _chain_at(tape: Tape, seq: int) -> str:
    """The chain of the segment that holds a record, empty when none does."""
    return next((entry.chain for entry in tape.segments if entry.first_seq <= seq <= entry.last_seq), "")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _read_header(path: Path) -> Header | None:
    try:
        with path.open("rb") as file:
            start = file.read(HEADER_LIMIT)
    except OSError:
        return None
    return _header(start)


def _header(content: bytes) -> Header | None:
    length = int.from_bytes(content[len(MAGIC) : _PREFIX], "little")
    if content[: len(MAGIC)] != MAGIC or _PREFIX + length > min(len(content), HEADER_LIMIT):
        return None
    try:
        return msgspec.json.decode(content[_PREFIX : _PREFIX + length], type=Header)
    except (ValueError, RecursionError):
        return None


def _problem(content: bytes, seq: int) -> str:
    header = _header(content)
    if header is None or sha256(content[:-_DIGEST]).digest() != content[-_DIGEST:]:
        return "is not what was written"
    return "" if header.seq == seq else f"is the checkpoint of record {header.seq}"
