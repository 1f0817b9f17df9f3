"""The sandbox: a matching engine with made-up markets and traders as a venue, from one seed.

Knows how the parts go together and how fast they go. Must not know sockets or sessions. The exchange's clock stands at
its latest step; between steps nothing happens, so the same seed, start and commands at the same steps give the same
frames, whatever the pace.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.errors import ConfigError
from core.times import SECOND_NS
from replay.exchange.engine import DIRECT, MatchingEngine
from replay.exchange.happenings import Filled, Happening, OrderChanged, PositionChanged
from replay.exchange.ids import CountingIds
from replay.exchange.listing import Listing
from replay.exchange.port import Audience, Publication, RestAnswer, RestRequest, Template
from replay.exchange.routes import Routes
from replay.exchange.sandbox_controls import controls_of
from replay.exchange.trade_log import TradeLog
from replay.exchange.traders import ACCOUNTS, Traders
from replay.exchange.wording import publications, snapshot, ticker

MAX_MARKETS: Final = 5_000
MAX_RATE: Final = 50_000
"""Frames a second that can be asked for; a core makes some ten thousand."""

STIR_EVERY: Final = 5_000
"""Steps between two of the rare things of a market's life, on average."""

LAG_S: Final = 0.25
"""How far a paced sandbox may fall behind before it lets go of the loop all the same."""

AT_ONCE: Final = 64
"""Steps made before the loop gets its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """markets: open at the start. rate: frames a second over all channels, 0 = only what clients cause.

    speed: exchange seconds a second; 0 = as fast as clients read. start_ns: of the exchange's clock (Unix ns), 0 =
    now. accounts, fund: who has how much money (units of 1/1,000,000 dollar). steps: 0 = go on for ever.
    stale_ns: how long reads lag behind writes.
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

    def __post_init__(self) -> None:
        if not 1 <= self.markets <= MAX_MARKETS:
            raise ConfigError(f"--markets {self.markets} is not from 1 to {MAX_MARKETS}")
        if not 0 <= self.rate <= MAX_RATE:
            raise ConfigError(f"--rate {self.rate:g} is not from 0 to {MAX_RATE} frames a second")
        if self.speed < 0:
            raise ConfigError(f"a speed of {self.speed:g} would go back; give 0 (as fast as clients read) or more")


