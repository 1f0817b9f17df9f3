"""The Market Maker: rests a bid and an offer around the fair price of a few markets, and pulls them when in doubt.

Knows what it wants in each market and compares it with what rests: an order is only touched when its price or size has
to change, or its life to be prolonged. Prices, positions, fills and orders come from the socket; from REST where the
socket is switched off or, if that is allowed, where its book cannot be used. Must not know how orders are carried out.
"""

from typing import Annotated, Final

import msgspec

from core.actions import BookSide
from core.context import Context
from core.fetched import Fetched
from core.gaps import Gap
from core.health import Health
from core.messages.types import Fill, Level, Side, Trade
from core.money import DOLLAR
from core.orders import OrderState, OwnOrder
from core.strategy import Params, Strategy
from core.times import SECOND_NS
from core.window import Window
from strategies.doubts import Quoted, needs_fresh, why_not
from strategies.quoting import NONE, Quote, Shape, Top, quotes, without_own
from strategies.regime import FIFTEEN_MINUTES, SLOW, Detector, Regime

LEVELS: Final = 8
"""Levels looked at to find somebody else's price behind our own."""

REFUSED_NS: Final = 10 * SECOND_NS
"""How long a side of a market is left alone on which a limit of the run refused an order."""

RETRY_NS: Final = SECOND_NS
"""The same when the exchange refused it: most often it would have crossed, which a moment changes."""

BEAT: Final = "beat"
BEAT_NS: Final = SECOND_NS

ASK_AGAIN_NS: Final = 30 * SECOND_NS
"""Facts of a market that did not come are asked for again after this."""

_SIDES: Final = (BookSide.BID, BookSide.ASK)

Count = Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]
Price = Annotated[int, msgspec.Meta(ge=0, le=5_000)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]


