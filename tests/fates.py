"""Records to which everything happens that may happen to a tape, for tests that hold several ways of stepping equal.

A fate is a list of deeds that hypothesis makes and shrinks; `records_of` writes them down as the exchange and the
recorder would. Numbers of a subscription follow each other unless a deed says otherwise, so that most frames are usual.
"""

import random
from typing import Any, Final, TypeAlias

import msgspec
from hypothesis import strategies as st

from core.money import format_price, format_size
from core.records import Closed, Coverage, Kind, Opened, Record, RestCall, Session, StoredGap, encode_payload

Deed: TypeAlias = tuple[Any, ...]

START_NS: Final = 1_786_410_000_000_000_000
MILLI: Final = 1_000_000
INT64_MAX: Final = 2**63 - 1
MARKETS: Final = ("A", "B", "C")
CHANNELS: Final = {1: "orderbook_delta", 2: "orderbook_delta", 3: "trade", 4: "ticker"}
UUID: Final = "0e3b1f5a-9d0c-4b8e-8a54-{:012x}"
ODD_IDS: Final = ("t1", "T1", "", UUID.format(7).upper(), UUID.format(7)[:-1], UUID.format(7) + "\n", "8" + "0" * 31)
_OF_ODD_HALF: Final = "80000000-0000-0000-0000-{:012x}"
_SIZES: Final = ("0.01", "1.00", "2.50", "-1.00", "-2.50", "-0.01", "10000000000000.00", "-10000000000000.00")
_COARSE: Final = tuple(format_price(price) for price in (0, 100, 4_000, 4_100, 9_900, 10_000))
_FINE: Final = tuple(format_price(price) for price in (1, 4_005, 4_010, 9_999))

_connections = st.sampled_from((1, 1, 1, 2))
_sids = st.sampled_from((1, 1, 1, 2))
_markets = st.sampled_from(MARKETS)
_prices = st.sampled_from(_COARSE + _FINE)
_sizes = st.sampled_from(_SIZES)
_seqs = st.sampled_from(("next",) * 12 + ("lost", "doubled", "swapped", "zero", "last"))
_extras = st.sampled_from(({},) * 8 + ({"novel": 1}, {"clock": 7}, {"market_id": "other"}, {"client_order_id": "mine"}))
_levels = st.lists(st.tuples(_prices, st.sampled_from(("1.00", "5.00", "0.00", "10000000000000.00"))), max_size=4)
_ids = st.integers(0, 9).map(UUID.format) | st.sampled_from(ODD_IDS) | st.integers(0, 2).map(_OF_ODD_HALF.format)
_values = st.fixed_dictionaries(
    {},
    optional={
        "yes_bid_dollars": _prices,
        "yes_ask_dollars": _prices,
        "price_dollars": _prices,
        "volume_fp": st.sampled_from(("1.00", "2.00")),
        "dollar_volume": st.sampled_from((-INT64_MAX, 0, 5)),
        "market_id": st.sampled_from(("", "m1", "m2")),
        "id": st.just("no field of a ticker"),
    },
)
_coverages = st.builds(Coverage, connections=st.booleans(), control=st.booleans(), filtered=st.booleans())

