"""The account by REST, an endpoint a method (protocol 13): what it holds, and what is done to its orders.

Knows paths and bodies of V2. Must not know when an order is wise. Methods raise as `capture.api` says. What was sent is
not sent again unless it cannot have arrived; an order whose cancel answers 404 may have been filled or cancelled.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from capture.paging import parsed, query, walk
from capture.rest import RestClient, quoted
from core.answers import (
    Balance,
    Cancelled,
    FillAnswer,
    Group,
    OrderAnswer,
    Placed,
    PositionAnswer,
    Settlement,
    parse_balance,
    parse_cancelled,
    parse_fills,
    parse_group,
    parse_group_orders,
    parse_groups,
    parse_order,
    parse_orders,
    parse_placed,
    parse_positions,
    parse_queue_positions,
    parse_settlements,
)
from core.errors import ExchangeError
from core.messages.types import Malformed
from core.money import format_price, format_size

ORDERS: Final = "/portfolio/events/orders"
GROUPS: Final = "/portfolio/order_groups"
_LISTED: Final = 1_000


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order to place. side: bid or ask. price: the yes price (1/10,000 dollar); count: 1/100 contract.

    expiration_s: Unix seconds, 0 = none. Other words are the exchange's own (protocol 13.3).
    """

    market: str
    side: str
    price: int
    count: int
    client_order_id: str
    time_in_force: str = "good_till_canceled"
    self_trade_prevention: str = "taker_at_cross"
    post_only: bool = False
    reduce_only: bool = False
    cancel_on_pause: bool = True
    expiration_s: int = 0
    order_group_id: str = ""

    def body(self) -> dict[str, Any]:
        """The request's object."""
        given = {
            "ticker": self.market,
            "client_order_id": self.client_order_id,
            "side": self.side,
            "count": format_size(self.count),
            "price": format_price(self.price),
            "time_in_force": self.time_in_force,
            "self_trade_prevention_type": self.self_trade_prevention,
            "post_only": self.post_only,
            "reduce_only": self.reduce_only,
            "cancel_order_on_pause": self.cancel_on_pause,
            "expiration_time": self.expiration_s,
            "order_group_id": self.order_group_id,
        }
        return {name: value for name, value in given.items() if value}


class GroupApi:
    """Order groups: limits on what their orders may match within 15 seconds."""

    def __init__(self, client: RestClient) -> None:
        self.client = client

    def create(self, contracts: int, why: str = "") -> str:
        """Make an order group that matches at most so much (1/100 contract) in 15 s; its id."""
        path = f"{GROUPS}/create"
        body = msgspec.json.encode({"contracts_limit_fp": format_size(contracts)})
        return parsed(path, parse_group(self.client.call("POST", path, body=body, why=why)))

    def listed(self, why: str = "") -> tuple[Group, ...]:
        """The groups there are."""
        return parsed(GROUPS, parse_groups(self.client.call("GET", GROUPS, why=why)))

    def orders(self, group_id: str, why: str = "") -> tuple[str, ...]:
        """The ids of a group's orders."""
        path = f"{GROUPS}/{quoted(group_id)}"
        return parsed(path, parse_group_orders(self.client.call("GET", path, why=why)))

    def limit(self, group_id: str, contracts: int, why: str = "") -> None:
        """Change how much (1/100 contract) a group may match in 15 s; below what it has matched, it cancels."""
        body = msgspec.json.encode({"contracts_limit_fp": format_size(contracts)})
        self.client.call("PUT", f"{GROUPS}/{quoted(group_id)}/limit", body=body, why=why)

    def change(self, group_id: str, action: str, why: str = "") -> None:
        """reset, trigger or delete a group; the last two cancel its orders."""
        path = f"{GROUPS}/{quoted(group_id)}"
        if action == "delete":
            self.client.call("DELETE", path, urgent=True, why=why)
        elif action in ("reset", "trigger"):
            self.client.call("PUT", f"{path}/{action}", urgent=action == "trigger", why=why)
        else:
            raise ValueError(f"{action!r} is nothing that can be done to a group: reset, trigger, delete")


