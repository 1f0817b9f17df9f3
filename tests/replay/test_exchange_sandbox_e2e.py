"""A client of the sandbox over a real socket: it quotes, is filled and settled, and its money is right."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from exchange_client import DEADLINE_S, Client, client, signed

from replay.exchange.local import LocalExchange
from replay.exchange.options import ServerOptions
from replay.exchange.sandbox import SandboxOptions, SandboxVenue

pytestmark = pytest.mark.integration

CHANNELS = ("orderbook_delta", "trade", "fill", "user_orders", "market_positions")
MICRO = 1_000_000
FUND = 10_000 * MICRO


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    """A sandbox whose traders stand still; two accounts with 10,000 dollars each."""
    options = SandboxOptions(markets=5, rate=0, seed=3, accounts=("trader", "other"), fund=FUND)
    with LocalExchange(
        SandboxVenue(options), ServerOptions(accounts=("trader", "other"), key_type="ed25519")
    ) as running:
        running.control("pause")
        yield running


def ask(exchange: LocalExchange, method: str, path: str, body: Any = None, account: str = "") -> requests.Response:
    """A signed request below /trade-api/v2."""
    headers = signed(exchange, method, "/trade-api/v2" + path.partition("?")[0], account=account)
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, exchange.rest_url + path, headers=headers, json=body, timeout=DEADLINE_S)


def order(market: str, side: str, price: str, count: str, name: str, **given: Any) -> dict[str, Any]:
    """The body of an order."""
    return {
        "ticker": market, "side": side, "price": price, "count": count, "client_order_id": name,
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross", **given,
    }  # fmt: skip


def place(exchange: LocalExchange, body: dict[str, Any], account: str = "") -> dict[str, Any]:
    """Place what must be accepted."""
    answer = ask(exchange, "POST", "/portfolio/events/orders", body, account)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def first_market(exchange: LocalExchange) -> str:
    """One that is open and that only this test trades in."""
    listed = requests.get(f"{exchange.rest_url}/markets?status=open&mve_filter=exclude", timeout=DEADLINE_S).json()
    ticker: str = listed["markets"][0]["ticker"]
    return ticker


def subscribe(connection: Client, market: str, *channels: str) -> None:
    """Subscribe, and wait until everything is confirmed and the book is there."""
    for channel in channels:
        connection.command("subscribe", channels=[channel], market_tickers=[market])
        connection.until("orderbook_snapshot" if channel == "orderbook_delta" else "subscribed")


def by_type(frames: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the last frame of each type says."""
    return {frame["type"]: frame["msg"] for frame in frames}


def require_money(exchange: LocalExchange) -> None:
    """2.25 contracts of no at 0.56 cost 1.26 and pay 2.25; the other side paid 0.99 and its fee, and lost it."""
    fills = ask(exchange, "GET", "/portfolio/fills").json()["fills"]
    their_fee = sum(
        round(float(fill["fee_cost"]) * MICRO)
        for fill in ask(exchange, "GET", "/portfolio/fills", account="other").json()["fills"]
    )
    assert [(fill["count_fp"], fill["fee_cost"]) for fill in fills] == [("2.25", "0.000000")]
    (paid,) = ask(exchange, "GET", "/portfolio/settlements").json()["settlements"]
    assert (paid["market_result"], paid["no_count_fp"], paid["revenue"]) == ("no", "2.25", 225)
    mine_now = exchange.control("totals", account="trader")
    theirs_now = exchange.control("totals", account="other")
    assert mine_now["balance"] == FUND + 990_000
    assert theirs_now["balance"] == FUND - 990_000 - their_fee
    assert their_fee > 0
    assert (mine_now["positions"], mine_now["resting"], mine_now["reserved"]) == ({}, [], 0)
    balance = ask(exchange, "GET", "/portfolio/balance").json()
    assert (balance["balance"], float(balance["balance_dollars"])) == (1_000_099, 10_000.99)


