"""What is worth telling somebody elsewhere: the notices that one status after another gives rise to.

Knows what was told, and when. Must not know how it leaves.
"""

from typing import Final

from capture.notify import Notice
from capture.status import DaemonStatus, State
from core.printable import printable
from core.times import SECOND_NS

UNHEALTHY_NS: Final = 600 * SECOND_NS
"""Trouble that lasts so long needs a person; shorter ones are repaired, and stand on the tape as gaps."""

AGAIN_NS: Final = 3_600 * SECOND_NS
"""A notice of a kind that was told is told again after this at the earliest, with how many there were meanwhile."""

BURST: Final = 5
"""Notices of one kind that are told before the limit holds: a few gaps are each worth knowing, a storm is one thing."""


class Alarms:
    """The fold from statuses to notices."""

    def __init__(self) -> None:
        self._before: DaemonStatus | None = None
        self._unhealthy_since_ns = 0
        self._told_unhealthy = False
        self._tokens: dict[str, tuple[int, int]] = {}  # kind: (left, when they are full again)
        self._held: dict[str, int] = {}

    def observe(self, status: DaemonStatus) -> tuple[Notice, ...]:
        """What to tell now that the status is this."""
        before, self._before = self._before, status
        told = [notice for notice in self._all(before, status) if self._is_due(notice)]
        return tuple(self._with_held(notice) for notice in told)

    def _all(self, before: DaemonStatus | None, now: DaemonStatus) -> list[Notice]:
        found = self._gaps(before, now)
        if now.disk.problem and not (before and before.disk.problem):
            found.append(_notice("disk", now.disk.problem, now))
        elif now.disk.low and not (before and before.disk.low):
            left = "" if now.disk.days is None else f", {now.disk.days:.1f} days at the present rate"
            found.append(_notice("disk", f"only {now.disk.free_bytes >> 20:,} MiB are left for the tape{left}", now))
        if now.key_refused and not (before and before.key_refused):
            found.append(_notice("key_refused", "the exchange refuses the key; run `tapedeck doctor`", now))
        found += self._health(now)
        if now.state is State.STOPPED and not (before and before.state is State.STOPPED):
            found.append(_notice("stopped", f"recording has stopped{': ' + now.why if now.why else ''}", now))
        return found

    def _gaps(self, before: DaemonStatus | None, now: DaemonStatus) -> list[Notice]:
        """Gaps of the exchange's own maintenance are expected and no news."""
        then = {} if before is None else {gap.number: gap for gap in before.open_gaps}
        current = {gap.number: gap for gap in now.open_gaps}
        found = []
        for number, gap in current.items():
            if number not in then and gap.reason != "maintenance":
                where = f" on connection {gap.connection}" if gap.connection else ""
                found.append(_notice("gap_opened", f"gap {number} opened{where}: {gap.reason}", now))
        for number, gap in then.items():
            if number not in current and gap.reason != "maintenance":
                lasted_s = max(now.at_ns - gap.since_ns, 0) / SECOND_NS
                found.append(_notice("gap_closed", f"gap {number} closed after {lasted_s:,.1f} s: {gap.reason}", now))
        return found

    def _health(self, now: DaemonStatus) -> list[Notice]:
        if now.state is not State.UNHEALTHY:
            was_told, self._told_unhealthy, self._unhealthy_since_ns = self._told_unhealthy, False, 0
            return [_notice("healthy", f"recording is {now.state} again", now)] if was_told else []
        self._unhealthy_since_ns = self._unhealthy_since_ns or now.at_ns
        if self._told_unhealthy or now.at_ns - self._unhealthy_since_ns < UNHEALTHY_NS:
            return []
        self._told_unhealthy = True
        return [_notice("unhealthy", f"recording has been unhealthy for {UNHEALTHY_NS // SECOND_NS} s: {now.why}", now)]

    def _is_due(self, notice: Notice) -> bool:
        if notice.kind == "stopped":
            return True
        left, full_ns = self._tokens.get(notice.kind, (BURST, 0))
        if notice.at_ns >= full_ns:
            left, full_ns = BURST, notice.at_ns + AGAIN_NS
        if not left:
            self._held[notice.kind] = self._held.get(notice.kind, 0) + 1
            self._tokens[notice.kind] = (left, full_ns)
            return False
        self._tokens[notice.kind] = (left - 1, full_ns)
        return True

    def _with_held(self, notice: Notice) -> Notice:
        held = self._held.pop(notice.kind, 0)
        if not held:
            return notice
        return Notice(notice.kind, f"{notice.text} (and {held} more like it were not told)", notice.at_ns, notice.tape)


def _notice(kind: str, text: str, status: DaemonStatus) -> Notice:
    return Notice(kind, printable(text), status.at_ns, status.tape)
