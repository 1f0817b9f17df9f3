"""One connection slot: connects, records, and when it is over waits and connects again, for as long as it is let.

Knows the order of OPENED, frames and CLOSED on the tape, and how long to wait after what. Must not know what a frame
means, nor what to subscribe to: commands come from outside, for the connection that they name or for none.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from capture.limits import Cause, WireEnd, WireRefused
from capture.tape.errors import DiskError, TapeError
from core.backoff import CAP_S, Backoff, Dice
from core.records import Closed, Fault, Kind, Opened, encode_payload

KEY_TRIES: Final = 3
"""So many refusals of the key in a row are no accident any more: a person has to look (RELIABILITY N25, X17)."""

TOO_MANY_S: Final = 30.0
"""The least wait after HTTP 429, which the exchange sends without saying how long (protocol 17)."""

MAX_ASKED_S: Final = 900.0
"""A longer wait than this is not granted, whoever asks for it."""

DISK_S: Final = 5.0
"""How long a connection is put off whose OPENED the disk refuses: nothing of it could be recorded."""

SILENT_S: Final = 25.0
"""What a connection that fell silent lasted for nothing (capture.limits)."""

TOO_MANY: Final = 429

Taken: TypeAlias = Callable[[Kind, bytes], object]
TakenTexts: TypeAlias = Callable[[Sequence[bytes]], object]


class WireLike(Protocol):
    """What a link needs of a connection; `capture.wire.Wire` is one."""

    def connect(self) -> None:
        """Be connected on return, or raise WireRefused; `run` follows."""

    def run(self) -> WireEnd:
        """Hand over every frame until it ends."""

    def send(self, text: bytes) -> None:
        """Send a text frame; WireRefused when it is over."""

    def close(self, code: int = ..., reason: str = ..., /) -> None:
        """Say goodbye; `run` ends soon."""

    def abort(self) -> None:
        """End at once, whatever it does."""


MakeWire: TypeAlias = Callable[[Taken, TakenTexts], WireLike]


class Appender(Protocol):
    """Where single records go; a TapeWriter is one."""

    def append(self, kind: int, payload: bytes, connection: int = 0) -> int:
        """The record's seq; DiskError when it was refused."""


class Log(Appender, Protocol):
    """Where records go, several at once too; a TapeWriter is one."""

    def append_all(self, kind: int, payloads: Sequence[bytes], connection: int = 0) -> int:
        """The seq of the last record; DiskError when one of them was refused."""


