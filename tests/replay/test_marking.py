"""Checkpoints are left behind while a tape is recorded, by a process that comes and goes."""

import os
from pathlib import Path

import pytest
from sample_tapes import Script
from waiting import WAIT_S

from capture.tape import checkpoints
from capture.tape.checkpoints import Of
from replay import open_tape
from replay.marking import MOST_FAILURES, REST_S, Marker, serve
from replay.summary import MARK_RECORDS, summarize

pytestmark = pytest.mark.integration


class Clock:
    """Monotonic seconds, set by hand."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def long_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Just long enough to be worth a checkpoint."""
    script = Script().session().opened()
    while len(script.records) < MARK_RECORDS:
        script.ping()
    return script.tape(tmp_path_factory.mktemp("long") / "tape").path


def clear(tape: Path) -> None:
    for path in open_tape(tape).layout.checkpoints.iterdir():
        path.unlink()


def test_a_process_leaves_a_tally_and_the_state_that_goes_with_it(long_tape: Path) -> None:
    clear(long_tape)
    marker = Marker(long_tape)
    marker.observe()
    assert marker.wait(WAIT_S) == 0
    marker.close()
    tape = open_tape(long_tape)
    for of in Of:
        found = checkpoints.nearest(tape, of=of)
        assert found is not None
        assert found[0] == MARK_RECORDS - 1
    assert summarize(tape).folded == 0


@pytest.fixture(name="broken")
def _broken(tmp_path: Path) -> Path:
    """A manifest that is none makes each process fail at once, which shows how many were started."""
    (tmp_path / "MANIFEST").write_bytes(b"sealed")
    return tmp_path


def seal_one_more(broken: Path) -> None:
    with (broken / "MANIFEST").open("ab") as file:
        file.write(b"sealed")


def test_it_is_due_again_when_something_was_sealed_and_after_a_rest(broken: Path) -> None:
    clock = Clock()
    marker = Marker(broken, clock)
    marker.observe()
    assert marker.wait(WAIT_S) == 1
    clock.now_s += REST_S
    marker.observe()
    assert marker.wait(WAIT_S) is None, "nothing was sealed"
    seal_one_more(broken)
    clock.now_s -= 1.0
    marker.observe()
    assert marker.wait(WAIT_S) is None, "it is too soon"
    clock.now_s += 1.0
    marker.observe()
    assert marker.wait(WAIT_S) == 1
    marker.close()


def test_a_new_tape_is_not_marked_before_something_of_it_is_sealed(tmp_path: Path) -> None:
    marker = Marker(tmp_path)
    marker.observe()
    assert marker.wait(WAIT_S) is None, "there is no tape yet"
    (tmp_path / "MANIFEST").write_bytes(b"genesis")
    marker.observe()
    assert marker.wait(WAIT_S) is None
    seal_one_more(tmp_path)
    marker.observe()
    assert marker.wait(WAIT_S) == 1
    marker.close()


def test_what_fails_again_and_again_is_left_alone(broken: Path) -> None:
    clock = Clock()
    marker = Marker(broken, clock)
    started = 0
    for _ in range(MOST_FAILURES + 3):
        marker.observe()
        started += marker.wait(WAIT_S) == 1
        seal_one_more(broken)
        clock.now_s += REST_S
    marker.observe()
    assert started == MOST_FAILURES
    assert marker.wait(WAIT_S) is None


def test_closing_ends_what_is_under_way_and_leaves_nothing_half_written(long_tape: Path) -> None:
    clear(long_tape)
    marker = Marker(long_tape)
    marker.observe()
    marker.observe()  # one at a time
    marker.close()
    marker.close()
    assert marker.wait(WAIT_S) is None
    assert not list(open_tape(long_tape).layout.checkpoints.glob("*.partial"))


def test_a_process_whose_recorder_is_gone_ends_early(long_tape: Path) -> None:
    """Forked, for it lowers its own priority and takes over its signals."""
    clear(long_tape)
    child = os.fork()
    if not child:
        code = 99
        try:
            serve(str(long_tape), parent=1)
        except SystemExit as error:
            code = int(error.code or 0)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert not list(open_tape(long_tape).layout.checkpoints.iterdir())
