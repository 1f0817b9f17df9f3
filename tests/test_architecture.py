"""Who may import whom, one door per dependency, and what the deterministic packages must not touch.

Read from the source by `ast`, so an import inside a function counts too.
"""

import ast
import sys
from pathlib import Path
from typing import Final

import pytest

from replay.lint import STDLIB_OF_PURE, imports_of, impurities

ROOT: Final = Path(__file__).resolve().parents[1]
COMMANDS: Final = (
    "tapedeck", "tapedeck_backtest", "tapedeck_cast", "tapedeck_console", "tapedeck_exchange", "tapedeck_fixtures",
    "tapedeck_live", "tapedeck_report", "tapedeck_run", "tapedeck_sql", "tapedeck_strategies",
    "tapedeck_tapes", "tapedeck_upkeep", "tapedeck_view",
)  # fmt: skip
"""The command line, one file for each group of commands; nobody else imports them."""

OURS: Final = ("capture", "core", "replay", "strategies", *COMMANDS)
"""The installed top-level names."""

MAY_IMPORT: Final = {
    "core": "core",
    "strategies": "core strategies",
    "capture.tape": "core capture.tape",
    "capture": "core capture",
    "replay": "core capture.tape replay",
    **dict.fromkeys(COMMANDS, "core capture replay strategies tapedeck_cast tapedeck_console"),
    "tapedeck_backtest": "core capture replay strategies tapedeck_cast tapedeck_console tapedeck_report",
    "tapedeck": " ".join(("core capture replay strategies", *COMMANDS)),
}
"""Package to the packages of ours that it may import; the longest fitting name decides."""

DEPENDENCIES: Final = {
    "core": "msgspec numpy numba",
    "strategies": "msgspec numpy",
    "capture.tape": "msgspec numpy pyarrow",
    "capture": "msgspec numpy pyarrow websocket requests cryptography prometheus_client",
    "replay": "msgspec numpy pyarrow duckdb aiohttp cryptography matplotlib nautilus_trader",
    **dict.fromkeys(COMMANDS, "msgspec rich typer"),
}
"""Package to the other people's packages that it may import."""

DOORS: Final = {
    "aiohttp": "replay.exchange.server replay.view.server",  # an exchange, and a page: no client of one asks the other
    "cryptography": "capture.auth replay.exchange.keyring",  # the client signs, the exchange verifies: no code shared
    "duckdb": "replay.query",
    "importlib": "core.compiled core.copies replay.loading replay.report.html replay.report.pictures",
    "matplotlib": "replay.report.pictures",  # likewise
    "nautilus_trader": "replay.exports.nautilus",  # an extra: nobody else may need it
    "numba": "core.compiled",
    "prometheus_client": "capture.metrics",
    "requests": "capture.rest",
    "rich": "tapedeck_console",
    "typer": " ".join(COMMANDS),
    "websocket": "capture.wire",
}
"""What is imported by one module of a package only, and which."""

SEEING: Final = {
    # How soon a result is there, never which.
    "core.code_cache": "builtins contextlib dis os pathlib stat tempfile",
    "core.compiled": "contextlib",
    "core.copies": "ast",
}
"""What single modules of PURE may import of the standard library beyond what all of them may."""

PURE: Final = ("core", "strategies")
"""The packages whose modules decide: the rules for them are those that `replay.lint` holds strategies to."""


def _modules() -> dict[str, Path]:
    paths = [path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))]
    named = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): path for path in paths}
    named.update({name: ROOT / f"{name}.py" for name in COMMANDS})
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


MODULES: Final = _modules()


def _tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def _allowed(table: dict[str, str], module: str) -> list[str]:
    return table[max((package for package in table if _within(module, package)), key=len)].split()


def import_faults(module: str, tree: ast.Module) -> list[str]:
    """What this module imports and should not, each as `line: sentence`."""
    faults = []
    for line, name in imports_of(tree):
        top = name.split(".")[0]
        if name.startswith("."):
            faults.append(f"{line}: {name} is a relative import")
        elif top in OURS:
            if not any(
                _within(name, package) or package.startswith(name + ".") for package in _allowed(MAY_IMPORT, module)
            ):
                faults.append(f"{line}: {module} must not import {name}")
        elif top in sys.stdlib_module_names:
            may = top in STDLIB_OF_PURE or top in DOORS or top in SEEING.get(module, "").split()
            if any(_within(module, pure) for pure in PURE) and not may:
                faults.append(f"{line}: {top} can see the world, {module} must not")
        elif top not in _allowed(DEPENDENCIES, module):
            faults.append(f"{line}: {module} must not import {top}")
        if module not in DOORS.get(top, module).split():
            faults.append(f"{line}: only {DOORS[top]} imports {top}")
    return sorted(set(faults))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_package_may(module: str) -> None:
    assert import_faults(module, _tree(module)) == []


@pytest.mark.parametrize(
    "module", [module for module in sorted(MODULES) if any(_within(module, pure) for pure in PURE)]
)
def test_a_deterministic_module_reads_no_clock_throws_no_dice_and_walks_no_set(module: str) -> None:
    assert impurities(_tree(module)) == []


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = {
        module: {target for _, target in imports_of(_tree(module)) if target in MODULES and target != module}
        for module in MODULES
    }
    while leaves := [module for module, targets in graph.items() if not targets & graph.keys()]:
        for module in leaves:
            del graph[module]
    assert sorted(graph) == []


def test_nothing_else_lies_beside_the_packages() -> None:
    top = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert top - {"build", "dist"} <= {
        "capture", "core", "replay", "strategies", "tests", "data", "docs", "benchmarks", "examples",
    }  # fmt: skip


def test_the_tests_hold_no_package_that_would_hide_ours() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("core.book", "import time", "1: time can see the world, core.book must not"),
        ("core.book", "def f():\n    from socket import socket", "2: socket can see the world, core.book must not"),
        ("core.book", "from capture import tape", "1: core.book must not import capture"),
        ("core.book", "import pyarrow as pa", "1: core.book must not import pyarrow"),
        ("core.book", "import numba", "1: only core.compiled imports numba"),
        ("core.book", "from .store import x", "1: .store is a relative import"),
        ("strategies.maker", "import threading", "1: threading can see the world, strategies.maker must not"),
        ("strategies.maker", "from replay.player import Player", "1: strategies.maker must not import replay.player"),
        ("capture.tape.reader", "from capture.wire import x", "1: capture.tape.reader must not import capture.wire"),
        ("capture.wire", "import replay", "1: capture.wire must not import replay"),
        ("replay.player", "from capture.wire import Wire", "1: replay.player must not import capture.wire"),
        ("replay.player", "import duckdb", "1: only replay.query imports duckdb"),
        ("replay.player", "import tapedeck", "1: replay.player must not import tapedeck"),
        ("replay.player", "import pandas", "1: replay.player must not import pandas"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str, fault: str) -> None:
    assert fault in import_faults(module, ast.parse(source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.book", "import bisect\nimport msgspec\nfrom core.messages import Level"),
        ("core.compiled", "import numba"),
        ("replay.player", "from capture.tape.reader import Tape\nfrom capture.tape import reader"),
        ("tapedeck", "import os\nimport typer\nfrom capture.tape import verify\nfrom strategies import maker"),
    ],
)
def test_an_allowed_import_is_no_fault(module: str, source: str) -> None:
    assert import_faults(module, ast.parse(source)) == []
