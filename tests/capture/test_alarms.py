"""What is told to somebody elsewhere, and what is not, as statuses follow each other."""

from typing import Any

import msgspec

from capture.alarms import AGAIN_NS, BURST, UNHEALTHY_NS, Alarms
from capture.status import DaemonStatus, DiskStatus, GapStatus, State
from core.times import SECOND_NS

START_NS = 1_790_000_000_000_000_000
FINE = DaemonStatus(
    at_ns=START_NS,
    started_ns=START_NS,
    tape="tapes/prod",
    environment="prod",
    session="s",
    state=State.RECORDING,
    healthy=True,
)


def after(seconds: float, **changes: Any) -> DaemonStatus:
    """The status so long after the start, with these fields changed."""
    return msgspec.structs.replace(FINE, at_ns=START_NS + int(seconds * SECOND_NS), **changes)


def kinds(alarms: Alarms, *statuses: DaemonStatus) -> list[str]:
    return [notice.kind for status in statuses for notice in alarms.observe(status)]


def gap(number: int, reason: str = "reconnect") -> GapStatus:
    return GapStatus(number=number, reason=reason, since_ns=START_NS, connection=1)


def test_as_long_as_all_is_well_nothing_is_told() -> None:
    assert kinds(Alarms(), FINE, after(1), after(100_000)) == []


def test_a_gap_is_told_when_it_opens_and_when_it_closes() -> None:
    alarms = Alarms()
    assert kinds(alarms, FINE, after(1, open_gaps=(gap(7),)), after(2, open_gaps=(gap(7),))) == ["gap_opened"]
    (closed,) = alarms.observe(after(12.5))
    assert (closed.kind, closed.text) == ("gap_closed", "gap 7 closed after 12.5 s: reconnect")


def test_the_exchanges_maintenance_is_no_alarm() -> None:
    paused = after(1, state=State.MAINTENANCE, open_gaps=(gap(1, "maintenance"),))
    assert kinds(Alarms(), FINE, paused, after(2)) == []


def test_trouble_is_told_once_it_has_lasted_and_again_when_it_is_over() -> None:
    alarms, limit_s = Alarms(), UNHEALTHY_NS / SECOND_NS
    trouble = [after(s, state=State.UNHEALTHY, why="no frame") for s in (0, 1, limit_s - 1)]
    assert kinds(alarms, *trouble) == []
    assert kinds(alarms, *(after(s, state=State.UNHEALTHY) for s in (limit_s, limit_s + 1))) == ["unhealthy"]
    assert kinds(alarms, after(limit_s + 2)) == ["healthy"]


def test_trouble_that_ended_before_the_limit_does_not_add_up() -> None:
    alarms, limit_s = Alarms(), UNHEALTHY_NS / SECOND_NS
    ill = [after(s, state=State.UNHEALTHY) for s in (0, limit_s - 1)]
    assert kinds(alarms, *ill, after(limit_s - 0.5), after(limit_s + 1, state=State.UNHEALTHY)) == []


def test_a_disk_that_gets_full_and_a_key_that_is_refused_are_told() -> None:
    alarms = Alarms()
    assert kinds(alarms, FINE, after(1, disk=DiskStatus(low=True)), after(2, disk=DiskStatus(low=True))) == ["disk"]
    assert kinds(alarms, after(3, disk=DiskStatus(low=True, problem="t: cannot append"))) == ["disk"]
    assert kinds(alarms, after(4, key_refused=True), after(5, key_refused=True)) == ["key_refused"]


def test_a_storm_of_gaps_is_told_in_few_words() -> None:
    alarms = Alarms()
    storm = [after(number, open_gaps=(gap(number),)) for number in range(1, 40)]
    told = [notice for status in storm for notice in alarms.observe(status) if notice.kind == "gap_opened"]
    assert len(told) == BURST
    later = after(AGAIN_NS / SECOND_NS + 60, open_gaps=(gap(99),))
    (notice,) = (notice for notice in alarms.observe(later) if notice.kind == "gap_opened")
    assert f"and {39 - BURST} more" in notice.text


def test_that_recording_has_stopped_is_always_told() -> None:
    (notice,) = Alarms().observe(after(9, state=State.STOPPED, why="SIGTERM"))
    assert (notice.kind, notice.text) == ("stopped", "recording has stopped: SIGTERM")


def test_what_an_exchange_sent_moves_no_cursor() -> None:
    (notice,) = Alarms().observe(after(9, state=State.STOPPED, why="\x1b[2J\nx"))
    assert notice.text.isprintable()
