"""Status lines: on a terminal, in a pipe, and where nobody takes them."""

import json
import os
import pty
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from capture.reporting import QUEUE, Reporter
from capture.status import DaemonStatus, State
from core.times import SECOND_NS

NOW_NS = 1_786_410_000 * SECOND_NS


def status(**changes: object) -> DaemonStatus:
    """A daemon that records."""
    usual = DaemonStatus(
        at_ns=NOW_NS,
        started_ns=NOW_NS - SECOND_NS,
        tape="monday",
        environment="demo",
        session="s-1",
        state=State.RECORDING,
        healthy=True,
    )
    return msgspec.structs.replace(usual, **changes)


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Reading and writing end."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            with suppress(OSError):  # the test closed it
                os.close(end)


def said(*, as_json: bool = False) -> list[str]:
    """The lines of a short life in a pipe."""
    with pipe() as (reading, writing):
        reporter = Reporter(writing, as_json=as_json)
        reporter.note("begun\x1b[2J")
        reporter.status(status())
        reporter.status(status(at_ns=NOW_NS + SECOND_NS, frames=7))
        reporter.status(status(at_ns=NOW_NS + 2 * SECOND_NS, markets=1))
        reporter.stopped(status(at_ns=NOW_NS + 3 * SECOND_NS))
        reporter.close()
        return os.read(reading, 1 << 16).decode().splitlines()


def test_in_a_pipe_a_line_comes_when_something_changed_and_says_when() -> None:
    lines = said()
    assert lines[0] == "begun\\x1b[2J"
    assert [line[:30] for line in lines[1:3]] == ["2026-08-11T01:00:00Z recording", "2026-08-11T01:00:02Z recording"]
    assert lines[3].startswith("stopped after 4 s")
    assert len(lines) == 4


def test_with_json_every_line_is_one_object() -> None:
    objects = [json.loads(line) for line in said(as_json=True)]
    assert [list(value) for value in objects] == [["note"], ["status"], ["status"], ["stopped"]]
    assert objects[1]["status"]["state"] == "recording"


def test_on_a_terminal_one_line_is_rewritten_and_cleared_before_a_note() -> None:
    leader, follower = pty.openpty()
    try:
        reporter = Reporter(follower)
        reporter.status(status())
        reporter.status(status())
        reporter.note("a gap")
        reporter.close()
        shown = os.read(leader, 1 << 16).decode()
    finally:
        os.close(leader)
        os.close(follower)
    assert shown.count("\r\x1b[2Krecording") == 2
    assert shown.endswith("\r\x1b[2Ka gap\r\n")


def test_a_reader_that_went_away_costs_lines_and_nothing_else() -> None:
    with pipe() as (reading, writing):
        reporter = Reporter(writing)
        os.close(reading)
        reporter.note("to nobody")
        reporter.note("to nobody either")
        reporter.close()
        assert reporter.lost == 2


def test_a_closed_output_and_a_full_disk_cost_lines_and_nothing_else() -> None:
    with pipe() as (_, writing):
        os.close(writing)
        reporter = Reporter(writing)
        reporter.note("to nobody")
        reporter.close()
        assert reporter.lost == 1
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        reporter = Reporter(full)
        reporter.status(status())
        reporter.close()
        assert reporter.lost == 1
    finally:
        os.close(full)


def test_a_reader_that_stands_still_never_holds_the_caller_up() -> None:
    with pipe() as (reading, writing):
        reporter = Reporter(writing)
        told = threading.Event()

        def tell() -> None:
            for _ in range(40 * QUEUE):
                reporter.note("x" * 4_000)
            reporter.close(timeout_s=0.05)
            told.set()

        threading.Thread(target=tell, daemon=True).start()
        assert told.wait(20)
        assert reporter.lost > 0
        os.close(reading)
        reporter.close(timeout_s=20)  # the thread is gone before the descriptor gets another meaning


def test_lines_reach_a_file_in_order(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    with path.open("wb", buffering=0) as file:
        reporter = Reporter(file.fileno())
        for number in range(20):
            reporter.note(str(number))
        reporter.close()
    assert path.read_text().split() == [str(number) for number in range(20)]
