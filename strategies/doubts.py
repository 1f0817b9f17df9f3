"""Whether a market is to be quoted now, and by which prices: every reason to doubt, in one place.

Knows health, facts, the clock and the sources of prices. A book that was known before a doubt is not enough after it:
something must have come since, a change, a snapshot or REST that shows the same. Must not know orders or what would be
quoted.
"""

from dataclasses import dataclass, field
from typing import Final, Protocol

from core.context import Context
from core.fetched import Fetched
from core.money import DOLLAR
from core.times import SECOND_NS
from core.window import Window
from strategies.flanks import Flank, flanks
from strategies.regime import Cause, Detector, Regime

UNCONFIRMED: Final = "no fresh book"
STALE: Final = "stale"

NEAR: Final = "a pause is near"
PAUSED: Final = "the exchange is paused"
NOT_OPEN: Final = "it is not open"
_PAUSES: Final = (NEAR, PAUSED, NOT_OPEN)
"""After these a change of the book is not enough: it says nothing of what went on meanwhile."""

_LOST: Final = ("untrusted", "silent")
_THAW: Final = {cause: f"frozen: {cause.value}" for cause in (Cause.THAWING, Cause.UNTRUSTED, Cause.SILENT)}
"""A regime that is frozen because the socket was lost, not because of the market."""

_REST_HELPS: Final = (*_LOST, UNCONFIRMED, STALE, "switched off", *_THAW.values())
"""Flaws of the socket's book for which the one by REST may stand in; a crossed one is no flaw of the socket."""


class Terms(Protocol):
    """The parameters that decide; see MakerParams."""

    @property
    def close_s(self) -> int:
        """Seconds before the close."""

    @property
    def pause_s(self) -> int:
        """Seconds before a scheduled pause."""

    @property
    def stale_s(self) -> int:
        """Seconds for which a book may stand still without REST showing the same."""

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

    frozen: why it is not quoted now, "" = it is. told, told_ns: what was said of that last, and when. heard_ns: of its
    connection, see Context. flaw: of the
    socket's book when it was looked at last. lost_ns: when it was last lost. connection, whole_ns: whose snapshot the
    book is made from, and since when; confirmed_ns: when REST last showed the same. is_paused, resumed_ns: whether it
    was paused when looked at last, and when that ended. source: of the prices in use, ws or rest.
    quoted_ns: when it was quoted last; is_due: a timer will quote it anew. flanks: see there.
    """

    market: str
    detector: Detector
    frozen: str = "new"
    told: str = "new"
    told_ns: int = 0
    heard_ns: int = 0
    flaw: str = ""
    lost_ns: int = 0
    connection: int | None = None
    whole_ns: int = 0
    confirmed_ns: int = 0
    is_paused: bool = False
    resumed_ns: int = 0
    source: str = ""
    quoted_ns: int = 0
    is_due: bool = False
    flanks: dict[str, Flank] = field(default_factory=flanks)


def why_not(ctx: Context, seat: Quoted, params: Terms) -> str:
    """Why the market is not to be quoted now, "" = it is; notes in the seat what it looked at and which prices to use.

    The exchange first, then the market, then its book.
    """
    now_ns = ctx.now_ns
    _watch(ctx, seat)
    why = _exchange(ctx, params) or _market(ctx, seat.market, params)
    if why in _PAUSES:
        seat.is_paused = True
    elif not why and seat.is_paused:
        seat.is_paused, seat.resumed_ns = False, now_ns
    return why or _prices(ctx, seat, params)


def confirm(ctx: Context, seat: Quoted, fetched: Fetched) -> None:
    """REST has shown the market's book: whether it shows what the socket does, asked for after the last doubt."""
    window = ctx.market(seat.market)
    is_later = fetched.asked_ns >= max(seat.lost_ns, seat.resumed_ns)
    if is_later and not ctx.flaw(seat.market) and _agree(window):
        seat.confirmed_ns = ctx.now_ns


