"""The sandbox's REST: every answer is one that the recorder's parsers read, every refusal in the exchange's words."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from core import answers
from core.answers import Page
from core.messages.types import Malformed
from core.times import parse_rfc3339
from replay.exchange.port import RestAnswer, RestRequest
from replay.exchange.sandbox import SandboxOptions, SandboxVenue
from replay.exchange.specs import YES_WINS
from replay.exchange.views import Pause

ROOT = "/trade-api/v2"
ORDERS = "/portfolio/events/orders"
GO = "cannot unmarshal number into Go struct field"
START_NS = 1_795_420_800 * 10**9


@pytest.fixture
def venue() -> SandboxVenue:
    """A sandbox of some markets that has been busy for a while."""
    made = SandboxVenue(SandboxOptions(markets=12, rate=1_000, seed=5, start_ns=START_NS))
    made.step(800)
    return made


def later(venue: SandboxVenue, seconds: float) -> None:
    """Let so much of the exchange's time pass."""
    until_ns = venue.now_ns + int(seconds * 10**9)
    while venue.now_ns < until_ns:
        venue.step()


def ask(
    venue: SandboxVenue, method: str, path: str, query: Sequence[tuple[str, str]] = (), body: Any = None
) -> RestAnswer:
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = RestRequest(method=method, path=ROOT + path, query=tuple(query), body=content, account="trader")
    return venue.rest(request)


def get(venue: SandboxVenue, path: str, **query: str) -> Any:
    answer = ask(venue, "GET", path, tuple(query.items()))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def a_market(venue: SandboxVenue) -> str:
    """A market with both sides bid, on a grid of cents."""
    reads = venue.engine.reads
    return next(m for m in reads.markets() if "TEMP" in m and reads.book(m).yes and reads.book(m).no)


def order(market: str, **changes: Any) -> dict[str, Any]:
    return {
        "ticker": market,
        "side": "bid",
        "count": "5.00",
        "price": "0.0100",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    } | changes


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


def test_an_expiry_that_no_calendar_has_is_refused_and_orders_stay_readable(venue: SandboxVenue) -> None:
    answer = ask(venue, "POST", ORDERS, body=order(a_market(venue), expiration_time=10**12))
    assert answer.status == 400 and b"expiration_time" in answer.body
    last = ask(venue, "POST", ORDERS, body=order(a_market(venue), expiration_time=253_402_300_799))
    assert last.status == 201
    assert get(venue, "/portfolio/orders")["orders"][0]["expiration_time"].startswith("9999-12-31T23:59:59")


def test_a_cancel_of_everything_of_another_subaccount_leaves_ours_alone(venue: SandboxVenue) -> None:
    placed = json.loads(ask(venue, "POST", ORDERS, body=order(a_market(venue))).body)
    assert ask(venue, "DELETE", ORDERS, (("subaccount", "5"),)).status == 400
    assert get(venue, f"/portfolio/orders/{placed['order_id']}")["order"]["status"] == "resting"
    assert ask(venue, "DELETE", ORDERS, (("subaccount", "0"),)).status == 204
    assert get(venue, f"/portfolio/orders/{placed['order_id']}")["order"]["status"] == "canceled"


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


