"""What is left of the sessions of a tape: ids, and the day's money."""

from pathlib import Path

import msgspec
from lives import CALM
from writing import session

from capture.tape.writer import TapeWriter
from capture.trading.earlier import Earlier, earlier
from core.actions import Progress, RunTerms
from core.records import Kind, encode_payload

RUN = msgspec.to_builtins(RunTerms())


def write(tape: Path, number: int, *progress: Progress, trades: bool = True) -> str:
    """A session; its nonce."""
    uuid = f"6f1c1f0e-0000-4000-8000-{number:012d}"
    told = msgspec.structs.replace(session(), uuid=uuid, run=RUN if trades else None)
    if number == 1:
        writer = TapeWriter.create(tape, "demo", told, options=CALM)
    else:
        writer = TapeWriter.open(tape, "demo", told, options=CALM)
    for each in progress:
        writer.append(Kind.PROGRESS, encode_payload(each))
    writer.close()
    return uuid.replace("-", "")


def test_where_there_is_no_tape_there_is_nothing(tmp_path: Path) -> None:
    assert earlier(tmp_path / "none") == Earlier()


def test_all_sessions_with_strategies_count_and_the_last_progress(tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    first = write(tape, 1, Progress(1, 0, 20_000, -5), Progress(2, 0, 20_001, -7, halted=True))
    write(tape, 2, trades=False)
    last = write(tape, 3)  # killed before it said anything
    assert earlier(tape) == Earlier(frozenset({first, last}), 20_001, -7, halted=True)
