"""REST answers from a tape: recorded, of the book, composed, made up, refused."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fastloop import run
from house import House
from sample_tapes import Script

from core.records import Kind, RestCall, encode_payload
from replay.exchange.made_up import MADE_UP
from replay.exchange.playhead import MAX
from replay.exchange.port import RestRequest
from replay.exchange.recorded import MAX_ANSWERS, Recorded, question
from replay.exchange.taped import TapedVenue

A, B = "KXA-26AUG10-T50", "KXB-26AUG10-T60"
ROOT = "/trade-api/v2"
MARKET = {"ticker": A, "event_ticker": "KXA-26AUG10", "status": "active", "close_time": "2026-08-11T00:00:00Z"}
EVENT = {"event_ticker": "KXA-26AUG10", "series_ticker": "KXA", "title": "A on Aug 10"}


def recording() -> Script:
    """Two markets with books and a trade."""
    script = Script().session().opened().subscribed(1).subscribed(2, "trade")
    script.snapshot(A, [("0.4000", "10.00"), ("0.4100", "2.50")], [("0.5000", "7.00")])
    return script.snapshot(B, [("0.1000", "1.00")], []).trade(A, "0.4550", "1.00")


def rest(script: Script, path: str, body: Any, *, status: int = 200, method: str = "GET") -> Script:
    answer = body if isinstance(body, str) else json.dumps(body)
    return script.put(Kind.REST, encode_payload(RestCall(method, ROOT + path, status, answer=answer)), 0)


def at_end(script: Script, path: Path) -> TapedVenue:
    tape = script.tape(path)

    async def main() -> TapedVenue:
        venue = TapedVenue.of(tape, speed=MAX)
        await venue.play(House())
        return venue

    return run(main())


def get(venue: TapedVenue, path: str, *query: tuple[str, str], method: str = "GET") -> tuple[int, Any]:
    answer = venue.rest(RestRequest(method=method, path=ROOT + path, query=query))
    return answer.status, json.loads(answer.body)


def test_the_book_is_that_of_the_playhead(tmp_path: Path) -> None:
    script = recording().delta(A, "yes", "0.4000", "-10.00")
    venue = at_end(script, tmp_path / "tape")
    book = {"yes_dollars": [["0.4100", "2.50"]], "no_dollars": [["0.5000", "7.00"]]}
    assert get(venue, f"/markets/{A}/orderbook") == (200, {"orderbook_fp": book})
    two = [{"ticker": A, "orderbook_fp": book}]
    two.append({"ticker": B, "orderbook_fp": {"yes_dollars": [["0.1000", "1.00"]], "no_dollars": []}})
    assert get(venue, "/markets/orderbooks", ("tickers", A), ("tickers", B)) == (200, {"orderbooks": two})


def test_a_recorded_book_never_stands_in_for_that_of_the_playhead(tmp_path: Path) -> None:
    script = rest(recording(), f"/markets/{A}/orderbook", {"orderbook_fp": {"yes_dollars": [], "no_dollars": []}})
    venue = at_end(script, tmp_path / "tape")
    assert get(venue, f"/markets/{A}/orderbook")[1]["orderbook_fp"]["no_dollars"] == [["0.5000", "7.00"]]


def test_depth_keeps_the_best_levels(tmp_path: Path) -> None:
    venue = at_end(recording(), tmp_path / "tape")
    status, body = get(venue, f"/markets/{A}/orderbook", ("depth", "1"))
    assert (status, body["orderbook_fp"]["yes_dollars"]) == (200, [["0.4100", "2.50"]])
    assert get(venue, f"/markets/{A}/orderbook", ("depth", "101"))[0] == 400
    assert get(venue, "/markets/orderbooks")[0] == 400


def test_a_book_with_a_gap_is_not_passed_off_as_one(tmp_path: Path) -> None:
    venue = at_end(recording().skip(2).delta(A, "yes", "0.4000", "1.00"), tmp_path / "tape")
    status, body = get(venue, f"/markets/{A}/orderbook")
    assert (status, body["error"]["code"]) == (503, "service_unavailable")
    assert get(venue, "/markets/orderbooks", ("tickers", A))[1] == {"orderbooks": []}
    assert get(venue, "/markets/KXELSE/orderbook")[0] == 404


def test_the_latest_recorded_answer_up_to_the_playhead_counts(tmp_path: Path) -> None:
    script = rest(recording(), "/exchange/status", {"exchange_active": True, "trading_active": True})
    rest(script, "/exchange/status", {"exchange_active": True, "trading_active": False})
    rest(script, "/exchange/status", {"exchange_active": False, "trading_active": False}, status=503)
    venue = at_end(script, tmp_path / "tape")
    assert get(venue, "/exchange/status") == (200, {"exchange_active": True, "trading_active": False})
    assert run(moved(script, tmp_path / "again", len(script.records) - 2)) is True


async def moved(script: Script, path: Path, seq: int) -> Any:
    """What the exchange's status is after a seek."""
    venue = TapedVenue.of(script.tape(path), speed=MAX, start="paused")
    playing = asyncio.create_task(venue.play(House()))
    await asyncio.sleep(0.1)
    await venue.controls["seek"]({"seq": seq})
    playing.cancel()
    return get(venue, "/exchange/status")[1]["trading_active"]


