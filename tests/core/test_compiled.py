import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.compiled import INSTALLED, _lean, _tell, compile_here, compiled, told_of_compiling

ROOT = Path(__file__).resolve().parents[2]


def double(value: int) -> int:
    return 2 * value


def test_a_compiled_function_gives_what_the_plain_one_gives() -> None:
    assert compiled(double)(21) == double(21) == 42


def move(cells: Any, first: int, last: int) -> int:
    cells[last] = cells[first]
    return int(cells[first])


def _counts_references(made: Any) -> bool:
    made(np.array([7, 0]), 0, 1)
    return any("NRT_" in text for text in made.inspect_llvm().values())


@pytest.mark.skipif(not INSTALLED, reason="numba (the extra `fast`) is not there")
def test_a_lean_function_gives_the_same_and_is_the_same_where_numba_cannot_be_told_to_count_nothing() -> None:
    class Deaf:
        @staticmethod
        def njit(**options: Any) -> Any:
            if "_nrt" in options:
                raise KeyError("Unrecognized options: {'_nrt'}")
            return numba.njit(**options)

    numba = pytest.importorskip("numba")
    for lean in (compiled(move, is_kept=False, is_lean=True), _lean(numba, move), _lean(Deaf, move)):
        cells = np.array([7, 0])
        assert (lean(cells, 0, 1), cells.tolist()) == (7, [7, 7])
    assert not _counts_references(_lean(numba, move))
    assert _counts_references(_lean(Deaf, move))


def test_without_numba_the_function_itself_is_returned() -> None:
    assert (compiled(double) is double) == (not INSTALLED)


def test_importing_the_door_does_not_import_numba() -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import core.batch; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_who_asks_is_told_of_compiling_once_and_not_after_they_left() -> None:
    told: list[str] = []
    with told_of_compiling(lambda: told.append("early")):
        pass
    with told_of_compiling(lambda: told.append("one")), told_of_compiling(lambda: told.append("two")):
        _tell()
        _tell()
    _tell()
    assert sorted(told) == ["one", "two"]


def _samples() -> tuple[Any, ...]:
    return np.zeros(2, np.int64), 0


def _count(numbers: Any, more: int) -> bool:
    numbers[0] += more
    return bool(1 // more)


def _beyond(numbers: Any, more: int) -> bool:
    numbers[2] = more
    return True


def _keeps_half(numbers: Any, more: int) -> bool:
    numbers[more] = more / 2
    return True


@pytest.mark.skipif(not INSTALLED, reason="numba (the extra `fast`) is not there")
def test_a_function_is_compiled_without_being_called_and_once() -> None:
    made, why = compile_here(_count, _samples)
    assert why == ""
    assert compile_here(_count, _samples)[0] is made
    numbers = np.zeros(2, np.int64)
    assert (made(numbers, 1), numbers[0]) == (True, 1)
    with pytest.raises(ZeroDivisionError):
        made(numbers, 0)
    with pytest.raises(IndexError):
        compile_here(_beyond, _samples)[0](numbers, 0)


@pytest.mark.skipif(not INSTALLED, reason="numba (the extra `fast`) is not there")
@pytest.mark.parametrize(
    ("function", "why"),
    [
        (_keeps_half, "it keeps float64, not an integer, in line"),
        (lambda numbers, more: numbers[0] / more, "it gives float64, not True or False"),
        (lambda numbers: numbers, "TypeError: Signature mismatch: 2 argument types given, but function takes 1"),
        (lambda numbers, more: numbers.best > more, "TypingError: Unknown attribute 'best'"),
    ],
)
def test_what_would_not_do_as_the_plain_function_is_not_compiled(function: Any, why: str) -> None:
    made, told = compile_here(function, _samples)
    assert made is None
    assert told.startswith(why)
    assert "\n" not in told
