"""The Scanner and WebSocket data: a live run in small, at the sandbox exchange, and over a session that was recorded.

Everything on the wire is the exchange's and the desks' own; the stage carries out what the Scanner decides. Nothing
here waits: time is the stage's.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from strategy_run import Cast, Run, decided, over, replayed
from strategy_stage import Stage

from core.actions import Fetch, Say, Select, Subscribe, Unsubscribe
from core.messages.types import Level
from core.money import DOLLAR, format_price, format_size
from core.records import Kind, decode_rest
from core.times import SECOND_NS
from replay import open_tape
from replay.exchange.specs import YES_WINS
from strategies.scanner import Scanner
from strategies.sights import LEVELS, Quote

pytestmark = pytest.mark.integration

SERIES: Final = "KXSANDTEMP"
FIXTURE: Final = Path(__file__).resolve().parents[1] / "data" / "fixtures" / "sandbox-1" / "tape"
SCAN: Final = {"series": SERIES, "top": "2", "margin": "100", "min_close_s": "0", "max_spread": "10000"}
TAKING: Final = {"time_in_force": "immediate_or_cancel", "self_trade_prevention_type": "taker_at_cross"}


def staged(seconds: float = 5, rate: float = 0, **params: str) -> Stage:
    """A run that has gone on for so long; five of the sandbox's markets are of the series."""
    stage = Stage(Cast("scan", Scanner, SCAN | params), markets=10, rate=rate)
    stage.start()
    stage.wait(seconds)
    return stage


def quotes(stage: Stage) -> dict[str, Quote]:
    return {quote.market: quote for quote in stage.run.strategy().quotes(stage.now_ns)}


def figures(stage: Stage) -> dict[str, tuple[Any, ...]]:
    """What a change of source must not change; activity fades with time, whatever the source."""
    return {q.market: (q.rank, q.bid, q.ask, q.depth, q.volume, q.why) for q in quotes(stage).values()}


def sent(stage: Stage, command: str) -> list[dict[str, Any]]:
    """The parameters of the commands that left on the wire, of that name or action."""
    frames = [json.loads(record.payload) for record in stage.records if record.kind == Kind.SENT]
    return [f["params"] for f in frames if command in (f["cmd"], f.get("params", {}).get("action"))]


def subscribed(stage: Stage, channel: str = "orderbook_delta") -> list[str]:
    """The series's markets that the exchange sends this channel of."""
    wanting = stage.hub.index.wanting
    return [market for market in stage.venue.markets() if market.startswith(SERIES) and wanting(channel, market)]


def of_series(stage: Stage) -> list[str]:
    return [market for market in stage.venue.markets() if market.startswith(SERIES)]


def sources(stage: Stage) -> set[str]:
    return {quote.source.value for quote in quotes(stage).values()}


def true_top(stage: Stage, market: str) -> tuple[int | None, int | None, int]:
    """Best bid, best ask and depth of the exchange's own book."""
    book = stage.venue.engine.reads.book(market)
    yes, no = sorted(book.yes, reverse=True)[:LEVELS], sorted(book.no, reverse=True)[:LEVELS]
    depth = min(sum(size for _, size in yes), sum(size for _, size in no))
    return (yes[0][0] if yes else None), (DOLLAR - no[0][0] if no else None), depth


def test_what_discovery_finds_is_subscribed_to_and_its_books_come() -> None:
    stage = staged()
    markets = of_series(stage)
    assert stage.run.actions(Subscribe) == [Subscribe(tuple(markets))] and len(markets) == 5
    for channel in ("orderbook_delta", "ticker", "trade"):
        assert subscribed(stage, channel) == markets
    assert [params["market_tickers"] for params in sent(stage, "subscribe") if "market_tickers" in params] == [
        markets
    ] * 3
    assert all(stage.window(market).is_trusted for market in markets)
    assert not any(stage.window(market).is_trusted for market in stage.venue.markets() if market not in markets)


