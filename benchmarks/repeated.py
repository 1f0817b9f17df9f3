"""Real recordings, one after the other and again and again, until there are as many frames as are wanted.

`repeated PLACE SOURCE FRAMES`: a tape, the same frames as packed lines of JSON, and the same in SQLite, with what
making them took. SOURCE: a tape of them, once. Each repetition is four hours later than the one before, its markets
have other tickers, its trades other ids, and its connections are new: these and the times of receipt and of the
exchange are altered in the frames' text, everything else is as it was sent.
"""

import gzip
import json
import re
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from benchmarks.prepare import units
from capture.tape.reader import Tape
from core.records import Kind, Record
from replay.dialects.btc15m import CONNECTED, Line
from replay.importer import ImportOptions, import_recording
from replay.summary import mark

PERIOD_S: Final = 4 * 3_600
"""What lies between the beginnings of two repetitions: the recordings, put together, last less than that."""

BREAK_S: Final = 900
"""The gold recordings are of another month: they are moved by whole hours, so long or more after the bitcoin ones."""

ROWS_AT_ONCE: Final = 20_000
FILE_LINES: Final = 250_000
"""Lines of a packed file: there are several, for DuckDB unpacks one with one thread."""

_ALTERED: Final = re.compile(
    rb'"ts_ms":(?P<ms>\d{13})|"ts":(?P<s>\d{10})(?=[,}])|"(?P<hour>20\d\d-\d\d-\d\dT\d\d):'
    rb'|"market_ticker":"(?P<market>[^"]+)"|"trade_id":"(?P<trade>[0-9a-f]{8})'
)
_NUMBERED: Final = re.compile(rb'"sid":(?P<sid>\d+),"seq":(?P<seq>\d+)')
_TICKER: Final = re.compile(r"(?P<series>\w+-)(?P<time>\d\d[A-Z]{3}\d{6})(?P<rest>-\d\d)")
_TICKER_TIME: Final = "%y%b%d%H%M"
_NS: Final = 10**9

TABLES: Final = """
    create table frames (seq integer primary key, at_ns, connection, type, market, side, price, size, us);
    create table levels (seq, side, price, size, primary key (seq, side, price)) without rowid;
"""
INDEXES: Final = """
    create index by_market on frames (market, type, seq);
    create index by_type on frames (type, market, seq);
    create index by_time on frames (at_ns);
    analyze;
"""


class Part(NamedTuple):
    """A frame of one repetition, or a connection opened (frame None)."""

    at_ns: int
    connection: int
    frame: bytes | None


class Shift:
    """Alters the times and tickers in frames of one repetition, by so many seconds."""

    def __init__(self, shift_s: int) -> None:
        self.shift_s = shift_s
        self._seen: dict[bytes, bytes] = {}

    def frame(self, payload: bytes) -> bytes:
        """A frame as it would have been sent so much later."""
        return _ALTERED.sub(self._alter, payload)

    def _alter(self, found: re.Match[bytes]) -> bytes:
        kind, text = found.lastgroup, found[0]
        if kind == "ms":
            return b'"ts_ms":%d' % (int(found["ms"]) + self.shift_s * 1_000)
        if kind == "s":
            return b'"ts":%d' % (int(found["s"]) + self.shift_s)
        if kind == "trade":  # else the store would take it for one that it has
            return b'"trade_id":"%08x' % (int(found["trade"], 16) ^ self.shift_s)
        if text not in self._seen:
            make = self._hour if kind == "hour" else self._market
            self._seen[text] = make(found[kind or ""].decode())
        return self._seen[text]

    def _hour(self, text: str) -> bytes:
        later = datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC) + timedelta(seconds=self.shift_s)
        return f'"{later:%Y-%m-%dT%H}:'.encode()

    def _market(self, ticker: str) -> bytes:
        if not self.shift_s:
            return f'"market_ticker":"{ticker}"'.encode()
        found = _TICKER.fullmatch(ticker)
        assert found is not None, ticker
        time_ = datetime.strptime(found["time"].title(), _TICKER_TIME).replace(tzinfo=UTC)
        later = f"{time_ + timedelta(seconds=self.shift_s):{_TICKER_TIME}}".upper()
        return f'"market_ticker":"{found["series"]}{later}{found["rest"]}"'.encode()


