"""No-side prices in the text of a book frame, turned to the other scale (use_yes_price, protocol 9.4).

Knows how each era writes a price and changes nothing but those digits: as many decimals as before, every other byte
as it was. Must not know which scale anybody asked for.
"""

import re
from typing import Final

from core.messages.types import BookDelta, BookSnapshot, Message, Side

CENTS: Final = 100

_DELTA_PRICE: Final = re.compile(rb'("price(?:_dollars)?"\s*:\s*)(?:"([01])\.([0-9]+)"|([0-9]+))')
_NO_LEVELS: Final = re.compile(rb'"no(?:_dollars(?:_fp)?)?"\s*:\s*\[\s*\[.*?\]\s*\]', re.DOTALL)
_LEVEL_PRICE: Final = re.compile(rb'(\[\s*)(?:"([01])\.([0-9]+)"|([0-9]+)(?=\s*,))')


def mirrored(payload: bytes, message: Message) -> bytes | None:
    """A book frame with its no-side prices on the other scale; None when it is no book frame or has none.

    A price that cannot be read stays as it is. Done twice, it gives the frame back. The order of levels stays.
    """
    if type(message) is BookDelta:
        if message.side is not Side.NO:
            return None
        return _DELTA_PRICE.sub(_complement, payload)
    if type(message) is BookSnapshot and message.no:
        return _NO_LEVELS.sub(lambda levels: _LEVEL_PRICE.sub(_complement, levels[0]), payload)
    return None


def _complement(price: re.Match[bytes]) -> bytes:
    lead, whole, fraction, cents = price.groups()
    one = CENTS if fraction is None else int(10 ** len(fraction))
    value = int(cents) if fraction is None else int(whole + fraction)
    if value > one:
        return price[0]
    if fraction is None:
        return b"%b%d" % (lead, one - value)
    units, rest = divmod(one - value, one)
    return b'%b"%d.%0*d"' % (lead, units, len(fraction), rest)