def test_a_market_that_is_removed_is_unsubscribed_from() -> None:
    stage = staged()
    gone, *others = of_series(stage)
    stage.act(lambda now_ns: stage.venue.engine.life.deactivate(gone, now_ns))
    stage.wait(1)
    assert stage.run.actions(Unsubscribe) == [Unsubscribe((gone,))]
    assert [params["market_tickers"] for params in sent(stage, "delete_markets")] == [[gone]] * 3
    assert subscribed(stage) == others == sorted(quotes(stage))
    assert stage.window(gone).connection < 0  # its book stands still, and says so


def test_a_market_that_starts_again_is_subscribed_to_again() -> None:
    stage = staged()
    market = of_series(stage)[0]
    stage.act(lambda now_ns: stage.venue.engine.life.deactivate(market, now_ns))
    stage.wait(2)
    stage.act(lambda now_ns: stage.venue.engine.life.activate(market, now_ns))
    stage.wait(3)
    assert stage.run.actions(Subscribe)[-1] == Subscribe((market,))
    assert subscribed(stage) == of_series(stage) and stage.window(market).is_trusted


def test_quotes_are_from_websocket_data_and_follow_the_exchanges_books() -> None:
    stage = staged(rate=40, seconds=8)
    for _ in range(3):
        stage.wait(1)
        for market, quote in quotes(stage).items():
            assert (quote.source, quote.flaw, quote.age_ns) == ("ws", "", 0)
            assert stage.window(market).is_trusted
    stage.venue.machine.options = staged().venue.machine.options  # the traders rest: what was sent last arrives
    stage.wait(2)
    assert {m: (q.bid, q.ask, q.depth) for m, q in quotes(stage).items()} == {
        market: true_top(stage, market) for market in of_series(stage)
    }


def test_activity_counts_the_price_history_and_the_trades_of_a_market() -> None:
    stage = staged()
    market = next(m for m in of_series(stage) if None not in true_top(stage, m))
    before = quotes(stage)[market].activity
    points, trades = len(stage.window(market).prices), len(stage.window(market).trades)
    bid, ask, _ = true_top(stage, market)
    assert bid is not None and ask is not None
    for price in (bid, bid - 100):  # sold to the best bids: prices move, trades are told
        order = {"ticker": market, "side": "ask", "count": "400.00", "price": f"0.{price:04}"}
        stage.rest("POST", "/portfolio/events/orders", order | TAKING)
    stage.wait(1)
    events = len(stage.window(market).prices) - points + len(stage.window(market).trades) - trades
    assert events > 1
    assert before + 900 * events < quotes(stage)[market].activity <= before + 1_000 * events


def lost(stage: Stage) -> None:
    stage.reconnect_s = 20
    stage.drop()


def hung(stage: Stage) -> None:
    stage.hung = True


def found(stage: Stage) -> None:
    stage.hung = False


@pytest.mark.parametrize(
    ("break_it", "mend_it", "after_s", "flaws"),
    [
        pytest.param(lost, found, 3, {"not connected"}, id="the connection is lost"),
        pytest.param(hung, found, 33, {"not connected"}, id="the connection falls silent"),
    ],
)
def test_rest_stands_in_for_an_unhealthy_connection_and_there_and_back_nothing_jumps(
    break_it: Callable[[Stage], None], mend_it: Callable[[Stage], None], after_s: int, flaws: set[str]
) -> None:
    stage = staged(stale_s="60", rest_every_s="3")
    before, selects = figures(stage), len(stage.run.actions(Select))
    assert sources(stage) == {"ws"}
    break_it(stage)
    seen = set()
    for _ in range(after_s):
        stage.wait(1)
        assert figures(stage) == before
        seen |= sources(stage)
    assert seen == {"ws", "rest"} and sources(stage) == {"rest"}
    assert {quote.flaw for quote in quotes(stage).values()} == flaws
    assert stage.run.actions(Say)[0].text.startswith("REST stands in for 5 markets")
    mend_it(stage)
    for _ in range(30):
        stage.wait(1)
        assert figures(stage) == before
    assert sources(stage) == {"ws"}
    assert stage.run.actions(Say)[-1].text == "WebSocket data is well again"
    assert len(stage.run.actions(Select)) == selects
    assert replayed(stage.records, [Cast("scan", Scanner)]) == decided(stage.records)


