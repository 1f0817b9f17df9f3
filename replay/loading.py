"""Strategies by import path: the class, its parameters, and the specification by which a tape names it.

Knows importing. Must not know any strategy: which short name means which path, its caller says.
"""

import ast
import importlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeAlias

from core.actions import StrategySpec
from core.errors import ConfigError, TapedeckError
from core.strategy import Strategy, params_json, read_params

Make: TypeAlias = Callable[[type[Strategy], Any], Strategy]
"""Makes a strategy from its class and parameters."""

_OURS: Final = ("capture", "core", "replay", "strategies")
"""What comes with this program, whose version says what they are."""

_INSTALLED: Final = tuple(
    Path(sysconfig.get_path(which)).resolve() for which in ("stdlib", "platstdlib", "purelib", "platlib")
)


def _directly(kind: type[Strategy], params: Any) -> Strategy:
    return kind(params)


def find(path: str) -> type[Strategy]:
    """The class at "package.module:Class" or "file.py:Class"; the current directory is searched too.

    Raises ConfigError when there is none, or it is no strategy.
    """
    where, colon, name = path.rpartition(":")
    if not colon or not where or not name:
        raise ConfigError(f"{path!r} names no strategy; write package.module:Class or file.py:Class")
    module = _module(where, path)
    found = getattr(module, name, None)
    if found is None:
        classes = [n for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, Strategy)]
        has = ", ".join(n for n in classes if n != "Strategy") or "no strategy at all"
        raise ConfigError(f"{path}: there is no {name} in {where}; it has {has}")
    if not isinstance(found, type) or not issubclass(found, Strategy):
        raise ConfigError(f"{path}: {name} is no core.strategy.Strategy")
    return found


def specify(name: str, path: str, given: Mapping[str, Any]) -> StrategySpec:
    """What SESSION says of a strategy with these parameters, the defaults written out; raises ConfigError."""
    kind = find(path)
    return StrategySpec(name, path, params_json(read_params(kind, given)), code_of(kind))


def load(spec: StrategySpec, make: Make = _directly) -> Strategy:
    """The strategy that a specification names; raises ConfigError. make: calls the class, within what is to be around
    it; a TapedeckError that it raises passes.
    """
    kind = find(spec.path)
    try:
        return make(kind, read_params(kind, spec.params))
    except TapedeckError:
        raise
    except Exception as error:  # whatever a user's constructor does
        raise ConfigError(f"{spec.path}: making it raised {type(error).__name__}: {error}") from error


def code_of(kind: type[Strategy]) -> str:
    """SHA-256 (hex) of the source of the class's module, and of all that it imports and nobody installed: what lies
    beside it. "" = there is no source to read.

    Read from the files, imported or not, so that the same files always give the same.
    """
    module = sys.modules.get(kind.__module__)
    try:
        source = inspect.getsource(module)  # type: ignore[arg-type]  # None is a TypeError, too
    except (OSError, TypeError):
        return ""
    digest = sha256(source.encode())
    for name, content in sorted(_beside(source, getattr(module, "__package__", None) or "")):
        digest.update(b"\0%b\0%b" % (name.encode(), content))
    return digest.hexdigest()


def _beside(source: str, package: str) -> Iterator[tuple[str, bytes]]:
    """The modules that a source leads to by its imports, and theirs, each once: name, content of its file."""
    seen = set[str]()
    todo = [(source, package)]
    while todo:
        for name in _imports(*todo.pop()):
            if name in seen or name.partition(".")[0] in _OURS:
                continue
            seen.add(name)
            file = _file_of(name)
            if file is None:
                continue
            content = file.read_bytes()
            yield name, content
            todo.append(
                (content.decode(errors="replace"), name if file.name == "__init__.py" else name.rpartition(".")[0])
            )


def _imports(source: str, package: str) -> Iterator[str]:
    """What a source imports, wherever in it; of `from a import b` both a and a.b, which may be a module."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # whoever imports it will say so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level and package else []
            where = ".".join([*parents, *([node.module] if node.module else [])])
            if where:
                yield where
                yield from (f"{where}.{alias.name}" for alias in node.names)


def _file_of(name: str) -> Path | None:
    """The source of a module that nobody installed, None = it is no such thing."""
    top = name.partition(".")[0]
    if name != top and not _lies_beside(top):
        return None  # to look into a package imports it
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):  # no module, or made up at run time
        return None
    file = Path(spec.origin) if spec is not None and spec.origin is not None else None
    return file if file is not None and file.suffix == ".py" and file.is_file() and _is_beside(file) else None


def _lies_beside(top: str) -> bool:
    """Whether there is a package of this name that nobody installed."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    places = None if spec is None else spec.submodule_search_locations
    return places is not None and any(_is_beside(Path(place)) for place in places)


def _is_beside(path: Path) -> bool:
    return not any(path.resolve().is_relative_to(place) for place in _INSTALLED)


def _module(where: str, path: str) -> Any:
    try:
        if where.endswith(".py"):
            return _from_file(Path(where), path)
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        return importlib.import_module(where)
    except ConfigError:
        raise
    except ModuleNotFoundError as error:
        raise ConfigError(f"{path}: there is no module {error.name!r} here or installed") from error
    except Exception as error:  # whatever a user's module does
        raise ConfigError(f"{path}: importing it raised {type(error).__name__}: {error}") from error


def _from_file(file: Path, path: str) -> Any:
    """The module in a file, under a name that no other file and no package has; its neighbours can be imported."""
    if not file.is_file():
        raise ConfigError(f"{path}: there is no file {file}")
    file = file.resolve()
    name = f"{file.stem}_{sha256(str(file).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
