"""Backtests against the truth: a run that truly traded is repeated before the simulated venue on its own tape.

The recorded decisions are taken again at their instants; the tape's book is without our orders (`replay.purged`), and
latencies are drawn from the tape's own requests. What each queue model then fills is held against what was truly
filled, order by order. Any tape of a live run will do; `measured` makes its own, in virtual time among the sandbox's
synthetic traders (`replay.rehearsal`), from seeds.

The limits. Those traders cancel whichever of their orders the dice choose, without regard to its place in the queue,
and what they do once our orders are gone is what they did with them there. Knows rehearsals, tapes and the venue.
Counts 1/100 contract, money 1/1,000,000 dollar, times in ns of the tape's clock.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final

from capture.tape.reader import Tape
from core.actions import (
    Amend,
    BookSide,
    Cancel,
    Decision,
    Place,
    RiskLimits,
    RunTerms,
    StrategySpec,
    decode_decision,
    decode_outcome,
    terms_of,
)
from core.actions import Outcome as Became
from core.changes import Change
from core.context import Context
from core.messages.types import BookDelta, BookSnapshot, Fill
from core.orders import OwnOrder
from core.records import Kind, decode_session
from core.strategy import Params, Strategy
from core.times import MILLISECOND_NS, SECOND_NS
from replay.exchange.traders import Cancels
from replay.hosted import Hosted
from replay.loading import specify
from replay.player import Player
from replay.purged import purged
from replay.rehearsal import Rehearsal, Ways
from replay.venue import told
from replay.venue.terms import QUEUES, Latency, VenueTerms

LIMITS: Final = RiskLimits(order=10**6, market=10**8, exposure=10**13, day_loss=10**13, markets=100)
WAYS: Final = Ways()
CASH: Final = 10**13


class JoinerParams(Params, frozen=True, kw_only=True):
    """Every every_s seconds a bid and an offer of `count` at the best prices of each market, for life_s seconds."""

    markets: tuple[str, ...]
    count: int = 1_000
    every_s: int = 60
    life_s: int = 55


class Joiner(Strategy):
    """Rests orders whatever happens, so that what is filled does not change what is asked."""

    Params = JoinerParams

    def __init__(self, params: JoinerParams) -> None:
        super().__init__(params)
        self.params: JoinerParams = params

    def on_start(self, ctx: Context) -> None:
        """The first orders come soon."""
        ctx.wake("quote", SECOND_NS)

    def on_timer(self, ctx: Context, name: str) -> None:
        """Time to quote, or to end it."""
        if name == "end":
            for order in ctx.account.orders():
                ctx.cancel(order)
            return
        ctx.wake("quote", self.params.every_s * SECOND_NS)
        ctx.wake("end", self.params.life_s * SECOND_NS)
        for market in self.params.markets:
            window = ctx.market(market)
            if window.is_trusted and window.bid is not None and window.ask is not None:
                ctx.place(market, BookSide.BID, window.bid, self.params.count)
                ctx.place(market, BookSide.ASK, window.ask, self.params.count)


class Repeater(Strategy):
    """Takes recorded decisions about orders again, at their instants. keys: its orders by the recorded ones' names."""

    def __init__(self, deeds: Sequence["Deed"]) -> None:
        super().__init__(Params())
        self.keys: dict[str, str] = {}
        self._deeds = list(deeds)
        self._late: dict[str, Deed] = {}  # amendments that have to wait for an answer

    def on_start(self, ctx: Context) -> None:
        """Wait for the first."""
        self._wait(ctx)

    def on_timer(self, ctx: Context, _name: str) -> None:
        """Do what is due."""
        while self._deeds and self._deeds[0].at_ns <= ctx.now_ns:
            self._do(ctx, self._deeds.pop(0))
        self._wait(ctx)

    def on_order(self, ctx: Context, order: OwnOrder) -> None:
        """An answer: what waited for it can be done."""
        deed = self._late.pop(order.client_order_id, None)
        if deed is not None:
            self._do(ctx, deed)

    def _wait(self, ctx: Context) -> None:
        if self._deeds:
            ctx.wake("deed", self._deeds[0].at_ns - ctx.now_ns)

    def _do(self, ctx: Context, deed: "Deed") -> None:
        action = deed.action
        if isinstance(action, Place):
            self.keys[action.client_order_id] = ctx.place(
                action.market, action.side, action.price, action.count, post_only=action.post_only, ioc=action.ioc,
                fok=action.fok, reduce_only=action.reduce_only, cancels_own=action.cancels_own,
            )  # fmt: skip
            return
        order = ctx.account.order(self.keys.get(action.client_order_id, ""))
        if order is None or not order.is_live:
            return
        if isinstance(action, Cancel):
            ctx.cancel(order)
        elif (left := action.count - order.filled) > 0 and not ctx.amend(order, action.price, left):
            self._late[order.client_order_id] = deed


@dataclass(frozen=True, slots=True)
class Deed:
    """A recorded decision about an order."""

    at_ns: int
    action: Place | Amend | Cancel