def test_answers_recorded_before_the_first_data_frame_are_there_before_anybody_subscribes(tmp_path: Path) -> None:
    script = rest(Script().session(), f"/markets/{A}", {"market": MARKET}).opened().subscribed(1)
    script.snapshot(A, [], [])
    rest(script, f"/markets/{A}", {"market": {**MARKET, "status": "finalized"}})

    async def early() -> Any:
        venue = TapedVenue.of(script.tape(tmp_path / "tape"), speed=MAX)
        playing = asyncio.create_task(venue.play(House(comes_s=1_000.0)))
        await asyncio.sleep(1)
        found = get(venue, f"/markets/{A}")
        playing.cancel()
        return found

    assert run(early()) == (200, {"market": MARKET})


def test_queries_are_the_same_in_any_order_and_paths_with_or_without_their_prefix() -> None:
    asked = question("get", "/trade-api/v2/markets?status=open&limit=10")
    assert asked == question("GET", "/markets/", [("limit", "10"), ("status", "open")])
    assert asked != question("GET", "/markets", [("limit", "11"), ("status", "open")])


def test_only_404_is_repeated_of_all_refusals(tmp_path: Path) -> None:
    body = {"error": {"code": "not_found", "message": "not found"}}
    script = rest(recording(), f"/markets/{A}", body, status=404)
    rest(script, f"/markets/{B}", {"error": "too many requests"}, status=429)
    venue = at_end(script, tmp_path / "tape")
    assert get(venue, f"/markets/{A}") == (404, body)
    assert get(venue, f"/markets/{B}")[0] == 200


def test_a_market_told_of_in_a_list_is_answered_alone(tmp_path: Path) -> None:
    script = rest(recording(), "/events?limit=200", {"events": [{**EVENT, "markets": [MARKET]}], "cursor": ""})
    venue = at_end(script, tmp_path / "tape")
    assert get(venue, f"/markets/{A}") == (200, {"market": MARKET})
    assert get(venue, "/events/KXA-26AUG10") == (200, {"event": EVENT, "markets": [MARKET]})
    nested = {"event": {**EVENT, "markets": [MARKET]}}
    assert get(venue, "/events/KXA-26AUG10", ("with_nested_markets", "true")) == (200, nested)


