"""The exchange of a backtest: the sandbox's matching core among the orders of the tape, which it cannot move.

Orders are checked, matched, paid and ended by the same code as in the sandbox (`replay.exchange`), with the taped book
as others outside of its floor. What rests of ours is filled as `replay.venue.line` says, for how others would have
been served is not known. Knows orders and the life of markets. Must not know latency or who is told of what.
"""

from dataclasses import dataclass
from typing import Final

from core.actions import Amend, BookSide, Cancel, Place
from core.store import MarketStateStore
from core.times import SECOND_NS
from replay.exchange import orders as wanted
from replay.exchange.engine import MatchingEngine
from replay.exchange.ids import CountingIds
from replay.exchange.orders import Order, OrderStatus, PlaceAnswer, ReduceAnswer, Refusal, TimeInForce
from replay.venue.book import Book
from replay.venue.facts import Facts
from replay.venue.line import Fill
from replay.venue.listing import Listing
from replay.venue.terms import VenueTerms
from replay.venue.told import Amended, Listener, Rested

ACCOUNT: Final = "backtest"


@dataclass(slots=True)
class Own:
    """An order of the run, from its decision to its end. price: as it rests, or is to.

    rested_ns: since when it has its place, -1 = it has none. is_blind: it came to rest where the book was not known.
    is_doubtful: something was missing since, so its place is not certain.
    """

    key: str
    strategy: str
    market: str
    side: BookSide
    price: int
    decided_ns: int
    order_id: str = ""
    rested_ns: int = -1
    is_blind: bool = False
    is_doubtful: bool = False


class Exchange:
    """orders: those that rest or are on their way, by client_order_id. Facts may raise ConfigError in every method that
    is given a market."""

    def __init__(self, terms: VenueTerms, store: MarketStateStore, seed: int, out: Listener) -> None:
        self.engine = MatchingEngine(CountingIds(seed))
        self.engine.fund(ACCOUNT, terms.cash)
        self.facts = Facts(terms, store)
        self.listing = Listing(self.engine, self.facts, self.book)
        self.orders: dict[str, Own] = {}
        self.books: dict[str, Book] = {}
        self._store = store
        self._model = terms.queue
        self._out = out
        self._group_id = ""

    def fuse(self, limit: int, now_ns: int) -> None:
        """A run begins, whose orders may match so much (1/100 contract) within 15 s, 0 = as much as they can."""
        if self._group_id:
            self.engine.groups.delete(ACCOUNT, self._group_id, now_ns)
            self._group_id = ""
        if limit:
            made = self.engine.groups.create(ACCOUNT, limit, now_ns)
            assert not isinstance(made, Refusal), made
            self._group_id = made.group_id

    def book(self, market: str) -> Book:
        """The market's book."""
        book = self.books.get(market)
        if book is None:
            book = self.books[market] = Book(market, self._store, self._model)
        return book

    def announce(self, own: Own) -> None:
        """An order is on its way."""
        self.orders[own.key] = own
        self.book(own.market).claim(own.key, own.side, own.price)

    def place(self, own: Own, action: Place, now_ns: int) -> PlaceAnswer:
        """An order comes to the exchange."""
        self.listing.sync(own.market, now_ns)
        own.is_doubtful = self.book(own.market).is_lost
        answer = self.engine.place(ACCOUNT, _new(action, self._group_id), now_ns)
        if isinstance(answer, Refusal):
            self.forget(own)
        else:
            own.order_id = answer.order.order_id
        return answer

    def amend(self, action: Amend, now_ns: int) -> PlaceAnswer:
        """An amendment comes; `announce_amendment` was called for it."""
        self.listing.sync(action.market, now_ns)
        answer = self.engine.amend(ACCOUNT, _amendment(action), now_ns)
        own = self.orders.get(action.client_order_id)
        book = self.book(action.market)
        if isinstance(answer, Refusal) or own is None:
            book.release(action.client_order_id, action.side, action.price)
            return answer
        book.release(own.key, own.side, own.price)
        own.price = action.price
        self._out(Amended(now_ns, own.key, action.price, action.count))
        return answer

    def announce_amendment(self, action: Amend) -> None:
        """An amendment is on its way."""
        self.book(action.market).claim(action.client_order_id, action.side, action.price)

    def cancel(self, action: Cancel, now_ns: int) -> ReduceAnswer:
        """A cancel comes."""
        self.listing.sync(action.market, now_ns)
        return self.engine.cancel(ACCOUNT, action.order_id, now_ns)

    def before(self, key: str) -> Order | None:
        """An order as it rests, None = it does not."""
        own = self.orders.get(key)
        order = None if own is None else self.engine.reads.order(ACCOUNT, own.order_id)
        return order if order is not None and order.status is OrderStatus.RESTING else None

    def lay(self, before: Order | None, order: Order, now_ns: int) -> None:
        """Give an order its place in the line, if it rests. before: as it rested until now, if it did."""
        own = self.orders.get(order.client_order_id)
        if own is None or order.status is not OrderStatus.RESTING:
            return
        book = self.book(own.market)
        book.line.flush(now_ns)
        if before is not None and before.price == order.price and order.remaining <= before.remaining:
            book.line.shrink(own.key, order.remaining)
            return
        book.line.drop(own.key)
        own.rested_ns = now_ns
        own.is_blind = own.is_doubtful = book.is_lost
        self._rest(own, order.remaining, now_ns)

    def sighted(self, book: Book, now_ns: int) -> None:
        """A snapshot came: whoever came to rest while the book was not known stands behind all that it shows."""
        for own in list(self.orders.values()):
            if own.market == book.market and own.is_blind:
                own.is_blind = False
                order = self.before(own.key)
                if order is not None:
                    book.line.drop(own.key)
                    self._rest(own, order.remaining, now_ns)

    def lost(self, book: Book) -> None:
        """The market's book is not to be trusted any more."""
        book.is_lost = True
        book.line.lost()
        for own in self.orders.values():
            if own.market == book.market:
                own.is_doubtful = True

    def meet(self, fill: Fill, now_ns: int) -> None:
        """Somebody of the tape trades with an order that rests; the line has it so."""
        self.engine.meet(ACCOUNT, self.orders[fill.key].order_id, fill.count, now_ns)

    def forget(self, own: Own) -> None:
        """An order is over."""
        book = self.book(own.market)
        book.line.drop(own.key)
        book.release(own.key, own.side, own.price)
        del self.orders[own.key]

    def _rest(self, own: Own, remaining: int, now_ns: int) -> None:
        book = self.book(own.market)
        book.line.rest(own.key, own.side, own.price, remaining, book.size(own.side, own.price))
        self._out(Rested(now_ns, own.key, book.line.ahead(own.key)))


def _new(action: Place, group_id: str) -> wanted.NewOrder:
    """As the live shell words it."""
    return wanted.NewOrder(
        market=action.market, side=wanted.BookSide(action.side.value), price=action.price, count=action.count,
        time_in_force=TimeInForce(action.time_in_force), reduce_only=action.reduce_only,
        self_trade=wanted.SelfTrade(action.self_trade_prevention),
        client_order_id=action.client_order_id, expiration_ns=action.expires_s * SECOND_NS,
        post_only=action.post_only, cancel_on_pause=not action.ioc, group_id=group_id,
    )  # fmt: skip


def _amendment(action: Amend) -> wanted.Amendment:
    return wanted.Amendment(
        order_id=action.order_id, market=action.market, side=wanted.BookSide(action.side.value), price=action.price,
        count=action.count, client_order_id=action.client_order_id,
        expiration_ns=action.expires_s * SECOND_NS if action.expires_s else None,
    )  # fmt: skip
