"""Trade ids as two integers each: halves of a UUID, as the exchange writes them, or the number of any other text.

Knows how to tell the two apart, so that every text comes back as it was. Must not know what has an id.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from core.cells import H_SEEN, NULL, Memory
from core.trade_ids import MAX_TRADE_IDS, SEEN_CELLS

ODD: Final = NULL
"""The first half of an id that is no UUID; the second is its number."""

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_HALF: Final = 1 << 63
_WHOLE: Final = 1 << 64


class Ids:
    """Texts that are no UUID by number; a number means its text until `keep` is told otherwise."""

    __slots__ = ("_made", "_numbers", "_texts")

    def __init__(self) -> None:
        self._made = 0
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def halves(self, text: str) -> tuple[int, int]:
        """The two integers (signed, 64 bits) of an id."""
        if _UUID(text):
            high, low = divmod(int(text.replace("-", ""), 16), _WHOLE)
            if high != _HALF:  # as a signed number that is ODD
                return _signed(high), _signed(low)
        number = self._numbers.get(text)
        if number is None:
            self._made += 1
            number = self._numbers[text] = self._made
            self._texts[number] = text
        return ODD, number

    def text(self, high: int, low: int) -> str:
        """The id that has these halves."""
        if high == ODD:
            return self._texts[low]
        digits = f"{high % _WHOLE:016x}{low % _WHOLE:016x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def keep(self, numbers: Iterable[int]) -> None:
        """Forget all texts but those with these numbers."""
        self._texts = {number: self._texts[number] for number in sorted(numbers)}
        self._numbers = {text: number for number, text in self._texts.items()}


class SeenIds:
    """The last MAX_TRADE_IDS different ids, in cells: minutes of a busy exchange, where a repeat, by another
    connection, comes within seconds."""

    __slots__ = ("_ids", "_memory")

    def __init__(self, memory: Memory, ids: Ids) -> None:
        self._memory = memory
        self._ids = ids

    def reset(self, texts: Iterable[str] = ()) -> None:
        """Remember these and no others, oldest first."""
        plain = self._memory.plain
        if plain[H_SEEN]:
            self._memory.give_back(plain[H_SEEN], SEEN_CELLS)
            plain[H_SEEN] = 0
        for text in texts:
            self.add(text)

    def add(self, text: str) -> tuple[int, int] | None:
        """Remember an id; its halves, None when it is remembered already."""
        memory = self._memory
        if not memory.plain[H_SEEN]:
            block = memory.take(SEEN_CELLS)
            memory.plain[H_SEEN] = block
        high, low = self._ids.halves(text)
        if memory.plain[memory.machine.seen_cell(memory.m, high, low)]:
            return None
        memory.machine.see(memory.m, high, low)
        return high, low

    def keys(self) -> tuple[str, ...]:
        """The ids, oldest first."""
        return tuple([self._ids.text(high, low) for high, low in self._halves()])

    def odd(self) -> set[int]:
        """The numbers of those that are no UUIDs."""
        return {low for high, low in self._halves() if high == ODD}

    def _halves(self) -> Iterator[tuple[int, int]]:
        plain = self._memory.plain
        seen = plain[H_SEEN]
        if not seen:
            return
        first, count = plain[seen], plain[seen + 1]
        for index in range(count):
            cell = seen + 2 + 2 * ((first + index) % MAX_TRADE_IDS)
            yield plain[cell], plain[cell + 1]


def _signed(half: int) -> int:
    return half - _WHOLE if half >= _HALF else half
