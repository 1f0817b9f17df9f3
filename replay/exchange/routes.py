"""The sandbox's REST: from a path to an answer, and the exchange itself (protocol 12.1).

Knows paths and queries. Must not know how orders are decoded: `routes_orders` does. Nothing that a client sends raises.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from replay.exchange.bodies import ok, refused
from replay.exchange.engine import MatchingEngine
from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.refusals import NOT_FOUND
from replay.exchange.routes_account import AccountRoutes
from replay.exchange.routes_events import EventRoutes
from replay.exchange.routes_groups import GroupRoutes
from replay.exchange.routes_market import MarketRoutes
from replay.exchange.routes_orders import OrderRoutes
from replay.exchange.trade_log import TradeLog
from replay.exchange.views import Pause
from replay.exchange.wording_base import rfc3339

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
        markets = MarketRoutes(engine, log, now_ns)
        groups = (
            markets,
            EventRoutes(engine, log, now_ns, markets.body),
            AccountRoutes(engine, log, now_ns),
            OrderRoutes(engine, now_ns),
            GroupRoutes(engine, now_ns),
        )
        rows = [*self._public(), *(row for group in groups for row in group.table())]
        self._table: Table = [route(*row) for row in rows]

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
