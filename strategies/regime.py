"""What state a market is in (quiet, trending, volatile or frozen), told from its best prices, trades and health.

Knows one market, the tape's own time and integers. Must not know orders, positions or what anybody does about it.

Method. Time is cut into buckets counted from the first price, and of each bucket only the last mid counts: sampling at
fixed intervals keeps the bounce between bid and ask out (Andersen, Bollerslev, Diebold, Labys, "Modeling and
Forecasting Realized Volatility", Econometrica 71, 2003). Over the last `buckets` moves from mid to mid:

- trending: Kaufman's efficiency ratio, |net move| / sum of |moves| (P. Kaufman, "Smarter Trading", 1995). A random walk
  of n moves gives about 1/sqrt(n), a straight line 1. The net move must also be worth something, no single bucket may
  make up most of the path (a jump is no trend), and a trend does not begin against the flow of trades.
- volatile: belief movement, the sum of squared moves, over the uncertainty p(1-p) at the window's start (N. Augenblick,
  M. Rabin, "Belief Movement, Uncertainty Reduction, and Rational Updating", Quarterly Journal of Economics 136, 2021).
  A fair price that ends at 0 or 1 moves by p(1-p) in all that is left of its life, wherever it stands: so the number is
  the share of what there is to be learnt that was learnt in one window, it means the same at 5 cents as at 50, and it
  needs neither logarithms nor a long memory. Ticks would call every market near its edge quiet. Nearer to an edge
  than `edge_price`, p(1-p) is taken as there, because one tick would be all the uncertainty that is left.
- frozen: no price can be relied on. It begins at once and ends when all has been well for `thaw_ns`.
- quiet: none of these. A market of which nothing comes falls quiet within one window, if its connection lives.

Trending goes before volatile. Each has a higher threshold to enter than to leave. Both are judged only when a bucket
ends, so a look at the state, an equal price again or a trade in two halves changes nothing. What moved while frozen
counts as one move when a price is back. All is integer arithmetic in the order of the input: the same everywhere.

Measured with the defaults, each second of six recorded 15-minute markets (four of gold, August 2026; two of bitcoin,
May 2026, one recorded by half): 14 to 55 % of the time quiet, 9 to 40 % trending, 0 to 63 % volatile, 0 to 60 % frozen
(a decided market without asks, an outage), 8 to 21 changes of regime each. Read beside the price, a span called
trending is 56 to 74 cents in 70 s, one called volatile 72 to 88 to 66 cents in 80 s; a climb from 24 to 80 cents in two
minutes was mostly called volatile, because it went in zigzags. Moves of 3 s instead of 5 called volatile what was a bid
and ask bouncing around 12 cents. `tests/strategies/test_regime_on_tapes.py` prints the table.
"""

from collections import deque
from enum import StrEnum
from itertools import pairwise
from typing import Final

import msgspec

from core.money import DOLLAR
from core.times import SECOND_NS

MAX_BUCKETS: Final = 1_000
"""Moves remembered: each end of a bucket walks them all, and 1,000 already split a day into 86 seconds."""

_WHOLE_PPM: Final = 1_000_000


class Regime(StrEnum):
    """The state of a market."""

    QUIET = "quiet"
    TRENDING = "trending"
    VOLATILE = "volatile"
    FROZEN = "frozen"