def test_a_maker_is_filled_by_another_account_and_settled_to_the_micro_dollar(exchange: LocalExchange) -> None:
    market = first_market(exchange)
    with client(exchange) as mine, client(exchange, account="other") as theirs:
        subscribe(mine, market, *CHANNELS)
        subscribe(theirs, market, "orderbook_delta")
        placed = place(exchange, order(market, "ask", "0.4400", "5.00", "maker-1"))
        assert (placed["fill_count"], placed["remaining_count"]) == ("0.00", "5.00")
        found = by_type(mine.take(2))
        delta, resting = found["orderbook_delta"], found["user_order"]
        assert (delta["side"], delta["price_dollars"], delta["delta_fp"]) == ("no", "0.5600", "5.00")
        assert (delta["client_order_id"], delta["subaccount"]) == ("maker-1", 0)
        assert (resting["order_id"], resting["status"]) == (placed["order_id"], "resting")
        assert "client_order_id" not in theirs.next()["msg"]

        taken = place(exchange, order(market, "bid", "0.5000", "2.25", "taker-1"), "other")
        assert (taken["fill_count"], taken["remaining_count"]) == ("2.25", "0.00")
        assert taken["average_fill_price"] == "0.4400"
        found = by_type(mine.take(5))
        assert found["orderbook_delta"]["delta_fp"] == "-2.25"
        assert "client_order_id" not in found["orderbook_delta"]
        assert theirs.next()["msg"]["client_order_id"] == "taker-1"
        assert found["fill"]["trade_id"] == found["trade"]["trade_id"]
        assert (found["fill"]["is_taker"], found["fill"]["post_position_fp"]) == (False, "-2.25")
        assert (found["market_position"]["position_fp"], found["user_order"]["fill_count_fp"]) == ("-2.25", "2.25")

        exchange.control("settle", market=market, result="no")
        exchange.control("advance", seconds=31)
        frames = mine.until("market_position")
        assert by_type(frames)["market_position"]["position_fp"] == "0.00"
        assert by_type(frames)["user_order"]["last_update_reason"] == "CloseCancel"

    require_money(exchange)


def test_a_resting_order_is_filled_by_a_trader() -> None:
    venue = SandboxVenue(SandboxOptions(markets=1, rate=2_000, seed=3, speed=0))  # begins with the first subscription
    with LocalExchange(venue, ServerOptions(key_type="ed25519")) as exchange, client(exchange) as connection:
        market = first_market(exchange)
        placed = place(exchange, order(market, "bid", "0.9900", "1.00", "hit-me"))
        subscribe(connection, market, "fill")
        told = connection.until("fill")[-1]["msg"]
        (listed,) = ask(exchange, "GET", "/portfolio/fills").json()["fills"]
    assert (told["order_id"], told["count_fp"], told["is_taker"]) == (placed["order_id"], "1.00", False)
    assert (listed["trade_id"], listed["yes_price_dollars"]) == (told["trade_id"], "0.9900")


def test_what_is_refused_has_the_exchanges_own_words(exchange: LocalExchange) -> None:
    market = first_market(exchange)
    path = "/portfolio/events/orders"
    good = order(market, "bid", "0.4000", "1.00", "once")
    number = ask(exchange, "POST", path, {**good, "count": 1})
    assert (number.status_code, number.json()["details"]) == (
        400,
        "json: cannot unmarshal number into Go struct field CreateOrderV2Request.count of type string",
    )
    placed = place(exchange, good)
    again = ask(exchange, "POST", path, good)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "order_already_exists")
    cross = ask(exchange, "POST", path, order(market, "ask", "0.3000", "1.00", "x", post_only=True))
    assert (cross.status_code, cross.json()["error"]["details"]) == (400, "post only cross")
    for status in (200, 404):
        gone = ask(exchange, "DELETE", f"{path}/{placed['order_id']}?market_ticker={market}")
        assert gone.status_code == status
    assert gone.json()["error"]["code"] == "not_found"
    legacy = ask(exchange, "POST", "/portfolio/orders", {})
    assert (legacy.status_code, legacy.json()["error"]["code"]) == (410, "deprecated_v1_order_endpoint")
    unsigned = requests.get(f"{exchange.rest_url}/portfolio/balance", timeout=DEADLINE_S)
    assert unsigned.status_code == 401
    assert json.loads(unsigned.content)["error"]["code"]
