"""REST bodies of today and of early 2026 as values in our units; what is no such body is Malformed and never raises."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tapes import TAPES, needs_tapes

from core import answers
from core.answers import ApiError, BookAnswer, Hours, Page, Schedule, Window
from core.messages.types import Malformed, PriceRange, Side

MARKET: dict[str, Any] = {
    "ticker": "KXDEMO-26NOV23-T50",
    "event_ticker": "KXDEMO-26NOV23",
    "status": "active",
    "yes_sub_title": "50 or above",
    "open_time": "2026-11-23T08:00:00Z",
    "close_time": "2026-11-24T08:00:00Z",
    "latest_expiration_time": "2026-12-01T08:00:00Z",
    "settlement_timer_seconds": 60,
    "yes_bid_dollars": "0.4200",
    "yes_ask_dollars": "0.4450",
    "yes_bid_size_fp": "11.50",
    "volume_fp": "33896.00",
    "volume_24h_fp": "100.00",
    "notional_value_dollars": "1.0000",
    "result": "",
    "can_close_early": True,
    "price_level_structure": "linear_cent",
    "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
    "something_new": {"a": [1]},
}
ORDER: dict[str, Any] = {
    "order_id": "o1",
    "ticker": "M",
    "status": "resting",
    "book_side": "ask",
    "yes_price_dollars": "0.4400",
    "initial_count_fp": "5.00",
    "fill_count_fp": "2.00",
    "remaining_count_fp": "3.00",
    "maker_fees_dollars": "0.000100",
    "created_time": "2026-06-11T06:29:20.866753Z",
}


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_a_market_has_our_units() -> None:
    market = answers.parse_market(body({"market": MARKET}))
    assert not isinstance(market, Malformed)
    assert (market.yes_bid, market.yes_ask, market.yes_bid_size, market.volume_24h) == (4_200, 4_450, 1_150, 10_000)
    assert market.close_ns - market.open_ns == 86_400 * 10**9
    assert market.price_ranges == (PriceRange(0, 10_000, 100),)
    assert (market.settlement_value, market.yes_ask_size, market.result) == (None, None, "")


def test_cents_of_early_2026_are_read_where_dollars_are_not_given() -> None:
    old = {"ticker": "M", "yes_bid": 42, "yes_ask": 45, "volume": 7}
    market = answers.parse_market(body({"market": old}))
    assert not isinstance(market, Malformed)
    assert (market.yes_bid, market.yes_ask, market.volume) == (4_200, 4_500, 700)


@pytest.mark.parametrize("name", ["yes_bid_size_fp", "yes_bid_dollars", "volume_fp", "notional_value_dollars"])
@pytest.mark.parametrize("value", ["-3.00", "100.00001", 7.5, [], "x"])
def test_a_number_that_only_informs_is_none_where_it_cannot_be(name: str, value: Any) -> None:
    market = answers.parse_market(body({"market": MARKET | {name: value}}))
    assert not isinstance(market, Malformed)
    mine = name.removesuffix("_fp").removesuffix("_dollars").removesuffix("_value")
    assert getattr(market, mine) is None


@pytest.mark.parametrize(
    ("name", "value"), [("price_ranges", [{"start": "x"}]), ("settlement_value_dollars", "2.0000"), ("ticker", "")]
)
def test_a_market_without_what_decides_is_none(name: str, value: Any) -> None:
    assert isinstance(answers.parse_market(body({"market": MARKET | {name: value}})), Malformed)


def test_one_market_that_cannot_be_read_does_not_hide_the_others() -> None:
    page = answers.parse_markets(body({"markets": [MARKET, {"ticker": 7}, MARKET], "cursor": "c"}))
    assert isinstance(page, Page)
    assert (len(page.items), page.cursor, page.refused) == (2, "c", ("ticker: not a name",))


def test_a_listing_of_which_nothing_can_be_read_is_no_empty_one() -> None:
    assert answers.parse_markets(body({"markets": [{"ticker": 7}]})) == Malformed("ticker: not a name")


def test_an_account_is_read_whole_or_not_at_all() -> None:
    assert isinstance(answers.parse_orders(body({"orders": [ORDER, {}], "cursor": ""})), Malformed)


def test_a_page_names_where_the_next_one_begins() -> None:
    page = answers.parse_markets(body({"markets": [MARKET, MARKET], "cursor": "abc"}))
    assert isinstance(page, Page)
    assert (len(page.items), page.cursor) == (2, "abc")
    last = answers.parse_markets(body({"markets": [], "cursor": ""}))
    assert last == Page((), "")


@pytest.mark.parametrize("nested", [True, False])
def test_an_events_markets_stand_in_it_or_beside_it(nested: bool) -> None:
    event: dict[str, Any] = {"event_ticker": "E", "series_ticker": "S", "fee_multiplier_override": 0.5}
    value = {"event": event | {"markets": [MARKET]}} if nested else {"event": event, "markets": [MARKET]}
    found = answers.parse_event(body(value))
    assert not isinstance(found, Malformed)
    assert (found.series_ticker, found.fee_multiplier, found.fee_type) == ("S", "0.5", None)
    assert [market.ticker for market in found.markets] == [MARKET["ticker"]]


@pytest.mark.parametrize(("written", "text"), [(1, "1"), (0.5, "0.5"), (0, "0")])
def test_a_series_keeps_its_multiplier_as_it_is_written(written: float, text: str) -> None:
    found = answers.parse_series(body({"series": {"ticker": "S", "fee_type": "quadratic", "fee_multiplier": written}}))
    assert not isinstance(found, Malformed)
    assert (found.fee_type, found.fee_multiplier) == ("quadratic", text)


@pytest.mark.parametrize("multiplier", [b"1e400", b'"1"', b"-1", b"[]"])
def test_a_multiplier_that_is_no_plain_number_is_refused(multiplier: bytes) -> None:
    assert isinstance(answers.parse_series(b'{"series":{"ticker":"S","fee_multiplier":%b}}' % multiplier), Malformed)


@pytest.mark.parametrize(
    ("value", "book"),
    [
        (
            {"orderbook_fp": {"yes_dollars": [["0.4700", "3.00"], ["0.0100", "1.00"]], "no_dollars": []}},
            BookAnswer(((100, 100), (4_700, 300)), ()),
        ),
        ({"orderbook": {}}, BookAnswer()),
        ({"orderbook_fp": {}}, BookAnswer()),
    ],
)
def test_a_book_is_read_in_each_of_its_shapes(value: Any, book: BookAnswer) -> None:
    assert answers.parse_orderbook(body(value)) == book


def test_an_exchange_that_is_paused_says_so_with_an_error_status_too() -> None:
    status = answers.parse_status(body({"exchange_active": True, "trading_active": False}))
    assert not isinstance(status, Malformed)
    assert (status.is_exchange_active, status.is_trading_active) == (True, False)


def test_a_schedule_has_hours_and_windows() -> None:
    value = {
        "schedule": {
            "standard_hours": [
                {"thursday": [{"open_time": "05:00", "close_time": "00:00"}], "start_time": "2026-11-26T08:00:00Z"}
            ],
            "maintenance_windows": [
                {"start_datetime": "2026-11-26T08:00:00Z", "end_datetime": "2026-11-26T10:00:00Z"},
            ],
        }
    }
    schedule = answers.parse_schedule(body(value))
    assert isinstance(schedule, Schedule)
    assert schedule.hours == (Hours(3, 300, 0, 1_795_680_000 * 10**9, 0),)
    assert schedule.maintenance == (Window(1_795_680_000 * 10**9, 1_795_687_200 * 10**9),)


def test_limits_and_costs_are_numbers_of_tokens() -> None:
    limits = answers.parse_limits(
        body({
            "usage_tier": "basic",
            "read": {"refill_rate": 200, "bucket_capacity": 400},
            "write": {"refill_rate": 100, "bucket_capacity": 100},
        })
    )  # fmt: skip
    assert not isinstance(limits, Malformed)
    assert (limits.tier, limits.read_rate, limits.read_capacity, limits.write_rate) == ("basic", 200, 400, 100)
    costs = answers.parse_costs(
        body({"default_cost": 10, "endpoint_costs": [{"method": "DELETE", "path": "/x/{id}", "cost": 2}]})
    )
    assert not isinstance(costs, Malformed)
    assert costs.costs == (("DELETE", "/x/{id}", 2),)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (
            {"error": {"code": "authentication_error", "message": "m", "details": "NOT_FOUND"}},
            ApiError("authentication_error", "m", "NOT_FOUND"),
        ),
        ({"code": "bad_request", "message": "m", "details": "d"}, ApiError("bad_request", "m", "d")),
        ({"msg": "Parameter validation failed"}, ApiError(message="Parameter validation failed")),
        ({"error": "too many requests"}, ApiError(message="too many requests")),
        ([1], ApiError()),
        ({"error": {"code": 7, "message": "a\nb\x1b[2J"}}, ApiError(message="a b [2J")),
    ],
)
def test_what_an_error_says_is_found_in_each_of_its_shapes(value: Any, error: ApiError) -> None:
    assert answers.parse_error(body(value)) == error


def test_a_page_of_a_proxy_says_nothing() -> None:
    assert answers.parse_error(b"<html>502 Bad Gateway</html>") == ApiError()


def test_the_exact_balance_is_taken_where_there_is_one() -> None:
    exact = answers.parse_balance(body({"balance": 9801, "balance_dollars": "98.0186", "portfolio_value": 198}))
    cents = answers.parse_balance(body({"balance": 9801}))
    assert not isinstance(exact, Malformed) and not isinstance(cents, Malformed)
    assert (exact.balance, exact.portfolio, cents.balance) == (98_018_600, 1_980_000, 98_010_000)


def test_an_order_is_what_it_buys_at_the_yes_price() -> None:
    page = answers.parse_orders(body({"orders": [ORDER], "cursor": ""}))
    assert isinstance(page, Page)
    (order,) = page.items
    assert (order.side, order.price, order.fill_count, order.maker_fees) == (Side.NO, 4_400, 200, 100)


@pytest.mark.parametrize(
    ("given", "side"),
    [
        ({"outcome_side": "yes", "book_side": "ask"}, Side.YES),
        ({"book_side": "bid"}, Side.YES),
        ({"side": "no"}, Side.NO),
        ({"side": "yes", "action": "buy"}, Side.YES),
        ({"side": "yes", "action": "sell"}, Side.NO),
        ({"side": "no", "action": "sell"}, Side.YES),
        ({"side": "yes", "action": "sell", "outcome_side": "no", "book_side": "ask"}, Side.NO),
    ],
)
def test_the_newest_name_of_a_direction_wins(given: dict[str, str], side: Side) -> None:
    fill = {"trade_id": "t", "order_id": "o", "ticker": "M", "yes_price_dollars": "0.5000", "count_fp": "1.00"}
    page = answers.parse_fills(body({"fills": [fill | given], "cursor": ""}))
    assert isinstance(page, Page)
    assert page.items[0].side is side


def test_a_batch_has_an_error_of_its_own_for_each_item() -> None:
    placed = answers.parse_placed(
        body({"orders": [{"order_id": "o1", "remaining_count": "5.00"}, {"error": {"code": "invalid_price"}}]})
    )
    assert not isinstance(placed, Malformed)
    assert [(item.order_id, item.remaining_count, item.error) for item in placed] == [
        ("o1", 500, None),
        ("", 0, ApiError("invalid_price")),
    ]
    cancelled = answers.parse_cancelled(body({"order_id": "o1", "reduced_by": "1.00", "ts_ms": 1_795_435_200_000}))
    assert not isinstance(cancelled, Malformed)
    assert (cancelled[0].reduced_by, cancelled[0].at_ns) == (100, 1_795_435_200 * 10**9)


PARSERS: list[Callable[[bytes], Any]] = [
    getattr(answers, name) for name in sorted(answers.__all__) if name.startswith("parse_")
]


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b"{", b"\xff", b"1" * 5_000, b'{"a":' * 999])
def test_no_body_makes_a_parser_raise(parse: Callable[[bytes], Any], content: bytes) -> None:
    found = parse(content)
    assert isinstance(found, Malformed | ApiError)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["0.4200", "-1.00", "yes"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(MARKET | ORDER)), inner),
    max_leaves=12,
)


@given(st.sampled_from(PARSERS), st.sampled_from(["market", "markets", "orders", "order", "schedule", "fills"]), VALUES)
def test_no_object_makes_a_parser_raise(parse: Callable[[bytes], Any], name: str, value: Any) -> None:
    parse(body({name: value}))


READERS: dict[str, Callable[[bytes], Any]] = {
    "cockpit/events_sports_nested": answers.parse_events,
    "cockpit/market_single": answers.parse_market,
    "cockpit/markets_settled": answers.parse_markets,
    "fortuna/account__endpoint_costs": answers.parse_costs,
    "fortuna/account__limits": answers.parse_limits,
    "fortuna/auth__balance": answers.parse_balance,
    "fortuna/auth__skew_minus5s": answers.parse_balance,
    "fortuna/auth__skew_plus5s": answers.parse_balance,
    "fortuna/cleanup__stp_resting": answers.parse_cancelled,
    "fortuna/exchange__status": answers.parse_status,
    "fortuna/fills": answers.parse_fills,
    "fortuna/markets__limit_over_max": answers.parse_error,
    "fortuna/markets__single_filter": answers.parse_markets,
    "fortuna/markets__single": answers.parse_market,
    "fortuna/markets__unauth_single": answers.parse_market,
    "fortuna/markets__": answers.parse_markets,
    "fortuna/orderbook__base": answers.parse_orderbook,
    "fortuna/orders__cancel_v2": answers.parse_cancelled,
    "fortuna/orders__create_v2": answers.parse_placed,
    "fortuna/orders__get": answers.parse_order,
    "fortuna/orders__legacy": answers.parse_order,
    "fortuna/orders__settlement_seed": answers.parse_placed,
    "fortuna/orders__stp_resting_after": answers.parse_order,
    "fortuna/orders__stp": answers.parse_placed,
    "fortuna/portfolio__orders_list": answers.parse_orders,
    "fortuna/portfolio__positions": answers.parse_positions,
    "fortuna/settlements": answers.parse_settlements,
    "fortuna/trades__public": answers.parse_trades,
    "golden/amend_order": answers.parse_order,
    "golden/cancel_order": answers.parse_order,
    "golden/create_order": answers.parse_order,
    "golden/decrease_order": answers.parse_order,
    "golden/event_single": answers.parse_event,
    "golden/events_": answers.parse_events,
    "golden/exchange_schedule": answers.parse_schedule,
    "golden/exchange_status": answers.parse_status,
    "golden/market_single": answers.parse_market,
    "golden/markets_list": answers.parse_markets,
    "golden/order_group_create": answers.parse_group,
    "golden/order_group_single": answers.parse_group_orders,
    "golden/order_groups_list": answers.parse_groups,
    "golden/order_queue_position": answers.parse_queue_positions,
    "golden/orderbook": answers.parse_orderbook,
    "golden/portfolio_balance": answers.parse_balance,
    "golden/portfolio_fills": answers.parse_fills,
    "golden/portfolio_order_single": answers.parse_order,
    "golden/portfolio_orders": answers.parse_orders,
    "golden/portfolio_positions": answers.parse_positions,
    "golden/portfolio_settlements": answers.parse_settlements,
    "golden/portfolio_total": answers.parse_error,
    "golden/series_single": answers.parse_series,
    "golden/trades_list": answers.parse_trades,
}
"""What reads a real body, by the beginning of its file's name, the longest that fits; the rest is none of ours."""

