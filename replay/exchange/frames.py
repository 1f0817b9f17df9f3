"""From a recorded frame to what is published of it: the same bytes with sid, seq and id left open.

Knows where a frame keeps its numbers, which channel its type belongs to and what a subscription on the other price
scale would have been sent. Must not know who is subscribed, nor what a frame does to a book.
"""

import json
import re
from typing import Any, Final

import msgspec

from core.messages.types import (
    BookDelta,
    BookSnapshot,
    Communication,
    ErrorReply,
    EventFeeUpdate,
    EventLifecycle,
    Fill,
    Malformed,
    MarketLifecycle,
    MarketPosition,
    Message,
    Ok,
    OrderGroupUpdate,
    Reference,
    Subscribed,
    SubscriptionList,
    Ticker,
    Trade,
    Unsubscribed,
    UserOrder,
)
from replay.exchange import port
from replay.exchange.port import Publication, Template
from replay.exchange.scales import mirrored

LIST_SUFFIXES: Final = ("_indexlist", "_underlying_list")
"""Ends of the types by which the reference feeds answer a command."""

COMBO_PREFIX: Final = "KXMVE"

_REPLIES: Final = (Subscribed, Ok, SubscriptionList, Unsubscribed, ErrorReply)
_CHANNELS: Final[dict[type, str]] = {
    BookDelta: port.BOOK,
    BookSnapshot: port.BOOK,
    Ticker: port.TICKER,
    Trade: port.TRADE,
    Fill: port.FILL,
    MarketPosition: port.POSITIONS,
    UserOrder: port.ORDERS,
    OrderGroupUpdate: port.GROUPS,
    EventFeeUpdate: port.LIFECYCLE,
    Communication: port.COMMUNICATIONS,
}
_BY_NAME: Final = {
    "orderbook_delta": port.BOOK,
    "orderbook_snapshot": port.BOOK,
    "ticker": port.TICKER,
    "trade": port.TRADE,
    "fill": port.FILL,
    "market_position": port.POSITIONS,
    "user_order": port.ORDERS,
    "order_group_updates": port.GROUPS,
    "market_lifecycle_v2": port.LIFECYCLE,
    "event_fee_update": port.LIFECYCLE,
    "multivariate_market_lifecycle": port.COMBO_LIFECYCLE,
}
"""Channels of frames that say nothing we can use but their type."""

_HEAD: Final = re.compile(
    rb'(\{"type":"[a-z0-9_]+",)(?:"id":[0-9]+,)?("sid":)([1-9][0-9]*)(?:(,"seq":)([1-9][0-9]*))?(?=[,}])'
)
"""How the exchange writes the beginning of a frame (protocol 1)."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(rb"[1-9][0-9]*")
_DECODER: Final = json.JSONDecoder()


def is_reply(message: Message) -> bool:
    """True for what answers a command of the recorder: the server has its own replies for its own clients.

    A snapshot that answers get_snapshot is none: it is the whole book, right for everybody.
    """
    if isinstance(message, _REPLIES):
        return True
    return isinstance(message, Reference) and message.type.endswith(LIST_SUFFIXES)


def channel_of(message: Message, told: str = "") -> str:
    """The channel a frame came on: by its type, else `told`, which is what the tape says of its sid; "" = unknown."""
    channel = _CHANNELS.get(type(message))
    if channel is not None:
        return channel
    match message:
        case MarketLifecycle(multivariate=multivariate):
            return port.COMBO_LIFECYCLE if multivariate else port.LIFECYCLE
        case EventLifecycle(event_ticker=event):  # both lifecycle channels carry it
            return told or (port.COMBO_LIFECYCLE if event.startswith(COMBO_PREFIX) else port.LIFECYCLE)
        case Reference(type=name) if name in port.CHANNELS:
            return name
        case _:
            return told


def publication(
    payload: bytes, message: Message | Malformed, *, channel: str = "", yes_price: bool = False
) -> Publication | None:
    """What is published of a recorded text frame; None when no subscription can be found for it.

    channel: what the tape says of its sid, for types that do not tell. yes_price: the recorder's subscription wrote
    no-side prices on the yes scale.
    """
    if isinstance(message, Malformed):
        return _unread(payload, channel)
    template = open_numbers(payload, answers=message.id)
    if template is None:
        return None
    channel = channel_of(message, channel)
    if not channel:
        return None
    market = "" if channel in port.UNFILTERED else getattr(message, "market", "")
    other = mirrored(payload, message)
    if other is None:
        return Publication(channel=channel, market=market, template=template)
    turned = open_numbers(other, answers=message.id)
    plain, on_yes = (turned, template) if yes_price else (template, turned)
    assert plain is not None, "the other scale changes no number of a frame"
    return Publication(channel=channel, market=market, template=plain, yes_template=on_yes)


def open_numbers(payload: bytes, *, answers: int = 0) -> Template | None:
    """The frame with its numbers left open and its id left out; None when it has no sid.

    answers: the id it has, 0 = none.
    """
    head = _HEAD.match(payload)
    if head is None or payload.count(b'"sid"') != 1 or payload.count(b'"seq"') != (head[5] is not None):
        return _scan(payload)
    if answers and head.end(1) == head.start(2):
        return _scan(payload)  # its id is elsewhere
    return Template(head[1] + head[2], head[4], payload[head.end() :])


def _unread(payload: bytes, told: str) -> Publication | None:
    """A frame that says nothing we can use, where it is at least a JSON object with a sid."""
    template = _scan(payload)
    if template is None:
        return None
    channel, market = _told_by(payload)
    channel = channel or told
    return Publication(channel=channel, market=market, template=template) if channel else None


class _Member(msgspec.Struct, frozen=True):
    """A member of a frame's outermost object, by places in its bytes; `before` is where its comma or space begins."""

    before: int
    key: int
    value: int
    end: int


