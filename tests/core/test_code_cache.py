"""Compiled code is kept under a name that covers all it was made from, wherever there is a place, and whole or not."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from core.code_cache import KEPT, CodeCache, fingerprint, places
from core.compiled import INSTALLED

ROOT = Path(__file__).resolve().parents[2]

CALLEE = "SCALE = {scale}\n{comment}\ndef scaled(value):\n    return value * SCALE {more}\n"
CALLER = "from callee import scaled\n\n\ndef work(value):\n    return sum([scaled(value) for _ in range(1)])\n"


SCALE: Any = 1  # other values are given by `in_module`


def scaled(value: int) -> int:
    return int(value * SCALE)


def scaled_elsewhere(value: int) -> int:
    # Another line of another file, the same code.
    return int(value * SCALE)


def scaled_more(value: int) -> int:
    return int(value * SCALE + 1)


def work(value: int) -> int:
    return sum([scaled(value) for _ in range(1)])  # the call is in a code of its own


def listed() -> int:
    return int(SCALE[0])


def in_module(function: Callable[..., Any], **names: object) -> FunctionType:
    """The function as it would be in a module with these globals."""
    assert isinstance(function, FunctionType)
    return FunctionType(function.__code__.replace(co_name="scaled", co_qualname="scaled"), {"__name__": "m", **names})


def work_of(callee: Callable[..., Any], scale: object) -> str:
    """The fingerprint of `work` with this callee, whose constant is `scale`."""
    return fingerprint(in_module(work, scaled=in_module(callee, SCALE=scale)))


def test_a_fingerprint_covers_constants_and_callees_of_other_modules_but_no_lines_nor_comments() -> None:
    assert work_of(scaled, 2) == work_of(scaled_elsewhere, 2)
    assert len({work_of(scaled, 2), work_of(scaled, 3), work_of(scaled, (2, 3)), work_of(scaled_more, 2)}) == 4


def test_what_a_fingerprint_cannot_cover_is_refused() -> None:
    with pytest.raises(NameError, match="defined above"):
        fingerprint(in_module(work))
    with pytest.raises(TypeError, match="a list"):
        fingerprint(in_module(listed, SCALE=[1]))


def double(value: int) -> int:
    return 2 * value


def test_what_is_kept_comes_back_for_its_signature_and_its_compiler_only(tmp_path: Path) -> None:
    place = tmp_path / "made" / "when needed"
    CodeCache(double, "compiler 1", [place]).save("int64", b"code")
    assert CodeCache(double, "compiler 1", [place]).load("int64") == b"code"
    assert CodeCache(double, "compiler 1", [place]).load("int32") is None
    assert CodeCache(double, "compiler 2", [place]).load("int64") is None
    assert [path.suffix for path in place.iterdir()] == [".code"]


def test_damaged_code_is_not_used(tmp_path: Path) -> None:
    cache = CodeCache(double, "", [tmp_path])
    cache.save("int64", b"code")
    (path,) = tmp_path.iterdir()
    for content in (path.read_bytes()[:-1], b"", path.read_bytes()[:-1] + b"?"):
        path.write_bytes(content)
        assert cache.load("int64") is None


def test_no_more_than_so_many_versions_of_a_function_stay(tmp_path: Path) -> None:
    cache = CodeCache(double, "", [tmp_path])
    for number in range(KEPT + 3):
        cache.save(str(number), b"code")
    assert len(list(tmp_path.iterdir())) == KEPT
    assert cache.load(str(KEPT + 2)) == b"code"


def test_where_one_place_takes_nothing_the_next_one_does(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")  # no directory can be made beneath it, not even by root
    impossible, possible = tmp_path / "file" / "a", tmp_path / "b"
    cache = CodeCache(double, "", [impossible, possible])
    cache.save("int64", b"code")
    assert cache.load("int64") == b"code"
    assert len(list(possible.iterdir())) == 1
    homeless = CodeCache(double, "", [impossible])
    homeless.save("int64", b"code")
    assert homeless.load("int64") is None


SOURCE = Path("/opt/x/core/kernels.py")
BESIDE = Path("/opt/x/core/__pycache__")


def test_a_chosen_place_is_the_only_one_and_a_users_cache_comes_second(tmp_path: Path) -> None:
    assert places(SOURCE, {"NUMBA_CACHE_DIR": "/srv/c", "HOME": "/var/u"}, tmp_path) == (Path("/srv/c/tapedeck"),)
    assert list(tmp_path.iterdir()) == []
    assert places(SOURCE, {"HOME": "/var/u"}, tmp_path)[:2] == (BESIDE, Path("/var/u/.cache/tapedeck"))
    assert places(SOURCE, {"XDG_CACHE_HOME": "/var/c", "HOME": "/var/u"}, tmp_path)[1] == Path("/var/c/tapedeck")


def test_without_a_home_there_is_a_private_place_among_the_temporary_files(tmp_path: Path) -> None:
    beside, private = places(SOURCE, {}, tmp_path)
    assert (beside, private.parent) == (BESIDE, tmp_path)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    private.chmod(0o770)  # somebody else may have put code there
    assert places(SOURCE, {}, tmp_path) == (BESIDE,)
    private.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    private.symlink_to(tmp_path / "elsewhere")
    assert places(SOURCE, {}, tmp_path) == (BESIDE,)
    assert places(SOURCE, {}, tmp_path / "missing") == (BESIDE,)


PROGRAM = """
import sys
sys.path[:0] = [{root!r}, {here!r}]
from core.compiled import compiled, told_of_compiling
import callee
callee.scaled = compiled(callee.scaled)
import caller
told = []
with told_of_compiling(lambda: told.append(1)):
    found = compiled(caller.work)(21)
print(found, len(told))
"""


def started(place: Path, **environment: str) -> "subprocess.Popen[str]":
    program = PROGRAM.format(root=str(ROOT), here=str(place))
    environment = {"NUMBA_CACHE_DIR": str(place / "kept"), **environment}
    return subprocess.Popen(
        [sys.executable, "-B", "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


def answer(process: "subprocess.Popen[str]") -> list[int]:
    """(result, times it was told of compiling) of a process."""
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return [int(word) for word in output.split()]


@pytest.mark.skipif(not INSTALLED, reason="numba is not installed: nothing is compiled")
def test_code_is_compiled_once_for_all_processes_and_again_when_a_callee_in_another_module_changed(
    tmp_path: Path,
) -> None:
    (tmp_path / "callee.py").write_text(CALLEE.format(scale=2, comment="", more=""))
    (tmp_path / "caller.py").write_text(CALLER)
    both = [started(tmp_path), started(tmp_path)]  # at the same time
    assert [answer(process)[0] for process in both] == [42, 42]
    assert answer(started(tmp_path)) == [42, 0]
    (tmp_path / "callee.py").write_text(CALLEE.format(scale=3, comment="", more=""))
    assert answer(started(tmp_path)) == [63, 1]
    assert answer(started(tmp_path)) == [63, 0]


@pytest.mark.skipif(not INSTALLED, reason="numba is not installed: nothing is compiled")
def test_where_nothing_can_be_kept_everything_still_works(tmp_path: Path) -> None:
    (tmp_path / "callee.py").write_text(CALLEE.format(scale=2, comment="", more=""))
    (tmp_path / "caller.py").write_text(CALLER)
    (tmp_path / "kept").write_bytes(b"")  # a file where the directory should be
    assert [answer(started(tmp_path)) for _ in range(2)] == [[42, 1], [42, 1]]