class MakerParams(Params, frozen=True):
    """What to quote. Prices in 1/10,000 dollar, sizes in 1/100 contract, money in 1/1,000,000 dollar.

    markets: () = those another strategy of the run selects. max_markets: at once. size: of a quote; max_position:
    either way in a market. half_spread: from the fair price, at least; edge: over the maker fee, at least; skew: how
    far a full position moves the fair price. volatile_pct: the half spread in a volatile or trending market, in percent
    of the normal one. tolerance: a price this close to the wanted one stays. pace_ms: a market is quoted anew at most
    so often. max_loss: lost today at which it stops. close_s, pause_s: it stops so long before the close, and before a
    scheduled pause. slow: for markets that live for weeks (see strategies.regime). use_websocket False: prices by REST
    alone. rest_quotes: also quote by REST where the socket's book cannot be used, twice as wide. rest_every_s: between
    two looks by REST.
    """

    markets: tuple[str, ...] = ()
    max_markets: Annotated[int, msgspec.Meta(ge=1, le=500)] = 3
    size: Count = 500
    max_position: Count = 2_000
    half_spread: Price = 150
    edge: Price = 20
    skew: Price = 200
    volatile_pct: Annotated[int, msgspec.Meta(ge=100, le=1_000)] = 200
    tolerance: Price = 0
    pace_ms: Annotated[int, msgspec.Meta(ge=10, le=60_000)] = 500
    max_loss: Annotated[int, msgspec.Meta(ge=1)] = 5_000_000
    close_s: Seconds = 60
    pause_s: Seconds = 300
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
        self._leaving: dict[str, None] = {}

    def markets(self) -> tuple[str, ...] | None:
        """Those it quotes, and those in which it still has orders."""
        return (*self._seats, *self._leaving)

    def reasons(self) -> dict[str, str]:
        """Why each market is not quoted now, "" = it is."""
        return {market: seat.frozen for market, seat in self._seats.items()}

    def regime(self, market: str, now_ns: int) -> Regime:
        """The regime of a market that it quotes; FROZEN of any other."""
        seat = self._seats.get(market)
        return Regime.FROZEN if seat is None else seat.detector.at(now_ns).regime

    def on_start(self, ctx: Context) -> None:
        self._choose(ctx, self.params.markets or ctx.selected)
        ctx.wake(BEAT, BEAT_NS)

    def on_selected(self, ctx: Context, markets: tuple[str, ...]) -> None:
        if not self.params.markets and ctx.health.is_started:
            self._choose(ctx, markets)

    def on_book(self, ctx: Context, market: Window) -> None:
        seat = self._seats.get(market.market)
        if seat is None:
            return
        if self.params.use_websocket:
            seat.detector.on_prices(ctx.now_ns, market.bid, market.ask)
        self._soon(ctx, seat)

    def on_trade(self, ctx: Context, market: Window, trade: Trade) -> None:
        seat = self._seats.get(market.market)
        if seat is not None:
            seat.detector.on_trade(ctx.now_ns, trade.count if trade.taker is Side.YES else -trade.count)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self._at_once(ctx, fill.market)

    def on_order(self, ctx: Context, order: OwnOrder) -> None:
        if order.market in self._leaving and not ctx.account.orders(order.market):
            del self._leaving[order.market]
        if not order.is_live and order.why not in ("executed", "canceled", "Trade") and not order.filled:
            seat = self._seats.get(order.market)
            if seat is not None:
                seat.not_before_ns[order.side] = ctx.now_ns + RETRY_NS
        self._at_once(ctx, order.market)

    def on_position(self, ctx: Context, market: str) -> None:
        self._at_once(ctx, market)

    def on_lifecycle(self, ctx: Context, market: Window) -> None:
        self._at_once(ctx, market.market)

    def on_health(self, ctx: Context, health: Health) -> None:
        for seat in list(self._seats.values()):
            if health.why and health.is_started:
                seat.fresh_ns = ctx.now_ns
            self._quote(ctx, seat)

    def on_gap(self, ctx: Context, gap: Gap) -> None:
        for seat in list(self._seats.values()):
            if not gap.markets or seat.market in gap.markets:
                self._quote(ctx, seat)

    def on_rest(self, ctx: Context, fetched: Fetched) -> None:
        for seat in list(self._seats.values()):
            if fetched.market == seat.market:
                self._quote(ctx, seat)

    def on_timer(self, ctx: Context, name: str) -> None:
        if name != BEAT:
            seat = self._seats.get(name)
            if seat is not None and seat.is_due:
                self._quote(ctx, seat)
            return
        ctx.wake(BEAT, BEAT_NS)
        for seat in list(self._seats.values()):
            self._listen(ctx, seat)
            self._learn(ctx, seat)
            self._quote(ctx, seat)
        for market in list(self._leaving):
            self._pull(ctx, market)

    def _choose(self, ctx: Context, markets: tuple[str, ...]) -> None:
        """Quote these from now on, and leave the others."""
        chosen = dict.fromkeys(markets[: self.params.max_markets])
        left = [market for market in self._seats if market not in chosen]
        for market in left:
            del self._seats[market]
            self._leaving[market] = None
            self._pull(ctx, market)
        come = [market for market in chosen if market not in self._seats]
        for market in come:
            self._leaving.pop(market, None)
            self._seats[market] = Quoted(market, Detector(SLOW if self.params.slow else FIFTEEN_MINUTES))
        if come and self.params.markets and self.params.use_websocket:
            ctx.subscribe(*come)
        for market in come:
            self._learn(ctx, self._seats[market])

    def _learn(self, ctx: Context, seat: Quoted) -> None:
        """Ask for what has to be known before a market is quoted, and for its book where that comes by REST."""
        facts = ctx.reference
        if facts.market(seat.market) is None:
            self._ask(ctx, seat, f"/markets/{seat.market}", ASK_AGAIN_NS)
            return
        if not facts.knows_fees(seat.market):
            self._ask(ctx, seat, f"/series/{facts.series_of(seat.market)}", ASK_AGAIN_NS)
        needs_rest = self.params.rest_quotes and ctx.flaw(seat.market)
        if needs_rest or not self.params.use_websocket:
            self._ask(ctx, seat, f"/markets/{seat.market}/orderbook", self.params.rest_every_s * SECOND_NS)

    def _ask(self, ctx: Context, seat: Quoted, path: str, every_ns: int) -> None:
        if ctx.now_ns - seat.asked_ns.get(path, -every_ns) >= every_ns:
            seat.asked_ns[path] = ctx.now_ns
            ctx.fetch(path)

    def _listen(self, ctx: Context, seat: Quoted) -> None:
        """Tell the detector what is not told by prices: that the connection lives, and whether the market is fit."""
        now_ns = ctx.now_ns
        if self.params.use_websocket:
            flaw = ctx.flaw(seat.market)
            is_active = ctx.reference.is_open(seat.market, now_ns)
            seat.detector.on_status(now_ns, trusted=flaw != "untrusted", active=is_active)
            if not flaw:
                seat.detector.on_heard(now_ns)

    def _soon(self, ctx: Context, seat: Quoted) -> None:
        """Quote, unless that will be done anyway as soon as the pace allows it and nothing speaks against waiting."""
        if not seat.is_due or why_not(ctx, seat, self.params) != seat.frozen:
            self._quote(ctx, seat)

    def _at_once(self, ctx: Context, market: str) -> None:
        seat = self._seats.get(market)
        if seat is not None:
            self._quote(ctx, seat)

    def _quote(self, ctx: Context, seat: Quoted) -> None:
        """Have in the market what is to be there."""
        why = why_not(ctx, seat, self.params)
        if why != seat.frozen:
            if why and not seat.frozen:
                seat.fresh_ns = ctx.now_ns if needs_fresh(why) else seat.fresh_ns
            if not seat.frozen or not why:  # one reason after another is no news
                ctx.say(f"quotes pulled: {why}" if why else "quoting", seat.market)
            seat.frozen = why
        if why:
            self._pull(ctx, seat.market)
            return
        wait_ns = seat.quoted_ns + self.params.pace_ms * 1_000_000 - ctx.now_ns
        if wait_ns > 0:
            if not seat.is_due:
                seat.is_due = True
                ctx.wake(seat.market, wait_ns)
            return
        top = self._top(ctx, seat.market)
        wanted = quotes(
            top,
            self._shape(ctx, seat),
            ctx.account.position(seat.market),
            terms=ctx.reference.fees(seat.market, ctx.now_ns),
            ranges=ctx.reference.ranges(seat.market),
            now_ns=ctx.now_ns,
        )
        seat.quoted_ns, seat.is_due = ctx.now_ns, False
        for side, quote in zip(_SIDES, wanted, strict=True):
            self._have(ctx, seat, side, quote)

    def _shape(self, ctx: Context, seat: Quoted) -> Shape:
        params = self.params
        half_spread = params.half_spread
        if seat.source == "rest":
            half_spread *= 2
        elif seat.detector.at(ctx.now_ns).regime in (Regime.VOLATILE, Regime.TRENDING):
            half_spread = half_spread * params.volatile_pct // 100
        return Shape(half_spread, params.edge, params.skew, params.size, params.max_position)

    def _have(self, ctx: Context, seat: Quoted, side: BookSide, quote: Quote) -> None:
        """Have this quote rest on a side: leave, renew, amend, place or cancel."""
        orders = [order for order in ctx.account.orders(seat.market) if order.side is side]
        if quote == NONE:
            for order in orders:
                ctx.cancel(order)
            return
        for extra in orders[1:]:
            ctx.cancel(extra)
        if not orders:
            if ctx.now_ns >= seat.not_before_ns.get(side, 0) and not ctx.place(
                seat.market, side, quote.price, quote.size
            ):
                seat.not_before_ns[side] = ctx.now_ns + REFUSED_NS
            return
        order = orders[0]
        if order.state is not OrderState.RESTING or order.asked or order.wants_cancel:
            return
        if abs(order.price - quote.price) > self.params.tolerance or _resize(order, quote):
            if not ctx.amend(order, quote.price, quote.size):
                ctx.cancel(order)
        elif order.expires_ns and order.expires_ns - ctx.now_ns < _half_life_ns(order):
            ctx.renew(order)

    def _pull(self, ctx: Context, market: str) -> None:
        for order in ctx.account.orders(market):
            if not order.wants_cancel:
                ctx.cancel(order)

    def _top(self, ctx: Context, market: str) -> Top:
        """The best prices of others, by the source that is in use."""
        seat = self._seats[market]
        window = ctx.market(market)
        if seat.source == "rest" and window.rest is not None:
            bids: tuple[Level, ...] = tuple(reversed(window.rest.yes))
            asks = tuple((DOLLAR - price, size) for price, size in reversed(window.rest.no))
        else:
            bids, asks = window.depth(LEVELS)
        own: dict[BookSide, dict[int, int]] = {side: {} for side in _SIDES}
        for order in ctx.account.orders(market):
            if order.state is OrderState.RESTING:
                sizes = own[order.side]
                sizes[order.price] = sizes.get(order.price, 0) + order.remaining
        bid = without_own(bids, own[BookSide.BID])
        ask = without_own(asks, own[BookSide.ASK])
        return Top(
            None if bid is None else bid[0], 0 if bid is None else bid[1],
            None if ask is None else ask[0], 0 if ask is None else ask[1],
        )  # fmt: skip


def _resize(order: OwnOrder, quote: Quote) -> bool:
    """Whether the size has to change: too much always, too little when half of it is gone."""
    return order.remaining > quote.size or order.remaining * 2 <= quote.size


def _half_life_ns(order: OwnOrder) -> int:
    """Half of the life it was given last."""
    return max(order.expires_ns - order.asked_ns, 0) // 2
