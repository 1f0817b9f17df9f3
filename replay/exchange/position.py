"""The state of a tape at its playhead, and what each next record means for those who listen.

Knows the engine (books, numbering, connections), and which frames are news to a client: replies, repeats and the
second copy of a redundant connection are not. Must not know pace, sessions or sockets.
"""

from itertools import islice
from typing import Final

import msgspec

from capture.tape.reader import Tape
from core.changes import Rejected
from core.engine import Engine, Step
from core.gaps import RECONNECT, SEQUENCE, STALL, Gap
from core.messages import Malformed, Message
from core.messages.types import BookDelta, BookSnapshot, Subscribed, Ticker, Trade, type_of
from core.records import Kind, Record, decode_closed, decode_opened
from core.timeline import Timeline
from core.views import MarketView
from replay.exchange.frames import is_reply, open_numbers, publication
from replay.exchange.notation import Notation
from replay.exchange.port import ABNORMAL, Publication, Template
from replay.exchange.recorded import Recorded, recorded_until
from replay.player import Player

LOOK_AHEAD: Final = 4_096
"""Records looked at for a book frame: it shows how books are written here."""

REPEATED: Final = "repeated"
REDUNDANT: Final = "redundant"
UNPLACED: Final = "unplaced"
"""Why a data frame is not published, beside the types of replies. Unplaced ones are sent to every session as is."""

_SENDABLE: Final = (*range(1_000, 1_004), *range(1_007, 1_012), *range(3_000, 5_000))
"""Close codes that a close frame may carry (RFC 6455, 7.4)."""

_HOT: Final = (BookDelta, Trade, Ticker, BookSnapshot)
_NO_NEWS: Final = (Rejected.OUT_OF_ORDER, Rejected.DEAD_SUBSCRIPTION, Rejected.NOT_OWNER)
_TEXT: Final = int(Kind.FRAME)
_ORIGINS_CHANGE: Final = (Kind.SENT, Kind.OPENED, Kind.CLOSED, Kind.SESSION)


class Lost(msgspec.Struct, frozen=True):
    """A connection of the recorder was lost; code and reason as a close frame would carry them."""

    code: int = ABNORMAL
    reason: str = ""


class Effect(msgspec.Struct, frozen=True, gc=False):
    """What a record is to those who listen, in this order: `lost`, `skips` of numbers by channel, then the frame.

    publication, or broadcast (to every session; binary), or neither. left_out: why a frame is not published, "" = it
    is. market: whose book the frame has changed already.
    """

    publication: Publication | None = None
    broadcast: bytes | None = None
    binary: bool = False
    left_out: str = ""
    market: str = ""
    skips: tuple[tuple[str, int], ...] = ()
    lost: Lost | None = None


_NOTHING: Final = Effect()