@dataclass(slots=True)
class Filled:
    """What was filled of an order. first_ns: when it first was; value: price times count, over all."""

    count: int = 0
    value: int = 0
    fees: int = 0
    first_ns: int = 0

    def add(self, at_ns: int, price: int, count: int, fee: int) -> None:
        """One more fill."""
        self.first_ns = self.first_ns or at_ns
        self.count += count
        self.value += price * count
        self.fees += fee


@dataclass
class Run:
    """A live run as its tape tells it. filled: by order. mids: the last mid price of each market, ours left out."""

    terms: RunTerms = field(default_factory=RunTerms)
    deeds: list[Deed] = field(default_factory=list)
    orders: dict[str, Place] = field(default_factory=dict)
    filled: dict[str, Filled] = field(default_factory=dict)
    mids: dict[str, float] = field(default_factory=dict)

    def pnl(self, filled: dict[str, Filled]) -> float:
        """Money won by these fills, what is held counted at the last mid prices."""
        won = 0.0
        for key, found in filled.items():
            order = self.orders[key]
            sign = 1 if order.side is BookSide.BID else -1
            won += sign * (self.mids.get(order.market, 0.0) * found.count - found.value) - found.fees
        return won


def lived(tape: Tape) -> Run:
    """What truly happened on a tape without our orders in its book. Raises as playing does."""
    run, keys, places = Run(), dict[str, str](), dict[int, Place]()
    player = Player(tape, "columns", checkpoint_records=0)
    for record, step in player.play():
        match record.kind:
            case Kind.SESSION:
                run.terms = terms_of(decode_session(record.payload)) or run.terms
            case Kind.DECISION:
                _decided(run, decode_decision(record.payload), step.now_ns, places)
            case Kind.OUTCOME:
                outcome = decode_outcome(record.payload)
                if isinstance(outcome, Became) and outcome.order_id and outcome.decision in places:
                    keys[outcome.order_id] = places[outcome.decision].client_order_id
        match step.message:
            case Fill() as fill:
                key = fill.client_order_id or keys.get(fill.order_id, "")
                if key in run.orders and type(step.change) is Change:
                    found = run.filled.setdefault(key, Filled())
                    found.add(step.now_ns, fill.price, fill.count, fill.fee or 0)
            case BookDelta() | BookSnapshot() as message:
                window = player.store.window(message.market, step.now_ns)
                if window.bid is not None and window.ask is not None:
                    run.mids[message.market] = (window.bid + window.ask) / 2
    return run


def _decided(run: Run, decision: Decision, now_ns: int, places: dict[int, Place]) -> None:
    action = decision.action
    if decision.refused or not isinstance(action, Place | Amend | Cancel):
        return
    if isinstance(action, Place):
        run.orders[action.client_order_id] = places[decision.number] = action
    run.deeds.append(Deed(now_ns, action))


def repeated(tape: Tape, run: Run, queue: str, latency: Latency, seed: int = 0) -> dict[str, Filled]:
    """What the simulated venue fills of the run's orders on a tape without them, by one queue model.

    Raises ConfigError when the tape does not tell fees or ticks.
    """
    heard: list[told.Happening] = []
    repeater = Repeater(run.deeds)
    hosted = Hosted(
        tape, "columns", (StrategySpec("repeater", "replay.truth:Repeater"),), load=lambda _spec: repeater,
        venue=VenueTerms(queue, latency, cash=CASH), seed=seed, listener=heard.append,
        run_terms=RunTerms(
            limits=LIMITS, order_life_s=run.terms.order_life_s, group_limit=run.terms.group_limit
        ),
    )  # fmt: skip
    for _ in hosted.run():
        pass
    assert not hosted.faults, "the repeater does not fail"
    recorded = {key: name for name, key in repeater.keys.items()}
    found: dict[str, Filled] = {}
    for fill in heard:
        if isinstance(fill, told.Filled):
            filled = found.setdefault(recorded[fill.client_order_id], Filled())
            filled.add(fill.at_ns, fill.price, fill.count, fill.fee)
    return found


@dataclass
class Score:
    """One model over one run. Contracts: truly filled, told, told of those truly filled, order by order.

    late_ns: how far apart the first fills of an order were, of each that both filled; price: sum over those of how far
    apart the mean prices were. pnl, true_pnl: money.
    """

    true: int = 0
    told: int = 0
    both: int = 0
    late_ns: list[int] = field(default_factory=list)
    price: float = 0.0
    pnl: float = 0.0
    true_pnl: float = 0.0

    @property
    def predicted(self) -> float:
        """Share of the true fills that were told."""
        return self.both / self.true if self.true else 1.0

    @property
    def false(self) -> float:
        """Share of what was told that was not so."""
        return (self.told - self.both) / self.told if self.told else 0.0

    @property
    def wrong(self) -> float:
        """Contracts that were missed or made up, in proportion to those truly filled."""
        return (self.true + self.told - 2 * self.both) / self.true if self.true else 0.0


