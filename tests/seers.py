"""Strategies that look and act in random places, and both ways of playing a tape with them.

`Hosted.play` goes record by record; `Hosted.run` has the machine ahead of strategies wherever it can. A seer writes
down all it saw, to hold the two against each other. Its dice are its own: the same calls, the same deeds.
"""

import random
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from sample_tapes import MILLI
from wild import MARKETS

from capture.tape.reader import Tape
from core.actions import BookSide, StrategySpec
from core.cells import NEVER
from core.compiled import INSTALLED
from core.context import Context
from core.copies import machine
from core.messages.types import Trade
from core.records import Fault
from core.strategy import EVERY, Params, Strategy
from core.window import Window
from replay import pace
from replay.hosted import Hosted

needs_numba = pytest.mark.skipif(not INSTALLED, reason="numba (the extra `fast`) is not installed, nothing is compiled")

DEEDS: Final = (
    *("depth", "size", "trades", "freeze", "other", "account", "flaw", "kept", "place", "amend", "cancel", "wake"),
    *("say", "select", "choose", "past", "fail"),
)


class SeerParams(Params, frozen=True):
    """seed: of its dice. every: one call in so many leads to a deed, 0 = none does. fails: it may raise."""

    seed: int = 0
    every: int = 4
    fails: bool = False
    deeds: tuple[str, ...] = DEEDS


class Seer(Strategy):
    """Notes what it sees. seen: a tuple for every call of a hook."""

    Params = SeerParams

    def __init__(self, params: SeerParams) -> None:
        super().__init__(params)
        self.seen: list[tuple[Any, ...]] = []
        self.dice = random.Random(params.seed)
        self.kept: Window | None = None
        self.wanted: tuple[str, ...] | None = None
        self.asked = 0

    def on_start(self, ctx: Context) -> None:
        self.seen.append(("start", ctx.now_ns))
        ctx.wake("first", 400 * MILLI)

    def on_book(self, ctx: Context, market: Window) -> None:
        self._look("book", ctx, market)

    def on_timer(self, ctx: Context, name: str) -> None:
        self.seen.append(("timer", name, ctx.now_ns, ctx.market(MARKETS[0]).bid))
        ctx.wake(name, self.dice.randrange(1, 2_000) * MILLI)

    def on_gap(self, ctx: Context, gap: Any) -> None:
        self.seen.append(("gap", gap, ctx.now_ns))

    def on_order(self, ctx: Context, order: Any) -> None:
        self.seen.append(("order", order, ctx.now_ns))

    def on_selected(self, ctx: Context, markets: tuple[str, ...]) -> None:
        self.seen.append(("selected", markets, ctx.now_ns))
        if self.params.fails and self.dice.randrange(20) == 0:
            raise RuntimeError("told of a choice")

    def _look(self, hook: str, ctx: Context, market: Window, *more: Any) -> None:
        best = market.bid, market.bid_size, market.ask, market.ask_size
        self.seen.append((hook, market.market, *best, ctx.now_ns, market.now_ns, *more))
        if self.params.every and self.dice.randrange(self.params.every) == 0:
            self._do(self.dice.choice(self.params.deeds), ctx, market)

    def _do(self, deed: str, ctx: Context, market: Window) -> None:
        if deed == "fail" and not self.params.fails:
            return
        found = _DEEDS[deed](self, ctx, market)
        self.seen.append((deed, found, ctx.now_ns, market.bid, market.ask_size))


class Choosy(Seer):
    """Wants to hear of other markets now and then."""

    def markets(self) -> tuple[str, ...] | None:
        self.asked += 1
        self.seen.append(("asked", self.wanted))
        if self.wanted == ("fails",):
            raise RuntimeError("no market")
        return self.wanted


class Trader(Seer):
    """Hears of trades and tickers, too."""

    def on_trade(self, ctx: Context, market: Window, trade: Trade) -> None:
        self._look("trade", ctx, market, trade.trade_id, trade.price, trade.count, trade.taker)

    def on_ticker(self, ctx: Context, market: Window) -> None:
        self._look("ticker", ctx, market)


class Everyone(Trader):
    """Hears of every change of a book."""

    book_wakes = EVERY


class ChoosyEveryone(Choosy, Everyone):
    """All of it."""


def _spread(
    ours: Any, mine: Any, now_ns: int, bid: int, bid_size: int, ask: int, ask_size: int,
    what: int, price: int, count: int, taker: int,
) -> bool:  # fmt: skip
    """Every third time that a bid moved, or a wide spread; some trades and tickers; counts."""
    ours[0] += 1
    if what:
        ours[0] += price + count % 97 + 2 * taker + what
        return bool(ours[0] % 5 < 2)
    mine[1] = now_ns
    if mine[0] == bid:
        return ask - bid > 1_500 and bid_size > ask_size
    mine[0] = bid
    ours[1] += 1
    return bool(ours[1] % 3 == 0)


