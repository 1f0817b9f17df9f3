"""What the fold over the log leaves for the daemon's other threads: news of markets.

Knows which messages concern them. Must not know what they do with it. It is called for every record, so it only sorts
and counts.
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
    """Give it to the deck as `on_step`. bytes: of all frames received in this session."""

    def __init__(self) -> None:
        self.bytes = 0
        self._news: deque[News] = deque(maxlen=CAPACITY)
        self._lock = threading.Lock()
        self._may_have_missed = False

    def __call__(self, record: Record, step: Step) -> None:
        """Take note of a record and what it did."""
        if record.kind <= _LAST_FRAME:
            self.bytes += len(record.payload)
            message = step.message
            if isinstance(message, _NEWS):
                with self._lock:
                    self._may_have_missed = self._may_have_missed or len(self._news) == CAPACITY
                    self._news.append(message)
        if step.gaps and any(gap.until_ns is not None for gap in step.gaps):
            with self._lock:
                self._may_have_missed = True

    def take(self) -> tuple[list[News], bool]:
        """The news since the last call, oldest first, and whether some may have been missed: a gap has closed."""
        with self._lock:
            news, missed = list(self._news), self._may_have_missed
            self._news.clear()
            self._may_have_missed = False
        return news, missed
