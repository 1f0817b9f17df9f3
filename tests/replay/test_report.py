"""The report's parts: what it draws is what the result says, thinned without changing the picture."""

import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from backtest_sample import START_NS, SampleResult, empty, quote, walk

from core.errors import ConfigError
from core.messages.types import Trade
from core.views import PricePoint
from replay import Player, open_tape
from replay.backtest.tables import TABLES
from replay.report import curves, headline, measures, quotes
from replay.report.axis import axis_of, place
from replay.report.building import look, page_of
from replay.report.html import LIMIT_BYTES, data_of, html_of, write_report
from replay.report.markets import CHARTS, Drawn, Place, chosen, span_of
from replay.report.parts import Page
from replay.report.shown import tapes_of, written, written_lines
from replay.report.sights import Sight, Wanted, watch
from strategies.regime import Detector

MS = 1_000_000
SECOND = 1_000 * MS


def table(name: str, *rows: dict[str, Any]) -> pa.Table:
    """A table of a result; columns that are not given are 0, "", False or null."""
    blank = {field.name: None if field.nullable else _nothing(field.type) for field in TABLES[name]}
    return pa.Table.from_pylist([{**blank, **row} for row in rows], schema=TABLES[name])


def _nothing(kind: pa.DataType) -> Any:
    if pa.types.is_boolean(kind):
        return False
    return 0 if pa.types.is_integer(kind) or pa.types.is_floating(kind) else ""


def with_tables(result: SampleResult, **tables: pa.Table) -> SampleResult:
    return SampleResult({**result.tables, **tables}, result.manifest)


@pytest.fixture(name="sampled", scope="module")
def _sampled(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleResult, Path]:
    path = tmp_path_factory.mktemp("report") / "told-tape"
    walk().tape(path)
    return quote(open_tape(path), ["KXTEST-A", "KXTEST-B"], {"KXTEST-A": 10_000}), path


# ------------------------------------------------------------------ time


def test_one_tape_keeps_its_clock_and_several_stand_end_to_end() -> None:
    day = {"path": "a/one", "from_ns": 5 * SECOND, "until_ns": 9 * SECOND}
    later = {"path": "b/two", "from_ns": 90_000 * SECOND, "until_ns": 90_001 * SECOND}
    alone, both = axis_of([day]), axis_of([day, later])
    at_ns = np.array([6 * SECOND, 90_000 * SECOND + 500 * MS, 95_000 * SECOND])
    assert place(alone, np.array([0]), at_ns[:1]).tolist() == [6_000]
    assert place(both, np.array([0, 1, 1]), at_ns).tolist() == [1_000, 4_500, 5_000]
    assert [part.name for part in both.parts] == ["one", "two"]
    assert [part.unix for part in both.parts] == [5_000, 90_000_000]


# ------------------------------------------------------------------ money


def test_drawdown_counts_from_the_best_so_far_the_beginning_included() -> None:
    assert curves.drawdown_of(np.array([-5, 3, 1, 7, -2])).tolist() == [5, 0, 2, 0, 9]


def test_spans_that_overlap_are_one_with_both_reasons() -> None:
    spans = [(5, 9, "gap"), (0, 2, "no_snapshot"), (8, 12, "stall"), (20, 21, "gap")]
    assert curves.merged(spans) == [(0, 2, "no_snapshot"), (5, 12, "gap and 1 more"), (20, 21, "gap")]


def test_the_curve_of_equity_ends_at_the_profit(sampled: tuple[SampleResult, Path]) -> None:
    result, _ = sampled
    only = with_tables(
        result,
        equity=table(
            "equity",
            {"at_ns": START_NS, "equity": 1_000_000_000},
            {"at_ns": START_NS + SECOND, "equity": 999_000_000, "fees": 300_000},
        ),
    )
    found = curves.equity_of(only.tables, 1_000_000_000, axis_of(result.manifest["tapes"]))
    assert (found.pnl.v, found.before_fees.v, found.drawdown.v) == ([0, -1_000_000], [0, -700_000], [0, -1_000_000])
    assert sum(found.pnl.t) - found.pnl.t[0] == 1_000


# ------------------------------------------------------------------ fills and orders


def fill(side: str, price: int, count: int, **given: Any) -> dict[str, Any]:
    return dict(side=side, price=price, count=count, trusted=True, **given)


