"""Which market is recorded on which connection. A market stays where it is until it is not wanted, or not taken.

Knows numbers of slots, not connections. Must not know what is subscribed yet.
"""

from collections.abc import Iterable


class Placement:
    """The wanted markets over `slots` slots. unplaced: those that no slot can have, and why."""

    __slots__ = ("_banned", "_slots", "unplaced")

    def __init__(self, slots: int) -> None:
        self.unplaced: dict[str, str] = {}
        self._slots: list[dict[str, None]] = [{} for _ in range(slots)]
        self._banned: dict[str, set[int]] = {}

    def of(self, slot: int) -> dict[str, None]:
        """The markets of a slot, in the order they came."""
        return self._slots[slot]

    def want(self, markets: Iterable[str]) -> None:
        """Place these too, each on the slot with the fewest; asked for again, a refusal is forgotten."""
        for market in markets:
            self.unplaced.pop(market, None)
            if all(market not in slot for slot in self._slots):
                self._banned.pop(market, None)
                self._place(market, "")

    def unwant(self, markets: Iterable[str]) -> None:
        """Take these out."""
        for market in markets:
            self.unplaced.pop(market, None)
            self._banned.pop(market, None)
            for slot in self._slots:
                slot.pop(market, None)

    def refuse(self, slot: int, market: str, why: str, *, is_full: bool) -> None:
        """A slot cannot have a market: because it is full, then another may; or nobody can, then it stays unplaced."""
        if market not in self._slots[slot]:
            return
        if not is_full:
            self.unplaced[market] = why
            return
        del self._slots[slot][market]
        self._banned.setdefault(market, set()).add(slot)
        self._place(market, why)

    def _place(self, market: str, why: str) -> None:
        banned = self._banned.get(market, ())
        free = [number for number in range(len(self._slots)) if number not in banned]
        if not free:
            self.unplaced[market] = why
            return
        self._slots[min(free, key=lambda number: len(self._slots[number]))][market] = None
