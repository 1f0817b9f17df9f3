"""What an account does by REST (protocol 13.3): its orders.

Knows paths, V2 answers, whose names have no suffix, and the shard a request goes to: the one it names, else that of the
market it names, else 0 (protocol 13.3). Must not know the engine's rules. Chosen where the protocol is silent: on
another shard than its own an order or a market is not found, and -1 without a market is `invalid_parameters`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from core.money import format_price, format_size
from replay.exchange import order_bodies
from replay.exchange.bodies import Body, bad_request, dollars, error, ok, refused
from replay.exchange.engine import MatchingEngine
from replay.exchange.order_bodies import ANY, BadBody, Reader, Shard
from replay.exchange.orders import PlaceAnswer, Placed, ReduceAnswer, Reduced, Refusal
from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.queries import number
from replay.exchange.refusals import NOT_FOUND, invalid

Handler = Callable[[RestRequest, Sequence[str]], RestAnswer]

ORDERS = "/portfolio/events/orders"
LEGACY = "/portfolio/orders"

MOST_INDEX = 1_000
"""Shards there may be, far more than there are."""

DEPRECATED = Refusal(410, "deprecated_v1_order_endpoint", "deprecated v1 order endpoint")


class OrderRoutes:
    """Writes of the account that signed the request."""

    def __init__(self, engine: MatchingEngine, now_ns: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ns = now_ns

    def table(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path, handler; what is more special comes first."""
        rows = (
            ("POST", ORDERS, self._create),
            ("DELETE", ORDERS, self._cancel_all),
            ("POST", f"{ORDERS}/batched", self._create_batch),
            ("DELETE", f"{ORDERS}/batched", self._cancel_batch),
            ("DELETE", f"{ORDERS}/{{}}", self._cancel),
            ("POST", f"{ORDERS}/{{}}/amend", self._amend),
            ("POST", f"{ORDERS}/{{}}/decrease", self._decrease),
        )
        legacy = [(method, path, _deprecated) for method, path in _LEGACY_WRITES]
        return [(method, path, decoding(handler)) for method, path, handler in (*rows, *legacy)]

    def _create(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        answer = self._place(request.account, order_bodies.decode(request.body))
        return refused(answer) if isinstance(answer, Refusal) else ok(_placed(answer), 201)

    def _create_batch(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        answers: list[Body] = []
        for item in order_bodies.batch(order_bodies.decode(request.body)):
            try:
                answer = self._place(request.account, item)
            except BadBody as bad:
                answer = Refusal(400, "bad_request", "bad request", str(bad))
            answers.append({"error": error(answer)} if isinstance(answer, Refusal) else _placed(answer))
        return ok({"orders": answers}, 201)

    def _cancel(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        query = dict(request.query)
        index = number(query.get("exchange_index", ""), MOST_INDEX)
        if query.get("exchange_index") == str(ANY):
            index = ANY
        answer = self._cancelled(request.account, parts[0], (index, query.get("market_ticker", "")))
        return refused(answer) if isinstance(answer, Refusal) else ok(_cancelled(answer))

    def _cancel_batch(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        answers: list[Body] = []
        for item in order_bodies.batch(order_bodies.decode(request.body)):
            read = Reader(item, "BatchCancelOrdersV2Request")
            order_id, shard = read.text("order_id", required=True), read.shard("market_ticker")
            answer = self._cancelled(request.account, order_id, shard)
            if isinstance(answer, Refusal):
                answers.append({"order_id": order_id, "reduced_by": format_size(0), "error": error(answer)})
            else:
                answers.append(_cancelled(answer))
        return ok({"orders": answers})

    def _cancel_all(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        if dict(request.query).get("subaccount", "0") != "0":
            return refused(invalid("unknown subaccount"))
        answer = self._engine.cancel_all(request.account, self._now_ns())
        return refused(answer) if isinstance(answer, Refusal) else RestAnswer(204, b"")

    def _amend(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        values = order_bodies.decode(request.body)
        wanted = order_bodies.amendment(parts[0], values)
        shard = Reader(values, "AmendOrderV2Request").shard("ticker")
        astray = self._astray(request.account, parts[0], shard)
        answer = astray or self._engine.amend(request.account, wanted, self._now_ns())
        return refused(answer) if isinstance(answer, Refusal) else ok(_placed(answer))

    def _decrease(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        values = order_bodies.decode(request.body)
        by, to = order_bodies.reduction(values)
        shard = Reader(values, "DecreaseOrderV2Request").shard("market_ticker")
        astray = self._astray(request.account, parts[0], shard)
        answer = astray or self._engine.decrease(request.account, parts[0], self._now_ns(), by=by, to=to)
        if isinstance(answer, Refusal):
            return refused(answer)
        return ok({**_named(answer), "remaining_count": format_size(answer.order.remaining)})

    def _place(self, account: str, values: Mapping[str, Any]) -> PlaceAnswer:
        new = order_bodies.new_order(values)
        index, _ = Reader(values, "CreateOrderV2Request").shard("ticker")
        if index not in (None, ANY) and index != self._shard_of(new.market):
            return NOT_FOUND
        return self._engine.place(account, new, self._now_ns())

    def _cancelled(self, account: str, order_id: str, shard: Shard) -> ReduceAnswer:
        return self._astray(account, order_id, shard) or self._engine.cancel(account, order_id, self._now_ns())

    def _astray(self, account: str, order_id: str, shard: Shard) -> Refusal | None:
        """Why a request about an order does not get to it; None = it does, or there is no such order."""
        index, market = shard
        if index is None or index == ANY:
            if not market and index == ANY:
                return invalid("market_ticker is required for auto-routing")
            index = self._shard_of(market) if market else 0
        order = self._engine.reads.order(account, order_id)
        return None if order is None or order.exchange_index == index else NOT_FOUND

    def _shard_of(self, market: str) -> int | None:
        try:
            return self._engine.reads.market(market).spec.exchange_index
        except KeyError:
            return None


_LEGACY_WRITES = (
    ("POST", LEGACY),
    ("POST", f"{LEGACY}/batched"),
    ("DELETE", f"{LEGACY}/batched"),
    ("DELETE", f"{LEGACY}/{{}}"),
    ("POST", f"{LEGACY}/{{}}/amend"),
    ("POST", f"{LEGACY}/{{}}/decrease"),
)


def _deprecated(_request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
    return refused(DEPRECATED)


def decoding(handler: Handler) -> Handler:
    """The handler, with an answer to bodies that cannot be decoded."""
    return partial(_decoded, handler)


def _decoded(handler: Handler, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
    try:
        return handler(request, parts)
    except BadBody as bad:
        return bad_request(str(bad))


def _named(answer: Placed | Reduced) -> Body:
    body: dict[str, Any] = {"order_id": answer.order.order_id}
    if answer.order.client_order_id:
        body["client_order_id"] = answer.order.client_order_id
    return body | {"ts_ms": answer.at_ns // 1_000_000}


def _placed(answer: Placed) -> Body:
    body = _named(answer) | {
        "fill_count": format_size(answer.fill_count),
        "remaining_count": format_size(answer.order.remaining),
    }
    if answer.average_price is not None and answer.average_fee is not None:
        body["average_fill_price"] = format_price(answer.average_price)
        body["average_fee_paid"] = dollars(answer.average_fee)
    return body


def _cancelled(answer: Reduced) -> Body:
    return _named(answer) | {"reduced_by": format_size(answer.reduced_by)}
