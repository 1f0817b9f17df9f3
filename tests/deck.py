"""Feeds an engine by hand or from a real recording, for tests of `core`: records in, steps out."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
from recordings import lines_of
from tapes import TAPES

from core.engine import Engine, Step
from core.messages import (
    BookDelta,
    BookSnapshot,
    Level,
    Malformed,
    Message,
    Ok,
    Side,
    Subscribed,
    Ticker,
    Trade,
    decode,
)
from core.records import Closed, Coverage, Kind, Opened, Record, Session, StoredGap, encode_payload

Told: TypeAlias = tuple[Record, Any]
"""A record and its message (Message, Malformed, or None where it is no text frame), as a test takes them to be."""

START_NS: Final = 1_786_407_000_000_000_000
MS: Final = 1_000_000
SECOND: Final = 1_000_000_000

GOLD: Final = Coverage(connections=False, control=False, sent=False, filtered=True)
BTC: Final = Coverage(connections=True, control=False, sent=False)
HOURLY: Final = Coverage(connections=False, control=False, sent=False)

GOLD_WINDOWS: Final = ("101900-00", "102000-00", "102030-30", "102115-15")
OUTAGE: Final = TAPES / "btc15m" / "outage-22s.jsonl.gz"
SHORT: Final = TAPES / "btc15m" / "short-30s.jsonl.gz"
HOURLY_FRAMES: Final = TAPES / "hourly-btc" / "kalshi_ws_frames.jsonl"


def snapshot(
    seq: int, market: str = "M", yes: tuple[Level, ...] = ((4_000, 100),), no: tuple[Level, ...] = (), sid: int = 1
) -> BookSnapshot:
    return BookSnapshot(sid=sid, seq=seq, market=market, yes=yes, no=no)


def delta(
    seq: int, price: int = 4_000, change: int = 10, side: Side = Side.YES, *, market: str = "M", sid: int = 1
) -> BookDelta:
    return BookDelta(sid=sid, seq=seq, market=market, side=side, price=price, delta=change)


def trade(
    seq: int, trade_id: str = "", *, market: str = "M", sid: int = 2, price: int = 4_000, count: int = 5
) -> Trade:
    return Trade(
        sid=sid, seq=seq, market=market, trade_id=trade_id or f"t{seq}", price=price, count=count, taker=Side.YES
    )


def ticker(market: str = "M", sid: int = 3, **values: Any) -> Ticker:
    return Ticker(sid=sid, market=market, **values)


def subscribed(sid: int = 1, channel: str = "orderbook_delta", command: int = 1) -> Subscribed:
    return Subscribed(sid=sid, channel=channel, id=command)


def ok(seq: int, *markets: str, sid: int = 1) -> Ok:
    return Ok(sid=sid, seq=seq, markets=markets)


class Deck:
    """An engine in a session of its own, and a clock that moves a millisecond a record."""

    def __init__(self, coverage: Coverage | None = None, engine: Engine | None = None) -> None:
        self.engine = Engine() if engine is None else engine
        self.now_ns = START_NS
        self.session(coverage or Coverage())

    def put(
        self, kind: Kind, payload: msgspec.Struct | bytes = b"", *, connection: int = 0, after_ns: int = MS
    ) -> Step:
        """Step a record of this kind."""
        return self._step(kind, payload, connection, after_ns, None)

    def frame(self, message: Message | Malformed, *, connection: int = 1, after_ns: int = MS) -> Step:
        """Step a text frame that says this."""
        return self._step(Kind.FRAME, b"", connection, after_ns, message)

    def session(self, coverage: Coverage | None = None, base: Any = None) -> Step:
        """Step a SESSION."""
        return self.put(Kind.SESSION, Session("a-uuid", "prod", coverage=coverage or Coverage(), base=base))

    def opened(self, connection: int, replaces: int = 0, *, after_ns: int = MS) -> Step:
        """Step an OPENED."""
        return self.put(Kind.OPENED, Opened(replaces=replaces), connection=connection, after_ns=after_ns)

    def closed(self, connection: int, *, after_ns: int = MS) -> Step:
        """Step a CLOSED."""
        return self.put(Kind.CLOSED, Closed(), connection=connection, after_ns=after_ns)

    def sent(self, command: dict[str, Any], connection: int = 1) -> Step:
        """Step a SENT text frame."""
        return self.put(Kind.SENT, json.dumps(command).encode(), connection=connection)

    def gap_record(self, kind: Kind, gap: StoredGap) -> Step:
        """Step a GAP_OPEN or GAP_CLOSE."""
        return self.put(kind, gap)

    def trusted(self, market: str = "M") -> bool:
        """Is the book of this market trusted now?"""
        return self.engine.store.view(market).trusted

    def _step(self, kind: Kind, payload: msgspec.Struct | bytes, connection: int, after_ns: int, message: Any) -> Step:
        self.now_ns += after_ns
        raw = payload if isinstance(payload, bytes) else encode_payload(payload)
        seq = max(self.engine.next_seq, 0)
        return self.engine.step(Record(seq, self.now_ns, 0, connection, kind, raw), message)


def session_record(coverage: Coverage) -> Record:
    """The first record of an imported recording."""
    return Record(0, 0, 0, 0, Kind.SESSION, encode_payload(Session("a-uuid", "prod", coverage=coverage)))


def records_of(path: Path, first_seq: int = 1) -> Iterator[Record]:
    """The records an import of a recording consists of, its SESSION left out, by plain reading."""
    open_now = 0
    for seq, line in enumerate(lines_of(path), start=first_seq):
        entry = json.loads(line)
        if "recv_ms" in entry:
            frame = line[line.index(b',"event":') + 9 : -1]
            yield Record(seq, entry["recv_ms"] * MS, 0, 1, Kind.FRAME, frame)
        elif "event" in entry:
            number = entry["conn"]
            yield Record(seq, entry["recv_ns"], 0, number, Kind.OPENED, encode_payload(Opened(replaces=open_now)))
            open_now = number
        else:
            at_ns = entry["recv_ns"] if "recv_ns" in entry else entry["recv_ts_ns"]
            yield Record(seq, at_ns, 0, entry.get("conn", 1), Kind.FRAME, entry["raw"].encode())


def gold_files(window: str) -> list[Path]:
    """The files of a gold15m window, in order."""
    return sorted((TAPES / "gold15m" / window).glob("*.ndjson.gz"))


@cache
def told(*paths: Path) -> tuple[Told, ...]:
    """Records of a recording's files with their messages, decoded once a process."""
    records: list[Record] = []
    for path in paths:
        records += records_of(path, len(records) + 1)
    return tuple((record, decode(record.payload) if record.kind == Kind.FRAME else None) for record in records)


def begun(coverage: Coverage) -> Engine:
    """An engine that has stepped the SESSION of an imported recording."""
    engine = Engine()
    engine.step(session_record(coverage))
    return engine
