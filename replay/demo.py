"""What the demonstration proves of a tape that was just recorded: nothing lost, whole, the same state by both paths.

Knows what to compare and what to show. Must not know who recorded, nor how text reaches people.
"""

import gzip
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from capture.tape.errors import TapeError, disk_error
from capture.tape.reader import Tape
from capture.tape.verify import verify
from core.gaps import RECONNECT
from core.records import Kind
from replay.books import BookAt, book_at
from replay.exporter import export_jsonl
from replay.player import Player
from replay.run import Comparison, Span, compare
from replay.summary import summarize


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    """What the demonstration found. sent: frames that left the exchange; recorded: of them on the tape, byte for byte
    and in order. whole: verified deeply, no problem. reconnects: gaps that were made on purpose, and are on the tape.
    """

    tape: str
    recording: str
    markets: int
    sent: int
    recorded: int
    reconnects: int
    other_gaps: int
    recording_bytes: int
    tape_bytes: int
    whole: bool
    equal: bool
    state_digest: str
    book: BookAt
    wall_s: float

    @property
    def holds(self) -> bool:
        """Whether everything is as promised."""
        return self.whole and self.equal and self.sent == self.recorded > 0 and not self.other_gaps


def make_room(place: Path) -> Path:
    """Where the tape goes; raises TapeError when the directory is not empty, DiskError."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            raise TapeError(f"{place}: is not empty; choose a new directory for the demonstration")
    except OSError as error:
        raise disk_error(error, place, "make the demonstration here") from error
    return place / "tape"


def prove(place: Path, sent: Sequence[bytes], began_s: float, say: Callable[[str], None]) -> Demo:
    """Look at `place`/tape, telling each step as it comes; leaves `recording.jsonl.gz` beside it.

    sent: the text frames that the exchange sent, in order. began_s: when the demonstration began (perf_counter).
    """
    path = place / "tape"
    tape = Tape.open(path)
    recorded = [record.payload for record in tape.records() if record.kind == Kind.FRAME]
    found = summarize(tape)
    reconnects = sum(gap["reason"] == RECONNECT for gap in found.gaps)
    same = recorded == list(sent)
    say(
        f"3. compared  {len(sent):,} frames left the exchange, {len(recorded):,} are on the tape: "
        f"{'the same bytes in the same order' if same else 'NOT THE SAME'}; "
        f"{reconnects} gap where the connection was cut on purpose, {len(found.gaps) - reconnects} others"
    )
    report = verify(path, deep=True)
    say(f"4. verified  every frame decoded again and compared: {'whole' if report.whole else 'NOT WHOLE'}")
    comparison, book = _replayed(tape)
    by_bytes, by_columns = comparison.by_bytes, comparison.by_columns
    say(
        f"5. replayed  from the bytes ({by_bytes.frames_per_s:,.0f} frames a second) and from the columns "
        f"({by_columns.frames_per_s:,.0f}): {'the same state' if comparison.equal else 'DIFFERENT STATES'}"
    )
    say(f"             {by_columns.state_digest}")
    recording = _exported(tape, place)
    return Demo(
        tape=str(path),
        recording=str(recording),
        markets=len(found.markets),
        sent=len(sent),
        recorded=len(recorded) if same else 0,
        reconnects=reconnects,
        other_gaps=len(found.gaps) - reconnects,
        recording_bytes=recording.stat().st_size,
        tape_bytes=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        whole=report.whole,
        equal=comparison.equal,
        state_digest=by_columns.state_digest,
        book=book,
        wall_s=round(time.perf_counter() - began_s, 3),
    )


def _replayed(tape: Tape) -> tuple[Comparison, BookAt]:
    comparison = compare(tape, Span())
    player = Player(tape, "columns")
    player.advance()
    views = [player.store.view(market) for market in player.store.markets()]
    deepest = max(views, key=lambda view: min(len(view.yes), len(view.no)))
    return comparison, book_at(tape, deepest.market, None)


def _exported(tape: Tape, place: Path) -> Path:
    """The same frames as other tools write them, packed: something to try `import` on."""
    plain, packed = place / "recording.jsonl", place / "recording.jsonl.gz"
    export_jsonl(tape, plain)
    with packed.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as out:
        out.write(plain.read_bytes())
    plain.unlink()
    return packed
