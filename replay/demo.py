"""What the demonstration proves of a run that was just recorded: nothing lost, the same state, the same decisions.

Knows what to compare and what to show. Must not know who recorded, nor how text reaches people.
"""

import gzip
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from capture.tape.errors import TapeError, disk_error
from capture.tape.reader import Tape
from capture.tape.verify import verify
from core.actions import Decision, Place, decode_decision
from core.gaps import RECONNECT
from core.messages.types import BookDelta, BookSnapshot, Fill, Side
from core.money import format_money
from core.records import Kind
from replay.exporter import export_jsonl
from replay.picture import Mark, Price, price_lines
from replay.player import Player
from replay.run import Comparison, Span, compare
from replay.summary import summarize
from replay.twofold import BOTH
from replay.twofold import prove as prove_parity


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    """What the demonstration found. sent: frames that left the exchange; recorded: of them on the tape, byte for byte
    and in order. whole: verified deeply, no problem. reconnects: gaps that were made on purpose, and are on the tape.
    orders, fills: of the strategies. decisions: taken live and found equal in the replay, if `parity`. pnl: money won
    or lost, what is held counted at what it would bring. account_equal: cash, positions and fees as the exchange has
    them, nothing resting. picture: the price of the market that was traded most, with the fills.
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
    orders: int
    fills: int
    decisions: int
    parity: bool
    account_equal: bool
    pnl: int
    picture: tuple[str, ...]
    wall_s: float

    @property
    def holds(self) -> bool:
        """Whether everything is as promised."""
        is_whole = self.whole and self.equal and self.sent == self.recorded > 0 and not self.other_gaps
        return is_whole and self.parity and self.account_equal


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has at the end. positions: contracts (1/100) by market, without those of 0; resting: orders."""

    cash: int | None
    fees: int
    positions: dict[str, int]
    resting: int = 0


class Traded(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the one who ran it has it. sent: the text frames that left the exchange, in order. ours, theirs: the
    account as the strategies had it at the end, and as the exchange has it. pnl: money."""

    sent: tuple[bytes, ...]
    ours: Account
    theirs: Account
    pnl: int

    @property
    def is_settled(self) -> bool:
        """Whether both have the same account, and nothing rests."""
        return self.ours == self.theirs and not self.theirs.resting


def make_room(place: Path) -> Path:
    """Where the tape goes; raises TapeError when the directory is not empty, DiskError."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            raise TapeError(f"{place}: is not empty; choose a new directory for the demonstration")
    except OSError as error:
        raise disk_error(error, place, "make the demonstration here") from error
    return place / "tape"


def prove(place: Path, run: Traded, began_s: float, say: Callable[[str], None]) -> Demo:
    """Look at `place`/tape, telling each step as it comes; leaves `recording.jsonl.gz` beside it.

    began_s: when the demonstration began (perf_counter). Raises as `replay.twofold.prove`.
    """
    path = place / "tape"
    tape = Tape.open(path)
    found = summarize(tape)
    reconnects = sum(gap["reason"] == RECONNECT for gap in found.gaps)
    recorded = _compared(tape, run.sent, reconnects, len(found.gaps) - reconnects, say)
    report = verify(path, deep=True)
    say(f"4. verified  every frame decoded again and compared: {'whole' if report.whole else 'NOT WHOLE'}")
    comparison = compare(tape, Span())
    _say_states(comparison, say)
    judged = prove_parity(tape, BOTH)
    verdict = "equal, one by one" if judged.equal else "NOT EQUAL"
    say(f"6. parity    {judged.decisions:,} decisions live and in two replays of other hash seeds: {verdict}")
    fills = tuple(_fills(tape))
    _say_account(run, len(fills), say)
    recording = _exported(tape, place)
    return Demo(
        tape=str(path),
        recording=str(recording),
        markets=len(found.markets),
        sent=len(run.sent),
        recorded=recorded,
        reconnects=reconnects,
        other_gaps=len(found.gaps) - reconnects,
        recording_bytes=recording.stat().st_size,
        tape_bytes=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        whole=report.whole,
        equal=comparison.equal,
        state_digest=comparison.by_columns.state_digest,
        orders=sum(isinstance(decision.action, Place) for decision in _decisions(tape)),
        fills=len(fills),
        decisions=judged.decisions,
        parity=judged.equal,
        account_equal=run.is_settled,
        pnl=run.pnl,
        picture=tuple(_picture(tape, fills)),
        wall_s=round(time.perf_counter() - began_s, 3),
    )


def _compared(tape: Tape, sent: Sequence[bytes], reconnects: int, others: int, say: Callable[[str], None]) -> int:
    """How many frames of those sent are on the tape; 0 when they are not the same in the same order."""
    recorded = [record.payload for record in tape.records() if record.kind == Kind.FRAME]
    same = recorded == list(sent)
    say(
        f"3. compared  {len(sent):,} frames left the exchange, {len(recorded):,} are on the tape: "
        f"{'the same bytes in the same order' if same else 'NOT THE SAME'}; "
        f"{reconnects} gap where the connection was cut on purpose, {others} others"
    )
    return len(recorded) if same else 0


def _say_states(comparison: Comparison, say: Callable[[str], None]) -> None:
    by_bytes, by_columns = comparison.by_bytes, comparison.by_columns
    say(
        f"5. replayed  from the bytes ({by_bytes.frames_per_s:,.0f} frames a second) and from the columns "
        f"({by_columns.frames_per_s:,.0f}): {'the same state' if comparison.equal else 'DIFFERENT STATES'}"
    )
    say(f"             {by_columns.state_digest}")


def _say_account(run: Traded, fills: int, say: Callable[[str], None]) -> None:
    money = f"cash {format_money(run.theirs.cash or 0)}, fees {format_money(run.theirs.fees)}"
    verdict = "as the exchange has it, nothing rests" if run.is_settled else "NOT AS THE EXCHANGE HAS IT"
    say(f"7. account   {fills} fills, {money}: {verdict}")


def _decisions(tape: Tape) -> Iterator[Decision]:
    return (decode_decision(record.payload) for record in tape.records() if record.kind == Kind.DECISION)


def _fills(tape: Tape) -> Iterator[tuple[int, Fill]]:
    """Own fills with their records' seq."""
    for record, message in Player(tape, "columns", checkpoint_records=0).messages():
        if isinstance(message, Fill):
            yield record.seq, message


def _picture(tape: Tape, fills: Sequence[tuple[int, Fill]]) -> Iterator[str]:
    """The market with the most fills, else the first one that has a book: its prices, and the fills."""
    by_market = Counter(fill.market for _, fill in fills)
    player = Player(tape, "columns", checkpoint_records=0)
    market = by_market.most_common(1)[0][0] if by_market else ""
    prices: list[Price] = []
    marks: list[Mark] = []
    for _, step in player.play():
        message = step.message
        if isinstance(message, BookSnapshot | BookDelta) and message.market == (market or message.market):
            market = market or message.market
            window = player.store.window(market, step.now_ns)
            prices.append(Price(step.now_ns, window.bid, window.ask))
        elif isinstance(message, Fill) and message.market == market:
            marks.append(Mark(step.now_ns, message.price, message.side is Side.YES))
    yield f"{market}, price of yes in dollars; B we bought, S we sold"
    yield from price_lines(prices, marks)


def _exported(tape: Tape, place: Path) -> Path:
    """The same frames as other tools write them, packed: something to try `import` on."""
    plain, packed = place / "recording.jsonl", place / "recording.jsonl.gz"
    export_jsonl(tape, plain)
    with packed.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as out:
        out.write(plain.read_bytes())
    plain.unlink()
    return packed
