"""False futures: a tape that is itself up to one record, and then ends or goes on with what never happened.

Knows how records are altered, and how a table of the column path looks that holds them: made by what makes sealed ones.
Must not know who reads it, nor strategies.
"""

import random
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

from capture.tape.reader import Tape
from capture.tape.schema import RawBatch, encode, with_payloads
from core.records import Kind, Record
from core.shapes import ShapeBook

FUTURE_RECORDS: Final = 2_048
"""So many records follow after the place: more than anything but a bulk read would look ahead."""

_PRICE: Final = re.compile(rb'"0\.(\d\d)(\d{0,2})"')
"""A price as the exchange writes it; sizes of less than a contract look the same, and may be altered too."""


class Future(StrEnum):
    """What comes after the place."""

    CUT = "cut"  # nothing
    PRICES = "prices"  # the same frames with other prices
    SHUFFLED = "shuffled"  # the same records in another order
    GARBAGE = "garbage"  # bytes that mean nothing


class FalseFuture(Tape):
    """The tape up to the record `after`; what follows is made from what does, by a seed."""

    has_checkpoints = False

    def __init__(self, tape: Tape, after: int, future: Future, seed: int) -> None:
        super().__init__(tape.path, tape.label, tape.manifest)
        self._tape = tape
        self._after = after
        self._future = future
        self._seed = seed

    def records(self, from_seq: int = 0, until_seq: int | None = None) -> Iterator[Record]:
        """As those of a tape."""
        for record in self._tape.records(from_seq, min(self._after, self._after if until_seq is None else until_seq)):
            yield record
        for record in self._invented() if until_seq is None else ():
            if record.seq >= from_seq:
                yield record

    def tables(
        self, columns: Sequence[str] | None = None, from_seq: int = 0, *, payloads: bool = False
    ) -> Iterator[Any]:
        """As those of a tape: the true ones as they are, the one in which the future begins made anew."""
        for table in self._tape.tables(columns, from_seq, payloads=payloads):
            first_seq = table.column("seq")[0].as_py()
            if first_seq + table.num_rows - 1 <= self._after:
                yield table
                continue
            known = self._tape.records(first_seq, self._after) if first_seq <= self._after else ()
            batch = RawBatch.of([*known, *self._invented()])
            if batch.rows:
                made, blobs = encode(batch, ShapeBook())
                chosen = made if columns is None else made.select(list(columns))
                yield with_payloads(chosen, blobs) if payloads else chosen
            return

    def _invented(self) -> list[Record]:
        """The records after the place."""
        if self._future is Future.CUT:
            return []
        first, dice = self._after + 1, random.Random(f"{self._seed} {self._after}")
        true = list(self._tape.records(first, min(first + FUTURE_RECORDS, self.head_seq + 1) - 1))
        if self._future is Future.SHUFFLED:
            others = dice.sample(true, len(true))
            return [_in_place_of(record, other) for record, other in zip(true, others, strict=True)]
        alter = _other_prices if self._future is Future.PRICES else _noise
        return [
            Record(r.seq, r.at_ns, r.mono_ns, r.connection, r.kind, alter(r.payload, dice))
            if r.kind == Kind.FRAME
            else r
            for r in true
        ]


def _in_place_of(record: Record, other: Record) -> Record:
    """Another record at this one's place and time."""
    return Record(record.seq, record.at_ns, record.mono_ns, other.connection, other.kind, other.payload)


def _other_prices(payload: bytes, dice: random.Random) -> bytes:
    return _PRICE.sub(lambda found: b'"0.%02d%s"' % (dice.randrange(1, 100), found[2]), payload)


def _noise(payload: bytes, dice: random.Random) -> bytes:
    return dice.randbytes(len(payload))
