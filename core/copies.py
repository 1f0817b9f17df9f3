"""The machine twice: as it stands in the modules below, and compiled from the same text.

A function that is called from Python a record at a time is as quick uncompiled as the compiled one is slow to load, so
both are wanted in one process. Loading the compiled copy costs half a second, so it happens where somebody asks for it.
"""

import importlib.util
from collections.abc import Callable
from threading import Lock
from types import SimpleNamespace
from typing import Any, Final, TypeAlias, TypeVar

from core.compiled import INSTALLED, compiled

F = TypeVar("F", bound=Callable[..., Any])

Machine: TypeAlias = SimpleNamespace
"""A copy: the functions of all modules by their names."""

MODULES: Final = ("core.levels", "core.trade_ids", "core.machine", "core.runs")
"""In the order of who calls whom: each calls functions of itself and of those before it."""


class _Copies:
    """What was loaded so far."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.is_copying = False
        self.plain = SimpleNamespace()
        self.compiled: SimpleNamespace | None = None


_COPIES: Final = _Copies()


def inner(function: F) -> F:
    """Marks a function of the machine: left as it is, but compiled in the compiled copy."""
    if _COPIES.is_copying:
        return compiled(function)  # type: ignore[return-value]  # it is called alike
    setattr(_COPIES.plain, function.__name__, function)
    return function


def machine(is_compiled: bool | None = None) -> Machine:
    """The plain or the compiled copy (default: the compiled one if it is loaded); the plain one without numba."""
    with _COPIES.lock:
        for name in MODULES:
            importlib.import_module(name)
        if is_compiled is None:
            is_compiled = _COPIES.compiled is not None
        if not (is_compiled and INSTALLED):
            return _COPIES.plain
        if _COPIES.compiled is None:
            _COPIES.is_copying = True
            try:
                _COPIES.compiled = _copy()
            finally:
                _COPIES.is_copying = False
        return _COPIES.compiled


def _copy() -> SimpleNamespace:
    """Each module's text once more, calling functions of the copies before it."""
    copied: dict[str, Any] = {}
    for name in MODULES:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.loader is not None, f"{name} is a module of ours"
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for key, function in copied.items():
            if key in vars(module):
                setattr(module, key, function)
        copied |= {key: value for key, value in vars(module).items() if key in vars(_COPIES.plain)}
    return SimpleNamespace(**copied)
