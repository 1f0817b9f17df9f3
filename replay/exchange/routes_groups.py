"""An account's order groups by REST (protocol 13.4).

Knows paths and bodies. Must not know the engine's rules.
"""

from collections.abc import Callable, Sequence

from core.money import format_size
from replay.exchange import order_bodies
from replay.exchange.bodies import Body, ok, refused
from replay.exchange.engine import MatchingEngine
from replay.exchange.orders import Refusal
from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.routes_orders import Handler, decoding
from replay.exchange.views import GroupView

GROUPS = "/portfolio/order_groups"


class GroupRoutes:
    """Groups of the account that signed the request."""

    def __init__(self, engine: MatchingEngine, now_ns: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ns = now_ns

    def table(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path, handler; what is more special comes first."""
        rows = (
            ("POST", f"{GROUPS}/create", self._create_group),
            ("GET", GROUPS, self._groups),
            ("GET", f"{GROUPS}/{{}}", self._group),
            ("PUT", f"{GROUPS}/{{}}/{{}}", self._change_group),
            ("DELETE", f"{GROUPS}/{{}}", self._delete_group),
        )
        return [(method, path, decoding(handler)) for method, path, handler in rows]

    def _create_group(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        limit = order_bodies.group_limit(order_bodies.decode(request.body))
        answer = self._engine.groups.create(request.account, limit, self._now_ns())
        if isinstance(answer, Refusal):
            return refused(answer)
        return ok({"order_group_id": answer.group_id, "subaccount": 0, "exchange_index": 0}, 201)

    def _groups(self, request: RestRequest, _parts: Sequence[str]) -> RestAnswer:
        found = self._engine.groups.of(request.account)
        return ok({"order_groups": [{"id": view.group_id, **_group(view)} for view in found]})

    def _group(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        view = {view.group_id: view for view in self._engine.groups.of(request.account)}[parts[0]]
        return ok({**_group(view), "orders": [order.order_id for order in view.orders]})

    def _change_group(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        groups, account, now_ns = self._engine.groups, request.account, self._now_ns()
        match parts[1]:
            case "reset":
                answer = groups.reset(account, parts[0], now_ns)
            case "trigger":
                answer = groups.trigger(account, parts[0], now_ns)
            case "limit":
                limit = order_bodies.group_limit(order_bodies.decode(request.body))
                answer = groups.set_limit(account, parts[0], limit, now_ns)
            case _:
                raise KeyError(parts[1])
        return refused(answer) if isinstance(answer, Refusal) else ok({})

    def _delete_group(self, request: RestRequest, parts: Sequence[str]) -> RestAnswer:
        answer = self._engine.groups.delete(request.account, parts[0], self._now_ns())
        return refused(answer) if isinstance(answer, Refusal) else ok({})


def _group(view: GroupView) -> Body:
    body: Body = {"is_auto_cancel_enabled": True, "exchange_index": 0}
    return body if view.contracts_limit is None else body | {"contracts_limit_fp": format_size(view.contracts_limit)}
