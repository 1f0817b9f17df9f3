"""Is what we know fit to act upon? Pure functions of a view and the tape's own time.

Must not know the exchange's clock: it runs ahead of ours and behind it for minutes at a time, so an age is never
exchange time minus local time.
"""

from enum import StrEnum

import msgspec

from core.views import ConnectionView, MarketView


class Flag(StrEnum):
    """One reason not to act upon a market."""

    UNTRUSTED = "untrusted"  # something of the book is missing, or there has been no snapshot
    STALE = "stale"  # nothing about the market for too long
    SILENT = "silent"  # nothing at all on the connection that feeds the book for too long, or it is gone
    CROSSED = "crossed"  # a best bid at or over the best ask


class Limits(msgspec.Struct, frozen=True):
    """How old is too old (ns)."""

    market_ns: int
    connection_ns: int


def is_stale(view: MarketView, now_ns: int, limit_ns: int) -> bool:
    """True when nothing about the market was accepted within the limit, or ever."""
    return view.heard_ns == 0 or now_ns - view.heard_ns > limit_ns


def is_silent(connection: ConnectionView, now_ns: int, limit_ns: int) -> bool:
    """True when the connection is gone, or brought nothing, not even a ping, within the limit."""
    return not connection.is_open or now_ns - connection.heard_ns > limit_ns


def flags(view: MarketView, connections: tuple[ConnectionView, ...], now_ns: int, limits: Limits) -> tuple[Flag, ...]:
    """All reasons not to act upon a market now, in the order of Flag; none = healthy."""
    found = []
    if not view.trusted:
        found.append(Flag.UNTRUSTED)
    if is_stale(view, now_ns, limits.market_ns):
        found.append(Flag.STALE)
    if view.owner is not None:
        feeds = [c for c in connections if c.number == view.owner[0]]
        if not feeds or is_silent(feeds[0], now_ns, limits.connection_ns):
            found.append(Flag.SILENT)
    if view.is_crossed:
        found.append(Flag.CROSSED)
    return tuple(found)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What concerns all markets at once. why: the first reason not to trade now, "" = there is none.

    is_connected: a connection is up and not silent. is_trading: the exchange takes orders, as far as it said. pause_ns:
    when its next scheduled pause begins (Unix ns), 0 = none known. halted: which limit of the run was reached.
    is_started: account and tape agree, and nobody has told the run to hold.
    """

    is_connected: bool = False
    is_trading: bool = True
    pause_ns: int = 0
    halted: str = ""
    is_started: bool = False

    @property
    def why(self) -> str:
        """See the class."""
        if not self.is_started:
            return "not started"
        if self.halted:
            return self.halted
        if not self.is_connected:
            return "not connected"
        return "" if self.is_trading else "the exchange is paused"
