"""Checks for tests of shrinking: run in the test's own process, or by a shell that is quick to start.

Knows what `replay.fixture.check` asks of a check. Must not know what is left out of a tape.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from capture.tape.reader import Tape
from core.records import Record
from replay.fixture.check import Check, Outcome

Fault = Callable[[list[Record]], int | None]
"""Whether something is wrong with these records."""

LONG: Final = "rows=$(sed -n 's/.*\"rows\":\\([0-9]*\\).*/\\1/p' {{tape}}/MANIFEST); echo $rows; [ $rows -lt {least} ]"
"""A check that fails on tapes of so many records and more, by what the manifest says."""


class Here(Check, frozen=True):
    """A check that ends with what `fault` says, True = 1, nothing = 0; asked: how many records each tape had."""

    fault: Fault = len
    asked: list[int] = msgspec.field(default_factory=list)
    dies_after: int = 0

    def run(self, tape: Path, said: Path, limit_s: float) -> Outcome:
        """As the real one; dies_after: as if somebody had pressed Ctrl-C after so many."""
        del said, limit_s
        records = list(Tape.open(tape).records())
        self.asked.append(len(records))
        if self.dies_after and len(self.asked) > self.dies_after:
            raise KeyboardInterrupt
        return Outcome(int(self.fault(records) or 0))


def here(fault: Fault, *, name: str = "a check", dies_after: int = 0) -> Here:
    """Such a check; checks of one name are the same one to whoever remembers answers."""
    return Here(f"{name} of {{tape}}", fault=fault, asked=[], dies_after=dies_after)
