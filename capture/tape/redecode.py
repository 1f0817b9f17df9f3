"""Whether a segment's typed columns say what its bytes say: every payload is decoded again and compared.

Knows columns and messages. Must not know where the segment lies or what vouches for its bytes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from capture.tape import schema
from capture.tape.buffers import flat
from capture.tape.segment import SegmentFile
from capture.tape.typed import columns_of
from core.columns import ColumnBuilder, Columns, Lists, text_list
from core.messages import decode
from core.records import Kind


def differences(file: SegmentFile) -> Iterator[tuple[int, str]]:
    """(seq, column) of the first wrong row of each column that is wrong in some row group.

    Then (first seq, "payload") if the raw content is not what the segment promises. Raises TapeDamaged.
    """
    hasher = schema.RawHasher()
    for table in file.groups():
        payloads = file.payloads(table)
        hasher.update(table, payloads)
        fresh = decoded(table.column("kind").to_pylist(), payloads.split())
        seqs = flat(table.column("seq"))
        for name, rows in _differing(columns_of(table), fresh):
            if len(rows):
                yield int(seqs[rows[0]]), name
    if hasher.hexdigest() != file.facts.raw_sha256:
        yield file.facts.first_seq, "payload"


def decoded(kinds: list[int], payloads: list[bytes]) -> Columns:
    """The columns as `core.messages` alone fills them, frame by frame, without any shape."""
    builder = ColumnBuilder(len(kinds))
    frame = int(Kind.FRAME)
    for row, (kind, payload) in enumerate(zip(kinds, payloads, strict=True)):
        if kind == frame:
            builder.put(row, decode(payload))
    return builder.finish()


def _differing(stored: Columns, fresh: Columns) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Each column's name and the rows in which it differs."""
    yield "complete", np.flatnonzero(stored.complete != fresh.complete)
    for name, values in stored.ints.items():
        yield name, np.flatnonzero(values != fresh.ints[name])
    for name, texts in stored.texts.items():
        pairs = zip(text_list(texts), text_list(fresh.texts[name]), strict=True)
        yield name, np.array([row for row, (left, right) in enumerate(pairs) if left != right], np.int64)
    for name, lists in stored.lists.items():
        pairs = zip(_cells(lists), _cells(fresh.lists[name]), strict=True)
        yield name, np.array([row for row, (left, right) in enumerate(pairs) if left != right], np.int64)


def _cells(lists: Lists) -> list[Any]:
    """Each row's list, None for null."""
    values, offsets = lists.values.tolist(), lists.offsets.tolist()
    return [
        values[offsets[row] : offsets[row + 1]] if present else None
        for row, present in enumerate(lists.present.tolist())
    ]
