"""`now_ns`: the one time every decision uses, computed from the tape alone.

It never goes back. At a SESSION it is the larger of the previous value and the wall clock; from there
on it advances with the monotonic clock, or, where a recording has none, with the running maximum of
the receive time.
"""

from typing import Any, Final

import msgspec

from core.records import Kind, Record

_SESSION: Final = int(Kind.SESSION)  # looking it up in the enum would be half of the cost of a record


class Timeline(msgspec.Struct):
    """The fold that gives each record its `now_ns` (Unix ns); `now_ns` is 0 before the first record."""

    now_ns: int = 0
    base_ns: int = 0
    base_mono_ns: int = 0

    def at(self, record: Record) -> int:
        """The time of this record, which must be the next one in seq order; nothing moves on."""
        if record.kind == _SESSION:
            return max(self.now_ns, record.at_ns)
        mono = self.base_mono_ns and record.mono_ns
        return max(self.now_ns, self.base_ns + record.mono_ns - self.base_mono_ns if mono else record.at_ns)

    def advance(self, record: Record) -> int:
        """The same, and it is the time now."""
        if record.kind == _SESSION:
            self.base_ns = self.now_ns = max(self.now_ns, record.at_ns)
            self.base_mono_ns = record.mono_ns
            return self.now_ns
        if self.base_mono_ns and record.mono_ns:
            now_ns = self.base_ns + record.mono_ns - self.base_mono_ns
        else:
            now_ns = record.at_ns
        if now_ns > self.now_ns:
            self.now_ns = now_ns
        return self.now_ns

    def following(self, at_ns: Any, mono_ns: Any) -> Any:
        """The times of records after the last one, none of which begins a session, as arrays; nothing moves on."""
        import numpy as np  # whoever has arrays has loaded it; commands without them do without

        if self.base_mono_ns:
            at_ns = np.where(mono_ns == 0, at_ns, self.base_ns + mono_ns - self.base_mono_ns)
        return np.maximum(np.maximum.accumulate(at_ns), self.now_ns)
