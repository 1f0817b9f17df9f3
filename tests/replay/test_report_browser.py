"""The report in a real browser: it draws everything, complains of nothing, asks nobody, and can be used by keyboard."""

import gzip
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from backtest_sample import SampleResult, empty, quote, walk
from browser import NARROW, WIDE, Seen, browsing, needs_browser
from fixture_tapes import fixture_tape
from tapes import TAPES, needs_tapes

from replay import open_tape
from replay.backtest.run import perform
from replay.backtest.setup import Setup
from replay.dialects.btc15m import CONNECTED, Line
from replay.importer import ImportOptions, import_recording
from replay.loading import specify
from replay.report.html import LIMIT_BYTES, write_report
from replay.synthetic import START_NS as SYNTHETIC_NS
from replay.synthetic import Plan, recording
from replay.venue.terms import VenueTerms
from strategies.regime import Detector

pytestmark = pytest.mark.integration

CHARTS = """() => DRAWN.map((one) => [one.node.getAttribute("aria-label").split(".")[0],
    one.chart.getOption().series.reduce((sum, series) => sum + (series.data || []).length, 0),
    one.node.querySelector("canvas").width])"""

TITLES = {
    "Equity and drawdown", "Price, own quotes and fills", "Book", "Inventory", "What fills were worth later", "Fees",
    "How orders ended", "Over time", "Exposure", "Ahead in the queue", "Time to a fill", "Latency",
}  # fmt: skip


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Seen]:
    with browsing() as seen:
        yield seen


@pytest.fixture(name="seen")
def _seen(browser: Seen) -> Seen:
    """The browser as it was in the beginning; one for all tests, because it takes long to start."""
    browser.complaints.clear()
    browser.requests.clear()
    browser.page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    browser.page.emulate_media(color_scheme="light")
    return browser


def opened(seen: Seen, path: Path) -> None:
    """The report, once it has drawn everything."""
    seen.page.goto(path.as_uri())
    seen.page.wait_for_selector("body[data-ready]")


def zoom_of(seen: Seen, title: str) -> Any:
    """What a chart shows of its time, in percent."""
    return seen.page.evaluate(
        """(title) => { const [zoom] = DRAWN.find((one) => one.node.getAttribute("aria-label").startsWith(title))
        .chart.getOption().dataZoom; return [Math.round(zoom.start), Math.round(zoom.end)]; }""",
        title,
    )


@pytest.fixture(name="report", scope="module")
def _report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("page")
    walk().tape(place / "tape")
    write_report(
        quote(open_tape(place / "tape"), ["KXTEST-A", "KXTEST-B"]), place / "report.html", [place / "tape"], Detector
    )
    return place / "report.html"


@needs_browser
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_every_chart_is_drawn_and_nothing_is_complained_of_or_asked_for(
    seen: Seen, size: tuple[int, int], scheme: Literal["light", "dark"], report: Path, tmp_path: Path
) -> None:
    seen.page.set_viewport_size({"width": size[0], "height": size[1]})
    seen.page.emulate_media(color_scheme=scheme)
    opened(seen, report)
    charts = seen.page.evaluate(CHARTS)
    assert {title for title, _, _ in charts} == TITLES
    assert [title for title, points, _ in charts if not points] == []
    assert all(0 < width <= 2 * size[0] for _, _, width in charts)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    shade = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", shade)[:3])) / 3
    assert (brightness < 60) if scheme == "dark" else (brightness > 200)
    assert seen.page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (seen.complaints, seen.hosts()) == ([], set())


TEXTS = """() => DRAWN.flatMap((one) => {
  const title = one.node.getAttribute("aria-label").split(".")[0];
  const texts = one.chart.getZr().storage.getDisplayList(true)
    .filter((el) => el.style && el.style.text && !el.invisible).map((el) => {
      const rect = el.getBoundingRect().clone();
      if (el.getComputedTransform()) rect.applyTransform(el.getComputedTransform());
      return { text: el.style.text, x: rect.x, y: rect.y, right: rect.x + rect.width, foot: rect.y + rect.height };
    });
  const [width, height] = [one.chart.getWidth() + 1, one.chart.getHeight() + 1];
  const cut = texts.filter((a) => a.text.endsWith("...") || a.x < -1 || a.right > width || a.y < -1 || a.foot > height);
  const shared = (a, b, from, to) => Math.min(a[to], b[to]) - Math.max(a[from], b[from]);
  const isOver = (a, b) => shared(a, b, "x", "right") > 0.5 && shared(a, b, "y", "foot") > 1;
  return [...cut.map((a) => `${title}: ${a.text} is cut`), ...texts.flatMap((a, at) =>
    texts.slice(at + 1).filter((b) => isOver(a, b)).map((b) => `${title}: ${a.text} lies over ${b.text}`))];
})"""
"""What is written in charts and cannot be read, each with its chart."""


