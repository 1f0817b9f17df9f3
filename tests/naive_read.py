"""Text frames read slowly and plainly, by json and Decimal: values in units, and what cannot be read.

Knows PROTOCOL sections 5 and 8, for what makes books and trades. Must share no code with `core.messages`, which is held
against it.
"""

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

CHANNELS: Final = {
    "orderbook_snapshot": "orderbook_delta",
    "orderbook_delta": "orderbook_delta",
    "ticker": "ticker",
    "trade": "trade",
}
"""Types of data, and the channel that each is of."""

BOOKS: Final = ("orderbook_snapshot", "orderbook_delta")


def units(value: object, per_unit: int, least: int | None = 0) -> int:
    """A decimal text in whole units; ValueError, TypeError when it is none, or has a finer part."""
    if not isinstance(value, str):
        raise TypeError(value)
    number = Decimal(value) * per_unit
    if number != int(number) or (least is not None and number < least):
        raise ValueError(value)
    return int(number)


def read(payload: bytes) -> dict[str, Any] | None:
    """A text frame whose values are in units, None = it cannot be read, or is none."""
    try:
        frame = json.loads(payload.decode())
        if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
            return None
        msg = frame.get("msg")
        if frame["type"] in CHANNELS and not (isinstance(msg, dict) and isinstance(msg.get("market_ticker"), str)):
            return None
        if frame["type"] in BOOKS and not (frame.get("sid") and frame.get("seq")):
            return None  # whether it follows the one before cannot be told
        if isinstance(msg, dict):
            reader = READ.get(frame["type"])
            if reader is not None:
                reader(msg)
        return frame
    except (ValueError, KeyError, TypeError, InvalidOperation, RecursionError):
        return None


def _read_snapshot(msg: dict[str, Any]) -> None:
    for side in ("yes_dollars_fp", "no_dollars_fp"):
        msg[side] = [(_price(price), units(size, 100)) for price, size in msg.get(side) or ()]


def _read_delta(msg: dict[str, Any]) -> None:
    msg["price_dollars"], msg["delta_fp"] = _price(msg["price_dollars"]), units(msg["delta_fp"], 100, None)
    if msg["side"] not in ("yes", "no"):
        raise ValueError(msg["side"])


def _read_trade(msg: dict[str, Any]) -> None:
    _price(msg["yes_price_dollars"])
    msg["count_fp"] = units(msg["count_fp"], 100)
    if not isinstance(msg["trade_id"], str):
        raise TypeError(msg["trade_id"])


def _read_sid(msg: dict[str, Any]) -> None:
    if not isinstance(msg["sid"], int) or msg["sid"] < 1:
        raise ValueError(msg["sid"])


def _price(text: object) -> int:
    price = units(text, 10_000)
    if price > 10_000:
        raise ValueError(text)
    return price


READ: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "orderbook_snapshot": _read_snapshot,
    "orderbook_delta": _read_delta,
    "trade": _read_trade,
    "subscribed": _read_sid,
}
