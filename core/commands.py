"""What we say to the exchange: its commands as JSON (protocol 4), and what a desk asks of whoever holds the socket.

Knows which channels take markets and which options each must be given. Must not know what was answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from core.records import StoredGap

BOOK: Final = "orderbook_delta"
TICKER: Final = "ticker"
TRADE: Final = "trade"

MARKET_CHANNELS: Final = (BOOK, TICKER, TRADE)
"""Channels that are subscribed to market by market, and so split over connections; without markets, not at all."""

WHOLE_CHANNELS: Final = (
    "fill", "market_positions", "user_orders", "order_group_updates", "market_lifecycle_v2",
    "multivariate_market_lifecycle", "communications", "cfbenchmarks_value", "cfbenchmarks_value_5hz", "pyth_value",
)  # fmt: skip
"""Channels that are subscribed to as a whole, on one connection."""

_EXTRAS: Final[dict[str, dict[str, Any]]] = {
    # without it a market shows nothing until it next moves
    TICKER: {"send_initial_snapshot": True},
    "cfbenchmarks_value": {"index_ids": ["all"]},
    "cfbenchmarks_value_5hz": {"index_ids": ["all"]},
    "pyth_value": {"underlying_tickers": ["all"]},
}


@dataclass(frozen=True, slots=True)
class Send:
    """Send this command on that connection, or on none."""

    connection: int
    id: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Give that connection up for a new one."""

    connection: int
    why: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Put a gap on the tape that only a probe could find; it is over."""

    gap: StoredGap


@dataclass(frozen=True, slots=True)
class Refuse:
    """These markets cannot be had on that connection. is_full: another connection may still take them."""

    connection: int
    markets: tuple[str, ...]
    why: str
    is_full: bool = False


Command: TypeAlias = Send | Reconnect | Tell | Refuse


def subscribe(command_id: int, channel: str, markets: Sequence[str] = (), *, use_yes_price: bool = False) -> bytes:
    """Subscribe to a channel, or add markets where this session has it already."""
    params: dict[str, Any] = {"channels": [channel]}
    if markets:
        params["market_tickers"] = list(markets)
    if channel == BOOK:
        params["use_yes_price"] = use_yes_price  # always said: the exchange announced that its default will flip
    return _encode(command_id, "subscribe", params | _EXTRAS.get(channel, {}))


def update(command_id: int, sid: int, action: str, markets: Sequence[str], *, channel: str = BOOK) -> bytes:
    """Change a subscription; action: add_markets, delete_markets or get_snapshot (books only)."""
    params: dict[str, Any] = {"sid": sid, "action": action, "market_tickers": list(markets)}
    if action == "add_markets" and channel == TICKER:
        params |= _EXTRAS[TICKER]
    return _encode(command_id, "update_subscription", params)


def unsubscribe(command_id: int, sid: int) -> bytes:
    """End a subscription."""
    return _encode(command_id, "unsubscribe", {"sids": [sid]})


def list_subscriptions(command_id: int) -> bytes:
    """Ask what this session is subscribed to."""
    return msgspec.json.encode({"id": command_id, "cmd": "list_subscriptions"})


class _Head(msgspec.Struct):
    id: int = 0


_HEAD: Final = msgspec.json.Decoder(_Head)


def command_id(payload: bytes) -> int:
    """The id of a command that was sent; 0 = it has none, whatever the bytes."""
    try:
        return _HEAD.decode(payload).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0


def _encode(command_id: int, name: str, params: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"id": command_id, "cmd": name, "params": params})
