"""The report's main charts as PNG files, for a mail or a document: the run's money, its fills, and each charted market.

Knows which charts there are and how they are drawn with matplotlib, for which this is the only door. Must not know how
what they show was made: it is the page's own data.
"""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np

from core.errors import ConfigError
from replay.report.parts import Axis, Chart, Line, Page, Span

WIDTH, HEIGHT, DPI = 12.0, 7.2, 120  # inches, and pixels of one: 1440 x 864

INK, MUTED, BUY, SELL, ACCENT, DOUBT = "#17212d", "#566575", "#1c6dd0", "#d26a06", "#4a57cf", "#b58900"
"""The page's colours by day."""

_SORTS: Final = (INK, BUY, SELL, DOUBT)

_MONEY: Final = 1e6
_NAME: Final = re.compile(r"[^A-Za-z0-9.-]+")
_LABELS: Final = 8
_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)
"""From one label of time to the next."""

Draw = Callable[[Any, Any], None]


def require_matplotlib() -> None:
    """Raises ConfigError where it is not installed."""
    if find_spec("matplotlib") is None:
        raise ConfigError("pictures are drawn by matplotlib, which is not installed: pip install 'tapedeck[png]'")


def write_pictures(page: Page, out: Path) -> list[Path]:
    """Write the charts of a page into a directory, which is made; the files, in order. Those there are replaced.

    What the page has nothing of gets no file. Raises ConfigError, OSError.
    """
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    out.mkdir(parents=True, exist_ok=True)
    written = []
    with rc_context(_PLAIN):
        for name, title, draw in _charts(page):
            figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, layout="constrained", facecolor="white")
            FigureCanvasAgg(figure)
            figure.suptitle(_safe(title), color=INK, fontsize=12.0)
            draw(figure, page)
            path = out / f"{name}.png"
            aside = out / f"{name}.png.partial"
            figure.savefig(aside, format="png", metadata={"Software": None})  # no version: the same run, the same bytes
            aside.rename(path)
            written.append(path)
    return written


_PLAIN: Final[Any] = {
    "font.size": 9.0,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "grid.color": "#e6eaef",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.parse_math": False,
}


def _charts(page: Page) -> Iterator[tuple[str, str, Draw]]:
    """Name of the file, title, and what draws it."""
    if page.equity.pnl.t:
        yield "money", page.top.headline, _money
    if page.markouts.rows or page.outcomes:
        yield "fills", f"What fills were worth, and how orders ended: {page.top.title}", _worth
    for number, chart in enumerate(page.charts, start=1):
        if chart.bid.t or chart.ask.t or chart.fills.t or chart.own_bid.t or chart.own_ask.t:
            name = f"market-{number:02d}-{_NAME.sub('_', chart.market)[:60]}"
            yield name, f"{chart.market}, {_day(chart.t)}", partial(_market, chart)


def _money(figure: Any, page: Page) -> None:
    top, foot = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    equity, until = page.equity, page.axis.parts[-1].until
    _step(top, equity.before_fees, until, _MONEY, color=MUTED, linewidth=1.0, linestyle=":", label="before fees")
    _step(top, equity.pnl, until, _MONEY, color=ACCENT, linewidth=1.6, label="profit and loss")
    top.axhline(0, color=MUTED, linewidth=0.8)
    top.set_ylabel("dollars")
    times, values = _stepped(equity.drawdown, until)
    foot.fill_between(times, values / _MONEY, step="post", color=SELL, alpha=0.35, linewidth=0)
    foot.set_ylabel("drawdown")
    for axes in (top, foot):
        _shade(axes, equity.untrusted)
    top.legend(loc="best", frameon=False)
    _times(foot, page.axis)


def _worth(figure: Any, page: Page) -> None:
    left, right = figure.subplots(1, 2)
    places = np.arange(len(page.markouts.horizons))
    count = max(len(page.markouts.rows), 1)
    for number, row in enumerate(page.markouts.rows):
        means = np.array([np.nan if mean is None else mean / 100 for mean in row.mean])
        errors = np.array([0.0 if error is None else error / 100 for error in row.error])
        shift = (number - (count - 1) / 2) * 0.12
        look = {"fmt": "o", "capsize": 3, "markersize": 5, "color": _SORTS[number % len(_SORTS)]}
        left.errorbar(places + shift, means, errors, label=f"{row.name} ({row.fills[0]})", **look)
    left.axhline(0, color=MUTED, linewidth=0.8)
    left.set_xticks(places, page.markouts.horizons)
    left.set_xlim(-0.5, len(places) - 0.5)
    left.set_ylabel("cents a contract, with standard errors")
    if page.markouts.rows:
        left.legend(loc="best", frameon=False)
    ends = page.outcomes[::-1]
    colors = [ACCENT if end.is_ours else SELL for end in ends]
    right.barh([_safe(end.name) for end in ends], [end.orders for end in ends], 0.6, color=colors)
    right.set_xlabel("orders")
    right.grid(visible=False, axis="y")


