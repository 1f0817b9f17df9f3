"""What the sandbox lists: series, events and markets with believable names, lives and price structures, from a seed.

Knows what is listed when, and what it comes to. Must not know orders.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec

from core.fees import FeeOverride, FeeTerms, FeeType
from core.times import SECOND_NS
from replay.exchange.engine import MatchingEngine
from replay.exchange.specs import NO_WINS, YES_WINS, EventSpec, MarketSpec, MarketStatus, MarketTexts, Outcome

MINUTE_NS: Final = 60 * SECOND_NS
MARKETS_AN_EVENT: Final = 5


class Kind(msgspec.Struct, frozen=True):
    """A series: its markets' structure, fees, and how long they live."""

    ticker: str
    title: str
    structure: str
    fees: FeeTerms
    life_ns: int
    exchange_index: int = 0


_HALF: Final = FeeTerms(multiplier=5_000)
_MAKER: Final = FeeTerms(FeeType.WITH_MAKER_FEES)
_COMBO: Final = FeeTerms(FeeType.WITH_COMBO_MAKER_FEES)

KINDS: Final = (
    Kind("KXSANDBTC", "Sandbox bitcoin price", "deci_cent", FeeTerms(), 15 * MINUTE_NS, 2),
    Kind("KXSANDTEMP", "Sandbox temperature", "linear_cent", FeeTerms(), 24 * 60 * MINUTE_NS),
    Kind("KXSANDGAME", "Sandbox game winner", "center_half_edge_half_cent", _HALF, 180 * MINUTE_NS, 3),
    Kind("KXSANDRATE", "Sandbox interest rate", "tapered_deci_cent", _MAKER, 600 * MINUTE_NS),
    Kind("KXMVESAND", "Sandbox combos", "center_deci_edge_centi_cent", _COMBO, 60 * MINUTE_NS, 1),
)  # fmt: skip
"""The series; markets are spread over them by turns, but for the combos, of which there are few."""

SETTLE_AFTER_NS: Final = 30 * SECOND_NS
DETERMINE_AFTER_NS: Final = 5 * SECOND_NS


