"""What an account reads of itself by REST (protocol 13.1): money, positions, orders, fills, payouts, queues.

Knows filters and pages. Must not know how orders are placed.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from core.money import format_size
from replay.exchange import bodies
from replay.exchange.bodies import Body, invalid_query, ok, refused
from replay.exchange.engine import MatchingEngine
from replay.exchange.orders import Order
from replay.exchange.paging import Filters
from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.queries import asked_for
from replay.exchange.refusals import NOT_FOUND
from replay.exchange.specs import MarketStatus
from replay.exchange.trade_log import TradeLog

Handler = Callable[[RestRequest, Sequence[str]], RestAnswer]

MOST = 1_000
"""Objects a page at most."""

_PAID: Final = {"unsettled": (False,), "settled": (True,), "all": (False, True)}
"""The words of `settlement_status`: whether the position's market may be finalized."""


class AccountRoutes:
    """Reads of the account that signed the request."""

    def __init__(self, engine: MatchingEngine, log: TradeLog, now_ns: Callable[[], int]) -> None:
        self._engine = engine
        self._log = log
        self._now_ns = now_ns

    def table(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path, handler; what is more special comes first."""
        return (
            ("GET", "/account/limits", self._limits),
            ("GET", "/portfolio/balance", self._balance),
            ("GET", "/portfolio/positions", self._positions),
            ("GET", "/portfolio/orders", self._orders),
            ("GET", "/portfolio/orders/queue_positions", self._queues),
            ("GET", "/portfolio/orders/{}", self._order),
            ("GET", "/portfolio/orders/{}/queue_position", self._queue),
            ("GET", "/portfolio/fills", self._fills),
            ("GET", "/portfolio/settlements", self._settlements),
            ("GET", "/portfolio/summary/total_resting_order_value", self._resting_value),
        )

    def _limits(self, _request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        budget = {"refill_rate": 4_000, "bucket_capacity": 8_000}
        return ok({"usage_tier": "sandbox", "read": budget, "write": budget, "grants": []})

    def _balance(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        return ok(bodies.balance(self._engine.reads.balance(request.account), self._now_ns()))

    def _positions(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        reads, query = self._engine.reads, dict(request.query)
        wanted, event = query.get("ticker", ""), query.get("event_ticker", "")
        paid = _PAID.get(query.get("settlement_status", "unsettled"))
        if paid is None:
            return invalid_query("Parameter validation failed: settlement_status must be unsettled, settled or all")
        found = [
            view
            for view in reads.holdings(request.account)
            if wanted in ("", view.market)
            and event in ("", reads.market(view.market).spec.event_ticker)
            and (reads.market(view.market).status is MarketStatus.FINALIZED) in paid
            and (view.position or "count_filter" not in query)
        ]
        by_event: dict[str, list[Any]] = {}
        for view in found:
            by_event.setdefault(reads.market(view.market).spec.event_ticker, []).append(view)
        answer = _page(request, found, "market_positions", lambda v: bodies.position(v, reads.market(v.market).spec))
        if isinstance(answer, RestAnswer):
            return answer
        return ok(
            answer | {"event_positions": [bodies.event_position(name, views) for name, views in by_event.items()]}
        )

    def _orders(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        query = dict(request.query)
        tickers, status = query.get("ticker", ""), query.get("status", "")
        read = (self._log.as_read(order) for order in reversed(self._engine.reads.orders(request.account)))
        found = [
            shown
            for shown in read
            if shown is not None
            and tickers in ("", shown.market)
            and status in ("", shown.status.value)
            and asked_for(query, shown.created_ns)
        ]
        answer = _page(request, found, "orders", bodies.order)
        return answer if isinstance(answer, RestAnswer) else ok(answer)

    def _order(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        order = self._find(request, parts[0])
        return refused(NOT_FOUND) if order is None else ok({"order": bodies.order(order)})

    def _queue(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        order = self._engine.reads.order(request.account, parts[0])
        if order is None:
            return refused(NOT_FOUND)
        return ok({"queue_position_fp": format_size(self._engine.reads.queue_position(order))})

    def _queues(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        reads = self._engine.reads
        wanted = [t for name, value in request.query if name == "market_tickers" for t in value.split(",") if t]
        found: list[Body] = [
            {
                "order_id": order.order_id,
                "market_ticker": order.market,
                "queue_position_fp": format_size(reads.queue_position(order)),
            }
            for order in reads.resting(request.account)
            if not wanted or order.market in wanted
        ]
        return ok({"queue_positions": found})

    def _fills(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        query = dict(request.query)
        wanted, order_id = query.get("ticker", ""), query.get("order_id", "")
        found = [
            told
            for told in reversed(self._log.fills[request.account])
            if wanted in ("", told.market) and order_id in ("", told.order_id) and asked_for(query, told.at_ns)
        ]
        answer = _page(request, found, "fills", bodies.fill)
        return answer if isinstance(answer, RestAnswer) else ok(answer)

    def _settlements(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        query = dict(request.query)
        wanted = query.get("ticker", "")
        found = [
            paid
            for paid in reversed(self._log.settlements[request.account])
            if wanted in ("", paid[0].market) and asked_for(query, paid[0].at_ns)
        ]
        answer = _page(request, found, "settlements", lambda paid: bodies.settlement(*paid))
        return answer if isinstance(answer, RestAnswer) else ok(answer)

    def _resting_value(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        values: dict[int, int] = {}
        for order in self._engine.reads.resting(request.account):
            values[order.exchange_index] = values.get(order.exchange_index, 0) + order.own_price * order.remaining
        return ok(bodies.resting_value(values))

    def _find(self, request: RestRequest, order_id: str) -> Order | None:
        order = self._engine.reads.order(request.account, order_id)
        return None if order is None else self._log.as_read(order)


def _page(request: RestRequest, found: Sequence[Any], name: str, body: Callable[[Any], Body]) -> Body | RestAnswer:
    """One page of what was found; the refusal of a limit that is too large."""
    asked = Filters.of(request.query, most=MOST, usual=100)
    if asked is None:
        return invalid_query("Parameter validation failed: Field validation for 'Limit' failed on the 'lte' tag")
    cursor = asked.page([""] * len(found))[1]
    return {name: [body(told) for told in found[asked.start : asked.start + asked.limit]], "cursor": cursor}