DEEDS: Final = st.one_of(
    st.tuples(st.just("usual"), _connections, st.integers(1, 25), st.integers(0, 2**32)),
    st.tuples(st.just("delta"), _connections, _sids, _seqs, _markets, st.sampled_from(("yes", "no")), _prices, _sizes,
              _extras),
    st.tuples(st.just("snapshot"), _connections, _sids, _seqs, _markets, _levels, _levels, _extras),
    st.tuples(st.just("trade"), _connections, _seqs, _markets, _ids, _prices, st.booleans(), _extras),
    st.tuples(st.just("ticker"), _connections, _markets, _values, st.sampled_from((0, 0, 0, 9))),
    st.tuples(st.just("subscribed"), _connections, st.integers(1, 4), st.integers(1, 3)),
    st.tuples(st.just("ok"), _connections, st.sampled_from((1, 1, 2, 3, 4)), _seqs,
              st.lists(_markets, unique=True) | st.none()),
    st.tuples(st.just("unsubscribed"), _connections, st.integers(1, 4)),
    st.tuples(st.just("error"), _connections, st.integers(0, 4), st.sampled_from((8, 10, 25))),
    st.tuples(st.just("opened"), st.integers(1, 3), st.integers(0, 2)),
    st.tuples(st.just("closed"), _connections),
    st.tuples(st.just("begun"), _connections, st.booleans()),
    st.tuples(st.just("sent"), _connections, st.integers(1, 3), st.booleans()),
    st.tuples(st.just("session"), _coverages, st.booleans(), st.sampled_from((0, 20 * MILLI, -20 * MILLI))),
    st.tuples(st.just("gap"), st.booleans(), st.integers(0, 2), st.sampled_from(((), ("A",)))),
    st.tuples(st.just("silence"), st.sampled_from((1, 26_000 * MILLI, -5 * MILLI))),
    st.tuples(st.just("other"), st.sampled_from((Kind.FRAME_PING, Kind.TICK, Kind.DECISION, Kind.SENT_PONG)),
              _connections),
    st.tuples(st.just("frame"), _connections, st.sampled_from((b"not json", b'{"type":"novel","sid":1,"seq":1}'))),
    st.tuples(st.just("lifecycle"), _connections, _markets),
    st.tuples(st.just("rest"), st.sampled_from((*MARKETS, "D"))),
)  # fmt: skip
_lists = st.integers(0, 40).flatmap(lambda count: st.lists(DEEDS, min_size=count, max_size=count))
FATES: Final = st.tuples(_coverages, st.booleans(), _lists)
"""The first session's coverage, whether it has a monotonic clock, and the deeds."""


class Scribe:
    """Writes records; `numbers`: the last one of each (connection, sid)."""

    def __init__(self, *, mono: bool) -> None:
        self.records: list[Record] = []
        self.now_ns = START_NS
        self.mono = mono
        self.skew_ns = 50 * MILLI
        self.numbers: dict[tuple[int, int], int] = {}

    def put(self, kind: Kind, payload: msgspec.Struct | bytes = b"", connection: int = 0) -> None:
        """Any record, a millisecond after the one before."""
        self.now_ns += MILLI
        raw = payload if isinstance(payload, bytes) else encode_payload(payload)
        mono_ns = self.now_ns - START_NS + self.skew_ns if self.mono else 0
        self.records.append(Record(len(self.records), self.now_ns, max(mono_ns, 0), connection, kind, raw))

    def frame(self, connection: int, body: dict[str, Any]) -> None:
        """A text frame."""
        self.put(Kind.FRAME, msgspec.json.encode(body) + b"\n", connection)

    def numbered(self, connection: int, sid: int, how: str, kind: str, msg: dict[str, Any]) -> None:
        """A text frame of a numbered channel; how: what is odd about its number."""
        last = self.numbers.get((connection, sid), 0)
        seq = {"next": last + 1, "lost": last + 3, "doubled": last, "swapped": last + 2, "zero": 0, "last": INT64_MAX}
        if how not in ("doubled", "zero", "last"):
            self.numbers[connection, sid] = seq[how]
        self.frame(connection, {"type": kind, "sid": sid, "seq": seq[how], "msg": msg})
        if how == "swapped":
            self.frame(connection, {"type": kind, "sid": sid, "seq": last + 1, "msg": msg})

    def do(self, deed: Deed) -> None:
        """Whatever the deed says."""
        what, *rest = deed
        _WRITERS[what](self, *rest)


def records_of(fate: tuple[Coverage, bool, list[Deed]]) -> list[Record]:
    """The records of a fate, after a beginning that leaves two books and a subscription of each channel."""
    coverage, mono, deeds = fate
    scribe = Scribe(mono=mono)
    for deed in (("session", coverage, mono, 0), ("begun", 1, False), *deeds):
        scribe.do(deed)
    return scribe.records


