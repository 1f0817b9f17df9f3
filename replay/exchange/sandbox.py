"""The sandbox: a matching engine with made-up markets and traders as a venue, from one seed.

Knows how the parts go together and how fast they go. Must not know sockets or sessions. The exchange's clock stands at
its latest step, at most 1/20 s behind; between steps only clients act, so the same seed, start and commands at the same
steps give the same frames, whatever the pace. A sandbox that is too slow for its rate lets go: if it began now its
clock goes on with the real one, else it falls behind and makes the frames that it would have made in time.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from core.errors import ConfigError
from core.times import SECOND_NS
from replay.exchange.engine import DIRECT, MatchingEngine
from replay.exchange.happenings import (
    Filled,
    Happening,
    Life,
    LifecycleChanged,
    OrderChanged,
    PositionChanged,
    TickerChanged,
)
from replay.exchange.ids import CountingIds
from replay.exchange.listing import Listing
from replay.exchange.port import Audience, Publication, RestAnswer, RestRequest, Template
from replay.exchange.routes import Routes
from replay.exchange.sandbox_controls import controls_of
from replay.exchange.trade_log import TradeLog
from replay.exchange.traders import ACCOUNTS, Cancels, Traders
from replay.exchange.wording import publications, snapshot, ticker

T = TypeVar("T")

LAG_S: Final = 0.25
"""How far a paced sandbox may fall behind before it lets go."""

AT_ONCE: Final = 16
"""Steps made before the loop gets its turn."""


MAX_MARKETS: Final = 5_000
MAX_RATE: Final = 50_000
"""Frames a second that can be asked for; a core makes some ten thousand."""

TICK_NS: Final = SECOND_NS // 20
"""The longest step: the exchange's clock is never further behind the time at which a request comes."""

STIR_EVERY: Final = 5_000
"""Actions of traders between two of the rare things of a market's life, on average."""

