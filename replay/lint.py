"""Reads Python source for what a deterministic module must not do, and a strategy's source with what it imports.

Knows `ast` and where Python looks for a module beside another. Must not run anything of what it reads. `lint` takes a
strategy's class, `findings` a text; the tests hold `core/` and `strategies/` to `impurities`. What is found is a slip:
whoever hides a clock (`getattr`, a table of functions) hides it from here too, and `replay.guard` is for that.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from replay.unordered import Fault, unordered

STDLIB_OF_PURE: Final = frozenset(
    """
    __future__ abc array base64 binascii bisect collections copy dataclasses datetime decimal enum fractions functools
    hashlib heapq itertools json math numbers operator re statistics string struct types typing zlib
    """.split()  # noqa: SIM905  # a list of words reads better as words
)
"""What a deterministic module may use of the standard library: nothing that can see the world."""

PACKAGES_OF_PURE: Final = frozenset(("core", "strategies", "msgspec", "numpy"))
"""What else a strategy may import, but for `numpy.random`. The first two are held to the same rules by our tests."""

MOST_MODULES: Final = 64
"""Modules of the user's own that are followed: a strategy of more is a system, and should be linted part by part."""

_BANNED_CALLS: Final = {
    "open": "opens a file",
    "input": "reads the terminal",
    "print": "writes to the terminal",
    "eval": "runs text",
    "exec": "runs text",
    "__import__": "imports by name",
    "breakpoint": "stops for a debugger",
    "hash": "differs between runs (PYTHONHASHSEED)",
    "id": "differs between runs (an address)",
}
_BANNED_METHODS: Final = {
    "now": "reads the clock",
    "utcnow": "reads the clock",
    "today": "reads the clock",
    "fromfile": "opens a file",
    "tofile": "opens a file",
    "memmap": "opens a file",
    "loadtxt": "opens a file",
    "savetxt": "opens a file",
    "default_rng": "throws dice",
}


class Finding(msgspec.Struct, frozen=True, order=True):
    """One thing that a strategy should not do: in which file, on which line (0 = the file as a whole), and what."""

    path: str
    line: int
    what: str


def findings(source: str, *, name: str) -> tuple[Finding, ...]:
    """What this text of a module does that a strategy must not, by line; `name` stands as its path in each.

    Nothing is followed: a module of the user's own that it imports is "not known to be pure".
    """
    return _Walk().read(source, name, None)


def lint(strategy: type) -> tuple[Finding, ...]:
    """The same for the module that a class is defined in, and for the user's modules beside it that this one imports.

    Modules are looked for where the class's own was found, as source; at most `MOST_MODULES` of them are read.
    Nothing is imported or run. Where there is no source to read, that is the finding.
    """
    module = sys.modules.get(strategy.__module__)
    path = inspect.getsourcefile(module) if getattr(module, "__file__", None) and module else None
    if path is None or not Path(path).is_file():
        what = f"there is no source of {strategy.__qualname__} to read: keep the strategy in a .py file"
        return (Finding(strategy.__module__, 0, what),)
    walk = _Walk()
    place = _Place.of(Path(path), strategy.__module__)
    found = walk.file(Path(path), place)
    walk.follow(place.find(strategy.__module__), place)
    while walk.waiting and len(walk.seen) < MOST_MODULES:
        found += walk.file(*walk.waiting.popitem())
    if walk.waiting:
        found += (Finding(path, 0, f"imports more than {MOST_MODULES} modules of its own; the rest was not read"),)
    return tuple(sorted(found))


class _Place(msgspec.Struct, frozen=True):
    """Where a module was found: the directory it lies in, and the one that its dotted name begins in."""

    directory: Path
    root: Path

    @staticmethod
    def of(path: Path, name: str) -> "_Place":
        package = path.parent.parent if path.name == "__init__.py" else path.parent
        for _ in range(name.count(".")):
            package = package.parent
        return _Place(path.parent, package)

    def find(self, name: str) -> list[Path]:
        """The sources that importing a dotted name would run, its packages' first; leading dots are relative.

        Empty when the module itself is not there.
        """
        bare = name.lstrip(".")
        parts = bare.split(".") if bare else []
        starts = [self.root, self.directory]
        if level := len(name) - len(bare):
            above = [self.directory, *self.directory.parents]
            starts = [above[min(level, len(above)) - 1]]
        for start in starts:
            modules = [start.joinpath(*parts[:end]) for end in range(1, len(parts) + 1)]
            paths = [_source(module) for module in modules] or [_init(start)]
            if paths[-1]:
                return [path for path in paths if path]
        return []