class Cause(StrEnum):
    """What decided. When a market is frozen for several reasons the first in this order is named."""

    INACTIVE = "inactive"  # the exchange does not trade it: not open, paused, closed, settled
    UNTRUSTED = "untrusted"  # something of the book is missing
    SILENT = "silent"  # nothing heard for too long
    ONE_SIDED = "one-sided"  # nobody bids, or nobody asks, or neither
    CROSSED = "crossed"  # a best bid at or over the best ask
    THAWING = "thawing"  # all is well again, not yet for long enough
    PRICES = "prices"  # not frozen: the numbers decided


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """What is called what. ValueError names the value and the limit it broke. The defaults fit 15-minute markets.

    bucket_ns, buckets: length of one move, and how many of them make the window.
    trend_enter_pct, trend_leave_pct: efficiency ratio, 0 to 100, at which a trend begins, and under which it ends.
    trend_enter_net, trend_leave_net: the same for the net move over the window (1/10,000 dollar).
    jump_pct: a trend does not begin while one bucket makes up more than this share of the path.
    against_pct: a trend does not begin while the takers' net size against it is more than this share of all traded.
    volatile_enter_ppm, volatile_leave_ppm: movement over the window, in millionths of p(1-p). The default is nearly the
        fifteenth that a fair market of 15 minutes moves in an average one.
    edge_price: prices below it, and above a dollar less it, count as it in p(1-p) (1/10,000 dollar).
    silent_ns: nothing heard for so long freezes. It should exceed the exchange's pause between two pings.
    thaw_ns: how long all must have been well before a frozen market is judged by its prices again.
    """

    bucket_ns: int = 5 * SECOND_NS
    buckets: int = 12
    trend_enter_pct: int = 60
    trend_leave_pct: int = 40
    trend_enter_net: int = 400
    trend_leave_net: int = 200
    jump_pct: int = 50
    against_pct: int = 50
    volatile_enter_ppm: int = 60_000
    volatile_leave_ppm: int = 30_000
    edge_price: int = 200
    silent_ns: int = 15 * SECOND_NS
    thaw_ns: int = SECOND_NS

    def __post_init__(self) -> None:
        _within("bucket_ns", self.bucket_ns, 1, None)
        _within("buckets", self.buckets, 3, MAX_BUCKETS)
        _within("trend_enter_pct", self.trend_enter_pct, 34, 100)  # one step forth, back and forth again gives 33
        _within("trend_leave_pct", self.trend_leave_pct, 0, self.trend_enter_pct)
        _within("trend_enter_net", self.trend_enter_net, 1, DOLLAR)
        _within("trend_leave_net", self.trend_leave_net, 1, self.trend_enter_net)
        _within("jump_pct", self.jump_pct, 1, 99)
        _within("against_pct", self.against_pct, 0, 100)
        _within("volatile_enter_ppm", self.volatile_enter_ppm, 1, None)
        _within("volatile_leave_ppm", self.volatile_leave_ppm, 1, self.volatile_enter_ppm)
        _within("edge_price", self.edge_price, 1, DOLLAR // 2)
        _within("silent_ns", self.silent_ns, 1, None)
        _within("thaw_ns", self.thaw_ns, 0, None)


def _within(name: str, value: int, least: int, most: int | None) -> None:
    if value < least:
        raise ValueError(f"{name} is {value}, the least is {least}")
    if most is not None and value > most:
        raise ValueError(f"{name} is {value}, the most is {most}")


FIFTEEN_MINUTES: Final = Parameters()
"""For markets that live for a quarter of an hour: a window of one minute."""

SLOW: Final = Parameters(
    bucket_ns=120 * SECOND_NS,
    buckets=30,
    trend_enter_net=300,
    trend_leave_net=150,
    volatile_enter_ppm=10_000,
    volatile_leave_ppm=5_000,
    silent_ns=60 * SECOND_NS,
    thaw_ns=5 * SECOND_NS,
)
"""For markets that live for weeks (politics): a window of an hour. Reasoned from the above, measured on no tape."""


class Numbers(msgspec.Struct, frozen=True, gc=False):
    """What was measured over the window that ended last.

    net, path: net move and sum of moves of the mid, in 1/20,000 dollar (bid + ask, so that no mid is rounded).
    largest: the largest single move, as above. efficiency_pct: |net| / path, 0 to 100.
    movement_ppm: squared moves in millionths of p(1-p). flow, traded: takers' net and total size (1/100 contract).
    """

    net: int = 0
    path: int = 0
    largest: int = 0
    efficiency_pct: int = 0
    movement_ppm: int = 0
    flow: int = 0
    traded: int = 0


class Reading(msgspec.Struct, frozen=True, gc=False):
    """The state of a market: since when (the tape's time, 0 = always), what decided, and by which numbers."""

    regime: Regime
    since_ns: int
    cause: Cause
    numbers: Numbers


def measure(doubled_mids: tuple[int, ...], flows: tuple[tuple[int, int], ...], edge_price: int) -> Numbers:
    """The numbers of a window: bid + ask at each end of a bucket, oldest first; (net, total) size traded in each."""
    moves = [after - before for before, after in pairwise(doubled_mids)]
    net, path = sum(moves), sum(map(abs, moves))
    floor = 2 * edge_price
    start = min(max(doubled_mids[0], floor), 2 * DOLLAR - floor)
    return Numbers(
        net=net,
        path=path,
        largest=max(map(abs, moves), default=0),
        efficiency_pct=abs(net) * 100 // path if path else 0,
        movement_ppm=sum(move * move for move in moves) * _WHOLE_PPM // (start * (2 * DOLLAR - start)),
        flow=sum(flow for flow, _ in flows),
        traded=sum(traded for _, traded in flows),
    )


def decide(before: Regime, was_up: bool, numbers: Numbers, parameters: Parameters) -> Regime:
    """The regime by prices alone (never frozen) after one more bucket; was_up: the trend, if there was one, went up."""
    is_up = numbers.net > 0
    if before is Regime.TRENDING and is_up == was_up:
        leave_net = 2 * parameters.trend_leave_net
        if numbers.efficiency_pct >= parameters.trend_leave_pct and abs(numbers.net) >= leave_net:
            return Regime.TRENDING
    elif _begins(numbers, parameters):
        return Regime.TRENDING
    is_volatile = before is Regime.VOLATILE
    limit = parameters.volatile_leave_ppm if is_volatile else parameters.volatile_enter_ppm
    return Regime.VOLATILE if numbers.movement_ppm >= limit else Regime.QUIET


def _begins(numbers: Numbers, parameters: Parameters) -> bool:
    """True when the numbers are those of a trend that has just begun."""
    against = -numbers.flow if numbers.net > 0 else numbers.flow
    return (
        numbers.efficiency_pct >= parameters.trend_enter_pct
        and abs(numbers.net) >= 2 * parameters.trend_enter_net
        and numbers.largest * 100 <= numbers.path * parameters.jump_pct
        and against * 100 <= numbers.traded * parameters.against_pct
    )


class Detector:
    """The regime of one market, told in the order of the tape; times never go back (AssertionError).

    Holds one window and nothing that grows. A new one is frozen: it has heard nothing yet.
    """

    __slots__ = (
        "_active", "_ask", "_bid", "_closes", "_end_ns", "_fit_ns", "_flow", "_flows", "_frozen_ns", "_heard_ns",
        "_mid", "_now_ns", "_numbers", "_parameters", "_regime", "_regime_ns", "_traded", "_trusted", "_up",
    )  # fmt: skip

    def __init__(self, parameters: Parameters = FIFTEEN_MINUTES) -> None:
        self._parameters = parameters
        self._active = self._trusted = True
        self._bid: int | None = None
        self._ask: int | None = None
        self._mid: int | None = None  # bid + ask when there last were two sides, not crossed
        self._closes: deque[int] = deque(maxlen=parameters.buckets + 1)
        self._flows: deque[tuple[int, int]] = deque(maxlen=parameters.buckets)
        self._flow = self._traded = 0  # of the bucket that is not over
        self._end_ns = 0  # of that bucket
        self._now_ns = self._heard_ns = self._frozen_ns = self._regime_ns = 0
        self._fit_ns: int | None = None  # since when nothing speaks against the market
        self._regime, self._up, self._numbers = Regime.QUIET, False, Numbers()

    def on_prices(self, now_ns: int, yes_bid: int | None, yes_ask: int | None) -> None:
        """The best prices from now on, on the yes scale (1/10,000 dollar); None = nobody on that side."""
        self._pass(now_ns)
        self._bid, self._ask = yes_bid, yes_ask
        if yes_bid is not None and yes_ask is not None and yes_bid < yes_ask:
            self._mid = yes_bid + yes_ask
            if not self._closes:
                self._closes.append(self._mid)
                self._end_ns = now_ns + self._parameters.bucket_ns
                self._regime_ns = now_ns
        self._hear(now_ns)

    def on_trade(self, now_ns: int, bought: int) -> None:
        """A trade of this size (1/100 contract): above 0 the taker bought yes, below 0 no."""
        self._pass(now_ns)
        if self._closes:
            self._flow += bought
            self._traded += abs(bought)
        self._hear(now_ns)

    def on_heard(self, now_ns: int) -> None:
        """Anything else came that proves that the market's connection lives: a ping, another market's frame."""
        self._pass(now_ns)
        self._hear(now_ns)

    def on_status(self, now_ns: int, *, trusted: bool, active: bool) -> None:
        """Whether the book is whole, and whether the exchange trades the market, from now on. Proves no connection."""
        self._pass(now_ns)
        self._trusted, self._active = trusted, active
        self._judge(now_ns)

    def at(self, now_ns: int) -> Reading:
        """The state at this instant; looking changes nothing that is read later."""
        self._pass(now_ns)
        thawed_ns = None if self._fit_ns is None else self._fit_ns + self._parameters.thaw_ns
        if thawed_ns is None or now_ns < thawed_ns:
            return Reading(Regime.FROZEN, self._frozen_ns, self._fault(now_ns) or Cause.THAWING, self._numbers)
        return Reading(self._regime, max(self._regime_ns, thawed_ns), Cause.PRICES, self._numbers)

    def _pass(self, now_ns: int) -> None:
        """Let time go by: silence may have set in, and buckets may have ended."""
        assert now_ns >= self._now_ns, f"time went back from {self._now_ns} to {now_ns}"
        self._now_ns = now_ns
        silent_ns = self._heard_ns + self._parameters.silent_ns
        if self._fit_ns is not None and now_ns >= silent_ns:
            self._freeze(silent_ns)
        if self._mid is None or now_ns < self._end_ns:
            return
        parameters = self._parameters
        over = (now_ns - self._end_ns) // parameters.bucket_ns + 1
        for _ in range(min(over, parameters.buckets + 2)):
            self._close(self._mid)
        # Beyond one window of stillness every bucket is like the one before: quiet, since when it was found to be.
        self._end_ns += max(0, over - parameters.buckets - 2) * parameters.bucket_ns

    def _close(self, mid: int) -> None:
        """The bucket is over: measure the window and judge it."""
        self._closes.append(mid)
        self._flows.append((self._flow, self._traded))
        self._flow = self._traded = 0
        self._numbers = measure(tuple(self._closes), tuple(self._flows), self._parameters.edge_price)
        regime = decide(self._regime, self._up, self._numbers, self._parameters)
        up = self._numbers.net > 0
        if regime is not self._regime or (regime is Regime.TRENDING and up != self._up):
            self._regime, self._regime_ns = regime, self._end_ns
        self._up = up
        self._end_ns += self._parameters.bucket_ns

    def _hear(self, now_ns: int) -> None:
        self._heard_ns = now_ns
        self._judge(now_ns)

    def _judge(self, now_ns: int) -> None:
        """Freeze, or begin to thaw."""
        if self._fault(now_ns) is not None:
            if self._fit_ns is not None:
                self._freeze(now_ns)
        elif self._fit_ns is None:
            self._fit_ns = now_ns

    def _freeze(self, since_ns: int) -> None:
        """Frozen from this instant, unless it has not thawed since it last was."""
        assert self._fit_ns is not None, "a market that is frozen cannot freeze"
        if since_ns >= self._fit_ns + self._parameters.thaw_ns:
            self._frozen_ns = since_ns
        self._fit_ns = None

    def _fault(self, now_ns: int) -> Cause | None:
        """What speaks against the market now."""
        if not self._active:
            return Cause.INACTIVE
        if not self._trusted:
            return Cause.UNTRUSTED
        if now_ns >= self._heard_ns + self._parameters.silent_ns:
            return Cause.SILENT
        if self._bid is None or self._ask is None:
            return Cause.ONE_SIDED
        return Cause.CROSSED if self._bid >= self._ask else None
