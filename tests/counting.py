"""How much Python does for something, in calls: the same on every machine and under any load."""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls_of(work: Callable[[], object]) -> int:
    """How many functions were called, those written in C included."""
    counted = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    gc.collect()  # a collection in the middle would call what is none of the work's business
    gc.disable()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
        gc.enable()
    return counted


def bytes_of(make: Callable[[], object]) -> int:
    """How many bytes that `core` allocated are in use while what was made is held; other threads do not count."""
    gc.collect()
    tracemalloc.start()
    try:
        held = make()
        gc.collect()
        taken = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/core/*")])
        used = sum(trace.size for trace in taken.traces)
        del held
    finally:
        tracemalloc.stop()
    return used
