"""Waiting for something to become true, with an end to it: what tests of threads and processes use, not sleeping."""

import threading
from collections.abc import Callable
from typing import Final

WAIT_S: Final = 60.0
"""Longer than anything takes on a busy machine; a test that waits so long has failed."""

LOOK_S: Final = 0.005


def wait_for_condition(condition: Callable[[], bool], timeout_s: float = WAIT_S, what: str = "the condition") -> None:
    """Return as soon as the condition holds; AssertionError when it does not in time."""
    pause = threading.Event()
    looks = int(timeout_s / LOOK_S)
    for _ in range(looks):
        if condition():
            return
        pause.wait(LOOK_S)
    assert condition(), f"{what} did not come true within {timeout_s:g} s"
