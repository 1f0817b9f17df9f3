"""Backtests made by hand: a strategy that does what it is told at given instants, and all that came of it."""

import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sample_tapes import MILLI, START_NS, Script

from core.actions import BookSide, Decision, RiskLimits, RunTerms, StrategySpec
from core.context import Context
from core.records import Kind, RestCall, encode_payload
from core.strategy import Params, Strategy
from core.window import Window
from replay.hosted import Hosted
from replay.venue import told
from replay.venue.terms import Latency, VenueTerms
from replay.venue.venue import Venue

MARKET = "KXTEST-A"
TERMS = VenueTerms(
    "pessimistic@1", Latency(order_ns=5 * MILLI, answer_ns=5 * MILLI), fees="quadratic:1", ticks="linear_cent"
)
LIMITS = RunTerms(limits=RiskLimits(100_000, 1_000_000, 10**12, 10**12, 100))

Deed = Callable[["Actor", Context], Any]


class Actor(Strategy):
    """Does each deed at its instant (ms after the beginning of the tape). seen: all it was told. keys: its orders."""

    def __init__(self, deeds: dict[int, Deed]) -> None:
        super().__init__(Strategy.Params())
        self.deeds = deeds
        self.seen: list[tuple[Any, ...]] = []
        self.keys: list[str] = []

    def on_start(self, ctx: Context) -> None:
        for at_ms in self.deeds:
            ctx.wake(str(at_ms), START_NS + at_ms * MILLI - ctx.now_ns)

    def on_timer(self, ctx: Context, name: str) -> None:
        self.deeds[int(name)](self, ctx)

    def on_order(self, ctx: Context, order: Any) -> None:
        self.seen.append(("order", ms(ctx.now_ns), order.state.value, order.filled, order.why))

    def on_fill(self, ctx: Context, fill: Any) -> None:
        self.seen.append(("fill", ms(ctx.now_ns), fill.price, fill.count, ctx.account.position(fill.market)))

    def on_position(self, ctx: Context, market: str) -> None:
        self.seen.append(("position", ms(ctx.now_ns), market, ctx.market(market).freeze().position))

    def on_rest(self, ctx: Context, fetched: Any) -> None:
        self.seen.append(("rest", ms(ctx.now_ns), fetched.path))

    def on_failed(self, ctx: Context, path: str) -> None:
        self.seen.append(("failed", ms(ctx.now_ns), path))


def ms(at_ns: int) -> float:
    """Milliseconds after the beginning of the tape."""
    return (at_ns - START_NS) / MILLI


def bid(price: int, count: int, **more: Any) -> Deed:
    """Place a bid."""
    return _placing(BookSide.BID, price, count, more)


def ask(price: int, count: int, **more: Any) -> Deed:
    """Place an offer."""
    return _placing(BookSide.ASK, price, count, more)


def amend(number: int, price: int, remaining: int) -> Deed:
    """Change the order that was placed as that one."""

    def do(actor: Actor, ctx: Context) -> None:
        order = ctx.account.order(actor.keys[number])
        assert order is not None
        actor.seen.append(("amends", ctx.amend(order, price, remaining)))

    return do


def cancel(number: int) -> Deed:
    """Cancel it."""

    def do(actor: Actor, ctx: Context) -> None:
        order = ctx.account.order(actor.keys[number])
        assert order is not None
        ctx.cancel(order)

    return do


def _placing(side: BookSide, price: int, count: int, more: dict[str, Any]) -> Deed:
    def do(actor: Actor, ctx: Context) -> None:
        arguments = {"market": MARKET, **more}
        actor.keys.append(ctx.place(arguments.pop("market"), side, price, count, **arguments))

    return do


@dataclass
class Told:
    """What came of a backtest. happened: as the venue told its listener."""

    actor: Actor
    happened: list[told.Happening] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    venue: Venue | None = None

    @property
    def orders(self) -> list[tuple[Any, ...]]:
        """What the strategy heard of its orders: when (ms), state, filled, why."""
        return [seen[1:] for seen in self.actor.seen if seen[0] == "order"]

    def of(self, kind: type[Any]) -> list[Any]:
        """Everything of a kind."""
        return [happening for happening in self.happened if isinstance(happening, kind)]

    @property
    def fills(self) -> list[tuple[float, int, int, str, bool]]:
        """When (ms), price, count, why, whether trusted."""
        return [(ms(f.at_ns), f.price, f.count, f.why, f.trusted) for f in self.of(told.Filled)]

    @property
    def ends(self) -> list[tuple[float, str]]:
        """When (ms) orders ended, and how."""
        return [(ms(e.at_ns), e.end) for e in self.of(told.Ended)]


