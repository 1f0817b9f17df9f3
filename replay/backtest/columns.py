"""Rows that come one by one, kept as Arrow batches, so that a long table is not held as Python objects.

Knows a schema. Must not know what rows mean.
"""

from typing import Any, Final

import pyarrow as pa

BATCH_ROWS: Final = 16_384
"""Rows held as Python objects: some 10 MB of the widest table."""


class Rows:
    """One table in the making; `add` rows in the order of the schema's columns."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._held: list[tuple[Any, ...]] = []
        self._batches: list[pa.RecordBatch] = []

    def add(self, row: tuple[Any, ...]) -> None:
        """One more row."""
        self._held.append(row)
        if len(self._held) >= BATCH_ROWS:
            self._flush()

    def table(self) -> pa.Table:
        """All of them; dictionaries are one for the whole table."""
        self._flush()
        return pa.Table.from_batches(self._batches, self.schema).unify_dictionaries().combine_chunks()

    def _flush(self) -> None:
        if self._held:
            self._batches.append(batch_of(self.schema, self._held))
            self._held = []


def batch_of(schema: pa.Schema, rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows as one batch; raises ValueError where null stands in a column that must have a value."""
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)]
    for array, field in zip(arrays, schema, strict=True):
        if array.null_count and not field.nullable:
            raise ValueError(f"column {field.name} has {array.null_count} rows without a value")
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def table_of(schema: pa.Schema, rows: list[tuple[Any, ...]]) -> pa.Table:
    """Rows as a table."""
    return pa.Table.from_batches([batch_of(schema, rows)], schema)
