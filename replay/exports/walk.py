"""What happened to each market, in order, as engines of other tools take it: books of yes, trades, tickers.

Knows when a book can be told (it is trusted) and when telling must stop (it no longer is): a gap becomes a book that is
cleared, and the book comes back whole with its next snapshot, never from deltas after a hole. A bid for no at p is an
offer of yes at 1 - p. Must not know any format.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeAlias, cast

import msgspec

from capture.tape.reader import Tape
from core.changes import Change, ChangeKind, Rejected
from core.engine import Step
from core.market import MarketState
from core.messages.types import BookDelta, BookSnapshot, Level, MarketLifecycle, Side, Ticker, Trade
from core.money import DOLLAR
from core.records import Kind, Record
from replay.books import require_markets
from replay.exports.terms import Choice
from replay.ledger import writes_yes_scale
from replay.player import Player
from replay.progress import Progress, silent

PROGRESS_RECORDS: Final = 4_096
"""Progress is told once in so many records."""

_MILLI: Final = 1_000_000
_WORDS: Final[dict[type, str]] = {BookDelta: "deltas", BookSnapshot: "snapshots", Trade: "trades"}


class Move(msgspec.Struct, frozen=True, gc=False):
    """Something that happened at record `seq` to a market; now_ns: the tape's time of it (Unix ns), never going back.

    exchange_ns: the exchange's own time of it, or when it queued the frame; 0 = the frame has neither.
    """

    seq: int
    now_ns: int
    exchange_ns: int
    market: str


class Cleared(Move, frozen=True, gc=False):
    """Nothing is known of the book from here on: it lost its trust."""


class Whole(Move, frozen=True, gc=False):
    """The book is this: bids for and offers of yes, both ascending in price (1/10,000 dollar, 1/100 contract)."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Changed(Move, frozen=True, gc=False):
    """A level of the book of yes has this size now (1/100 contract), 0 = it is gone."""

    is_bid: bool
    price: int
    size: int


class Told(Move, frozen=True, gc=False):
    """A public trade, a ticker or a word about the market's life that the store took in."""

    message: Trade | Ticker | MarketLifecycle


Happened: TypeAlias = Cleared | Whole | Changed | Told


class Walk:
    """Goes through the chosen part of a tape once. left_out: what was not told, by why. Raises MarketNotFound.

    cleared: how often a book that was told was cleared. told: the markets whose books are told just now.
    """

    def __init__(self, tape: Tape, choice: Choice) -> None:
        require_markets(tape, choice.markets)
        self.left_out: Counter[str] = Counter()
        self.cleared = 0
        self.told: dict[str, None] = {}
        self.player = Player(tape, "columns", start="beginning" if choice.from_ns is None else "checkpoint")
        self._choice = choice
        self._chosen = frozenset(choice.markets)
        self._shuffles = self.player.store.shuffles

    def moves(self, progress: Progress = silent) -> Iterator[Happened]:
        """Everything that happened, in order; progress in records. Raises TapeDamaged."""
        player, choice = self.player, self._choice
        total = player.tape.head_seq + 1
        if choice.from_ns:
            player.advance(until_ns=choice.from_ns - 1)
            yield from self._begin(choice.from_ns)
        for record, step in player.play(until_ns=choice.to_ns):
            if record.seq % PROGRESS_RECORDS == 0:
                progress(record.seq, total)
            if self._may_cost_trust(record, step):
                yield from self._lost(record.seq, step.now_ns, list(self.told))
                if record.kind == Kind.SESSION:
                    yield from self._begin(step.now_ns)
            elif type(step.change) is Rejected:
                market = getattr(step.message, "market", "")
                yield from self._lost(record.seq, step.now_ns, [market] if market in self.told else [])
            happened = self._of(record.seq, step)
            if happened is not None:
                yield happened
        progress(player.position, total)

    def _begin(self, now_ns: int) -> Iterator[Whole]:
        """The books that are there without a snapshot: before the range, or carried by a cut."""
        for market, state in sorted(self.player.store.states().items()):
            if state.trusted and self._is_chosen(market):
                yield self._whole(self.player.position - 1, now_ns, 0, state)

    def _may_cost_trust(self, record: Record, step: Step) -> bool:
        change = step.change
        return bool(
            step.gaps
            or record.kind == Kind.SESSION
            or (type(change) is Change and change.what is ChangeKind.SUBSCRIPTION)
            or self._shuffles != self.player.store.shuffles
        )

    def _lost(self, seq: int, now_ns: int, told: list[str]) -> Iterator[Cleared]:
        """Those of these books that are not trusted any more."""
        store = self.player.store
        states, self._shuffles = store.states(), store.shuffles
        for market in told:
            if market not in states or not states[market].trusted:
                del self.told[market]
                self.cleared += 1
                yield Cleared(seq, now_ns, 0, market)

    def _of(self, seq: int, step: Step) -> Happened | None:
        """What a record says."""
        message, change = step.message, step.change
        market = getattr(message, "market", "")
        if not market or not self._is_chosen(market):
            return None
        match message:
            case BookDelta() | BookSnapshot() | Trade() if type(change) is Rejected:
                self.left_out[f"{_WORDS[type(message)]} refused: {change.value}"] += 1
                return None
            case BookDelta() | BookSnapshot():
                return self._book(seq, step, message, self.player.store.states()[market])
            case Trade() | Ticker() | MarketLifecycle():
                return Told(seq, step.now_ns, _exchange_ns(message), market, message)
            case _:
                return None

    def _book(self, seq: int, step: Step, message: BookDelta | BookSnapshot, state: MarketState) -> Happened | None:
        exchange_ns = _exchange_ns(message)
        if not state.trusted:
            self.left_out["deltas of a book that is not trusted"] += 1
            return None
        if type(message) is BookSnapshot:
            return self._whole(seq, step.now_ns, exchange_ns, state)
        delta = cast("BookDelta", message)
        own = DOLLAR - delta.price if delta.side is Side.NO and writes_yes_scale(state) else delta.price
        if delta.side is Side.YES:
            return Changed(seq, step.now_ns, exchange_ns, state.market, True, own, state.book.yes.size(own))
        return Changed(seq, step.now_ns, exchange_ns, state.market, False, DOLLAR - own, state.book.no.size(own))

    def _whole(self, seq: int, now_ns: int, exchange_ns: int, state: MarketState) -> Whole:
        self.told[state.market] = None
        asks = tuple((DOLLAR - price, size) for price, size in reversed(state.book.no.levels()))
        return Whole(seq, now_ns, exchange_ns, state.market, state.book.yes.levels(), asks)

    def _is_chosen(self, market: str) -> bool:
        return not self._chosen or market in self._chosen


def _exchange_ns(message: BookDelta | BookSnapshot | Trade | Ticker | MarketLifecycle) -> int:
    """Snapshots and lifecycle messages have no time of their own."""
    own = 0 if isinstance(message, BookSnapshot | MarketLifecycle) else message.exchange_ns
    return own or message.sending_ms * _MILLI
