"""Records in words: one line for a list, and every field of what one says, in units that people read.

Knows kinds, message types and units. Must not know tapes or pages on a screen: everything here is text, and whoever
shows it shows it as text.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from core.actions import (
    Amend,
    Cancel,
    Decision,
    Fetch,
    Outcome,
    PaperEvent,
    Place,
    Say,
    decode_decision,
    decode_outcome,
)
from core.messages import Malformed, decode
from core.messages.types import BookSnapshot, type_of
from core.money import DOLLAR, format_money, format_price, format_size
from core.records import Kind, Record, RestCall, decode_rest
from replay.view.outline import SECOND_NS
from replay.view.pages import Page
from replay.when import format_time

RAW_BYTES: Final = 65_536
"""Of a record's bytes so many are shown: twenty times the largest usual frame."""

LINE_CHARACTERS: Final = 160
"""A line of a list."""

FIELD_CHARACTERS: Final = 4_000
"""A field's text, such as a REST answer."""

LEVELS: Final = 100
"""Levels of a snapshot's side that are listed."""

_PRICES: Final = ("price", "yes_bid", "yes_ask")
_SIZES: Final = (
    *("size", "delta", "count", "yes_bid_size", "yes_ask_size", "last_trade_size", "volume", "open_interest"),
    *("position", "post_position", "initial_count", "fill_count", "remaining_count", "filled", "remaining"),
)
_MONEY: Final = (
    *("fee", "position_cost", "realized_pnl", "fees_paid", "position_fee_cost", "taker_fill_cost", "maker_fill_cost"),
    *("taker_fees", "maker_fees", "day_pnl", "paper_cash"),
)
_SIDES: Final = ("", "yes", "no")
_UNTOLD: Final = ("sid", "seq", "id", "sending_ms")
"""Of messages: 0 stands for what the frame does not say; so it does in instants (`..._ns`)."""


def line_of(page: Page, row: int) -> str:
    """What a record says, in a line."""
    kind = int(page.kind[row])
    if kind != Kind.FRAME:
        return short(_own_line(kind, page.payloads.at(row)))
    ints, what = page.columns.ints, page.text("type", row)

    def number(name: str) -> int:
        """Of an integer column."""
        return int(ints[name][row])

    match what:
        case "orderbook_delta":
            sign = "+" if number("size") >= 0 else ""
            return f"{_SIDES[number('side')]} {format_price(number('price'))}  {sign}{format_size(number('size'))}"
        case "trade":
            taker = _SIDES[number("side")]
            return f"{format_size(number('size'))} at {format_price(number('price'))}, taker bought {taker}"
        case "ticker":
            return f"bid {shown('yes_bid', number('yes_bid'))}  ask {shown('yes_ask', number('yes_ask'))}"
        case "orderbook_snapshot":
            return "the whole book"
        case "":
            return f"not a message: {page.text('malformed', row)}"
        case _:
            return short(page.payloads.at(row).decode("utf-8", "backslashreplace"))


def _own_line(kind: int, payload: bytes) -> str:
    try:
        if kind == Kind.DECISION:
            return decision_line(decode_decision(payload))
        if kind == Kind.OUTCOME:
            return outcome_line(decode_outcome(payload))
        if kind == Kind.REST:
            return rest_line(decode_rest(payload))
    except msgspec.DecodeError:
        pass
    return payload.decode("utf-8", "backslashreplace")


def decision_line(decision: Decision) -> str:
    """`market-maker: place bid 10.00 at 0.4300`."""
    refused = f"; refused: {decision.refused}" if decision.refused else ""
    return f"{decision.strategy or 'host'}: {action_line(decision.action)}{refused}"


def action_line(action: Any) -> str:
    """What is asked for, in words."""
    match action:
        case Place() | Amend():
            verb = "place" if isinstance(action, Place) else "amend to"
            return f"{verb} {action.side} {format_size(action.count)} at {format_price(action.price)}"
        case Cancel():
            return "cancel an order"
        case Fetch():
            return f"fetch {action.path}"
        case Say():
            return f"says: {action.text}"
        case _:
            return f"{type(action).__name__.lower()} {', '.join(action.markets)}"


