"""capture.tape.errors: what the operator is told."""

import errno
import os
from pathlib import Path

import pytest

from capture.tape.errors import DiskError, TapeDamaged, TapeError, TapeFormat, TapeLocked, disk_error


def test_every_error_of_a_tape_can_be_caught_as_one() -> None:
    assert all(issubclass(kind, TapeError) for kind in (TapeLocked, TapeDamaged, TapeFormat, DiskError))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EXDEV])
def test_a_disk_error_names_file_cause_and_remedy_in_one_line(code: int) -> None:
    error = disk_error(OSError(code, os.strerror(code)), Path("tapes/a/MANIFEST"), "append to the manifest")
    place, _, rest = str(error).partition(": ")
    assert place == "tapes/a/MANIFEST"
    assert rest.startswith(f"cannot append to the manifest: {os.strerror(code)}; ")
    assert "\n" not in rest and rest.partition("; ")[2]


def test_an_error_without_a_number_is_named_by_its_kind() -> None:
    assert "TimeoutError" in str(disk_error(TimeoutError(), Path("x"), "read"))
