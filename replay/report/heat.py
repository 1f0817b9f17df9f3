"""A book over time as a picture: instants from left to right, prices from the bottom up, sizes as shades.

Knows books and pixels. Must not know colours: the page chooses them.
"""

import base64
import math
from collections.abc import Sequence
from itertools import chain
from typing import Final

import numpy as np

from core.money import DOLLAR
from replay.report.axis import MS_NS
from replay.report.parts import Heat
from replay.report.png import grey_png
from replay.report.sights import Book

SHADES: Final = 127
"""Of a side; offers follow bids, and UNKNOWN stands beyond both."""

UNKNOWN: Final = 255

CENT: Final = 100
FINE: Final = 10
FINE_RANGE: Final = 10 * CENT
"""A range of best prices up to which rows are a tenth of a cent: more rows than pixels show nothing."""

MARGIN: Final = 12
"""Rows kept above and below the best prices."""


def heat_of(books: Sequence[Book]) -> Heat | None:
    """The picture of these books, None when there is nothing in any of them. Untrusted books are UNKNOWN throughout:
    what is not known is not drawn as empty."""
    best = [level[0] for book in books for side in (book.bids, book.offers) for level in side[:1]]
    most = max((size for book in books for _, size in chain(book.bids, book.offers)), default=0)
    if not best or most <= 0:
        return None
    step = FINE if max(best) - min(best) <= FINE_RANGE and any(price % CENT for price in best) else CENT
    low = max(min(best) - MARGIN * step, 0) // step * step
    rows = (min(max(best) + MARGIN * step, DOLLAR) - low) // step + 1
    pixels = np.zeros((rows, len(books)), np.uint8)
    for column, book in enumerate(books):
        if not book.is_trusted:
            pixels[:, column] = UNKNOWN
            continue
        for side, first in ((book.bids, 0), (book.offers, SHADES)):
            for price, size in side:
                row = (price - low) // step
                if 0 <= row < rows and size > 0:
                    pixels[row, column] = max(first + _shade(size, most), int(pixels[row, column]))
    picture = base64.b64encode(grey_png(pixels[::-1])).decode("ascii")
    return Heat(
        png=f"data:image/png;base64,{picture}",
        t=books[0].now_ns // MS_NS,
        until=books[-1].now_ns // MS_NS,
        low=low,
        step=step,
        rows=int(rows),
        columns=len(books),
        most=most,
    )


def _shade(size: int, most: int) -> int:
    """1 to SHADES, by the logarithm: sizes in a book differ by a factor of thousands."""
    return 1 + int((SHADES - 1) * math.log1p(size) / math.log1p(most))
