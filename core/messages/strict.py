"""JSON as strict as we need it: UTF-8, no NaN, no byte order mark, nothing after the value, no deep nesting.

Of repeated keys the last wins. Knows nothing of the exchange.
"""

import re
from itertools import accumulate
from typing import Any, Final

import msgspec

MAX_DEPTH: Final = 64
"""Objects and lists within each other; real frames have 5."""


class NotStrict(Exception):  # noqa: N818  # an answer about somebody else's bytes, which the caller turns into a value
    """The bytes are not such JSON; `reason` is short and countable."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Fraction(msgspec.Struct, frozen=True, gc=False):
    """A JSON number with a point or an exponent, as written: no price, size or count is ever one."""

    text: str


_DECODER: Final = msgspec.json.Decoder(float_hook=Fraction)
_TEXT: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)  # a text, or all from an unclosed one
_NOT_NESTING: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEP: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def parse_json(payload: bytes) -> Any:
    """The value, with Fraction for numbers that are not whole; NotStrict when there is none."""
    # The decoder's own limit depends on how deep the caller's stack is, so the same bytes could pass here and fail
    # there; this limit does not.
    if _depth(payload) > MAX_DEPTH:
        raise NotStrict("too-deep")
    try:
        return _DECODER.decode(payload)
    except UnicodeDecodeError:
        raise NotStrict("not-utf-8") from None
    except msgspec.ValidationError:  # an integer of thousands of digits
        raise NotStrict("number-too-long") from None
    except ValueError:
        raise NotStrict("not-json") from None


def _depth(payload: bytes) -> int:
    """How deep objects and lists lie within each other; of a payload with few of them an upper bound."""
    openings = payload.count(b"[") + payload.count(b"{")
    if openings <= MAX_DEPTH:
        return openings
    brackets = _TEXT.sub(b"", payload).translate(None, _NOT_NESTING)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)
