"""Parsers of the answers to our commands (protocol 5).

Each takes the fields of `msg` and the head around it and gives the message; it raises Refused when that cannot be.
"""

from typing import Any

from core.messages.fields import INT64_MAX, MAX_SID, Fields, Head, Refused
from core.messages.types import ErrorReply, Ok, Subscribed, SubscriptionList, Unsubscribed


def subscribed(msg: Fields, head: Head) -> Subscribed:
    """`subscribed`: the sid is inside `msg`, the frame around it has none."""
    own = Head(sid=_sid(msg), seq=head["seq"], id=head["id"], sending_ms=head["sending_ms"])
    return Subscribed(**own, channel=msg.name("channel"))


def _sid(msg: Fields) -> int:
    sid = msg.integer("sid", least=1, most=MAX_SID)
    if sid is None:
        raise Refused("sid: missing")
    return sid


def ok(msg: Fields, head: Head) -> Ok:
    """`ok` to an update; which markets it names is None after skip_ticker_ack and on reference feeds."""
    msg.ignore(("market_ids", "index_ids", "underlying_tickers"))
    return Ok(**head, markets=msg.texts("market_tickers"))


def subscription_list(entries: list[Any], head: Head) -> SubscriptionList:
    """`ok` to list_subscriptions: `msg` is a list."""
    pairs: list[tuple[str, int]] = []
    unknown: list[str] = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise Refused("msg: not a list of subscriptions")
        fields = Fields(entry)
        pairs.append((fields.name("channel"), _sid(fields)))
        unknown += fields.unknown("msg.")
    return SubscriptionList(**head, subscriptions=tuple(pairs), unknown_fields=tuple(unknown))


def unsubscribed(msg: Fields, head: Head) -> Unsubscribed:
    """`unsubscribed`: has no `msg`; the oldest had no seq either."""
    msg.ignore(("sid",))
    if not head["sid"]:
        raise Refused("sid: missing")
    return Unsubscribed(**head)


def error(msg: Fields, head: Head) -> ErrorReply:
    """`error`: to a command when it has an id, about a subscription when it has a sid."""
    msg.ignore(("service",))  # until August 2026
    code = msg.integer("code", least=-INT64_MAX)
    if code is None:
        raise Refused("code: missing")
    one, several = msg.text("market_ticker"), msg.texts("market_tickers")
    return ErrorReply(**head, code=code, text=msg.text("msg"), markets=several or ((one,) if one else ()))
