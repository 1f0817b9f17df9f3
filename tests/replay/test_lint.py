"""A strategy's source is read for whatever would make its replay decide differently."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from core.fees import FeeTerms
from replay.lint import MOST_MODULES, Finding, findings, lint
from strategies.regime import Parameters

MakeStrategy = Callable[[dict[str, str]], type]

PURE = """
from __future__ import annotations
import json
from collections.abc import Sequence
import msgspec
import numpy as np
from core.money import DOLLAR
class Maker:
    seen: set[str]
    def on_book(self, ctx, view, id=0, now=None):
        return sorted(self.seen), ctx.now_ns, np.sum([1]), id, now, datetime.fromtimestamp(0, UTC)
"""


def whats(source: str) -> list[str]:
    return [finding.what for finding in findings(source, name="maker.py")]


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import time", "imports time, which can see the world"),
        ("from time import time as t", "imports time, which can see the world"),
        ("import random", "imports random, which can see the world"),
        ("import socket", "imports socket, which can see the world"),
        ("import os.path", "imports os, which can see the world"),
        ("import importlib", "imports importlib, which can see the world"),
        ("def f():\n    import threading", "imports threading, which can see the world"),
        ("import requests", "imports requests, which is not known to be pure"),
        ("from .helper import f", "imports .helper, which is not known to be pure"),
        ("import numpy.random", "imports numpy.random, which throws dice"),
        ("from numpy import random as r", "imports numpy.random, which throws dice"),
        ("from numpy.random import default_rng", "imports numpy.random, which throws dice"),
        ("import capture", "imports capture, which is not known to be pure"),
        ("np.random.rand()", ".random throws dice"),
        ("datetime.now(UTC)", ".now() reads the clock"),
        ("from datetime import datetime as d\nclock = d.now", ".now() reads the clock"),
        ("import datetime\nclock = datetime.date.today", ".today() reads the clock"),
        ("open('x')", "open() opens a file"),
        ("reader = open", "open() opens a file"),
        ("print(1)", "print() writes to the terminal"),
        ("hash('x')", "hash() differs between runs (PYTHONHASHSEED)"),
        ("sorted(x, key=hash)", "hash() differs between runs (PYTHONHASHSEED)"),
        ("map(id, x)", "id() differs between runs (an address)"),
        ("__import__('time')", "__import__() imports by name"),
        ("for x in {1, 2}: pass", "walks through a set in no order: {1, 2}"),
    ],
)
def test_an_impurity_is_found(source: str, what: str) -> None:
    assert what in whats(source)


def test_a_pure_strategy_has_no_findings() -> None:
    assert whats(PURE) == []


def test_a_finding_says_where_and_each_line_is_told_once() -> None:
    source = "x = 1\nfrom time import time, sleep\nimport time\n"
    what = "imports time, which can see the world"
    assert findings(source, name="maker.py") == (Finding("maker.py", 2, what), Finding("maker.py", 3, what))


def test_text_that_is_no_python_is_a_finding() -> None:
    (finding,) = findings("x = 1\ndef (", name="maker.py")
    assert (finding.line, finding.what[:14]) == (2, "is not Python:")
    assert "is not Python" in findings("\0", name="maker.py")[0].what


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeStrategy:
    """Writes files and gives a class of the first one's module; the texts are not run, for some do harm."""

    def make(files: dict[str, str]) -> type:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        first = next(iter(files))
        module = ModuleType(first.removesuffix(".py").replace("/", "."))
        module.__file__ = str(tmp_path / first)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return type("Maker", (), {"__module__": module.__name__})

    return make


def found(strategy: type) -> list[tuple[str, int, str]]:
    return [(Path(finding.path).name, finding.line, finding.what) for finding in lint(strategy)]


def test_a_module_beside_the_strategy_is_read_too(maker: MakeStrategy) -> None:
    strategy = maker(
        {
            "lint_maker.py": "import lint_a\nfrom lint_b import f",
            "lint_a.py": "import lint_c\nimport lint_maker",  # in a circle
            "lint_b.py": "def f(): return open('x')",
            "lint_c.py": "import random",
        }
    )
    assert found(strategy) == [
        ("lint_b.py", 1, "open() opens a file"),
        ("lint_c.py", 1, "imports random, which can see the world"),
    ]


def test_a_package_is_followed_by_relative_and_by_full_name(maker: MakeStrategy) -> None:
    strategy = maker(
        {
            "lint_pack/maker.py": "from . import a, of_init\nfrom .b import f\nimport lint_pack.c",
            "lint_pack/__init__.py": "of_init = open",
            "lint_pack/a.py": "hash('a')",
            "lint_pack/b.py": "from .absent import g\nimport lint_pack.cc",
            "lint_pack/c.py": "import uuid",
        }
    )
    assert found(strategy) == [
        ("__init__.py", 1, "open() opens a file"),
        ("a.py", 1, "hash() differs between runs (PYTHONHASHSEED)"),
        ("b.py", 1, "imports .absent, which is not known to be pure"),
        ("b.py", 2, "imports lint_pack, which is not known to be pure"),
        ("c.py", 1, "imports uuid, which can see the world"),
    ]


def test_the_package_that_a_strategy_lies_in_is_read_for_importing_runs_it(maker: MakeStrategy) -> None:
    strategy = maker({"lint_pack/maker.py": "import json", "lint_pack/__init__.py": "import time"})
    assert found(strategy) == [("__init__.py", 1, "imports time, which can see the world")]


def test_more_modules_than_are_read_is_a_finding(maker: MakeStrategy) -> None:
    names = [f"lint_{number}" for number in range(MOST_MODULES)]
    files = {f"{name}.py": "" for name in names}
    assert found(maker({"lint_many.py": f"import {', '.join(names[1:])}"} | files)) == []
    what = f"imports more than {MOST_MODULES} modules of its own; the rest was not read"
    assert found(maker({"lint_many.py": f"import {', '.join(names)}"} | files)) == [("lint_many.py", 0, what)]


def test_a_class_without_source_is_a_finding() -> None:
    (finding,) = lint(type("Maker", (), {"__module__": "nowhere"}))
    assert finding == Finding("nowhere", 0, "there is no source of Maker to read: keep the strategy in a .py file")
    assert "no source of int" in lint(int)[0].what


@pytest.mark.parametrize("ours", [Parameters, FeeTerms])
def test_our_own_pass(ours: type) -> None:
    assert lint(ours) == ()
