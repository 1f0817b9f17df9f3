"""The sandbox's REST: every answer is one that the recorder's parsers read, every refusal in the exchange's words."""

import json
from typing import Any

import pytest
from sandbox_asked import ORDERS, START_NS, a_market, ask, busy, get, later, order

from core import answers
from core.answers import Page
from core.fees import FeeOverride, FeeType
from core.messages.types import Malformed
from core.times import parse_rfc3339
from replay.exchange.sandbox import SandboxOptions, SandboxVenue
from replay.exchange.specs import YES_WINS
from replay.exchange.views import Pause


@pytest.fixture
def venue() -> SandboxVenue:
    return busy()


def test_markets_come_page_by_page_and_end_with_an_empty_cursor(venue: SandboxVenue) -> None:
    found, cursor = [], ""
    for _ in range(10):
        page = answers.parse_markets(ask(venue, "GET", "/markets", (("limit", "5"), ("cursor", cursor))).body)
        assert isinstance(page, Page)
        found += [market.ticker for market in page.items]
        cursor = page.cursor
        if not cursor:
            break
    assert tuple(found) == venue.engine.reads.markets()


def test_filters_are_in_the_words_of_requests_and_bodies_in_those_of_states(venue: SandboxVenue) -> None:
    opened = get(venue, "/markets", status="open", mve_filter="exclude")["markets"]
    assert {market["status"] for market in opened} == {"active"}
    assert len(opened) == 12
    combos = get(venue, "/markets", mve_filter="only")["markets"]
    assert combos and all(market["ticker"].startswith("KXMVE") for market in combos)
    one = a_market(venue)
    assert [market["ticker"] for market in get(venue, "/markets", tickers=one)["markets"]] == [one]