class Position:
    """A place on a tape: everything before it is in `engine` and `recorded`. next_seq: of the record to come."""

    def __init__(self, engine: Engine | None = None, next_seq: int = 0, recorded: Recorded | None = None) -> None:
        self.engine = Engine() if engine is None else engine
        self.next_seq = next_seq
        self.recorded = Recorded() if recorded is None else recorded
        self._origins: dict[tuple[int, int], tuple[str, bool]] = {}
        self._carriers: dict[tuple[str, str], int] = {}
        self._channels: dict[str, None] = {}  # those that were published on
        self._tickers: dict[str, tuple[int, bytes]] = {}  # by market: the connection it came on, and the frame
        self._last_book = b""
        self._last_gap = 0
        self._closing: dict[int, Lost | None] = {}  # by connection; None = the recorder itself ends it
        self._ended: dict[int, None] = {}  # connections that it did end, of which nobody was told yet

    @classmethod
    def at(cls, tape: Tape, *, until_ns: int | None = None, until_seq: int | None = None) -> "Position":
        """The place after every record received by an instant, or up to and including a seq.

        Raises TapeDamaged, TapeError.
        """
        player = Player(tape, "columns", start="checkpoint", checkpoint_records=0)
        player.advance(until_ns=until_ns, until_seq=until_seq)
        position = cls(player.engine, player.position, recorded_until(tape, player.position))
        position._last_gap = player.engine.connections.save().last_gap
        for record in islice(tape.records(player.position), LOOK_AHEAD):  # the era shows in the next book frame
            if record.kind == _TEXT and b'"orderbook_' in record.payload:
                position._last_book = record.payload
                break
        return position

    @property
    def now_ns(self) -> int:
        """The tape's time here."""
        return self.engine.now_ns

    def timeline(self) -> Timeline:
        """The fold of times up to here, for whoever reads on."""
        return self.engine.save().timeline

    def book(self, market: str) -> MarketView:
        """A market as the tape knows it here."""
        return self.engine.store.view(market)

    def notation(self) -> Notation:
        """How books are written hereabouts."""
        return Notation.of(self._last_book) if self._last_book else Notation()

    def ticker(self, market: str) -> Template | None:
        """The latest ticker frame of a connection that is not lost, since play began or moved here."""
        found = self._tickers.get(market)
        return None if found is None else open_numbers(found[1])

    def ticker_connection(self, market: str) -> int:
        """The connection that frame came on, -1 = there is none."""
        return self._tickers.get(market, (-1, b""))[0]

    def loses(self, connection: int) -> bool:
        """Whether a connection is open, so that its replacement means that it was lost."""
        return any(view.number == connection and view.is_open for view in self.engine.connections.views())

    def step(self, record: Record, message: Message | Malformed | None) -> Effect:
        """Fold in the next record."""
        step = self.engine.step(record, message)
        self.next_seq = record.seq + 1
        if record.kind == _TEXT:
            assert message is not None, "a text frame comes with its message"
            if step.gaps or type(message) is Subscribed:
                return self._unusual(record, message, step)
            return self._frame(record, message, step)
        return self._other(record, step)

    def _frame(self, record: Record, message: Message | Malformed, step: Step) -> Effect:
        kind = type(message)
        if kind not in _HOT and not isinstance(message, Malformed) and is_reply(message):
            return Effect(left_out=type_of(message))
        if step.change in _NO_NEWS:
            return Effect(left_out=REPEATED if step.change is not Rejected.NOT_OWNER else REDUNDANT)
        connection, payload = record.connection, record.payload
        told, yes_price = self._origin(connection, getattr(message, "sid", 0))
        found = publication(payload, message, channel=told, yes_price=yes_price)
        if found is None:
            return Effect(broadcast=payload, left_out=UNPLACED)
        channel, market = found.channel, found.market
        if kind is BookDelta or kind is BookSnapshot:
            self._last_book = payload
        elif self._carriers.setdefault((channel, market), connection) != connection:
            return Effect(left_out=REDUNDANT)
        elif kind is Ticker:
            self._tickers[market] = connection, payload
        self._channels[channel] = None
        return Effect(publication=found, market=market)

    def _unusual(self, record: Record, message: Message | Malformed, step: Step) -> Effect:
        """A frame that opens or closes gaps, or begins a subscription."""
        if type(message) is Subscribed:
            self._origins.clear()
        lost, skips = self._heed(step.gaps)
        return msgspec.structs.replace(self._frame(record, message, step), lost=lost, skips=skips)

    def _other(self, record: Record, step: Step) -> Effect:
        kind, connection = record.kind, record.connection
        if kind in _ORIGINS_CHANGE:
            self._origins.clear()
        lost, skips = self._heed(step.gaps) if step.gaps else (None, ())
        match kind:
            case Kind.REST:
                self.recorded.observe(record.payload, step.now_ns)
                return _NOTHING
            case Kind.FRAME_BINARY:
                return Effect(broadcast=record.payload, binary=True)
            case Kind.SESSION:
                for kept in (self._carriers, self._tickers, self._closing, self._ended):
                    kept.clear()
                lost = Lost()
            case Kind.OPENED if decode_opened(record.payload).replaces in self._ended:
                self._ended.clear()
                lost = Lost()
            case Kind.FRAME_CLOSE:
                self._closing.setdefault(connection, _told_by_frame(record.payload))
            case Kind.SENT_CLOSE:
                self._closing.setdefault(connection, None)
            case Kind.CLOSED if lost is not None:
                lost = self._closing.pop(connection, _told_by_recorder(record.payload))
                if lost is None:
                    self._ended[connection] = None
            case _:
                pass
        return Effect(lost=lost, skips=skips) if lost or skips else _NOTHING

    def _heed(self, gaps: tuple[Gap, ...]) -> tuple[Lost | None, tuple[tuple[str, int], ...]]:
        """What newly opened gaps mean: a lost connection, or numbers that clients must find missing too."""
        lost: Lost | None = None
        skips: list[tuple[str, int]] = []
        for gap in gaps:
            if gap.number <= self._last_gap:
                continue
            self._last_gap = gap.number
            if gap.reason == RECONNECT:
                lost = Lost()
                self._forget(gap.connection)
            elif gap.reason != STALL:
                channel = self._origin(gap.connection, gap.sid)[0] if gap.sid else ""
                count = (gap.got or 1) - (gap.expected or 0) if gap.reason == SEQUENCE else 1
                skips += [(name, count) for name in ([channel] if channel else self._channels)]
        return lost, tuple(skips)

    def _forget(self, connection: int) -> None:
        """What came on a lost connection is old by the time clients are back."""
        self._carriers = {key: number for key, number in self._carriers.items() if number != connection}
        self._tickers = {market: kept for market, kept in self._tickers.items() if kept[0] != connection}

    def _origin(self, connection: int, sid: int) -> tuple[str, bool]:
        """(channel, use_yes_price) of a recorded subscription, ("", False) where the tape does not say."""
        key = connection, sid
        found = self._origins.get(key)
        if found is None:
            for view in self.engine.connections.views():
                for subscription in view.subscriptions:
                    about = subscription.channel, subscription.use_yes_price
                    self._origins[view.number, subscription.sid] = about
            found = self._origins.setdefault(key, ("", False))
        return found


def _told_by_frame(payload: bytes) -> Lost:
    code = int.from_bytes(payload[:2], "big")
    return Lost(code, payload[2:].decode(errors="replace")) if code in _SENDABLE else Lost()


def _told_by_recorder(payload: bytes) -> Lost:
    closed = decode_closed(payload)
    return Lost(closed.code, closed.reason) if closed.code in _SENDABLE else Lost()
