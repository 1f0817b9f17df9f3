"""Checkpoints: a fold's state after a record, kept beside the data so that no fold has to begin at the beginning.

Knows when a checkpoint belongs to a tape: the same content up to the end of the segment that holds its record, by the
manifest's chain, and the same versions of decoder and state. Knows how much room they may take. Must not know what a
state is. They are disposable: one that is damaged, foreign or old is passed over, and none is ever needed.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from enum import StrEnum
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

MOST_FILES: Final = 512
"""Checkpoints of an engine that a tape keeps: more would make looking through them slow."""

SHARE: Final = 8
"""They take at most this part of what the sealed segments take, ..."""

SPARE_BYTES: Final = 64 << 20
"""... or this, if it is more: room for some twenty states of a few hundred markets, which no disk misses."""

_PREFIX: Final = len(MAGIC) + 4
_DIGEST: Final = 32


class Of(StrEnum):
    """Whose state it is, which is the suffix of the file."""

    ENGINE = "ckpt"
    SUMMARY = "info"  # what `info` says of the tape up to there; goes with the engine's state after the same record


class Header(msgspec.Struct, frozen=True):
    """What a checkpoint is of. now_ns: `now_ns` (Unix ns) of the record `seq`, the last one in the state."""

    seq: int
    now_ns: int
    chain: str
    decoder: int
    state: int


def save(tape: Tape, seq: int, now_ns: int, blob: bytes, of: Of = Of.ENGINE) -> bool:
    """Keep the state after record `seq`; False when that record is not sealed yet or the tape cannot be written to.

    Where there is no room for all, those of an engine are thinned out: the one goes whose neighbours lie closest, so
    that the rest stay evenly spread; never the newest, nor one that goes with a summary. False, too, while another
    process is saving: it has as much to say.
    """
    chain = _chain_at(tape, seq)
    if not chain:
        return False
    header = Header(seq, now_ns, chain, DECODER_VERSION, STATE_VERSION)
    path = tape.layout.checkpoint(seq, of)
    if _read_header(path) == header:
        return True
    head = msgspec.json.encode(header)
    content = MAGIC + len(head).to_bytes(4, "little") + head + blob
    try:
        with _alone(tape.layout):
            try:
                write_durably(path, content + sha256(content).digest())
                _thin(tape)
            finally:  # what was interrupted, here or in a process that was killed
                for aside in sorted(tape.layout.checkpoints.glob("*.partial")):
                    aside.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def nearest(
    tape: Tape, seq: int | None = None, now_ns: int | None = None, of: Of = Of.ENGINE
) -> tuple[int, bytes] | None:
    """The newest checkpoint at or before a seq and an instant (Unix ns), as (seq, state); None when there is none."""
    for found in reversed(checkpoint_seqs(tape.layout, of)):
        if seq is not None and found > seq:
            continue
        path = tape.layout.checkpoint(found, of)
        header = _read_header(path)
        if header is None or (now_ns is not None and header.now_ns > now_ns) or header != _wanted(tape, header):
            continue
        content = _read(path)
        if content is not None and not _problem(content, found):
            return found, content[_PREFIX + int.from_bytes(content[len(MAGIC) : _PREFIX], "little") : -_DIGEST]
    return None


def drop(tape: Tape, seq: int, of: Of) -> None:
    """Remove a checkpoint, if it is there and the tape can be written to."""
    with contextlib.suppress(OSError):
        tape.layout.checkpoint(seq, of).unlink()


def problems(layout: Layout) -> Iterator[tuple[Path, str]]:
    """Each checkpoint file that is not what was written, and why."""
    for of in Of:
        for seq in checkpoint_seqs(layout, of):
            path = layout.checkpoint(seq, of)
            content = _read(path)
            if content is None and not path.exists():
                continue  # thinned out meanwhile
            problem = "cannot be read" if content is None else _problem(content, seq)
            if problem:
                yield path, problem


def is_saving(layout: Layout) -> bool:
    """Whether somebody is writing a checkpoint now, so that a half-written one is as it should be; raises OSError."""
    try:
        with _alone(layout):
            return False
    except BlockingIOError:
        return True


@contextlib.contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """While it lasts nobody else saves here, so that no two write to one file aside; BlockingIOError if one does.

    Readers need no lock: a file comes into its place whole, and one that goes is passed over.
    """
    fd = os.open(layout.checkpoints, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)


def _thin(tape: Tape) -> None:
    """Remove checkpoints of the engine until they fit: useless ones first, then where they lie closest."""
    layout = tape.layout
    sizes = {seq: _size(layout.checkpoint(seq)) for seq in checkpoint_seqs(layout)}
    most_bytes = max(SPARE_BYTES, sum(entry.bytes for entry in tape.segments) // SHARE)
    if _fits(sizes, most_bytes):
        return
    kept = {max(sizes), *checkpoint_seqs(layout, Of.SUMMARY)}
    useless = [seq for seq in sizes if not _is_useful(tape, seq)]
    while not _fits(sizes, most_bytes):
        chosen = useless.pop() if useless else _most_crowded(sorted(sizes), kept)
        if chosen is None:
            return
        layout.checkpoint(chosen).unlink(missing_ok=True)
        del sizes[chosen]


def _fits(sizes: dict[int, int], most_bytes: int) -> bool:
    return len(sizes) <= MOST_FILES and sum(sizes.values()) <= most_bytes


def _most_crowded(seqs: list[int], kept: set[int]) -> int | None:
    """The one without which the way from the checkpoint before it to the one after it is the shortest."""
    ways = [
        (after - before, seq)
        for before, seq, after in zip([-1, *seqs], seqs, seqs[1:], strict=False)
        if seq not in kept
    ]
    return min(ways)[1] if ways else None


def _is_useful(tape: Tape, seq: int) -> bool:
    header = _read_header(tape.layout.checkpoint(seq))
    return header is not None and header == _wanted(tape, header)


def _wanted(tape: Tape, header: Header) -> Header:
    return Header(header.seq, header.now_ns, _chain_at(tape, header.seq), DECODER_VERSION, STATE_VERSION)


def _chain_at(tape: Tape, seq: int) -> str:
    """The chain of the segment that holds a record, empty when none does."""
    return next((entry.chain for entry in tape.segments if entry.first_seq <= seq <= entry.last_seq), "")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


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
