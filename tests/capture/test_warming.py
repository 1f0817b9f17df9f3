"""Warming: in a fresh process each, what is compiled afterwards, and what is said."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from core.compiled import INSTALLED

ROOT: Final = Path(__file__).resolve().parents[2]
FIXTURES: Final = ROOT / "data" / "fixtures"

PREPARED: Final = """
import json, sys
from core.copies import machine
from core.desks import Desks
from core.conversation import DeskOptions
from core.engine import Engine
from capture import warming

said = []
def compiled():
    return {name: len(f.signatures) for name, f in vars(machine()).items() if getattr(f, "signatures", ())}
def end(answer):
    print(json.dumps(answer))
"""

needs_numba = pytest.mark.skipif(not INSTALLED, reason="numba is not installed")


def answer_of(code: str, *arguments: str) -> Any:
    """What a fresh process prints that has run PREPARED and then this."""
    done = subprocess.run(
        [sys.executable, "-c", PREPARED + code, *arguments],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_numba
def test_engines_made_afterwards_are_compiled() -> None:
    code = """
before = Desks(1, DeskOptions()).engine.memory.is_compiled
warming.warm(said.append)
end([before, Desks(1, DeskOptions()).engine.memory.is_compiled, Engine().memory.is_compiled])
"""
    assert answer_of(code) == [False, True, True]


@needs_numba
def test_nothing_is_left_to_compile_while_a_tape_is_folded() -> None:
    """Compiling in the fold would hold up what is received."""
    code = """
from pathlib import Path
from capture.tape.reader import Tape
from sample_tapes import story
warming.warm(said.append)
before = compiled()
tapes = [list(Tape.open(Path(path)).records()) for path in sys.argv[1:]] + [story().records]
for records in tapes:
    engine = Engine()
    for record in records:
        engine.step(record)
    for state in engine.store.states().values():
        engine.memory.machine.top_moved(engine.memory.m, state.at, 0)
end([before, compiled()])
"""
    tapes = sorted(str(path.parent) for path in FIXTURES.glob("*/tape/tape.json"))
    assert len(tapes) >= 3
    before, after = answer_of(code, *tapes)
    assert after == before
    assert {"step_delta", "apply_delta", "apply_snapshot", "step_trade", "step_ticker", "top_moved"} <= before.keys()


@needs_numba
def test_it_says_so_where_it_has_to_compile_and_not_where_that_was_kept(tmp_path: Path) -> None:
    code = """
import os
os.environ["NUMBA_CACHE_DIR"] = sys.argv[1]
warming.warm(said.append)
end([said, warming.COMPILING])
"""
    said, compiling = answer_of(code, str(tmp_path))
    assert said == [compiling]
    assert answer_of(code, str(tmp_path))[0] == []


@needs_numba
def test_a_numba_that_cannot_be_used_is_told_and_engines_stay_as_they_are() -> None:
    code = """
sys.modules["numba"] = None  # importing it fails from now on
warming.warm(said.append)
end([said, Engine().memory.is_compiled])
"""
    said, is_compiled = answer_of(code)
    assert len(said) == 1
    assert said[0].startswith("numba cannot be used")
    assert not is_compiled


@needs_numba
def test_a_disk_that_takes_nothing_does_not_keep_anything_from_being_compiled(tmp_path: Path) -> None:
    code = """
import os, resource, signal
os.environ["NUMBA_CACHE_DIR"] = sys.argv[1]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
warming.warm(said.append)
before = compiled()
warming._step_each()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
end([before, compiled()])
"""
    before, after = answer_of(code, str(tmp_path))
    assert before == after
    assert {"step_ticker", "step_trade", "top_moved"} <= before.keys()


def test_without_numba_nothing_changes() -> None:
    code = """
warming.INSTALLED = False
warming.warm(said.append)
end([said, Engine().memory.is_compiled, "numba" in sys.modules])
"""
    assert answer_of(code) == [[], False, False]