def test_while_rest_stands_in_the_ranking_follows_what_rest_says() -> None:
    stage = staged(rest_every_s="2")
    lost(stage)
    stage.wait(3)
    best = stage.run.actions(Select)[-1].markets[0]
    for _ in range(12):  # everybody leaves the best market's bids
        bid = true_top(stage, best)[0]
        if bid is None:
            break
        order = {"ticker": best, "side": "ask", "count": "9000.00", "price": f"0.{bid:04}"}
        stage.rest("POST", "/portfolio/events/orders", order | TAKING)
    assert true_top(stage, best)[0] is None
    stage.wait(10)
    quote = quotes(stage)[best]
    assert (quote.source, quote.bid, quote.why, quote.rank) == ("rest", None, "one-sided", 0)
    assert best not in stage.run.actions(Select)[-1].markets


def test_a_market_whose_frames_alone_stop_is_asked_about_by_rest_and_the_others_are_not() -> None:
    stage = staged(rate=40, seconds=3, stale_s="5", rest_every_s="2")
    market = of_series(stage)[0]
    stage.muted[market] = None
    stage.wait(15)
    found = quotes(stage)
    assert (found[market].source, found[market].flaw) == ("rest", "stale")
    fresh = stage.window(market).rest
    assert fresh is not None and stage.now_ns - fresh.now_ns <= 3 * SECOND_NS
    stage.muted.clear()
    stage.wait(20)
    assert quotes(stage)[market].source == "ws"


def test_a_lost_frame_costs_no_rank_and_no_selection() -> None:
    stage = staged(rate=40)
    losing = [True]
    stage.drops = lambda frame: b"orderbook_delta" in frame and bool(losing) and losing.pop()
    stage.wait(10)
    assert losing == [] and len(sent(stage, "get_snapshot")) == 1
    assert all(stage.window(market).is_trusted for market in of_series(stage))
    assert sources(stage) == {"ws"} and stage.run.actions(Say) == []


def test_with_websocket_use_turned_off_the_wire_carries_none_of_the_markets() -> None:
    stage = staged(use_websocket="false", seconds=8)
    assert stage.run.actions(Subscribe) == [] and subscribed(stage) == []
    assert sources(stage) == {"rest"}
    for market, quote in quotes(stage).items():
        assert (quote.bid, quote.ask, quote.depth) == true_top(stage, market)
    assert len(stage.run.actions(Select)) == 1


def test_a_determined_market_leaves_the_selection_at_once() -> None:
    stage = staged()
    best = stage.run.actions(Select)[-1].markets[0]
    stage.act(lambda now_ns: stage.venue.engine.life.move_close(best, now_ns + SECOND_NS, now_ns))
    stage.wait(2)
    assert best not in quotes(stage) and best not in stage.run.actions(Select)[-1].markets
    stage.act(lambda now_ns: stage.venue.engine.life.determine(best, YES_WINS, now_ns))
    stage.wait(2)
    assert stage.run.actions(Unsubscribe) == [Unsubscribe((best,))]


def test_without_rest_too_the_scanner_waits_and_recovers_both() -> None:
    stage = staged(rest_every_s="2", stale_s="10")
    lost(stage)
    stage.down = True
    stage.wait(19)
    assert {quote.why for quote in quotes(stage).values()} == {"old data"}
    assert len([a for a in stage.asked if a.path == "/markets/orderbooks"]) <= 6
    stage.down = False
    stage.wait(5)
    assert sources(stage) == {"ws"} and len(stage.run.actions(Select)[-1].markets) == 2