class SandboxVenue:
    """The venue. `step` and `drain` drive it without a server; `play` is for one."""

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = SandboxOptions() if options is None else options
        self.start_ns = self.options.start_ns or time.time_ns()
        self.now_ns = self.start_ns
        self.steps = self.frames = 0
        self.dice = random.Random(self.options.seed)
        ids = CountingIds(self.options.seed)
        self.engine = MatchingEngine(ids)
        for account in self.options.accounts:
            self.engine.fund(account, self.options.fund, precision=self.options.precision)
        self.log = TradeLog(lambda: self.now_ns, self.options.stale_ns)
        self.listing = Listing(self.engine, self.dice, _endless(ids))
        self.traders = Traders(self.engine, self.dice)
        self._routes = Routes(self.engine, self.log, lambda: self.now_ns, stale_ns=self.options.stale_ns)
        self._ids: dict[str, str] = {}
        self._pending: list[Publication] = []
        self._next_ns = self.now_ns
        self._audience: Audience | None = None
        self._going = asyncio.Event()
        self._wanted = asyncio.Event()
        self.listing.open(self.options.markets, self.now_ns)
        self._collect()
        self._pending.clear()  # nobody was there
        if not self.options.paused:
            self._going.set()

    def step(self, count: int = 1) -> None:
        """Make so many steps of the traders and of life; what is to be told waits for `drain`."""
        for _ in range(count):
            self.now_ns = max(self.now_ns, self._next_ns)
            before = self.frames
            if 0 < self.listing.next_ns <= self.now_ns:
                self.engine.advance(self.now_ns)
                self.listing.live(self.now_ns)
            if self.options.rate:
                self.traders.step(self.now_ns)
                if self.dice.randrange(STIR_EVERY) == 0:
                    self.listing.stir(self.now_ns)
            self.engine.advance(self.now_ns)
            self._collect()
            self.steps += 1
            self._next_ns = self.now_ns + _gap_ns(self.options.rate, self.frames - before, self.dice)

    def drain(self) -> list[Publication]:
        """Everything to be told since the last call, in order."""
        found, self._pending = self._pending, []
        return found

    async def play(self, audience: Audience) -> None:
        """Step and publish at the pace of the options; returns once `steps` are made."""
        self._audience = audience
        audience.on_subscribed(self._wanted.set)
        loop = asyncio.get_running_loop()
        while not self.options.steps or self.steps < self.options.steps:
            await self._going.wait()
            if not self.options.speed:
                await self._wanted.wait()
                self.publish_steps(AT_ONCE)
                await audience.drained()
                await asyncio.sleep(0)
                continue
            origin_s, origin_ns = loop.time(), self.now_ns
            while self._going.is_set() and (not self.options.steps or self.steps < self.options.steps):
                due_s = origin_s + (self._next_ns - origin_ns) / SECOND_NS / self.options.speed
                late_s = loop.time() - due_s
                await asyncio.sleep(max(-late_s, 0.0))
                if late_s > LAG_S:  # too slow for this rate: go on from here instead of running after it
                    origin_s += late_s
                self.publish_steps(1)

    def act(self, command: Callable[[int], object]) -> object:
        """Do something to the engine at the present instant, and publish what follows."""
        done = command(self.now_ns)
        self._collect()
        self._publish()
        return done

    def markets(self) -> tuple[str, ...]:
        """Every market that was ever listed, sorted."""
        return tuple(sorted(self._ids))

    def snapshot(self, market: str, *, yes_price: bool) -> Template | None:
        """The book now; None for a market that is not there."""
        market_id = self._ids.get(market)
        if market_id is None:
            return None
        return snapshot(self.engine.reads.book(market), market_id, self.now_ns, yes_price=yes_price)

    def ticker(self, market: str) -> Template | None:
        """The summary now; None for a market that is not there."""
        return ticker(self.engine.reads.market(market).ticker) if market in self._ids else None

    def market_of(self, market_id: str) -> str:
        """The ticker of a market's uuid, "" = unknown."""
        return next((market for market, found in self._ids.items() if found == market_id), "")

    def rest(self, request: RestRequest) -> RestAnswer:
        """Answer a request, and publish what it led to."""
        answer = self._routes.answer(request)
        self._collect()
        self._publish()
        return answer

    @property
    def controls(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]]:
        """pause, resume, step {count}, settle {market, result}, deactivate, activate {market}, exchange {pause}, totals
        {account}, status."""
        return controls_of(self)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts of clients."""
        return self.options.accounts

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

    def publish_steps(self, count: int) -> None:
        """Make steps and tell the clients at once."""
        self.step(count)
        self._publish()

    def _collect(self) -> None:
        for happening in self.engine.drain():
            self.log.observe(happening)
            if not _is_of_traders(happening):
                told = publications(happening)
                self._pending.extend(told)
                self.frames += len(told)
        if len(self._ids) < len(self.engine.reads.markets()):
            for market in self.engine.reads.markets()[len(self._ids) :]:
                self._ids[market] = self.engine.reads.market(market).spec.market_id

    def _publish(self) -> None:
        told = self.drain()
        if self._audience is not None:
            for publication in told:
                self._audience.publish(publication)


def _gap_ns(rate: float, frames: int, dice: random.Random) -> int:
    """How long the exchange's clock goes on until the next step, for the frames that this one made."""
    if not rate:
        return SECOND_NS // 10
    return max(int(frames * dice.expovariate(1.0) * SECOND_NS / rate), 1_000)


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
