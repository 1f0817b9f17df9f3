"""How numbers, times and names are written in frames and bodies of today.

Knows texts. Must not know any particular frame.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec

from core.fees import ONE
from core.messages.types import PriceRange
from core.money import format_price
from replay.exchange.port import Template

COMBOS: Final = "KXMVE"
"""What the tickers of combos begin with."""

_MS: Final = 1_000_000
_S: Final = 1_000_000_000
_encode = msgspec.json.Encoder().encode

Msg: TypeAlias = dict[str, Any]


def rfc3339(at_ns: int) -> str:
    """An instant as the exchange writes it: UTC, milliseconds."""
    return f"{_second(at_ns // _S)}.{at_ns // _MS % 1000:03d}Z"


@lru_cache(4096)
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(1024)
def user_id(account: str) -> str:
    """The uuid that frames and bodies call an account by."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, account))


def ranges(bands: tuple[PriceRange, ...]) -> list[dict[str, str]]:
    """A market's price ranges, as frames and bodies write them."""
    return [{name: format_price(getattr(band, name)) for name in ("start", "end", "step")} for band in bands]


def multiplier(parts: int) -> msgspec.Raw:
    """A fee multiplier as the JSON number it is written as: 10,000 parts are 1, 5,000 are 0.5."""
    whole, rest = divmod(parts, ONE)
    return msgspec.Raw((f"{whole}.{rest:04d}".rstrip("0") if rest else str(whole)).encode())


def template_of(kind: str, msg: Mapping[str, Any], at_ns: int, *, numbered: bool = True) -> Template:
    """A frame of today's dialect with its numbers left open; at_ns: when the exchange queues it."""
    after = b',"msg":%b,"sending_ts_ms":%d}\n' % (_encode(msg), at_ns // _MS)
    return Template(b'{"type":"%b","sid":' % kind.encode(), b',"seq":' if numbered else None, after)