def test_the_same_sandbox_gives_the_same_tape() -> None:
    first, second = staged(rate=40), staged(rate=40)
    assert first.records == second.records
    assert replayed(first.records, [Cast("scan", Scanner)]) == decided(first.records) != []


def recorded_answer(records: list[Any]) -> Callable[[Run, Fetch], bytes | None]:
    """Answers with what the recorder was answered when it asked the same; what it never asked has no answer."""
    calls = [decode_rest(record.payload) for record in records if record.kind == Kind.REST]

    def answer(_run: Run, fetch: Fetch) -> bytes | None:
        asked = sorted(f"{name}={value}" for name, value in fetch.params)
        for call in calls:
            path, _, query = call.path.partition("?")
            if path.endswith(fetch.path) and sorted(query.split("&")) == asked:
                return call.answer.encode()
        return None

    return answer


def test_over_a_recorded_session_whose_connection_is_replaced_the_scanner_ranks_and_keeps_its_choice(
    tmp_path: Path,
) -> None:
    tape = open_tape(shutil.copytree(FIXTURE, tmp_path / "tape"))
    records = list(tape.records())
    casts = [Cast("scan", Scanner, {"top": "2", "min_close_s": "0", "max_spread": "10000"})]
    seen, flaws = [], []
    for run in over(records, casts, recorded_answer(records)):
        if run.records[-1].kind == Kind.TICK or run.records[-2].kind == Kind.TICK:
            found = run.strategy().quotes(run.now_ns)
            seen.append(tuple((quote.market, quote.bid, quote.ask) for quote in found))
            flaws.append({quote.flaw for quote in found})
    assert run.actions(Subscribe) == [Subscribe(tuple(sorted({m for m, _, _ in seen[-1]})))]
    assert len(seen[-1]) == 3
    assert [len(select.markets) for select in run.actions(Select)] == [2]
    assert flaws[2:] == [{""}] * len(flaws[2:])  # another connection took over within the second
    assert run.strategy().quotes(run.now_ns)[0].source == "ws"
    assert replayed(run.records, casts) == decided(run.records)


def test_over_a_recorded_session_whose_connection_is_never_replaced_rest_stands_in(tmp_path: Path) -> None:
    tape = open_tape(shutil.copytree(FIXTURE, tmp_path / "tape"))
    records = list(tape.records())
    lost = next(record.seq for record in records if record.kind == Kind.CLOSED)
    cut = [record for record in records if record.seq <= lost or record.kind == Kind.HEARTBEAT]
    listed = recorded_answer(records)

    def answer(run: Run, fetch: Fetch) -> bytes | None:
        """Listings as recorded; of books, that nothing has changed since the connection was lost."""
        if fetch.path != "/markets/orderbooks":
            return listed(run, fetch)
        views = [run.host.window(market).freeze() for _, market in fetch.params]
        ladders = [{"yes_dollars": _levels(view.yes), "no_dollars": _levels(view.no)} for view in views]
        named = zip(views, ladders, strict=True)
        return json.dumps({"orderbooks": [{"ticker": v.market, "orderbook_fp": book} for v, book in named]}).encode()

    casts = [Cast("scan", Scanner, {"top": "2", "min_close_s": "0", "max_spread": "10000"})]
    held: dict[str, tuple[int | None, int | None]] = {}
    for run in over(cut, casts, answer):
        quotes = run.strategy().quotes(run.now_ns)
        if run.host.health.is_connected:
            windows = [run.host.window(quote.market) for quote in quotes]
            held = {window.market: (window.bid, window.ask) for window in windows}
    assert {(quote.source.value, quote.flaw) for quote in quotes} == {("rest", "not connected")}
    assert {quote.market: (quote.bid, quote.ask) for quote in quotes} == held != {}
    assert len(run.actions(Select)) == 1


def _levels(levels: tuple[Level, ...]) -> list[list[str]]:
    return [[format_price(price), format_size(size)] for price, size in levels]