def backtest(
    script: Script, deeds: dict[int, Deed], terms: VenueTerms = TERMS, *, path: str = "bytes", seed: int = 0,
    run_terms: RunTerms = LIMITS,
) -> Told:  # fmt: skip
    """A backtest over a recording."""
    found = Told(Actor(deeds))
    with tempfile.TemporaryDirectory() as place:
        tape = script.tape(Path(place) / "tape")
        hosted = Hosted(
            tape, path, (StrategySpec("actor", "", {}),), load=partial(_given, found.actor), venue=terms, seed=seed,
            listener=found.happened.append, run_terms=run_terms,
        )  # fmt: skip
        for _, _, reaction in hosted.play():
            assert not reaction.faults, reaction.faults
            found.decisions += reaction.decisions
        found.venue = hosted.venue
    return found


def _given(actor: Actor, _spec: StrategySpec) -> Strategy:
    return actor


class Day(Script):
    """A recording that begins with a book of one market: bids of 40, 39; offers at 50 and 51 (ten of each)."""

    def __init__(self) -> None:
        super().__init__()
        self.session().opened().subscribed(1).subscribed(2, "trade").subscribed(3, "market_lifecycle_v2")
        self.book()

    def book(self) -> "Day":
        """The book anew."""
        levels = [("0.3900", "10.00"), ("0.4000", "10.00")]
        self.snapshot(MARKET, levels, [("0.4900", "10.00"), ("0.5000", "10.00")])
        return self

    def at(self, at_ms: int) -> "Day":
        """The next record comes then."""
        self.now_ns = START_NS + at_ms * MILLI
        return self

    def traded(self, price: str, count: str, taker: str) -> "Day":
        """A public trade."""
        body = {
            "trade_id": f"trade-{len(self.records)}", "market_ticker": MARKET, "yes_price_dollars": price,
            "no_price_dollars": f"{1 - float(price):.4f}", "count_fp": count, "taker_side": taker,
            "ts": self.now_ns // 10**9, "ts_ms": self.now_ns // MILLI,
        }  # fmt: skip
        seq = self.skip(sid=2).numbers[1, 2]
        self.frame({"type": "trade", "sid": 2, "seq": seq, "msg": body})
        return self

    def life(self, event: str, **body: Any) -> "Day":
        """A message of the market's life."""
        seq = self.skip(sid=3).numbers[1, 3]
        msg = {"market_ticker": MARKET, "event_type": event, **body}
        self.frame({"type": "market_lifecycle_v2", "sid": 3, "seq": seq, "msg": msg})
        return self


def answered(day: Day, path: str, body: dict[str, Any], why: str = "facts") -> Day:
    """An answer of REST."""
    call = RestCall("GET", "/trade-api/v2" + path, 200, answer=json.dumps(body), took_ns=MILLI, why=why)
    day.put(Kind.REST, encode_payload(call), 0)
    return day


class JoinerParams(Params, frozen=True):
    """every: one call in so many leads to a deed. take: one deed in so many takes what is offered."""

    seed: int = 0
    every: int = 20
    take: int = 7


class Joiner(Strategy):
    """Joins the best bid and the best offer, follows them, and now and then takes what is there."""

    Params = JoinerParams

    def __init__(self, params: JoinerParams) -> None:
        super().__init__(params)
        self.dice = random.Random(params.seed)
        self.seen: list[tuple[Any, ...]] = []

    def on_book(self, ctx: Context, market: Window) -> None:
        self.seen.append((market.market, market.bid, market.ask_size, ctx.now_ns))
        bid, ask = market.bid, market.ask
        if self.dice.randrange(self.params.every) or bid is None or ask is None or bid >= ask:
            return
        orders = ctx.account.orders(market.market)
        if self.dice.randrange(self.params.take) == 0:
            ctx.place(market.market, BookSide.BID, ask, 300, ioc=True)
        elif len(orders) < 2:
            side = self.dice.choice(list(BookSide))
            ctx.place(market.market, side, bid if side is BookSide.BID else ask, 500)
        else:
            order = self.dice.choice(orders)
            ctx.amend(order, bid if order.side is BookSide.BID else ask, 100 * self.dice.randrange(1, 9))

    def on_fill(self, ctx: Context, fill: Any) -> None:
        self.seen.append(("fill", fill, ctx.now_ns, ctx.account.cash))

    def on_order(self, ctx: Context, order: Any) -> None:
        self.seen.append(("order", order, ctx.now_ns))