@needs_browser
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_no_label_of_a_chart_is_cut_or_lies_over_another(seen: Seen, size: tuple[int, int], tmp_path: Path) -> None:
    walk().tape(tmp_path / "tape")
    plain = quote(open_tape(tmp_path / "tape"), ["KXTEST-A"])
    orders = plain.tables["orders"]
    ends = ["refused:order_group_triggered", *orders.column("end").to_pylist()[1:]]
    refused = orders.set_column(orders.schema.get_field_index("end"), "end", [ends]).cast(orders.schema)
    result = SampleResult({**plain.tables, "orders": refused}, plain.manifest)
    write_report(result, tmp_path / "report.html", [tmp_path / "tape"], Detector)
    seen.page.set_viewport_size({"width": size[0], "height": size[1]})
    opened(seen, tmp_path / "report.html")
    assert seen.page.evaluate(TEXTS) == []


@needs_browser
def test_what_was_not_to_be_trusted_is_shaded_on_every_time_axis(seen: Seen, report: Path) -> None:
    opened(seen, report)
    shaded = seen.page.evaluate(
        """() => DRAWN.filter((one) => one.chart.getOption().dataZoom.length).map((one) =>
        [one.node.getAttribute("aria-label").split(".")[0],
         one.chart.getOption().series.some((series) => series.markArea && series.markArea.data.length)])"""
    )
    assert {title for title, is_shaded in shaded if is_shaded} == {title for title, _ in shaded}
    assert len(shaded) == 7


@needs_browser
def test_charts_zoom_and_move_by_keys_and_those_of_a_market_together(seen: Seen, report: Path) -> None:
    opened(seen, report)
    seen.page.locator("[aria-label^='Price, own quotes']").focus()
    seen.page.keyboard.press("+")
    assert zoom_of(seen, "Price") == zoom_of(seen, "Inventory") == zoom_of(seen, "Book") == [20, 80]
    seen.page.keyboard.press("ArrowRight")
    assert zoom_of(seen, "Book") == [35, 95]
    assert zoom_of(seen, "Equity") == [0, 100]
    seen.page.keyboard.press("0")
    assert zoom_of(seen, "Price") == [0, 100]
    assert seen.complaints == []


@needs_browser
def test_another_market_is_chosen_by_keys_and_the_table_sorts(seen: Seen, report: Path) -> None:
    opened(seen, report)
    assert seen.page.evaluate("document.body.dataset.market") == "KXTEST-A"
    seen.page.locator("#market").focus()
    seen.page.keyboard.press("ArrowDown")
    seen.page.wait_for_selector("body[data-market='KXTEST-B']")
    assert "Nothing was ever held" in seen.page.locator("#market-charts").inner_text()
    seen.page.get_by_role("button", name="orders").focus()
    seen.page.keyboard.press("Enter")
    first = seen.page.locator("#markets tbody tr").first.inner_text()
    seen.page.keyboard.press("Enter")
    assert first != seen.page.locator("#markets tbody tr").first.inner_text()
    seen.page.get_by_role("button", name="KXTEST-A").click()
    seen.page.wait_for_selector("body[data-market='KXTEST-A']")
    assert (seen.complaints, seen.hosts()) == ([], set())


@needs_browser
def test_names_of_a_chart_have_room_and_hide_what_they_name(seen: Seen, report: Path) -> None:
    seen.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    opened(seen, report)
    names = seen.page.locator(".keys button")
    assert names.count() > 10
    cut = "keys => keys.filter((key) => key.scrollWidth > key.clientWidth).map((key) => key.textContent)"
    assert names.evaluate_all(cut) == []
    own = seen.page.get_by_role("button", name="own bid")
    own.focus()
    shown = """() => DRAWN.find((one) => one.node.getAttribute("aria-label").startsWith("Price"))
        .chart.getOption().legend[0].selected["own bid"]"""
    for is_shown in (False, True):
        seen.page.keyboard.press("Enter")
        assert (own.get_attribute("aria-pressed") == "true", seen.page.evaluate(shown)) == (is_shown, is_shown)
    assert seen.complaints == []


@needs_browser
def test_the_page_changes_its_colours_with_the_system(seen: Seen, report: Path) -> None:
    opened(seen, report)
    seen.page.emulate_media(color_scheme="dark")
    seen.page.wait_for_selector("body[data-scheme='dark']")
    background = seen.page.evaluate("DRAWN[0].chart.getOption().tooltip[0].backgroundColor")
    assert background == seen.page.evaluate(
        "getComputedStyle(document.documentElement).getPropertyValue('--card').trim()"
    )
    assert seen.complaints == []


