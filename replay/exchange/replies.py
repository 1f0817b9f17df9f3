"""The exchange's replies to commands, as frames (protocol 5): key order, texts, sending_ts_ms, the newline.

Knows shapes and words. Must not know who asks or why. `number` is the command's id, 0 leaves it out; ts_ms None leaves
sending_ts_ms out; `place` is (sid, seq), of which a 0 is left out.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from replay.exchange.port import Template

ERRORS: Final = {
    1: "Unable to process message",
    2: "Params required",
    3: "Channels required",
    4: "Subscription IDs required",
    5: "Unknown command",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    9: "Authentication required",
    10: "Channel error",
    11: "Invalid parameter",
    12: "Exactly one subscription ID is required",
    13: "Unsupported action",
    14: "Market Ticker required",
    15: "Action required",
    18: "Command timeout",
    19: "shard_factor must be > 0",
    20: "shard_factor is required when shard_key is set",
    21: "shard_key must be >= 0 and < shard_factor",
    22: "shard_factor must be <= 100",
    23: "Match IDs required",
    24: "Index IDs required",
    25: "Subscription buffer overflow",
    26: "Subscription market limit exceeded",
    27: "Too many requests",
    28: "Underlying tickers required",
}
"""Every error code in use, with its text."""

_encode: Final = msgspec.json.Encoder().encode


def subscribed(number: int, channel: str, sid: int, ts_ms: int | None) -> bytes:
    """One per channel; carries no seq and takes no slot."""
    return _text({"type": "subscribed", **_id(number), "msg": {"channel": channel, "sid": sid}}, ts_ms)


def listed(number: int, held: Iterable[tuple[str, int]], ts_ms: int | None) -> bytes:
    """The answer to list_subscriptions; takes no slot."""
    msg = [{"channel": channel, "sid": sid} for channel, sid in held]
    return _text({"type": "ok", **_id(number), "msg": msg}, ts_ms)


def ok(number: int, place: tuple[int, int], msg: dict[str, Any], ts_ms: int | None) -> bytes:
    """A subscription was changed; place = its sid and the slot this takes."""
    return _text({"type": "ok", **_id(number), **_place(place), "msg": msg}, ts_ms)


def unsubscribed(number: int, place: tuple[int, int], ts_ms: int | None) -> bytes:
    """The last slot of a sid."""
    return _text({"type": "unsubscribed", **_id(number), **_place(place)}, ts_ms)


def error(
    number: int, code: int, ts_ms: int | None, *, place: tuple[int, int] = (0, 0), markets: Iterable[str] = ()
) -> bytes:
    """place: (sid, seq) of the subscription it is about, seq 0 where that has none, sid 0 = about none."""
    msg: dict[str, Any] = {"code": code, "msg": ERRORS[code]}
    if tickers := sorted(markets):
        msg["market_tickers"] = tickers
    return _text({"type": "error", **_id(number), **_place(place), "msg": msg}, ts_ms)


def feed_list(kind: str, number: int, place: tuple[int, int], msg: dict[str, Any], ts_ms: int | None) -> bytes:
    """A list of what a feed offers (indices, underlyings)."""
    return _text({"type": kind, **_id(number), **_place(place), "msg": msg}, ts_ms)


def with_id(template: Template, number: int) -> Template:
    """The same frame as the answer to a command: `id` goes before `sid` (protocol 1)."""
    head, key, tail = template.before.rpartition(b'"sid":')
    if not number or not key:
        return template
    space = b" " if tail.startswith(b" ") else b""
    before = b'%b"id":%b%d,%b%b%b' % (head, space, number, space, key, tail)
    return msgspec.structs.replace(template, before=before)


def _id(number: int) -> dict[str, int]:
    return {"id": number} if number else {}


def _place(place: tuple[int, int]) -> dict[str, int]:
    sid, seq = place
    return ({"sid": sid} if sid else {}) | ({"seq": seq} if seq else {})


def _text(body: dict[str, Any], ts_ms: int | None) -> bytes:
    if ts_ms is not None:
        body["sending_ts_ms"] = ts_ms
    return _encode(body) + b"\n"