def test_markets_are_cut_to_spans_of_their_times(venue: SandboxVenue) -> None:
    every = get(venue, "/markets", limit="1000")["markets"]
    ends = sorted({parse_rfc3339(market["close_time"]) // 10**9 for market in every})
    middle = str(ends[len(ends) // 2])
    after = get(venue, "/markets", min_close_ts=middle)["markets"]
    before = get(venue, "/markets", max_close_ts=middle)["markets"]
    assert after and before and len(after) + len(before) == len(every)
    assert min(market["close_time"] for market in after) > max(market["close_time"] for market in before)
    events = get(venue, "/events", min_close_ts=middle)["events"]
    of_events = {market["event_ticker"] for market in after if "KXMVE" not in market["ticker"]}
    assert {event["event_ticker"] for event in events} == of_events
    assert get(venue, "/markets", min_settled_ts="1")["markets"] == []
    assert get(venue, "/markets", min_created_ts="x")["markets"] == every


def test_trading_is_no_update_of_a_market(venue: SandboxVenue) -> None:
    ticker = a_market(venue)
    updated = get(venue, f"/markets/{ticker}")["market"]["updated_time"]
    ask(venue, "POST", ORDERS, body=order(ticker))
    later(venue, 1)
    assert get(venue, f"/markets/{ticker}")["market"]["updated_time"] == updated


def test_a_limit_that_is_too_large_gets_the_third_shape_and_a_garbage_cursor_begins_anew(venue: SandboxVenue) -> None:
    refused = ask(venue, "GET", "/markets", (("limit", "1001"),))
    assert refused.status == 400
    assert "failed on the 'lte' tag" in json.loads(refused.body)["msg"]
    assert get(venue, "/markets", cursor="garbage") == get(venue, "/markets")


def test_a_market_says_what_its_book_says(venue: SandboxVenue) -> None:
    ticker = a_market(venue)
    market = answers.parse_market(ask(venue, "GET", f"/markets/{ticker}").body)
    book = answers.parse_orderbook(ask(venue, "GET", f"/markets/{ticker}/orderbook").body)
    assert not isinstance(market, Malformed) and not isinstance(book, Malformed)
    assert (market.yes_bid, market.yes_bid_size) == book.yes[-1]
    assert (10_000 - (market.yes_ask or 0), market.yes_ask_size) == book.no[-1]
    assert (book.yes, book.no) == (venue.engine.reads.book(ticker).yes, venue.engine.reads.book(ticker).no)
    assert market.price_ranges and market.volume_24h == market.volume
    assert len(get(venue, f"/markets/{ticker}/orderbook", depth="1")["orderbook_fp"]["yes_dollars"]) == 1


def test_a_ticker_that_nobody_knows_has_no_book_among_those_asked_for(venue: SandboxVenue) -> None:
    ticker = a_market(venue)
    asked = [("tickers", "KXNO"), ("tickers", ticker), ("tickers", ticker)]
    found = json.loads(ask(venue, "GET", "/markets/orderbooks", asked).body)["orderbooks"]
    assert found == [{"ticker": ticker, **get(venue, f"/markets/{ticker}/orderbook")}]
    assert ask(venue, "GET", "/markets/orderbooks").status == 400
    assert ask(venue, "GET", "/markets/orderbooks", [("tickers", str(n)) for n in range(101)]).status == 400


def test_events_and_series_lead_to_each_other(venue: SandboxVenue) -> None:
    page = answers.parse_events(ask(venue, "GET", "/events", (("with_nested_markets", "true"),)).body)
    assert isinstance(page, Page)
    assert sum(len(event.markets) for event in page.items) == 12
    event = answers.parse_event(ask(venue, "GET", f"/events/{page.items[0].event_ticker}").body)
    assert not isinstance(event, Malformed)
    assert event.markets and event.series_ticker
    series = answers.parse_series(ask(venue, "GET", f"/series/{event.series_ticker}").body)
    assert not isinstance(series, Malformed)
    assert series.fee_type.startswith("quadratic") and series.fee_multiplier


def test_trades_are_listed_newest_first(venue: SandboxVenue) -> None:
    page = answers.parse_trades(ask(venue, "GET", "/markets/trades", (("limit", "20"),)).body)
    assert isinstance(page, Page)
    times = [trade.created_ns for trade in page.items]
    assert len(times) == 20 and times == sorted(times, reverse=True)


def test_lists_are_cut_to_a_span_of_seconds_with_both_ends(venue: SandboxVenue) -> None:
    market = a_market(venue)
    taken = order(market, price="0.9900", count="1.00", time_in_force="immediate_or_cancel")
    for _ in range(2):
        ask(venue, "POST", ORDERS, body=taken)
        later(venue, 2.5)
    for path, name in (("/portfolio/fills", "fills"), ("/portfolio/orders", "orders"), ("/markets/trades", "trades")):
        whole = {"limit": "1000"} | ({"ticker": market} if name == "trades" else {})
        every = get(venue, path, **whole)[name]
        seconds = [second_of(each) for each in every]
        middle = seconds[0]
        assert middle > seconds[-1]
        after = get(venue, path, min_ts=str(middle), **whole)[name]
        before = get(venue, path, max_ts=str(middle - 1), **whole)[name]
        assert [second_of(each) for each in after] == [second for second in seconds if second >= middle]
        assert after + before == every


def second_of(listed: dict[str, Any]) -> int:
    """Unix seconds of when something listed came to be."""
    return parse_rfc3339(listed["created_time"]) // 10**9


@pytest.mark.parametrize("path", ["/markets", "/markets/trades", "/portfolio/fills", "/portfolio/orders"])
def test_a_limit_of_thousands_of_digits_is_refused_as_any_that_is_too_large(venue: SandboxVenue, path: str) -> None:
    assert ask(venue, "GET", path, (("limit", "9" * 5_000),)).status == 400
    assert get(venue, path, cursor="after-" + "9" * 5_000, limit="1")


@pytest.mark.parametrize(
    ("path", "parse"),
    [
        ("/exchange/status", answers.parse_status),
        ("/exchange/schedule", answers.parse_schedule),
        ("/account/limits", answers.parse_limits),
        ("/account/endpoint_costs", answers.parse_costs),
        ("/portfolio/balance", answers.parse_balance),
        ("/portfolio/positions", answers.parse_positions),
        ("/portfolio/orders", answers.parse_orders),
        ("/portfolio/fills", answers.parse_fills),
        ("/portfolio/settlements", answers.parse_settlements),
        ("/portfolio/orders/queue_positions", answers.parse_queue_positions),
    ],
)
def test_what_an_account_and_the_exchange_say_is_readable(venue: SandboxVenue, path: str, parse: Any) -> None:
    answer = ask(venue, "GET", path)
    assert answer.status == 200
    assert not isinstance(parse(answer.body), Malformed)


def test_fee_overrides_of_events_are_listed_newest_first(venue: SandboxVenue) -> None:
    events = [event["event_ticker"] for event in get(venue, "/events")["events"]][:2]
    for event in events:
        venue.act(lambda now, event=event: venue.engine.life.override_fees(event, FeeOverride(FeeType.FLAT), now))  # type: ignore[misc]  # bound at once
    found = get(venue, "/events/fee_changes", limit="2")["event_fee_changes"]
    assert [change["event_ticker"] for change in found] == events[::-1]
    assert (found[0]["fee_type_override"], found[0]["fee_multiplier_override"]) == ("flat", None)
    assert get(venue, f"/events/{events[0]}")["event"]["series_ticker"] == found[1]["series_ticker"]
    assert get(venue, "/events/fee_changes", event_ticker=events[0])["event_fee_changes"][0] == found[1]
    assert get(venue, "/series/fee_changes") == {"series_fee_change_arr": []}


def test_an_account_that_was_never_there_has_nothing() -> None:
    venue = SandboxVenue(SandboxOptions(markets=6, rate=60, seed=5, start_ns=START_NS, fund=0))
    assert get(venue, "/portfolio/balance", account="new")["balance_dollars"] == "0.0000"
    for path, lists in {
        "positions": ("market_positions", "event_positions"),
        "orders": ("orders",),
        "orders/queue_positions": ("queue_positions",),
        "fills": ("fills",),
        "settlements": ("settlements",),
        "order_groups": ("order_groups",),
    }.items():
        body = get(venue, f"/portfolio/{path}", account="new")
        assert [body[name] for name in lists] == [[] for _ in lists]


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/markets/KXNO", "/events/KXNO", "/series/KXNO", "/markets/KXNO/orderbook"]
)
def test_what_is_not_there_is_not_found(venue: SandboxVenue, path: str) -> None:
    assert ask(venue, "GET", path).status == 404


def test_a_pause_shows_in_the_status(venue: SandboxVenue) -> None:
    for pause, shown in ((Pause.TRADING, (True, False)), (Pause.EXCHANGE, (False, False)), (Pause.NONE, (True, True))):
        venue.act(lambda now_ns, pause=pause: venue.engine.life.pause(pause, now_ns))  # type: ignore[misc]  # bound at once
        status = get(venue, "/exchange/status")
        assert (status["exchange_active"], status["trading_active"]) == shown


def test_a_settled_market_says_what_it_came_to_and_what_was_paid() -> None:
    venue = SandboxVenue(SandboxOptions(markets=6, rate=60, seed=5, start_ns=START_NS))
    venue.step(800)
    market = a_market(venue)
    ask(venue, "POST", ORDERS, body=order(market, price="0.9900", count="1.00", time_in_force="immediate_or_cancel"))
    venue.act(lambda now_ns: venue.engine.life.determine(market, YES_WINS, now_ns))
    later(venue, 31)
    found = answers.parse_market(ask(venue, "GET", f"/markets/{market}").body)
    paid = answers.parse_settlements(ask(venue, "GET", "/portfolio/settlements").body)
    assert not isinstance(found, Malformed) and isinstance(paid, Page)
    assert (found.status, found.result, found.settlement_value) == ("finalized", "yes", 10_000)
    assert [(item.market, item.revenue) for item in paid.items] == [(market, 1_000_000)]
    listed = {}
    for word in ("unsettled", "settled", "all"):
        held = get(venue, "/portfolio/positions", settlement_status=word)["market_positions"]
        listed[word] = [position["ticker"] for position in held]
    assert listed == {"unsettled": [], "settled": [market], "all": [market]}
    assert get(venue, "/portfolio/positions")["market_positions"] == []
    assert ask(venue, "GET", "/portfolio/positions", (("settlement_status", "no"),)).status == 400


def test_reads_may_lag_behind_writes() -> None:
    venue = SandboxVenue(SandboxOptions(markets=6, rate=1_000, seed=5, start_ns=START_NS, stale_ns=360_000_000))
    venue.step(800)
    created = json.loads(ask(venue, "POST", ORDERS, body=order(a_market(venue))).body)
    later(venue, 0.4)
    path = f"/portfolio/orders/{created['order_id']}"
    assert get(venue, path)["order"]["status"] == "resting"
    ask(venue, "DELETE", f"{ORDERS}/{created['order_id']}")
    assert get(venue, path)["order"]["status"] == "resting"
    later(venue, 0.4)
    assert get(venue, path)["order"]["status"] == "canceled"
