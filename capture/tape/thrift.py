"""Memory that is free goes back to the system at once: for processes whose work is tape after tape of large arrays.

Else the C library keeps what each thread has freed, and so does Arrow: a third of the peak was such memory.
"""

import contextlib
import ctypes
from typing import Final

import pyarrow as pa

LARGE_BYTES: Final = 1 << 20
"""Arrays from this size on get pages of their own; smaller ones are worth keeping."""

KEPT_BYTES: Final = 16 << 20
"""What a thread may keep of smaller ones: with the C library's 128 KiB, pages would come and go with each array."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def give_back() -> None:
    """Have this process, from now on, return large blocks when they are freed, and keep small ones for all threads
    together. Does nothing where it cannot be had; threads that have begun keep what they have."""
    with contextlib.suppress(AttributeError, OSError):  # not the GNU C library
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, 1)  # else each thread that reads keeps what it has freed for itself
        library.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
    pa.set_memory_pool(pa.system_memory_pool())
