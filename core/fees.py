"""What a trade costs (protocol 14): formula, overrides, waiver and the three roundings.

Units: price 1/10,000 dollar, size 1/100 contract, money 1/1,000,000 dollar, multiplier and rate 1/10,000. Integers
only. Must not know who trades.
"""

from enum import StrEnum
from typing import Final

import msgspec

from core.money import DOLLAR

ONE: Final = 10_000
"""A fee multiplier of 1: multipliers are counted in 1/10,000."""


class FeeType(StrEnum):
    """How a series, or an event by override, charges for trades (protocol 14)."""

    QUADRATIC = "quadratic"
    WITH_MAKER_FEES = "quadratic_with_maker_fees"
    WITH_COMBO_MAKER_FEES = "quadratic_with_combo_maker_fees"
    FLAT = "flat"
    MARKET_MAKER_PROGRAM = "margin_market_maker_program_fees"


class FeeTerms(msgspec.Struct, frozen=True, gc=False):
    """The fees of a series. multiplier: in 1/10,000; 0 = free. flat: money units a contract, for FLAT only.

    The exchange's table of flat fees is in no source we have, so `flat` is what the caller says.
    """

    fee_type: FeeType = FeeType.QUADRATIC
    multiplier: int = ONE
    flat: int = 0


class FeeOverride(msgspec.Struct, frozen=True, gc=False):
    """What an event charges instead of its series; None = as the series does. multiplier: in 1/10,000."""

    fee_type: FeeType | None = None
    multiplier: int | None = None


COUNTED: Final = (FeeType.QUADRATIC, FeeType.WITH_MAKER_FEES, FeeType.WITH_COMBO_MAKER_FEES)
"""Types with a formula that is published."""

TAKER_RATE: Final = 700
"""0.07, of every fee type but FLAT."""

MAKER_RATES: Final = {FeeType.WITH_MAKER_FEES: 175, FeeType.WITH_COMBO_MAKER_FEES: 350}
"""A quarter and a half of the taker's; other types take nothing of makers.

MARKET_MAKER_PROGRAM is documented nowhere: here it is as QUADRATIC.
"""

FINE_STEPS_FROM_NS: Final = 1_788_220_800_000_000_000  # 2026-09-01T00:00:00Z; the exchange names no day
"""From here on fees are rounded up to one money unit, before to $0.0001."""

CENT: Final = 10_000
"""Money: what an order paid for rounding comes back by the cent, and payouts are rounded down to it."""

_UNITS: Final = DOLLAR * DOLLAR * 100 * ONE * ONE // 1_000_000
"""Parts of one money unit in price * (dollar - price) * size * multiplier * rate."""


class Charge(msgspec.Struct, frozen=True, gc=False):
    """What one fill costs an account. fee: all of it, never below 0; rounding: paid by its order and not given back."""

    fee: int
    rounding: int


def terms_in_force(terms: FeeTerms, override: FeeOverride, *, waived: bool) -> FeeTerms:
    """What is charged now: the series's terms, an event's override before them, nothing while waived."""
    if waived:
        return FeeTerms(terms.fee_type, 0)
    return FeeTerms(
        terms.fee_type if override.fee_type is None else override.fee_type,
        terms.multiplier if override.multiplier is None else override.multiplier,
        terms.flat,
    )


def fee_step(at_ns: int) -> int:
    """What a trade fee is rounded up to, by date (money units)."""
    return 1 if at_ns >= FINE_STEPS_FROM_NS else 100


def trade_fee(terms: FeeTerms, price: int, count: int, step: int, *, taker: bool) -> int:
    """The fee before the balance is aligned, rounded up to `step`."""
    if terms.fee_type is FeeType.FLAT:
        exact, unit = terms.flat * count * terms.multiplier, 100 * ONE
    else:
        rate = TAKER_RATE if taker else MAKER_RATES.get(terms.fee_type, 0)
        exact, unit = price * (DOLLAR - price) * count * terms.multiplier * rate, _UNITS
    return -(-exact // (unit * step)) * step


def charge(revenue: int, fee: int, precision: int, rounding: int) -> Charge:
    """Align a balance change of `revenue - fee` down to a precision: the account pays the difference.

    rounding: what the order paid for that so far; beyond a cent a cent comes back, if the whole fee stays at least 0.
    """
    paid = (revenue - fee) % precision
    rounding += paid
    total = fee + paid
    if rounding > CENT and total >= CENT:
        return Charge(total - CENT, rounding - CENT)
    return Charge(total, rounding)
