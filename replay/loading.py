"""Strategies by import path: the class, its parameters, and the specification by which a tape names it.

Knows importing. Must not know any strategy: which short name means which path, its caller says.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

from core.actions import StrategySpec
from core.errors import ConfigError, TapedeckError
from core.strategy import Strategy, params_json, read_params

Make: TypeAlias = Callable[[type[Strategy], Any], Strategy]
"""Makes a strategy from its class and parameters."""


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
    """SHA-256 (hex) of the source of the class's module, "" = there is none to read."""
    try:
        source = inspect.getsource(sys.modules[kind.__module__])
    except (OSError, TypeError, KeyError):
        return ""
    return sha256(source.encode()).hexdigest()


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