def usual_records(count: int, seed: int) -> list[Record]:
    """So many records that are what tapes are made of, in which little happens but the usual."""
    scribe, dice = Scribe(mono=True), random.Random(seed)
    scribe.do(("session", Coverage(), True, 0))
    scribe.do(("begun", 1, False))
    oddities: list[Deed] = [
        ("delta", 1, 1, "lost", "A", "yes", "0.4000", "1.00", {}),
        ("delta", 1, 1, "next", "A", "yes", "0.4000", "-10000000000000.00", {}),
        ("snapshot", 1, 1, "next", "A", [("0.4001", "5.00")], [], {}),
        ("opened", 1, 1),
        ("begun", 1, True),
        ("silence", 26_000 * MILLI),
        ("ok", 1, 1, "next", ["A", "B"]),
        ("ok", 1, 3, "next", ["B"]),
    ]
    while len(scribe.records) < count:
        dice.shuffle(oddities)
        for oddity in oddities:
            scribe.do(oddity)
            scribe.do(("usual", 1, 50, dice.getrandbits(32)))
            scribe.do(("begun", 1, dice.random() < 0.5))
            scribe.do(("usual", 1, 200, dice.getrandbits(32)))
    return scribe.records


def _usual(scribe: Scribe, connection: int, count: int, seed: int) -> None:
    """A stretch of what tapes are made of: the next number, sizes that stay small, prices on and off the cent grid."""
    dice = random.Random(seed)
    for _ in range(count):
        market = dice.choice(MARKETS[:2])
        match dice.randrange(10):
            case 0:
                trade_id = UUID.format(dice.randrange(2**47))
                scribe.do(
                    ("trade", connection, "next", market, trade_id, dice.choice(_COARSE), dice.random() < 0.2, {})
                )
            case 1:
                bid = dice.choice(_COARSE)
                values = {"yes_bid_dollars": bid, "yes_ask_dollars": "1.0000", "market_id": "m1"}
                scribe.do(("ticker", connection, market, values, 0))
            case 2:
                yes, no = ([(dice.choice(_COARSE + _FINE), "5.00") for _ in range(3)] for _ in range(2))
                scribe.do(("snapshot", connection, 1, "next", market, yes, no, {"clock": dice.randrange(1, 99)}))
            case _:
                size = format_size(dice.randrange(-20, 200))
                side, price = dice.choice(("yes", "no")), dice.choice(_COARSE + _FINE)
                scribe.do(("delta", connection, 1, "next", market, side, price, size, {}))


def _begun(scribe: Scribe, connection: int, use_yes_price: bool) -> None:
    scribe.do(("opened", connection, 0))
    scribe.do(("sent", connection, 1, use_yes_price))
    for sid in CHANNELS:
        scribe.numbers[connection, sid] = 0
        scribe.do(("subscribed", connection, sid, 1))
    levels = [("0.4000", "5.00"), ("0.4100", "2.00")]
    for market in MARKETS[:2]:
        scribe.do(("snapshot", connection, 1, "next", market, levels, [("0.5000", "5.00")], {}))


