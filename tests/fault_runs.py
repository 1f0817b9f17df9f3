"""Runs that show what capture does about each fault of a WebSocket session, and the table of them in docs/FAULTS.md.

A run is a deck that records a local exchange which errs once; what comes of it is read from the tape afterwards. Knows
how to run, to judge and to write the table; which faults there are to run is in fault_cases. To write the table anew:
`PYTHONPATH=tests:. python tests/fault_runs.py`.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from exchange_venue import MARKETS
from fault_cases import CASES, ELSEWHERE, Case
from live import Live, live, until

from capture.limits import WireLimits
from capture.link import TOO_MANY_S
from core.desks import WANT
from core.engine import Engine
from core.records import Control, Kind, Record, Refused, decode_closed, decode_gap
from replay.exchange.framing import TEXT
from replay.exchange.local import SentSession

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "FAULTS.md"
BEGIN: Final = "<!-- the table of a run: begin -->"
END: Final = "<!-- the table of a run: end -->"
HEAD: Final = (
    "| fault | what capture recorded | gaps | health fell, rose after (s) | done about it | books afterwards |",
    "|---|---|---|---|---|---|",
)
LIMITS: Final = WireLimits(
    connect_s=0.5, silent_s=0.6, message_s=0.5, close_s=0.3, poll_s=0.02, max_message_bytes=64 << 10
)
"""Real numbers: 10 s, 25 s, 25 s, 1 s, 0.25 s, 8 MiB."""


_MARKET: Final = re.compile("|".join(MARKETS))
GOODBYE_RECORDS: Final = 8
"""So many records, at most, follow our last close frame."""


@dataclass(frozen=True, slots=True)
class Row:
    """What came of a fault. lost: frames that reached our side of the wire and are not on the tape.

    fell_s: from the fall of health to its rise for good; -1 = it did not fall, -2 = it did not rise during the run.
    """

    fault: str
    recorded: str
    gaps: tuple[str, ...]
    fell_s: float
    repair: str
    is_equal: bool
    lost: int

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """All but the times: the same in every run."""
        books = "equal the exchange's" if self.is_equal else "not awaited"
        return (f"**`{self.fault}`**", self.recorded, ", ".join(self.gaps) or "none", self.repair, books)

    @property
    def line(self) -> str:
        """The row in Markdown."""
        fault, recorded, gaps, repair, books = self.cells
        took = {-1: "did not fall", -2: "fell, not awaited"}.get(int(self.fell_s), f"fell, {self.fell_s:.3f}")
        return f"| {fault} | {recorded} | {gaps} | {took} | {repair} | {books} |"


def cells_of(line: str) -> tuple[str, str, str, str, str]:
    """A row's cells without its time, from its Markdown."""
    fault, recorded, gaps, _, repair, books = (cell.strip() for cell in line.strip("|").split(" | "))
    return fault, recorded, gaps, repair, books


def run(case: Case, root: Path) -> Row:
    """Let the exchange err while a deck records it, until all is right again; what came of it."""
    options: dict[str, Any] = {"limits": LIMITS} | dict(case.options)
    with live(root, server={"ping_every_s": 0.1}, **options) as found:
        until(lambda: found.deck.status().lag_records == 0, "the fold")
        marker = found.writer.head_seq
        case.act(found, case.fault)
        if case.is_awaited:
            _await_all(case, found)
        found.deck.stop()
        is_equal = case.is_awaited and all(found.is_right(market) for market in MARKETS)
        sessions, records = found.exchange.sent, found.records()
        assert found.exchange.injected, "the fault was never done"
    kept = "every frame until capture hung up" if case.may_lose else "every frame"
    return Row(
        fault=case.fault,
        recorded="; ".join(filter(None, (kept, _recorded(records, marker)))),
        gaps=gap_reasons(records),
        fell_s=_fell_s(records, marker),
        repair=_repair(records, marker) if case.is_awaited else f"waits {TOO_MANY_S:g} s, then connects anew",
        is_equal=is_equal,
        lost=_lost(sessions, records),
    )


def _await_all(case: Case, found: Live) -> None:
    def is_over() -> bool:
        status = found.deck.status()
        seen = status.gaps >= len(case.gaps) and status.slots[0].link.connected >= case.connections
        return seen and bool(found.exchange.injected) and status.healthy

    until(is_over, f"the end of {case.fault}")
    found.wait_right()
    for market in MARKETS:  # and the books go on being right
        found.say(market=market)
    found.wait_right()
    found.wait_healthy()


def gap_reasons(records: list[Record]) -> tuple[str, ...]:
    """The gaps that a replay finds, in order, each once."""
    engine, reasons = Engine(), dict[int, str]()
    for record in records:
        for gap in engine.step(record).gaps:
            reasons[gap.number] = gap.reason
    return tuple(reasons.values())