class LinkState(StrEnum):
    """What a link does."""

    IDLE = "idle"
    CONNECTING = "connecting"
    UP = "up"
    WAITING = "waiting"
    STOPPED = "stopped"
    GAVE_UP = "gave up"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A link at one instant. connection: number of the open one, 0 = none. tries: since it last was healthy.

    connected: how often it was up. last_error: why it was lost or refused last. faults: errors of our own.
    """

    slot: int
    state: LinkState
    connection: int
    tries: int
    connected: int
    last_error: str
    is_key_refused: bool
    faults: int


class Link:
    """A slot's thread. make_wire: a new connection that hands its frames to the functions it is given.

    numbers: of all connections but the first of each slot. max_tries: in a row before it gives up, 0 = never.
    """

    def __init__(
        self, slot: int, url: str, make_wire: MakeWire, log: Log, *, numbers: Iterator[int],
        dice: Dice, max_tries: int = 0,
    ) -> None:  # fmt: skip
        self.slot = slot
        self._url = url
        self._make_wire = make_wire
        self._append = log.append
        self._append_all = log.append_all
        self._numbers = numbers
        self._backoff = Backoff(dice)
        self._max_tries = max_tries
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_stopping = self._is_hurried = False
        self._wire: WireLike | None = None
        self._number = self._last = self._connection = 0
        self._state = LinkState.IDLE
        self._last_error = self._ordered = ""
        self._connected = self._key_refusals = self._faults = 0
        self._thread = threading.Thread(target=self._run, name=f"link-{slot}", daemon=True)

    @property
    def connection(self) -> int:
        """Number of the connection that is open, 0 = none."""
        return self._connection

    @property
    def status(self) -> LinkStatus:
        """The link as it is now."""
        return LinkStatus(
            self.slot,
            self._state,
            self._connection,
            self._backoff.tries,
            self._connected,
            self._last_error,
            self._key_refusals >= KEY_TRIES,
            self._faults,
        )

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def send(self, connection: int, text: bytes) -> bool:
        """Send a command on that connection; false when it is not the open one, or the command did not go."""
        with self._lock:
            wire = self._wire if connection and connection == self._connection else None
        if wire is None:
            return False
        try:
            wire.send(text)
        except (WireRefused, TapeError):
            return False
        return True

    def reconnect(self, connection: int, why: str) -> None:
        """Give that connection up, if it is the open one, and make another."""
        with self._lock:
            wire = self._wire if connection == self._connection else None
            self._ordered = why if wire is not None else self._ordered
        if wire is not None:
            wire.abort()

    def hurry(self, why: str) -> None:
        """The machine slept: nothing of before can be relied on, so connect anew, now."""
        with self._lock:
            wire, self._is_hurried, self._ordered = self._wire, True, why
        self._wake.set()
        if wire is not None:
            wire.abort()

    def stop(self) -> None:
        """Say goodbye to the peer and end; what still arrives is recorded. May wait for a peer that takes nothing."""
        with self._lock:
            self._is_stopping = True
            wire, is_up = self._wire, bool(self._connection)
        self._wake.set()
        if wire is not None and is_up:
            wire.close(1000)
        elif wire is not None:
            wire.abort()

    def abort(self) -> None:
        """End at once."""
        with self._lock:
            self._is_stopping, wire = True, self._wire
        self._wake.set()
        if wire is not None:
            wire.abort()

    def join(self, timeout_s: float) -> bool:
        """Whether its thread has ended, after waiting so long at most."""
        if self._thread.ident is not None:
            self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        state = LinkState.STOPPED
        while not self._is_stopping:
            try:
                wait_s = self._once()
            except TapeError as error:  # recording is over: closed, or stopped by a fault
                self._last_error = str(error)
                break
            except BaseException as error:  # the reader must not die of a bug of ours (RELIABILITY P8)
                self._faults += 1
                self._last_error = what = f"{type(error).__name__}: {error}"[:300]
                with contextlib.suppress(TapeError):
                    self._append(Kind.FAULT, encode_payload(Fault(f"link {self.slot}", what)), 0)
                wait_s = self._backoff.next_s(1.0)
            if self._max_tries and self._backoff.tries >= self._max_tries and not self._is_stopping:
                state = LinkState.GAVE_UP
                break
            self._state = LinkState.WAITING
            if not self._is_stopping and not self._is_hurried:
                self._wake.wait(wait_s)
        self._state = state

    def _once(self) -> float:
        """One connection from beginning to end; how long to wait before the next. TapeError: there is no recorder."""
        wire = self._make_wire(self._take, self._take_texts)
        with self._lock:
            self._wire, self._state = wire, LinkState.CONNECTING
            self._ordered, self._is_hurried = "", False
        self._wake.clear()
        try:
            if not self._is_stopping:  # whoever stops this from now on sees the wire
                wire.connect()
                self._key_refusals = 0
                return self._converse(wire)
        except WireRefused as refused:
            return self._refused(refused)
        finally:
            with self._lock:
                self._wire, self._connection = None, 0
        return 0.0

    def _converse(self, wire: WireLike) -> float:
        number = next(self._numbers) if self._last else self.slot + 1
        try:
            self._append(Kind.OPENED, encode_payload(Opened(self._url, self._last)), number)
        except DiskError as error:
            self._last_error = str(error)
            wire.abort()
            wire.run()  # closes it; what it hands over belongs to no connection
            return DISK_S
        self._number = self._last = number
        self._connected += 1
        began_s, end = time.monotonic(), None
        with self._lock:
            self._connection, self._state = number, LinkState.UP
        try:
            end = wire.run()
        finally:
            with self._lock:
                self._connection = 0
            self._closed(number, end)
        if not self._ordered:
            silent_s = SILENT_S if end.cause is Cause.SILENT else 0.0
            self._backoff.lasted(time.monotonic() - began_s - silent_s)
        return 0.0 if self._is_hurried else self._backoff.next_s()

    def _closed(self, number: int, end: WireEnd | None) -> None:
        """Put the end of a connection on the tape; when that cannot be, the next OPENED tells of it."""
        self._number = 0
        code, cause, words = (end.code, str(end.cause), end.reason) if end is not None else (0, "fault", "")
        reason = self._ordered or (f"{cause}: {words}" if words else cause)
        if not self._is_stopping:
            self._last_error = reason
        with contextlib.suppress(TapeError):
            self._append(Kind.CLOSED, encode_payload(Closed(code, reason, final=self._is_stopping)), number)

    def _take(self, kind: Kind, payload: bytes) -> None:
        """A frame: on the tape it goes. A disk that takes nothing costs the frame, and the writer says so (its gap)."""
        number = self._number
        if number:
            try:
                self._append(kind, payload, number)
            except DiskError:
                if kind == Kind.SENT:  # what is not on the tape must not be sent
                    raise

    def _take_texts(self, texts: Sequence[bytes]) -> None:
        """Text frames that were received at once: as `_take`, in one write."""
        if self._number:
            with contextlib.suppress(DiskError):
                self._append_all(Kind.FRAME, texts, self._number)

    def _refused(self, refused: WireRefused) -> float:
        self._last_error = str(refused)
        if self._is_hurried:
            return 0.0
        if refused.status in (401, 403):
            self._key_refusals += 1
            if refused.date:  # an unsound clock is refused like an unsound key (RELIABILITY X16)
                self._last_error += f" (the exchange's clock: {refused.date})"
        least_s = 0.0
        if refused.is_untrusted or self._key_refusals >= KEY_TRIES:
            least_s = CAP_S
        elif refused.status == TOO_MANY:
            least_s = TOO_MANY_S
        return self._backoff.next_s(max(least_s, min(float(refused.retry_after_s), MAX_ASKED_S)))
