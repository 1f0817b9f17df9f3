"""REST from a tape: its recorded answers, its facts, and the book at the playhead.

Knows which of them answers what. Must not know how a tape is read or played. The order: books and trades are of the
playhead's instant; any other request gets the latest recorded answer to that very request; what was never asked is
composed of recorded objects, and of made-up ones where nothing was recorded (`made_up`). A recording takes no orders.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from replay.exchange import made_up
from replay.exchange.catalogue import Catalogue, Scene
from replay.exchange.paging import MARKET_TIMES, Filters
from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.queries import asked_books, asked_depth, asked_for, invalid_field, number
from replay.exchange.recorded import question
from replay.when import format_time

MAX_TRADES: Final = 1_000
NO_ORDERS: Final = "this exchange plays a recording, which takes no orders"

Handler: TypeAlias = Callable[[Catalogue, RestRequest, str], RestAnswer]


class TapedRest:
    """Answers requests from a scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._catalogue = Catalogue(scene)

    def answer(self, request: RestRequest) -> RestAnswer:
        """The answer; unknown paths get 404, whatever would change something 404 or 409."""
        if request.method != "GET":
            return _refusal(request.method)
        asked = question(request.method, request.path, request.query)
        for live, routes in ((True, _LIVE), (False, _COMPOSED)):
            call = None if live else self._scene.recorded.latest(asked)
            if call is not None:
                return RestAnswer(call.status, call.answer.encode())
            for pattern, handler in routes:
                found = pattern.fullmatch(asked[1])
                if found is not None:
                    return handler(self._catalogue, request, found[1] if found.groups() else asked[1])
        return missing()


def missing() -> RestAnswer:
    """There is no such thing (protocol 13.5)."""
    return _json({"error": {"code": "not_found", "message": "not found"}}, 404)


def _orderbook(catalogue: Catalogue, request: RestRequest, market: str) -> RestAnswer:
    depth = asked_depth(request.query)
    if isinstance(depth, RestAnswer):
        return depth
    if market not in catalogue.markets():
        return missing()
    book = _book(catalogue, market, depth)
    if book is not None:
        return _json({"orderbook_fp": book})
    details = "the tape does not know this book at its playhead; its own snapshot is still to come"
    return _json({"error": {"code": "service_unavailable", "message": "service unavailable", "details": details}}, 503)


def _orderbooks(catalogue: Catalogue, request: RestRequest, _name: str) -> RestAnswer:
    """Markets whose book is not known now are left out."""
    tickers = asked_books(request.query)
    if isinstance(tickers, RestAnswer):
        return tickers
    books = [(ticker, _book(catalogue, ticker, 0)) for ticker in tickers]
    return _json({"orderbooks": [{"ticker": name, "orderbook_fp": book} for name, book in books if book is not None]})


def _trades(catalogue: Catalogue, request: RestRequest, _name: str) -> RestAnswer:
    """Those that the store still holds, newest first, in one page."""
    query = dict(request.query)
    limit = number(query.get("limit", "") or "100", MAX_TRADES)
    if limit is None:
        return invalid_field("GetTrades")
    asked = query.get("ticker", "")
    markets = (asked,) if asked else catalogue.markets()
    found = [
        (trade, market)
        for market in markets
        for trade in catalogue.scene.book(market).trades
        if asked_for(query, trade.exchange_ns or trade.now_ns)
    ]
    found.sort(key=lambda each: each[0].now_ns, reverse=True)
    return _json({"trades": [made_up.trade(market, trade) for trade, market in found[: limit or 100]], "cursor": ""})


def _market(catalogue: Catalogue, _request: RestRequest, ticker: str) -> RestAnswer:
    found = catalogue.market(ticker)
    return missing() if found is None else _json({"market": found})


def _markets(catalogue: Catalogue, request: RestRequest, _name: str) -> RestAnswer:
    filters = Filters.of(request.query, most=1_000, usual=100, times=MARKET_TIMES)
    if filters is None:
        return invalid_field("GetMarkets")
    chosen, cursor = filters.page([t for t in catalogue.markets() if _wants_market(filters, catalogue, t)])
    return _json({"markets": [catalogue.market(ticker) for ticker in chosen], "cursor": cursor})


def _event(catalogue: Catalogue, request: RestRequest, ticker: str) -> RestAnswer:
    events = catalogue.events()
    if ticker not in events:
        return missing()
    event, markets = catalogue.event(ticker), [catalogue.market(market) for market in events[ticker]]
    if dict(request.query).get("with_nested_markets") == "true":
        return _json({"event": {**event, "markets": markets}})
    return _json({"event": event, "markets": markets})


