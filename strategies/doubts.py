"""Whether a market is to be quoted now, and by which prices: every reason to doubt, in one place.

Knows health, facts, the clock and the sources of prices. Must not know orders or what would be quoted.
"""

from dataclasses import dataclass, field
from typing import Protocol

from core.actions import BookSide
from core.context import Context
from core.times import SECOND_NS
from strategies.regime import Detector, Regime


class Terms(Protocol):
    """The parameters that decide; see MakerParams."""

    @property
    def max_loss(self) -> int:
        """Money lost today at which quoting ends."""

    @property
    def close_s(self) -> int:
        """Seconds before the close."""

    @property
    def pause_s(self) -> int:
        """Seconds before a scheduled pause."""

    @property
    def use_websocket(self) -> bool:
        """Whether prices come from the socket."""

    @property
    def rest_quotes(self) -> bool:
        """Whether REST stands in for a socket's book that cannot be used."""

    @property
    def rest_every_s(self) -> int:
        """Seconds between two looks by REST."""


@dataclass(slots=True)
class Quoted:
    """One market that is quoted, and what is remembered of it.

    frozen: why it is not quoted now, "" = it is. fresh_ns: a book that has not changed since is not used. quoted_ns:
    when it was quoted last; is_due: a timer will quote it anew. not_before_ns: when a side is tried again. asked_ns:
    when each path was asked for last. source: of the prices in use, ws or rest.
    """

    market: str
    detector: Detector
    frozen: str = "new"
    fresh_ns: int = 0
    quoted_ns: int = 0
    is_due: bool = False
    not_before_ns: dict[BookSide, int] = field(default_factory=dict)
    asked_ns: dict[str, int] = field(default_factory=dict)
    source: str = ""


def why_not(ctx: Context, seat: Quoted, params: Terms) -> str:
    """Why the market is not to be quoted now, "" = it is; notes the source of prices in the seat."""
    now_ns, facts, market = ctx.now_ns, ctx.reference, seat.market
    health = ctx.health
    if health.why and not (health.why == "not connected" and (params.rest_quotes or not params.use_websocket)):
        return health.why
    if health.pause_ns and now_ns >= health.pause_ns - params.pause_s * SECOND_NS:
        return "a pause is near"
    known = facts.market(market)
    if known is None or not facts.ranges(market):
        return "its facts are not known"
    if not facts.is_open(market, now_ns):
        return "it is not open"
    close_ns = facts.close_ns(market)
    if close_ns and now_ns >= close_ns - params.close_s * SECOND_NS:
        return "its close is near"
    if ctx.account.day_pnl <= -params.max_loss:
        return "lost enough today"
    if ctx.account.is_disputed(market):
        return "the position is disputed"
    return _unfit(ctx, seat, params)


def _unfit(ctx: Context, seat: Quoted, params: Terms) -> str:
    """Why there is no price to go by; chooses the source of prices."""
    now_ns, window = ctx.now_ns, ctx.market(seat.market)
    flaw = ctx.flaw(seat.market) if params.use_websocket else "switched off"
    if not flaw and window.book_ns <= seat.fresh_ns:
        flaw = "no fresh book"
    if not flaw:
        seat.source = "ws"
        reading = seat.detector.at(now_ns)
        return f"frozen: {reading.cause.value}" if reading.regime is Regime.FROZEN else ""
    if params.use_websocket and not params.rest_quotes:
        return flaw
    rest = window.rest
    if rest is None or now_ns - rest.now_ns > 3 * params.rest_every_s * SECOND_NS:
        return f"{flaw}, and no book by REST"
    seat.source = "rest"
    return ""


def needs_fresh(why: str) -> bool:
    """Whether what was known before is of no use after this."""
    return why in ("not connected", "the exchange is paused", "a pause is near", "silent", "untrusted")