def outcome_line(outcome: Outcome | PaperEvent) -> str:
    """`done (201)`, `refused: insufficient_balance`, or what the paper venue filled."""
    if isinstance(outcome, PaperEvent):
        fills = [f"paper fill {format_size(fill.count)} at {format_price(fill.price)}" for fill in outcome.fills]
        return ", ".join([*fills, *(f"order ended {name}" for name in outcome.ended)])
    why = ": ".join(text for text in (outcome.code, outcome.reason) if text)
    return (
        f"decision {outcome.decision}: {outcome.done}{f' ({outcome.status})' if outcome.status else ''} {why}".strip()
    )


def rest_line(call: RestCall) -> str:
    """`GET /markets: 200 in 12 ms`, or why there was no answer; its query is among the fields."""
    path = call.path.partition("?")[0].removeprefix("/trade-api/v2")
    return f"{call.method} {path}: {call.status or call.error or 'no answer'} in {call.took_ns // 10**6} ms"


def short(text: str, most: int = LINE_CHARACTERS) -> str:
    """At most so many characters, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def market_of(record: Record) -> str:
    """The market that a record is about, "" for none or several."""
    try:
        if record.kind == Kind.DECISION:
            return str(getattr(decode_decision(record.payload).action, "market", ""))
        return str(getattr(decode(record.payload), "market", "")) if record.kind == Kind.FRAME else ""
    except msgspec.DecodeError:
        return ""


def raw_of(record: Record) -> dict[str, Any]:
    """The bytes of a record as text: as they are where they are UTF-8, else with escapes."""
    cut = record.payload[:RAW_BYTES]
    try:
        text, is_text = cut.decode("utf-8"), True
    except UnicodeDecodeError:
        text, is_text = cut.decode("utf-8", "backslashreplace"), False
    return {"text": text, "bytes": len(record.payload), "cut": len(record.payload) > RAW_BYTES, "utf8": is_text}


def decoded_of(record: Record) -> dict[str, Any]:
    """What a record says, field by field: {"type", "problem", "fields": [[name, value], ...]}; all texts."""
    if record.kind == Kind.FRAME:
        message = decode(record.payload)
        if isinstance(message, Malformed):
            return {"type": "not a message", "problem": message.reason, "fields": []}
        if isinstance(message, BookSnapshot):
            return {"type": type_of(message), "problem": "", "fields": list(_snapshot(message))}
        told = _flat("", msgspec.to_builtins(message))
        fields = [[name, "-" if value == "0" and _is_untold(name) else value] for name, value in told]
        return {"type": type_of(message), "problem": "", "fields": fields}
    title = Kind(record.kind).name.lower() if record.kind in list(Kind) else f"kind {record.kind}"
    if not record.payload:
        return {"type": title, "problem": "", "fields": []}
    try:
        held = msgspec.json.decode(record.payload)
    except msgspec.DecodeError:
        return {"type": title, "problem": "its bytes are not JSON", "fields": []}
    return {"type": title, "problem": "", "fields": list(_flat("", held))}


def _is_untold(name: str) -> bool:
    return name in _UNTOLD or name.endswith("_ns")


def _snapshot(message: BookSnapshot) -> Iterator[list[str]]:
    for name, value in msgspec.to_builtins(message).items():
        if name not in ("yes", "no"):
            yield from _flat(name, value)
    for side, levels in (("yes", message.yes), ("no", message.no)):
        yield [side, f"{len(levels)} levels"]
        for price, size in list(reversed(levels))[:LEVELS]:
            yield [f"  {format_price(price)}", format_size(size)]


def _flat(name: str, value: Any) -> Iterator[list[str]]:
    """Nested fields as `a.b`, each with its value as text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list | tuple) and any(isinstance(inner, dict | list) for inner in value):
        for place, inner in enumerate(value[:LEVELS]):
            yield from _flat(f"{name}[{place}]", inner)
    else:
        yield [name, shown(name.rpartition(".")[2], value)]


def shown(name: str, value: Any) -> str:
    """A field's value with its unit, by its name."""
    if value is None or value == -(1 << 63):
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        if name in _PRICES and -DOLLAR <= value <= DOLLAR:
            return format_price(value)
        if name in _SIZES:
            return format_size(value)
        if name in _MONEY:
            return format_money(value)
        if name.endswith("_ns") and value > SECOND_NS * 10**6:
            return f"{format_time(value)}  ({value})"
        if name == "sending_ms" and value:
            return f"{format_time(value * 10**6)}  ({value})"
    text = ", ".join(map(str, value)) or "-" if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= FIELD_CHARACTERS else text[:FIELD_CHARACTERS] + f"… ({len(text)} characters)"
