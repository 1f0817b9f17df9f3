"""Schemas of every frame that is sent today (protocol 5, 8): which fields there are, which must be, what each holds.

Stricter than the exchange's own schema where the documents are: a field that nobody has heard of is a fault too, or a
slip in a name would pass for an optional field that is absent. Knows shapes only: no book, no numbering.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Check: TypeAlias = Callable[[Any], bool]
Fields: TypeAlias = Mapping[str, Check]
"""Checks by field; a name that ends in "?" may be absent."""


def _pattern(text: str) -> Check:
    compiled = re.compile(text)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _words(*words: str) -> Check:
    return lambda value: isinstance(value, str) and value in words


def _list(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _object(fields: Fields) -> Check:
    return lambda value: isinstance(value, dict) and not faults_in(value, fields)


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _signed(value: Any) -> bool:
    return type(value) is int


def _place(value: Any) -> bool:
    return type(value) is int and value >= 1


def _number(value: Any) -> bool:
    return type(value) in (int, float)


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and PRICE(value[0]) and COUNT(value[1])


def _milliseconds(value: Any) -> bool:
    """Unix milliseconds of this age: seconds or nanoseconds in their place are told apart by their size."""
    return type(value) is int and 10**12 < value < 10**13


def _seconds(value: Any) -> bool:
    return type(value) is int and 10**9 < value < 10**10


PRICE: Final = _pattern(r"0\.\d{4}|1\.0000")
MONEY: Final = _pattern(r"-?\d+\.\d{6}")
COUNT: Final = _pattern(r"\d+\.\d{2}")
CHANGE: Final = _pattern(r"-?\d+\.\d{2}")
UUID: Final = _pattern(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME: Final = _pattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
NAME: Final = _pattern(r"\S+")
OUTCOME: Final = _words("yes", "no")
BOOK_SIDE: Final = _words("bid", "ask")
STRUCTURE: Final = _pattern(r"[a-z_]+")

_RANGES: Final = _list(_object({"start": PRICE, "end": PRICE, "step": PRICE}))
_STRIKE: Final[Fields] = {
    "strike_type?": NAME,
    "floor_strike?": _number,
    "cap_strike?": _number,
    "custom_strike?": lambda value: isinstance(value, dict),
}
_LEGS: Final = _list(
    _object(
        {"event_ticker": NAME, "market_ticker": NAME, "side": OUTCOME, "yes_settlement_value_dollars?": PRICE},
    )
)

_BOOK: Final[Fields] = {"market_ticker": NAME, "market_id": UUID}

_TICKER: Final[Fields] = {
    **_BOOK,
    **dict.fromkeys(("price_dollars", "yes_bid_dollars", "yes_ask_dollars"), PRICE),
    **dict.fromkeys(("yes_bid_size_fp", "yes_ask_size_fp", "last_trade_size_fp", "volume_fp"), COUNT),
    "open_interest_fp": COUNT,
    "dollar_volume": _signed,
    "dollar_open_interest": _signed,
    "ts": _seconds,
    "ts_ms": _milliseconds,
    "time": TIME,
}

_TRADE: Final[Fields] = {
    "trade_id": UUID,
    "market_ticker": NAME,
    "yes_price_dollars": PRICE,
    "no_price_dollars": PRICE,
    "count_fp": COUNT,
    "taker_side?": OUTCOME,
    "taker_outcome_side": OUTCOME,
    "taker_book_side": BOOK_SIDE,
    "is_block_trade": _flag,
    "ts": _seconds,
    "ts_ms": _milliseconds,
}

_FILL: Final[Fields] = {
    "trade_id": UUID,
    "order_id": UUID,
    "client_order_id?": _text,
    "market_ticker": NAME,
    "exchange_index": _whole,
    "is_taker": _flag,
    "side": OUTCOME,
    "yes_price_dollars": PRICE,
    "count_fp": COUNT,
    "fee_cost": MONEY,
    "action": _words("buy", "sell", "sell_partial", "sell_to_close", ""),
    "ts": _seconds,
    "ts_ms": _milliseconds,
    "post_position_fp": CHANGE,
    "purchased_side": OUTCOME,
    "outcome_side": OUTCOME,
    "book_side": BOOK_SIDE,
    "subaccount?": _whole,
}

_POSITION: Final[Fields] = {
    "user_id": UUID,
    "market_ticker": NAME,
    "position_fp": CHANGE,
    **dict.fromkeys(("position_cost_dollars", "realized_pnl_dollars", "fees_paid_dollars"), MONEY),
    "position_fee_cost_dollars": MONEY,
    "volume_fp": COUNT,
    "subaccount?": _whole,
}

REASONS: Final = (
    "Decrease", "Amend", "MarginCancel", "SelfTradeCancel", "ExpiryCancel", "CloseCancel", "HaltCancel", "Trade",
    "PostOnlyCrossCancel", "ReduceOnlyCancel", "SettlementBoundsCancel",
)  # fmt: skip

_ORDER: Final[Fields] = {
    "order_id": UUID,
    "user_id": UUID,
    "client_order_id": _text,
    "ticker": NAME,
    "exchange_index": _whole,
    "status": _words("resting", "canceled", "executed", "unknown"),
    "side": OUTCOME,
    "is_yes": _flag,
    "outcome_side": OUTCOME,
    "book_side": BOOK_SIDE,
    "yes_price_dollars": PRICE,
    **dict.fromkeys(("fill_count_fp", "remaining_count_fp", "initial_count_fp"), COUNT),
    **dict.fromkeys(("taker_fill_cost_dollars", "maker_fill_cost_dollars"), MONEY),
    **dict.fromkeys(("taker_fees_dollars", "maker_fees_dollars"), MONEY),
    "self_trade_prevention_type?": _words("taker_at_cross", "maker"),
    "created_time": TIME,
    "created_ts_ms": _or_null(_milliseconds),
    "last_update_time?": TIME,
    "last_updated_ts_ms?": _milliseconds,
    "last_update_reason?": _words(*REASONS),
    "expiration_time?": TIME,
    "expiration_ts_ms?": _milliseconds,
    "order_group_id?": NAME,
    "subaccount_number?": _whole,
}

_METADATA: Final[Fields] = {
    **dict.fromkeys(("name", "title", "yes_sub_title", "no_sub_title", "rules_primary", "rules_secondary"), _text),
    "can_close_early": _flag,
    "event_ticker": NAME,
    "expected_expiration_ts": _seconds,
    **_STRIKE,
}

_CREATED_COMBO: Final[Fields] = {
    "exchange_index": _whole,
    "open_ts": _seconds,
    "close_ts": _seconds,
    "additional_metadata?": _object(_METADATA),
    "price_level_structure": STRUCTURE,
}

_COMBO_LIVES: Final[Mapping[str, Fields]] = {
    "created": _CREATED_COMBO,
    "activated": {"is_deactivated": lambda value: value is False},
    "deactivated": {"is_deactivated": lambda value: value is True},
    "close_date_updated": {"close_ts": _seconds},
    "determined": {
        "determination_ts": _seconds,
        "result": _words("yes", "no", "scalar"),
        "settlement_value": PRICE,
    },
    "settled": {"settled_ts": _seconds},
}
"""The turns of a life that the channel of combos knows, by event_type."""

LIVES: Final[Mapping[str, Fields]] = {
    **_COMBO_LIVES,
    "created": {**_CREATED_COMBO, "additional_metadata": _object(_METADATA), "price_ranges": _RANGES},
    "price_level_structure_updated": {"price_level_structure": STRUCTURE, "price_ranges": _RANGES},
    "metadata_updated": {**_STRIKE, "yes_sub_title?": _text},
}

_GROUP_LIMIT: Final[Fields] = {"order_group_id": NAME, "contracts_limit_fp": COUNT, "ts_ms": _milliseconds}
_GROUP: Final[Fields] = {"order_group_id": NAME, "ts_ms": _milliseconds}
GROUPS: Final[Mapping[str, Fields]] = {
    "created": {**_GROUP, "contracts_limit_fp?": COUNT},
    "limit_updated": _GROUP_LIMIT,
    **dict.fromkeys(("triggered", "reset", "deleted"), _GROUP),
}

_EVENT: Final[Fields] = {
    "event_ticker": NAME,
    "exchange_index": _whole,
    "title": _text,
    "subtitle": _text,
    "collateral_return_type": _words("MECNET", "DIRECNET", ""),
    "series_ticker": NAME,
    "strike_date?": _seconds,
    "strike_period?": _text,
}

_RFQ: Final[Fields] = {
    **dict.fromkeys(("id", "market_ticker"), NAME),
    "creator_id": _text,
    "event_ticker?": NAME,
    "contracts_fp?": COUNT,
    "target_cost_dollars?": _text,
    "mve_collection_ticker?": NAME,
    "mve_selected_legs?": _LEGS,
}

_QUOTE: Final[Fields] = {
    **dict.fromkeys(("quote_id", "rfq_id", "market_ticker"), NAME),
    **dict.fromkeys(("quote_creator_id", "rfq_creator_id"), _text),
    "event_ticker?": NAME,
}
_QUOTED: Final[Fields] = {**_QUOTE, "yes_bid_dollars": PRICE, "no_bid_dollars": PRICE}

_AVERAGE: Final = _object(
    {
        "value": _text,
        "window_size": _whole,
        "window_start_ts_ms": _milliseconds,
        "window_end_ts_exclusive": _milliseconds,
    },
)

_FEEDS: Final[Mapping[str, Fields]] = {
    "cfbenchmarks_value": {
        "index_id": NAME,
        "received_at": _milliseconds,
        "data": _text,
        "avg_60s_data": _AVERAGE,
        "last_60s_windowed_average_15min?": lambda value: isinstance(value, dict),
    },
    "cfbenchmarks_value_5hz": {
        "index_id": NAME,
        "received_at": _milliseconds,
        "data": _text,
        "value_usd": _text,
        "source_ts_ms": _milliseconds,
    },
    "pyth_value": {
        "underlying_ticker": NAME,
        "value_usd": _text,
        "source_ts_ms": _milliseconds,
        "received_at": _milliseconds,
    },
}

_COMMUNICATIONS: Final[Mapping[str, Fields]] = {
    "rfq_created": {**_RFQ, "created_ts": TIME},
    "rfq_deleted": {**_RFQ, "deleted_ts": TIME},
    "quote_created": {
        **_QUOTED,
        **dict.fromkeys(("yes_contracts_offered_fp?", "no_contracts_offered_fp?"), COUNT),
        "created_ts": TIME,
    },
    "quote_accepted": {**_QUOTED, "accepted_side?": OUTCOME, "contracts_accepted_fp?": COUNT},
    "quote_executed": {
        **_QUOTE,
        "order_id": UUID,
        "client_order_id": _text,
        "executed_ts": TIME,
        "subaccount?": _whole,
        "rfq_batch_id?": NAME,
    },
}

SEQUENCED: Final[Mapping[str, Fields]] = {
    "orderbook_snapshot": {
        **_BOOK,
        "clock": _whole,
        "yes_dollars_fp?": lambda value: bool(value) and _list(_pair)(value),
        "no_dollars_fp?": lambda value: bool(value) and _list(_pair)(value),
    },
    "orderbook_delta": {
        **_BOOK,
        "clock": _place,
        "price_dollars": PRICE,
        "delta_fp": CHANGE,
        "side": OUTCOME,
        "client_order_id?": NAME,
        "subaccount?": _whole,
        "ts?": TIME,
        "ts_ms?": _milliseconds,
    },
    "trade": _TRADE,
    "event_lifecycle": _EVENT,
    "event_fee_update": {
        "event_ticker": NAME,
        "fee_type_override": _or_null(NAME),
        "fee_multiplier_override": _or_null(_number),
    },
    **_COMMUNICATIONS,
    **_FEEDS,
}

UNSEQUENCED: Final[Mapping[str, Fields]] = {
    "ticker": _TICKER,
    "fill": _FILL,
    "market_position": _POSITION,
    "user_order": _ORDER,
}

BY_EVENT_TYPE: Final[Mapping[str, Mapping[str, Fields]]] = {
    "market_lifecycle_v2": LIVES,
    "multivariate_market_lifecycle": _COMBO_LIVES,
    "order_group_updates": GROUPS,
}
"""Frames whose fields depend on msg.event_type."""

_SUBSCRIPTION: Final[Fields] = {"channel": NAME, "sid": _place}
_ERROR: Final[Fields] = {
    "code": lambda value: _place(value) and value <= 28 and value not in (6, 16, 17),
    "msg": _text,
    "market_ticker?": NAME,
    "market_tickers?": _list(NAME),
}
_UPDATED: Final[Fields] = {
    **dict.fromkeys(("market_tickers?", "market_ids?", "index_ids?", "underlying_tickers?"), _list(NAME))
}

_TOP: Final[Fields] = {"type": NAME, "sending_ts_ms?": _milliseconds}
_DATA: Final[Fields] = {**_TOP, "sid": _place, "msg": lambda value: isinstance(value, dict)}

REPLIES: Final[Mapping[str, Fields]] = {
    "subscribed": {**_TOP, "id?": _place, "msg": _object(_SUBSCRIPTION)},
    "unsubscribed": {**_TOP, "id?": _place, "sid": _place, "seq": _place},
    "error": {**_TOP, "id?": _place, "sid?": _place, "seq?": _place, "msg": _object(_ERROR)},
}
_OK_UPDATE: Final[Fields] = {**_TOP, "id?": _place, "sid": _place, "seq": _place, "msg?": _object(_UPDATED)}
_OK_LIST: Final[Fields] = {**_TOP, "id?": _place, "msg": _list(_object(_SUBSCRIPTION))}

_LISTS: Final[Mapping[str, Fields]] = {
    "cfbenchmarks_value_indexlist": {"index_ids": _list(NAME)},
    "cfbenchmarks_value_5hz_indexlist": {"index_ids": _list(NAME)},
    "pyth_value_underlying_list": {"underlying_tickers": _list(NAME)},
}
"""Replies that list the reference feeds there are."""

TYPES: Final = (*REPLIES, "ok", *_LISTS, *SEQUENCED, *UNSEQUENCED, *BY_EVENT_TYPE)
"""Every type there is a schema of."""


def faults_in(values: Mapping[str, Any], fields: Fields, where: str = "") -> list[str]:
    """What is wrong with the members of an object, each as "<place>: <what>"."""
    known = {name.removesuffix("?") for name in fields}
    faults = [f"{where}{name}: unknown" for name in values if name not in known]
    for name, check in fields.items():
        field = name.removesuffix("?")
        if field not in values:
            faults += [] if name.endswith("?") else [f"{where}{field}: missing"]
        elif not check(values[field]):
            faults.append(f"{where}{field}: {values[field]!r}"[:200])
    return faults


def faults_of(frame: Mapping[str, Any]) -> list[str]:
    """What is wrong with a frame; [] = nothing."""
    kind = str(frame.get("type"))
    msg = frame.get("msg")
    if kind == "ok":
        return faults_in(frame, _OK_LIST if isinstance(msg, list) else _OK_UPDATE)
    if kind in REPLIES:
        return faults_in(frame, REPLIES[kind])
    if kind in _LISTS:
        return faults_in(frame, {**_DATA, "id?": _place, "seq": _place, "msg": _object(_LISTS[kind])})
    if kind not in TYPES:
        return [f"type: {kind} is unknown"]
    numbered = {"seq": _place} if kind not in UNSEQUENCED else {}
    answering = {"id?": _place} if kind == "orderbook_snapshot" else {}
    faults = faults_in(frame, {**_DATA, **numbered, **answering})
    return faults if not isinstance(msg, dict) else faults + _msg_faults(kind, msg)


def _msg_faults(kind: str, msg: Mapping[str, Any]) -> list[str]:
    if kind not in BY_EVENT_TYPE:
        return faults_in(msg, SEQUENCED.get(kind) or UNSEQUENCED[kind], "msg.")
    event = str(msg.get("event_type"))
    fields = BY_EVENT_TYPE[kind].get(event)
    if fields is None:
        return [f"msg.event_type: {event}"]
    # The market is named in every turn of its life; a group is not one of a market.
    named = {} if kind == "order_group_updates" else {"market_ticker": NAME}
    return faults_in(msg, {"event_type": NAME, **named, **fields}, "msg.")


def kind_of(frame: Mapping[str, Any]) -> str:
    """The type, with the event_type where fields depend on it: "market_lifecycle_v2/settled"."""
    kind = str(frame["type"])
    return f"{kind}/{frame['msg']['event_type']}" if kind in BY_EVENT_TYPE else kind


def load(payload: bytes) -> dict[str, Any]:
    """A frame's object."""
    frame: dict[str, Any] = json.loads(payload)
    return frame