def _market(chart: Chart, figure: Any, _: Page) -> None:
    top, foot = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    _book(top, chart)
    for line, color, width, label in (
        (chart.bid, INK, 0.8, "best bid, offer"), (chart.ask, INK, 0.8, ""),
        (chart.own_bid, BUY, 1.8, "own bid"), (chart.own_ask, SELL, 1.8, "own offer"),
    ):  # fmt: skip
        _step(top, line, chart.until, 100, color=color, linewidth=width, label=label or None)
    fills = chart.fills
    times, prices, counts = np.cumsum(fills.t), np.array(fills.price) / 100, np.array(fills.count)
    sizes = 16 + 70 * np.sqrt(counts / max(counts.max(initial=0), 1))
    for is_buy, color, marker, label in ((True, BUY, "^", "bought"), (False, SELL, "v", "sold")):
        of = np.array(fills.is_buy, bool) == is_buy
        if of.any():
            look = {"c": color, "marker": marker, "edgecolors": "white", "linewidths": 0.6, "zorder": 5}
            top.scatter(times[of], prices[of], sizes[of], label=label, **look)
    if chart.settlement is not None:
        top.axhline(chart.settlement / 100, color=ACCENT, linewidth=0.8, linestyle="--", label="paid in the end")
    top.set_ylabel("cents")
    _step(foot, chart.position, chart.until, 100, color=ACCENT, linewidth=1.4)
    foot.axhline(0, color=MUTED, linewidth=0.8)
    foot.set_ylabel("contracts held")
    for axes in (top, foot):
        _shade(axes, chart.untrusted)
    top.set_xlim(chart.t, max(chart.until, chart.t + 1))
    if top.get_legend_handles_labels()[0]:
        top.legend(loc="best", frameon=False, ncols=3)
    _times(foot, None)


def _book(axes: Any, chart: Chart) -> None:
    """The sizes at each price, faintly, within the prices that are drawn."""
    heat = chart.heat
    if heat is None:
        return
    from io import BytesIO

    from matplotlib.image import imread

    grey = np.round(imread(BytesIO(base64.b64decode(heat.png.partition(",")[2])), "png") * 255).astype(np.int64)
    rgba = np.zeros((*grey.shape, 4))
    for of, color in (((grey > 0) & (grey < 128), BUY), ((grey > 127) & (grey < 255), SELL)):
        rgba[of, :3] = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        rgba[of, 3] = 0.04 + 0.38 * (((grey[of] - 1) % 127) / 126) ** 1.6
    half = (heat.until - heat.t) / max(heat.columns - 1, 1) / 2
    low, high = (heat.low - heat.step / 2) / 100, (heat.low + (heat.rows - 0.5) * heat.step) / 100
    where = (heat.t - half, heat.until + half, low, high)
    axes.imshow(rgba, extent=where, aspect="auto", interpolation="nearest", zorder=0)
    axes.set_ylim(low, high)


def _stepped(line: Line, until: int) -> tuple[Any, Any]:
    """Times (ms) and values of a line that stands until an instant, NaN in its holes."""
    times = [*accumulate(line.t), until] if line.t else []
    values = [np.nan if value is None else float(value) for value in (*line.v, *line.v[-1:])]
    return np.array(times), np.array(values)


def _step(axes: Any, line: Line, until: int, unit: float, **look: Any) -> None:
    times, values = _stepped(line, until)
    if len(times):
        axes.step(times, values / unit, where="post", **look)


def _shade(axes: Any, spans: Sequence[Span]) -> None:
    for begin, end, _ in spans:
        axes.axvspan(begin, max(end, begin + 1), color=DOUBT, alpha=0.14, linewidth=0, zorder=0.5)


def _times(axes: Any, axis: Axis | None) -> None:
    """Label the time in UTC; of several tapes put end to end where each begins."""
    if axis is not None and axis.is_joined:
        names = [_safe(part.name)[:24] for part in axis.parts]
        axes.set_xticks([part.at for part in axis.parts], names, rotation=20, ha="right")
        return
    if axis is not None:
        axes.set_xlim(axis.parts[0].at, axis.parts[0].until)
    first, last = axes.get_xlim()
    fitting = (step for step in _STEPS_S if (last - first) / 1_000 <= step * _LABELS)
    step = 1_000 * next(fitting, -(-int(last - first) // (86_400_000 * _LABELS)) * 86_400)
    ticks = np.arange(-(-int(first) // step) * step, int(last) + 1, step)
    axes.set_xticks(ticks, [_clock(ms, is_long=step >= 43_200_000) for ms in ticks.tolist()])
    axes.set_xlabel("UTC")


def _clock(ms: int, *, is_long: bool) -> str:
    text = str(np.datetime64(ms, "ms"))
    return text[5:16].replace("T", " ") if is_long else text[11:19]


def _day(ms: int) -> str:
    return str(np.datetime64(ms, "ms"))[:10]


def _safe(text: str) -> str:
    """What a font can draw: no line ends, no control characters, not too long."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:160]
