"""What of its tapes a backtest plays: each as a whole, between two instants, or on some UTC days only.

Knows which days a tape has frames of. Must not know strategies. Times in Unix ns of the tape's clock.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

import msgspec
import numpy as np

from capture.tape.buffers import flat
from capture.tape.reader import Tape
from core.errors import ConfigError
from core.records import Kind
from core.times import SECOND_NS

DAY_NS: Final = 86_400 * SECOND_NS

_EPOCH: Final = date(1970, 1, 1).toordinal()


class Span(msgspec.Struct, frozen=True):
    """A stretch of a tape. from_ns: when strategies begin; until_ns: the last instant that is played; None = as the
    tape does."""

    tape: Tape
    from_ns: int | None = None
    until_ns: int | None = None


def day_ns(day: str) -> int:
    """When a UTC day such as "2026-08-11" begins; raises ConfigError."""
    try:
        return (date.fromisoformat(day).toordinal() - _EPOCH) * DAY_NS
    except ValueError:
        raise ConfigError(f"{day!r} is no UTC day; write it as 2026-08-11") from None


def days_of(tape: Tape) -> tuple[str, ...]:
    """The UTC days of which a tape has frames, in order."""
    found: set[int] = set()
    for table in tape.tables(["kind", "at_ns"]):
        is_frame = flat(table.column("kind")) == Kind.FRAME
        found.update(np.unique(flat(table.column("at_ns"))[is_frame] // DAY_NS).tolist())
    return tuple(date.fromordinal(_EPOCH + day).isoformat() for day in sorted(found))


def on_days(tape: Tape, days: Sequence[str]) -> list[Span]:
    """The stretches of a tape on these days; days that follow each other are one.

    What comes before a tape's first day or after its last one goes with that day: answers that were fetched later.
    """
    own = days_of(tape)
    spans: list[Span] = []
    last = ""
    for before, day in zip(("", *own), own, strict=False):
        if day not in days:
            continue
        until_ns = None if day == own[-1] else day_ns(day) + DAY_NS - 1
        if last and last == before:
            spans[-1] = msgspec.structs.replace(spans[-1], until_ns=until_ns)
        else:
            spans.append(Span(tape, None if day == own[0] else day_ns(day), until_ns))
        last = day
    return spans


def between(span: Span, from_ns: int | None, until_ns: int | None) -> Span | None:
    """What of a span lies between two instants, None = nothing."""
    first = max((at_ns for at_ns in (span.from_ns, from_ns) if at_ns is not None), default=None)
    last = min((at_ns for at_ns in (span.until_ns, until_ns) if at_ns is not None), default=None)
    return None if first is not None and last is not None and first > last else Span(span.tape, first, last)
