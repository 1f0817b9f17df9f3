"""Several tapes side by side, in real processes: the same answers whatever their number, and early ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
import pytest
from sample_tapes import START_NS, Script, story

from replay.many import Result, Terms, Unplayed, exit_code, plain, play, play_all
from replay.run import Comparison, Run, Span

pytestmark = pytest.mark.integration

ROOT: Final = Path(__file__).resolve().parents[2]
DEADLINE_S: Final = 60.0


@pytest.fixture(name="tapes")
def _tapes(tmp_path: Path) -> list[Path]:
    """Three tapes that differ, the longest first."""
    return [story(rounds).tape(tmp_path / f"tape-{rounds}", segment_records=40).path for rounds in (40, 9, 3)]


def damage(tape: Path) -> None:
    """Change a byte in the middle of a tape's first segment."""
    file = min(tape.glob("data/*/*.parquet"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def timeless(result: Result) -> object:
    """A result without what the clock said."""
    if isinstance(result, Run):
        return msgspec.structs.replace(result, wall_s=0.0, frames_per_s=0.0)
    if isinstance(result, Comparison):
        return result.equal, timeless(result.by_bytes), timeless(result.by_columns)
    return result


@pytest.mark.parametrize("path", ["bytes", "columns", "both"])
def test_the_answers_are_those_of_each_tape_alone_in_order_whatever_the_jobs(tapes: list[Path], path: str) -> None:
    terms = Terms(path=path)
    alone = [timeless(play(tape, terms)) for tape in tapes]
    for jobs in (1, 2):
        assert [timeless(result) for result in play_all(tapes, terms, jobs)] == alone


def test_terms_reach_the_processes(tapes: list[Path]) -> None:
    terms = Terms(path="bytes", span=Span(START_NS, START_NS + 5_000_000), strategies=False)
    results = play_all(tapes, terms, 2)
    assert [result.records for result in results if isinstance(result, Run)] == [6, 6, 6]


def test_a_tape_that_cannot_be_played_is_named_and_the_others_go_on(tapes: list[Path], tmp_path: Path) -> None:
    damage(tapes[0])
    gone = tmp_path / "gone"
    results = play_all([tapes[0], gone, *tapes[1:]], Terms(), 2)
    assert [type(result) for result in results] == [Unplayed, Unplayed, Run, Run]
    for result, tape in zip(results, (tapes[0], gone), strict=False):
        assert isinstance(result, Unplayed)
        assert result.tape == str(tape)
        assert str(tape) in result.problem
        assert "\n" not in result.problem
    assert exit_code(results) == 2


def test_the_same_tape_may_be_named_twice(tapes: list[Path]) -> None:
    first, second = play_all([tapes[0], tapes[0]], Terms(), 2)
    assert timeless(first) == timeless(second)


def test_progress_never_goes_back_and_is_in_percent_of_all(tapes: list[Path]) -> None:
    told: list[tuple[int, int]] = []
    play_all(tapes, Terms(path="both"), 2, lambda done, total: told.append((done, total)))
    assert told
    assert told == sorted(told)
    assert {total for _, total in told} == {100}
    assert told[-1] == (100, 100)


def test_paths_that_differ_are_exit_1_and_an_unplayed_tape_is_worse(tapes: list[Path]) -> None:
    same = play(tapes[0], Terms(path="both"))
    assert isinstance(same, Comparison)
    differing = msgspec.structs.replace(same, equal=False, first_seq=0, last_seq=9)
    assert exit_code([same, same]) == 0
    assert exit_code([same, differing]) == 1
    assert exit_code([differing, Unplayed(tape="x", problem="x: gone")]) == 2
    assert plain(differing)["differs"] == [0, 9]


# ------------------------------------------------------------------ processes that end early


def children(pid: int) -> list[int]:
    """The processes that a process has started and that live."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


@contextmanager
def at_work(program: "subprocess.Popen[str]", *stuck: Path) -> Iterator[list[int]]:
    """The processes that a program has started, once each of these tapes is being opened by one; they wait there."""
    writers: list[int] = []
    deadline_s = time.monotonic() + DEADLINE_S
    try:
        while len(writers) < len(stuck):
            assert program.poll() is None and time.monotonic() < deadline_s, f"{program.poll()}: nobody reads a tape"
            with suppress(OSError):  # ENXIO: nobody reads yet
                writers.append(os.open(stuck[len(writers)] / "tape.json", os.O_WRONLY | os.O_NONBLOCK))
            os.sched_yield()
        yield children(program.pid)
    finally:
        for fd in writers:
            os.close(fd)


def stuck_tape(path: Path) -> Path:
    """A tape whose label comes through a pipe, and never does: whoever opens it waits."""
    tape = story(3).tape(path).path
    (tape / "tape.json").unlink()
    os.mkfifo(tape / "tape.json")
    return tape


def start(*arguments: object) -> "subprocess.Popen[str]":
    """`tapedeck replay` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tapedeck", "replay", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_the_end_of(pids: list[int]) -> None:
    """Return when none of them lives."""
    deadline_s = time.monotonic() + DEADLINE_S
    while any(map(lives, pids)):
        assert time.monotonic() < deadline_s, f"{pids} live on"
        os.sched_yield()


def test_a_process_that_is_killed_costs_its_tape_alone(tmp_path: Path) -> None:
    stuck = stuck_tape(tmp_path / "stuck")
    good = [Script().session().opened().stop().tape(tmp_path / name).path for name in ("one", "two")]
    program = start(good[0], stuck, good[1], "--jobs", "1")
    with at_work(program, stuck) as found:
        (child,) = found
        os.kill(child, signal.SIGKILL)
        out, err = program.communicate(timeout=DEADLINE_S)
    assert program.returncode == 2
    assert err == (
        f"tapedeck: {stuck}: the process that replayed it ended (SIGKILL); where memory is short, give fewer --jobs\n"
    )
    assert [line.split()[1] for line in out.splitlines() if line.startswith("tape ")] == [
        str(good[0]), str(stuck), str(good[1]),
    ]  # fmt: skip
    assert out.count("replayed") == 2


@pytest.mark.parametrize("to_all", [True, False])
def test_ctrl_c_ends_all_at_once_without_a_traceback(tmp_path: Path, to_all: bool) -> None:
    """A terminal tells the whole group, `kill -INT` the program alone."""
    stuck = [stuck_tape(tmp_path / name) for name in "abc"]
    program = start(*stuck, "--jobs", "2")
    with at_work(program, *stuck[:2]) as found:
        (os.killpg if to_all else os.kill)(program.pid, signal.SIGINT)
        out, err = program.communicate(timeout=DEADLINE_S)
    assert len(found) == 2
    assert program.returncode not in (0, 2)
    assert "Traceback" not in out + err
    assert not any(map(lives, found))


def test_processes_do_not_outlive_a_program_that_is_killed(tmp_path: Path) -> None:
    stuck = [stuck_tape(tmp_path / name) for name in "ab"]
    program = start(*stuck, "--jobs", "2")
    with at_work(program, *stuck) as found:
        program.kill()
        program.communicate(timeout=DEADLINE_S)
        assert len(found) == 2
        wait_for_the_end_of(found)
