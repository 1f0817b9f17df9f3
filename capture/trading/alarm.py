"""Wakes strategies: appends a TICK when the timer they have set is due.

Knows the monotonic clock and how it stands to the tape's time. Must not know what a timer is for.
"""

import threading
import time
from typing import Final

from capture.link import Appender
from capture.tape.errors import TapeError
from core.actions import Tick
from core.records import Kind, encode_payload

NEVER_S: Final = 3_600.0
AGAIN_S: Final = 0.5
"""How soon a tick that the disk refused is tried again."""


class Alarm:
    """One thread. A timer makes one TICK: the next is only made when the strategies have stepped the one before."""

    def __init__(self, writer: Appender) -> None:
        self._writer = writer
        self._changed = threading.Condition()
        self._wake_ns = 0
        self._due_mono_ns = 0
        self._stepped = -1
        self._ticked = -1
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def set(self, wake_ns: int, now_ns: int, mono_ns: int, stepped: int) -> None:
        """The next timer is due at wake_ns of the tape's time (0 = none), when at mono_ns that time was now_ns.

        stepped: the seq of the last record the strategies have taken in.
        """
        with self._changed:
            self._wake_ns = wake_ns
            self._due_mono_ns = mono_ns + wake_ns - now_ns
            self._stepped = stepped
            self._changed.notify()

    def stop(self, timeout_s: float) -> bool:
        """Whether it ended within that time."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        with self._changed:
            while not self._is_stopping:
                left_s = (self._due_mono_ns - time.monotonic_ns()) / 1e9
                if not self._wake_ns or self._stepped < self._ticked:
                    self._changed.wait(NEVER_S)
                elif left_s > 0:
                    self._changed.wait(left_s)
                else:
                    self._tick()

    def _tick(self) -> None:
        try:
            self._ticked = self._writer.append(Kind.TICK, encode_payload(Tick(self._wake_ns)))
        except TapeError:  # a full disk: strategies stand still until it is over
            self._changed.wait(AGAIN_S)
        else:
            self._wake_ns = 0
