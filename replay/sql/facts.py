"""What a tape tells of its markets beside prices: by REST answers and by lifecycle messages, the latest of each.

Knows which records say it. Must not know SQL's views.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from core.answers.types import Event, Market, Page
from core.fetched import read as read_answer
from core.messages import decode
from core.messages.types import MarketLifecycle
from core.records import Kind, decode_rest
from replay.sql.source import Source

_TELLING: Final = (
    f"select seq, kind, payload from {{rows}} where payload is not null and (kind = {int(Kind.REST)} "
    f"or (kind = {int(Kind.FRAME)} and type in ('market_lifecycle_v2', 'multivariate_market_lifecycle'))) order by seq"
)
_STATUS: Final = {"activated": "active", "deactivated": "inactive", "determined": "determined", "settled": "finalized"}
"""What a lifecycle event makes of a market, in the words of REST's status (protocol 16)."""


def facts(source: Source, tape: str) -> Iterable[dict[str, Any]]:
    """A row for each market of which anything is told; told_seq: the record that told it last."""
    found: dict[str, dict[str, Any]] = {}
    table = source.ask(tape, _TELLING)
    for seq, kind, payload in zip(*[column.to_pylist() for column in table.columns], strict=True):
        told = _by_rest(payload) if kind == Kind.REST else _by_message(payload)
        for market, values in told:
            row = found.setdefault(market, {"market": market})
            row.update({name: value for name, value in values.items() if value is not None and value != ""})
            row["told_seq"] = seq
    return [row for _, row in sorted(found.items())]


def _by_rest(payload: bytes) -> Iterable[tuple[str, dict[str, Any]]]:
    try:
        fetched = read_answer(decode_rest(payload), 0)
    except msgspec.DecodeError:
        return
    value = None if fetched is None else fetched.value
    items = value.items if isinstance(value, Page) else (value,)
    for item in items:
        markets = item.markets if isinstance(item, Event) else (item,)
        for market in markets:
            if isinstance(market, Market):
                yield (
                    market.ticker,
                    {
                        "event": market.event_ticker,
                        "title": market.title,
                        "status": market.status,
                        "result": market.result,
                        "open_ns": market.open_ns or None,
                        "close_ns": market.close_ns or None,
                        "settled_ns": market.settled_ns or None,
                        "settlement_value": market.settlement_value,
                    },
                )


def _by_message(payload: bytes) -> Iterable[tuple[str, dict[str, Any]]]:
    message = decode(payload)
    if isinstance(message, MarketLifecycle):
        yield (
            message.market,
            {
                "event": message.event_ticker,
                "status": _STATUS.get(message.event, ""),
                "result": message.result,
                "open_ns": message.open_ns or None,
                "close_ns": message.close_ns or None,
                "settled_ns": message.settled_ns or None,
                "settlement_value": message.settlement_value,
            },
        )
