"""A tape whose public books are without the orders of the account that recorded it.

Knows how frames are made to say something else, and how a table of the column path looks that holds them: made by what
makes sealed ones. Must not know what is ours in a book (`replay.purge`), nor who reads it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from capture.tape.reader import Tape
from capture.tape.schema import RawBatch, encode, with_payloads
from core.messages.types import Level
from core.money import format_price, format_size
from core.records import Record
from core.shapes import ShapeBook
from replay.purge import Block, Book, Edit, Purge, find

_DELTA: Final = ("delta", "delta_fp")
_OWNER: Final = ("client_order_id", "subaccount")


class Purged(Tape):
    """The tape with other frames where its own account's orders stood; every record has its place and time.

    purge: what was done.
    """

    has_checkpoints = False

    def __init__(self, tape: Tape, purge: Purge) -> None:
        super().__init__(tape.path, tape.label, tape.manifest)
        self.purge = purge
        self._tape = tape
        self._seqs = np.array(sorted(purge.edits), np.int64)

    def records(self, from_seq: int = 0, until_seq: int | None = None) -> Iterator[Record]:
        """As those of a tape."""
        edits = self.purge.edits
        for record in self._tape.records(from_seq, until_seq):
            edit = edits.get(record.seq)
            yield record if edit is None else reworded(record, edit)

    def tables(
        self, columns: Sequence[str] | None = None, from_seq: int = 0, *, payloads: bool = False
    ) -> Iterator[Any]:
        """As those of a tape: the true ones where nothing is altered, the others made anew."""
        wanted = None if columns is None else list(dict.fromkeys([*columns, "seq"]))
        for table in self._tape.tables(wanted, from_seq, payloads=payloads):
            chosen = table if columns is None else table.select(list(columns))
            if not table.num_rows:
                yield chosen
                continue
            first = table.column("seq")[0].as_py()
            last = first + table.num_rows - 1
            if np.searchsorted(self._seqs, first) == np.searchsorted(self._seqs, last, side="right"):
                yield chosen
                continue
            made, blobs = encode(RawBatch.of(list(self.records(first, last))), ShapeBook())
            chosen = made if columns is None else made.select(list(columns))
            yield with_payloads(chosen, blobs) if payloads else chosen


def purged(tape: Tape) -> Tape:
    """The tape as it would have been without its own account's orders: itself, if it tells of none.

    Raises TapeDamaged, TapeError as reading does.
    """
    found = find(tape)
    return Purged(tape, found) if found.is_any else tape


def purge_of(tape: Tape) -> Purge:
    """What was done to a tape that `purged` gave."""
    return tape.purge if isinstance(tape, Purged) else Purge()


def reworded(record: Record, edit: Edit) -> Record:
    """A frame that says something else, with all else that it said."""
    frame = msgspec.json.decode(record.payload)
    said = frame["msg"]
    match edit:
        case Book():
            for side, levels in (("yes", edit.yes), ("no", edit.no)):
                for name in [name for name in said if name.partition("_")[0] == side]:
                    del said[name]
                if levels:
                    said[f"{side}_dollars_fp"] = _levels(levels)
        case Block():
            said["is_block_trade"] = True
        case _:
            for name in (*_DELTA, *_OWNER):
                said.pop(name, None)
            said["delta_fp"] = format_size(edit)
    payload = msgspec.json.encode(frame) + b"\n"
    return Record(record.seq, record.at_ns, record.mono_ns, record.connection, record.kind, payload)


def _levels(levels: tuple[Level, ...]) -> list[tuple[str, str]]:
    return [(format_price(price), format_size(size)) for price, size in levels]
