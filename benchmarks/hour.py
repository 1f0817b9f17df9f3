"""An hour of a busy exchange as a sealed tape: 2,000 frames a second over 200 markets, decisions and gaps in it.

The frames are those of `replay.synthetic`, received faster than their own clocks say; a connection is lost some times.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.measure import QUICK
from capture.tape.layout import FORMAT_VERSION, Label
from capture.tape.reader import Tape
from capture.tape.schema import GROUP_ROWS, RawBatch
from core.actions import BookSide, Decision, Done, Outcome, Place, RunTerms, StrategySpec
from core.records import Closed, Kind, Opened, Record, Session, encode_payload
from replay.assembly import Assembly
from replay.summary import mark
from replay.synthetic import START_NS, Plan, recording

FRAMES: Final = 20_000 if QUICK else 7_200_000
MARKETS: Final = 20 if QUICK else 200
RECONNECTS: Final = 4
PACE: Final = 19
"""How many times faster: the made exchange sends 104 frames a second."""

DECIDED: Final = 5_000
"""Frames from one decision to the next: two and a half seconds."""


def hour(place: Path) -> Path:
    """The tape, made now if it is not there, with the checkpoints that a recorder or an import leaves."""
    path = place / f"hour-{FRAMES}-{MARKETS}"
    if not path.exists():
        with Assembly(path, Label(FORMAT_VERSION, "an hour", "benchmark")) as tape:
            records = _records()
            while batch := list(islice(records, GROUP_ROWS)):
                tape.seal(RawBatch.of(batch))
            tape.finish()
        mark(Tape.open(path))
    return path


def _records() -> Iterator[Record]:
    """One session, a decision and its outcome after each DECIDED frames."""
    run = RunTerms((StrategySpec("quoter", "benchmarks:Quoter"),))
    session = Session("hour", "benchmark", run=run)
    yield Record(0, START_NS, 0, 0, Kind.SESSION, encode_payload(session))
    seq, decided, at_ns, last = 1, 0, START_NS, 0
    for event in recording(Plan(frames=FRAMES, markets=MARKETS, reconnects=RECONNECTS)):
        at_ns = START_NS + (event.at_ns - START_NS) // PACE
        if event.frame is None:
            if last:
                yield Record(seq, at_ns, 0, last, Kind.CLOSED, encode_payload(Closed(1006, "gone")))
                seq += 1
            opened = Opened("wss://example.test", last)
            yield Record(seq, at_ns, 0, event.connection, Kind.OPENED, encode_payload(opened))
            seq, last = seq + 1, event.connection
            continue
        yield Record(seq, at_ns, 0, event.connection, Kind.FRAME, event.frame.encode())
        seq += 1
        if seq % DECIDED == 0:
            decided += 1
            market = f"KXDEMO-26SEP21-T{1 + decided % 5}"
            place = Place(market=market, client_order_id=f"order-{decided}", side=BookSide.BID, price=4_000, count=100)
            decision = Decision(decided, seq - 1, 0, "quoter", place)
            outcome = Outcome(decided, Done.DONE, 201, order_id=f"number-{decided}", filled=0, remaining=100)
            yield Record(seq, at_ns, 0, 0, Kind.DECISION, encode_payload(decision))
            yield Record(seq + 1, at_ns, 0, 0, Kind.OUTCOME, encode_payload(outcome))
            seq += 2
    yield Record(seq, at_ns, 0, 0, Kind.CLEAN_STOP, b"{}")
