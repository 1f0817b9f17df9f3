"""Calls somebody else's function for every step, in a thread of its own, and survives whatever it does.

Knows a bounded queue and how often a function may fail. Must not know what the function does: it may raise anything
and hang for ever, and the fold goes on (RELIABILITY P5, P6).
"""

import contextlib
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

from capture.link import Appender
from capture.tape.errors import TapeError
from core.engine import Step
from core.records import Fault, Kind, Record, encode_payload

CAPACITY: Final = 32_768
"""Steps kept for a slow function, three seconds of a busy exchange; one that is slower than that is let go."""

MAX_FAULTS: Final = 3
"""A function that has raised so often is not called again."""

POLL_S: Final = 0.1

OnStep: TypeAlias = Callable[[Record, Step], None]


class Hook:
    """Hands steps to `call` in their order, each once. detached: why it is not called any more, "" = it is."""

    def __init__(self, call: OnStep, log: Appender, *, capacity: int = CAPACITY) -> None:
        self.detached = ""
        self.faults = 0
        self._call = call
        self._log = log
        self._capacity = capacity
        self._queue: SimpleQueue[Sequence[tuple[Record, Step]]] = SimpleQueue()
        self._put = self._called = 0  # steps so far, each counted by one thread only
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="deck-hook", daemon=True)

    @property
    def lag(self) -> int:
        """Steps that wait for it."""
        return self._put - self._called

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def put(self, steps: Sequence[tuple[Record, Step]]) -> None:
        """Hand these over; never waits."""
        if self.detached:
            return
        if self.lag + len(steps) > self._capacity:
            self._detach(f"it was {self.lag} steps behind")
            return
        self._put += len(steps)
        self._queue.put(steps)

    def stop(self, timeout_s: float) -> bool:
        """Whether it has taken all it was given and ended, within that time."""
        self._is_stopping = True
        if self._thread.ident is not None:
            self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self.detached:
            try:
                steps = self._queue.get(timeout=POLL_S)
            except Empty:
                if self._is_stopping:
                    return
                continue
            self._hand_over(steps)

    def _hand_over(self, steps: Sequence[tuple[Record, Step]]) -> None:
        for record, step in steps:
            if self.detached:
                return
            self._called += 1
            try:
                self._call(record, step)
            except BaseException as error:  # SystemExit too: it is not its process to end
                self._faulted(error)

    def _faulted(self, error: BaseException) -> None:
        self.faults += 1
        self._say(f"{type(error).__name__}: {error}"[:300])
        if self.faults >= MAX_FAULTS:
            self._detach(f"it raised {self.faults} times, last {type(error).__name__}")

    def _detach(self, why: str) -> None:
        self.detached = why
        self._say(f"detached: {why}")

    def _say(self, what: str) -> None:
        with contextlib.suppress(TapeError):
            self._log.append(Kind.FAULT, encode_payload(Fault("on_step", what)))