def wants_rest(ctx: Context, seat: Quoted, params: Terms) -> bool:
    """Whether the book by REST is to be asked for: to quote by it, or to have the socket's confirmed."""
    if not params.use_websocket:
        return True
    flaw = _flaw(ctx, seat, params)
    if flaw:
        return flaw in (UNCONFIRMED, STALE) or (params.rest_quotes and flaw in _REST_HELPS)
    return ctx.now_ns - _known_ns(ctx, seat) > params.stale_s * SECOND_NS // 2


def _exchange(ctx: Context, params: Terms) -> str:
    health = ctx.health
    by_rest = params.rest_quotes or not params.use_websocket
    if health.why and not (health.why == "not connected" and by_rest):
        return health.why
    if not health.is_trading:
        return PAUSED
    is_near = health.pause_ns and ctx.now_ns >= health.pause_ns - params.pause_s * SECOND_NS
    return NEAR if is_near else ""


def _market(ctx: Context, market: str, params: Terms) -> str:
    facts, now_ns = ctx.reference, ctx.now_ns
    if facts.market(market) is None or not facts.ranges(market):
        return "its facts are not known"
    if not facts.is_open(market, now_ns):
        return NOT_OPEN
    close_ns = facts.close_ns(market)
    if close_ns and now_ns >= close_ns - params.close_s * SECOND_NS:
        return "its close is near"
    return "the position is disputed" if ctx.account.is_disputed(market) else ""


def _prices(ctx: Context, seat: Quoted, params: Terms) -> str:
    """Why there is no price to go by; chooses the source of prices."""
    now_ns = ctx.now_ns
    flaw = _flaw(ctx, seat, params) if params.use_websocket else "switched off"
    reading = seat.detector.at(now_ns)
    if not flaw and reading.regime is Regime.FROZEN:
        flaw = f"frozen: {reading.cause.value}"
    if not flaw:
        seat.source = "ws"
        return ""
    if flaw not in _REST_HELPS or (params.use_websocket and not params.rest_quotes):
        return flaw
    rest = ctx.market(seat.market).rest
    oldest_ns = max(now_ns - 3 * params.rest_every_s * SECOND_NS, seat.resumed_ns)
    if rest is None or rest.now_ns < oldest_ns:
        return f"{flaw}, and no book by REST"
    seat.source = "rest"
    return ""


def _watch(ctx: Context, seat: Quoted) -> None:
    """Note when the socket's book was lost, and when there was a new snapshot."""
    flaw, connection = ctx.flaw(seat.market), ctx.market(seat.market).connection
    if flaw != seat.flaw and flaw in _LOST:
        seat.lost_ns = ctx.now_ns
    seat.flaw = flaw
    if flaw == "untrusted":
        seat.connection = None
    elif connection != seat.connection:
        seat.connection, seat.whole_ns = connection, ctx.now_ns


def _flaw(ctx: Context, seat: Quoted, params: Terms) -> str:
    """What is wrong with the socket's book."""
    flaw = ctx.flaw(seat.market)
    if flaw:
        return flaw
    known_ns = _known_ns(ctx, seat)
    if known_ns < seat.lost_ns or max(seat.whole_ns, seat.confirmed_ns) < seat.resumed_ns:
        return UNCONFIRMED
    return STALE if ctx.now_ns - known_ns > params.stale_s * SECOND_NS else ""


def _known_ns(ctx: Context, seat: Quoted) -> int:
    """When the socket's book was last known to be as it is."""
    return max(ctx.market(seat.market).book_ns, seat.confirmed_ns)


def _agree(window: Window) -> bool:
    """Whether both books show the same best prices. Sizes are not compared: REST's may be a moment old."""
    rest = window.rest
    if rest is None:
        return False
    bid = rest.yes[-1][0] if rest.yes else None
    ask = DOLLAR - rest.no[-1][0] if rest.no else None
    return (bid, ask) == (window.bid, window.ask)
