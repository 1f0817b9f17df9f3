"""What the records of a tape mean to the venue: books and trades to what rests, facts to what orders are judged by.

Knows kinds of records. Must not know what the run decides.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from core.actions import BookSide
from core.answers.types import ExchangeStatus
from core.changes import Change
from core.engine import Step
from core.fetched import read as read_answer
from core.messages.types import BookDelta, BookSnapshot, EventFeeUpdate, MarketLifecycle, Side, Ticker, Trade
from core.records import Kind, Record, RestCall, decode_rest
from replay.venue.book import Book, offered
from replay.venue.delays import Delays
from replay.venue.exchange import Exchange
from replay.venue.library import Library
from replay.venue.line import Fill
from replay.venue.teller import Teller

_USUAL: Final = (BookDelta, Trade, Ticker, BookSnapshot)


class Watch:
    """Sees a tape for one exchange. back_ns: how long news of a name take to the run."""

    def __init__(
        self, exchange: Exchange, teller: Teller, delays: Delays, library: Library, back_ns: Callable[[str], int]
    ) -> None:
        self._exchange = exchange
        self._teller = teller
        self._delays = delays
        self._library = library
        self._back = back_ns

    def saw(self, record: Record, step: Step) -> None:
        """Take in a record of the tape that the engine has stepped. Those that `core.runs.is_ours` says no to may be
        left out when the machine has stepped them."""
        self._teller.seq = record.seq
        message, change, now_ns = step.message, step.change, step.now_ns
        if record.kind == Kind.REST:
            self._rest(decode_rest(record.payload), now_ns)
        elif isinstance(message, MarketLifecycle) and type(change) is Change:
            self._exchange.facts.heard(message.market, now_ns)
            self._live(message.market, now_ns)
        elif isinstance(message, EventFeeUpdate):
            self._exchange.facts.override(message, now_ns)
        if step.gaps or not isinstance(message, _USUAL):
            self._doubt()
        if isinstance(message, _USUAL):
            self._usual(message, change, now_ns, healed=step.healed)

    def _usual(
        self, message: BookDelta | Trade | Ticker | BookSnapshot, change: object, now_ns: int, *, healed: bool
    ) -> None:
        book = self._exchange.books.get(message.market)
        if book is None or not book.is_watched:
            return
        book.remark()
        if type(change) is not Change:
            self._doubt()
            return
        match message:
            case Trade() if not message.is_block:
                taker = BookSide.BID if message.taker is Side.YES else BookSide.ASK
                stamp_ns = message.exchange_ns
                fills = book.line.trade(now_ns, taker, message.price, message.count, stamp_ns=stamp_ns)
                self._filled(fills, now_ns)
            case BookDelta():
                self._delta(book, message, now_ns)
            case BookSnapshot():
                if healed:  # the gap was found and ended by this very snapshot
                    self._exchange.lost(book)
                book.replaced()
                self._filled(book.line.replace(book.size, partial(offered, book)), now_ns)
                self._exchange.sighted(book, now_ns)
            case _:
                pass

    def _delta(self, book: Book, delta: BookDelta, now_ns: int) -> None:
        found = book.is_ours(delta)
        if found is not None:
            side, price = found
            after = book.size(side, price)
            before = after - delta.delta
            book.changed(side, price, before, after)
            self._filled(book.line.level(now_ns, side, price, before, after, stamp_ns=delta.exchange_ns), now_ns)

    def _filled(self, fills: list[Fill], now_ns: int) -> None:
        for fill in fills:
            if fill.key not in self._exchange.orders:
                continue  # the fill before has ended it with its group
            self._exchange.meet(fill, now_ns)
            self._teller.news(now_ns, fill.why.value, self._back)

    def _doubt(self) -> None:
        """See whose book is not to be trusted any more."""
        for book in self._exchange.books.values():
            if book.is_watched and not book.is_lost:
                state = book.state
                if state is None or not state.trusted:
                    self._exchange.lost(book)

    def _rest(self, call: RestCall, now_ns: int) -> None:
        self._delays.learn(call)
        self._library.observe(call, now_ns)
        fetched = read_answer(call, now_ns)
        if fetched is None:
            return
        self._exchange.facts.take(fetched)
        if isinstance(fetched.value, ExchangeStatus):
            self._exchange.listing.pause(fetched.value, now_ns)
        for market in self._exchange.listing.markets:
            self._live(market, now_ns)
        self._teller.news(now_ns, "", self._back)

    def _live(self, market: str, now_ns: int) -> None:
        if market in self._exchange.listing.markets:
            self._exchange.listing.sync(market, now_ns)
            self._teller.news(now_ns, "", self._back)