def test_an_order_rests_is_read_changed_and_cancelled(venue: SandboxVenue) -> None:
    market = a_market(venue)
    created = ask(venue, "POST", ORDERS, body=order(market, client_order_id="mine-1"))
    assert created.status == 201
    placed = answers.parse_placed(created.body)
    assert not isinstance(placed, Malformed)
    order_id = placed[0].order_id
    assert (placed[0].client_order_id, placed[0].remaining_count) == ("mine-1", 500)
    assert get(venue, f"/portfolio/orders/{order_id}")["order"]["status"] == "resting"
    assert get(venue, f"/portfolio/orders/{order_id}/queue_position")["queue_position_fp"]
    amended = ask(venue, "POST", f"{ORDERS}/{order_id}/amend", body=order(market, price="0.0200", count="4.00"))
    assert json.loads(amended.body)["remaining_count"] == "4.00"
    decreased = ask(venue, "POST", f"{ORDERS}/{order_id}/decrease", body={"reduce_to": "1.00"})
    assert json.loads(decreased.body)["remaining_count"] == "1.00"
    cancelled = answers.parse_cancelled(ask(venue, "DELETE", f"{ORDERS}/{order_id}").body)
    assert not isinstance(cancelled, Malformed)
    assert cancelled[0].reduced_by == 100
    again = ask(venue, "DELETE", f"{ORDERS}/{order_id}")
    assert (again.status, json.loads(again.body)["error"]["code"]) == (404, "not_found")


def test_an_order_that_takes_tells_its_price_and_fee_and_leaves_a_fill_and_a_position(venue: SandboxVenue) -> None:
    market = a_market(venue)
    taken = ask(
        venue, "POST", ORDERS, body=order(market, price="0.9900", count="1.00", time_in_force="immediate_or_cancel")
    )
    body = json.loads(taken.body)
    assert body["fill_count"] == "1.00"
    assert float(body["average_fill_price"]) < 0.99 and float(body["average_fee_paid"]) >= 0
    fills = answers.parse_fills(ask(venue, "GET", "/portfolio/fills").body)
    positions = answers.parse_positions(ask(venue, "GET", "/portfolio/positions").body)
    assert isinstance(fills, Page) and isinstance(positions, Page)
    assert [fill.count for fill in fills.items] == [100]
    assert [(position.market, position.position) for position in positions.items] == [(market, 100)]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"count": 5}, 400, f"json: {GO} CreateOrderV2Request.count of type string"),
        ({"price": 0.01}, 400, "CreateOrderV2Request.price of type string"),
        ({"side": "buy"}, 400, "side must be one of"),
        ({"price": "0.0105"}, 400, "invalid_price"),
        ({"price": "0.0000"}, 400, "invalid_price"),
        ({"count": "0.00"}, 400, "invalid_order_size"),
        ({"price": "0.9900", "post_only": True}, 400, "post only cross"),
        ({"price": "0.9900", "count": "900000.00"}, 400, "insufficient_balance"),
        ({"ticker": "KXNO"}, 404, "not_found"),
    ],
)  # fmt: skip
def test_a_refused_order_is_refused_in_the_exchanges_words(
    venue: SandboxVenue, changes: dict[str, Any], status: int, words: str
) -> None:
    answer = ask(venue, "POST", ORDERS, body=order(a_market(venue), **changes))
    assert answer.status == status
    assert words in answer.body.decode()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff"])
def test_a_body_that_is_none_is_a_bad_request(venue: SandboxVenue, body: bytes) -> None:
    answer = ask(venue, "POST", ORDERS, body=body)
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "bad_request")


def test_a_client_order_id_is_used_once_and_never_again(venue: SandboxVenue) -> None:
    mine = order(a_market(venue), client_order_id="once")
    first = json.loads(ask(venue, "POST", ORDERS, body=mine).body)
    ask(venue, "DELETE", f"{ORDERS}/{first['order_id']}")
    again = ask(venue, "POST", ORDERS, body=mine)
    assert (again.status, json.loads(again.body)["error"]["code"]) == (409, "order_already_exists")