def score(run: Run, found: dict[str, Filled]) -> Score:
    """What was told of a run's orders against what was so."""
    made = Score(pnl=run.pnl(found), true_pnl=run.pnl(run.filled))
    for key in run.orders:
        true, told_of = run.filled.get(key, Filled()), found.get(key, Filled())
        made.true += true.count
        made.told += told_of.count
        made.both += min(true.count, told_of.count)
        if true.count and told_of.count:
            made.late_ns.append(abs(told_of.first_ns - true.first_ns))
            made.price += abs(told_of.value / told_of.count - true.value / true.count)
    return made


def judged(tape: Tape, latency: Latency, seed: int = 0) -> dict[str, Score]:
    """Every queue model over the run that a tape holds."""
    without = purged(tape)
    run = lived(without)
    return {queue: score(run, repeated(without, run, queue, latency, seed)) for queue in QUEUES}


@dataclass(frozen=True)
class Trial:
    """What is let loose among which traders. name: for people; params: of the strategy, its markets left out."""

    name: str
    strategy: str = f"{__name__}:Joiner"
    params: dict[str, Any] = field(default_factory=dict)
    cancels: Cancels = Cancels.ANY


TRIALS: Final = (
    Trial("orders that rest whatever happens"),
    Trial("the same where those who came late cancel rather", cancels=Cancels.LATE),
    Trial("the same where those who came early cancel rather", cancels=Cancels.EARLY),
    Trial(
        "the Market Maker",
        "strategies.market_maker:MarketMaker",
        {"half_spread": 10, "edge": 0, "size": 1_000, "max_position": 100_000, "tolerance": 50, "max_loss": CASH},
    ),
)
"""What docs/BACKTESTS.md shows."""


def rehearsed(seed: int, span_ns: int, path: Path, trial: Trial = TRIALS[0]) -> Tape:
    """The tape of a strategy that traded live among synthetic traders, in virtual time."""
    run = Rehearsal(seed, ways=WAYS, cancels=trial.cancels)
    spec = specify("maker", trial.strategy, {"markets": run.markets, **trial.params})
    run.begin(RunTerms((spec,), LIMITS))
    run.run(span_ns)
    return run.tape(path)


def measured(seeds: Iterable[int], span_ns: int, trial: Trial = TRIALS[0]) -> list[dict[str, Score]]:
    """Each queue model over one run of each seed, so long each (exchange time)."""
    latency = Latency(WAYS.feed_ns, WAYS.order_ns, WAYS.answer_ns, is_drawn=True)
    found = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as path:
            found.append(judged(rehearsed(seed, span_ns, Path(path) / "tape", trial), latency, seed))
    return found


def best(found: Sequence[dict[str, Score]]) -> str:
    """The model with the fewest contracts missed or made up over all runs."""
    return min(QUEUES, key=lambda queue: sum(made[queue].true * made[queue].wrong for made in found))


def table(found: Sequence[dict[str, Score]]) -> list[str]:
    """The scores as lines of Markdown: over all runs, and behind ± the deviation from run to run."""
    names = ("model", "true fills told", "false fills", "missed or made up", "first fill off by", "price off by")
    lines = [f"| {' | '.join(names)} | PnL told - true, a run |", "|---|---|---|---|---|---|---|"]
    for queue in QUEUES:
        made = [one[queue] for one in found]
        late = sorted(late_ns for one in made for late_ns in one.late_ns) or [0]
        gains = [(one.pnl - one.true_pnl) / 1e6 for one in made]
        price = sum(one.price for one in made) / len(late) / 100
        times = f"{late[len(late) // 2] / MILLISECOND_NS:.0f} ms, {late[len(late) * 95 // 100] / SECOND_NS:.2f} s"
        shares = [_spread([100 * value for value in values]) for values in (
            [one.predicted for one in made], [one.false for one in made], [one.wrong for one in made],
        )]  # fmt: skip
        cells = [queue, *(f"{share} %" for share in shares), times, f"{price:.3f} c", f"{_spread(gains)} $"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def tables(seeds: Iterable[int], span_ns: int) -> Iterator[str]:
    """What docs/BACKTESTS.md shows, trial by trial as they are done."""
    chosen = tuple(seeds)
    for trial in TRIALS:
        yield f"{trial.name}: {summary(measured(chosen, span_ns, trial))}\n"


def summary(found: Sequence[dict[str, Score]]) -> str:
    """What was measured, and the table."""
    made = [one[QUEUES[0]] for one in found]
    filled = sum(one.true for one in made)
    money = _spread([one.true_pnl / 1e6 for one in made])
    head = f"{len(found)} runs, {filled / 100:,.2f} contracts truly filled, true PnL {money} $ a run"
    return "\n".join([head, "", *table(found), "", f"fewest missed or made up: {best(found)}"])


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.2f} ± {stdev(values) if len(values) > 1 else 0.0:.2f}"
