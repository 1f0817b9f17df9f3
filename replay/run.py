"""One replay of a tape, measured: digests, counts, speed; and the two paths held against each other.

Knows spans of a tape and clocks for measuring. Must not know how a result is shown.
"""

import time
from typing import Any, Final

import msgspec

from capture.tape.reader import Tape
from core import state
from replay.hosted import Hosted
from replay.player import CHECKPOINT_RECORDS, Player
from replay.progress import Progress, silent

COMPARED_RECORDS: Final = 65_536
"""How often the two paths are compared: at most this many records are between a difference and its report."""

PROGRESS_RECORDS: Final = 16_384  # a redraw of the progress bar every few tens of milliseconds


class Span(msgspec.Struct, frozen=True):
    """A stretch of a tape by `now_ns` (Unix ns), both ends in it; None = from the beginning, to the end."""

    from_ns: int | None = None
    to_ns: int | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `tapedeck replay`: counts of the span, digests of the state at its end and of all decisions.

    decision_digest: of what the strategies of the tape's sessions decide in the replay; that of none where none ran,
    where they were left out, and in a span that does not begin at the tape's beginning.

    rejected: reason to count. gaps: how many opened or closed in the span. wall_s counts the span alone.
    slow_glances: strategies whose glance could not be compiled, and why; the decisions are the same.
    """

    tape: str
    path: str
    frames: int
    records: int
    state_digest: str
    decision_digest: str
    rejected: dict[str, int]
    gaps: int
    now_ns: int
    wall_s: float
    frames_per_s: float
    slow_glances: tuple[str, ...] = ()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Both paths over the same span. first_seq, last_seq: the first stretch after which their states differ."""

    equal: bool
    by_bytes: Run
    by_columns: Run
    first_seq: int | None = None
    last_seq: int | None = None

    @property
    def tape(self) -> str:
        """The tape's path."""
        return self.by_bytes.tape

    def as_json(self) -> dict[str, Any]:
        """What one run says, with the path "both" and the time of both, `equal`, and the stretch that `differs`."""
        wall_s = self.by_bytes.wall_s + self.by_columns.wall_s
        differs = None if self.equal else [self.first_seq, self.last_seq]
        return {
            **msgspec.structs.asdict(self.by_columns),
            "path": "both",
            "wall_s": round(wall_s, 6),
            "frames_per_s": round(2 * self.by_columns.frames / wall_s, 1) if wall_s else 0.0,
            "equal": self.equal,
            "differs": differs,
            "by_bytes": self.by_bytes,
            "by_columns": self.by_columns,
        }


def run(tape: Tape, path: str, span: Span, progress: Progress = silent, *, strategies: bool = True) -> Run:
    """Replay a span by one path, with the strategies that ran or without; progress in records.

    Raises TapeDamaged, ConfigError when a strategy cannot be had.
    """
    lap = _Lap(tape, path, span, strategies)
    while lap.advance(PROGRESS_RECORDS):
        progress(lap.player.position, tape.head_seq + 1)
    return lap.result()


def compare(
    tape: Tape, span: Span, progress: Progress = silent, *, every: int = COMPARED_RECORDS, strategies: bool = True
) -> Comparison:
    """Replay a span by both paths side by side and compare states and decisions every so many records; stops at a
    difference.

    Progress in records. Raises as `run`.
    """
    by_bytes, by_columns = (_Lap(tape, path, span, strategies) for path in ("bytes", "columns"))
    first_seq = min(by_bytes.player.position, by_columns.player.position)
    more = True
    while more:
        more = by_bytes.advance(every)
        by_columns.advance(every)
        last_seq = max(by_bytes.player.position, by_columns.player.position) - 1
        if not by_bytes.agrees(by_columns):
            return Comparison(
                equal=False,
                by_bytes=by_bytes.result(),
                by_columns=by_columns.result(),
                first_seq=first_seq,
                last_seq=last_seq,
            )
        progress(last_seq + 1, tape.head_seq + 1)
        first_seq = last_seq + 1
    return Comparison(equal=True, by_bytes=by_bytes.result(), by_columns=by_columns.result())


class _Lap:
    """One player on its way through a span, and the clock that runs while it plays."""

    def __init__(self, tape: Tape, path: str, span: Span, strategies: bool) -> None:
        self._hosted: Hosted | None = None
        if strategies and span.from_ns is None:
            self._hosted = Hosted(tape, path, checkpoint_records=CHECKPOINT_RECORDS)
            self.player = self._hosted.player
        else:
            self.player = Player(tape, path, start="beginning" if span.from_ns is None else "checkpoint")
        self._to_ns = span.to_ns
        if span.from_ns is not None:
            self.player.advance(until_ns=span.from_ns - 1)
        engine = self.player.engine
        self._frames, self._records = engine.counts.frames, engine.counts.records
        self._rejected = dict(engine.counts.rejected)
        self.player.gaps.clear()
        self._wall_s = 0.0

    def advance(self, records: int) -> bool:
        """Play that many more; False when the span is over."""
        started, position = time.perf_counter(), self.player.position
        if self._hosted is None:
            self.player.advance(self._to_ns, position + records - 1)
        else:
            for _ in self._hosted.run(position + records - 1, self._to_ns):
                pass
        self._wall_s += time.perf_counter() - started
        return self.player.position - position == records

    @property
    def _decisions(self) -> str:
        return state.decision_digest() if self._hosted is None else self._hosted.digest.hexdigest()

    def agrees(self, other: "_Lap") -> bool:
        """True when both stand at the same record with the same state, and the same was decided."""
        mine, theirs = self.player, other.player
        is_same = mine.position == theirs.position and mine.state_digest() == theirs.state_digest()
        return is_same and self._decisions == other._decisions

    def result(self) -> Run:
        """What was played so far."""
        player = self.player
        counts = player.engine.counts
        frames = counts.frames - self._frames
        rejected = {reason: count - self._rejected.get(reason, 0) for reason, count in sorted(counts.rejected.items())}
        return Run(
            tape=str(player.tape.path),
            path=player.path,
            frames=frames,
            records=counts.records - self._records,
            state_digest=player.state_digest(),
            decision_digest=self._decisions,
            rejected={reason: count for reason, count in rejected.items() if count},
            gaps=len(player.gaps),
            now_ns=player.now_ns,
            wall_s=round(self._wall_s, 6),
            frames_per_s=round(frames / self._wall_s, 1) if self._wall_s else 0.0,
            slow_glances=() if self._hosted is None else self._hosted.host.wakes.slow_glances,
        )
