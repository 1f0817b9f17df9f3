"""The fold over a tape: one record at a time, in seq order, live and in replay alike.

Knows which part of the core each record concerns, and in which order. Must not know where records come from.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

from core import base
from core.answers.types import BookAnswer
from core.cells import (
    H_DELTAS,
    H_FRAMES,
    H_NOW,
    H_RECORDS,
    H_SNAPSHOTS,
    H_TICKERS,
    H_TRADES,
    M_BOOK_SUB,
    M_ID,
    M_TICKER_SUB,
    M_TRADE_SUB,
    SCRATCH,
    Memory,
)
from core.changes import Change, Rejected
from core.fetched import read as read_answer
from core.gaps import Gap
from core.levels import DONE
from core.market import MarketState, hand_over, hand_over_trade
from core.messages import decode
from core.messages.hot import delta_numbers
from core.messages.types import (
    BookDelta,
    BookSnapshot,
    Malformed,
    Message,
    Side,
    Ticker,
    Trade,
    Unknown,
    type_of,
)
from core.numbering import Order
from core.records import Kind, Record, decode_rest, decode_session
from core.session import Connections, SavedConnections
from core.store import Brief, MarketStateStore, SavedStore
from core.timeline import Timeline

MAX_NAMES: Final = 1_000
"""Different names counted in one of the counts; all others are counted together as OTHER."""

OTHER: Final = "other"

_TEXT: Final = int(Kind.FRAME)
_LAST_FRAME: Final = int(Kind.FRAME_CLOSE)
_STORED_GAPS: Final = (int(Kind.GAP_OPEN), int(Kind.GAP_CLOSE))
_IN_ORDER: Final = Order.IN_ORDER
_YES: Final = Side.YES
_COUNTED: Final = (
    (H_DELTAS, "orderbook_delta"),
    (H_SNAPSHOTS, "orderbook_snapshot"),
    (H_TICKERS, "ticker"),
    (H_TRADES, "trade"),
)
_TOLD: Final[dict[type, int]] = {
    BookDelta: M_BOOK_SUB,
    BookSnapshot: M_BOOK_SUB,
    Ticker: M_TICKER_SUB,
    Trade: M_TRADE_SUB,
}

Outcome: TypeAlias = Change | Rejected | None


class Step(msgspec.Struct, frozen=True, gc=False):
    """What one record did: its time, what it said, what that changed, and the gaps it opened or closed.

    healed: it is a snapshot by whose own number a gap was found, so that its book lost its trust and has it again.
    """

    now_ns: int
    message: Message | Malformed | None
    change: Outcome
    gaps: tuple[Gap, ...]
    healed: bool = False


@dataclass(slots=True)
class Counts:
    """How many there were, since the tape began; frames are inbound ones of every kind.

    by_type: text frames by message type. malformed, rejected: by reason. unknown: by "type:<type>" for types and
    "<type>.<field>" for fields.
    """

    records: int = 0
    frames: int = 0
    by_type: dict[str, int] = field(default_factory=dict)
    malformed: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "Counts":
        """The same, sharing nothing, in an order that does not tell how it came about."""
        by_name = [dict(sorted(c.items())) for c in (self.by_type, self.malformed, self.unknown, self.rejected)]
        return Counts(self.records, self.frames, *by_name)


class SavedEngine(msgspec.Struct):
    """The engine as plain values, for checkpoints. next_seq -1 = nothing was stepped."""

    next_seq: int
    timeline: Timeline
    counts: Counts
    connections: SavedConnections
    store: SavedStore


class Engine:
    """Steps records; what it knows then is in `connections`, `store`, `counts` and `now_ns`."""

    __slots__ = ("_counts", "_last_gap", "_states", "connections", "memory", "next_seq", "store", "timeline")

    def __init__(self, saved: SavedEngine | None = None, *, is_compiled: bool | None = None) -> None:
        """is_compiled: whether what is done to every record is compiled (default: if that is loaded already); the
        result is the same."""
        self.memory = Memory(is_compiled)
        self.next_seq = -1 if saved is None else saved.next_seq
        self.timeline = Timeline() if saved is None else saved.timeline
        self._counts = Counts() if saved is None else saved.counts
        self.connections = Connections(None if saved is None else saved.connections, self.memory)
        self.store = MarketStateStore(None if saved is None else saved.store, self.memory)
        self._states = self.store.states()
        self._last_gap = 0 if saved is None else saved.connections.last_gap

    @property
    def now_ns(self) -> int:
        """The tape's time at the last record; 0 before the first."""
        return self.timeline.now_ns

    @property
    def counts(self) -> Counts:
        """How many there were of everything so far."""
        plain, counts = self.memory.plain, self._counts
        counts.records += plain[H_RECORDS]
        counts.frames += plain[H_FRAMES]
        plain[H_RECORDS] = plain[H_FRAMES] = 0
        for cell, name in _COUNTED:
            if plain[cell]:
                _add(counts.by_type, name, plain[cell])
                plain[cell] = 0
        return counts

    def step(self, record: Record, message: Message | Malformed | None = None) -> Step:
        """Fold in the next record. A text frame that comes without its message is decoded here."""
        seq, kind = record.seq, record.kind
        assert seq == self.next_seq or self.next_seq < 0, f"record {seq} where {self.next_seq} is due"
        self.next_seq = seq + 1
        now_ns = self.timeline.advance(record)
        plain = self.memory.plain
        plain[H_RECORDS] += 1
        if kind == _TEXT:
            plain[H_FRAMES] += 1
            if message is None:
                message = decode(record.payload)
            return self._message(record.connection, message, now_ns)
        if kind <= _LAST_FRAME:
            plain[H_FRAMES] += 1
            gaps = self.connections.heard(record.connection, now_ns)
        elif kind == Kind.SESSION:
            return Step(now_ns, None, None, self._session(record, now_ns))
        elif kind == Kind.REST:
            self._rest(record, now_ns)
            return Step(now_ns, None, None, ())
        else:
            gaps = self.connections.observe_record(record, now_ns)
        if gaps:
            self._distrust(gaps, closing_too=kind in _STORED_GAPS)
        return Step(now_ns, None, None, gaps)

    def fold(self, record: Record) -> Step | None:
        """`step`; None where the record is a text frame that is the usual next one and changed a book."""
        if record.kind != _TEXT:
            return self.step(record)
        numbers = delta_numbers(record.payload)
        if numbers is not None and record.seq == self.next_seq:
            market, sid, seq, side, price, delta, clock = numbers
            state = self._states.get(market)
            if state is not None:
                memory, now_ns = self.memory, self.timeline.at(record)
                if memory.machine.fold_delta(
                    memory.m, state.at, record.connection, sid, seq, now_ns, side, price, delta, clock
                ):
                    self.next_seq += 1
                    self.timeline.now_ns = now_ns
                    return None
        return self.step(record)

    def base_state(self, markets: Iterable[str] = (), connections: Iterable[int] = ()) -> Any:
        """JSON-able state for the SESSION of a cut that begins after this record; of these markets and connections
        only, if there are any."""
        return base.to_json(base.Base(self.connections.save(), self.store.save()), markets, connections)

    def load_base(self, value: Any) -> tuple[Gap, ...]:
        """Go on from a `base_state` at the beginning of a session; reports the gaps that were open, numbered anew."""
        loaded = base.from_json(value)
        self.store.reset(loaded.store)
        self._states = self.store.states()
        gaps = self.connections.adopt(loaded.connections, self.now_ns)
        self._last_gap = max([self._last_gap, *(gap.number for gap in gaps)])
        return gaps

    def save(self, brief: Brief | None = None) -> SavedEngine:
        """Everything, or what `brief` leaves of it, as plain values that do not change with the next step."""
        return SavedEngine(
            next_seq=self.next_seq,
            timeline=msgspec.structs.replace(self.timeline),
            counts=self.counts.copy(),
            connections=self.connections.save(),
            store=self.store.save(brief),
        )

    def run(self, rows: Any, stride: int, first: int, last: int) -> int:
        """Step rows (see `core.rows`) while the machine can by itself; returns the first one that is not stepped.

        Why it stopped is in the cells H_STOP and H_AT.
        """
        stopped: int = self.memory.machine.run(self.memory.m, rows, stride, first, last)
        self.ran(stopped - first)
        return stopped

    def ran(self, rows: int) -> None:
        """The machine has stepped so many rows."""
        if rows:
            self.next_seq += rows
            self.timeline.now_ns = self.memory.plain[H_NOW]

    def _message(self, connection: int, message: Message | Malformed, now_ns: int) -> Step:
        kind = type(message)
        if kind in _COMMON and not message.unknown_fields:  # type: ignore[union-attr]  # not Malformed
            state = self.store.states().get(message.market)  # type: ignore[union-attr]  # it has one
            if state is not None:
                change = _COMMON[kind](self.memory, state, connection, message, now_ns)
                if change is not None:
                    return Step(now_ns, message, change, ())
        return self._judged(connection, message, now_ns)

    def _judged(self, connection: int, message: Message | Malformed, now_ns: int) -> Step:
        """A message that is anything but the usual next one."""
        self._count(message)
        verdict = self.connections.observe(connection, message, now_ns)
        gaps, healed = verdict.gaps, False
        if gaps:
            before = _is_trusted(self.store, message)
            self._distrust(gaps, closing_too=False)
            healed = before and not _is_trusted(self.store, message)
        change: Outcome
        if verdict.order is _IN_ORDER:
            change = self.store.apply(message, now_ns, connection=connection, yes_price=verdict.use_yes_price)
        else:
            change = Rejected.DEAD_SUBSCRIPTION if verdict.order is Order.DEAD else Rejected.OUT_OF_ORDER
        if type(change) is Rejected:
            _add(self._counts.rejected, change.value)
        elif type(message) is BookSnapshot:
            gaps += self.connections.snapshot_seen(connection, message.sid, message.market, now_ns)
        told = _TOLD.get(type(message))
        if told is not None and verdict.order is _IN_ORDER:
            self._link(connection, message, told)
        return Step(now_ns, message, change, gaps, healed and type(change) is Change)

    def _link(self, connection: int, message: Any, told: int) -> None:
        """From now on the machine may step such messages of this market by itself."""
        state = self.store.states().get(message.market)
        if state is not None:
            self.connections.link(connection, message.sid, message.market, state.at + told)

    def _count(self, message: Message | Malformed) -> None:
        counts = self._counts
        if isinstance(message, Malformed):
            _add(counts.malformed, message.reason)
            return
        name = type_of(message)
        if name not in counts.by_type:
            counts = self.counts  # with what the machine has counted, which came before it
        _add(counts.by_type, name)
        if isinstance(message, Unknown):
            _add(counts.unknown, f"type:{name}")
        for unknown in message.unknown_fields:
            _add(counts.unknown, f"{name}.{unknown}")

    def _distrust(self, gaps: tuple[Gap, ...], *, closing_too: bool) -> None:
        """Books lose trust when a gap opens; where the recorder tells of gaps, also when it ends."""
        for gap in gaps:
            if gap.number > self._last_gap or closing_too:
                self.store.distrust(gap)
        self._last_gap = max(self._last_gap, gaps[-1].number)

    def _rest(self, record: Record, now_ns: int) -> None:
        """Books that REST answered are part of the state; its other answers are read by who needs them."""
        if b"orderbook" not in record.payload:
            return
        fetched = read_answer(decode_rest(record.payload), now_ns)
        if fetched is None:
            return
        found = fetched.value
        if isinstance(found, BookAnswer):
            found = ((fetched.market, found),)
        elif not fetched.path.endswith("/orderbooks"):
            return
        for market, book in found:
            self.store.apply_rest_book(market, book.yes, book.no, now_ns)

    def _session(self, record: Record, now_ns: int) -> tuple[Gap, ...]:
        gaps = self.connections.observe_record(record, now_ns)
        self.store.reset()
        self._states = self.store.states()
        carried = decode_session(record.payload).base
        return gaps if carried is None else gaps + self.load_base(carried)


