"""Records and small tapes as a recorder would write them: the same for the same arguments, a record a millisecond."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from capture.tape.disk import SystemDisk
from capture.tape.hotlog import HotSegment
from capture.tape.layout import FORMAT_VERSION, Label, Layout
from capture.tape.manifest import Manifest
from capture.tape.schema import RawBatch
from capture.tape.sealer import commit_segment, create_tape, write_batch
from core.records import Kind, Opened, Record, Session, encode_payload

DAY: Final = "2026-08-11"
START_NS: Final = 1_786_410_000_000_000_000  # 2026-08-11T01:00:00Z
_STEP_NS: Final = 1_000_000


def sample_records(count: int, *, start: int = 0, seed: int = 1, at_ns: int = START_NS) -> list[Record]:
    """`count` consecutive records from seq `start` on: frames of every sort, a ping now and then."""
    rng = random.Random(f"{seed}/{start}")
    return [
        Record(seq, at_ns + seq * _STEP_NS, 10**9 + seq * _STEP_NS, 1, *_content(seq, rng))
        for seq in range(start, start + count)
    ]


def session_records(count: int, *, seed: int = 1, stopped: bool = True) -> list[Record]:
    """A whole session of `count` records (at least 3): SESSION, OPENED, frames, and CLEAN_STOP unless it crashed."""
    records = sample_records(count, seed=seed)
    session = encode_payload(Session(uuid=f"session-{seed}", environment="test"))
    records[0] = _as(records[0], Kind.SESSION, session)
    records[1] = _as(records[1], Kind.OPENED, encode_payload(Opened(url="wss://example.test")))
    if stopped:
        records[-1] = _as(records[-1], Kind.CLEAN_STOP, b"{}")
    return records


def record_of(seq: int, payload: bytes, *, kind: Kind = Kind.FRAME) -> Record:
    """One record with this payload."""
    return Record(seq, START_NS + seq * _STEP_NS, 10**9 + seq * _STEP_NS, 1, kind, payload)


def only_payloads(records: Sequence[Record]) -> list[bytes]:
    """Their payloads."""
    return [record.payload for record in records]


def _as(record: Record, kind: Kind, payload: bytes) -> Record:
    return Record(record.seq, record.at_ns, record.mono_ns, 0, kind, payload)


def _content(seq: int, rng: random.Random) -> tuple[Kind, bytes]:
    market = f"KXTEST-{rng.randrange(4)}"
    turn = seq % 20
    if turn == 3:
        return Kind.FRAME_PING, b"heartbeat"
    if turn == 7:
        return Kind.FRAME, _snapshot(seq, market, rng)
    if turn == 11:
        return Kind.FRAME, _trade(market, rng)
    if turn == 13:
        return Kind.FRAME, b'{"type":"novelty","sid":9,"msg":{"n":%d}}' % rng.randrange(99)
    if turn == 17:
        return Kind.FRAME, bytes(rng.randrange(256) for _ in range(rng.randrange(30)))
    return Kind.FRAME, _delta(seq, market, rng)


def _delta(seq: int, market: str, rng: random.Random) -> bytes:
    price, size, side = rng.randrange(1, 9999), rng.randrange(-99999, 99999), rng.choice(("yes", "no"))
    sign = "-" if size < 0 else ""
    return (
        f'{{"type":"orderbook_delta","sid":2,"seq":{seq + 1},"msg":{{"market_ticker":"{market}",'
        f'"price_dollars":"0.{price:04d}","delta_fp":"{sign}{abs(size) // 100}.{abs(size) % 100:02d}","side":"{side}",'
        f'"ts_ms":{1_786_410_000_000 + seq}}}}}\n'
    ).encode()


def _snapshot(seq: int, market: str, rng: random.Random) -> bytes:
    prices = sorted(rng.sample(range(1, 9999), rng.randrange(5)))
    levels = ",".join(f'["0.{price:04d}","{rng.randrange(1, 500)}.00"]' for price in prices)
    return (
        f'{{"type":"orderbook_snapshot","sid":2,"seq":{seq + 1},"msg":{{"market_ticker":"{market}",'
        f'"yes_dollars_fp":[{levels}]}}}}\n'
    ).encode()


def _trade(market: str, rng: random.Random) -> bytes:
    price = rng.randrange(1, 9999)
    return (
        f'{{"type":"trade","sid":3,"seq":0,"msg":{{"trade_id":"{rng.getrandbits(64):016x}","market_ticker":"{market}",'
        f'"yes_price_dollars":"0.{price:04d}","no_price_dollars":"{(10_000 - price) / 10_000:.4f}",'
        f'"count_fp":"{rng.randrange(1, 99)}.00","taker_side":"yes","ts":1786410000,"ts_ms":1786410000123}}}}\n'
    ).encode()


def sealed_tape(root: Path, records: Sequence[Record], rows: int = 100) -> Manifest:
    """A tape with these records in sealed segments of so many rows."""
    manifest = create_tape(root, Label(FORMAT_VERSION, f"uuid-of-{root.name}", "test"))
    seal_more(manifest, records, rows)
    return manifest


def seal_more(manifest: Manifest, records: Sequence[Record], rows: int = 100) -> None:
    """Append sealed segments of so many rows."""
    for start in range(0, len(records), rows):
        commit_segment(manifest, write_batch(manifest, RawBatch.of(records[start : start + rows]), None))


def hot_segment(root: Path, number: int, records: Sequence[Record], previous_crc: int = 0) -> int:
    """Write a hot segment with these records (at least one); its last crc."""
    path = Layout(root).hot(number)
    segment = HotSegment.create(path, number, records[0].seq, previous_crc, disk=SystemDisk())
    for record in records:
        segment.append(record)
    segment.sync()
    segment.close()
    return segment.mark().crc


def mixed_tape(root: Path, records: Sequence[Record], *, sealed: int, rows: int = 100) -> Manifest:
    """A tape whose first `sealed` records are in sealed segments, the others in two hot segments."""
    manifest = sealed_tape(root, records[:sealed], rows)
    middle = (sealed + len(records)) // 2
    number = (manifest.last.number if manifest.last else 0) + 1
    crc = hot_segment(root, number, records[sealed:middle])
    hot_segment(root, number + 1, records[middle:], crc)
    return manifest
