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
    """`function` compiled, once in a process, and called with `samples()` to see that it can be.

    With why not: "" where it was compiled; else the first is None.
    """
    if not INSTALLED:
        return None, "numba is not installed"
    numba = importlib.import_module("numba")
    try:
        made = numba.njit(nogil=True)(function)
        made(*samples())
    except Exception as error:  # of many kinds, all of them about what the function does
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        return None, f"{type(error).__name__}: {' '.join(said[-3:] if len(said) > 3 else said)}"[:300]
    return made, ""


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled (no GIL held, cached on disk) when numba is installed, else itself."""
    if not INSTALLED:
        return function
    numba = importlib.import_module("numba")
    return numba.njit(cache=True, nogil=True)(function)  # type: ignore[no-any-return]  # numba has no stubs