def change_of(engine: Engine, message: Any) -> Change:
    """What a message changed that the machine has stepped."""
    state = engine.store.states()[message.market]
    if type(message) is Ticker:
        return state.ticker_change
    return state.trade_change if type(message) is Trade else state.book_change


def _step_delta(memory: Memory, state: MarketState, connection: int, message: Any, now_ns: int) -> Change | None:
    side = 1 if message.side is _YES else 2
    done = memory.machine.step_delta(
        memory.m, state.at, connection, message.sid, message.seq, now_ns, side, message.price, message.delta,
        message.clock,
    )  # fmt: skip
    return state.book_change if done == DONE else None


def _step_trade(memory: Memory, state: MarketState, connection: int, message: Any, now_ns: int) -> Change | None:
    hand_over_trade(memory.plain, message, state.ids.halves(message.trade_id))
    m = memory.m
    done = memory.machine.step_trade(m, state.at, connection, message.sid, message.seq, now_ns, m, SCRATCH)
    return state.trade_change if done == DONE else None


def _step_ticker(memory: Memory, state: MarketState, connection: int, message: Any, now_ns: int) -> Change | None:
    if message.market_id != state.market_id or message.id:
        return None
    hand_over(memory.plain, message, memory.plain[state.at + M_ID])
    m = memory.m
    done = memory.machine.step_ticker(m, state.at, connection, message.sid, message.seq, now_ns, m, SCRATCH)
    return state.ticker_change if done == DONE else None


_COMMON: Final[dict[type, Callable[[Memory, MarketState, int, Any, int], Change | None]]] = {
    BookDelta: _step_delta,
    Trade: _step_trade,
    Ticker: _step_ticker,
}


def _add(counts: dict[str, int], name: str, times: int = 1) -> None:
    if name in counts:
        counts[name] += times
    elif len(counts) < MAX_NAMES:
        counts[name] = times
    else:
        counts[OTHER] = counts.get(OTHER, 0) + times


def _is_trusted(store: MarketStateStore, message: Message | Malformed) -> bool:
    """Whether a message is a snapshot of a market whose book is trusted."""
    state = store.states().get(message.market) if type(message) is BookSnapshot else None
    return state is not None and state.trusted
