"""Ids that look like the exchange's and can be made again: a seed and a counter.

Knows the shape of a UUID only. Must not know what the ids are for.
"""

import hashlib
from typing import Final

_BYTES: Final = 16


class CountingIds:
    """Gives UUID-shaped texts; the same seed gives the same ones in the same order."""

    __slots__ = ("_count", "_key")

    def __init__(self, seed: int) -> None:
        self._key = hashlib.blake2b(b"%d" % seed, digest_size=_BYTES).digest()
        self._count = 0

    def __call__(self) -> str:
        """The next id: version and variant are those of a random UUID."""
        self._count += 1
        text = hashlib.blake2b(b"%d" % self._count, digest_size=_BYTES, key=self._key).hexdigest()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"
