"""REST answers on the tape, before and after there is one."""

from pathlib import Path

import pytest

from capture import answer_log as answer_log_module
from capture.answer_log import AnswerLog
from capture.tape.reader import Tape
from capture.tape.writer import TapeWriter
from core.records import Kind, RestCall, Session, decode_rest


def call(path: str = "/a", status: int = 200, **more: object) -> RestCall:
    """A request and its answer."""
    return RestCall("GET", path, status, **more)  # type: ignore[arg-type]  # fields by name


def writer(path: Path) -> TapeWriter:
    """A new tape."""
    return TapeWriter.create(path, "test", Session("s", "test"))


def paths_on(tape: Path) -> list[str]:
    """The paths that were asked for, by the tape."""
    return [decode_rest(record.payload).path for record in Tape.open(tape).records() if record.kind == Kind.REST]


def test_what_was_asked_before_there_was_a_tape_comes_first_on_it(tmp_path: Path) -> None:
    log = AnswerLog()
    log(call("/early"))
    with writer(tmp_path / "t") as tape:
        log.attach(tape)
        log(call("/late"))
    assert paths_on(tmp_path / "t") == ["/early", "/late"]
    assert log.lost == 0


def test_an_answer_that_the_tape_does_not_take_counts_as_lost_and_raises_nothing(tmp_path: Path) -> None:
    log = AnswerLog()
    tape = writer(tmp_path / "t")
    log.attach(tape)
    tape.close()
    log(call())
    assert log.lost == 1


def test_what_is_kept_before_there_is_a_tape_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_log_module, "MAX_EARLY", 1)
    log = AnswerLog()
    log(call())
    log(call())
    assert log.lost == 1


def test_failures_are_counted_and_the_latest_is_said_until_something_works() -> None:
    log = AnswerLog()
    log(call("/markets?series_ticker=KXA", 503))
    log(call("/markets/KXA", 0, error="no answer in 10 s"))
    status = log.status(paused=False, clock_offset_ns=None)
    assert (status.calls, status.failed, status.error) == (2, 2, "GET /markets/KXA: no answer in 10 s")
    log(call())
    status = log.status(paused=True, clock_offset_ns=1_540_000_000)
    assert (status.error, status.paused, status.clock_offset_s) == ("", True, 1.5)


def test_no_such_thing_is_an_answer_and_no_failure() -> None:
    log = AnswerLog()
    log(call("/markets/KXA", 404))
    assert log.status(paused=False, clock_offset_ns=None).failed == 0


def test_a_refused_key_is_noted_until_it_is_accepted() -> None:
    log = AnswerLog()
    log(call(status=401))
    assert log.key_refused
    log(call(status=0, error="no answer"))
    assert log.key_refused, "silence says nothing about the key"
    log(call(status=200))
    assert not log.key_refused
