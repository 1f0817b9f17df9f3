import subprocess
import sys
from pathlib import Path

from core.compiled import INSTALLED, _tell, compiled, told_of_compiling

ROOT = Path(__file__).resolve().parents[2]


def double(value: int) -> int:
    return 2 * value


def test_a_compiled_function_gives_what_the_plain_one_gives() -> None:
    assert compiled(double)(21) == double(21) == 42


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
