"""A market's price over time as lines of text, with our own fills in it.

Knows columns and rows. Must not know where prices or fills come from. Prices in 1/10,000 dollar.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from core.money import DOLLAR

WIDTH: Final = 64
HEIGHT: Final = 12

_EMPTY: Final = " "
_BAND: Final = "░"
_BOUGHT: Final = "B"
_SOLD: Final = "S"


class Price(NamedTuple):
    """The best bid and offer from an instant on; None = nobody."""

    now_ns: int
    bid: int | None
    ask: int | None


class Mark(NamedTuple):
    """A fill of ours. is_buy: of yes."""

    now_ns: int
    price: int
    is_buy: bool


def price_lines(
    prices: Sequence[Price], marks: Sequence[Mark], *, width: int = WIDTH, height: int = HEIGHT
) -> list[str]:
    """The picture: between bid and offer a band, our buys as B and our sales as S; [] when there is nothing to draw."""
    shown = [price for price in prices if price.bid is not None and price.ask is not None]
    if not shown:
        return []
    frame = _Frame(
        width, height, shown[0].now_ns, max(shown[-1].now_ns - shown[0].now_ns, 1),
        low=min([p.bid or 0 for p in shown] + [m.price for m in marks]),
        high=max([p.ask or 0 for p in shown] + [m.price for m in marks]),
    )  # fmt: skip
    rows = [[_EMPTY] * width for _ in range(height)]
    for at, price in _filled(shown, frame):
        for line in range(frame.row(price.ask or 0), frame.row(price.bid or 0) + 1):
            rows[line][at] = _BAND
    for mark in marks:
        rows[frame.row(mark.price)][frame.column(mark.now_ns)] = _BOUGHT if mark.is_buy else _SOLD
    labels = [_label(frame.high), *[" " * 5] * (height - 2), _label(frame.low)]
    return [f"{label} │{''.join(line).rstrip()}" for label, line in zip(labels, rows, strict=True)] + [
        f"{' ' * 5} └{'─' * width} {frame.span_ns / 1e9:.0f} s"
    ]


class _Frame(NamedTuple):
    """Where times and prices lie in the picture."""

    width: int
    height: int
    first_ns: int
    span_ns: int
    low: int
    high: int

    def column(self, now_ns: int) -> int:
        return max(0, min((now_ns - self.first_ns) * self.width // (self.span_ns + 1), self.width - 1))

    def row(self, price: int) -> int:
        return self.height - 1 - (price - self.low) * (self.height - 1) // max(self.high - self.low, 1)


def _filled(prices: Sequence[Price], frame: _Frame) -> Iterator[tuple[int, Price]]:
    """The price of each column: the last one in it, else the one before it."""
    last = {frame.column(price.now_ns): price for price in prices}
    current = prices[0]
    for at in range(frame.width):
        current = last.get(at, current)
        yield at, current


def _label(price: int) -> str:
    return f"{price / DOLLAR:5.3f}"
