"""A client's commands, from text to values or to the error that answers them (protocol 4).

Knows what a command may hold. Must not know who is subscribed to what: that is judged when it is carried out.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from replay.exchange.sessions import Terms

ADD: Final = "add_markets"
DELETE: Final = "delete_markets"
SNAPSHOT: Final = "get_snapshot"
FEED_ADD: Final = ("subscribe_indices", "subscribe_underlyings")
FEED_DELETE: Final = ("unsubscribe_indices", "unsubscribe_underlyings")
FEED_LIST: Final = ("indexlist", "underlying_list")
ACTIONS: Final = (ADD, DELETE, SNAPSHOT, *FEED_ADD, *FEED_DELETE, *FEED_LIST)


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A command that cannot be carried out, with the code of its error; id 0 = the reply has none."""

    id: int
    code: int


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """Markets by ticker or by uuid; both empty = none was named. feeds: index ids or underlying tickers."""

    tickers: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    initial_snapshot: bool = False

    def __bool__(self) -> bool:
        return bool(self.tickers or self.ids)


class Subscribe(msgspec.Struct, frozen=True, gc=False):
    """Subscribe to channels, whatever their names: each is answered by itself."""

    id: int
    channels: tuple[str, ...]
    wanted: Wanted
    terms: Terms


class Unsubscribe(msgspec.Struct, frozen=True, gc=False):
    """End subscriptions; each is answered by itself."""

    id: int
    sids: tuple[int, ...]


class Update(msgspec.Struct, frozen=True, gc=False):
    """Change one subscription, or ask it something."""

    id: int
    sid: int
    action: str
    wanted: Wanted


class ListSubscriptions(msgspec.Struct, frozen=True, gc=False):
    """Name the session's subscriptions."""

    id: int


Command: TypeAlias = Subscribe | Unsubscribe | Update | ListSubscriptions

_decode: Final = msgspec.json.Decoder().decode


class _RefusedError(Exception):
    """Leaves the parsing of one command; never seen outside of it."""

    def __init__(self, code: int) -> None:
        self.code = code


def parse(text: str | bytes) -> Command | Refused:
    """What the client asked for; anything it can send gives a value."""
    try:
        body = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Refused(0, 1)
    if not isinstance(body, dict):
        return Refused(0, 1)
    number = body.get("id", 0)
    if not _is_count(number):
        return Refused(0, 11)
    try:
        return _parse(number, body)
    except _RefusedError as refused:
        return Refused(number, refused.code)


def _parse(number: int, body: Mapping[str, Any]) -> Command:
    name = body.get("cmd")
    if name == "list_subscriptions":
        return ListSubscriptions(number)
    if name not in ("subscribe", "unsubscribe", "update_subscription"):
        raise _RefusedError(5)
    params = body.get("params")
    if params is None:
        raise _RefusedError(2)
    if not isinstance(params, dict):
        raise _RefusedError(11)
    if name == "subscribe":
        return _subscribe(number, params)
    if name == "unsubscribe":
        return Unsubscribe(number, _sids(params.get("sids"), missing=4))
    return _update(number, params)


def _subscribe(number: int, params: Mapping[str, Any]) -> Subscribe:
    channels = params.get("channels")
    if channels is None or channels == []:
        raise _RefusedError(3)
    if not isinstance(channels, list) or not all(isinstance(channel, str) for channel in channels):
        raise _RefusedError(11)
    return Subscribe(number, tuple(dict.fromkeys(channels)), _wanted(params), _terms(params))


def _update(number: int, params: Mapping[str, Any]) -> Update:
    if ("sid" in params) == ("sids" in params):
        raise _RefusedError(12)
    sids = _sids([params["sid"]] if "sid" in params else params["sids"], missing=12)
    if len(sids) != 1:
        raise _RefusedError(12)
    action = params.get("action")
    if action is None or action == "":
        raise _RefusedError(15)
    if action not in ACTIONS:
        raise _RefusedError(13)
    wanted = _wanted(params)
    if action in (ADD, DELETE, SNAPSHOT) and not wanted:
        raise _RefusedError(14)
    if action in FEED_ADD + FEED_DELETE and not wanted.feeds:
        raise _RefusedError(24 if action.endswith("indices") else 28)
    return Update(number, sids[0], action, wanted)


def _sids(value: object, *, missing: int) -> tuple[int, ...]:
    if value is None or value == []:
        raise _RefusedError(missing)
    if not isinstance(value, list) or not all(map(_is_count, value)):
        raise _RefusedError(11)
    return tuple(value)


def _wanted(params: Mapping[str, Any]) -> Wanted:
    tickers = _one_or_many(params, "market_ticker", "market_tickers")
    ids = _one_or_many(params, "market_id", "market_ids")
    if tickers and ids:
        raise _RefusedError(11)
    feeds = _one_or_many(params, "", "index_ids") or _one_or_many(params, "", "underlying_tickers")
    return Wanted(tickers, ids, feeds, _flag(params, "send_initial_snapshot"))


def _one_or_many(params: Mapping[str, Any], one: str, many: str) -> tuple[str, ...]:
    if one in params and many in params:
        raise _RefusedError(11)
    if one in params:
        values = [params[one]]
    elif many in params:
        values = params[many]
    else:
        return ()
    if not isinstance(values, list) or not values or not all(isinstance(value, str) and value for value in values):
        raise _RefusedError(11)
    return tuple(dict.fromkeys(values))


def _terms(params: Mapping[str, Any]) -> Terms:
    factor, key = params.get("shard_factor"), params.get("shard_key")
    if params.get("user_filter", "") not in ("", "self"):
        raise _RefusedError(11)
    if factor is None and key is not None:
        raise _RefusedError(20)
    if factor is not None:
        _check_shard(factor, 0 if key is None else key)
    return Terms(
        use_yes_price=_flag(params, "use_yes_price"),
        skip_ticker_ack=_flag(params, "skip_ticker_ack"),
        shard_factor=factor or 0,
        shard_key=key or 0,
    )


def _check_shard(factor: object, key: object) -> None:
    if not _is_integer(factor) or not _is_integer(key):
        raise _RefusedError(11)
    assert isinstance(factor, int)
    assert isinstance(key, int)
    if factor <= 0:
        raise _RefusedError(19)
    if factor > 100:
        raise _RefusedError(22)
    if not 0 <= key < factor:
        raise _RefusedError(21)


def _flag(params: Mapping[str, Any], name: str) -> bool:
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise _RefusedError(11)
    return value


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63
