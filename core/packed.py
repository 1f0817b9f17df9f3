"""Byte strings end to end in one array: what frames are in where there are tens of thousands of them at once.

A Python object a frame costs more memory than most frames and more time than compiled code takes to read one.
"""

from collections.abc import Iterable, Sequence
from typing import Self, TypeAlias, overload

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Ints: TypeAlias = npt.NDArray[np.int64]


class Packed(Sequence[bytes]):
    """String i is `data[ends[i - 1]:ends[i]]` (from 0 for the first). Indexing makes a Python object, each time."""

    __slots__ = ("data", "ends")

    def __init__(self, data: Bytes, ends: Ints) -> None:
        self.data = data
        self.ends = ends

    @classmethod
    def of(cls, values: Sequence[bytes]) -> Self:
        """From byte strings."""
        lengths = np.fromiter(map(len, values), np.int64, len(values))
        return cls(np.frombuffer(b"".join(values), np.uint8), np.cumsum(lengths))

    @classmethod
    def joined(cls, parts: Iterable["Packed"]) -> Self:
        """All strings of all parts, in order; copies."""
        held = list(parts)
        before = np.cumsum([0, *(len(part.data) for part in held)]).tolist()
        ends = [part.ends + start for part, start in zip(held, before, strict=False)]
        if not held:
            return cls(np.empty(0, np.uint8), np.empty(0, np.int64))
        return cls(np.concatenate([part.data for part in held]), np.concatenate(ends))

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> "Packed": ...
    def __getitem__(self, index: int | slice) -> "bytes | Packed":
        """One string, or a run of them that shares the memory (a slice with a step other than 1 is refused)."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise ValueError("a run of strings has no step")
            first, last = self._start(start), self._start(max(start, stop))
            return Packed(self.data[first:last], self.ends[start : max(start, stop)] - first)
        row = index + len(self) if index < 0 else index
        if not 0 <= row < len(self):
            raise IndexError(index)
        return self.data[self._start(row) : int(self.ends[row])].tobytes()

    def _start(self, row: int) -> int:
        return int(self.ends[row - 1]) if row else 0

    def split(self) -> list[bytes]:
        """As Python byte strings."""
        data = self.data.tobytes()
        ends = self.ends.tolist()
        return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def packed(values: Sequence[bytes]) -> Packed:
    """The same strings packed; those that are packed already as they are."""
    return values if isinstance(values, Packed) else Packed.of(values)
