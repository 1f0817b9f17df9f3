"""What a fold knows of a tape that no column says: which books are trusted when, what was refused, gaps by record.

Knows how each record changes that, and how it is kept in a checkpoint. Must not know files, nor who asks: SQL does, so
that books made from columns alone are the store's.
"""

from typing import Final

import msgspec

from core.cells import M_BOOK_SUB, S_YES_PRICE
from core.changes import Change, ChangeKind, Rejected
from core.engine import Engine, Step
from core.gaps import Gap
from core.market import MarketState
from core.messages.types import BookDelta, BookSnapshot, Level
from core.records import Kind, Record

LEDGER_VERSION: Final = 1
"""Goes up whenever the same records may give another ledger; one of another version is of no use."""

OPEN: Final = (1 << 63) - 1
"""The end of a span that is not over: later than any seq."""

_SESSION: Final = int(Kind.SESSION)


class Clock(msgspec.Struct, frozen=True):
    """From the SESSION record `seq` on, a record with a monotonic stamp is stamped `base_ns` + mono_ns - base_mono_ns.

    base_mono_ns 0: the recording has none, its wall clock counts. `now_ns` is the running maximum of the stamps.
    """

    seq: int
    base_ns: int
    base_mono_ns: int


class Trust(msgspec.Struct):
    """A market's book is trusted just after each record from from_seq to before until_seq."""

    from_seq: int
    until_seq: int = OPEN


class GapRow(msgspec.Struct):
    """A gap as it was reported last; it is open just after each record from opened_seq to before closed_seq."""

    gap: Gap
    opened_seq: int
    closed_seq: int = OPEN


class Refusal(msgspec.Struct, frozen=True):
    """The store changed nothing at record `seq`, and why."""

    seq: int
    reason: str


class Emptied(msgspec.Struct, frozen=True):
    """At record `seq` a delta took more than a level had: the level went (side 1 yes, 2 no; price as written)."""

    seq: int
    market: str
    side: int
    price: int


class Scale(msgspec.Struct, frozen=True):
    """From record `seq` on a subscription writes no-side prices on the yes scale, or does not."""

    seq: int
    connection: int
    sid: int
    yes_price: bool


class Carried(msgspec.Struct, frozen=True):
    """A book with which the session at record `seq` began: that of a cut, which has no snapshot of it."""

    seq: int
    market: str
    yes: tuple[Level, ...]
    no: tuple[Level, ...]


class SavedLedger(msgspec.Struct):
    """All of it as plain values, in one order only. trust: by market, the last span perhaps still open."""

    clocks: list[Clock] = []
    gaps: list[GapRow] = []
    trust: dict[str, list[Trust]] = {}
    refused: list[Refusal] = []
    emptied: list[Emptied] = []
    scales: list[Scale] = []
    carried: list[Carried] = []


