"""The operator's signals: the first asks for a graceful stop, the second ends the process at once.

Knows signals only. A handler runs between two instructions of the main thread, whatever that holds, so it does nothing
but note the signal and wake whoever waits.
"""

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Any, Final, Self

STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""SIGHUP too: a terminal that is closed should leave a sealed tape. One that is ignored (nohup) stays so."""


class StopSignals:
    """A context manager, in the main thread: inside of it the signals are notes. received: the first one, 0 = none."""

    def __init__(self) -> None:
        self.received = 0
        self._reading, self._writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in STOPPING:
            former = signal.getsignal(number)
            if number == signal.SIGHUP and former == signal.SIG_IGN:
                continue
            self._former[number] = former
            signal.signal(number, self._note)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)
        os.close(self._reading)
        os.close(self._writing)

    def wait(self, timeout_s: float) -> bool:
        """Return when a signal was received or the time is over; True when there was a signal, now or before."""
        if not self.received and timeout_s > 0:
            select.select([self._reading], [], [], timeout_s)
        return bool(self.received)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = self.received or number
        for each in self._former:
            signal.signal(each, signal.SIG_DFL)
        os.write(self._writing, b"x")
