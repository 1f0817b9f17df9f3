"""The answers to what was done to orders (protocol 13.3, 13.4): V2 bodies, whose names have no suffix."""

from collections.abc import Callable
from typing import TypeVar

from core.answers.exchange import error_of
from core.answers.reading import items, read
from core.answers.types import Answer, Cancelled, Group, Placed
from core.messages.fields import SIZE, Fields, Refused

T = TypeVar("T")


def parse_placed(body: bytes) -> Answer[tuple[Placed, ...]]:
    """Create, amend or decrease: one order; of a batch all, each with its own error if it has one."""
    return read(body, lambda fields: _one_or_many(fields, _placed))


def parse_cancelled(body: bytes) -> Answer[tuple[Cancelled, ...]]:
    """Cancel: one order; of a batch all, each with its own error if it has one."""
    return read(body, lambda fields: _one_or_many(fields, _cancelled))


def parse_queue_positions(body: bytes) -> Answer[tuple[tuple[str, int], ...]]:
    """(order_id, contracts ahead) of each order; of a single one the order_id is ""."""
    return read(body, _queue)


def parse_group(body: bytes) -> Answer[str]:
    """The id of an order group that was created."""
    return read(body, lambda fields: fields.name("order_group_id"))


def parse_groups(body: bytes) -> Answer[tuple[Group, ...]]:
    """`GET /portfolio/order_groups`"""
    return read(body, lambda fields: items(fields, "order_groups", _group))


def parse_group_orders(body: bytes) -> Answer[tuple[str, ...]]:
    """`GET /portfolio/order_groups/{id}`: the ids of its orders."""
    return read(body, _group_orders)


def _group_orders(fields: Fields) -> tuple[str, ...]:
    orders = fields.texts("orders")
    if orders is None:
        raise Refused("orders: missing")
    return orders


def _group(fields: Fields) -> Group:
    limit = fields.number(SIZE, "contracts_limit_fp", "contracts_limit")
    return Group(fields.name("id", "order_group_id"), limit, fields.flag("is_auto_cancel_enabled") or False)


def _one_or_many(fields: Fields, reader: Callable[[Fields], T]) -> tuple[T, ...]:
    if fields.take("orders") is None:
        return (reader(fields),)
    return items(fields, "orders", reader)


def _placed(fields: Fields) -> Placed:
    error = error_of(fields)
    return Placed(
        order_id=fields.text("order_id") if error else fields.name("order_id"),
        client_order_id=fields.text("client_order_id"),
        fill_count=fields.number(SIZE, "fill_count") or 0,
        remaining_count=fields.number(SIZE, "remaining_count") or 0,
        at_ns=fields.time("ts_ms"),
        error=error,
    )


def _cancelled(fields: Fields) -> Cancelled:
    error = error_of(fields)
    return Cancelled(
        order_id=fields.text("order_id") if error else fields.name("order_id"),
        client_order_id=fields.text("client_order_id"),
        reduced_by=fields.number(SIZE, "reduced_by") or 0,
        at_ns=fields.time("ts_ms"),
        error=error,
    )


def _queue(fields: Fields) -> tuple[tuple[str, int], ...]:
    if fields.take("queue_positions") is None:
        return (("", fields.required(SIZE, "queue_position_fp", "queue_position")),)
    return items(fields, "queue_positions", _queue_position)


def _queue_position(fields: Fields) -> tuple[str, int]:
    return fields.name("order_id"), fields.required(SIZE, "queue_position_fp", "queue_position")
