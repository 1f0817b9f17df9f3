"""What the fold over the log leaves for the daemon's other threads: news of markets, and what was counted.

Knows which messages concern them. Must not know what they do with it. It is called for every record, in the fold's own
thread, so it only sorts and counts.
"""

import threading
from collections import deque
from typing import Final, TypeAlias

from core.engine import Step
from core.messages.types import EventFeeUpdate, EventLifecycle, MarketLifecycle
from core.records import Kind, Record

News: TypeAlias = MarketLifecycle | EventLifecycle | EventFeeUpdate

CAPACITY: Final = 20_000
"""News that wait; the exchange settles some thousand markets at once. When more come all markets are looked at anew."""

_NEWS: Final = (MarketLifecycle, EventLifecycle, EventFeeUpdate)
_LAST_FRAME: Final = int(Kind.FRAME_CLOSE)


class Inbox:
    """Give it to the deck as `on_step`. frames, bytes: received in this session. gaps: opened in this session."""

    def __init__(self) -> None:
        self.frames = 0
        self.bytes = 0
        self.gaps = 0
        self._news: deque[News] = deque(maxlen=CAPACITY)
        self._lock = threading.Lock()
        self._may_have_missed = False
        self._last_gap = 0

    def __call__(self, record: Record, step: Step) -> None:
        """Take note of a record and what it did."""
        if record.kind <= _LAST_FRAME:
            self.frames += 1
            self.bytes += len(record.payload)
            message = step.message
            if isinstance(message, _NEWS):
                with self._lock:
                    self._may_have_missed = self._may_have_missed or len(self._news) == CAPACITY
                    self._news.append(message)
        for gap in step.gaps:
            if gap.number > self._last_gap:
                self._last_gap = gap.number
                self.gaps += 1
            if gap.until_ns is not None:
                with self._lock:
                    self._may_have_missed = True

    def take(self) -> tuple[list[News], bool]:
        """The news since the last call, oldest first, and whether some may have been missed: a gap has closed."""
        with self._lock:
            news, missed = list(self._news), self._may_have_missed
            self._news.clear()
            self._may_have_missed = False
        return news, missed
