"""The bodies of order requests, as strictly as the exchange decodes them (protocol 13.3, 13.5).

Knows field names, their types and the words of its decoder. Must not know the engine's rules.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from core.messages.strict import NotStrict, parse_json
from core.money import parse_price, parse_size
from core.times import SECOND_NS
from replay.exchange.orders import Amendment, BookSide, NewOrder, SelfTrade, TimeInForce
from replay.exchange.queries import LAST_S

_GO: Final = {bool: "bool", int: "number", str: "string", dict: "object", list: "array"}
_SIDES: Final = {side.value: side for side in BookSide}
_FORCES: Final = {force.value: force for force in TimeInForce}
_SELF_TRADES: Final = {kind.value: kind for kind in SelfTrade}


ANY: Final = -1
"""The `exchange_index` that asks for the shard of the market that is named."""

Shard: TypeAlias = tuple[int | None, str]
"""What a request says of its shard: `exchange_index`, None = nothing, and the market it names, "" = none."""


class BadBody(Exception):  # noqa: N818  the way out of a decoder, ends as an answer
    """What the exchange would say of the body; `details` of its error."""


def decode(body: bytes) -> dict[str, Any]:
    """The object of a body; BadBody when it is none."""
    try:
        value = parse_json(body or b"{}")
    except NotStrict:
        raise BadBody("invalid character in JSON") from None
    if not isinstance(value, dict):
        raise BadBody("json: cannot unmarshal into Go value")
    return value


class Reader:
    """The members of one object, each with the type the exchange decodes it to. struct: the name in its errors."""

    def __init__(self, values: Mapping[str, Any], struct: str) -> None:
        self._values = values
        self._struct = struct

    def text(self, name: str, *, required: bool = False) -> str:
        """A text, "" when not given."""
        value = self._values.get(name)
        if value is None:
            if required:
                raise BadBody(f"{name} is required")
            return ""
        if not isinstance(value, str):
            raise BadBody(self._mismatch(name, value, "string"))
        return value

    def flag(self, name: str) -> bool:
        """true or false, false when not given."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise BadBody(self._mismatch(name, value, "bool"))

    def number(self, name: str) -> int | None:
        """A whole number, None when not given."""
        value = self._values.get(name)
        if value is None or type(value) is int:
            return value
        raise BadBody(self._mismatch(name, value, "int64"))

    def shard(self, market: str) -> Shard:
        """The shard the request is for; market: the member that names one."""
        return self.number("exchange_index"), self.text(market)

    def instant_ns(self, name: str) -> int | None:
        """Nanoseconds of a time in Unix seconds, None when not given."""
        value = self.number(name)
        if value is None:
            return None
        if not 0 <= value <= LAST_S:
            raise BadBody(f"{name} must be Unix seconds from 0 to {LAST_S}")
        return value * SECOND_NS

    def price(self, name: str = "price") -> int:
        """A price text; -1, which no market takes, for one that is finer or higher than prices are, or no number.

        So each of them is `invalid_price`, as recorded of prices off the grid; of texts that are no number no source
        tells.
        """
        text = self.text(name, required=True)
        try:
            return parse_price(text)
        except ValueError:
            return -1

    def count(self, name: str = "count", *, required: bool = True) -> int:
        """A text of contracts; -1, which is no size, for one that is finer or larger than sizes are."""
        text = self.text(name, required=required)
        try:
            return parse_size(text) if text else 0
        except ValueError:
            return -1

    def one_of(self, name: str, words: Mapping[str, Any]) -> Any:
        """One of these words."""
        text = self.text(name, required=True)
        if text not in words:
            raise BadBody(f"{name} must be one of {', '.join(words)}")
        return words[text]

    def _mismatch(self, name: str, value: Any, wanted: str) -> str:
        kind = _GO.get(type(value), "number")
        return f"json: cannot unmarshal {kind} into Go struct field {self._struct}.{name} of type {wanted}"


def new_order(values: Mapping[str, Any]) -> NewOrder:
    """A request to place an order; BadBody."""
    read = Reader(values, "CreateOrderV2Request")
    return NewOrder(
        market=read.text("ticker", required=True),
        side=read.one_of("side", _SIDES),
        price=read.price(),
        count=read.count(),
        time_in_force=read.one_of("time_in_force", _FORCES),
        self_trade=read.one_of("self_trade_prevention_type", _SELF_TRADES),
        client_order_id=read.text("client_order_id"),
        expiration_ns=read.instant_ns("expiration_time") or 0,
        post_only=read.flag("post_only"),
        reduce_only=read.flag("reduce_only"),
        cancel_on_pause=read.flag("cancel_order_on_pause"),
        group_id=read.text("order_group_id"),
        subaccount=read.number("subaccount") or 0,
    )


def amendment(order_id: str, values: Mapping[str, Any]) -> Amendment:
    """A request to change an order; BadBody."""
    read = Reader(values, "AmendOrderV2Request")
    return Amendment(
        order_id=order_id,
        market=read.text("ticker", required=True),
        side=read.one_of("side", _SIDES),
        price=read.price(),
        count=read.count(),
        client_order_id=read.text("client_order_id"),
        new_client_order_id=read.text("updated_client_order_id"),
        expiration_ns=read.instant_ns("expiration_time"),
    )


def reduction(values: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """(by, to) of a decrease, exactly one of them; BadBody."""
    read = Reader(values, "DecreaseOrderV2Request")
    given = [name for name in ("reduce_by", "reduce_to") if values.get(name) is not None]
    if len(given) != 1:
        raise BadBody("exactly one of reduce_by and reduce_to is required")
    size = read.count(given[0])
    return (size, None) if given[0] == "reduce_by" else (None, size)


def batch(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The items of a batch; BadBody."""
    orders = values.get("orders")
    if not isinstance(orders, list) or not orders or not all(isinstance(order, dict) for order in orders):
        raise BadBody("orders is required")
    return orders


def group_limit(values: Mapping[str, Any]) -> int:
    """The contracts limit (1/100) of a group request; BadBody when it is given in no form, or in two that differ.

    The reference requires one of them; how it refuses is not known, so it does as of other bodies.
    """
    read = Reader(values, "CreateOrderGroupRequest")
    whole, exact = read.number("contracts_limit"), read.text("contracts_limit_fp")
    if whole is None and not exact:
        raise BadBody("contracts_limit or contracts_limit_fp is required")
    limit = read.count("contracts_limit_fp") if exact else 0
    if whole is not None and exact and limit != whole * 100:
        raise BadBody("contracts_limit and contracts_limit_fp must match")
    return limit if whole is None else whole * 100
