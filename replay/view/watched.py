"""A tape that is looked at while others may record it: its unsealed tail is kept in memory, as far as it was followed.

Knows which records come from sealed segments and which from memory. Must not know who follows the tape, nor what a
record means. One thread adds records; others read at the same time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from capture.tape import schema
from capture.tape.layout import Label
from capture.tape.manifest import Manifest
from capture.tape.reader import Tape
from capture.tape.schema import GROUP_ROWS, RawBatch
from core.records import Record
from core.shapes import ShapeBook

KEPT_ROWS: Final = 4 * GROUP_ROWS
"""Records kept in memory though they are sealed by now: some 60 MB; whoever follows the head is served from them."""


PIECE_ROWS: Final = 8_192
"""Records that are put together as they come, so that there are few pieces."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive records as a table with all columns of `schema.SCHEMA`, whole payloads among them."""

    first_seq: int
    last_seq: int
    table: Any


class Watched(Tape):
    """A tape whose tail is told to it. pieces: what is in memory, oldest first, without a hole."""

    def __init__(self, path: Path, label: Label, manifest: Manifest) -> None:
        super().__init__(path, label, manifest)
        self.pieces: tuple[Piece, ...] = ()
        self._sealed_seq = manifest.next_seq

    @property
    def next_seq(self) -> int:
        """The seq after the last record that is known here."""
        pieces = self.pieces
        return pieces[-1].last_seq + 1 if pieces else self._sealed_seq

    @property
    def head_seq(self) -> int:
        """See Tape; as far as it was followed."""
        return self.next_seq - 1

    @property
    def memory_seq(self) -> int:
        """The first record that is read from memory; `next_seq` when there is none."""
        pieces = self.pieces
        return pieces[0].first_seq if pieces else self._sealed_seq

    def extend(self, records: Sequence[Record]) -> None:
        """These follow `next_seq`. What has been sealed for long is forgotten."""
        table, payloads = schema.encode(RawBatch.of(records), ShapeBook())
        piece = Piece(records[0].seq, records[-1].seq, schema.with_payloads(table, payloads))
        assert piece.first_seq == self.next_seq, f"record {piece.first_seq} where {self.next_seq} is due"
        pieces = self.pieces
        while pieces and self._is_spare(pieces[0], piece.last_seq):
            pieces = pieces[1:]
        if pieces and piece.last_seq - pieces[-1].first_seq < PIECE_ROWS:
            last, pieces = pieces[-1], pieces[:-1]
            joined = pa.concat_tables([last.table, piece.table]).unify_dictionaries().combine_chunks()
            piece = Piece(last.first_seq, piece.last_seq, joined)
        self.pieces = (*pieces, piece)

    def tables(
        self, columns: Sequence[str] | None = None, from_seq: int = 0, *, payloads: bool = False
    ) -> Iterator[Any]:
        """See Tape; up to `next_seq`."""
        names = list(schema.SCHEMA.names if columns is None else columns)
        pieces, seq = self.pieces, from_seq
        limit = pieces[0].first_seq if pieces else self._sealed_seq
        if seq < limit:
            for table in super().tables(names, seq, payloads=payloads):
                yield table.slice(0, limit - seq)
                seq += table.num_rows
                if seq >= limit:
                    break
        for piece in pieces:
            if piece.last_seq >= from_seq:
                yield piece.table.select(names).slice(max(from_seq - piece.first_seq, 0))

    def _is_spare(self, piece: Piece, last_seq: int) -> bool:
        return piece.last_seq < min(self.manifest.next_seq, last_seq - KEPT_ROWS)
