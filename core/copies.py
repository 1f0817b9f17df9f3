"""The machine twice: as it stands in `core.levels` and `core.machine`, and compiled from the same text.

A function that is called from Python a record at a time is as quick uncompiled as the call into compiled code would be
slow to load, so both are wanted in one process. Loading the compiled copy costs half a second, so it happens where
somebody asks for it.
"""

import importlib.util
from collections.abc import Callable
from threading import Lock
from types import ModuleType
from typing import Any, Final, TypeAlias, TypeVar

from core.compiled import INSTALLED, compiled

F = TypeVar("F", bound=Callable[..., Any])

Machine: TypeAlias = Any
"""A copy of `core.machine`: its functions, and those of `core.levels`."""

_NAMES: Final = ("core.levels", "core.machine")

_lock = Lock()
_is_copying = False
_compiled: ModuleType | None = None


def inner(function: F) -> F:
    """Marks a function of the machine: left as it is, but compiled in the compiled copy."""
    return compiled(function) if _is_copying else function  # type: ignore[return-value]  # it is called alike


def machine(is_compiled: bool | None = None) -> Machine:
    """The plain or the compiled copy (default: the compiled one if it is loaded); the plain one without numba."""
    if is_compiled is None:
        is_compiled = _compiled is not None
    if is_compiled and INSTALLED:
        return _load()
    return importlib.import_module(_NAMES[-1])


def _load() -> ModuleType:
    global _compiled, _is_copying
    with _lock:
        if _compiled is None:
            machine(False)  # the plain copy must not be made while functions are being compiled
            _is_copying = True
            try:
                _compiled = _copy()
            finally:
                _is_copying = False
        return _compiled


def _copy() -> ModuleType:
    """Each module's text once more, calling functions of the copies before it."""
    copied: dict[str, Any] = {}
    module = ModuleType("none")
    for name in _NAMES:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.loader is not None, f"{name} is a module of ours"
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for key, value in copied.items():
            if key in vars(module):
                setattr(module, key, value)
        own = {key: value for key, value in vars(module).items() if hasattr(value, "py_func")}
        copied.update(own)
    return module
