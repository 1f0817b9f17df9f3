"""What is in a tape: the fold behind `tapedeck info`.

Knows counts, connections, gaps and silences. Must not know how they are shown.
"""

from typing import Any, Final

import msgspec

from capture.tape.reader import Tape
from core.engine import Step
from core.gaps import Gap
from core.records import Kind, Record, Session, decode_opened, decode_session
from core.views import ConnectionView
from replay.player import Player
from replay.progress import Progress, silent

SILENCE_NS: Final = 10_500_000_000
"""Longer than this without a frame is listed: the exchange pings every 10 s, busy markets speak far more often."""

COVERED: Final = ("connections", "control", "sent", "receive_time")
"""Parts of a recording that its recorder may have left out (core.records.Coverage)."""

PROGRESS_RECORDS: Final = 16_384  # a redraw of the progress bar every few tens of milliseconds


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


class Info(msgspec.Struct, frozen=True):
    """The answer of `tapedeck info`; times are Unix ns by `now_ns`, `bytes` is what the tape takes on disk.

    covers: what the recorders wrote down in every session; where it is false, absence proves nothing.
    """

    tape: str
    environment: str
    frames: int
    records: int
    sessions: int
    connections: int
    markets: tuple[str, ...]
    by_type: dict[str, int]
    gaps: tuple[dict[str, Any], ...]
    silences: tuple[Silence, ...]
    malformed: dict[str, int]
    unknown: dict[str, int]
    rejected: dict[str, int]
    bytes: int
    segments: int
    filtered: bool
    covers: dict[str, bool]
    ended: str
    first_ns: int
    last_ns: int
    sources: tuple[str, ...]
    connection_list: tuple[ConnectionRow, ...]


def summarize(tape: Tape, progress: Progress = silent) -> Info:
    """Everything `info` says of a tape, by one pass over its columns; progress in records. Raises TapeDamaged."""
    player = Player(tape, "columns")
    fold = _Fold()
    for record, step in player.play():
        fold.take(record, step)
        if record.kind == Kind.SESSION:
            fold.carry(player.engine.connections.views())
        if record.seq % PROGRESS_RECORDS == 0:
            progress(record.seq, tape.head_seq + 1)
    fold.finish()
    counts = player.engine.counts
    return Info(
        tape=str(tape.path),
        environment=tape.environment,
        frames=counts.frames,
        records=counts.records,
        sessions=len(fold.sessions),
        connections=len(fold.connections),
        markets=tuple(sorted(fold.markets)),
        by_type=_sorted(counts.by_type),
        gaps=tuple(gap_json(gap) for _, gap in sorted(fold.gaps.items())),
        silences=tuple(fold.silences),
        malformed=_sorted(counts.malformed),
        unknown=_sorted(counts.unknown),
        rejected=_sorted(counts.rejected),
        bytes=tape.bytes_on_disk,
        segments=len(tape.segments),
        filtered=any(session.coverage.filtered for session in fold.sessions),
        covers={name: all(getattr(s.coverage, name) for s in fold.sessions) for name in COVERED},
        ended=str(tape.ended),
        first_ns=fold.first_ns,
        last_ns=player.now_ns,
        sources=tuple(source.name for session in fold.sessions for source in session.sources),
        connection_list=tuple(fold.connections),
    )


def gap_json(gap: Gap) -> dict[str, Any]:
    """A gap as `info --json` lists it: `expected` and `got` only with reason `sequence`."""
    row = msgspec.to_builtins(gap)
    if gap.reason != "sequence":
        del row["expected"], row["got"]
    return dict(row)


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


class _Fold:
    """Connections, silences, gaps and markets, record by record."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.connections: list[ConnectionRow] = []
        self.silences: list[Silence] = []
        self.gaps: dict[int, Gap] = {}
        self.markets: set[str] = set()
        self.first_ns = 0
        self._open: dict[int, ConnectionRow] = {}
        self._heard_ns = 0
        self._now_ns = 0

    def take(self, record: Record, step: Step) -> None:
        """Take in one record just after its step."""
        kind, now_ns = record.kind, step.now_ns
        if kind == Kind.SESSION:
            self._new_session(record, now_ns)
        elif kind == Kind.OPENED:
            replaces = decode_opened(record.payload).replaces
            self._connect(ConnectionRow(record.connection, len(self.sessions), now_ns, replaces=replaces))
        elif kind == Kind.CLOSED:
            self._disconnect(record.connection, now_ns)
        for gap in step.gaps:
            self._take_gap(gap, now_ns)
        if kind <= Kind.FRAME_CLOSE:
            self._take_frame(record.connection, now_ns)
            market = getattr(step.message, "market", "")
            if market:
                self.markets.add(market)
        self._now_ns = now_ns

    def carry(self, connections: tuple[ConnectionView, ...]) -> None:
        """A session that goes on from an earlier one (a cut) begins with connections."""
        for view in connections:
            if view.is_open:
                self._connect(ConnectionRow(view.number, len(self.sessions), view.opened_ns))

    def finish(self) -> None:
        """The tape is over: a silence may reach its end."""
        if self.sessions:
            self._silence(self._now_ns)

    def _new_session(self, record: Record, now_ns: int) -> None:
        if self.sessions:
            self._silence(self._now_ns)
        else:
            self.first_ns = now_ns
        self.sessions.append(decode_session(record.payload))
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

    def _take_frame(self, connection: int, now_ns: int) -> None:
        self._silence(now_ns)
        self._heard_ns = now_ns
        row = self._open.get(connection)
        if row is None:
            row = ConnectionRow(connection, len(self.sessions), now_ns, implied=True)
            self._connect(row)
        row.frames += 1
        row.last_frame_ns = now_ns

    def _silence(self, until_ns: int) -> None:
        span_ns = until_ns - self._heard_ns
        if span_ns > SILENCE_NS:
            self.silences.append(Silence(self._heard_ns, until_ns, span_ns))