def test_what_was_never_recorded_is_made_up_and_says_so(tmp_path: Path) -> None:
    msg = {"market_ticker": B, "event_type": "determined", "result": "yes", "settlement_value": "1.0000"}
    script = recording().frame({"type": "market_lifecycle_v2", "sid": 3, "seq": 1, "msg": msg})
    venue = at_end(script, tmp_path / "tape")
    market = get(venue, f"/markets/{A}")[1]["market"]
    assert (market["status"], market["rules_primary"], market["event_ticker"]) == ("active", MADE_UP, "KXA-26AUG10")
    quotes = {name: market[f"{name}_dollars"] for name in ("yes_bid", "yes_ask", "no_bid", "no_ask", "last_price")}
    assert quotes == {
        "yes_bid": "0.4100",
        "yes_ask": "0.5000",
        "no_bid": "0.5000",
        "no_ask": "0.5900",
        "last_price": "0.4550",
    }
    assert (market["yes_bid_size_fp"], market["yes_ask_size_fp"], market["volume_fp"]) == ("2.50", "7.00", "1.00")
    other = get(venue, f"/markets/{B}")[1]["market"]
    assert (other["status"], other["result"], other["yes_ask_dollars"]) == ("determined", "yes", "1.0000")
    assert get(venue, "/events/KXA-26AUG10")[1]["event"]["series_ticker"] == "KXA"
    assert get(venue, "/series/KXA")[1]["series"]["fee_type"] == "quadratic"
    for unknown in ("/markets/KXELSE", "/events/KXELSE", "/series/KXELSE", "/nothing"):
        assert get(venue, unknown) == (404, {"error": {"code": "not_found", "message": "not found"}})


def test_a_made_up_market_has_every_member_that_the_exchange_promises(tmp_path: Path) -> None:
    market = get(at_end(recording(), tmp_path / "tape"), f"/markets/{A}")[1]["market"]
    promised = """
        ticker event_ticker market_type yes_sub_title no_sub_title created_time updated_time open_time close_time
        latest_expiration_time settlement_timer_seconds status yes_bid_dollars yes_bid_size_fp yes_ask_dollars
        yes_ask_size_fp no_bid_dollars no_ask_dollars last_price_dollars volume_fp volume_24h_fp result can_close_early
        open_interest_fp notional_value_dollars previous_yes_bid_dollars previous_yes_ask_dollars previous_price_dollars
        settlement_bounds_type expiration_value rules_primary rules_secondary price_level_structure price_ranges
    """
    assert set(promised.split()) <= market.keys()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [A, B]),
        ({"tickers": B}, [B]),
        ({"event_ticker": "KXA-26AUG10"}, [A]),
        ({"series_ticker": "KXB"}, [B]),
        ({"status": "open"}, [A, B]),
        ({"status": "settled"}, []),
        ({"mve_filter": "only"}, []),
        ({"mve_filter": "exclude"}, [A, B]),
        ({"limit": "1"}, [A]),
        ({"limit": "1", "cursor": "garbage"}, [A]),
    ],
)
def test_markets_are_listed_by_filter(tmp_path: Path, query: dict[str, str], expected: list[str]) -> None:
    status, body = get(at_end(recording(), tmp_path / "tape"), "/markets", *query.items())
    assert (status, [market["ticker"] for market in body["markets"]]) == (200, expected)


TIMES = {"created_time": "2026-08-01T00:00:00Z", "updated_time": "2026-08-02T00:00:00.5Z"}
CREATED_S, UPDATED_S, CLOSE_S = 1_785_542_400, 1_785_628_800, 1_786_406_400


@pytest.mark.parametrize(
    ("name", "second", "is_taken"),
    [
        ("min_created_ts", CREATED_S - 1, True),
        ("min_created_ts", CREATED_S, False),
        ("max_created_ts", CREATED_S, True),
        ("min_updated_ts", UPDATED_S, True),
        ("max_updated_ts", UPDATED_S, False),
        ("min_close_ts", CLOSE_S - 1, True),
        ("min_close_ts", CLOSE_S, False),
        ("max_close_ts", CLOSE_S, True),
        ("max_close_ts", CLOSE_S - 1, False),
        ("min_settled_ts", 1, False),
    ],
)
def test_recorded_markets_are_cut_to_spans_of_their_times(
    tmp_path: Path, name: str, second: int, is_taken: bool
) -> None:
    body = {"events": [{**EVENT, "markets": [{**MARKET, **TIMES}]}], "cursor": ""}
    venue = at_end(rest(Script().session().opened(), "/events?limit=200", body), tmp_path / "tape")
    found = get(venue, "/markets", (name, str(second)))[1]["markets"]
    assert [market["ticker"] for market in found] == [A] * is_taken
    if "close" in name and "min" in name:
        assert len(get(venue, "/events", (name, str(second)))[1]["events"]) == is_taken