class _Envelope(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    ledger: msgspec.Raw


_ENVELOPES: Final = msgspec.msgpack.Decoder(_Envelope)
_LEDGERS: Final = msgspec.msgpack.Decoder(SavedLedger)


class Ledger:
    """The ledger, record by record; `rows` is what it has come to."""

    def __init__(self, saved: SavedLedger | None = None) -> None:
        self.rows = SavedLedger() if saved is None else saved
        self._gaps = {row.gap.number: row for row in self.rows.gaps}
        self._scales = {(scale.connection, scale.sid): scale.yes_price for scale in self.rows.scales}

    def dump(self) -> bytes:
        """As msgpack."""
        rows = self.rows
        rows.trust = dict(sorted(rows.trust.items()))
        return msgspec.msgpack.encode((LEDGER_VERSION, rows))

    @classmethod
    def load(cls, blob: bytes) -> "Ledger | None":
        """The ledger that was dumped; None when these bytes are none, or of another version."""
        try:
            envelope = _ENVELOPES.decode(blob)
            return cls(_LEDGERS.decode(envelope.ledger)) if envelope.version == LEDGER_VERSION else None
        except (msgspec.DecodeError, ValueError):
            return None

    def take(self, record: Record, step: Step, engine: Engine) -> None:
        """Take in one record just after its step; records that the machine steps by itself change nothing here."""
        change, message, seq = step.change, step.message, record.seq
        if step.gaps:
            for gap in step.gaps:
                self._gap(gap, seq)
        if type(change) is Rejected:
            self.rows.refused.append(Refusal(seq, change.value))
            if change is Rejected.NEGATIVE_SIZE and type(message) is BookDelta:
                side = 1 if message.side == "yes" else 2
                self.rows.emptied.append(Emptied(seq, message.market, side, message.price))
        if record.kind == _SESSION:
            self._session(engine, seq)
        elif step.gaps or (type(change) is Change and change.what is ChangeKind.SUBSCRIPTION):
            self._compare_all(engine, seq)
        elif type(message) is BookSnapshot or type(change) is Rejected:
            state = engine.store.states().get(getattr(message, "market", ""))
            if state is not None:
                self._compare(state.market, state.trusted, seq)
        if type(message) is BookSnapshot and type(change) is Change:
            self._scale(engine.store.states()[message.market], seq)

    def _gap(self, gap: Gap, seq: int) -> None:
        row = self._gaps.get(gap.number)
        if row is None:
            row = self._gaps[gap.number] = GapRow(gap, seq)
            self.rows.gaps.append(row)
        row.gap = gap
        if gap.until_ns is not None:
            row.closed_seq = min(row.closed_seq, seq)

    def _session(self, engine: Engine, seq: int) -> None:
        """Everything begins anew, or with what a cut carries over."""
        timeline = engine.timeline
        self.rows.clocks.append(Clock(seq, timeline.base_ns, timeline.base_mono_ns))
        for (connection, sid), yes_price in list(self._scales.items()):
            if yes_price:
                self._set_scale(seq, connection, sid, yes_price=False)
        for market in self.rows.trust:
            self._compare(market, False, seq)
        for market, state in sorted(engine.store.states().items()):
            if state.has_book:
                view = state.view()
                self.rows.carried.append(Carried(seq, market, view.yes, view.no))
                self._compare(market, state.trusted, seq)
        for view_of in engine.connections.views():
            for subscription in view_of.subscriptions:
                if subscription.use_yes_price:
                    self._set_scale(seq, view_of.number, subscription.sid, yes_price=True)

    def _compare_all(self, engine: Engine, seq: int) -> None:
        for market, state in sorted(engine.store.states().items()):
            self._compare(market, state.trusted, seq)

    def _compare(self, market: str, trusted: bool, seq: int) -> None:
        spans = self.rows.trust.get(market)
        if trusted:
            if spans is None:
                spans = self.rows.trust[market] = []
            if not spans or spans[-1].until_seq != OPEN:
                spans.append(Trust(seq))
        elif spans and spans[-1].until_seq == OPEN:
            spans[-1].until_seq = seq

    def _scale(self, state: MarketState, seq: int) -> None:
        """How the subscription whose snapshot was just taken in writes prices for no."""
        yes_price = writes_yes_scale(state)
        if yes_price != self._scales.get(state.owner, False):
            self._set_scale(seq, *state.owner, yes_price=yes_price)

    def _set_scale(self, seq: int, connection: int, sid: int, *, yes_price: bool) -> None:
        self._scales[connection, sid] = yes_price
        self.rows.scales.append(Scale(seq, connection, sid, yes_price))


def writes_yes_scale(state: MarketState) -> bool:
    """Whether the subscription that makes the market's book writes prices for no on the yes scale (use_yes_price)."""
    plain = state.memory.plain
    subscription = plain[state.at + M_BOOK_SUB]
    return bool(subscription and plain[subscription + S_YES_PRICE])
