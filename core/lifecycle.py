"""A market's life, folded from lifecycle messages that may come late, twice or in any order.

Knows the phases of PROTOCOL section 16. Must not know the clock: opening and closing send no message, so
`phase_at` is told the time.
"""

from enum import StrEnum

import msgspec

from core.messages.types import MarketLifecycle, PriceRange


class Phase(StrEnum):
    """Where a market is in its life, as far as messages have told."""

    UNKNOWN = "unknown"
    INITIALIZED = "initialized"
    ACTIVE = "active"
    INACTIVE = "inactive"  # paused by the exchange
    CLOSED = "closed"  # never stored: follows from close_ns and the time
    DETERMINED = "determined"
    SETTLED = "settled"


class Lifecycle(msgspec.Struct, frozen=True, gc=False):
    """What lifecycle messages have said of a market; times in Unix ns, 0 and "" = not said."""

    phase: Phase = Phase.UNKNOWN
    event_ticker: str = ""
    open_ns: int = 0
    close_ns: int = 0
    determined_ns: int = 0
    settled_ns: int = 0
    result: str = ""
    settlement_value: int | None = None
    price_level_structure: str = ""
    price_ranges: tuple[PriceRange, ...] = ()


def advance(before: Lifecycle, message: MarketLifecycle) -> Lifecycle:
    """The life after a message: fields count by presence, and a settled or determined market never goes back."""
    return Lifecycle(
        phase=_phase(before.phase, message),
        event_ticker=message.event_ticker or before.event_ticker,
        open_ns=message.open_ns or before.open_ns,
        close_ns=message.close_ns or before.close_ns,
        determined_ns=message.determined_ns or before.determined_ns,
        settled_ns=message.settled_ns or before.settled_ns,
        result=message.result or before.result,
        settlement_value=before.settlement_value if message.settlement_value is None else message.settlement_value,
        price_level_structure=message.price_level_structure or before.price_level_structure,
        price_ranges=message.price_ranges or before.price_ranges,
    )


def phase_at(lifecycle: Lifecycle, now_ns: int) -> Phase:
    """The phase with opening and closing by the clock, of which the exchange sends no message."""
    phase = lifecycle.phase
    if phase in (Phase.DETERMINED, Phase.SETTLED):
        return phase
    if lifecycle.close_ns and now_ns >= lifecycle.close_ns:
        return Phase.CLOSED
    if phase is Phase.INITIALIZED and lifecycle.open_ns and now_ns >= lifecycle.open_ns:
        return Phase.ACTIVE
    return phase


def _phase(before: Phase, message: MarketLifecycle) -> Phase:
    if before is Phase.SETTLED or message.settled_ns or message.event == "settled":
        return Phase.SETTLED
    if before is Phase.DETERMINED or message.determined_ns or message.event == "determined":
        return Phase.DETERMINED
    if message.is_deactivated or (message.is_deactivated is None and message.event == "deactivated"):
        return Phase.INACTIVE
    if message.is_deactivated is False or message.event == "activated":
        return Phase.ACTIVE
    if message.event == "created" and before is Phase.UNKNOWN:
        return Phase.INITIALIZED
    return before