REAL = sorted(
    (path for path in (TAPES / "rest").glob("*/*.json") if not path.name.endswith(".meta.json")),
    key=lambda path: path.as_posix(),
)


def reader_of(path: Path) -> Callable[[bytes], Any] | None:
    name = f"{path.parent.name}/{path.name}"
    return READERS.get(max((start for start in READERS if name.startswith(start)), key=len, default=""))


def unwrapped(path: Path) -> bytes:
    """The body as it came: some collections have notes around it."""
    content = json.loads(path.read_bytes())
    if isinstance(content, list):  # the events alone
        return body({"events": content})
    return body(content.get("response", content.get("single", content)))


@needs_tapes
@pytest.mark.parametrize("path", [path for path in REAL if reader_of(path)], ids=lambda path: path.name)
def test_a_real_body_is_read_whole(path: Path) -> None:
    parse = reader_of(path)
    assert parse is not None
    found = parse(unwrapped(path))
    assert not isinstance(found, Malformed), found
    assert not isinstance(found, Page) or not found.refused


@needs_tapes
def test_no_reader_is_left_without_a_real_body_to_read() -> None:
    names = [f"{path.parent.name}/{path.name}" for path in REAL]
    assert [start for start in READERS if not any(name.startswith(start) for name in names)] == []
    assert sum(reader_of(path) is not None for path in REAL) > 60


@needs_tapes
@pytest.mark.parametrize("parse", PARSERS)
def test_no_real_body_makes_a_parser_raise(parse: Callable[[bytes], Any]) -> None:
    for path in REAL:
        parse(unwrapped(path))


@needs_tapes
def test_every_real_error_says_something() -> None:
    names = sorted(
        path for pattern in ("auth__bad*", "auth__missing*", "orders__cancel_[aeu]*", "markets__limit_over_max.json")
        for path in (TAPES / "rest" / "fortuna").glob(pattern) if not path.name.endswith(".meta.json")
    )  # fmt: skip
    assert len(names) > 3
    for path in names:
        error = answers.parse_error(path.read_bytes())
        assert error.code or error.message, path.name
