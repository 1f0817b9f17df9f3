"""What `tapedeck info` counts beside the engine's own counts: connections, silences, gaps and markets of a tape.

Knows how each record changes them, and how they are kept in a checkpoint. Must not know files, nor how they are shown.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from core.engine import Step
from core.gaps import Gap
from core.records import Coverage, Kind, Record, Source, decode_opened, decode_session
from core.views import ConnectionView

Ints: TypeAlias = npt.NDArray[np.int64]

SILENCE_NS: Final = 10_500_000_000
"""Longer than this without a frame is listed: the exchange pings every 10 s, busy markets speak far more often."""

TALLY_VERSION: Final = 1
"""Goes up whenever the same records may give another tally; one of another version is of no use."""

_LAST_FRAME: Final = int(Kind.FRAME_CLOSE)
_SESSION, _OPENED, _CLOSED = int(Kind.SESSION), int(Kind.OPENED), int(Kind.CLOSED)


class Silence(msgspec.Struct, frozen=True):
    """Nothing received on any connection of a session between two instants (Unix ns, by `now_ns`)."""

    at_ns: int
    until_ns: int
    duration_ns: int


class ConnectionRow(msgspec.Struct):
    """One socket: `opened_ns` and `closed_ns` by `now_ns`; `closed_ns` None = not seen to close.

    implied: the recording has no record of the connect, it shows in the frames alone.
    """

    connection: int
    session: int
    opened_ns: int
    closed_ns: int | None = None
    last_frame_ns: int | None = None
    frames: int = 0
    replaces: int = 0
    implied: bool = False


class SessionRow(msgspec.Struct, frozen=True):
    """What a session says of itself that matters here."""

    coverage: Coverage
    sources: tuple[Source, ...]


class SavedTally(msgspec.Struct, frozen=True):
    """A tally as plain values, for checkpoints. open: which of `connections` are, by the connection's number."""

    sessions: list[SessionRow]
    connections: list[ConnectionRow]
    open: dict[int, int]
    silences: list[Silence]
    gaps: list[Gap]
    markets: list[str]
    first_ns: int
    heard_ns: int
    now_ns: int


