"""Prices, sizes and money as integers, and the texts the exchange writes them in.

Units: price 1/10,000 dollar, size 1/100 contract, money 1/1,000,000 dollar. No float and no rounding anywhere: a
text that is not exactly a number of units is refused. Knows numbers only; must not know messages or fields.
"""

import re
from typing import Final

DOLLAR: Final = 10_000
"""One dollar as a price: what a contract pays, and the highest price there is."""

MAX_SIZE: Final = 10**15  # 1/100 contract: ten times all contracts ever open, and any sum of a book fits 64 bits
MAX_MONEY: Final = 10**18  # 1/1,000,000 dollar: the widest round figure that fits 64 bits

_MAX_TEXT: Final = 40  # characters; the longest honest text (MAX_MONEY with sign and decimals) has 21
_SIZE_CACHE: Final = 65_536  # texts, 10 MB; recorded hours show 700 to 7,000 different ones
_CENTS: Final = {f".{cents:02d}": cents for cents in range(100)}
_WHOLE_DIGITS: Final = 14  # 1/100 of fewer digits than these is within MAX_SIZE
_SHOWN: Final = 40  # characters of a refused text that an error names

_DECIMAL: Final = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?")


def _units(text: str, decimals: int) -> int | None:
    """The number of 10**-decimals units that a plain decimal text means; None when it is none or not a whole number."""
    found = _DECIMAL.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if found is None:
        return None
    sign, whole, fraction = found[1], found[2], found[3] or ""
    if fraction[decimals:].strip("0"):
        return None
    units = int(whole + fraction[:decimals].ljust(decimals, "0"))
    return -units if sign else units


def _format(units: int, decimals: int) -> str:
    whole, fraction = divmod(abs(units), 10**decimals)
    return f"{'-' if units < 0 else ''}{whole}.{fraction:0{decimals}d}"


def format_price(price: int) -> str:
    """The exchange's text of a price: 4600 is "0.4600"."""
    return _format(price, 4)


def format_size(size: int) -> str:
    """The exchange's text of a size: -200 is "-2.00"."""
    return _format(size, 2)


def format_money(money: int) -> str:
    """The exchange's text of an amount: 2_800_000 is "2.800000"."""
    return _format(money, 6)


PRICES: Final = {format_price(price): price for price in range(DOLLAR + 1)}
"""Every price in the text the exchange writes it in; looking up is five times faster than parsing."""


def parse_price(text: str) -> int:
    """1/10,000 dollar, 0 to 10,000; ValueError for anything else or a finer fraction."""
    price = PRICES.get(text)
    if price is None:
        price = _units(text, 4)
        if price is None or not 0 <= price <= DOLLAR or text.startswith("-"):
            raise ValueError(f"not a price from 0 to 1 dollar in steps of 0.0001: {text[:_SHOWN]!r}")
    return price


class _Sizes(dict[str, int]):
    """Sizes by their texts: those met last."""

    def __missing__(self, text: str) -> int:
        size = parse_size(text)
        if len(self) >= _SIZE_CACHE:
            self.clear()
        self[text] = size
        return size


SIZES: Final = _Sizes()
"""1/100 contract of a text as `parse_size` gives it, ValueError likewise; remembers texts, for those that repeat."""


def parse_size(text: str) -> int:
    """1/100 contract, signed, at most MAX_SIZE either way; ValueError for anything else or a finer fraction."""
    negative = text[:1] == "-"
    whole, cents = text[negative:-3], _CENTS.get(text[-3:], -1)
    # Nearly every size is written so; int() alone would take "1_0", "+1" and digits of other scripts.
    plain = cents >= 0 and len(whole) < _WHOLE_DIGITS and whole.isdecimal() and whole.isascii()
    if plain and (whole[0] != "0" or len(whole) == 1):
        units = int(whole) * 100 + cents
        return -units if negative else units
    size = _units(text, 2)
    if size is None or abs(size) > MAX_SIZE:
        raise ValueError(f"not a number of contracts in steps of 0.01: {text[:_SHOWN]!r}")
    return size


def parse_money(text: str) -> int:
    """1/1,000,000 dollar, signed, at most MAX_MONEY either way; ValueError for anything else or a finer fraction."""
    money = _units(text, 6)
    if money is None or abs(money) > MAX_MONEY:
        raise ValueError(f"not an amount of dollars in steps of 0.000001: {text[:_SHOWN]!r}")
    return money


def price_from_cents(cents: int) -> int:
    """The price of a whole number of cents, 0 to 100; ValueError otherwise."""
    if not 0 <= cents <= 100:
        raise ValueError(f"not a price from 0 to 100 cents: {_shown(cents)}")
    return cents * (DOLLAR // 100)


def size_from_count(count: int) -> int:
    """The size of a whole number of contracts; ValueError beyond MAX_SIZE."""
    if abs(count) > MAX_SIZE // 100:
        raise ValueError(f"not a number of contracts up to {MAX_SIZE // 100}: {_shown(count)}")
    return count * 100


def money_from_centicents(amount: int) -> int:
    """The money of a number of 1/10,000 dollars (position messages until April 2026); ValueError beyond MAX_MONEY."""
    if abs(amount) > MAX_MONEY // 100:
        raise ValueError(f"not an amount up to {MAX_MONEY // 100} centi-cents: {_shown(amount)}")
    return amount * 100


def _shown(number: int) -> str:
    # Python refuses to write out an integer of more than 4,300 digits.
    return str(number) if abs(number) < 10**_SHOWN else f"an integer of {number.bit_length()} bits"
