"""How far the exchange's clock is from ours, by the Date headers of its answers.

Knows that such a header names whole seconds and that a cache repeats an old one.
"""

from email.utils import parsedate_to_datetime
from typing import Final

_NS: Final = 10**9
_HALF_NS: Final = _NS // 2  # the header cuts the fraction off: on average half a second


class ClockOffset:
    """The latest measurement. offset_ns: the exchange's clock minus ours, None = none yet; exact to half a second."""

    def __init__(self) -> None:
        self.offset_ns: int | None = None

    def observe(self, date: str, age_s: int, sent_ns: int, received_ns: int) -> None:
        """Take an answer's Date header, by our wall clock (Unix ns) at sending and receiving; a cached one is none."""
        if not date or age_s:
            return
        try:
            told_ns = int(parsedate_to_datetime(date).timestamp()) * _NS
        except (ValueError, TypeError, OverflowError):
            return
        self.offset_ns = told_ns + _HALF_NS - (sent_ns + received_ns) // 2
