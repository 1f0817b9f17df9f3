"""The sandbox's REST objects have every member that the exchange's published schema requires, and numbers as texts."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
from sandbox_day import GROUPS, ORDERS, Day

from replay.exchange.orders import BookSide

REQUIRED: Final = {
    "market": """
        can_close_early close_time created_time event_ticker expiration_value last_price_dollars latest_expiration_time
        market_type no_ask_dollars no_bid_dollars no_sub_title notional_value_dollars open_interest_fp open_time
        previous_price_dollars previous_yes_ask_dollars previous_yes_bid_dollars price_level_structure price_ranges
        result rules_primary rules_secondary settlement_bounds_type settlement_timer_seconds status ticker updated_time
        volume_24h_fp volume_fp yes_ask_dollars yes_ask_size_fp yes_bid_dollars yes_bid_size_fp yes_sub_title""",
    "event": """
        collateral_return_type event_ticker mutually_exclusive series_ticker settlement_sources sub_title title""",
    "series": """
        additional_prohibitions categories category contract_terms_url contract_url fee_multiplier fee_type frequency
        settlement_sources tags ticker title""",
    "order": """
        book_side client_order_id fill_count_fp initial_count_fp maker_fees_dollars maker_fill_cost_dollars
        no_price_dollars order_id outcome_side remaining_count_fp status taker_fees_dollars taker_fill_cost_dollars
        ticker type user_id yes_price_dollars""",
    "fill": """
        book_side count_fp exchange_index fee_cost fill_id is_taker market_ticker no_price_dollars order_id outcome_side
        ticker trade_id yes_price_dollars""",
    "settlement": """
        event_ticker exchange_index fee_cost market_result no_count_fp no_total_cost_dollars revenue settled_time ticker
        yes_count_fp yes_total_cost_dollars""",
    "market_position": """
        exchange_index fees_paid_dollars last_updated_ts market_exposure_dollars position_fp realized_pnl_dollars ticker
        total_traded_dollars""",
    "event_position": """
        event_exposure_dollars event_ticker fees_paid_dollars realized_pnl_dollars total_cost_dollars
        total_cost_shares_fp""",
    "balance": "balance balance_dollars portfolio_value updated_ts",
    "trade": """
        count_fp created_time is_block_trade no_price_dollars taker_book_side taker_outcome_side ticker trade_id
        yes_price_dollars""",
    "placed": "fill_count order_id remaining_count ts_ms",
    "cancelled": "order_id reduced_by ts_ms",
    "not_cancelled": "order_id reduced_by error",
    "decreased": "order_id remaining_count ts_ms",
    "group": "is_auto_cancel_enabled orders",
}
"""What the API reference requires of each object."""

WHOLE: Final = {"balance", "portfolio_value", "revenue", "value", "updated_ts", "ts", "ts_ms", "exchange_index"}
SHAPES: Final = ((re.compile(".*_dollars|fee_cost"), re.compile(r"-?\d+\.\d{4}(\d\d)?")), (
    re.compile(".*_fp|.*_count|reduced_by"), re.compile(r"-?\d+\.\d\d"),
))  # fmt: skip
"""Members by name, and the text they hold."""


@pytest.fixture(scope="module")
def day() -> Day:
    """A sandbox on which much has happened."""
    made = Day(5)
    for _ in made.publications(2_500):
        pass
    made.venue.leap(until_ns=made.venue.now_ns + 60 * 10**9)
    return made


def get(day: Day, path: str, **query: object) -> dict[str, Any]:
    """The body of what must be there."""
    answer = day.ask("GET", path, query=tuple((name, str(value)) for name, value in query.items()))
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def check(kind: str, objects: Sequence[Mapping[str, Any]]) -> None:
    """Each has what it must have, and writes numbers as they are written; there is at least one."""
    assert objects, f"there is no {kind}"
    for found in objects:
        assert set(REQUIRED[kind].split()) - found.keys() == set()
        for name, value in found.items():
            if name in WHOLE:
                assert type(value) is int, (kind, name, value)
            for names, texts in SHAPES:
                if names.fullmatch(name) and name not in WHOLE:
                    assert texts.fullmatch(value), (kind, name, value)


def test_listings_are_complete(day: Day) -> None:
    markets = get(day, "/markets", limit=1_000)["markets"]
    check("market", markets)
    assert {"active", "finalized"} <= {market["status"] for market in markets}
    check("event", get(day, "/events")["events"])
    check("event", get(day, "/events/multivariate")["events"])
    check("series", get(day, "/series")["series"])
    check("trade", get(day, "/markets/trades")["trades"])


def test_combos_are_events_of_their_own_kind(day: Day) -> None:
    assert all(event["event_ticker"].startswith("KXMVE") for event in get(day, "/events/multivariate")["events"])
    assert not any(event["event_ticker"].startswith("KXMVE") for event in get(day, "/events")["events"])
    assert day.ask("GET", "/events/multivariate", query=(("limit", "201"),)).status == 400


def test_an_accounts_objects_are_complete(day: Day) -> None:
    check("order", get(day, "/portfolio/orders", limit=1_000)["orders"])
    check("fill", get(day, "/portfolio/fills", limit=1_000)["fills"])
    check("settlement", get(day, "/portfolio/settlements")["settlements"])
    positions = get(day, "/portfolio/positions", limit=1_000)
    check("market_position", positions["market_positions"])
    check("event_position", positions["event_positions"])
    check("balance", [get(day, "/portfolio/balance")])


def test_what_is_done_to_orders_is_answered_completely(day: Day) -> None:
    market = get(day, "/markets", status="open")["markets"][0]["ticker"]

    def ask(method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = day.ask(method, path, body, (("market_ticker", market),))
        assert answer.status in (200, 201), answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found

    placed = ask("POST", ORDERS, day.order(market, price="0.0100", count="3.00"))
    path = f"{ORDERS}/{placed['order_id']}"
    amendment = {"ticker": market, "side": BookSide.BID, "price": "0.0200", "count": "3.00"}
    check("placed", [placed, ask("POST", f"{path}/amend", amendment)])
    check("decreased", [ask("POST", f"{path}/decrease", {"reduce_to": "1.00", "market_ticker": market})])
    check("cancelled", [ask("DELETE", path)])
    batch = ask("POST", f"{ORDERS}/batched", {"orders": [day.order(market, price="0.0100"), day.order("KXNONE")]})
    check("placed", batch["orders"][:1])
    assert batch["orders"][1]["error"]["code"] == "not_found"
    named = [{"order_id": order, "market_ticker": market} for order in (batch["orders"][0]["order_id"], "none")]
    gone = ask("DELETE", f"{ORDERS}/batched", {"orders": named})["orders"]
    check("cancelled", gone[:1])
    check("not_cancelled", gone[1:])
    group_id = ask("POST", f"{GROUPS}/create", {"contracts_limit": 10})["order_group_id"]
    check("group", [ask("GET", f"{GROUPS}/{group_id}")])
