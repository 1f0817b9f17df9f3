"""What is settled before anything is recorded."""

import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from capture.startup import LOCK_WAIT_S, VERSION, is_tape, new_session, open_writer, require_writable
from capture.tape.errors import TapeError, TapeLocked
from capture.tape.layout import Layout
from capture.tape.lock import TapeLock
from capture.tape.reader import Ended, Tape
from core.records import Kind, decode_gap, decode_session

ROOT = Path(__file__).resolve().parents[2]


def test_the_version_is_that_of_the_package() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_sessions_differ_and_tell_the_same_configuration_by_the_same_digest() -> None:
    first, second = (new_session("demo", {"b": 1, "a": [2]}) for _ in range(2))
    assert first.uuid != second.uuid
    assert first.seed != second.seed
    assert first.config == second.config == new_session("demo", {"a": [2], "b": 1}).config
    assert first.config != new_session("demo", {"a": [3], "b": 1}).config
    assert (first.environment, first.code) == ("demo", VERSION)
    assert len(first.boot_id) == 36


def test_a_tape_is_made_once_and_gone_on_with_after_that(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    require_writable(path, "demo")
    assert not is_tape(path)
    sessions = [new_session("demo", {}) for _ in range(2)]
    for session in sessions:
        with open_writer(path, session) as writer:
            assert is_tape(path)
            assert (writer.recovery is None) == (session is sessions[0])
    records = list(Tape.open(path).records())
    assert [decode_session(r.payload).uuid for r in records if r.kind == Kind.SESSION] == [s.uuid for s in sessions]
    assert [decode_gap(r.payload).reason for r in records if r.kind == Kind.GAP_CLOSE] == ["down"]
    assert Tape.open(path).ended is Ended.CLEAN_STOP


def test_a_tape_of_another_environment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    open_writer(path, new_session("demo", {})).close()
    require_writable(path, "demo")
    with pytest.raises(TapeError, match=r"'demo', not 'prod'; use one tape for each"):
        require_writable(path, "prod")


def test_who_is_about_to_let_go_of_a_tape_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    open_writer(path, new_session("demo", {})).close()
    lock = TapeLock(Layout(path).lock)  # a writer that closes lets go of it when its sealing child has ended
    letting_go = threading.Timer(LOCK_WAIT_S / 10, lock.release)
    letting_go.start()
    require_writable(path, "demo")
    letting_go.join()


def test_a_tape_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    with open_writer(path, new_session("demo", {})), pytest.raises(TapeLocked, match=r"being recorded.*choose another"):
        require_writable(path, "demo")
    require_writable(path, "demo")


def test_after_switching_them_off_a_process_leaves_no_core_dump() -> None:
    code = (
        "import resource; from capture.startup import no_core_dumps; no_core_dumps(); "
        "print(resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(0, 0)"
