"""Money: texts and integers of the exchange become units exactly or not at all."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.money import (
    DOLLAR,
    MAX_MONEY,
    MAX_SIZE,
    PRICES,
    SIZES,
    format_money,
    format_price,
    format_size,
    money_from_centicents,
    parse_money,
    parse_price,
    parse_size,
    price_from_cents,
    size_from_count,
)

PARSERS = (parse_price, parse_size, parse_money)


@pytest.mark.parametrize(
    ("text", "price"),
    [("0.4600", 4600), ("0.46", 4600), ("0", 0), ("1", 10_000), ("0.0001", 1), ("1.0000", 10_000), ("0.460000", 4600)],
)
def test_a_price_is_read_exactly_with_few_or_many_decimals(text: str, price: int) -> None:
    assert parse_price(text) == price


@pytest.mark.parametrize("text", ["1.0001", "-0.4600", "-0.0000", "2", "0.46001", "100"])
def test_a_price_outside_0_to_1_dollar_or_between_two_units_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_price(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("-2.00", -200),
        ("13.50", 1350),
        ("0.01", 1),
        ("7", 700),
        ("-0.00", 0),
        ("2.5", 250),
        ("10000000000000.00", MAX_SIZE),
    ],
)
def test_a_size_is_read_exactly_with_its_sign(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["0.001", "10000000000000.01", "-10000000000000.01", "9" * 30])
def test_a_size_finer_than_a_hundredth_or_beyond_the_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number of contracts"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "money"), [("2.800000", 2_800_000), ("-0.0900", -90_000), ("0.000001", 1), ("1000000000000", MAX_MONEY)]
)
def test_money_is_read_exactly_with_its_sign(text: str, money: int) -> None:
    assert parse_money(text) == money


@pytest.mark.parametrize("text", ["0.0000001", "1000000000000.000001"])
def test_money_finer_than_a_millionth_or_beyond_the_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount of dollars"):
        parse_money(text)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-", ".", ".5", "5.", "+0.5", " 0.5", "0.5 ", "0.5\n", "0,5", "1e-1", "1E0", "0x1", "0_1", "0.4_6",
        "00.46", "--1", "NaN", "nan", "Infinity", "inf", "-inf", "None", "\u0660.\u0664", "0.4\uff16", "0.5\0", "1/2",
        "½", "0." + "0" * 400, "0" * 400, "1" * 400,
    ],
    ids=ascii,
)  # fmt: skip
def test_a_text_that_is_no_plain_decimal_is_refused(parse: Callable[[str], int], text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse(text)


def test_an_error_names_the_value_but_not_all_of_a_huge_one() -> None:
    with pytest.raises(ValueError, match=r"1\.5000"):
        parse_price("1.5000")
    for parse in PARSERS:
        with pytest.raises(ValueError, match="9999") as caught:
            parse("9" * 100_000)
        assert len(str(caught.value)) < 200


@settings(deadline=None, max_examples=200)
@given(st.integers(0, DOLLAR))
def test_a_price_comes_back_from_its_text(price: int) -> None:
    assert parse_price(format_price(price)) == price
    assert Decimal(format_price(price)) * 10_000 == price


@settings(deadline=None, max_examples=200)
@given(st.integers(-MAX_SIZE, MAX_SIZE))
def test_a_size_comes_back_from_its_text(size: int) -> None:
    assert parse_size(format_size(size)) == size
    assert Decimal(format_size(size)) * 100 == size


@settings(deadline=None, max_examples=200)
@given(st.integers(-MAX_MONEY, MAX_MONEY))
def test_money_comes_back_from_its_text(money: int) -> None:
    assert parse_money(format_money(money)) == money
    assert Decimal(format_money(money)) * 1_000_000 == money


@settings(deadline=None, max_examples=300)
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,8})?", fullmatch=True))
def test_a_plain_decimal_is_read_as_exact_arithmetic_reads_it_or_refused(text: str) -> None:
    exact = Decimal(text) * 100
    if exact == int(exact):
        assert parse_size(text) == exact
    else:
        with pytest.raises(ValueError, match=r"steps of 0\.01"):
            parse_size(text)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=50))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in PARSERS:
        try:
            value = parse(text)
        except ValueError:
            continue
        assert isinstance(value, int)


def test_the_exchange_writes_four_two_and_six_decimals() -> None:
    assert (format_price(4600), format_price(0), format_price(10_000)) == ("0.4600", "0.0000", "1.0000")
    assert (format_size(-200), format_size(-1), format_size(1350)) == ("-2.00", "-0.01", "13.50")
    assert (format_money(2_800_000), format_money(-1)) == ("2.800000", "-0.000001")


def test_the_table_of_prices_holds_every_price_once() -> None:
    assert sorted(PRICES.values()) == list(range(DOLLAR + 1))


def test_whole_cents_and_counts_become_units() -> None:
    assert (price_from_cents(42), price_from_cents(0), price_from_cents(100)) == (4200, 0, 10_000)
    assert (size_from_count(-5), size_from_count(10)) == (-500, 1000)
    assert money_from_centicents(28_000) == 2_800_000


@pytest.mark.parametrize(
    ("convert", "values"),
    [
        (price_from_cents, (-1, 101, 10**5000)),
        (size_from_count, (10**13 + 1, -(10**13) - 1, 10**5000)),
        (money_from_centicents, (10**16 + 1, -(10**16) - 1, 10**5000)),
    ],
)
def test_whole_numbers_beyond_the_limits_are_refused(convert: Callable[[int], int], values: tuple[int, ...]) -> None:
    for value in values:
        with pytest.raises(ValueError, match="not a") as caught:
            convert(value)
        assert len(str(caught.value)) < 200


def test_remembered_sizes_are_bounded() -> None:
    for size in range(150_000):
        assert SIZES[format_size(size)] == size
        assert len(SIZES) <= 65_536


def test_a_text_that_is_no_size_is_refused_by_the_table_too_and_not_remembered() -> None:
    for text in ("", "1.001", "1_0.00", "+1.00", "\u0661.00", "01.00", f"{10**13}.01"):
        with pytest.raises(ValueError, match="not a number of contracts"):
            SIZES[text]
        assert text not in SIZES
