"""A fault that waits for its trigger, and the note of one that was done.

Knows counting, filters and dice. Must not know what a fault does.
"""

from random import Random

import msgspec

from replay.exchange.faults import Fault


class Injected(msgspec.Struct, frozen=True):
    """One fault that was done. session 0 = the whole server. frame: the session's so-many-th data frame, which it was
    about or came after; sid and seq: of that frame, 0 = about none."""

    at_ns: int
    fault: str
    kind: str
    session: int = 0
    frame: int = 0
    sid: int = 0
    seq: int = 0


class Armed:
    """Counts what it has seen and how often it may still act. A key is a session's number, or 0 for the server."""

    def __init__(self, fault: Fault, dice: Random) -> None:
        self.fault = fault
        self.dice = dice
        self._left = fault.times or -1
        self._counts: dict[int, int] = {}
        self._acted: set[int] = set()
        self._row: dict[int, int] = {}

    @property
    def is_spent(self) -> bool:
        """True when it will not act again."""
        return self._left == 0 and not any(self._row.values())

    def fits(self, session: int, channel: str, market: str) -> bool:
        """Whether its filters let it act here."""
        fault = self.fault
        return (
            (not fault.session or fault.session == session)
            and (not fault.channel or fault.channel == channel)
            and (not fault.market or fault.market == market)
        )

    def sees(self, key: int) -> bool:
        """Count one frame, command or request of `key`; True = act now."""
        if self._goes_on(key):
            return True
        match self.fault.trigger:
            case "p":
                return self.dice.random() < float(self.fault.at) and self.spend(key)
            case "frames" | "commands" | "upgrade":
                self._counts[key] = self._counts.get(key, 0) + 1
                if self._counts[key] < int(self.fault.at):
                    return False
                self._counts[key] = 0
                return self.spend(key)
            case _:
                return self.spend(key)

    def is_due(self, key: int, age_ns: int) -> bool:
        """True once for each key, when it is old enough (and then as often as it goes on)."""
        if self._goes_on(key):
            return True
        if key in self._acted or age_ns < int(self.fault.at) or not self.spend(key):
            return False
        self._acted.add(key)
        return True

    def spend(self, key: int) -> bool:
        """Take one of the times it may act; False = there is none left."""
        if self._left == 0:
            return False
        self._left -= 1
        if self.fault.kind == "drop":
            self._row[key] = self.fault.number("n") - 1
        return True

    def _goes_on(self, key: int) -> bool:
        if not self._row.get(key):
            return False
        self._row[key] -= 1
        return True