def _source(module: Path) -> Path | None:
    """The file of a module, given its place without a suffix; a package's is its `__init__.py`."""
    beside = module.with_name(module.name + ".py")
    return _init(module) or (beside if beside.is_file() else None)


def _init(package: Path) -> Path | None:
    path = package / "__init__.py"
    return path if path.is_file() else None


class _Walk:
    """Reads one module after another, each once."""

    def __init__(self) -> None:
        self.seen: set[Path] = set()
        self.waiting: dict[Path, _Place] = {}

    def file(self, path: Path, place: _Place) -> tuple[Finding, ...]:
        """The findings in one file; what it imports of the user's own is waiting after that."""
        self.seen.add(path)
        try:
            source = path.read_bytes()
        except OSError as error:
            return (Finding(str(path), 0, f"cannot be read: {error}"),)
        return self.read(source, str(path), place)

    def read(self, source: str | bytes, name: str, place: _Place | None) -> tuple[Finding, ...]:
        """The findings in one text; without a place nothing is followed."""
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError) as error:  # ValueError: a zero byte
            return (Finding(name, getattr(error, "lineno", 0) or 0, f"is not Python: {error}"),)
        faults = {*impurities(tree), *_references(tree), *self._imports(tree, place)}
        return tuple(Finding(name, line, what) for line, what in sorted(faults))

    def _imports(self, tree: ast.Module, place: _Place | None) -> Iterator[Fault]:
        done: list[tuple[int, str]] = []  # of `from helper import f` the part `helper.f` need not be a module
        for line, name in imports_of(tree):
            top = name.split(".")[0]
            if name == "numpy.random" or name.startswith("numpy.random."):
                yield line, "imports numpy.random, which throws dice"
            elif top in PACKAGES_OF_PURE or top in STDLIB_OF_PURE:
                pass
            elif top in sys.stdlib_module_names:
                yield line, f"imports {top}, which can see the world"
            elif place and (paths := place.find(name)):
                done.append((line, name.rstrip(".") + "."))
                self.follow(paths, place)
            elif not name.strip(".") or any(line == at and name.startswith(base) for at, base in done):
                pass
            else:
                done.append((line, name + "."))
                yield line, f"imports {name if name.startswith('.') else top}, which is not known to be pure"

    def follow(self, paths: list[Path], place: _Place) -> None:
        """Has these files read later, unless they were already."""
        self.waiting.update((path, _Place(path.parent, place.root)) for path in paths if path not in self.seen)


def imports_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every imported module as (line, dotted name); `from a import b` gives `a` and `a.b`, for b may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            dot = "." if node.module else ""
            yield node.lineno, base
            yield from ((node.lineno, f"{base}{dot}{alias.name}") for alias in node.names)


def impurities(tree: ast.Module) -> list[Fault]:
    """Unordered iteration and calls that a deterministic module must not make, by line."""
    return sorted({*_banned_calls(tree), *unordered(tree)})


def _banned_calls(tree: ast.Module) -> Iterator[Fault]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) if name in _BANNED_CALLS:
                    yield node.lineno, f"{name}() {_BANNED_CALLS[name]}"
                case ast.Attribute(attr=name) if name in _BANNED_METHODS:
                    yield node.lineno, f".{name}() {_BANNED_METHODS[name]}"
                case _:
                    pass
        elif isinstance(node, ast.Attribute) and node.attr == "random":
            yield node.lineno, ".random throws dice"


def _references(tree: ast.Module) -> Iterator[Fault]:
    """Banned functions that are handed on instead of called: `sorted(x, key=id)`, `clock = datetime.now`."""
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    bound = {name for node in ast.walk(tree) for name in _bound_names(node)}
    clocks = {"datetime", "date"} | _names_of_clocks(tree)
    for node in ast.walk(tree):
        if node in called:
            continue
        match node:
            case ast.Name(id=name, ctx=ast.Load()) if name in _BANNED_CALLS and name not in bound:
                yield node.lineno, f"{name}() {_BANNED_CALLS[name]}"
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr="now" | "utcnow" | "today"):
                if owner in clocks:
                    yield node.lineno, f".{node.attr}() {_BANNED_METHODS[node.attr]}"
            case _:
                pass


def _bound_names(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
            return [name]
        case _:
            return []


def _names_of_clocks(tree: ast.Module) -> set[str]:
    """What this module calls `datetime.datetime` and `datetime.date`."""
    return {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "datetime"
        for alias in node.names
        if alias.asname and alias.name in {"datetime", "date"}
    }
