"""The picture of a price: where the band is, where fills are, and what happens with next to nothing."""

from replay.picture import Mark, Price, price_lines

NS = 10**9


def test_a_rising_price_rises_to_the_right_and_fills_stand_where_they_happened() -> None:
    prices = [Price(second * NS, 1_000 + 100 * second, 1_050 + 100 * second) for second in range(11)]
    lines = price_lines(prices, [Mark(0, 1_000, is_buy=True), Mark(10 * NS, 2_050, is_buy=False)], width=11, height=6)
    assert lines[0].startswith("0.205 │") and lines[0].endswith("S")
    assert lines[5].startswith("0.100 │B")
    assert lines[6].endswith(" 10 s")
    tops = [next(row for row in range(6) if line_at(lines, row, column) != " ") for column in range(11)]
    assert tops == sorted(tops, reverse=True) and tops[0] > tops[-1]


def test_a_price_stays_until_the_next_one() -> None:
    lines = price_lines([Price(0, 4_000, 4_000), Price(9 * NS, 5_000, 5_000)], [], width=10, height=2)
    assert [line_at(lines, 1, column) for column in range(10)] == ["░"] * 9 + [" "]
    assert line_at(lines, 0, 9) == "░"


def test_without_two_sides_there_is_no_picture() -> None:
    assert price_lines([Price(0, None, 4_000), Price(1, 4_000, None)], [Mark(0, 5, is_buy=True)]) == []


def test_one_instant_and_one_price_are_drawn_too() -> None:
    assert len(price_lines([Price(5, 4_000, 4_100)], [], width=8, height=3)) == 4


def line_at(lines: list[str], row: int, column: int) -> str:
    """The character of a place in the picture."""
    drawn = lines[row].partition("│")[2]
    return drawn[column] if column < len(drawn) else " "