@dataclass(slots=True)
class Listing:
    """The series of one sandbox and the plan of its markets' lives. dice: the sandbox's own generator."""

    engine: MatchingEngine
    dice: random.Random
    ids: Iterator[str]
    series: dict[str, EventSpec] = field(default_factory=dict)
    _ends: list[tuple[int, str, bool]] = field(default_factory=list)
    _count: int = 0

    def open(self, markets: int, now_ns: int) -> None:
        """List so many markets that are open now, and a few combos beside them."""
        for number in range(-(-markets // MARKETS_AN_EVENT)):
            kind = KINDS[number % (len(KINDS) - 1)]
            self._event(kind, min(MARKETS_AN_EVENT, markets - number * MARKETS_AN_EVENT), now_ns)
        self._event(KINDS[-1], 2, now_ns)

    def live(self, now_ns: int) -> None:
        """Go on with life: what has closed gets a result, and another event opens in its place."""
        reads = self.engine.reads
        while self._ends and self._ends[0][0] <= now_ns:
            _, event_ticker, is_new = self._ends.pop(0)
            found = [m for m in reads.markets() if self._spec(m).event_ticker == event_ticker]
            for market in found:
                if reads.market(market).status is MarketStatus.CLOSED:
                    self.engine.life.determine(market, self._outcome(market), now_ns)
            if is_new:
                kind = next(kind for kind in KINDS if kind.ticker == reads.event(event_ticker).series_ticker)
                self._event(kind, len(found), now_ns)

    def moved(self, spec: MarketSpec) -> None:
        """The close of a market was changed: its result comes after the new one."""
        self._plan(spec.close_ns + DETERMINE_AFTER_NS, spec.event_ticker, is_new=False)

    def determined(self, spec: MarketSpec, now_ns: int) -> None:
        """A market got its result: when it was the last of its event, another event need not wait."""
        reads, event_ticker = self.engine.reads, spec.event_ticker
        found = [m for m in reads.markets() if self._spec(m).event_ticker == event_ticker]
        if all(reads.market(market).outcome is not None for market in found):
            self._ends = [(now_ns if end[1] == event_ticker else end[0], *end[1:]) for end in self._ends]
            self._ends.sort()

    @property
    def next_ns(self) -> int:
        """When `live` has something to do next; 0 = never."""
        return self._ends[0][0] if self._ends else 0

    def stir(self, now_ns: int) -> None:
        """One of the rare things: a fee override, other price levels, another text, a market stopped and started."""
        active = [m for m in self.engine.reads.markets() if self.engine.reads.market(m).status is MarketStatus.ACTIVE]
        if not active:
            return
        market = self.dice.choice(active)
        spec, life = self._spec(market), self.engine.life
        match self.dice.randrange(5):
            case 0:
                fees = self.dice.choice((FeeOverride(), FeeOverride(FeeType.WITH_MAKER_FEES, 5_000)))
                life.override_fees(spec.event_ticker, fees, now_ns)
            case 1:
                finer = (
                    "tapered_deci_cent" if spec.price_level_structure == "linear_cent" else spec.price_level_structure
                )
                changed = msgspec.structs.replace(spec, price_level_structure=finer, price_ranges=())
                life.change_price_levels(market, changed, now_ns)
            case 2:
                texts = msgspec.structs.replace(
                    spec.texts, yes_sub_title=f"{spec.texts.yes_sub_title} (corrected)"[:60]
                )
                life.change_texts(market, texts, now_ns)
            case 3:
                life.move_close(market, spec.close_ns + MINUTE_NS, now_ns)
            case _:
                life.deactivate(market, now_ns)
                life.activate(market, now_ns)

    def _event(self, kind: Kind, markets: int, now_ns: int) -> None:
        self._count += 1
        close_ns = now_ns + int(kind.life_ns * (0.5 + self.dice.random()))
        day = datetime.fromtimestamp(close_ns // SECOND_NS, UTC)
        ticker = f"{kind.ticker}-{day:%y%b%d%H%M}".upper() + f"N{self._count}"
        event = EventSpec(
            event_ticker=ticker,
            series_ticker=kind.ticker,
            title=f"{kind.title} on {day:%b} {day.day}",
            subtitle=f"{day:%b} {day.day}, {day.year}",
            exchange_index=kind.exchange_index,
            collateral_return_type="MECNET",
            strike_ns=close_ns,
            fees=kind.fees,
        )
        self.series.setdefault(kind.ticker, event)
        self.engine.life.add_event(event, now_ns)
        floor = self.dice.randrange(20, 80)
        for number in range(markets):
            self.engine.life.add_market(self._market(kind, event, floor + 5 * number, close_ns, now_ns), now_ns)
        self._plan(close_ns + DETERMINE_AFTER_NS, ticker, is_new=True)

    def _plan(self, at_ns: int, event_ticker: str, *, is_new: bool) -> None:
        self._ends.append((at_ns, event_ticker, is_new))
        self._ends.sort()

    def _market(self, kind: Kind, event: EventSpec, strike: int, close_ns: int, now_ns: int) -> MarketSpec:
        texts = MarketTexts(
            name=f"{strike} or above",
            title=f"Will the {kind.title.lower()} be {strike} or above?",
            yes_sub_title=f"{strike} or above",
            no_sub_title=f"Below {strike}",
            rules_primary=f"If it is at least {strike}, the market resolves to Yes. Made up by a sandbox.",
            strike_type="greater_or_equal",
            floor_strike=str(strike),
        )
        return MarketSpec(
            ticker=f"{event.event_ticker}-T{strike}",
            event_ticker=event.event_ticker,
            market_id=next(self.ids),
            open_ns=now_ns,
            close_ns=close_ns,
            exchange_index=kind.exchange_index,
            price_level_structure=kind.structure,
            expected_expiration_ns=close_ns + MINUTE_NS,
            settlement_timer_ns=SETTLE_AFTER_NS,
            texts=texts,
        )

    def _spec(self, market: str) -> MarketSpec:
        return self.engine.reads.market(market).spec

    def _outcome(self, market: str) -> Outcome:
        """What the last price made likely."""
        price = self.engine.reads.market(market).ticker.price
        return YES_WINS if self.dice.randrange(10_000) < (price or 5_000) else NO_WINS
