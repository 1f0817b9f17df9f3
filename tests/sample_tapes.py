"""Small tapes with a story, for tests of what reads tapes: a scripted recording, sealed in segments of any size."""

from pathlib import Path
from typing import Final, Self, TypeVar

import msgspec

from capture.tape.layout import FORMAT_VERSION, Label
from capture.tape.reader import Tape
from capture.tape.schema import RawBatch
from capture.tape.sealer import commit_segment, create_tape, write_batch
from core.records import Closed, Coverage, Kind, Opened, Record, Session, encode_payload

START_NS: Final = 1_786_410_000_000_000_000  # 2026-08-11T01:00:00Z
SECOND: Final = 1_000_000_000
MILLI: Final = 1_000_000

Levels = list[tuple[str, str]]


S = TypeVar("S", bound="Script")


class Script:
    """Writes a recording line by line; every record comes `step_ns` after the one before unless `wait` says more.

    Numbers of a subscription are kept as the exchange keeps them; `skip` leaves some out.
    """

    def __init__(self, *, step_ns: int = MILLI, start_ns: int = START_NS, mono: bool = False) -> None:
        self.records: list[Record] = []
        self.now_ns = start_ns
        self._step_ns = step_ns
        self._start_ns = start_ns
        self._mono = mono
        self.numbers: dict[tuple[int, int], int] = {}

    def session(self, *, coverage: Coverage | None = None, environment: str = "test") -> Self:
        """A new session."""
        self.numbers.clear()
        payload = Session(f"session-{len(self.records)}", environment, coverage=coverage or Coverage())
        return self.put(Kind.SESSION, encode_payload(payload), 0)

    def opened(self, connection: int = 1, *, replaces: int = 0) -> Self:
        """A socket is up."""
        return self.put(Kind.OPENED, encode_payload(Opened("wss://example.test", replaces)), connection)

    def closed(self, connection: int = 1) -> Self:
        """A socket is down."""
        return self.put(Kind.CLOSED, encode_payload(Closed(1006, "gone")), connection)

    def ping(self, connection: int = 1) -> Self:
        """A heartbeat of the exchange."""
        return self.put(Kind.FRAME_PING, b"heartbeat", connection)

    def stop(self) -> Self:
        """A clean end."""
        return self.put(Kind.CLEAN_STOP, b"{}", 0)

    def subscribed(self, sid: int = 1, channel: str = "orderbook_delta", *, connection: int = 1) -> Self:
        """The exchange accepted a subscription."""
        body = {"type": "subscribed", "id": sid, "msg": {"channel": channel, "sid": sid}}
        return self.frame(body, connection)

    def snapshot(self, market: str, yes: Levels, no: Levels, *, sid: int = 1, connection: int = 1) -> Self:
        """A whole book."""
        sides = {"yes_dollars_fp": yes, "no_dollars_fp": no}
        held = {name: levels for name, levels in sides.items() if levels}
        return _numbered(self, "orderbook_snapshot", {"market_ticker": market, **held}, sid, connection)

    def delta(self, market: str, side: str, price: str, size: str, *, sid: int = 1, connection: int = 1) -> Self:
        """A change of one level."""
        body = {
            "market_ticker": market,
            "price_dollars": price,
            "delta_fp": size,
            "side": side,
            "ts_ms": self.now_ns // MILLI,
        }
        return _numbered(self, "orderbook_delta", body, sid, connection)

    def trade(
        self, market: str, price: str, count: str, *, taker: str = "yes", sid: int = 2, connection: int = 1
    ) -> Self:
        """A public trade; its id is its place in the recording. taker: what the taker bought, yes or no."""
        body = {
            "trade_id": f"trade-{len(self.records)}",
            "market_ticker": market,
            "yes_price_dollars": price,
            "no_price_dollars": f"{1 - float(price):.4f}",
            "count_fp": count,
            "taker_side": taker,
            "ts": self.now_ns // SECOND,
            "ts_ms": self.now_ns // MILLI,
        }
        return _numbered(self, "trade", body, sid, connection)

    def frame(self, body: object, connection: int = 1) -> Self:
        """A text frame: of this JSON, or of these very bytes."""
        payload = body if isinstance(body, bytes) else msgspec.json.encode(body) + b"\n"
        return self.put(Kind.FRAME, payload, connection)

    def wait(self, span_ns: int) -> Self:
        """Nothing is received for so long (on top of the usual step)."""
        self.now_ns += span_ns
        return self

    def skip(self, count: int = 1, *, sid: int = 1, connection: int = 1) -> Self:
        """So many numbered frames of a subscription never arrived."""
        self.numbers[connection, sid] = self.numbers.get((connection, sid), 0) + count
        return self

    def put(self, kind: Kind, payload: bytes, connection: int) -> Self:
        """Any record."""
        mono_ns = self.now_ns - self._start_ns + SECOND if self._mono else 0
        self.records.append(Record(len(self.records), self.now_ns, mono_ns, connection, kind, payload))
        self.now_ns += self._step_ns
        return self

    def tape(self, path: Path, *, segment_records: int = 1_000_000, environment: str = "test") -> Tape:
        """The recording as a sealed tape."""
        return make_tape(path, self.records, segment_records=segment_records, environment=environment)


def make_tape(
    path: Path, records: list[Record], *, segment_records: int = 1_000_000, environment: str = "test"
) -> Tape:
    """A sealed tape of these records."""
    manifest = create_tape(path, Label(FORMAT_VERSION, f"tape of {path.name}", environment))
    for start in range(0, len(records), segment_records):
        commit_segment(manifest, write_batch(manifest, RawBatch.of(records[start : start + segment_records]), None))
    return Tape.open(path)


def _numbered(script: S, kind: str, body: dict[str, object], sid: int, connection: int) -> S:
    seq = script.skip(sid=sid, connection=connection).numbers[connection, sid]
    return script.frame({"type": kind, "sid": sid, "seq": seq, "msg": body}, connection)


def story(rounds: int = 40, *, mono: bool = False) -> Script:
    """Two markets on one subscription and a trade channel: `rounds` of deltas and trades, a lost frame half way,
    its snapshots, a reconnect after 12 s of silence, some frames that say nothing, a clean end."""
    script = Script(mono=mono).session().opened().subscribed(1).subscribed(2, "trade")
    _books(script, 1)
    for turn in range(rounds):
        _turn(script, turn, 1)
    script.skip(2).delta("KXTEST-A", "yes", "0.4100", "1.00")
    _books(script, 1)
    for turn in range(rounds):
        _turn(script, turn, 1)
    script.frame(b"not json").frame({"type": "novelty", "sid": 9, "msg": {}}).closed(1)
    script.wait(12 * SECOND).opened(2, replaces=1).subscribed(1, connection=2)
    _books(script, 2)
    for turn in range(rounds):
        _turn(script, turn, 2)
    return script.stop()


def _books(script: Script, connection: int) -> None:
    script.snapshot("KXTEST-A", [("0.4000", "10.00"), ("0.4550", "2.50")], [("0.5000", "7.00")], connection=connection)
    script.snapshot("KXTEST-B", [("0.1000", "1.00")], [], connection=connection)


def _turn(script: Script, turn: int, connection: int) -> None:
    price = f"0.{4000 + 10 * (turn % 30):04d}"
    script.delta("KXTEST-A", "yes", price, f"{turn + 1}.25", connection=connection)
    if turn % 3 == 0:
        script.delta("KXTEST-B", "no", "0.7000", "3.00", connection=connection)
    if turn % 5 == 0 and connection == 1:
        script.trade("KXTEST-A", "0.4550", "1.00")
