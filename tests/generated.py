"""Frames of every type there is, made up by dice: good ones, as the exchange writes them today (protocol 5, 8).

A kind is a type, with the event_type behind a slash where the fields depend on it. The same seed gives the same frames.
Must not know the decoder nor the schemas that these frames are held against.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeAlias

Dice: TypeAlias = random.Random
Made: TypeAlias = dict[str, Any]

MARKET: Final = "KXMADE-26NOV23-T50"
EVENT: Final = "KXMADE-26NOV23"
NOW_MS: Final = 1_795_435_201_502


def _uuid(dice: Dice) -> str:
    text = f"{dice.getrandbits(128):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _price(dice: Dice) -> str:
    return f"0.{dice.randrange(1, 10_000):04d}"


def _count(dice: Dice) -> str:
    return f"{dice.randrange(1, 10_000)}.{dice.randrange(100):02d}"


def _money(dice: Dice) -> str:
    return f"{dice.randrange(1_000)}.{dice.randrange(10**6):06d}"


def _side(dice: Dice) -> str:
    return dice.choice(("yes", "no"))


def _ms(dice: Dice) -> int:
    return NOW_MS + dice.randrange(10**6)


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms // 1_000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1_000:03d}Z"


def _stamps(dice: Dice) -> Made:
    ms = _ms(dice)
    return {"ts": ms // 1_000, "ts_ms": ms}


def _levels(dice: Dice) -> list[list[str]]:
    prices = sorted(dice.sample(range(1, 10_000), dice.randrange(1, 6)))
    return [[f"0.{price:04d}", _count(dice)] for price in prices]


def _book(dice: Dice) -> Made:
    return {"market_ticker": MARKET, "market_id": _uuid(dice), "clock": dice.randrange(1, 10**9)}


def _snapshot(dice: Dice) -> Made:
    sides = dice.choice((("yes",), ("no",), ("yes", "no"), ()))
    return _book(dice) | {f"{side}_dollars_fp": _levels(dice) for side in sides}


def _delta(dice: Dice) -> Made:
    sign = dice.choice(("", "-"))
    ms = _ms(dice)
    change = {"price_dollars": _price(dice), "delta_fp": sign + _count(dice), "side": _side(dice)}
    return _book(dice) | change | {"ts": _time(ms), "ts_ms": ms}


def _ticker(dice: Dice) -> Made:
    stamps = _stamps(dice)
    prices = ("price_dollars", "yes_bid_dollars", "yes_ask_dollars")
    sizes = ("yes_bid_size_fp", "yes_ask_size_fp", "last_trade_size_fp", "volume_fp", "open_interest_fp")
    return {
        "market_ticker": MARKET,
        "market_id": _uuid(dice),
        **{name: _price(dice) for name in prices},
        **{name: _count(dice) for name in sizes},
        "dollar_volume": dice.randrange(10**6),
        "dollar_open_interest": dice.randrange(10**6),
        "time": _time(stamps["ts_ms"]),
        **stamps,
    }


def _trade(dice: Dice) -> Made:
    yes, taker = dice.randrange(1, 10_000), _side(dice)
    return {
        "trade_id": _uuid(dice),
        "market_ticker": MARKET,
        "yes_price_dollars": f"0.{yes:04d}",
        "no_price_dollars": f"0.{10_000 - yes:04d}",
        "count_fp": _count(dice),
        "taker_side": taker,
        "taker_outcome_side": taker,
        "taker_book_side": "bid" if taker == "yes" else "ask",
        "is_block_trade": dice.random() < 0.1,
        **_stamps(dice),
    }


def _fill(dice: Dice) -> Made:
    side = _side(dice)
    return {
        "trade_id": _uuid(dice),
        "order_id": _uuid(dice),
        "client_order_id": f"made-{dice.randrange(100)}",
        "market_ticker": MARKET,
        "exchange_index": 0,
        "is_taker": dice.random() < 0.5,
        "side": side,
        "yes_price_dollars": _price(dice),
        "count_fp": _count(dice),
        "fee_cost": _money(dice),
        "action": dice.choice(("buy", "sell")),
        "post_position_fp": dice.choice(("", "-")) + _count(dice),
        "purchased_side": side,
        "outcome_side": side,
        "book_side": "bid" if side == "yes" else "ask",
        **_stamps(dice),
    }


def _position(dice: Dice) -> Made:
    money = ("position_cost_dollars", "realized_pnl_dollars", "fees_paid_dollars", "position_fee_cost_dollars")
    return {
        "user_id": _uuid(dice),
        "market_ticker": MARKET,
        "position_fp": dice.choice(("", "-")) + _count(dice),
        **{name: _money(dice) for name in money},
        "volume_fp": _count(dice),
    }


def _order(dice: Dice) -> Made:
    side, ms = _side(dice), _ms(dice)
    sizes = ("fill_count_fp", "remaining_count_fp", "initial_count_fp")
    money = ("taker_fill_cost_dollars", "maker_fill_cost_dollars", "taker_fees_dollars", "maker_fees_dollars")
    return {
        "order_id": _uuid(dice),
        "user_id": _uuid(dice),
        "client_order_id": f"made-{dice.randrange(100)}",
        "ticker": MARKET,
        "exchange_index": 0,
        "status": dice.choice(("resting", "canceled", "executed")),
        "side": side,
        "is_yes": side == "yes",
        "outcome_side": side,
        "book_side": "bid" if side == "yes" else "ask",
        "yes_price_dollars": _price(dice),
        **{name: _count(dice) for name in sizes},
        **{name: _money(dice) for name in money},
        "created_time": _time(ms),
        "created_ts_ms": ms,
    }


def _ranges(dice: Dice) -> Made:
    step = dice.choice(("0.0010", "0.0100"))
    return {"price_level_structure": "made_up", "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": step}]}


def _created(dice: Dice) -> Made:
    texts = ("name", "title", "yes_sub_title", "no_sub_title", "rules_primary", "rules_secondary")
    metadata: Made = {name: f"{name} {dice.randrange(100)}" for name in texts}
    metadata |= {"can_close_early": True, "event_ticker": EVENT, "expected_expiration_ts": NOW_MS // 1_000}
    opened_s = _ms(dice) // 1_000
    times = {"open_ts": opened_s, "close_ts": opened_s + 3_600}
    return {"exchange_index": 0, **times, "additional_metadata": metadata, **_ranges(dice)}


def _determined(dice: Dice) -> Made:
    yes = dice.random() < 0.5
    values = {"result": "yes" if yes else "no", "settlement_value": "1.0000" if yes else "0.0000"}
    return {"determination_ts": _ms(dice) // 1_000, **values}


_TURNS: Final[Mapping[str, Callable[[Dice], Made]]] = {
    "created": _created,
    "activated": lambda _: {"is_deactivated": False},
    "deactivated": lambda _: {"is_deactivated": True},
    "close_date_updated": lambda dice: {"close_ts": _ms(dice) // 1_000},
    "determined": _determined,
    "settled": lambda dice: {"settled_ts": _ms(dice) // 1_000},
    "price_level_structure_updated": _ranges,
    "metadata_updated": lambda dice: {"yes_sub_title": f"over {dice.randrange(100)}", "floor_strike": 1.5},
}
_COMBO_TURNS: Final = ("activated", "deactivated", "close_date_updated", "determined", "settled")


def _turn(event: str, dice: Dice) -> Made:
    return {"market_ticker": MARKET, "event_type": event} | _TURNS[event](dice)


def _combo(event: str, dice: Dice) -> Made:
    made = _turn(event, dice)
    made.pop("price_ranges", None)  # the channel of combos does not tell of them
    return made


def _group(event: str, dice: Dice) -> Made:
    limit = {"contracts_limit_fp": _count(dice)} if event in ("created", "limit_updated") else {}
    return {"event_type": event, "order_group_id": f"group-{dice.randrange(100)}", "ts_ms": _ms(dice)} | limit


def _event(dice: Dice) -> Made:
    names = {"event_ticker": EVENT, "series_ticker": "KXMADE", "title": f"made {dice.randrange(100)}", "subtitle": ""}
    return names | {"exchange_index": 0, "collateral_return_type": dice.choice(("MECNET", ""))}


def _rfq(dice: Dice) -> Made:
    return {"id": _uuid(dice), "creator_id": "", "market_ticker": MARKET, "contracts_fp": _count(dice)}


def _quote(dice: Dice) -> Made:
    ids = {name: _uuid(dice) for name in ("quote_id", "rfq_id")}
    return ids | {"quote_creator_id": "", "rfq_creator_id": "", "market_ticker": MARKET}


def _bids(dice: Dice) -> Made:
    return _quote(dice) | {"yes_bid_dollars": _price(dice), "no_bid_dollars": _price(dice)}


def _executed(dice: Dice) -> Made:
    return _quote(dice) | {"order_id": _uuid(dice), "client_order_id": "", "executed_ts": _time(_ms(dice))}


def _feed(names: Made, dice: Dice) -> Made:
    return names | {"source_ts_ms": _ms(dice), "received_at": _ms(dice), "value_usd": f"{dice.random():.6f}"}


def _index(dice: Dice) -> Made:
    average = {"value": "1.5", "window_size": 60, "window_start_ts_ms": NOW_MS, "window_end_ts_exclusive": NOW_MS}
    return {"index_id": "BRTI", "received_at": _ms(dice), "data": f"{dice.random():.6f}", "avg_60s_data": average}


_DATA: Final[Mapping[str, Callable[[Dice], Made]]] = {
    "orderbook_snapshot": _snapshot,
    "orderbook_delta": _delta,
    "trade": _trade,
    "event_lifecycle": _event,
    "event_fee_update": lambda _: {
        "event_ticker": EVENT, "fee_type_override": "quadratic", "fee_multiplier_override": 0.5,
    },
    "rfq_created": lambda dice: _rfq(dice) | {"created_ts": _time(_ms(dice))},
    "rfq_deleted": lambda dice: _rfq(dice) | {"deleted_ts": _time(_ms(dice))},
    "quote_created": lambda dice: _bids(dice) | {"created_ts": _time(_ms(dice))},
    "quote_accepted": lambda dice: _bids(dice) | {"accepted_side": _side(dice)},
    "quote_executed": _executed,
    "cfbenchmarks_value": _index,
    "cfbenchmarks_value_5hz": lambda dice: _feed({"index_id": "BRTI", "data": "{}"}, dice),
    "pyth_value": lambda dice: _feed({"underlying_ticker": "BTC"}, dice),
    "cfbenchmarks_value_indexlist": lambda _: {"index_ids": ["BRTI"]},
    "cfbenchmarks_value_5hz_indexlist": lambda _: {"index_ids": ["BRTI"]},
    "pyth_value_underlying_list": lambda _: {"underlying_tickers": ["BTC", "ETH"]},
    **{f"market_lifecycle_v2/{event}": partial(_turn, event) for event in _TURNS},
    **{
        f"multivariate_market_lifecycle/{event}": partial(_combo, event)
        for event in ("created", *_COMBO_TURNS)
    },
    **{
        f"order_group_updates/{event}": partial(_group, event)
        for event in ("created", "limit_updated", "triggered", "reset", "deleted")
    },
}  # fmt: skip
_UNNUMBERED: Final[Mapping[str, Callable[[Dice], Made]]] = {
    "ticker": _ticker,
    "fill": _fill,
    "market_position": _position,
    "user_order": _order,
}
_REPLIES: Final[Mapping[str, Callable[[Dice], Made]]] = {
    "subscribed": lambda dice: {"id": dice.randrange(1, 99), "msg": {"channel": "trade", "sid": 2}},
    "unsubscribed": lambda dice: {"id": dice.randrange(1, 99), "sid": 1, "seq": 7},
    "ok": lambda dice: {"id": dice.randrange(1, 99), "sid": 1, "seq": 7, "msg": {"market_tickers": [MARKET]}},
    "error": lambda dice: {"id": dice.randrange(1, 99), "msg": {"code": dice.choice((8, 10, 25)), "msg": "made up"}},
}

KINDS: Final = tuple(sorted([*_DATA, *_UNNUMBERED, *_REPLIES]))
"""Everything that can be made."""


def made_frame(kind: str, dice: Dice, *, sid: int = 1, seq: int = 1) -> bytes:
    """A good frame of this kind."""
    name = kind.partition("/")[0]
    if kind in _REPLIES:
        value = {"type": name, **_REPLIES[kind](dice)}
    elif kind in _UNNUMBERED:
        value = {"type": name, "sid": sid, "msg": _UNNUMBERED[kind](dice)}
    else:
        value = {"type": name, "sid": sid, "seq": seq, "msg": _DATA[kind](dice)}
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def made_frames(seed: int) -> Iterator[tuple[str, bytes]]:
    """Kinds in any order, for ever, each with a frame of it; the numbers of a subscription follow each other."""
    dice = random.Random(seed)
    numbers = dict.fromkeys(KINDS, 0)
    while True:
        kind = dice.choice(KINDS)
        numbers[kind] += 1
        yield kind, made_frame(kind, dice, sid=KINDS.index(kind) + 1, seq=numbers[kind])