def test_mark_outs_are_signed_by_side_and_weighed_by_count() -> None:
    found = measures.mark_outs(
        table(
            "fills",
            fill("bid", 4_000, 100, mark_1s=4_100.0, settlement=10_000),
            fill("ask", 4_000, 300, mark_1s=4_100.0),
            fill("bid", 4_000, 100, is_taker=True),
        )
    )
    rows = {row.name: row for row in found.rows}
    at = found.horizons.index("1 s later")
    assert (rows["all"].fills[at], rows["all"].mean[at], rows["all"].money[at]) == (2, -50.0, -20_000)
    assert rows["taker"].mean[at] is None
    assert rows["all"].money[found.horizons.index("settlement")] == 600_000
    assert "book untrusted" not in rows


def test_the_error_of_a_mean_is_that_of_equal_weights_where_they_are_equal() -> None:
    marks = [4_100.0, 4_300.0, 3_900.0, 4_600.0]
    found = measures.mark_outs(table("fills", *(fill("bid", 4_000, 100, mid=mark) for mark in marks)))
    assert found.rows[0].error[0] == pytest.approx(np.std(marks) / np.sqrt(4), abs=1e-3)


def test_outcomes_part_the_cancelled_from_the_partly_filled() -> None:
    ends = [
        ("canceled", 0),
        ("canceled", 30),
        ("executed", 100),
        ("refused:post_only", 0),
        ("resting", 0),
        ("canceled", 0),
    ]
    orders = table("orders", *({"end": end, "filled": filled, "count": 100} for end, filled in ends))
    found = {outcome.name: (outcome.orders, outcome.is_ours) for outcome in measures.outcomes(orders)}
    assert found == {
        "canceled": (2, True), "partly filled, then canceled": (1, True), "executed": (1, True),
        "refused: post_only": (1, False), "resting": (1, False),
    }  # fmt: skip


def test_rates_of_nothing_divide_by_nothing() -> None:
    assert measures.rates(table("orders"), table("fills"), 0) == []
    found = measures.rates(table("orders", {"count": 100, "end": "resting"}), table("fills"), 0)
    assert {fact.name: fact.value for fact in found}["fills that took"] == "none"


def test_distributions_hold_every_order_and_fill() -> None:
    orders = table(
        "orders",
        *({"ahead": ahead, "filled": ahead % 3, "arrived_ns": 5 * MS} for ahead in (0, 1, 999, 1_000, 5_000_000)),
    )
    queue = measures.queue(orders)
    assert sum(map(sum, queue.counts)) == 5
    assert [sum(column) for column in zip(*queue.counts, strict=True)] == [1, 2, 1, 0, 0, 0, 0, 0, 0, 1]
    fills = table("fills", fill("bid", 1, 1, rested_ns=3 * SECOND), fill("bid", 1, 1))
    wait = measures.wait(fills)
    assert dict(zip(wait.labels, wait.counts[0], strict=True)) == {"1 s": 0, "2 s": 1, "5 s": 0}
    assert measures.latency(orders, table("fills")).names == ["decision to venue"]
    assert next((row.name, row.n, row.median) for row in measures.quantiles(orders, fills)) == (
        "decision to venue",
        5,
        "5 ms",
    )


def test_own_quotes_follow_amendments_and_show_the_best_of_several() -> None:
    decisions = table(
        "decisions",
        {"do": "place", "at_ns": 0, "action": '{"do":"place","client_order_id":"a","price":4000}'},
        {"do": "amend", "at_ns": 50, "action": '{"do":"amend","client_order_id":"a","price":4200}'},
        {"do": "amend", "at_ns": 60, "action": '{"do":"amend","client_order_id":"a","price":9000}', "refused": "lag"},
    )
    orders = table(
        "orders",
        {
            "client_order_id": "a",
            "side": "bid",
            "price": 4_200,
            "decided_ns": 0,
            "arrived_ns": 10,
            "ended_ns": 100,
            "amendments": 1,
        },
        {"client_order_id": "b", "side": "bid", "price": 4_100, "decided_ns": 20, "arrived_ns": 30, "ended_ns": None},
        {
            "client_order_id": "c",
            "side": "ask",
            "price": 4_500,
            "decided_ns": 20,
            "arrived_ns": 30,
            "ended_ns": 40,
            "ioc": True,
        },
    )
    found = quotes.resting(orders, quotes.price_paths(decisions), 500)
    assert list(zip(found["bid"].times.tolist(), found["bid"].prices.tolist(), strict=True))[:4] == [
        (10, 4_000.0), (30, 4_100.0), (60, 4_200.0), (100, 4_100.0),
    ]  # fmt: skip
    assert np.isnan(found["bid"].prices[-1]) and found["bid"].times[-1] == 500
    assert not len(found["ask"].times)


