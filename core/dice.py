"""Dice for strategies: numbers that a seed gives, the same on every machine, in every Python.

SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). Not for
secrets.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

_MASK: Final = (1 << 64) - 1


class Dice:
    """A stream of numbers; each throw moves it on."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def bits(self) -> int:
        """64 random bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit - 1, all alike; ValueError unless limit is from 1 to 2**64."""
        if not 1 <= limit <= _MASK + 1:
            raise ValueError(f"dice with {limit} sides, from 1 to 2**64 can be thrown")
        fair = (_MASK + 1) // limit * limit
        while (bits := self.bits()) >= fair:
            pass
        return bits % limit

    def uniform(self) -> float:
        """A number from 0 (included) to 1 (not)."""
        return (self.bits() >> 11) * 2.0**-53

    def choice(self, items: Sequence[T]) -> T:
        """One of them."""
        return items[self.below(len(items))]
