"""capture.tape.lock: one writer per tape."""

import subprocess
import sys
from pathlib import Path

import pytest

from capture.tape.errors import DiskError, TapeLocked
from capture.tape.lock import TapeLock

HOLD = """
import sys
from pathlib import Path
from capture.tape.lock import TapeLock
lock = TapeLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_lock_is_refused_until_the_first_is_released(tmp_path: Path) -> None:
    path = tmp_path / "LOCK"
    with TapeLock(path), pytest.raises(TapeLocked, match="another process is writing this tape"):
        TapeLock(path)
    TapeLock(path).release()


def test_the_lock_file_is_empty_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "LOCK"
    TapeLock(path).release()
    assert path.read_bytes() == b""
    assert path.stat().st_mode & 0o777 == 0o600


def test_releasing_twice_is_harmless(tmp_path: Path) -> None:
    lock = TapeLock(tmp_path / "LOCK")
    lock.release()
    other = TapeLock(tmp_path / "LOCK")
    lock.release()
    with pytest.raises(TapeLocked):
        TapeLock(tmp_path / "LOCK")
    other.release()


def test_a_lock_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="cannot lock the tape"):
        TapeLock(tmp_path / "missing" / "LOCK")


@pytest.mark.integration
def test_kill_9_releases_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "LOCK"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(TapeLocked):
            TapeLock(path)
        process.kill()
        process.wait()
    TapeLock(path).release()