def test_an_order_is_reached_on_its_shard_only_which_is_0_unless_the_request_says_more(venue: SandboxVenue) -> None:
    reads = venue.engine.reads
    market = next(m for m in reads.markets() if reads.market(m).spec.exchange_index == 2)

    def place(**changes: Any) -> RestAnswer:
        return ask(venue, "POST", ORDERS, body=order(market, **changes))

    path = f"{ORDERS}/{json.loads(place().body)['order_id']}"
    assert (place(exchange_index=0).status, place(exchange_index=-1).status) == (404, 201)
    lost = [(), (("exchange_index", "0"),), (("market_ticker", "KXNO"),), (("market_ticker", a_market(venue)),)]
    assert [ask(venue, "DELETE", path, query).status for query in lost] == [404] * 4
    assert ask(venue, "DELETE", path, (("exchange_index", "-1"),)).status == 400
    item = {"order_id": path.rpartition("/")[2]}
    assert b"not_found" in ask(venue, "DELETE", f"{ORDERS}/batched", body={"orders": [item]}).body
    assert ask(venue, "POST", f"{path}/decrease", body={"reduce_to": "2.00"}).status == 404
    smaller = {"reduce_to": "2.00", "exchange_index": 2}
    assert ask(venue, "POST", f"{path}/decrease", body=smaller).status == 200
    assert ask(venue, "POST", f"{path}/amend", body=order(market, exchange_index=1)).status == 404
    assert ask(venue, "POST", f"{path}/amend", body=order(market)).status == 200
    assert ask(venue, "DELETE", path, (("market_ticker", market),)).status == 200


def test_a_batch_answers_for_each_of_its_items(venue: SandboxVenue) -> None:
    market = a_market(venue)
    made = ask(venue, "POST", f"{ORDERS}/batched", body={"orders": [order(market), order(market, price="0.0105")]})
    placed = answers.parse_placed(made.body)
    assert (made.status, isinstance(placed, Malformed)) == (201, False)
    assert not isinstance(placed, Malformed)
    assert [item.error is None for item in placed] == [True, False]
    ids = [{"order_id": placed[0].order_id}, {"order_id": "unknown"}]
    gone = answers.parse_cancelled(ask(venue, "DELETE", f"{ORDERS}/batched", body={"orders": ids}).body)
    assert not isinstance(gone, Malformed)
    assert [item.error is None for item in gone] == [True, False]


def test_all_orders_can_be_cancelled_at_once(venue: SandboxVenue) -> None:
    for price in ("0.0100", "0.0200"):
        ask(venue, "POST", ORDERS, body=order(a_market(venue), price=price))
    assert ask(venue, "DELETE", ORDERS).status == 204
    assert get(venue, "/portfolio/orders", status="resting")["orders"] == []


def test_order_groups_are_made_listed_changed_and_deleted(venue: SandboxVenue) -> None:
    made = ask(venue, "POST", "/portfolio/order_groups/create", body={"contracts_limit_fp": "150.00"})
    group = answers.parse_group(made.body)
    assert made.status == 201 and isinstance(group, str)
    created = json.loads(ask(venue, "POST", ORDERS, body=order(a_market(venue), order_group_id=group)).body)
    assert get(venue, f"/portfolio/order_groups/{group}")["orders"] == [created["order_id"]]
    assert get(venue, "/portfolio/order_groups")["order_groups"][0]["contracts_limit_fp"] == "150.00"
    assert ask(venue, "PUT", f"/portfolio/order_groups/{group}/limit", body={"contracts_limit": 10}).status == 200
    assert ask(venue, "PUT", f"/portfolio/order_groups/{group}/trigger").status == 200
    assert get(venue, f"/portfolio/orders/{created['order_id']}")["order"]["status"] == "canceled"
    assert ask(venue, "PUT", f"/portfolio/order_groups/{group}/reset").status == 200
    assert ask(venue, "DELETE", f"/portfolio/order_groups/{group}").status == 200
    assert ask(venue, "GET", f"/portfolio/order_groups/{group}").status == 404


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("DELETE", "/x"), ("POST", "/x/amend"), ("POST", "/batched")]
)
def test_orders_of_the_first_version_are_gone(venue: SandboxVenue, method: str, path: str) -> None:
    answer = ask(venue, method, f"/portfolio/orders{path}", body={})
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (410, "deprecated_v1_order_endpoint")


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