def _scan(payload: bytes) -> Template | None:
    """`open_numbers` for a frame that is not written as the exchange writes its own."""
    members = _members(payload)
    if members is None:
        return None
    answered = members.get("id")
    if answered is not None:
        payload = _without(payload, answered)
        members = _members(payload) or {}
    sid, seq = members.get("sid"), members.get("seq")
    if sid is None or not _is_number(payload, sid):
        return None
    if seq is None or not _is_number(payload, seq):
        return Template(payload[: sid.value], None, payload[sid.end :])
    if sid.value < seq.value:
        return Template(payload[: sid.value], payload[sid.end : seq.value], payload[seq.end :])
    # a template has sid first: the two members change places
    before = payload[: seq.key] + payload[sid.key : sid.value]
    return Template(before, payload[seq.end : sid.key] + payload[seq.key : seq.value], payload[sid.end :])


def _members(payload: bytes) -> dict[str, _Member] | None:
    """The members of a JSON object by key, of repeated keys the last; None when it is no whole object."""
    text = payload.decode("latin-1")  # one character a byte, so that places are places in the bytes
    found: dict[str, _Member] = {}
    try:
        at = _token(text, 0, "{")
        before = at
        if text[_skip(text, at)] == "}":
            return found
        while True:
            key_at = _skip(text, at)
            key, at = _DECODER.raw_decode(text, key_at)
            value_at = _skip(text, _token(text, at, ":"))
            _, at = _DECODER.raw_decode(text, value_at)
            if not isinstance(key, str):
                return None
            found[key] = _Member(before, key_at, value_at, at)
            end = _skip(text, at)
            if text[end] == "}":
                return None if text[end + 1 :].strip() else found
            before = end
            at = _token(text, at, ",")
    except (ValueError, IndexError, RecursionError):
        return None


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _token(text: str, at: int, token: str) -> int:
    at = _skip(text, at)
    if text[at] != token:
        raise ValueError(f"no {token}")
    return at + 1


def _without(payload: bytes, member: _Member) -> bytes:
    """The frame without a member and one comma beside it."""
    rest = payload[member.end :]
    if payload[member.before : member.before + 1] == b",":
        return payload[: member.before] + rest
    stripped = rest.lstrip()
    return payload[: member.key] + (stripped[1:].lstrip() if stripped.startswith(b",") else rest)


def _is_number(payload: bytes, member: _Member) -> bool:
    return _NUMBER.fullmatch(payload, member.value, member.end) is not None


def _told_by(payload: bytes) -> tuple[str, str]:
    """(channel, market) of a frame that could not be read but is a JSON object, "" where it does not say."""
    body: dict[str, Any] = json.loads(payload.decode("latin-1"))
    msg = body.get("msg")
    market = msg.get("market_ticker") if isinstance(msg, dict) else None
    channel = _BY_NAME.get(str(body.get("type")), "")
    return channel, market if isinstance(market, str) and channel not in port.UNFILTERED else ""
