"""The sandbox's REST: from a path to an answer; market data and the exchange itself (protocol 12).

Knows paths and queries. Must not know how orders are decoded: `routes_orders` does. Nothing that a client sends raises.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from replay.exchange import bodies
from replay.exchange.bodies import Body, invalid_query, ok, refused
from replay.exchange.engine import MatchingEngine
from replay.exchange.paging import Filters
from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.refusals import NOT_FOUND
from replay.exchange.routes_account import AccountRoutes
from replay.exchange.routes_orders import OrderRoutes
from replay.exchange.trade_log import TradeLog
from replay.exchange.views import Pause
from replay.exchange.wording_base import COMBOS, rfc3339

ROOT: Final = "/trade-api/v2"
EVERYWHERE: Final = -1

Handler = Callable[[RestRequest, Sequence[str]], RestAnswer]
Table = Sequence[tuple[str, re.Pattern[str], Handler]]


def route(method: str, path: str, handler: Handler) -> tuple[str, re.Pattern[str], Handler]:
    """A row of a table: `{}` in the path stands for one part, which the handler is given."""
    return method, re.compile(re.escape(path).replace(r"\{\}", "([^/]+)")), handler


class Routes:
    """Answers requests. now_ns: the exchange's clock. stale_ns: how long reads of orders lag behind writes."""

    def __init__(self, engine: MatchingEngine, log: TradeLog, now_ns: Callable[[], int], *, stale_ns: int = 0) -> None:
        self._engine = engine
        self._log = log
        self._now_ns = now_ns
        self._stale_ns = stale_ns
        account, orders = AccountRoutes(engine, log, now_ns), OrderRoutes(engine, now_ns)
        self._table: Table = [route(*row) for row in (*self._public(), *account.table(), *orders.table())]

    def answer(self, request: RestRequest) -> RestAnswer:
        """The answer to a request whose signature was found good; 404 for what is not there."""
        path = request.path.removeprefix(ROOT)
        for method, pattern, handler in self._table:
            if method == request.method and (found := pattern.fullmatch(path)):
                try:
                    return handler(request, found.groups())
                except KeyError:
                    return refused(NOT_FOUND)
        return refused(NOT_FOUND)

    def _public(self) -> Sequence[tuple[str, str, Handler]]:
        return (
            ("GET", "/exchange/status", self._status),
            ("GET", "/exchange/schedule", _schedule),
            ("GET", "/exchange/user_data_timestamp", self._as_of),
            ("GET", "/account/endpoint_costs", _costs),
            ("GET", "/markets", self._markets),
            ("GET", "/markets/trades", self._trades),
            ("GET", "/markets/orderbooks", self._orderbooks),
            ("GET", "/markets/{}", self._market),
            ("GET", "/markets/{}/orderbook", self._orderbook),
            ("GET", "/events", self._events),
            ("GET", "/events/fee_changes", _no_event_changes),
            ("GET", "/events/{}", self._event),
            ("GET", "/series", self._all_series),
            ("GET", "/series/fee_changes", _no_series_changes),
            ("GET", "/series/{}", self._series),
            ("GET", "/historical/cutoff", self._cutoff),
        )

    def _status(self, _request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        pause = self._engine.reads.pause(EVERYWHERE)
        return ok({
            "exchange_active": pause is not Pause.EXCHANGE,
            "trading_active": pause is Pause.NONE,
            "intra_exchange_transfers_active": True,
        })  # fmt: skip

    def _as_of(self, _request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        return ok({"as_of_time": rfc3339(self._now_ns() - self._stale_ns)})

    def _markets(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        asked = Filters.of(request.query, most=1_000, usual=100)
        if asked is None:
            return _over_limit("GetMarkets", "GetMarketsParams")
        reads = self._engine.reads
        found = []
        for ticker in reads.markets():
            view = reads.market(ticker)
            event = view.spec.event_ticker
            series = reads.event(event).series_ticker
            if asked.takes(ticker, event=event, series=series, statuses=(view.status.value,)):
                found.append(ticker)
        page, cursor = asked.page(found)
        return ok({"markets": [self._market_body(ticker) for ticker in page], "cursor": cursor})

    def _market(self, _request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        return ok({"market": self._market_body(parts[0])})

    def _market_body(self, ticker: str) -> Body:
        return bodies.market(self._engine.reads.market(ticker), self._log.volume_of_day(ticker, self._now_ns()))

    def _orderbook(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        depth = _number(dict(request.query).get("depth", "0"), 100)
        if depth is None:
            return _over_limit("GetMarketOrderbook", "GetMarketOrderbookParams", "Depth")
        return ok({"orderbook_fp": self._book_body(parts[0], depth)})

    def _orderbooks(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        tickers = [value for name, value in request.query if name == "tickers"]
        books = [{"ticker": name, "orderbook_fp": self._book_body(name, 0)} for name in tickers[:100]]
        return ok({"orderbooks": books})

    def _book_body(self, ticker: str, depth: int) -> Body:
        book = self._engine.reads.book(ticker)
        return {"yes_dollars": bodies.levels(book.yes, depth), "no_dollars": bodies.levels(book.no, depth)}

    def _trades(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        asked = Filters.of(request.query, most=1_000, usual=100)
        if asked is None:
            return _over_limit("GetTrades", "GetTradesParams")
        query = dict(request.query)
        market, since_s, until_s = query.get("ticker", ""), query.get("min_ts", ""), query.get("max_ts", "")
        found = [
            bodies.trade(told)
            for told in reversed(self._log.trades)
            if market in ("", told.market) and _within(told.at_ns, since_s, until_s)
        ]
        page, cursor = found[asked.start : asked.start + asked.limit], asked.page([""] * len(found))[1]
        return ok({"trades": page, "cursor": cursor})

    def _events(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        asked = Filters.of(request.query, most=200, usual=200)
        if asked is None:
            return _over_limit("GetEvents", "GetEventsParams")
        found = []
        for ticker in self._log.events:
            statuses = [self._engine.reads.market(m).status.value for m in self._markets_of(ticker)]
            series = self._engine.reads.event(ticker).series_ticker
            is_combo = ticker.startswith(COMBOS)
            if not is_combo and asked.takes(ticker, event=ticker, series=series, statuses=statuses):
                found.append(ticker)
        page, cursor = asked.page(found)
        return ok({"events": [self._event_body(ticker, nested=asked.nested) for ticker in page], "cursor": cursor})

    def _event(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        nested = dict(request.query).get("with_nested_markets") == "true"
        body: dict[str, Any] = {"event": self._event_body(parts[0], nested=nested)}
        body["markets"] = [] if nested else [self._market_body(ticker) for ticker in self._markets_of(parts[0])]
        return ok(body)

    def _event_body(self, ticker: str, *, nested: bool) -> Body:
        reads = self._engine.reads
        body = bodies.event(reads.event(ticker), reads.override(ticker), self._now_ns())
        if nested:
            body["markets"] = [self._market_body(market) for market in self._markets_of(ticker)]
        return body

    def _markets_of(self, event_ticker: str) -> list[str]:
        reads = self._engine.reads
        return [market for market in reads.markets() if reads.market(market).spec.event_ticker == event_ticker]

    def _all_series(self, _request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        return ok({"series": [self._series_body(ticker) for ticker in self._log.series]})

    def _series(self, _request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        return ok({"series": self._series_body(parts[0])})

    def _series_body(self, ticker: str) -> Body:
        spec = self._log.series[ticker]
        return bodies.series(ticker, spec.title.partition(" on ")[0], spec)

    def _cutoff(self, _request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        begin = rfc3339(0)
        return ok(dict.fromkeys(("market_settled_ts", "trades_created_ts", "orders_updated_ts"), begin))


def _schedule(_request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
    """Open around the clock."""
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    hours = {day: [{"open_time": "00:00", "close_time": "00:00"}] for day in days}
    span = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z"}
    return ok({"schedule": {"standard_hours": [span | hours], "maintenance_windows": []}})


def _costs(_request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
    costs = [
        {"method": "DELETE", "path": f"{ROOT}/portfolio/events/orders/{{order_id}}", "cost": 2},
        {"method": "GET", "path": f"{ROOT}/portfolio/orders/{{order_id}}", "cost": 2},
    ]
    return ok({"default_cost": 10, "endpoint_costs": costs})


def _no_series_changes(_request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
    return ok({"series_fee_change_arr": []})


def _no_event_changes(_request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
    return ok({"event_fee_changes": [], "cursor": ""})


def _over_limit(operation: str, params: str, field: str = "Limit") -> RestAnswer:
    return invalid_query(
        f"Parameter validation failed for {operation}: Key: '{params}.{field}' "
        f"Error:Field validation for '{field}' failed on the 'lte' tag"
    )


def _number(text: str, most: int) -> int | None:
    """A whole number from 0 to `most`, None when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= most else None


def _within(at_ns: int, since_s: str, until_s: str) -> bool:
    since, until = (_number(text, 10**10) for text in (since_s, until_s))
    at_s = at_ns // 1_000_000_000
    return (not since or at_s >= since) and (not until or at_s <= until)