FORGET_AFTER_NS: Final = 6 * 3_600 * SECOND_NS
"""How long a finalized market can still be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """markets: open at the start. rate: frames a second over all channels, 0 = only what clients cause.

    speed: exchange seconds a second; 0 = as fast as clients read. start_ns: of the exchange's clock (Unix ns), 0 =
    now. accounts: made at the start; another one that has a key is made when it first asks. fund: money each gets
    (1/1,000,000 dollar). steps: 0 = go on for ever. stale_ns: how long reads of orders lag behind writes. cancels:
    which of their orders traders take back.
    """

    markets: int = 20
    rate: float = 200.0
    seed: int = 1
    speed: float = 1.0
    start_ns: int = 0
    accounts: tuple[str, ...] = ("trader",)
    fund: int = 10_000 * 1_000_000
    precision: int = DIRECT
    steps: int = 0
    stale_ns: int = 0
    paused: bool = False
    cancels: Cancels = Cancels.ANY

    def __post_init__(self) -> None:
        if not 1 <= self.markets <= MAX_MARKETS:
            raise ConfigError(f"--markets {self.markets} is not from 1 to {MAX_MARKETS}")
        if not 0 <= self.rate <= MAX_RATE:
            raise ConfigError(f"--rate {self.rate:g} is not from 0 to {MAX_RATE} frames a second")
        if not self.speed >= 0:
            raise ConfigError(f"a speed of {self.speed:g} would go back; give 0 (as fast as clients read) or more")
        if self.fund < 0 or self.stale_ns < 0:
            raise ConfigError("neither money nor a lag can be below 0")


class Machine:
    """The exchange and what goes on in it. now_ns: its time; next_ns: that of its next step."""

    def __init__(self, options: SandboxOptions, start_ns: int) -> None:
        self.options = options
        self.now_ns = self.next_ns = self._due_ns = start_ns
        self.steps = self.frames = 0
        self.dice = random.Random(options.seed)
        ids = CountingIds(options.seed)
        self.engine = MatchingEngine(ids)
        self.log = TradeLog(lambda: self.now_ns, options.stale_ns)
        self.listing = Listing(self.engine, self.dice, _endless(ids))
        self.traders = Traders(self.engine, self.dice, options.cancels)
        self.market_ids: dict[str, str] = {}
        self.tickers: dict[str, TickerChanged] = {}
        self._finalized: deque[tuple[int, str]] = deque()
        self._pending: list[Publication] = []
        for account in options.accounts:
            self.welcome(account)
        self.listing.open(options.markets, start_ns)
        self._collect()
        self._pending.clear()  # nobody was there
        self.frames = 0

    def welcome(self, account: str) -> None:
        """Make the account if it is not there, with the money everybody gets."""
        if account not in self.engine.reads.accounts():
            self.engine.fund(account, self.options.fund, precision=self.options.precision)

    def step(self) -> None:
        """Go on to `next_ns`: life, one action of the traders if it is their turn, and whatever falls due."""
        now_ns = self.now_ns = max(self.now_ns, self.next_ns)
        if 0 < self.listing.next_ns <= now_ns:
            self.engine.advance(now_ns)
            self.listing.live(now_ns)
        is_turn = self.options.rate > 0 and self._due_ns <= now_ns
        if is_turn:
            self.traders.step(now_ns)
            if self.dice.randrange(STIR_EVERY) == 0:
                self.listing.stir(now_ns)
        self.engine.advance(now_ns)
        before = self.frames
        self._collect()
        self._forget()
        self.steps += 1
        if is_turn:
            self._due_ns = now_ns + self._gap_ns(self.frames - before)
        self.next_ns = min(self._due_ns if self.options.rate else now_ns + TICK_NS, now_ns + TICK_NS)

    def act(self, command: Callable[[int], T]) -> T:
        """Do something to the engine at the present instant; what follows waits for `drain`."""
        done = command(self.now_ns)
        self._collect()
        return done

    def drain(self) -> list[Publication]:
        """Everything to be told since the last call, in order."""
        found, self._pending = self._pending, []
        return found

    def skip(self, span_ns: int) -> None:
        """Let time pass without a step: whoever drives it was too slow."""
        self.next_ns += span_ns
        self._due_ns += span_ns

    def _gap_ns(self, frames: int) -> int:
        """How long until the traders' next action, for the frames of this one: by turns far shorter and far longer."""
        span = self.dice.lognormvariate(-0.72, 1.2)  # its mean is 1
        return max(int(frames * span * SECOND_NS / self.options.rate), 1_000)

    def _collect(self) -> None:
        observe, pending = self.log.observe, self._pending
        for happening in self.engine.drain():
            observe(happening)
            if not _is_of_traders(happening):
                told = publications(happening)
                pending.extend(told)
                self.frames += len(told)
            if isinstance(happening, TickerChanged):
                self.tickers[happening.market] = happening
            elif isinstance(happening, LifecycleChanged):
                self._lived(happening)

    def _lived(self, told: LifecycleChanged) -> None:
        """A market's life went on, by whomever: the listing goes on with it."""
        spec = told.spec
        match told.event:
            case Life.CREATED:
                self.market_ids[spec.ticker] = spec.market_id
            case Life.CLOSE_DATE_UPDATED:
                self.listing.moved(spec)
            case Life.DETERMINED:
                self.listing.determined(spec, self.now_ns)
            case Life.SETTLED:
                self._finalized.append((told.at_ns, spec.ticker))
            case _:
                pass

    def _forget(self) -> None:
        """A sandbox may run for months: what is long over goes."""
        while self._finalized and self._finalized[0][0] <= self.now_ns - FORGET_AFTER_NS:
            market = self._finalized.popleft()[1]
            self.engine.life.forget(market, self.now_ns)
            self.log.forget(market)
            del self.market_ids[market]
            self.tickers.pop(market, None)


def _is_of_traders(happening: Happening) -> bool:
    """What only a synthetic trader would be told; nobody has its key."""
    match happening:
        case Filled() | PositionChanged():
            return happening.account in ACCOUNTS
        case OrderChanged():
            return happening.order.account in ACCOUNTS
        case _:
            return False


def _endless(ids: Callable[[], str]) -> Iterator[str]:
    while True:
        yield ids()


