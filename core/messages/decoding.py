"""From a frame's bytes to what it says: the one place that decides what a frame is.

Strict JSON, of repeated keys the last. Nothing that a server can send makes this raise, and the same bytes always give
the same answer. Must not know what a message means to anybody.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import msgspec

from core.messages.account import fill, market_position, order_group_update, user_order
from core.messages.feeds import COMMUNICATIONS, REFERENCES, communication, reference
from core.messages.fields import INT64_MAX, MAX_SID, MAX_UNKNOWN_NAME, Fields, Head, Refused, first_names
from core.messages.hot import decode_hot
from core.messages.market import (
    book_delta,
    book_snapshot,
    event_fee_update,
    event_lifecycle,
    market_lifecycle,
    ticker,
    trade,
)
from core.messages.replies import error, ok, subscribed, subscription_list, unsubscribed
from core.messages.strict import NotStrict, parse_json
from core.messages.types import Malformed, Message, Unknown

Parser: TypeAlias = Callable[[Fields, Head], Message]

_PARSERS: Final[dict[str, Parser]] = {
    "subscribed": subscribed,
    "ok": ok,
    "unsubscribed": unsubscribed,
    "error": error,
    "orderbook_snapshot": book_snapshot,
    "orderbook_delta": book_delta,
    "ticker": ticker,
    "trade": trade,
    "market_lifecycle_v2": market_lifecycle,
    "multivariate_market_lifecycle": partial(market_lifecycle, multivariate=True),
    "event_lifecycle": event_lifecycle,
    "event_fee_update": event_fee_update,
    "fill": fill,
    "market_position": market_position,
    "user_order": user_order,
    "order_group_updates": order_group_update,
    **{kind: partial(communication, kind) for kind in COMMUNICATIONS},
    **{kind: partial(reference, kind) for kind in REFERENCES},
}

_BARE: Final = ("ok", "unsubscribed")  # replies that may come without a msg


def decode(payload: bytes) -> Message | Malformed:
    """What the frame says; never raises, whatever the bytes.

    Unknown members are named in `unknown_fields`, times that are none become 0 and are named there as "bad:<member>",
    a type nobody knows gives Unknown, and everything that cannot be used gives Malformed with a countable reason.
    """
    try:
        return decode_hot(payload)
    except (ValueError, KeyError, RecursionError):
        return decode_any(payload)


def decode_any(payload: bytes) -> Message | Malformed:
    """As `decode`, by the thorough way alone."""
    try:
        return _read(parse_json(payload))
    except (NotStrict, Refused) as refusal:
        return Malformed(refusal.reason)


def _read(value: Any) -> Message:
    if not isinstance(value, dict):
        raise Refused("not-an-object")
    frame = Fields(value)
    kind = frame.take("type")
    if not isinstance(kind, str) or not kind:
        raise Refused("no-type")
    parser = _PARSERS.get(kind)
    if parser is None:
        return _unknown(kind, frame)
    head = _head(frame)
    body = _body(kind, frame)
    if isinstance(body, list):
        message: Message = subscription_list(body, head)
        unknown = [*message.unknown_fields, *frame.unknown()]
    else:
        msg = Fields(body)
        message = parser(msg, head)
        unknown = [*frame.unknown(), *msg.unknown("msg.")]
    return msgspec.structs.replace(message, unknown_fields=first_names(unknown)) if unknown else message


def _head(frame: Fields) -> Head:
    sending_ms = frame.take("sending_ts_ms")
    if sending_ms is not None and not _is_natural(sending_ms):
        frame.bad.append("sending_ts_ms")
        sending_ms = None
    return Head(
        sid=frame.integer("sid", most=MAX_SID) or 0,
        seq=frame.integer("seq") or 0,
        id=frame.integer("id") or 0,
        sending_ms=sending_ms or 0,
    )


def _is_natural(value: Any) -> bool:
    return type(value) is int and 0 <= value <= INT64_MAX


def _body(kind: str, frame: Fields) -> dict[str, Any] | list[Any]:
    body = frame.take("msg")
    if kind == "ok":
        if isinstance(body, list):
            return body
        # In early 2026 the markets stood beside msg.
        markets = frame.take("market_tickers")
        if markets is not None and body in (None, {}):
            body = {"market_tickers": markets}
    if body is None and kind in _BARE:
        return {}
    if body is None:
        raise Refused("msg: missing")
    if not isinstance(body, dict):
        raise Refused("msg: not an object")
    return body


def _unknown(kind: str, frame: Fields) -> Unknown:
    """A type nobody knows still takes a slot of its subscription, if its numbers are any."""
    values: dict[str, int] = {}
    for name, most in (("sid", MAX_SID), ("seq", INT64_MAX), ("id", INT64_MAX), ("sending_ts_ms", INT64_MAX)):
        value = frame.take(name)
        values[name] = value if _is_natural(value) and value <= most else 0
    return Unknown(
        sid=values["sid"],
        seq=values["seq"],
        id=values["id"],
        sending_ms=values["sending_ts_ms"],
        type=kind[:MAX_UNKNOWN_NAME],
    )