class AccountApi:
    """Balance, positions, fills and orders of the key's account; its order groups are in `groups`."""

    def __init__(self, client: RestClient) -> None:
        self.client = client
        self.groups = GroupApi(client)

    def balance(self, why: str = "") -> Balance:
        """Money."""
        path = "/portfolio/balance"
        return parsed(path, parse_balance(self.client.call("GET", path, why=why)))

    def positions(self, market: str = "", why: str = "") -> Iterator[PositionAnswer]:
        """Positions that are not settled."""
        chosen = query(ticker=market, limit=_LISTED)
        return walk(self.client, "/portfolio/positions", chosen, parse_positions, why)

    def orders(self, *, market: str = "", status: str = "", why: str = "") -> Iterator[OrderAnswer]:
        """Orders; status: resting, canceled, executed, "" = all. They lag behind what was done (protocol 13.6)."""
        chosen = query(ticker=market, status=status, limit=_LISTED)
        return walk(self.client, "/portfolio/orders", chosen, parse_orders, why)

    def order(self, order_id: str, why: str = "") -> OrderAnswer:
        """One order."""
        path = f"/portfolio/orders/{quoted(order_id)}"
        return parsed(path, parse_order(self.client.call("GET", path, why=why)))

    def fills(self, *, market: str = "", order_id: str = "", min_s: int = 0, why: str = "") -> Iterator[FillAnswer]:
        """Fills. min_s: Unix seconds."""
        chosen = query(ticker=market, order_id=order_id, min_ts=min_s, limit=_LISTED)
        return walk(self.client, "/portfolio/fills", chosen, parse_fills, why)

    def settlements(self, market: str = "", why: str = "") -> Iterator[Settlement]:
        """What settled markets paid."""
        chosen = query(ticker=market, limit=_LISTED)
        return walk(self.client, "/portfolio/settlements", chosen, parse_settlements, why)

    def queue_positions(self, markets: tuple[str, ...], why: str = "") -> tuple[tuple[str, int], ...]:
        """(order_id, contracts ahead in 1/100) of the orders that rest in these markets."""
        path = "/portfolio/orders/queue_positions"
        body = self.client.call("GET", path, params=query(market_tickers=markets), why=why)
        return parsed(path, parse_queue_positions(body))

    def create(self, order: NewOrder, why: str = "", *, still: Callable[[], bool] | None = None) -> Placed:
        """Place an order. still: see RestClient.call."""
        return self._placed(ORDERS, order.body(), why, still=still)[0]

    def create_batch(self, orders: Sequence[NewOrder], why: str = "") -> tuple[Placed, ...]:
        """Place several; each answer has its own error, in the order of asking."""
        body = {"orders": [order.body() for order in orders]}
        return self._placed(f"{ORDERS}/batched", body, why, items=len(orders))

    def amend(
        self, order_id: str, order: NewOrder, why: str = "", *, still: Callable[[], bool] | None = None
    ) -> Placed:
        """Change price, count and expiration of an order; count = already filled + wanted to remain."""
        body = order.body()
        wanted = ("ticker", "side", "price", "count", "client_order_id", "expiration_time")
        chosen = {name: body[name] for name in wanted if name in body}
        return self._placed(f"{ORDERS}/{quoted(order_id)}/amend", chosen, why, still=still)[0]

    def decrease(self, order_id: str, market: str, to_count: int, why: str = "") -> Placed:
        """Leave so much (1/100 contract) of an order, which keeps its place."""
        body = {"reduce_to": format_size(to_count), "market_ticker": market}
        return self._placed(f"{ORDERS}/{quoted(order_id)}/decrease", body, why)[0]

    def cancel(self, order_id: str, market: str, why: str = "") -> Cancelled:
        """Cancel an order; the market routes it to its shard."""
        path = f"{ORDERS}/{quoted(order_id)}"
        body = self.client.call("DELETE", path, params=query(market_ticker=market), urgent=True, why=why)
        return parsed(path, parse_cancelled(body))[0]

    def cancel_batch(self, orders: Sequence[tuple[str, str]], why: str = "") -> tuple[Cancelled, ...]:
        """Cancel several, given as (order_id, market); each answer has its own error."""
        path = f"{ORDERS}/batched"
        named = [{"order_id": order_id, "market_ticker": market} for order_id, market in orders]
        body = msgspec.json.encode({"orders": named})
        answer = self.client.call("DELETE", path, body=body, urgent=True, why=why, items=len(orders))
        return parsed(path, parse_cancelled(answer))

    def _placed(
        self, path: str, body: dict[str, Any], why: str, *, items: int = 1, still: Callable[[], bool] | None = None
    ) -> tuple[Placed, ...]:
        answer = self.client.call("POST", path, body=msgspec.json.encode(body), why=why, items=items, still=still)
        found = parse_placed(answer)
        if isinstance(found, Malformed) or not found:
            raise ExchangeError(f"{path}: the answer cannot be read, so what became of the order is not known; list it")
        return found
