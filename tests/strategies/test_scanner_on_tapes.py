"""The Scanner over the real recordings: it never fails, ranks what trades, and REST stands in over recorded outages.

The recordings hold no REST answers. The exchange of these tests lists the markets that are recorded and answers for
their books what they were when the recording fell silent: nobody knows better.
"""

import json
from itertools import groupby
from typing import Final, NamedTuple

import pytest
from imported import RECORDINGS, tape_of
from strategy_run import Answer, Cast, Run, decided, over, replayed
from tapes import needs_tapes

from core.actions import Fetch, Select, Subscribe
from core.messages.types import BookSnapshot, Level
from core.money import format_price, format_size
from core.times import SECOND_NS
from replay import Player
from strategies.scanner import Scanner

pytestmark = [pytest.mark.integration, needs_tapes]

SCAN: Final = {"stale_s": "5", "rest_every_s": "2", "top": "1", "max_spread": "10000", "min_close_s": "0"}


class Second(NamedTuple):
    """What the Scanner shows at one second: by market the source and the flaw; the selection."""

    now_ns: int
    sources: dict[str, str]
    flaws: dict[str, str]
    best: tuple[str, ...]


def markets_of(name: str) -> tuple[str, ...]:
    """The markets of which a recording has books."""
    found = {m.market for _, m in Player(tape_of(name)).messages() if isinstance(m, BookSnapshot)}
    return tuple(sorted(found))


def exchange(markets: tuple[str, ...]) -> Answer:
    """Answers listings and books."""

    def answer(run: Run, fetch: Fetch) -> bytes | None:
        if fetch.path == "/markets":
            listed = [{"ticker": m, "event_ticker": m.rpartition("-")[0], "status": "active"} for m in markets]
            return json.dumps({"markets": listed, "cursor": ""}).encode()
        books = []
        for _, market in fetch.params:
            view = run.host.window(market).freeze()
            ladders = {"yes_dollars": _levels(view.yes), "no_dollars": _levels(view.no)}
            books.append({"ticker": market, "orderbook_fp": ladders})
        return json.dumps({"orderbooks": books}).encode()

    return answer


def _levels(levels: tuple[Level, ...]) -> list[list[str]]:
    return [[format_price(price), format_size(size)] for price, size in levels]


def scanned(name: str, **params: str) -> tuple[list[Second], Run, list[Cast]]:
    """What the Scanner shows every second of a recording."""
    markets = markets_of(name)
    casts = [Cast("scan", Scanner, SCAN | {"markets": ",".join(markets)} | params)]
    seen, next_ns = list[Second](), 0
    for run in over(tape_of(name).records(), casts, exchange(markets)):
        if run.now_ns < next_ns:
            continue
        next_ns = run.now_ns + SECOND_NS
        quotes = run.strategy().quotes(run.now_ns)
        sources = {quote.market: quote.source.value for quote in quotes}
        best = tuple(quote.market for quote in quotes if quote.rank)
        seen.append(Second(run.now_ns, sources, {quote.market: quote.flaw for quote in quotes}, best))
    return seen, run, casts


def sources_of(seen: list[Second], market: str) -> list[str]:
    """The sources of a market's figures one after the other, repetitions left out."""
    return [source for source, _ in groupby(second.sources.get(market, "") for second in seen)]


def test_half_a_minute_of_a_busy_market_is_ranked_by_websocket_data_alone() -> None:
    seen, run, casts = scanned("btc15m/short-30s")
    market = "KXBTC15M-26MAY110145-45"
    assert len(seen) in range(28, 32) and sources_of(seen, market)[-1] == "ws"
    assert run.actions(Select) == [Select((market,))]
    assert len(run.actions(Fetch)) == 1  # the listing
    (quote,) = run.strategy().quotes(run.now_ns)
    window = run.host.window(market)
    assert window.ticker is not None and window.ticker.volume is not None
    assert 0 < quote.volume <= window.ticker.volume
    assert (quote.bid, quote.ask) == (window.bid, window.ask)
    assert len(window.prices) // 2 < quote.activity // 1_000 < len(window.prices)  # it fades; trades were not recorded
    assert replayed(run.records, casts) == decided(run.records)


def test_sparse_markets_are_asked_about_by_rest_while_nothing_comes_and_no_more() -> None:
    seen, run, casts = scanned("hourly-btc/kalshi_ws_frames")
    assert {source for second in seen for source in second.sources.values()} == {"", "ws", "rest"}
    assert any("ws" in second.sources.values() and "rest" in second.sources.values() for second in seen)
    assert len(run.actions(Select)) <= 3
    assert replayed(run.records, casts) == decided(run.records)


@pytest.mark.slow
def test_over_eleven_seconds_of_recorded_silence_rest_stands_in_and_the_selection_stays() -> None:
    seen, _, _ = scanned("gold15m/102030-30")
    market = "KXGOLD15M-26AUG102030-30"
    outage = next(n for n, second in enumerate(seen) if second.flaws.get(market) == "stale")
    around = seen[outage - 5 : outage + 12]
    assert sources_of(around, market) == ["ws", "rest", "ws"]
    assert {second.best for second in around} == {(market,)}
    assert [flaw for flaw, _ in groupby(second.flaws[market] for second in around)] == ["", "stale", ""]


@pytest.mark.slow
def test_over_the_recorded_outage_of_22_seconds_figures_are_from_rest_until_the_next_snapshot() -> None:
    seen, run, casts = scanned("btc15m/outage-22s")
    market = "KXBTC15M-26MAY140045-45"
    spans = [(source, len(list(group))) for source, group in groupby(second.sources.get(market) for second in seen)]
    began = spans.index(next(span for span in spans if span[0] == "rest"))
    assert [source for source, _ in spans[began - 1 : began + 3]] == ["ws", "rest", "ws", "rest"]  # then it closes
    assert spans[began][1] in range(16, 20)  # stale after 5 s of 22, and REST for 2 s of steady frames more
    assert len(run.actions(Select)) <= 4
    assert replayed(run.records, casts) == decided(run.records)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_no_recording_makes_it_fail_and_its_selection_does_not_flap(name: str) -> None:
    seen, run, casts = scanned(name)
    assert any(second.best for second in seen)
    assert len(run.actions(Select)) <= 4 + len(seen) // 60
    assert replayed(run.records, casts) == decided(run.records)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["btc15m/short-30s", "gold15m/102030-30"])
def test_with_websocket_use_turned_off_a_recording_is_ranked_by_rest_alone(name: str) -> None:
    seen, run, _ = scanned(name, use_websocket="false")
    assert {source for second in seen for source in second.sources.values()} <= {"", "rest"}
    assert run.actions(Subscribe) == [] and run.actions(Select)