# ------------------------------------------------------------------ what a tape shows


def test_every_price_and_trade_of_a_market_is_seen(sampled: tuple[SampleResult, Path]) -> None:
    tape = open_tape(sampled[1])
    prices: list[tuple[int | None, int | None]] = []
    trades: list[tuple[int, str]] = []
    player = Player(tape, "columns", checkpoint_records=0)
    for record, step in player.play():
        window = player.store.window("KXTEST-A", player.now_ns)
        best = (window.bid, window.ask)
        if not prices or best != prices[-1]:
            prices.append(best)
        if isinstance(step.message, Trade):
            trades.append((record.at_ns, step.message.trade_id))
    [sight] = watch(tape, [Wanted("KXTEST-A", sampled[0].manifest["tapes"][0]["from_ns"], player.now_ns)], Detector)
    assert len(trades) == 900 and sight.missed == 0
    assert [(trade.now_ns, trade.trade_id) for trade in sight.trades] == trades
    assert [(point.yes_bid, point.yes_ask) for point in sight.prices] == prices[1:]
    assert {name for _, name in sight.regimes} <= {"quiet", "trending", "volatile", "frozen"}
    assert len(sight.books) == 401
    assert not all(book.is_trusted for book in sight.books)


def test_a_market_is_shown_from_before_its_first_order_to_after_its_last(sampled: tuple[SampleResult, Path]) -> None:
    tape = {"from_ns": START_NS, "until_ns": START_NS + 10_000 * SECOND}
    orders = table(
        "orders", {"market": "M", "decided_ns": START_NS + 1_000 * SECOND, "ended_ns": START_NS + 2_000 * SECOND}
    )
    place = chosen(table("markets", {"market": "M"}))[0]
    shown = Wanted("M", START_NS + 800 * SECOND, START_NS + 2_200 * SECOND)
    assert span_of(with_tables(sampled[0], orders=orders).tables, place, tape) == shown
    paid = table("positions", {"market": "M", "at_ns": START_NS + 900_000 * SECOND})  # by an answer days later
    assert span_of(with_tables(sampled[0], orders=orders, positions=paid).tables, place, tape) == shown


def test_the_busiest_markets_get_charts() -> None:
    rows = [{"market": f"M{number}", "fills": number} for number in range(CHARTS + 6)]
    found = chosen(table("markets", *rows))
    assert [place.market for place in found[:2]] == [f"M{CHARTS + 5}", f"M{CHARTS + 4}"]
    assert len(found) == CHARTS


# ------------------------------------------------------------------ the page


def test_a_page_says_what_was_run_and_what_came_of_it(sampled: tuple[SampleResult, Path]) -> None:
    result, path = sampled
    page = page_of(result, look(result, [path], Detector))
    assert page.missing == {}
    assert page.top.pnl == page.top.trusted + page.top.untrusted
    assert "told-tape" in page.top.subtitle
    assert any("were supposed" in warning for warning in page.top.warnings)
    assert "power@1" in page.top.assumptions[0]
    assert [chart.market for chart in page.charts] == ["KXTEST-A", "KXTEST-B"]
    for chart in page.charts:
        assert chart.bid.t and not chart.missing
    assert page.charts[0].untrusted and page.equity.untrusted
    assert sum(row.share for row in page.regimes) == pytest.approx(1)
    assert sum(outcome.orders for outcome in page.outcomes) == result.tables["orders"].num_rows


@pytest.mark.parametrize(
    ("tapes", "why"),
    [([], "was not at hand"), (["absent"], "could not be read")],
)
def test_without_its_tape_a_page_says_what_it_leaves_out(
    tapes: list[str], why: str, sampled: tuple[SampleResult, Path], tmp_path: Path
) -> None:
    page = page_of(sampled[0], look(sampled[0], [tmp_path / name for name in tapes], Detector))
    assert why in page.charts[0].missing and why in page.missing["regimes"]
    assert page.charts[0].fills.total and page.charts[0].own_bid.t
    assert page.charts[0].heat is None


