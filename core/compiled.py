"""The one door to numba, which is optional: the same functions run as plain Python where it is not installed.

Importing this module does not import numba (it costs 0.2 s); the first `compiled()` does.
"""

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any, Final

INSTALLED: Final = importlib.util.find_spec("numba") is not None
"""True when the `fast` extra is there."""


@cache
def compile_here(function: Callable[..., Any], samples: Callable[[], tuple[Any, ...]]) -> tuple[Any, str]:
    """`function` compiled for arguments like `samples()`, once in a process; it is not called. It must say yes or no.

    With why not: "" where it was compiled; else the first is None. An index beyond an array raises, as it does in
    Python, which keeps no fractions in arrays of integers either: one that does is not compiled.
    """
    if not INSTALLED:
        return None, "numba is not installed"
    numba = importlib.import_module("numba")
    try:
        made = numba.njit(nogil=True, boundscheck=True)(function)
        made.compile(tuple(numba.typeof(sample) for sample in samples()))
    except Exception as error:  # of many kinds, all of them about what the function does
        return None, _said(error)
    why = _unlike_python(numba.types, made)
    return (None, why) if why else (made, "")


def _said(error: Exception) -> str:
    """What numba has against a function, in a line: what it found, and in which line of the source."""
    lines = [line.strip() for line in str(error).splitlines()]
    found = [line for line in lines if line and set(line) - set("^~-")]
    where = next((line for line in found if line.startswith("File ")), "")
    told = [line for line in found if not line.startswith(("Failed in", "During:", "File ", "This error"))]
    return f"{type(error).__name__}: {' '.join(told[:2])} {where}".strip()[:300]


def _unlike_python(types: Any, made: Any) -> str:
    """Why the compiled function would not do what the plain one does, "" = it would."""
    answer = made.nopython_signatures[0].return_type
    if not isinstance(answer, types.Boolean | types.BooleanLiteral | types.Integer):
        return f"it gives {answer}, not True or False"
    calls = next(iter(made.overloads.values())).type_annotation.calltypes
    for what, call in calls.items():
        if type(what).__name__ in ("SetItem", "StaticSetItem") and not isinstance(
            call.args[-1], types.Boolean | types.BooleanLiteral | types.Integer
        ):
            return f"it keeps {call.args[-1]}, not an integer, in line {what.loc.line}"
    return ""


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled (no GIL held, cached on disk) when numba is installed, else itself."""
    if not INSTALLED:
        return function
    numba = importlib.import_module("numba")
    return numba.njit(cache=True, nogil=True)(function)  # type: ignore[no-any-return]  # numba has no stubs