class Glancing(Trader):
    """Has a glance that can be compiled."""

    glance = staticmethod(_spread)
    numbers = (2, 2)


class GlancingEveryone(Glancing):
    """At every change."""

    book_wakes = EVERY


def _told(
    ours: Any, mine: Any, now_ns: int, bid: int, bid_size: int, ask: int, ask_size: int,
    _what: int, _price: int, _count: int, _taker: int,
) -> bool:  # fmt: skip
    """The same, of a sort that is not compiled."""
    return _spread(ours, mine, now_ns, *{"": (bid, bid_size, ask, ask_size, _what, _price, _count, _taker)}[""])


class Uncompiled(Trader):
    """Has a glance that cannot be compiled."""

    glance = staticmethod(_told)
    numbers = (2, 2)


def _divides(
    ours: Any, mine: Any, now_ns: int, bid: int, bid_size: int, ask: int, ask_size: int,
    _what: int, _price: int, _count: int, _taker: int,
) -> bool:  # fmt: skip
    """Raises where nobody bids."""
    ours[0] += 1
    mine[0] += (now_ns + bid + ask + ask_size) % 7
    return bool(ours[0] // max(bid_size, 0) % 2 == 0)


class Dividing(Trader):
    """Has a glance that raises at some book."""

    glance = staticmethod(_divides)
    numbers = (1, 1)


KINDS: Final[dict[str, type[Seer]]] = {
    kind.__name__: kind
    for kind in (
        Seer, Choosy, Trader, Everyone, ChoosyEveryone, Glancing, GlancingEveryone, Uncompiled, Dividing,
    )
}  # fmt: skip
"""By what a `StrategySpec` names as its path."""


def _depth(_seer: Seer, _ctx: Context, market: Window) -> Any:
    return market.depth(3)


def _size(seer: Seer, _ctx: Context, market: Window) -> Any:
    return market.size_at(100 * seer.dice.randrange(1, 99), bids=seer.dice.randrange(2) == 0)


def _trades(_seer: Seer, _ctx: Context, market: Window) -> Any:
    return market.trades, market.prices, market.last_trade, market.traded_size, market.ticker


def _freeze(_seer: Seer, _ctx: Context, market: Window) -> Any:
    return market.freeze()


def _other(seer: Seer, ctx: Context, _market: Window) -> Any:
    window = ctx.market(seer.dice.choice((*MARKETS, "KXTEST-NONE")))
    return window.market, window.ask, window.bid_size, window.age_ns, window.is_trusted, window.phase, window.book_ns


def _account(_seer: Seer, ctx: Context, market: Window) -> Any:
    account = ctx.account
    orders = account.orders(), account.is_disputed(market.market), account.holding(market.market)
    return account.cash, account.day_pnl, account.exposure, account.position(market.market), *orders


def _flaw(_seer: Seer, ctx: Context, market: Window) -> Any:
    return ctx.flaw(market.market), ctx.heard_ns(market.market), ctx.health, market.connection


def _kept(seer: Seer, _ctx: Context, market: Window) -> Any:
    before, seer.kept = seer.kept, market
    if before is None:
        return None
    return before.market, before.bid, before.ask, before.bid_size, before.heard_ns, before.now_ns, before.rest


def _place(seer: Seer, ctx: Context, market: Window) -> Any:
    side = seer.dice.choice((BookSide.BID, BookSide.ASK))
    return ctx.place(market.market, side, 100 * seer.dice.randrange(0, 99), 100, life_s=seer.dice.randrange(3))


def _amend(seer: Seer, ctx: Context, _market: Window) -> Any:
    orders = ctx.account.orders()
    return None if not orders else ctx.amend(seer.dice.choice(orders), 100 * seer.dice.randrange(1, 99), 200)


def _cancel(seer: Seer, ctx: Context, _market: Window) -> Any:
    orders = ctx.account.orders()
    if orders:
        ctx.cancel(seer.dice.choice(orders))
    return len(orders)


def _wake(seer: Seer, ctx: Context, _market: Window) -> Any:
    ctx.wake(f"timer {seer.dice.randrange(3)}", seer.dice.randrange(-2, 900) * MILLI)


def _say(_seer: Seer, ctx: Context, market: Window) -> Any:
    ctx.say(f"{market.bid} {ctx.dice.below(100)}", market.market)


def _select(seer: Seer, ctx: Context, _market: Window) -> Any:
    ctx.select(*seer.dice.sample(MARKETS, 2))
    return ctx.selected


def _choose(seer: Seer, _ctx: Context, _market: Window) -> Any:
    seer.wanted = seer.dice.choice((None, *((market,) for market in MARKETS[:2]), MARKETS[:2]))
    if seer.params.fails and seer.dice.randrange(10) == 0:
        seer.wanted = ("fails",)
    return seer.wanted


def _past(seer: Seer, _ctx: Context, _market: Window) -> Any:
    return len(seer.seen), seer.asked


def _fail(seer: Seer, _ctx: Context, market: Window) -> Any:
    if seer.dice.randrange(4) == 0:
        raise RuntimeError(f"at {market.bid}")


_DEEDS: Final[dict[str, Callable[[Seer, Context, Window], Any]]] = dict(
    zip(
        DEEDS,
        (
            _depth, _size, _trades, _freeze, _other, _account, _flaw, _kept, _place, _amend, _cancel, _wake, _say,
            _select, _choose, _past, _fail,
        ),
        strict=True,
    )
)  # fmt: skip


class Played(NamedTuple):
    """All that must be the same however a tape is played."""

    seen: list[list[tuple[Any, ...]]]
    decided: list[Any]
    faults: list[tuple[int, Fault]]
    decision_digest: str
    state_digest: str
    position: int


class Cast:
    """Makes the strategies that a tape names, and keeps them."""

    def __init__(self) -> None:
        self.made: list[Seer] = []

    def load(self, spec: StrategySpec) -> Strategy:
        """As `core.host.Host` wants it."""
        kind = KINDS[spec.path]
        seer = kind(msgspec.convert(spec.params, kind.Params))
        self.made.append(seer)
        return seer


def spec(name: str, kind: type[Seer], **params: Any) -> StrategySpec:
    """One that `Cast` can make."""
    return StrategySpec(name, kind.__name__, params)


def play(
    tape: Tape, path: str, strategies: tuple[StrategySpec, ...] = (), stops: tuple[int, ...] = (), **around: Any
) -> Played:
    """Record by record. stops: seqs at which it stops and goes on. around: further arguments of `Hosted`."""
    cast = Cast()
    played = Hosted(tape, path, strategies, load=cast.load, **around)
    found = [(r.seq, reaction) for stop in (*stops, None) for r, _, reaction in played.play(stop)]
    return _played(played, cast, found)


def ran(
    tape: Tape,
    strategies: tuple[StrategySpec, ...] = (),
    *,
    stops: tuple[int, ...] = (),
    ends: tuple[int, ...] = (),
    least: int = 2,
    singles: int = 3,
    cells: int = NEVER,
    **around: Any,
) -> Played:
    """With the machine. stops, ends: seqs and instants (ns) at which it stops and goes on.

    cells: as `CELLS_A_STOP`; by default no memory is too large to run ahead. around: further arguments of `Hosted`.
    """
    assert INSTALLED, "nothing is compiled without numba"
    machine(is_compiled=True)
    cast = Cast()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "LEAST_AHEAD", least)
        patch.setattr(pace, "SINGLES", singles)
        patch.setattr(pace, "CELLS_A_STOP", cells)
        played = Hosted(tape, "columns", strategies, load=cast.load, **around)
        assert played.player.engine.memory.is_compiled
        found = [(seq, reaction) for stop in stops for seq, _, reaction in played.run(stop)]
        found += [(seq, reaction) for end in ends for seq, _, reaction in played.run(until_ns=end)]
        found += [(seq, reaction) for seq, _, reaction in played.run()]
    return _played(played, cast, found)


def _played(played: Hosted, cast: Cast, found: list[tuple[int, Any]]) -> Played:
    decided = [(seq, decision) for seq, reaction in found for decision in reaction.decisions]
    faults = [(seq, fault) for seq, reaction in found for fault in reaction.faults]
    assert (played.decisions, played.faults) == (len(decided), len(faults))
    seen = [seer.seen for seer in cast.made]
    return Played(
        seen, decided, faults, played.digest.hexdigest(), played.player.state_digest(), played.player.position
    )


def compare(one: Played, other: Played) -> None:
    """The same in everything, the first difference in a few words."""
    for mine, theirs in zip(one.seen, other.seen, strict=True):
        for place, (a, b) in enumerate(zip(mine, theirs, strict=False)):
            assert a == b, f"call {place}"
        assert len(mine) == len(theirs)
    assert one == other
