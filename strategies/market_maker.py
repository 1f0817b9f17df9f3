"""The Market Maker: rests a bid and an offer around the fair price of a few markets, and pulls them when in doubt.

Knows what it wants in each market and compares it with what rests: an order is only touched when its price or size has
to change, or its life to be prolonged. Prices, positions, fills and orders come from the socket; from REST where the
socket is switched off or, if that is allowed, where its book cannot be used. Must not know how orders are carried out.
"""

from typing import Annotated, Final

import msgspec

from core.actions import BookSide, RiskLimits
from core.context import Context
from core.fetched import Fetched
from core.gaps import Gap
from core.health import Health
from core.messages.types import Fill, Side, Trade
from core.orders import OrderState, OwnOrder
from core.strategy import Params, Strategy
from core.times import SECOND_NS
from core.trading import DAY_NS
from core.window import Window
from strategies.doubts import Quoted, confirm, wants_rest, why_not
from strategies.flanks import ANSWER_NS, REFUSED_NS, Do, is_answered, is_new, meets_own, needs, others
from strategies.quoting import NONE, Quote, Shape, quotes, unquotable
from strategies.regime import FIFTEEN_MINUTES, SLOW, Detector, Regime

BEAT: Final = "beat"
BEAT_NS: Final = SECOND_NS

ASK_AGAIN_NS: Final = 30 * SECOND_NS
"""Facts of a market that did not come are asked for again after this."""

SAY_NS: Final = 10 * SECOND_NS
SAY_PULLED_NS: Final = 2 * SECOND_NS
"""A market is spoken of again after this at the earliest, of another reason for pulling sooner."""

LOOK_BACK_S: Final = 120
"""Fills are asked for from so long before the connection was lost."""

_SIDES: Final = (BookSide.BID, BookSide.ASK)

Count = Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]
Price = Annotated[int, msgspec.Meta(ge=0, le=5_000)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]


class MakerParams(Params, frozen=True):
    """What to quote. Prices in 1/10,000 dollar, sizes in 1/100 contract, money in 1/1,000,000 dollar.

    markets: () = those another strategy of the run selects. max_markets: at once. size: of a quote; max_position:
    either way in a market; the run's own limits hold where they are less. half_spread: from the fair price, at least;
    edge: over the maker fee, at least; skew: how far a full position moves the fair price. volatile_pct: the half
    spread in a volatile or trending market, in percent of the normal one. max_spread: of others, beyond it nothing is
    quoted. tolerance: an order so much further from the fair price than wanted stays, nearer to it never.
    pace_ms: a market is quoted anew at most so often. writes_per_s: orders placed and changed in all markets
    together. max_loss: lost today at which it stops for the day.
    close_s, pause_s: it stops so long before the close, and before a scheduled pause. stale_s: a book that stands still
    for so long, and that REST did not confirm, is not used. slow: for markets that live for weeks (see
    strategies.regime). use_websocket False: prices by REST alone. rest_quotes: also quote by REST where the socket's
    book cannot be used, twice as wide. rest_every_s: between two looks by REST.
    """

    markets: tuple[str, ...] = ()
    max_markets: Annotated[int, msgspec.Meta(ge=1, le=500)] = 3
    size: Count = 500
    max_position: Count = 2_000
    half_spread: Price = 150
    edge: Price = 20
    skew: Price = 200
    volatile_pct: Annotated[int, msgspec.Meta(ge=100, le=1_000)] = 200
    max_spread: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1_000
    tolerance: Price = 100
    pace_ms: Annotated[int, msgspec.Meta(ge=10, le=60_000)] = 500
    writes_per_s: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 5
    max_loss: Annotated[int, msgspec.Meta(ge=1)] = 5_000_000
    close_s: Seconds = 60
    pause_s: Seconds = 300
    stale_s: Seconds = 60
    slow: bool = False
    use_websocket: bool = True
    rest_quotes: bool = False
    rest_every_s: Seconds = 2


