"""The check: how it is run, what of its end counts, and what it must not leave behind."""

import os
from pathlib import Path

import pytest
from waiting import wait_for_condition

from core.errors import ConfigError
from replay.fixture.check import Check, Outcome, Tries


def outcome(tmp_path: Path, command: str, match: str = "", limit_s: float = 30.0) -> Outcome:
    tape = tmp_path / "a tape's"
    tape.mkdir(exist_ok=True)
    return Check(command, match, str(tmp_path)).run(tape, tmp_path / "said", limit_s)


def test_it_is_a_shell_command_in_its_place_with_the_tapes_path_in_it(tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    assert outcome(tmp_path, "test -d {tape} && test -e here") == Outcome(0)
    assert outcome(tmp_path, "ls {tape}; exit 7").code == 7
    assert outcome(tmp_path, "basename {tape}; echo too >&2; exit 1") == Outcome(1, said="a tape's\ntoo")
    assert outcome(tmp_path, "no-such-program {tape}").code == 127
    for command in (
        "kill -ABRT $$ {tape}",
        "exec sh -c 'kill -ABRT $$' {tape}",
        "sh -c 'kill -ABRT $$' {tape}; exit $?",
    ):
        assert outcome(tmp_path, command).code == 134


def test_its_words_tell_one_failure_from_another(tmp_path: Path) -> None:
    assert outcome(tmp_path, "echo gap 41 in {tape}; exit 1", r"gap \d+").fits
    assert not outcome(tmp_path, "echo no gap in {tape}; exit 1", r"gap \d+").fits


def test_one_that_hangs_is_ended_with_whatever_it_started(tmp_path: Path) -> None:
    text = "echo {tape}; sleep 100000 & echo $! > child; wait"
    assert outcome(tmp_path, text, limit_s=0.5) == Outcome(-1, fits=False)
    child = int((tmp_path / "child").read_text())
    wait_for_condition(lambda: not is_alive(child), what="the end of it")


def is_alive(pid: int) -> bool:
    """Whether the process is there and has not ended; its parent, which is init now, may not have taken note yet."""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.parametrize(
    ("command", "match", "words"),
    [("check", "", "has no {tape}"), ("check {tape}", "(", "--match '\\(' is no regular expression")],
)
def test_what_is_none_is_refused(command: str, match: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Check(command, match)


def test_another_script_is_another_check(tmp_path: Path) -> None:
    names = set()
    for text in ("one", "two"):
        (tmp_path / "check.py").write_text(text)
        names.add(Check("python check.py {tape}", "", str(tmp_path)).name())
    names.add(Check("python check.py {tape}", "x", str(tmp_path)).name())
    names.add(Check("python check.py 'a {tape}", "", str(tmp_path)).name())
    assert len(names) == 4


def test_answers_are_remembered_until_all_is_done(tmp_path: Path) -> None:
    file = tmp_path / "tries"
    with Tries(file, "task") as tries:
        tries.note("a", True)
        tries.note("b", False)
        assert (tries.known("a"), tries.known("b"), tries.known("c"), tries.ran) == (True, False, None, 2)
    with Tries(file, "task") as again:
        assert [again.known(name) for name in "abcab"] == [True, False, None, True, False]
        assert (again.ran, again.remembered) == (0, 2)
        again.note("c", True)
    with Tries(file, "task") as last:
        assert last.known("c") is True
    with Tries(file, "another") as other:
        assert other.known("a") is None
        other.done()
    assert not file.exists()
