"""The shapes of the frames that the local exchange sends, as the exchange's published schema has them.

A small checker of our own: for each type the fields that must be there and what each may hold. Knows no book and no
numbering.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Check = Callable[[object], bool]

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DOLLARS: Final = re.compile(r"-?\d+\.\d{4,6}")
_COUNT: Final = re.compile(r"-?\d+\.\d{2}")


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: object) -> bool:
    return isinstance(value, str)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _matches(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


def _one_of(*words: object) -> Check:
    return lambda value: value in words


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _place(value: object) -> bool:
    return _integer(value) and isinstance(value, int) and value >= 1


_uuid, _dollars, _count = _matches(_UUID), _matches(_DOLLARS), _matches(_COUNT)
_levels: Final = _list_of(lambda level: isinstance(level, list) and len(level) == 2 and _dollars(level[0]))

REPLY_FIELDS: Final[dict[str, dict[str, Check]]] = {
    "subscribed": {"msg": lambda msg: isinstance(msg, dict) and _text(msg.get("channel")) and _place(msg.get("sid"))},
    "ok": {"msg": lambda msg: isinstance(msg, dict | list)},
    "unsubscribed": {"sid": _place, "seq": _place},
    "error": {"msg": lambda msg: isinstance(msg, dict) and _integer(msg.get("code")) and _text(msg.get("msg"))},
    "cfbenchmarks_value_indexlist": {"sid": _place, "seq": _place, "msg": lambda msg: isinstance(msg, dict)},
}

MESSAGE_FIELDS: Final[dict[str, dict[str, Check]]] = {
    "orderbook_snapshot": {"market_ticker": _text, "market_id": _uuid, "clock": _integer},
    "orderbook_delta": {
        "market_ticker": _text,
        "market_id": _uuid,
        "clock": _integer,
        "price_dollars": _dollars,
        "delta_fp": _count,
        "side": _one_of("yes", "no"),
    },
    "ticker": {
        "market_ticker": _text,
        "market_id": _uuid,
        **dict.fromkeys(("price_dollars", "yes_bid_dollars", "yes_ask_dollars"), _dollars),
        **dict.fromkeys(("yes_bid_size_fp", "yes_ask_size_fp", "last_trade_size_fp", "volume_fp"), _count),
        **dict.fromkeys(("dollar_volume", "dollar_open_interest", "ts", "ts_ms"), _integer),
        "time": _text,
    },
    "trade": {
        "trade_id": _uuid,
        "market_ticker": _text,
        "yes_price_dollars": _dollars,
        "no_price_dollars": _dollars,
        "count_fp": _count,
        "taker_outcome_side": _one_of("yes", "no"),
        "taker_book_side": _one_of("bid", "ask"),
        "is_block_trade": _flag,
        "ts": _integer,
        "ts_ms": _integer,
    },
    "market_lifecycle_v2": {"market_ticker": _text, "event_type": _text},
}

_NUMBERED: Final = ("orderbook_snapshot", "orderbook_delta", "trade", "market_lifecycle_v2")
_RETIRED: Final = (6, 16, 17)


def faults_of(frame: Mapping[str, Any]) -> list[str]:
    """What is wrong with a server frame, by field; [] = nothing."""
    kind = frame.get("type")
    known = REPLY_FIELDS.get(str(kind)) or MESSAGE_FIELDS.get(str(kind))
    if known is None:
        return [f"type {kind}"]
    if kind in REPLY_FIELDS:
        wrong = [name for name, check in known.items() if not check(frame.get(name))]
    else:
        msg = frame.get("msg")
        fields = msg if isinstance(msg, dict) else {}
        wrong = [name for name, check in known.items() if not check(fields.get(name))]
        wrong += [name for name in ("yes_dollars_fp", "no_dollars_fp") if name in fields and not _levels(fields[name])]
        wrong += [name for name in ("sid", *(["seq"] if kind in _NUMBERED else [])) if not _place(frame.get(name))]
        wrong += ["seq"] if kind == "ticker" and "seq" in frame else []
    wrong += [name for name in ("id", "sid", "seq", "sending_ts_ms") if name in frame and not _integer(frame[name])]
    wrong += ["retired code"] if kind == "error" and frame["msg"]["code"] in _RETIRED else []
    return wrong