class MarketMaker(Strategy):
    """See the module."""

    Params = MakerParams

    def __init__(self, params: MakerParams) -> None:
        super().__init__(params)
        self.params: MakerParams = params
        self._seats: dict[str, Quoted] = {}
        self._asked_ns: dict[str, int] = {}  # when each path was asked for last
        self._lost_day = -1
        self._booked_ns = 0  # until when the writes so far fill what writes_per_s allows
        self._away_ns = 0  # since when no connection tells of the account
        self._asked_account_ns = 0

    def markets(self) -> tuple[str, ...] | None:
        """Those it quotes."""
        return tuple(self._seats)

    def reasons(self) -> dict[str, str]:
        """Why each market is not quoted now, "" = it is."""
        return {market: seat.frozen for market, seat in self._seats.items()}

    def regime(self, market: str, now_ns: int) -> Regime:
        """The regime of a market that it quotes; FROZEN of any other."""
        seat = self._seats.get(market)
        return Regime.FROZEN if seat is None else seat.detector.at(now_ns).regime

    def on_start(self, ctx: Context) -> None:
        """Quote what is to be quoted; the first beat cancels what rests elsewhere."""
        self._choose(ctx, self.params.markets or ctx.selected)
        ctx.wake(BEAT, BEAT_NS)

    def on_selected(self, ctx: Context, markets: tuple[str, ...]) -> None:
        """Another strategy has chosen: quote those, leave the others."""
        if not self.params.markets and ctx.health.is_started:
            self._choose(ctx, markets)

    def on_book(self, ctx: Context, market: Window) -> None:
        """Prices have moved."""
        seat = self._seats.get(market.market)
        if seat is None:
            return
        if self.params.use_websocket:
            seat.detector.on_prices(ctx.now_ns, market.bid, market.ask)
        if not seat.is_due or self._why(ctx, seat) != seat.frozen:  # else a timer quotes it as soon as the pace allows
            self._quote(ctx, seat)

    def on_trade(self, ctx: Context, market: Window, trade: Trade) -> None:
        """For the regime."""
        if (seat := self._seats.get(market.market)) is not None:
            seat.detector.on_trade(ctx.now_ns, trade.count if trade.taker is Side.YES else -trade.count)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        """The position is another one."""
        self._quote(ctx, self._seats.get(fill.market))

    def on_order(self, ctx: Context, order: OwnOrder) -> None:
        """An answer, a fill or an end: see whether what rests is what is wanted."""
        seat = self._seats.get(order.market)
        if seat is None:
            return
        if seat.flanks[order.side].hear(order, ctx.now_ns):
            ctx.cancel(order)  # it rests at a price that is no longer wanted
        self._quote(ctx, seat)

    def on_position(self, ctx: Context, market: str) -> None:
        """The exchange told of a position, which may settle or begin a dispute."""
        self._quote(ctx, self._seats.get(market))

    def on_lifecycle(self, ctx: Context, market: Window) -> None:
        """A market may have opened, paused or closed."""
        self._quote(ctx, self._seats.get(market.market))

    def on_health(self, ctx: Context, _health: Health) -> None:
        """The connection, the exchange or the run's limits."""
        for seat in list(self._seats.values()):
            self._quote(ctx, seat)
            self._learn(ctx, seat)

    def on_gap(self, ctx: Context, gap: Gap) -> None:
        """Something may be missing."""
        for seat in list(self._seats.values()):
            if not gap.markets or seat.market in gap.markets:
                self._quote(ctx, seat)

    def on_rest(self, ctx: Context, fetched: Fetched) -> None:
        """Facts, or the book."""
        seat = self._seats.get(fetched.market)
        if seat is None:
            return
        if fetched.path.endswith("/orderbook"):
            confirm(ctx, seat, fetched)
        self._quote(ctx, seat)

    def on_timer(self, ctx: Context, name: str) -> None:
        """The beat, or a market whose pace lets it be quoted anew."""
        if name != BEAT:
            if (seat := self._seats.get(name)) is not None and seat.is_due:
                seat.is_due = False
                self._quote(ctx, seat)
            return
        ctx.wake(BEAT, BEAT_NS)
        for seat in list(self._seats.values()):
            if self.params.use_websocket:
                _listen(ctx, seat)
            self._quote(ctx, seat)
            self._learn(ctx, seat)
            self._tell(ctx, seat)
        self._pull_strays(ctx)
        self._ask_account(ctx)

    def _choose(self, ctx: Context, markets: tuple[str, ...]) -> None:
        """Quote these from now on, and leave the others."""
        most = min(self.params.max_markets, ctx.limits.markets)
        chosen = list(dict.fromkeys(markets))[:most]
        for market in [market for market in self._seats if market not in chosen]:
            del self._seats[market]
            _pull(ctx, market)
            for path in [path for path in self._asked_ns if market in path]:
                del self._asked_ns[path]
        come = [market for market in chosen if market not in self._seats]
        for market in come:
            self._seats[market] = Quoted(market, Detector(SLOW if self.params.slow else FIFTEEN_MINUTES))
        if come and self.params.markets and self.params.use_websocket:
            ctx.subscribe(*come)
        for market in come:
            self._learn(ctx, self._seats[market])

    def _learn(self, ctx: Context, seat: Quoted) -> None:
        """Ask for what has to be known before a market is quoted, and for its book where REST has to tell of it."""
        facts = ctx.reference
        if facts.market(seat.market) is None:
            self._ask(ctx, f"/markets/{seat.market}", ASK_AGAIN_NS)
            return
        if not facts.knows_fees(seat.market):
            self._ask(ctx, f"/series/{facts.series_of(seat.market)}", ASK_AGAIN_NS)
        if wants_rest(ctx, seat, self.params):
            self._ask(ctx, f"/markets/{seat.market}/orderbook", self.params.rest_every_s * SECOND_NS)

    def _ask(self, ctx: Context, path: str, every_ns: int) -> None:
        if ctx.now_ns - self._asked_ns.get(path, -every_ns) >= every_ns:
            self._asked_ns[path] = ctx.now_ns
            ctx.fetch(path)

    def _ask_account(self, ctx: Context) -> None:
        """Without a connection fills and orders come by REST, where that is quoted by."""
        if ctx.health.is_connected:
            self._away_ns = 0
        elif self.params.rest_quotes or not self.params.use_websocket:
            now_ns = ctx.now_ns
            self._away_ns = self._away_ns or now_ns
            if now_ns - self._asked_account_ns >= self.params.rest_every_s * SECOND_NS:
                self._asked_account_ns = now_ns
                ctx.fetch("/portfolio/fills", min_ts=self._away_ns // SECOND_NS - LOOK_BACK_S, limit=1_000)
                ctx.fetch("/portfolio/orders", status="resting", limit=1_000)

    def _why(self, ctx: Context, seat: Quoted) -> str:
        """Why a market is not to be quoted, its prices left aside; what was lost counts for the rest of the day."""
        day = ctx.now_ns // DAY_NS
        if ctx.account.day_pnl <= -self.params.max_loss:
            self._lost_day = day
        why = why_not(ctx, seat, self.params)
        return why or ("lost enough today" if self._lost_day == day else "")

    def _quote(self, ctx: Context, seat: Quoted | None) -> None:
        """Have in the market what is to be there, if it is one that is quoted."""
        if seat is None:
            return
        why = self._why(ctx, seat)
        if why:
            self._freeze(ctx, seat, why)
            return
        now_ns, market = ctx.now_ns, seat.market
        orders = ctx.account.orders(market)
        window = ctx.market(market)
        if not is_answered(orders, now_ns) or (seat.source == "rest" and not is_new(window, seat.quoted_ns)):
            return  # the answer comes here again, or the next book
        wait_ns = max(seat.quoted_ns + self.params.pace_ms * 1_000_000, self._booked_ns - SECOND_NS) - now_ns
        if wait_ns > 0:
            if not seat.is_due:
                seat.is_due = True
                ctx.wake(market, wait_ns)
            return
        seat.quoted_ns, seat.is_due = now_ns, False
        top = others(window, seat.source, orders)
        why = unquotable(top, self.params.max_spread)
        if why:
            self._freeze(ctx, seat, why)
            return
        seat.frozen = ""
        facts, shape = ctx.reference, _shape(self.params, ctx.limits, seat.source, seat.detector.at(now_ns).regime)
        wanted = quotes(
            top, shape, ctx.account.position(market),
            terms=facts.fees(market, now_ns), ranges=facts.ranges(market), now_ns=now_ns,
        )  # fmt: skip
        for side, quote in zip(_SIDES, wanted, strict=True):
            self._have(ctx, seat, side, quote)

    def _freeze(self, ctx: Context, seat: Quoted, why: str) -> None:
        """Pull what rests, and say why if it was quoted."""
        was_quoted = not seat.frozen
        seat.frozen, seat.is_due = why, False
        _pull(ctx, seat.market)
        if was_quoted:
            self._tell(ctx, seat)

    def _tell(self, ctx: Context, seat: Quoted) -> None:
        """Say why quotes were pulled or that they are back, not more often than anybody can read."""
        least_ns = SAY_PULLED_NS if seat.frozen else SAY_NS
        if seat.frozen in (seat.told, "new") or ctx.now_ns - seat.told_ns < least_ns:
            return
        seat.told, seat.told_ns = seat.frozen, ctx.now_ns
        ctx.say(f"quotes pulled: {seat.frozen}" if seat.frozen else "quoting", seat.market)

    def _have(self, ctx: Context, seat: Quoted, side: BookSide, quote: Quote) -> None:
        """Have this quote rest on a side: leave, renew, amend, place or cancel."""
        everything = ctx.account.orders(seat.market)
        orders = [order for order in everything if order.side is side]
        for extra in orders if quote == NONE else orders[1:]:
            ctx.cancel(extra)
        flank, now_ns = seat.flanks[side], ctx.now_ns
        if quote == NONE or meets_own(everything, side, quote.price):
            return
        if not orders:
            if now_ns >= flank.not_before_ns:
                self._book_write(now_ns)
                if not ctx.place(seat.market, side, quote.price, quote.size):
                    flank.not_before_ns = now_ns + REFUSED_NS
            return
        order = orders[0]
        what = needs(order, quote, self.params.tolerance, now_ns)
        if what is Do.NOTHING:
            return
        self._book_write(now_ns)
        is_taken = ctx.renew(order) if what is Do.RENEW else ctx.amend(order, quote.price, quote.size)
        if not is_taken:
            ctx.cancel(order)
        flank.amending(ctx.account.order(order.client_order_id) if is_taken else None)

    def _book_write(self, now_ns: int) -> None:
        self._booked_ns = max(self._booked_ns, now_ns) + SECOND_NS // self.params.writes_per_s

    def _pull_strays(self, ctx: Context) -> None:
        """Cancel orders in markets that are not quoted: left ones, and those of an earlier run."""
        for market in dict.fromkeys(order.market for order in ctx.account.orders()):
            if market not in self._seats:
                _pull(ctx, market)


def _listen(ctx: Context, seat: Quoted) -> None:
    """Tell the detector what changes of the best prices do not: whether the market is fit, that its connection lives,
    and the prices of a book that was there before it was looked at."""
    now_ns, market = ctx.now_ns, seat.market
    flaw, heard_ns = ctx.flaw(market), ctx.heard_ns(market)
    is_active = ctx.reference.is_open(market, now_ns)
    seat.detector.on_status(now_ns, trusted=flaw != "untrusted", active=is_active)
    if not flaw and heard_ns > seat.heard_ns:
        seat.heard_ns, window = heard_ns, ctx.market(market)
        seat.detector.on_prices(now_ns, window.bid, window.ask)


def _shape(params: MakerParams, limits: RiskLimits, source: str, regime: Regime) -> Shape:
    """How to quote now: wider by REST, and where prices move much; never more than the run's limits allow."""
    half_spread = params.half_spread
    if source == "rest":
        half_spread *= 2
    elif regime in (Regime.VOLATILE, Regime.TRENDING):
        half_spread = half_spread * params.volatile_pct // 100
    size, most = min(params.size, limits.order), min(params.max_position, limits.market)
    return Shape(half_spread, params.edge, params.skew, size, most)


def _pull(ctx: Context, market: str) -> None:
    """Cancel what rests; what is in doubt because a cancel found nothing not at every look again."""
    for order in ctx.account.orders(market):
        is_asked = order.state is OrderState.UNKNOWN and ctx.now_ns - order.asked_ns < ANSWER_NS
        if not order.wants_cancel and not is_asked:
            ctx.cancel(order)