def _states(records: list[Record]) -> Iterator[tuple[int, int, bool]]:
    """After each record: its seq, the tape's time, and whether all is right.

    Right: a connection is open, no gap is, and every wanted book is trusted.
    """
    engine, wanted = Engine(), dict[str, None]()
    for record in records:
        engine.step(record)
        if record.kind == Kind.CONTROL:
            control = msgspec.json.decode(record.payload, type=Control)
            for market in control.markets:
                wanted.pop(market, None)
            wanted.update(dict.fromkeys(control.markets if control.action == WANT else ()))
        is_open = any(view.is_open for view in engine.connections.views())
        is_right = is_open and not engine.connections.open_gaps
        yield record.seq, engine.now_ns, is_right and all(engine.store.view(market).trusted for market in wanted)


def _fell_s(records: list[Record], marker: int) -> float:
    """See Row. What follows the goodbye says nothing."""
    goodbye = [record.seq for record in records if record.kind == Kind.SENT_CLOSE]
    until_seq = goodbye[-1] if goodbye and records[-1].seq - goodbye[-1] < GOODBYE_RECORDS else records[-1].seq
    fell_ns = rose_ns = 0
    was_right = True
    for seq, now_ns, is_right in _states(records):
        if marker < seq < until_seq and is_right != was_right:
            was_right = is_right
            fell_ns = fell_ns or now_ns
            rose_ns = now_ns if is_right else 0
    if not fell_ns:
        return -1.0
    return (rose_ns - fell_ns) / 1e9 if rose_ns else -2.0


def _recorded(records: list[Record], marker: int) -> str:
    """What of the fault is on the tape, in words that do not depend on the moment."""
    before, engine = Engine(), Engine()
    for record in records:
        engine.step(record)
        if record.seq <= marker:
            before.step(record)
    words = dict[str, None]()
    for name, now, then in (
        ("unreadable", engine.counts.malformed, before.counts.malformed),
        ("new", engine.counts.unknown, before.counts.unknown),
        ("not applied", engine.counts.rejected, before.counts.rejected),
    ):
        words.update(dict.fromkeys(f"{name}: {what}" for what in sorted(now) if now[what] > then.get(what, 0)))
    for record in records[marker + 1 :]:
        if record.kind == Kind.REFUSED:
            words[f"REFUSED {msgspec.json.decode(record.payload, type=Refused).reason}"] = None
        elif record.kind == Kind.GAP_CLOSE:
            words[f"GAP_CLOSE {decode_gap(record.payload).reason}"] = None
        elif record.kind == Kind.CLOSED and not decode_closed(record.payload).final:
            closed = decode_closed(record.payload)
            cause = closed.reason.partition(": ")[0]  # what follows are the system's words, or numbers
            words[f"CLOSED {closed.code}: {cause}" if closed.code else f"CLOSED: {cause}"] = None
    return _MARKET.sub("a market", "; ".join(words))


def _repair(records: list[Record], marker: int) -> str:
    """What was done: connections made, and what was asked of the exchange, each once."""
    done = dict[str, None]()
    for record in records[marker + 1 :]:
        if record.kind == Kind.OPENED:
            done["connected anew"] = None
        elif record.kind == Kind.SENT:
            command = msgspec.json.decode(record.payload)
            params = command.get("params", {})
            done[params.get("action", command["cmd"])] = None
    return ", ".join(done) or "nothing"


def _lost(sessions: tuple[SentSession, ...], records: list[Record]) -> int:
    """How many text frames that the exchange sent are not on the tape; those that are must be the same, in order."""
    numbers = [record.connection for record in records if record.kind == Kind.OPENED]
    lost = 0
    for number, session in zip(numbers, sessions, strict=True):
        sent = [frame.payload for frame in session.kept if frame.opcode == TEXT]
        kept = [record.payload for record in records if record.kind == Kind.FRAME and record.connection == number]
        assert kept == sent[: len(kept)], "the tape has other frames than the exchange sent"
        lost += len(sent) - len(kept)
    return lost


def table(rows: list[Row]) -> str:
    """The section between the markers."""
    rest = [f"| **`{fault}`** | {what} | see `{name}` in `{file}` |" for fault, file, name, what in ELSEWHERE]
    head = ("| fault of REST | what is recorded and done | test |", "|---|---|---|")
    return "\n".join([BEGIN, "", *HEAD, *(row.line for row in rows), "", *head, *rest, "", END])


def documented() -> str:
    """The section as it stands in the document; ValueError when there is none."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return text[text.index(BEGIN) : text.index(END) + len(END)]


def main() -> None:
    """Run all cases and write the table."""
    rows = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as root:
            rows.append(run(case, Path(root)))
        sys.stdout.write(rows[-1].line + "\n")
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(text.replace(documented(), table(rows)), encoding="utf-8")


if __name__ == "__main__":
    main()
