"""Whether the exchange is paused, asked again and again, and the gap on the tape that says so.

Knows how often to ask and what answers mean. Must not know sockets: a pause is found by REST alone, for there is no
message for it (protocol 16.2), and connections that break meanwhile are repaired by others as ever.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from capture.api import Api
from capture.tape.errors import TapeError
from capture.tape.writer import TapeWriter
from core.answers import Schedule
from core.errors import AuthError, ExchangeError
from core.hours import is_pause_scheduled
from core.records import Kind, StoredGap, encode_payload
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


class Poller:
    """Asks for status and schedule in a thread of its own, and appends what follows. is_paused: as of the last answer.

    problem: a fault of our own, "" = none. It never gives up: what goes wrong is asked again.
    """

    def __init__(self, api: Api, writer: TapeWriter, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._api = api
        self._writer = writer
        self._wall_ns = wall_ns
        self.problem = ""
        self._pause = Pause()
        self._schedule: Schedule | None = None
        self._schedule_due_ns = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status-poller", daemon=True)

    @property
    def is_paused(self) -> bool:
        """True while the exchange is paused."""
        return self._pause.is_on

    def start(self) -> None:
        """Go on by itself from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; returns at once. A request that is under way has to be ended by who owns the client."""
        self._ending.set()

    def join(self, timeout_s: float) -> None:
        """Wait until it has ended, for so long at most."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def round(self) -> int:
        """Ask what is due; when to do so again (Unix ns)."""
        now_ns = self._wall_ns()
        if now_ns >= self._schedule_due_ns:
            self._ask_schedule(now_ns)
        record = self._pause.observe(self._ask_status(), self._wall_ns())
        if record is not None:
            kind, gap = record
            with contextlib.suppress(TapeError):  # the writer tells of its outage itself, and covers this one
                self._writer.append(kind, encode_payload(gap))
        return self._pause.next_ns(now_ns)

    def _run(self) -> None:
        wait_s = 0.0
        while not self._ending.wait(wait_s):
            try:
                due_ns = self.round()
            except Exception as error:  # a fault of our own here must not leave a pause open or unseen for ever
                self.problem = f"fault while asking for the exchange's status: {error!r}; please report it"
                due_ns = self._wall_ns() + ACTIVE_NS
            wait_s = max(due_ns - self._wall_ns(), 0) / SECOND_NS

    def _ask_schedule(self, now_ns: int) -> None:
        self._schedule_due_ns = now_ns + ACTIVE_NS
        with contextlib.suppress(ExchangeError, AuthError):
            self._schedule = self._api.schedule()
            self._schedule_due_ns = now_ns + SCHEDULE_NS

    def _ask_status(self) -> Answer:
        try:
            status = self._api.status()
        except (ExchangeError, AuthError):
            status = None
        now_ns = self._wall_ns()
        is_scheduled = is_pause_scheduled(self._schedule, now_ns)
        if status is None:
            return Answer(None, None, is_scheduled)
        return Answer(status.is_exchange_active, status.is_trading_active, is_scheduled)
