"""Whether the exchange is paused, asked again and again, and the gap on the tape that says so.

Knows how often to ask and what answers mean. Must not know sockets: a pause is found by REST alone, for there is no
message for it (protocol 16.2), and connections that break meanwhile are repaired by others as ever.
"""

from dataclasses import dataclass
from typing import Final

from core.records import Kind, StoredGap
from core.times import SECOND_NS

REASON: Final = "maintenance"

ACTIVE_NS: Final = 30 * SECOND_NS
"""How often an active exchange is asked for its status."""

PAUSED_NS: Final = 5 * SECOND_NS
"""How often a paused one is: the first seconds after a pause are among the busiest."""

SCHEDULE_NS: Final = 3_600 * SECOND_NS
"""How often the schedule is asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking. is_exchange_active, is_trading_active: as answered, None = there was no answer.

    is_scheduled: whether the schedule has a pause now.
    """

    is_exchange_active: bool | None
    is_trading_active: bool | None
    is_scheduled: bool


class Pause:
    """The fold over the answers. Times are the wall clock's (Unix ns). is_on: the exchange is paused."""

    def __init__(self) -> None:
        self.is_on = False
        self._vouched_ns = 0  # when the exchange last was known to be active

    def observe(self, answer: Answer, now_ns: int) -> tuple[Kind, StoredGap] | None:
        """The record to append, if this answer begins or ends a pause.

        Without an answer a scheduled pause begins, and a pause that is on goes on: an exchange that is paused may
        answer nothing. Any other silence is none, for connections that break are gaps by themselves.
        """
        was_on = self.is_on
        if answer.is_exchange_active is None:
            self.is_on = was_on or answer.is_scheduled
        else:
            self.is_on = not (answer.is_exchange_active and answer.is_trading_active is not False)
            if not self.is_on:
                self._vouched_ns = now_ns
        if self.is_on == was_on:
            return None
        if self.is_on:
            return Kind.GAP_OPEN, StoredGap(REASON, from_ns=self._vouched_ns or now_ns, detail=_detail(answer))
        return Kind.GAP_CLOSE, StoredGap(REASON, until_ns=now_ns)

    def next_ns(self, now_ns: int) -> int:
        """When to ask again."""
        return now_ns + (PAUSED_NS if self.is_on else ACTIVE_NS)


def _detail(answer: Answer) -> str:
    if answer.is_exchange_active is None:
        what = "no answer"
    else:
        what = "trading is paused" if answer.is_exchange_active else "the exchange is paused"
    return what + (", as scheduled" if answer.is_scheduled else ", outside its schedule")
