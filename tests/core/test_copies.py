import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from copies import needs_compiled

from core.cells import Memory
from core.compiled import INSTALLED
from core.copies import MODULES, inner, machine, unsigned

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_NUMBA = """
import core.compiled
core.compiled.INSTALLED = False
from core.copies import machine
from core.engine import Engine
print(machine(True) is machine(False), Engine(is_compiled=True).memory.is_compiled)
"""

PLAIN = {
    name: value
    for module in map(importlib.import_module, MODULES)
    for name, value in vars(module).items()
    if inspect.isfunction(value) and value.__module__ == module.__name__ and value is not inner
}


def test_the_plain_copy_is_the_modules_functions_as_they_stand() -> None:
    assert vars(machine(False)) == PLAIN


@needs_compiled
@pytest.mark.parametrize("name", sorted(PLAIN))
def test_a_function_of_the_compiled_copy_is_compiled_from_the_same_text_and_calls_compiled_ones(name: str) -> None:
    text = getattr(machine(True), name).py_func
    assert text is not PLAIN[name]
    assert inspect.getsource(text) == inspect.getsource(PLAIN[name])
    called = {word: text.__globals__[word] for word in text.__code__.co_names if word in PLAIN}
    assert [word for word, function in called.items() if not hasattr(function, "py_func")] == []


@needs_compiled
def test_there_is_one_compiled_copy_and_once_loaded_it_is_the_default() -> None:
    assert machine(True) is machine(True) is machine()
    assert Memory().is_compiled
    assert not Memory(is_compiled=False).is_compiled


def test_a_marked_function_is_left_as_it_is() -> None:
    def add(one: int, other: int) -> int:
        return one + other

    assert inner(add) is add
    assert add(1, 2) == 3


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("from core.copies import machine; print(machine() is machine(False))", "True"),
        ("import sys; from core.engine import Engine; Engine(); print('numba' in sys.modules)", "False"),
        ("from core.copies import machine; print(machine(True) is machine(False))", str(not INSTALLED)),
        (WITHOUT_NUMBA, "True False"),
    ],
)  # fmt: skip
def test_nothing_is_compiled_unless_somebody_asks_and_numba_is_there(program: str, answer: str) -> None:
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == answer


TEXT = """
SPAN: Final[int] = 3
def swap(m: list[int], one: int, rows: Any) -> int:
    m[m[one] + 1] += rows[-1]
    return rows[one : one + 2]
"""
UNSIGNED = """
SPAN: Final[int] = 3
def swap(m: list[int], one: int, rows: Any) -> int:
    m[_cell(m[_cell(one)] + 1)] += rows[_cell(-1)]
    return rows[one : one + 2]
"""


def test_indices_within_functions_are_made_unsigned_and_nothing_else_in_the_same_lines() -> None:
    made = unsigned(ast.parse(TEXT))
    assert ast.unparse(made) == ast.unparse(ast.parse(UNSIGNED))
    compile(made, "here", "exec", dont_inherit=True)  # every node knows its line
    assert [node.lineno for node in made.body] == [2, 3]


@needs_compiled
@pytest.mark.parametrize("name", sorted(PLAIN))
def test_the_compiled_copy_looks_for_no_negative_index(name: str) -> None:
    source = ast.parse(inspect.getsource(PLAIN[name]))
    indices = [node for node in ast.walk(source) if isinstance(node, ast.Subscript)]
    if any(not isinstance(node.slice, ast.Slice) for node in indices):
        assert "_cell" in getattr(machine(True), name).py_func.__code__.co_names
