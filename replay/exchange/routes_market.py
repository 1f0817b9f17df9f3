"""The sandbox's markets by REST (protocol 12): listings, one market, books, trades.

Knows filters and pages. Must not know events beyond their names.
"""

from collections.abc import Callable, Sequence

from replay.exchange import bodies
from replay.exchange.bodies import Body, ok
from replay.exchange.engine import MatchingEngine
from replay.exchange.paging import MARKET_TIMES, Filters
from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.queries import asked_books, asked_depth, asked_for, invalid_field
from replay.exchange.trade_log import TradeLog

Handler = Callable[[RestRequest, Sequence[str]], RestAnswer]


class MarketRoutes:
    """Reads that everybody may make."""

    def __init__(self, engine: MatchingEngine, log: TradeLog, now_ns: Callable[[], int]) -> None:
        self._engine = engine
        self._log = log
        self._now_ns = now_ns

    def table(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path, handler; what is more special comes first."""
        return (
            ("GET", "/markets", self._markets),
            ("GET", "/markets/trades", self._trades),
            ("GET", "/markets/orderbooks", self._orderbooks),
            ("GET", "/markets/{}", self._market),
            ("GET", "/markets/{}/orderbook", self._orderbook),
        )

    def body(self, ticker: str) -> Body:
        """A Market; KeyError."""
        return bodies.market(self._engine.reads.market(ticker), self._log.volume_of_day(ticker, self._now_ns()))

    def _markets(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        asked = Filters.of(request.query, most=1_000, usual=100, times=MARKET_TIMES)
        if asked is None:
            return invalid_field("GetMarkets")
        reads = self._engine.reads
        found = []
        for ticker in reads.markets():
            view = reads.market(ticker)
            event = view.spec.event_ticker
            series = reads.event(event).series_ticker
            if asked.takes(ticker, event=event, series=series, statuses=(view.status.value,)) and (
                not asked.spans or asked.within(self._times(ticker))
            ):
                found.append(ticker)
        page, cursor = asked.page(found)
        return ok({"markets": [self.body(ticker) for ticker in page], "cursor": cursor})

    def _times(self, ticker: str) -> Callable[[str], Sequence[str]]:
        body = self.body(ticker)
        return lambda about: (body.get(MARKET_TIMES[about], ""),)

    def _market(self, _request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        return ok({"market": self.body(parts[0])})

    def _orderbook(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        depth = asked_depth(request.query)
        if isinstance(depth, RestAnswer):
            return depth
        return ok({"orderbook_fp": self._book_body(parts[0], depth)})

    def _orderbooks(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        """Of tickers that nobody knows there is none: the request has no 404 (protocol 12.1)."""
        tickers = asked_books(request.query)
        if isinstance(tickers, RestAnswer):
            return tickers
        known = frozenset(self._engine.reads.markets())
        books = [{"ticker": name, "orderbook_fp": self._book_body(name, 0)} for name in tickers if name in known]
        return ok({"orderbooks": books})

    def _book_body(self, ticker: str, depth: int) -> Body:
        book = self._engine.reads.book(ticker)
        return {"yes_dollars": bodies.levels(book.yes, depth), "no_dollars": bodies.levels(book.no, depth)}

    def _trades(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        asked = Filters.of(request.query, most=1_000, usual=100)
        if asked is None:
            return invalid_field("GetTrades")
        query = dict(request.query)
        market = query.get("ticker", "")
        found = [
            bodies.trade(told)
            for told in reversed(self._log.trades)
            if market in ("", told.market) and asked_for(query, told.at_ns)
        ]
        page, cursor = found[asked.start : asked.start + asked.limit], asked.page([""] * len(found))[1]
        return ok({"trades": page, "cursor": cursor})
