"""What the venue knows of markets: fees, ticks and where each is in its life, as far as the tape has told by now.

Where the tape is silent, what the terms suppose, which is noted; where they suppose nothing, an error. Must not know
orders. Sources: PROTOCOL 14 (fees), 15 (ticks), 16 (lives).
"""

from typing import Final

from core.cells import NEVER
from core.errors import ConfigError
from core.fees import COUNTED, ONE, FeeTerms, FeeType
from core.fetched import Fetched
from core.lifecycle import Phase, phase_at
from core.messages.types import EventFeeUpdate, PriceRange
from core.money import DOLLAR
from core.reference import Reference, told_fees
from core.store import MarketStateStore
from core.ticks import STRUCTURES
from replay.exchange.specs import Outcome, Result
from replay.venue.terms import VenueTerms

_OF_STATUS: Final = {
    "initialized": Phase.INITIALIZED,
    "unopened": Phase.INITIALIZED,
    "active": Phase.ACTIVE,
    "open": Phase.ACTIVE,
    "inactive": Phase.INACTIVE,
    "paused": Phase.INACTIVE,
    "closed": Phase.CLOSED,
    "determined": Phase.DETERMINED,
    "disputed": Phase.DETERMINED,
    "amended": Phase.DETERMINED,
    "finalized": Phase.SETTLED,
    "settled": Phase.SETTLED,
}
"""What REST calls the phases (protocol 16.1)."""


class Facts:
    """Raises ConfigError when the terms suppose what does not exist, or something has to be known and is not."""

    def __init__(self, terms: VenueTerms, store: MarketStateStore) -> None:
        self._store = store
        self._supposed = fee_terms(terms.fees) if terms.fees else None
        self._ticks = terms.ticks
        if terms.ticks and terms.ticks not in STRUCTURES:
            raise ConfigError(f"ticks {terms.ticks!r} is none of {', '.join(sorted(STRUCTURES))}")
        self.reference = Reference(store)
        self._charged: dict[str, dict[tuple[FeeTerms, bool], None]] = {}  # by market, and whether the tape told them
        self._supposes_ticks: dict[str, None] = {}

    def take(self, fetched: Fetched) -> None:
        """An answer on the tape."""
        self.reference.take(fetched)

    def heard(self, market: str, now_ns: int) -> None:
        """A lifecycle message on the tape, which the store has taken in."""
        self.reference.heard(market, now_ns)

    def override(self, update: EventFeeUpdate, now_ns: int) -> None:
        """An event charges other fees."""
        self.reference.override(update, now_ns)

    def fees(self, market: str, now_ns: int) -> FeeTerms:
        """What its trades are charged now."""
        told = told_fees(self.reference, market, now_ns)
        if told is None and self._supposed is None:
            why = "the tape does not tell by now what its series charges"
            if self.reference.knows_fees(market):
                why = "what the tape tells of its fees is no formula that is known"
            raise ConfigError(f"{market}: {why}; say what to suppose, such as fees quadratic:1")
        found = told
        if found is None:
            assert self._supposed is not None, "else it is an error"
            found = told_fees(self.reference, market, now_ns, self._supposed) or self._supposed
        self._charged.setdefault(market, {})[found, told is not None] = None
        return found

    def fee_words(self, market: str) -> str:
        """What a market charged, one after the other, and how that is known; "" = nothing was asked."""
        said = [
            f"{terms.fee_type.value}:{terms.multiplier / ONE:g} ({'told by the tape' if is_told else 'supposed'})"
            for terms, is_told in self._charged.get(market, ())
        ]
        return ", then ".join(said)

    def ranges(self, market: str) -> tuple[PriceRange, ...]:
        """Bands of the prices it takes now."""
        found = self.reference.ranges(market)
        if found:
            return found
        if not self._ticks:
            raise ConfigError(
                f"{market}: the tape does not tell by now which prices it takes; say what to suppose, such as ticks "
                "linear_cent"
            )
        self._supposes_ticks[market] = None
        return STRUCTURES[self._ticks]

    def phase(self, market: str, now_ns: int) -> Phase:
        """Where it is in its life, by whichever of REST and lifecycle messages is newer; UNKNOWN = neither told."""
        life = self.reference.life(market)
        if life.phase is not Phase.UNKNOWN:
            return phase_at(life, now_ns)
        told = self.reference.market(market)
        return Phase.UNKNOWN if told is None else _OF_STATUS.get(told.status, Phase.UNKNOWN)

    def times(self, market: str) -> tuple[int, int]:
        """When it opens and closes (ns); 0 and NEVER = not known."""
        life, told = self.reference.life(market), self.reference.market(market)
        open_ns = life.open_ns or (0 if told is None else told.open_ns)
        return open_ns, self.reference.close_ns(market) or NEVER

    def has_book(self, market: str) -> bool:
        """Whether the tape has told a book of it by now."""
        return self._store.window(market, 0).book_ns > 0

    def event(self, market: str) -> str:
        """Its event, by its name where nothing tells it."""
        told = self.reference.market(market)
        known = self._store.lifecycle(market).event_ticker if told is None else told.event_ticker
        return known or market.rpartition("-")[0] or market

    def shard(self, market: str) -> int:
        """Its exchange_index."""
        told = self.reference.market(market)
        return 0 if told is None else told.exchange_index

    def outcome(self, market: str) -> Outcome | None:
        """What it came to, None = not told."""
        life, told = self._store.lifecycle(market), self.reference.market(market)
        pairs = [(life.result, life.settlement_value)]
        pairs += [] if told is None else [(told.result, told.settlement_value)]
        for result, value in pairs:
            paid = {"yes": DOLLAR, "no": 0}.get(result) if value is None else value
            if paid is not None:
                return Outcome(Result(result) if result in list(Result) else Result.SCALAR, paid)
        return None

    def assumptions(self) -> list[str]:
        """What was supposed, in sentences."""
        said = []
        supposed = sorted(
            market for market, charged in self._charged.items() if not all(is_told for _, is_told in charged)
        )
        if supposed:
            said.append(f"the tape does not tell the fees of {_some(supposed)}: {self.fee_words(supposed[0])}")
        if self._supposes_ticks:
            markets = sorted(self._supposes_ticks)
            said.append(f"the tape does not tell the prices that {_some(markets)} take: {self._ticks} is supposed")
        return said


def fee_terms(text: str) -> FeeTerms:
    """From "fee_type:multiplier", such as "quadratic:1"; raises ConfigError."""
    name, _, factor = text.partition(":")
    whole, _, part = (factor or "1").partition(".")
    is_number = whole.isdecimal() and len(whole) <= 4 and (not part or (part.isdecimal() and len(part) <= 4))
    kinds = [kind.value for kind in COUNTED]
    if name not in kinds or not is_number:
        raise ConfigError(f"fees {text!r} is no fee_type:multiplier; fee types are {', '.join(kinds)}")
    return FeeTerms(FeeType(name), int(whole) * ONE + int((part or "0").ljust(4, "0")))


def _some(markets: list[str]) -> str:
    return ", ".join(markets[:3]) + (f" and {len(markets) - 3} more" if len(markets) > 3 else "")