def parts(source: Tape, number: int) -> Iterator[Part]:
    """One repetition of a tape; the first is number 0. A connection begins where the tape's does, or numbers fall."""
    socket, numbers, key = number * 100, dict[bytes, int](), (0, 0)
    session = moved_s = last_ns = 0
    shift = Shift(0)
    for record in source.records():
        if record.kind == Kind.SESSION:
            session += 1
            if last_ns:
                moved_s = -(-((last_ns - record.at_ns) // _NS + BREAK_S) // 3_600) * 3_600
            shift = Shift(number * PERIOD_S + moved_s)
        if record.kind != Kind.FRAME:
            continue
        at_ns, last_ns = record.at_ns + shift.shift_s * _NS, max(last_ns, record.at_ns + moved_s * _NS)
        found = _NUMBERED.search(record.payload)
        falls = found is not None and int(found["seq"]) <= numbers.get(found["sid"], -1)
        if falls or key != (session, record.connection):
            key, socket = (session, record.connection), socket + 1
            numbers.clear()
            yield Part(at_ns, socket, None)
        if found is not None:
            numbers[found["sid"]] = int(found["seq"])
        yield Part(at_ns, socket, shift.frame(record.payload))


def write_recordings(place: Path, source: Tape, frames: int) -> list[Path]:
    """Files of a recording with so many frames in all, one for each repetition."""
    files, left = list[Path](), frames
    encode = msgspec.json.Encoder().encode_lines
    while left:
        files.append(place / f"part-{len(files):02d}.jsonl.gz")
        with gzip.open(files[-1], "wb", 1) as out:
            lines: list[Line] = []
            for part in parts(source, len(files) - 1):
                if not left:
                    break
                left -= part.frame is not None
                if part.frame is None:
                    lines.append(Line(part.at_ns, part.connection, event=CONNECTED))
                else:
                    lines.append(Line(part.at_ns, part.connection, part.frame.decode()))
                if len(lines) == ROWS_AT_ONCE:
                    out.write(encode(lines))
                    lines.clear()
            out.write(encode(lines))
    return files


def write_lines(place: Path, tape: Tape) -> list[Path]:
    """The frames of a tape as packed lines: a record's number, when it was received, its connection, the frame."""
    place.mkdir(exist_ok=True)
    records = (record for record in tape.records() if record.kind in (Kind.FRAME, Kind.OPENED))
    files: list[Path] = []
    while lines := list(islice(records, FILE_LINES)):
        files.append(place / f"lines-{len(files):02d}.jsonl.gz")
        with gzip.open(files[-1], "wb", 6) as out:
            for record in lines:
                out.write(line_of(record))
    return files


def line_of(record: Record) -> bytes:
    """A record as a plain recorder writes it."""
    frame = record.payload.rstrip(b"\n") if record.kind == Kind.FRAME else b"null"
    return b'{"n":%d,"recv_ns":%d,"conn":%d,"frame":%b}\n' % (record.seq, record.at_ns, record.connection, frame)


def load_sqlite(path: Path, files: list[Path]) -> None:
    """The lines as a table with indexes, and the levels of snapshots as another."""
    decode = msgspec.json.Decoder().decode
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("pragma journal_mode = off; pragma synchronous = off;" + TABLES)
        frames: list[tuple[Any, ...]] = []
        levels: list[tuple[Any, ...]] = []
        for file in files:
            with gzip.open(file, "rb") as lines:
                for line in lines:
                    add_rows(decode(line), frames, levels)
                    if len(frames) >= ROWS_AT_ONCE:
                        _insert(connection, frames, levels)
            _insert(connection, frames, levels)
        connection.executescript(INDEXES)


def add_rows(line: dict[str, Any], frames: list[tuple[Any, ...]], levels: list[tuple[Any, ...]]) -> None:
    """A line as a row of `frames`, and of `levels` for each level of a snapshot."""
    seq, frame = line["n"], line["frame"]
    if frame is None:
        frames.append((seq, line["recv_ns"], line["conn"], None, None, None, None, None, None))
        return
    kind, msg = frame["type"], frame.get("msg") or {}
    side = price = size = None
    if kind == "orderbook_delta":
        side, price, size = msg["side"], units(msg["price_dollars"], 4), units(msg["delta_fp"], 2)
    elif kind == "trade":
        side, price, size = msg["taker_side"], units(msg["yes_price_dollars"], 4), units(msg["count_fp"], 2)
    elif kind == "orderbook_snapshot":
        for of in ("yes", "no"):
            levels += [(seq, of, units(p, 4), units(s, 2)) for p, s in msg.get(f"{of}_dollars_fp", ())]
    us = _us(msg)
    frames.append((seq, line["recv_ns"], line["conn"], kind, msg.get("market_ticker"), side, price, size, us))


def _us(msg: dict[str, Any]) -> int | None:
    """The exchange's time, by the finest of its fields: text with microseconds where there is one."""
    text = msg.get("ts") if isinstance(msg.get("ts"), str) else msg.get("time")
    if isinstance(text, str):
        return int(datetime.fromisoformat(text).timestamp()) * 1_000_000 + datetime.fromisoformat(text).microsecond
    return msg["ts_ms"] * 1_000 if "ts_ms" in msg else None


def _insert(connection: sqlite3.Connection, frames: list[tuple[Any, ...]], levels: list[tuple[Any, ...]]) -> None:
    connection.executemany("insert into frames values (?, ?, ?, ?, ?, ?, ?, ?, ?)", frames)
    connection.executemany("insert into levels values (?, ?, ?, ?)", levels)
    connection.commit()
    frames.clear()
    levels.clear()


def make(place: Path, source: Path, frames: int) -> None:
    """Everything, and in `about.json` the CPU seconds that it took, ours and SQLite's."""
    place.mkdir(parents=True, exist_ok=True)
    files = write_recordings(place, Tape.open(source), frames)
    began = time.process_time()
    import_recording(files, place / "tape", ImportOptions(filtered=True))
    mark(Tape.open(place / "tape"))  # as the command does
    imported = time.process_time() - began
    for file in files:
        file.unlink()
    lines = write_lines(place / "lines", Tape.open(place / "tape"))
    began = time.process_time()
    load_sqlite(place / "frames.sqlite", lines)
    loaded = time.process_time() - began
    about = {"frames": frames, "import_cpu_s": imported, "sqlite_cpu_s": loaded}
    (place / "about.json").write_text(json.dumps(about), encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
