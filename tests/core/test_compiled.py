import subprocess
import sys
from pathlib import Path

from core.compiled import INSTALLED, compiled

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
