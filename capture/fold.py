"""The one thread that follows the log: steps the engine and the desks, and carries out what these ask for.

Knows threads and who may read what when. Must not know sockets beyond the links it is given, nor what a record means.
"""

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from capture.hook import Hook
from capture.link import Appender
from capture.tape.errors import TapeError
from capture.tape.follow import Follower
from core.commands import Command, Reconnect, Refuse, Send, Tell
from core.desks import Desks
from core.engine import Step
from core.records import Control, Fault, Kind, Record, encode_payload
from core.views import MarketView

POLL_S: Final = 0.1
"""How soon a stop is noticed when nothing comes."""

UNPLACED: Final = "unplaced"
"""The action of the CONTROL that tells of markets which cannot be had on a connection, and why."""

T = TypeVar("T")


class Channel(Protocol):
    """What a fold needs of a link."""

    @property
    def connection(self) -> int:
        """Number of the connection that is open, 0 = none."""

    def send(self, connection: int, text: bytes) -> bool:
        """Whether the command went out on that connection."""

    def reconnect(self, connection: int, why: str) -> None:
        """Give that connection up for a new one."""


class Fold:
    """Owns the engine, the store and the desks, which nobody else touches but through `read` and `view`.

    failed: why it ended before it was stopped, "" = it did not. hook: gets every step, None = nobody does.
    """

    def __init__(
        self, follower: Follower, desks: Desks, links: Sequence[Channel], log: Appender, hook: Hook | None
    ) -> None:
        self.failed = ""
        self._follower = follower
        self._desks = desks
        self._links = links
        self._log = log
        self._hook = hook
        self._lock = threading.Lock()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="deck-fold", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def view(self, market: str) -> MarketView:
        """The frozen picture of a market, of one instant; any thread."""
        with self._lock:
            return self._desks.engine.store.view(market)

    def read(self, what: Callable[[Desks], T]) -> T:
        """What a function makes of the desks, between two batches of records; any thread. It must change nothing."""
        with self._lock:
            return what(self._desks)

    def stop(self, timeout_s: float) -> bool:
        """Whether it has stepped everything that was appended and ended, within that time."""
        self._is_stopping = True
        if self._thread.ident is not None:
            self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while True:
                records = self._follower.take(POLL_S)
                if records:
                    self._batch(records)
                elif self._is_stopping:
                    return
        except BaseException as error:  # a bug, or a damaged tape: never silent, and recording goes on without it
            self.failed = f"{type(error).__name__}: {error}"[:300]
            self._append(Kind.FAULT, encode_payload(Fault("fold", self.failed)))

    def _batch(self, records: Sequence[Record]) -> None:
        todo: list[Command] = []
        steps: list[tuple[Record, Step]] = []
        step_of, hook = self._desks.step, self._hook
        with self._lock:
            for record in records:
                step, commands = step_of(record)
                if commands:
                    todo += commands
                if hook is not None:
                    steps.append((record, step))
        for command in todo:
            self._carry_out(command)
        if hook is not None:
            hook.put(steps)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Send(connection, number, text):
                link = self._link(connection)
                if link is None or not link.send(connection, text):
                    with self._lock:
                        self._desks.unsent(connection, number)
            case Reconnect(connection, why):
                link = self._link(connection)
                if link is not None:
                    link.reconnect(connection, why)
            case Tell(gap):
                self._append(Kind.GAP_CLOSE, encode_payload(gap))
            case Refuse(connection, markets, why):
                self._append(Kind.CONTROL, encode_payload(Control(UNPLACED, markets, why)), connection)

    def _link(self, connection: int) -> Channel | None:
        return next((link for link in self._links if link.connection == connection), None)

    def _append(self, kind: Kind, payload: bytes, connection: int = 0) -> None:
        with contextlib.suppress(TapeError):  # the writer tells of the gap, or recording is over
            self._log.append(kind, payload, connection)
