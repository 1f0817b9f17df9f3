"""What a page shows, as plain data: the contract between the Python that computes and the script that draws.

Units: money 1/1,000,000 dollar, prices 1/10,000 dollar on the yes scale, counts 1/100 contract, times ms. `t` of a line
holds its first time and then differences, which needs a fraction of the room; None = not known, a hole in a line.
"""

from typing import TypeAlias

import msgspec

Number: TypeAlias = int | float
Span: TypeAlias = tuple[int, int, str]
"""From, until (ms on the axis it belongs to), and why or what."""


class Line(msgspec.Struct, frozen=True):
    """A value over time: `v[i]` from time i on."""

    t: list[int]
    v: list[Number | None]


class Part(msgspec.Struct, frozen=True):
    """A tape on the axis: from which ms of the axis on, and which Unix ms that is."""

    name: str
    at: int
    until: int
    unix: int


class Axis(msgspec.Struct, frozen=True):
    """The time of whole-run charts: Unix ms of one tape, or several tapes put end to end."""

    is_joined: bool
    parts: list[Part]


class Equity(msgspec.Struct, frozen=True):
    """What the run was worth over time, against its beginning. before_fees: the same had fees been nothing."""

    pnl: Line
    before_fees: Line
    drawdown: Line
    maker_fees: Line
    taker_fees: Line
    exposure: Line
    untrusted: list[Span]


class Activity(msgspec.Struct, frozen=True):
    """How many orders were placed, filled at least once, and cancelled in each stretch of `width` ms."""

    at: list[int]
    width: int
    placed: list[int]
    fills: list[int]
    canceled: list[int]


class MarkOut(msgspec.Struct, frozen=True):
    """What fills of one sort were worth later. mean, error: 1/10,000 dollar a contract, error = standard error of the
    mean; dollars: money of all of them; fills: how many had a price then. One entry for each horizon."""

    name: str
    fills: list[int]
    mean: list[float | None]
    error: list[float | None]
    money: list[int]


class MarkOuts(msgspec.Struct, frozen=True):
    """Mark-outs by sort of fill; horizons as people name them."""

    horizons: list[str]
    rows: list[MarkOut]


class Bins(msgspec.Struct, frozen=True):
    """A distribution: how many fell into each labelled bin, one list for each named series."""

    labels: list[str]
    names: list[str]
    counts: list[list[int]]


class Quantiles(msgspec.Struct, frozen=True):
    """A distribution in five numbers, as text for people; n: of how many."""

    name: str
    n: int
    median: str
    p90: str
    p99: str
    most: str


class Outcome(msgspec.Struct, frozen=True):
    """How orders ended: how many, and what share of all (0 to 1)."""

    name: str
    orders: int
    share: float
    is_ours: bool  # we ended it, or it was filled; else the exchange or the tape did


class RegimeRow(msgspec.Struct, frozen=True):
    """A regime: its share of the time seen, and the fills in it with their mark-out after 10 s (price a contract)."""

    name: str
    share: float
    fills: int
    mark_10s: float | None
    money_10s: int


class MarketRow(msgspec.Struct, frozen=True):
    """A market's line of the table. chart: its place among the charts, -1 = has none."""

    tape: int
    market: str
    chart: int
    orders: int
    fills: int
    bought: int
    sold: int
    fees: int
    pnl: int
    pnl_trusted: int
    pnl_untrusted: int
    position: int
    mark_by: str
    mark: float | None
    fee_terms: str


class Fills(msgspec.Struct, frozen=True):
    """Own fills on a chart, as columns. total: how many there were, when not all are shown."""

    t: list[int]
    price: list[int]
    count: list[int]
    is_buy: list[bool]
    fee: list[int]
    is_taker: list[bool]
    trusted: list[bool]
    why: list[str]
    position: list[int]
    mark_10s: list[float | None]
    total: int


class Trades(msgspec.Struct, frozen=True):
    """Public trades on a chart, as columns; the largest of each pixel where there are more."""

    t: list[int]
    price: list[int]
    count: list[int]
    is_yes: list[bool]  # the taker bought yes
    total: int


class Heat(msgspec.Struct, frozen=True):
    """A book over time as a picture (a data URI of a grey PNG): columns are instants from `t` to `until`, rows prices
    from `low` upward in `step`, the lowest at the bottom. A pixel: 0 nothing, 1 to 127 bids, 128 to 254 offers, each by
    the logarithm of its size up to `most`, 255 the book was not to be trusted."""

    png: str
    t: int
    until: int
    low: int
    step: int
    rows: int
    columns: int
    most: int


class Chart(msgspec.Struct, frozen=True):
    """What is drawn of one market in one tape; times are Unix ms. missing: why there are no prices, "" = there are."""

    tape: int
    market: str
    t: int
    until: int
    bid: Line
    ask: Line
    own_bid: Line
    own_ask: Line
    fills: Fills
    trades: Trades
    position: Line
    heat: Heat | None
    regimes: list[Span]
    untrusted: list[Span]
    missing: str
    settlement: int | None


class Tile(msgspec.Struct, frozen=True):
    """A number of the first screen. mood: good, bad, doubt or plain."""

    label: str
    value: str
    note: str
    mood: str = "plain"


class Fact(msgspec.Struct, frozen=True):
    """A line of what is needed to repeat the run."""

    name: str
    value: str


class Top(msgspec.Struct, frozen=True):
    """The first screen. pnl, trusted, untrusted: money."""

    title: str
    subtitle: str
    headline: str
    tiles: list[Tile]
    pnl: int
    trusted: int
    untrusted: int
    warnings: list[str]
    assumptions: list[str]


class Page(msgspec.Struct, frozen=True):
    """The whole page. missing: section to why there is nothing to show in it."""

    top: Top
    axis: Axis
    equity: Equity
    activity: Activity
    markouts: MarkOuts
    outcomes: list[Outcome]
    rates: list[Fact]
    queue: Bins
    wait: Bins
    latency: Bins
    quantiles: list[Quantiles]
    regimes: list[RegimeRow]
    markets: list[MarketRow]
    charts: list[Chart]
    facts: list[Fact]
    missing: dict[str, str]
    notes: dict[str, str]