class SandboxVenue:
    """The venue. `step` and `drain` drive it without a server; `play` is for one. speed: may be changed at any time."""

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = SandboxOptions() if options is None else options
        self.start_ns = self.options.start_ns or time.time_ns()
        self.machine = Machine(self.options, self.start_ns)
        self.speed = self.options.speed
        machine = self.machine
        self._routes = Routes(machine.engine, machine.log, lambda: machine.now_ns, stale_ns=self.options.stale_ns)
        self._audience: Audience | None = None
        self._going = asyncio.Event()
        self._wanted = asyncio.Event()
        self._leaps = 0
        self._controls = controls_of(self)
        if not self.options.paused:
            self._going.set()

    @property
    def engine(self) -> MatchingEngine:
        """The exchange itself."""
        return self.machine.engine

    @property
    def now_ns(self) -> int:
        """The exchange's time, Unix ns."""
        return self.machine.now_ns

    def step(self, count: int = 1) -> None:
        """Make so many steps of the traders and of life; what is to be told waits for `drain`."""
        for _ in range(count):
            self.machine.step()

    def drain(self) -> list[Publication]:
        """Everything to be told since the last call, in order."""
        return self.machine.drain()

    async def play(self, audience: Audience) -> None:
        """Step and publish at the pace of the options; returns once `steps` are made."""
        self._audience = audience
        audience.on_subscribed(self._wanted.set)
        while self._goes_on:
            await self._going.wait()
            if self.speed:
                await self._walk(self.speed)
            else:
                await self._wanted.wait()
                end = self.machine.steps + AT_ONCE
                self.leap(until_step=min(end, self.options.steps or end))
                await audience.drained()
                await asyncio.sleep(0)

    def act(self, command: Callable[[int], T]) -> T:
        """Do something to the engine at the present instant, and publish what follows."""
        done = self.machine.act(command)
        self._publish()
        return done

    def markets(self) -> tuple[str, ...]:
        """Every market that is listed, whatever its state, sorted."""
        return tuple(sorted(self.machine.market_ids))

    def snapshot(self, market: str, *, yes_price: bool) -> Template | None:
        """The book now; None for a market that is not there."""
        market_id = self.machine.market_ids.get(market)
        if market_id is None:
            return None
        return snapshot(self.engine.reads.book(market), market_id, self.now_ns, yes_price=yes_price)

    def ticker(self, market: str) -> Template | None:
        """The summary now; None for a market that is not there."""
        if market not in self.machine.market_ids:
            return None
        told = self.machine.tickers.get(market)
        return ticker(told or self.engine.reads.market(market).ticker, self.now_ns)

    def market_of(self, market_id: str) -> str:
        """The ticker of a market's uuid, "" = unknown."""
        return next((market for market, found in self.machine.market_ids.items() if found == market_id), "")

    def rest(self, request: RestRequest) -> RestAnswer:
        """Answer a request, and publish what it led to."""
        if request.account:
            self.machine.welcome(request.account)
        return self.act(lambda _now_ns: self._routes.answer(request))

    @property
    def controls(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]]:
        """pause, resume, step {count}, advance {seconds}, speed {speed}, settle {market, result}, deactivate {market},
        activate {market}, exchange {pause}, totals {account}, status."""
        return self._controls

    def pause(self) -> None:
        """Let traders and time stand still; orders are taken all the same."""
        self._going.clear()

    def resume(self) -> None:
        """Go on."""
        self._going.set()

    @property
    def is_paused(self) -> bool:
        """Whether traders and time stand still."""
        return not self._going.is_set()

    def leap(self, *, until_step: int = 0, until_ns: int = 0) -> None:
        """Make steps at once, up to this one and this time, and tell the clients; the pace counts from there."""
        self._leaps += 1
        while self.machine.steps < until_step or self.machine.now_ns < until_ns:
            self.machine.step()
            self._publish()

    async def _walk(self, speed: float) -> None:
        """Step by the loop's clock until it is paused, leaps, or changes its speed."""
        loop, machine, leaps = asyncio.get_running_loop(), self.machine, self._leaps
        origin_s, origin_ns, in_a_row = loop.time(), machine.now_ns, 0
        while self._going.is_set() and self._goes_on and (self.speed, self._leaps) == (speed, leaps):
            late_s = loop.time() - origin_s - (machine.next_ns - origin_ns) / SECOND_NS / speed
            if late_s < 0 or in_a_row == AT_ONCE:
                await asyncio.sleep(max(-late_s, 0.0))
                in_a_row = 0
                continue
            if late_s > LAG_S:
                if self.options.start_ns:
                    origin_s += late_s
                else:
                    machine.skip(int(late_s * speed * SECOND_NS))
            machine.step()
            self._publish()
            in_a_row += 1

    @property
    def _goes_on(self) -> bool:
        return not self.options.steps or self.machine.steps < self.options.steps

    def _publish(self) -> None:
        if self._audience is not None:
            for publication in self.machine.drain():
                self._audience.publish(publication)
