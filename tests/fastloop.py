"""An event loop whose clock jumps to the next timer as soon as nobody has anything to do: paces without waiting."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LONGEST_S = 30.0  # of real time that a test may wait for a thread


class _Selector(selectors.DefaultSelector):
    """Asks what is ready; where nothing is, the loop's clock moves on instead of the world's."""

    now_s = 0.0
    busy = 0  # threads whose results are waited for: until they come, no time passes

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0)  # somebody is at work
        if timeout is None or self.busy:
            return super().select(LONGEST_S)
        found = super().select(0)
        if not found:
            self.now_s += timeout
        return found


class FastLoop(asyncio.SelectorEventLoop):
    """Counts the calls that are out in threads, during which its clock stands still."""

    def __init__(self) -> None:
        self._fast = _Selector()
        super().__init__(self._fast)

    def time(self) -> float:
        return self._fast.now_s

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        self._fast.busy += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._back)
        return future

    def _back(self, _future: Any) -> None:
        self._fast.busy -= 1


def run(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run, without the waiting."""
    with asyncio.Runner(loop_factory=FastLoop) as runner:
        return runner.run(main)
