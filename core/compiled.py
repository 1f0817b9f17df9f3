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
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled (no GIL held, cached on disk) when numba is installed, else itself."""
    if not INSTALLED:
        return function
    numba = importlib.import_module("numba")
    return numba.njit(cache=True, nogil=True)(function)  # type: ignore[no-any-return]  # numba has no stubs
