"""The threads behind a writer: one that calls a function over and over, and the sealing of finished segments by it.

Knows threads. Must not know what a segment holds or how it is sealed.
"""

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from capture.tape.errors import TapeError, disk_error

RETRY_S: Final = 5.0
"""How long a segment that could not be sealed waits for the next attempt; it stays readable meanwhile."""


class Worker:
    """A thread that, once started, calls `step` every `interval_s` (None: only when woken) until it is stopped.

    An exception that escapes from `step` ends the thread and is kept in `fault`; `on_fault` is called with it.
    The process may end without stopping it.
    """

    def __init__(
        self, name: str, step: Callable[[], None], interval_s: float | None, on_fault: Callable[[BaseException], None]
    ) -> None:
        self.fault: BaseException | None = None
        self._step = step
        self._interval_s = interval_s
        self._on_fault = on_fault
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def wake(self) -> None:
        """Call `step` now."""
        self._woken.set()

    def stop(self) -> None:
        """End the thread once its present step is over."""
        self._stopping = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._woken.wait(self._interval_s)
            self._woken.clear()
            if self._stopping:
                return
            try:
                self._step()
            except BaseException as error:
                self.fault = error
                self._on_fault(error)
                return


class SealWorker:
    """Seals finished hot segments in their order, in a thread; what cannot be sealed is tried again.

    seal: seals one hot segment and removes it; does nothing when that was done before. TapeError and OSError mean
    that it may work later; anything else is a bug, ends the thread and is raised by `drain`.
    """

    def __init__(self, root: Path, seal: Callable[[Path, int], object]) -> None:
        self.problem = ""
        self._root = root
        self._seal = seal
        self._pending: deque[int] = deque()
        self._sealing = threading.Lock()
        self._worker = Worker("tape-seal", self._try, RETRY_S, self._faulted)
        self._worker.start()

    def submit(self, number: int) -> None:
        """Seal this hot segment, after those submitted before; it must be durable and closed."""
        self._pending.append(number)
        self._worker.wake()

    def drain(self) -> None:
        """Return when everything submitted so far is sealed; raises TapeError when something cannot be."""
        with self._sealing:
            while self._pending:
                number = self._pending[0]
                try:
                    self._seal(self._root, number)
                except OSError as error:
                    raise disk_error(error, self._root, f"seal hot segment {number}") from error
                self._pending.popleft()
            self.problem = ""

    def stop(self) -> None:
        """End the thread; what is pending stays in the hot log."""
        self._worker.stop()

    def _try(self) -> None:
        try:
            self.drain()
        except TapeError as error:
            self.problem = str(error)

    def _faulted(self, error: BaseException) -> None:
        self.problem = f"{self._root}: sealing stopped by a bug: {error!r}; the hot log keeps everything"
