"""The sandbox's orders and order groups by REST: placed, changed, cancelled, refused in the exchange's words."""

import json
from typing import Any

import pytest
from sandbox_asked import GROUPS, ORDERS, a_market, ask, busy, get, order

from core import answers
from core.answers import Page
from core.messages.types import Malformed
from replay.exchange.port import RestAnswer
from replay.exchange.sandbox import SandboxVenue

GO = "cannot unmarshal number into Go struct field"


@pytest.fixture
def venue() -> SandboxVenue:
    return busy()


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


@pytest.mark.parametrize("body", [{}, {"contracts_limit": 2, "contracts_limit_fp": "3.00"}, {"contracts_limit": "2"}])
def test_an_order_group_needs_its_limit_in_one_form_or_twice_the_same(venue: SandboxVenue, body: Any) -> None:
    made = ask(venue, "POST", f"{GROUPS}/create", body={"contracts_limit": 2, "contracts_limit_fp": "2.00"})
    for method, path in (("POST", "create"), ("PUT", f"{json.loads(made.body)['order_group_id']}/limit")):
        refused = ask(venue, method, f"{GROUPS}/{path}", body=body)
        assert (refused.status, json.loads(refused.body)["code"]) == (400, "bad_request")


def test_the_value_of_what_rests_is_told_by_shard(venue: SandboxVenue) -> None:
    path, reads = "/portfolio/summary/total_resting_order_value", venue.engine.reads
    assert get(venue, path) == {"total_resting_order_value": 0, "resting_order_value_breakdown": []}
    crypto = next(m for m in reads.markets() if reads.market(m).spec.exchange_index == 2)
    for market in (a_market(venue), crypto):
        ask(venue, "POST", ORDERS, body=order(market, count="5.50"))
    by_shard = [{"exchange_index": index, "balance": "0.0550"} for index in (0, 2)]
    assert get(venue, path) == {"total_resting_order_value": 11, "resting_order_value_breakdown": by_shard}


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("DELETE", "/x"), ("POST", "/x/amend"), ("POST", "/batched")]
)
def test_orders_of_the_first_version_are_gone(venue: SandboxVenue, method: str, path: str) -> None:
    answer = ask(venue, method, f"/portfolio/orders{path}", body={})
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (410, "deprecated_v1_order_endpoint")