@needs_browser
def test_a_market_whose_name_is_a_script_runs_nothing(seen: Seen, tmp_path: Path) -> None:
    nasty = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"
    walk(10).tape(tmp_path / "tape")
    good = quote(open_tape(tmp_path / "tape"), ["KXTEST-A"])
    tables = {
        name: table.set_column(at, "market", [[nasty] * table.num_rows]).cast(table.schema)
        if (at := table.schema.get_field_index("market")) >= 0 and table.num_rows
        else table
        for name, table in good.tables.items()
    }
    strategies = [{"name": nasty, "path": nasty, "params": {nasty: nasty}}]
    named = SampleResult(tables, {**good.manifest, "strategies": strategies, "assumptions": [nasty]})
    write_report(named, tmp_path / "report.html", [tmp_path / "tape"], Detector)
    opened(seen, tmp_path / "report.html")
    assert seen.page.evaluate("window.broken") is None
    assert nasty in seen.page.locator("#title").inner_text()
    assert nasty in seen.page.locator("#markets tbody tr").first.inner_text()
    seen.page.locator("[aria-label^='Price, own quotes']").hover()
    assert (seen.complaints, seen.hosts()) == ([], set())


@needs_browser
def test_a_page_of_nothing_gives_its_reasons(seen: Seen, tmp_path: Path) -> None:
    write_report(empty(), tmp_path / "report.html")
    seen.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    opened(seen, tmp_path / "report.html")
    text = seen.page.locator("main").inner_text()
    assert text.count("the strategy decided nothing on this tape") >= 4
    assert "neither held, quoted nor asked" in text
    assert (seen.page.evaluate(CHARTS), seen.complaints, seen.hosts()) == ([], [], set())


def traded(strategy: str, tapes: Sequence[Path], page: Path, *, markets: Sequence[str] = ("*",)) -> None:
    """The page of a true backtest."""
    setup = Setup(
        tapes=tuple(map(str, tapes)), strategies=(specify("trader", strategy, {}),),
        venue=VenueTerms("proportional@1", fees="quadratic:1", ticks="linear_cent"), markets=tuple(markets),
    )  # fmt: skip
    write_report(perform(setup, command=()), page, list(tapes), Detector)


def require_drawn(seen: Seen, page: Path) -> set[str]:
    """That every chart of a page has data, is small enough and clean; the charts' titles."""
    assert page.stat().st_size < LIMIT_BYTES
    opened(seen, page)
    charts = seen.page.evaluate(CHARTS)
    assert [title for title, points, _ in charts if not points] == []
    assert (seen.complaints, seen.hosts()) == ([], set())
    return {title for title, _, _ in charts}


@needs_browser
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "dark"), (NARROW, "light")])
def test_a_backtest_on_a_sandbox_tape_draws_everything(
    seen: Seen, size: tuple[int, int], scheme: Literal["light", "dark"], sandbox: Path
) -> None:
    seen.page.set_viewport_size({"width": size[0], "height": size[1]})
    seen.page.emulate_media(color_scheme=scheme)
    titles = require_drawn(seen, sandbox)
    assert TITLES - titles <= {"Fees"}
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.fixture(name="sandbox", scope="module")
def _sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sandbox")
    traded("pupils:Quoter", [fixture_tape("run-1", place).path], place / "report.html")
    return place / "report.html"


@needs_browser
@needs_tapes
@pytest.mark.slow
def test_a_backtest_on_settled_markets_draws_everything(seen: Seen, tmp_path: Path) -> None:
    import_recording([TAPES / "gold15m" / "102030-30"], tmp_path / "tape", ImportOptions(filtered=True))
    traded("strategies.market_maker:MarketMaker", [tmp_path / "tape"], tmp_path / "report.html")
    assert TITLES - require_drawn(seen, tmp_path / "report.html") <= {"Fees"}


@needs_browser
@pytest.mark.slow
def test_a_day_of_two_dozen_markets_stays_small(seen: Seen, tmp_path: Path) -> None:
    markets, day_s = 24, 86_400
    with gzip.open(tmp_path / "recording.jsonl.gz", "wb", 1) as out:
        for event in recording(Plan(frames=150_000, markets=markets)):
            at_ns = SYNTHETIC_NS + (event.at_ns - SYNTHETIC_NS) * day_s // 1_445
            line = Line(at_ns, event.connection, event.frame, CONNECTED if event.frame is None else None)
            out.write(msgspec.json.encode(line) + b"\n")
    import_recording([tmp_path / "recording.jsonl.gz"], tmp_path / "tape")
    traded("pupils:Quoter", [tmp_path / "tape"], tmp_path / "report.html")
    require_drawn(seen, tmp_path / "report.html")
    assert seen.page.locator("#market option").count() == markets


def _assets() -> Iterator[tuple[str, str]]:
    for asset in sorted((files("replay.report") / "assets").iterdir(), key=str):
        yield asset.name, asset.read_text("utf-8")


def test_the_library_is_the_one_that_its_note_says() -> None:
    texts = dict(_assets())
    assert sha256(texts["echarts.min.js"].encode()).hexdigest() in texts["ECHARTS.md"]
    assert "Apache License" in texts["ECHARTS-LICENSES.txt"]


def test_no_script_holds_what_would_end_it() -> None:
    for name, text in _assets():
        if name.endswith(".js"):
            assert "</script" not in text.lower() and "<!--" not in text, name
