"""Frames as the exchange writes them, made by hand or taken from the protocol's examples and the odd recordings."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from recordings import lines_of
from tapes import TAPES

from core.messages import decode

PROTOCOL: Final = Path(__file__).resolve().parents[2] / "shared" / "protocol"

needs_protocol = pytest.mark.skipif(
    not PROTOCOL.is_dir(), reason="the protocol's examples (../shared/protocol) are not beside the project"
)


def frame(kind: str, msg: object = None, **head: object) -> bytes:
    """A frame in the exchange's key order, without `msg` when that is None."""
    value = {"type": kind, **head} | ({} if msg is None else {"msg": msg})
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def examples() -> dict[str, dict[str, Any]]:
    """The protocol's example frames from server to client by name, empty where they are absent."""
    path = PROTOCOL / "examples.jsonl"
    lines = map(json.loads, path.read_bytes().splitlines()) if path.is_file() else ()
    return {line["name"]: line["frame"] for line in lines if line["dir"] == "s2c"}


def odd_frames() -> list[bytes]:
    """The frames of the recordings that hold one to a line or between `;;`: other channels, the demo exchange."""
    between = (TAPES / "channels" / "live-10-channels-20260520.txt").read_bytes().split(b";;")
    paths = [TAPES / "channels" / "captured_lifecycle_frames.jsonl"]
    paths += sorted((TAPES / "rest" / "fortuna").glob("ws__*.jsonl"))
    frames = [text.strip() for text in between] + [line for path in paths for line in lines_of(path)]
    return [text for text in frames if text]


DELTA: Final[dict[str, Any]] = {
    "market_ticker": "KXA-26-T50",
    "market_id": "0b9f-11",
    "price_dollars": "0.4200",
    "delta_fp": "-2.00",
    "side": "yes",
    "ts": "2026-11-23T12:00:01.502314Z",
    "ts_ms": 1795435201502,
}
TICKER: Final[dict[str, Any]] = {
    "market_ticker": "KXA-26-T50",
    "price_dollars": "0.4300",
    "yes_bid_dollars": "0.4200",
    "yes_ask_dollars": "0.4400",
    "volume_fp": "33896.00",
    "dollar_volume": 16948,
    "ts_ms": 1795435201502,
}
TRADE: Final[dict[str, Any]] = {
    "trade_id": "c0ffee00-1111",
    "market_ticker": "KXA-26-T50",
    "yes_price_dollars": "0.4200",
    "no_price_dollars": "0.5800",
    "count_fp": "2.50",
    "taker_side": "no",
    "taker_outcome_side": "no",
    "taker_book_side": "ask",
    "is_block_trade": False,
    "ts": 1795435201,
    "ts_ms": 1795435201502,
}
SNAPSHOT: Final[dict[str, Any]] = {
    "market_ticker": "KXA-26-T50",
    "yes_dollars_fp": [["0.4100", "10.00"], ["0.4210", "13.50"]],
    "no_dollars_fp": [["0.5500", "20.00"]],
}


def say(kind: str, msg: dict[str, Any], **changes: object) -> Any:
    """The decoded message of a frame with sid 4 and seq 9, some members of `msg` changed."""
    return decode(frame(kind, msg | changes, sid=4, seq=9))


def without(msg: dict[str, Any], *names: str) -> dict[str, Any]:
    """The members left when those are taken out."""
    return {name: value for name, value in msg.items() if name not in names}


def delta(**changes: object) -> bytes:
    """A good orderbook_delta with some members of `msg` changed."""
    return frame("orderbook_delta", DELTA | changes, sid=2, seq=17)


def raw_delta(member: bytes) -> bytes:
    """A delta with one more member of `msg`, its bytes as given."""
    return delta().strip().replace(b'"msg":{', b'"msg":{' + member + b",")


def snapshot(**changes: object) -> bytes:
    """A good orderbook_snapshot with some members of `msg` changed."""
    return frame("orderbook_snapshot", SNAPSHOT | changes, sid=2, seq=1)


def ticker(**changes: object) -> bytes:
    """A good ticker with some members of `msg` changed."""
    return frame("ticker", TICKER | changes, sid=3)


def trade(**changes: object) -> bytes:
    """A good trade with some members of `msg` changed."""
    return frame("trade", TRADE | changes, sid=1, seq=3)
