"""Schemas of every frame that is sent today (protocol 5, 8): which fields there are, which must be, what each holds.

Stricter than the exchange's own schema where the documents are: a field that nobody has heard of is a fault too, or a
slip in a name would pass for an optional field that is absent. Knows shapes only: no book, no numbering.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from frame_checks import (
    BOOK_SIDE,
    CHANGE,
    COUNT,
    MONEY,
    NAME,
    OUTCOME,
    PRICE,
    STRUCTURE,
    TIME,
    UUID,
    Fields,
    faults_in,
    is_flag,
    is_level,
    is_milliseconds,
    is_number,
    is_place,
    is_seconds,
    is_signed,
    is_text,
    is_whole,
    list_of,
    object_of,
    one_of,
    or_null,
)

_RANGES: Final = list_of(object_of({"start": PRICE, "end": PRICE, "step": PRICE}))
_STRIKE: Final[Fields] = {
    "strike_type?": NAME,
    "floor_strike?": is_number,
    "cap_strike?": is_number,
    "custom_strike?": lambda value: isinstance(value, dict),
}
_LEGS: Final = list_of(
    object_of(
        {"event_ticker": NAME, "market_ticker": NAME, "side": OUTCOME, "yes_settlement_value_dollars?": PRICE},
    )
)

_BOOK: Final[Fields] = {"market_ticker": NAME, "market_id": UUID}

_TICKER: Final[Fields] = {
    **_BOOK,
    **dict.fromkeys(("price_dollars", "yes_bid_dollars", "yes_ask_dollars"), PRICE),
    **dict.fromkeys(("yes_bid_size_fp", "yes_ask_size_fp", "last_trade_size_fp", "volume_fp"), COUNT),
    "open_interest_fp": COUNT,
    "dollar_volume": is_signed,
    "dollar_open_interest": is_signed,
    "ts": is_seconds,
    "ts_ms": is_milliseconds,
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
    "is_block_trade": is_flag,
    "ts": is_seconds,
    "ts_ms": is_milliseconds,
}

_FILL: Final[Fields] = {
    "trade_id": UUID,
    "order_id": UUID,
    "client_order_id?": is_text,
    "market_ticker": NAME,
    "exchange_index": is_whole,
    "is_taker": is_flag,
    "side": OUTCOME,
    "yes_price_dollars": PRICE,
    "count_fp": COUNT,
    "fee_cost": MONEY,
    "action": one_of("buy", "sell", "sell_partial", "sell_to_close", ""),
    "ts": is_seconds,
    "ts_ms": is_milliseconds,
    "post_position_fp": CHANGE,
    "purchased_side": OUTCOME,
    "outcome_side": OUTCOME,
    "book_side": BOOK_SIDE,
    "subaccount?": is_whole,
}

_POSITION: Final[Fields] = {
    "user_id": UUID,
    "market_ticker": NAME,
    "position_fp": CHANGE,
    **dict.fromkeys(("position_cost_dollars", "realized_pnl_dollars", "fees_paid_dollars"), MONEY),
    "position_fee_cost_dollars": MONEY,
    "volume_fp": COUNT,
    "subaccount?": is_whole,
}

REASONS: Final = (
    "Decrease", "Amend", "MarginCancel", "SelfTradeCancel", "ExpiryCancel", "CloseCancel", "HaltCancel", "Trade",
    "PostOnlyCrossCancel", "ReduceOnlyCancel", "SettlementBoundsCancel",
)  # fmt: skip

_ORDER: Final[Fields] = {
    "order_id": UUID,
    "user_id": UUID,
    "client_order_id": is_text,
    "ticker": NAME,
    "exchange_index": is_whole,
    "status": one_of("resting", "canceled", "executed", "unknown"),
    "side": OUTCOME,
    "is_yes": is_flag,
    "outcome_side": OUTCOME,
    "book_side": BOOK_SIDE,
    "yes_price_dollars": PRICE,
    **dict.fromkeys(("fill_count_fp", "remaining_count_fp", "initial_count_fp"), COUNT),
    **dict.fromkeys(("taker_fill_cost_dollars", "maker_fill_cost_dollars"), MONEY),
    **dict.fromkeys(("taker_fees_dollars", "maker_fees_dollars"), MONEY),
    "self_trade_prevention_type?": one_of("taker_at_cross", "maker"),
    "created_time": TIME,
    "created_ts_ms": or_null(is_milliseconds),
    "last_update_time?": TIME,
    "last_updated_ts_ms?": is_milliseconds,
    "last_update_reason?": one_of(*REASONS),
    "expiration_time?": TIME,
    "expiration_ts_ms?": is_milliseconds,
    "order_group_id?": NAME,
    "subaccount_number?": is_whole,
}

_METADATA: Final[Fields] = {
    **dict.fromkeys(("name", "title", "yes_sub_title", "no_sub_title", "rules_primary", "rules_secondary"), is_text),
    "can_close_early": is_flag,
    "event_ticker": NAME,
    "expected_expiration_ts": is_seconds,
    **_STRIKE,
}

_CREATED_COMBO: Final[Fields] = {
    "exchange_index": is_whole,
    "open_ts": is_seconds,
    "close_ts": is_seconds,
    "additional_metadata?": object_of(_METADATA),
    "price_level_structure": STRUCTURE,
}

_COMBO_LIVES: Final[Mapping[str, Fields]] = {
    "created": _CREATED_COMBO,
    "activated": {"is_deactivated": lambda value: value is False},
    "deactivated": {"is_deactivated": lambda value: value is True},
    "close_date_updated": {"close_ts": is_seconds},
    "determined": {
        "determination_ts": is_seconds,
        "result": one_of("yes", "no", "scalar"),
        "settlement_value": PRICE,
    },
    "settled": {"settled_ts": is_seconds},
}
"""The turns of a life that the channel of combos knows, by event_type."""

LIVES: Final[Mapping[str, Fields]] = {
    **_COMBO_LIVES,
    "created": {**_CREATED_COMBO, "additional_metadata": object_of(_METADATA), "price_ranges": _RANGES},
    "price_level_structure_updated": {"price_level_structure": STRUCTURE, "price_ranges": _RANGES},
    "metadata_updated": {**_STRIKE, "yes_sub_title?": is_text},
}

_GROUP_LIMIT: Final[Fields] = {"order_group_id": NAME, "contracts_limit_fp": COUNT, "ts_ms": is_milliseconds}
_GROUP: Final[Fields] = {"order_group_id": NAME, "ts_ms": is_milliseconds}
GROUPS: Final[Mapping[str, Fields]] = {
    "created": {**_GROUP, "contracts_limit_fp?": COUNT},
    "limit_updated": _GROUP_LIMIT,
    **dict.fromkeys(("triggered", "reset", "deleted"), _GROUP),
}

_EVENT: Final[Fields] = {
    "event_ticker": NAME,
    "exchange_index": is_whole,
    "title": is_text,
    "subtitle": is_text,
    "collateral_return_type": one_of("MECNET", "DIRECNET", ""),
    "series_ticker": NAME,
    "strike_date?": is_seconds,
    "strike_period?": is_text,
}

_RFQ: Final[Fields] = {
    **dict.fromkeys(("id", "market_ticker"), NAME),
    "creator_id": is_text,
    "event_ticker?": NAME,
    "contracts_fp?": COUNT,
    "target_cost_dollars?": is_text,
    "mve_collection_ticker?": NAME,
    "mve_selected_legs?": _LEGS,
}

_QUOTE: Final[Fields] = {
    **dict.fromkeys(("quote_id", "rfq_id", "market_ticker"), NAME),
    **dict.fromkeys(("quote_creator_id", "rfq_creator_id"), is_text),
    "event_ticker?": NAME,
}
_QUOTED: Final[Fields] = {**_QUOTE, "yes_bid_dollars": PRICE, "no_bid_dollars": PRICE}

_AVERAGE: Final = object_of(
    {
        "value": is_text,
        "window_size": is_whole,
        "window_start_ts_ms": is_milliseconds,
        "window_end_ts_exclusive": is_milliseconds,
    },
)

_FEEDS: Final[Mapping[str, Fields]] = {
    "cfbenchmarks_value": {
        "index_id": NAME,
        "received_at": is_milliseconds,
        "data": is_text,
        "avg_60s_data": _AVERAGE,
        "last_60s_windowed_average_15min?": lambda value: isinstance(value, dict),
    },
    "cfbenchmarks_value_5hz": {
        "index_id": NAME,
        "received_at": is_milliseconds,
        "data": is_text,
        "value_usd": is_text,
        "source_ts_ms": is_milliseconds,
    },
    "pyth_value": {
        "underlying_ticker": NAME,
        "value_usd": is_text,
        "source_ts_ms": is_milliseconds,
        "received_at": is_milliseconds,
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
        "client_order_id": is_text,
        "executed_ts": TIME,
        "subaccount?": is_whole,
        "rfq_batch_id?": NAME,
    },
}

SEQUENCED: Final[Mapping[str, Fields]] = {
    "orderbook_snapshot": {
        **_BOOK,
        "clock": is_whole,
        "yes_dollars_fp?": lambda value: bool(value) and list_of(is_level)(value),
        "no_dollars_fp?": lambda value: bool(value) and list_of(is_level)(value),
    },
    "orderbook_delta": {
        **_BOOK,
        "clock": is_place,
        "price_dollars": PRICE,
        "delta_fp": CHANGE,
        "side": OUTCOME,
        "client_order_id?": NAME,
        "subaccount?": is_whole,
        "ts?": TIME,
        "ts_ms?": is_milliseconds,
    },
    "trade": _TRADE,
    "event_lifecycle": _EVENT,
    "event_fee_update": {
        "event_ticker": NAME,
        "fee_type_override": or_null(NAME),
        "fee_multiplier_override": or_null(is_number),
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

_SUBSCRIPTION: Final[Fields] = {"channel": NAME, "sid": is_place}
_ERROR: Final[Fields] = {
    "code": lambda value: is_place(value) and value <= 28 and value not in (6, 16, 17),
    "msg": is_text,
    "market_ticker?": NAME,
    "market_tickers?": list_of(NAME),
}
_UPDATED: Final[Fields] = {
    **dict.fromkeys(("market_tickers?", "market_ids?", "index_ids?", "underlying_tickers?"), list_of(NAME))
}

_TOP: Final[Fields] = {"type": NAME, "sending_ts_ms?": is_milliseconds}
_DATA: Final[Fields] = {**_TOP, "sid": is_place, "msg": lambda value: isinstance(value, dict)}

REPLIES: Final[Mapping[str, Fields]] = {
    "subscribed": {**_TOP, "id?": is_place, "msg": object_of(_SUBSCRIPTION)},
    "unsubscribed": {**_TOP, "id?": is_place, "sid": is_place, "seq": is_place},
    "error": {**_TOP, "id?": is_place, "sid?": is_place, "seq?": is_place, "msg": object_of(_ERROR)},
}
_OK_UPDATE: Final[Fields] = {**_TOP, "id?": is_place, "sid": is_place, "seq": is_place, "msg?": object_of(_UPDATED)}
_OK_LIST: Final[Fields] = {**_TOP, "id?": is_place, "msg": list_of(object_of(_SUBSCRIPTION))}

_LISTS: Final[Mapping[str, Fields]] = {
    "cfbenchmarks_value_indexlist": {"index_ids": list_of(NAME)},
    "cfbenchmarks_value_5hz_indexlist": {"index_ids": list_of(NAME)},
    "pyth_value_underlying_list": {"underlying_tickers": list_of(NAME)},
}
"""Replies that list the reference feeds there are."""

TYPES: Final = (*REPLIES, "ok", *_LISTS, *SEQUENCED, *UNSEQUENCED, *BY_EVENT_TYPE)
"""Every type there is a schema of."""


def faults_of(frame: Mapping[str, Any]) -> list[str]:
    """What is wrong with a frame; [] = nothing."""
    kind = str(frame.get("type"))
    msg = frame.get("msg")
    if kind == "ok":
        return faults_in(frame, _OK_LIST if isinstance(msg, list) else _OK_UPDATE)
    if kind in REPLIES:
        return faults_in(frame, REPLIES[kind])
    if kind in _LISTS:
        return faults_in(frame, {**_DATA, "id?": is_place, "seq": is_place, "msg": object_of(_LISTS[kind])})
    if kind not in TYPES:
        return [f"type: {kind} is unknown"]
    numbered = {"seq": is_place} if kind not in UNSEQUENCED else {}
    answering = {"id?": is_place} if kind == "orderbook_snapshot" else {}
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