def _delta(scribe: Scribe, connection: int, sid: int, how: str, *rest: Any) -> None:
    market, side, price, size, extra = rest
    msg = {"market_ticker": market, "price_dollars": price, "delta_fp": size, "side": side, "ts_ms": START_NS // MILLI}
    scribe.numbered(connection, sid, how, "orderbook_delta", msg | extra)


def _snapshot(scribe: Scribe, connection: int, sid: int, how: str, *rest: Any) -> None:
    market, yes, no, extra = rest
    msg = {"market_ticker": market, "yes_dollars_fp": yes, "no_dollars_fp": no}
    scribe.numbered(connection, sid, how, "orderbook_snapshot", msg | extra)


def _trade(scribe: Scribe, connection: int, how: str, *rest: Any) -> None:
    market, trade_id, price, is_block, extra = rest
    msg = {
        "market_ticker": market, "trade_id": trade_id, "yes_price_dollars": price, "count_fp": "10000000000000.00",
        "taker_side": "yes" if is_block else "no", "is_block_trade": is_block, "ts_ms": START_NS // MILLI,
    }  # fmt: skip
    scribe.numbered(connection, 3, how, "trade", msg | extra)


def _ticker(scribe: Scribe, connection: int, market: str, values: dict[str, Any], command: int) -> None:
    body = {"type": "ticker", "sid": 4, "msg": {"market_ticker": market, "ts_ms": START_NS // MILLI} | values}
    scribe.frame(connection, body | ({"id": command} if command else {}))


def _subscribed(scribe: Scribe, connection: int, sid: int, command: int) -> None:
    scribe.numbers[connection, sid] = 0
    channel = {"channel": CHANNELS[sid], "sid": sid}
    scribe.frame(connection, {"type": "subscribed", "id": command, "msg": channel})


def _ok(scribe: Scribe, connection: int, sid: int, how: str, markets: list[str] | None) -> None:
    scribe.numbered(connection, sid, how, "ok", {} if markets is None else {"market_tickers": markets})


def _unsubscribed(scribe: Scribe, connection: int, sid: int) -> None:
    scribe.numbered(connection, sid, "next", "unsubscribed", {})


def _error(scribe: Scribe, connection: int, sid: int, code: int) -> None:
    scribe.numbered(connection, sid, "next", "error", {"code": code, "msg": "made up"})


def _opened(scribe: Scribe, connection: int, replaces: int) -> None:
    scribe.put(Kind.OPENED, Opened(replaces=replaces), connection)


def _closed(scribe: Scribe, connection: int) -> None:
    scribe.put(Kind.CLOSED, Closed(), connection)


def _sent(scribe: Scribe, connection: int, command: int, use_yes_price: bool) -> None:
    params = {"channels": ["orderbook_delta"], "use_yes_price": use_yes_price}
    payload = msgspec.json.encode({"id": command, "cmd": "subscribe", "params": params})
    scribe.put(Kind.SENT, payload, connection)


def _session(scribe: Scribe, coverage: Coverage, mono: bool, jump_ns: int) -> None:
    scribe.mono = mono
    scribe.skew_ns += jump_ns  # of the monotonic clock, against the wall's
    scribe.put(Kind.SESSION, Session("a-uuid", "test", coverage=coverage))


def _gap(scribe: Scribe, opens: bool, connection: int, markets: tuple[str, ...]) -> None:
    gap = StoredGap("disk_full", connection=connection, markets=markets)
    scribe.put(Kind.GAP_OPEN if opens else Kind.GAP_CLOSE, gap)


def _silence(scribe: Scribe, span_ns: int) -> None:
    scribe.now_ns += span_ns


def _other(scribe: Scribe, kind: Kind, connection: int) -> None:
    scribe.put(kind, b"{}", connection)


def _frame(scribe: Scribe, connection: int, payload: bytes) -> None:
    scribe.put(Kind.FRAME, payload, connection)


def _lifecycle(scribe: Scribe, connection: int, market: str) -> None:
    msg = {"market_ticker": market, "event_type": "activated", "is_deactivated": False}
    scribe.frame(connection, {"type": "market_lifecycle_v2", "sid": 9, "msg": msg})


def _rest(scribe: Scribe, market: str) -> None:
    answer = '{"orderbook_fp":{"yes_dollars":[["0.4000","1.00"]],"no_dollars":[]}}'
    scribe.put(Kind.REST, RestCall("GET", f"/trade-api/v2/markets/{market}/orderbook", status=200, answer=answer))


_WRITERS: Final[dict[str, Any]] = {
    "usual": _usual, "begun": _begun, "delta": _delta, "snapshot": _snapshot, "trade": _trade, "ticker": _ticker,
    "subscribed": _subscribed, "ok": _ok, "unsubscribed": _unsubscribed, "error": _error, "opened": _opened,
    "closed": _closed, "sent": _sent, "session": _session, "gap": _gap, "silence": _silence, "other": _other,
    "frame": _frame, "lifecycle": _lifecycle, "rest": _rest,
}  # fmt: skip