def test_a_strategy_that_did_nothing_is_said_to_have_done_nothing() -> None:
    page = page_of(empty(), look(empty(), []))
    assert page.top.headline == "Placed no order in 1 min 00 s of tape, so nothing was won or lost."
    for part in ("equity", "orders", "activity", "queue", "latency", "markouts", "fees", "wait"):
        assert page.missing[part] == "No order was placed: the strategy decided nothing on this tape."
    assert "neither held, quoted nor asked" in page.missing["markets"]


def test_orders_that_were_all_refused_or_never_filled_are_told_so() -> None:
    refused = with_tables(
        empty(),
        decisions=table(
            "decisions",
            {"do": "place", "refused": "max_order"},
            {"do": "place", "refused": "max_order"},
            {"do": "cancel"},
        ),
    )
    assert page_of(refused, []).missing["orders"] == "No order reached the venue: 2 \u00d7 max_order."
    unfilled = with_tables(empty(), orders=table("orders", {"end": "canceled"}, {"end": "refused:post_only"}))
    page = page_of(unfilled, [])
    assert page.missing["markouts"] == "No order was filled: of 2 orders, 1 canceled, 1 refused."
    assert (
        page.top.headline == "Placed 2 orders in 1 min 00 s of tape, and none was filled, so nothing was won or lost."
    )


@pytest.mark.parametrize("money", [0, 1, 9_999, 10_000, -1_234_567_890])
def test_dollars_keep_what_is_below_a_cent(money: int) -> None:
    wanted = {0: "$0.00", 1: "$0.000001", 9_999: "$0.009999", 10_000: "$0.01", -1_234_567_890: "\u2212$1,234.57"}
    assert headline.dollars(money) == wanted[money]


# ------------------------------------------------------------------ the file


NASTY = "</script><img src=x onerror=alert(1)>&\u2028"


def test_data_cannot_end_the_script_that_holds_it() -> None:
    result = with_tables(empty(), markets=table("markets", {"market": NASTY}))
    page = page_of(result, [])
    data = data_of(page)
    assert not set(data) & set("<>&\u2028")
    assert msgspec.json.decode(data, type=Page) == page
    assert "onerror=alert" not in html_of(page).replace(data, "")


def test_the_file_is_whole_and_asks_for_nothing_outside(sampled: tuple[SampleResult, Path], tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    write_report(sampled[0], out, [sampled[1]], Detector)
    text = out.read_text("utf-8")
    assert out.stat().st_size < LIMIT_BYTES
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert text.count("<script") == text.count("</script>")
    assert "default-src &#x27;none&#x27;" in text
    assert not [part for part in ('src="http', "@import", 'href="http', "url(http") if part in text]


def test_a_page_that_would_be_too_large_is_drawn_coarser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(8)
    wanted = Wanted("M", START_NS, START_NS + 60 * SECOND)
    points = [
        PricePoint(START_NS + number * 5 * MS, dice.randrange(3_000, 5_000), dice.randrange(5_000, 7_000))
        for number in range(12_000)
    ]
    drawn = [Drawn(Place(0, "M"), wanted, Sight(wanted, points), "")]
    monkeypatch.setattr("replay.report.html.look", lambda *_: drawn)
    fine = write_report(empty(), tmp_path / "fine.html")
    size = (tmp_path / "fine.html").stat().st_size
    monkeypatch.setattr("replay.report.html.LIMIT_BYTES", size - 1)
    coarse = write_report(empty(), tmp_path / "coarse.html")
    assert (tmp_path / "coarse.html").stat().st_size < size
    assert len(coarse.charts[0].bid.t) < len(fine.charts[0].bid.t) <= 4_800
    assert [min(filter(None, page.charts[0].bid.v)) for page in (fine, coarse)] == 2 * [
        min(filter(None, [point.yes_bid for point in points]))
    ]


# ------------------------------------------------------------------ what is said when it was made


def test_tapes_are_where_the_result_says_or_where_somebody_says(tmp_path: Path) -> None:
    assert tapes_of(empty(), None) == [Path("absent")]
    assert tapes_of(empty(), [tmp_path]) == [tmp_path]
    with pytest.raises(ConfigError, match="given 2 times, the result is of 1 tapes"):
        tapes_of(empty(), [tmp_path, tmp_path])


def test_whoever_made_a_page_is_told_what_was_left_out(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    lines = list(written_lines(written(write_report(empty(), out), out)))
    assert lines[0].startswith("Placed no order")
    assert any(line.startswith("left out   activity, equity, fees") and "decided nothing" in line for line in lines)
    assert lines[-1] == f"report     {out}  ({out.stat().st_size:,} bytes, charts of 0 markets)"