def test_lists_come_in_pages(tmp_path: Path) -> None:
    venue = at_end(recording(), tmp_path / "tape")
    for path, name, key in (("/markets", "markets", "ticker"), ("/events", "events", "event_ticker")):
        _, first = get(venue, path, ("limit", "1"))
        _, second = get(venue, path, ("limit", "1"), ("cursor", first["cursor"]))
        assert [body[name][0][key][:3] for body in (first, second)] == ["KXA", "KXB"]
        assert first["cursor"] and second["cursor"] == ""
        assert get(venue, path, ("limit", "1001"))[0] == 400
    assert [series["ticker"] for series in get(venue, "/series")[1]["series"]] == ["KXA", "KXB"]


def test_trades_are_listed_newest_first(tmp_path: Path) -> None:
    venue = at_end(recording().trade(A, "0.4600", "3.00"), tmp_path / "tape")
    _, body = get(venue, "/markets/trades", ("ticker", A))
    assert [(trade["yes_price_dollars"], trade["count_fp"]) for trade in body["trades"]] == [
        ("0.4600", "3.00"),
        ("0.4550", "1.00"),
    ]
    assert get(venue, "/markets/trades", ("limit", "x"))[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/portfolio/events/orders", 409, "trading_is_paused"),
        ("POST", "/portfolio/events/orders/batched", 409, "trading_is_paused"),
        ("DELETE", "/portfolio/events/orders/5d1f", 404, "not_found"),
        ("PUT", "/portfolio/order_groups/og/reset", 409, "trading_is_paused"),
    ],
)
def test_a_recording_takes_no_orders_and_says_so(
    tmp_path: Path, method: str, path: str, status: int, code: str
) -> None:
    got, body = get(at_end(recording(), tmp_path / "tape"), path, method=method)
    assert (got, body["error"]["code"]) == (status, code)
    assert "plays a recording" in body["error"]["details"]


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("/exchange/status", "trading_active"),
        ("/exchange/schedule", "schedule"),
        ("/exchange/user_data_timestamp", "as_of_time"),
        ("/account/limits", "usage_tier"),
        ("/series/fee_changes", "series_fee_change_arr"),
        ("/historical/cutoff", "trades_created_ts"),
        ("/portfolio/orders/queue_positions", "queue_positions"),
        ("/portfolio/summary/total_resting_order_value", "total_resting_order_value"),
        ("/events/fee_changes", "event_fee_changes"),
        ("/events/multivariate", "events"),
        ("/account/endpoint_costs", "default_cost"),
        ("/portfolio/balance", "balance_dollars"),
        ("/portfolio/positions", "market_positions"),
        ("/portfolio/orders", "orders"),
        ("/portfolio/fills", "fills"),
        ("/portfolio/settlements", "settlements"),
    ],
)
def test_an_account_without_anything_can_be_read(tmp_path: Path, path: str, member: str) -> None:
    status, body = get(at_end(recording(), tmp_path / "tape"), path)
    assert status == 200 and member in body


def test_kept_answers_are_bounded() -> None:
    recorded = Recorded()
    for number in range(MAX_ANSWERS + 1):
        recorded.observe(encode_payload(RestCall("GET", f"/markets?cursor={number}", 200, answer="{}")), 0)
    assert recorded.latest(question("GET", "/markets?cursor=0")) is None
    assert recorded.latest(question("GET", f"/markets?cursor={MAX_ANSWERS}")) is not None


def test_a_record_that_is_no_rest_call_says_nothing() -> None:
    recorded = Recorded()
    recorded.observe(b"not json", 0)
    recorded.observe(encode_payload(RestCall("GET", "//[", 200, answer="{}")), 0)
    assert recorded.facts.markets() == ()