class _Envelope(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    tally: msgspec.Raw


_ENVELOPES: Final = msgspec.msgpack.Decoder(_Envelope)
_TALLIES: Final = msgspec.msgpack.Decoder(SavedTally)


class Tally:
    """Sessions, connections, silences, gaps and markets, record by record."""

    def __init__(self, saved: SavedTally | None = None) -> None:
        self.sessions: list[SessionRow] = []
        self.connections: list[ConnectionRow] = []
        self.silences: list[Silence] = []
        self.gaps: dict[int, Gap] = {}
        self.markets: set[str] = set()
        self.first_ns = 0
        self._open: dict[int, ConnectionRow] = {}
        self._heard_ns = 0
        self._now_ns = 0
        if saved is not None:
            self.sessions, self.connections, self.silences = saved.sessions, saved.connections, saved.silences
            self.gaps = {gap.number: gap for gap in saved.gaps}
            self.markets = set(saved.markets)
            self.first_ns, self._heard_ns, self._now_ns = saved.first_ns, saved.heard_ns, saved.now_ns
            self._open = {number: self.connections[row] for number, row in saved.open.items()}

    def dump(self) -> bytes:
        """As msgpack, everything in one order only; before `finish`."""
        places = {id(row): place for place, row in enumerate(self.connections)}
        saved = SavedTally(
            self.sessions,
            self.connections,
            {number: places[id(row)] for number, row in sorted(self._open.items())},
            self.silences,
            [gap for _, gap in sorted(self.gaps.items())],
            sorted(self.markets),
            self.first_ns,
            self._heard_ns,
            self._now_ns,
        )
        return msgspec.msgpack.encode((TALLY_VERSION, saved))

    @classmethod
    def load(cls, blob: bytes) -> "Tally | None":
        """The tally that was dumped; None when these bytes are none, or of another version."""
        try:
            envelope = _ENVELOPES.decode(blob)
            return cls(_TALLIES.decode(envelope.tally)) if envelope.version == TALLY_VERSION else None
        except (msgspec.DecodeError, ValueError, IndexError):
            return None

    def take(self, record: Record, step: Step) -> None:
        """Take in one record just after its step."""
        kind, now_ns = record.kind, step.now_ns
        if kind > _LAST_FRAME:
            self._take_event(record, now_ns)
        for gap in step.gaps:
            self._take_gap(gap, now_ns)
        if kind <= _LAST_FRAME:
            if now_ns - self._heard_ns > SILENCE_NS:
                self._silence(now_ns)
            self._heard_ns = now_ns
            row = self._open.get(record.connection)
            if row is None:
                row = ConnectionRow(record.connection, len(self.sessions), now_ns, implied=True)
                self._connect(row)
            row.frames += 1
            row.last_frame_ns = now_ns
            market = getattr(step.message, "market", "")
            if market:
                self.markets.add(market)
        self._now_ns = now_ns

    def take_frames(self, nows: Ints, connections: Ints, markets: Iterable[str], now_ns: int) -> None:
        """Take in many frames at once, which opened and closed no gap: when and on which connection each was received.

        markets: of any of them. now_ns: of the last record stepped, frame or not.
        """
        self._now_ns = now_ns
        self.markets.update(markets)
        if not len(nows):
            return
        befores = np.concatenate(([self._heard_ns], nows[:-1]))
        for late in np.flatnonzero(nows - befores > SILENCE_NS).tolist():
            self._heard_ns = int(befores[late])
            self._silence(int(nows[late]))
        self._heard_ns = int(nows[-1])
        numbers, firsts, counts = np.unique(connections, return_index=True, return_counts=True)
        for place in np.argsort(firsts).tolist():
            number = int(numbers[place])
            row = self._open.get(number)
            if row is None:
                row = ConnectionRow(number, len(self.sessions), int(nows[firsts[place]]), implied=True)
                self._connect(row)
            row.frames += int(counts[place])
            row.last_frame_ns = int(nows[np.flatnonzero(connections == number)[-1]])

    def carry(self, connections: tuple[ConnectionView, ...]) -> None:
        """A session that goes on from an earlier one (a cut) begins with connections."""
        for view in connections:
            if view.is_open:
                self._connect(ConnectionRow(view.number, len(self.sessions), view.opened_ns))

    def finish(self) -> None:
        """The tape is over: a silence may reach its end."""
        if self.sessions:
            self._silence(self._now_ns)

    def _take_event(self, record: Record, now_ns: int) -> None:
        if record.kind == _SESSION:
            self._new_session(record, now_ns)
        elif record.kind == _OPENED:
            replaces = decode_opened(record.payload).replaces
            self._connect(ConnectionRow(record.connection, len(self.sessions), now_ns, replaces=replaces))
        elif record.kind == _CLOSED:
            self._disconnect(record.connection, now_ns)

    def _new_session(self, record: Record, now_ns: int) -> None:
        if self.sessions:
            self._silence(self._now_ns)
        else:
            self.first_ns = now_ns
        session = decode_session(record.payload)
        self.sessions.append(SessionRow(session.coverage, session.sources))
        self._open.clear()
        self._heard_ns = now_ns

    def _connect(self, row: ConnectionRow) -> None:
        self._disconnect(row.connection, row.opened_ns)
        if row.replaces:
            self._disconnect(row.replaces, row.opened_ns)
        self.connections.append(row)
        self._open[row.connection] = row

    def _disconnect(self, connection: int, now_ns: int) -> None:
        row = self._open.pop(connection, None)
        if row is not None:
            row.closed_ns = now_ns

    def _take_gap(self, gap: Gap, now_ns: int) -> None:
        first_report = gap.number not in self.gaps
        self.gaps[gap.number] = gap
        implied = self.sessions and not self.sessions[-1].coverage.connections
        if first_report and implied and gap.reason == "reconnect" and gap.connection in self._open:
            self._open[gap.connection].closed_ns = gap.at_ns
            del self._open[gap.connection]
            self._connect(ConnectionRow(gap.connection, len(self.sessions), now_ns, implied=True))

    def _silence(self, until_ns: int) -> None:
        span_ns = until_ns - self._heard_ns
        if span_ns > SILENCE_NS:
            self.silences.append(Silence(self._heard_ns, until_ns, span_ns))