def _events(catalogue: Catalogue, request: RestRequest, _name: str) -> RestAnswer:
    filters = Filters.of(request.query, most=200, usual=200, times=("close", "updated"))
    if filters is None:
        return invalid_field("GetEvents")
    events = catalogue.events()
    wanted = [ticker for ticker, markets in events.items() if _wants_event(filters, catalogue, ticker, markets)]
    chosen, cursor = filters.page(wanted)
    found = [dict(catalogue.event(ticker)) for ticker in chosen]
    if filters.nested:
        for ticker, event in zip(chosen, found, strict=True):
            event["markets"] = [catalogue.market(market) for market in events[ticker]]
    return _json({"events": found, "cursor": cursor})


def _series(catalogue: Catalogue, _request: RestRequest, ticker: str) -> RestAnswer:
    return _json({"series": catalogue.one_series(ticker)}) if ticker in catalogue.series() else missing()


def _series_list(catalogue: Catalogue, _request: RestRequest, _name: str) -> RestAnswer:
    return _json({"series": [catalogue.one_series(ticker) for ticker in catalogue.series()]})


def _constant(catalogue: Catalogue, _request: RestRequest, path: str) -> RestAnswer:
    now_ns = catalogue.scene.now_ns
    bodies: Mapping[str, Callable[[], Any]] = {
        "exchange/status": lambda: made_up.STATUS,
        "exchange/schedule": made_up.schedule,
        "exchange/user_data_timestamp": lambda: {"as_of_time": format_time(now_ns)},
        "account/limits": made_up.limits,
        "series/fee_changes": lambda: {"series_fee_change_arr": []},
        "events/fee_changes": lambda: {"event_fee_changes": [], "cursor": ""},
        "events/multivariate": lambda: {"events": [], "cursor": ""},
        "account/endpoint_costs": lambda: {"default_cost": 10, "endpoint_costs": []},
        "portfolio/balance": lambda: made_up.balance(now_ns),
        "portfolio/positions": lambda: {"market_positions": [], "event_positions": [], "cursor": ""},
        "portfolio/orders/queue_positions": lambda: {"queue_positions": []},
        "portfolio/summary/total_resting_order_value": made_up.resting_value,
        "historical/cutoff": made_up.cutoff,
        "portfolio/orders": lambda: {"orders": [], "cursor": ""},
        "portfolio/fills": lambda: {"fills": [], "cursor": ""},
        "portfolio/settlements": lambda: {"settlements": [], "cursor": ""},
        "portfolio/order_groups": lambda: {"order_groups": []},
    }
    body = bodies.get(path)
    return missing() if body is None else _json(body())


_LIVE: Final[tuple[tuple[re.Pattern[str], Handler], ...]] = (
    (re.compile("markets/orderbooks"), _orderbooks),
    (re.compile("markets/([^/]+)/orderbook"), _orderbook),
    (re.compile("markets/trades"), _trades),
)
_COMPOSED: Final[tuple[tuple[re.Pattern[str], Handler], ...]] = (
    (re.compile("markets"), _markets),
    (re.compile("markets/([^/]+)"), _market),
    (re.compile("events/fee_changes|events/multivariate|series/fee_changes"), _constant),
    (re.compile("events"), _events),
    (re.compile("events/([^/]+)"), _event),
    (re.compile("series"), _series_list),
    (re.compile("series/([^/]+)"), _series),
    (re.compile(".*"), _constant),
)


def _wants_market(filters: Filters, catalogue: Catalogue, ticker: str) -> bool:
    event = catalogue.event_of(ticker)
    statuses = [catalogue.status_of(ticker)]
    if not filters.takes(ticker, event=event, series=catalogue.series_of(event), statuses=statuses):
        return False
    return filters.within(lambda about: (catalogue.market_time(ticker, MARKET_TIMES[about]),))


def _wants_event(filters: Filters, catalogue: Catalogue, ticker: str, markets: list[str]) -> bool:
    statuses = [catalogue.status_of(market) for market in markets] if filters.status else []
    if not filters.takes(ticker, event=ticker, series=catalogue.series_of(ticker), statuses=statuses):
        return False
    own = catalogue.event_time(ticker, "last_updated_ts")
    return filters.within(
        lambda about: (own,) if about == "updated" else (catalogue.market_time(m, MARKET_TIMES[about]) for m in markets)
    )


def _book(catalogue: Catalogue, market: str, depth: int) -> dict[str, list[list[str]]] | None:
    if not catalogue.scene.knows_book(market):
        return None
    view = catalogue.scene.book(market)
    return {"yes_dollars": made_up.levels(view.yes, depth), "no_dollars": made_up.levels(view.no, depth)}


def _refusal(method: str) -> RestAnswer:
    """There is nothing to cancel, and nothing can be placed: a pause that never ends."""
    code, message, status = (
        ("not_found", "not found", 404) if method == "DELETE" else (_PAUSED, "trading is paused", 409)
    )
    return _json({"error": {"code": code, "message": message, "details": NO_ORDERS}}, status)


_PAUSED: Final = "trading_is_paused"


def _json(body: Any, status: int = 200) -> RestAnswer:
    return RestAnswer(status, msgspec.json.encode(body))
