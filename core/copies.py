"""The machine twice: as it stands in the modules below, and compiled from the same text.

A function that is called from Python a record at a time is as quick uncompiled as the compiled one is slow to load, so
both are wanted in one process. Loading the compiled copy costs half a second, so it happens where somebody asks for it.

In the compiled copy every index is taken as unsigned, for the machine has no negative ones: numba would else look for
one at each cell, which costs more than a quarter of all that the machine does.
"""

import ast
import importlib.machinery
import importlib.util
from collections.abc import Callable
from types import CodeType, SimpleNamespace
from typing import Any, Final, TypeAlias, TypeVar

from core.compiled import INSTALLED, compiled

F = TypeVar("F", bound=Callable[..., Any])

Machine: TypeAlias = SimpleNamespace
"""A copy: the functions of all modules by their names."""

MODULES: Final = ("core.undo", "core.levels", "core.trade_ids", "core.machine", "core.runs")
"""In the order of who calls whom: each calls functions of itself and of those before it."""

_MARK: Final = "is_inner"
_MARK_WITH: Final = "is_given_functions"
_CELL: Final = "_cell"

_plain = SimpleNamespace()
_compiled: SimpleNamespace | None = None


def inner(function: F) -> F:
    """Marks a function of the machine: left as it is, but compiled in the compiled copy."""
    function.__dict__[_MARK] = True
    return function


def inner_with(function: F) -> F:
    """`inner` for one that is given functions: its code holds theirs, so it is not kept for other processes."""
    function.__dict__[_MARK_WITH] = True
    return inner(function)


def machine(is_compiled: bool | None = None) -> Machine:
    """The plain or the compiled copy (default: the compiled one if it is loaded); the plain one without numba."""
    if is_compiled is None:
        is_compiled = _compiled is not None
    return _load() if is_compiled and INSTALLED else _as_it_stands()


def _as_it_stands() -> SimpleNamespace:
    if not vars(_plain):
        for name in MODULES:
            module = importlib.import_module(name)
            vars(_plain).update({key: value for key, value in vars(module).items() if hasattr(value, _MARK)})
    return _plain


def _load() -> SimpleNamespace:
    global _compiled  # noqa: PLW0603  # one copy for the whole process
    if _compiled is None:  # of two threads that come here at once each makes a copy, which are alike
        _compiled = _copy()
    return _compiled


def _copy() -> SimpleNamespace:
    """Each module's text once more, its functions compiled and calling those of the copies before it."""
    copied: dict[str, Any] = {}
    for name in MODULES:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None, f"{name} is a module of ours"
        loader = _Unsigned(name, spec.origin)
        module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, loader, origin=spec.origin))
        vars(module)[_CELL] = importlib.import_module("numpy").uint64
        loader.exec_module(module)
        marked = {key: value for key, value in vars(module).items() if hasattr(value, _MARK)}
        own = {
            key: compiled(value, is_kept=not hasattr(value, _MARK_WITH), is_lean=True)
            for key, value in marked.items()
            if value.__module__ == name
        }
        vars(module).update({key: copied[key] for key in marked if key in copied} | own)
        copied.update(own)
    return SimpleNamespace(**copied)


class _Unsigned(importlib.machinery.SourceFileLoader):
    """Loads a module's source with its indices made unsigned."""

    def get_code(self, fullname: str) -> CodeType:
        text = self.get_source(fullname)
        assert text is not None, f"{fullname} has a source"
        return compile(unsigned(ast.parse(text)), self.path, "exec", dont_inherit=True)


def unsigned(module: ast.Module) -> ast.Module:
    """Source with `name[index]` within functions as `name[_cell(index)]`, each in its line; slices stay."""
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef):
            for statement in function.body:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
                        called = ast.copy_location(ast.Name(_CELL, ast.Load()), node.slice)
                        node.slice = ast.copy_location(ast.Call(called, [node.slice], []), node.slice)
    return module
