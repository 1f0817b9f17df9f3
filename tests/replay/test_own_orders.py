"""What a tape tells of its account's orders, and by which of the ways in which it is told."""

from pathlib import Path
from typing import Any

from owner import MARKET, OwnerScript
from sample_tapes import SECOND, START_NS

from core.messages.types import Side
from replay.own_orders import OwnOrders, Said, own_orders

ORDERS = "/portfolio/events/orders"


def told(script: OwnerScript, path: Path) -> OwnOrders:
    return own_orders(script.stop().tape(path / "tape"))


def words(found: OwnOrders, key: str = "a") -> list[Said]:
    return found.said[MARKET][key]


def placed(**changes: Any) -> dict[str, Any]:
    body = {"ticker": MARKET, "client_order_id": "a", "side": "ask", "count": "5.00", "price": "0.6000"}
    return {**body, "time_in_force": "good_till_canceled", "expiration_time": START_NS // SECOND + 60, **changes}


def test_an_order_is_known_from_its_placing_to_its_cancel_by_rest_alone(tmp_path: Path) -> None:
    answer = {
        "order_id": "id of a",
        "client_order_id": "a",
        "fill_count": "1.00",
        "remaining_count": "4.00",
        "ts_ms": 0,
    }
    script = OwnerScript().called("POST", ORDERS, 201, answer, placed())
    script.called("POST", f"{ORDERS}/id of a/amend", 200, answer, placed(count="3.00", price="0.6100"))
    script.called(
        "DELETE", f"{ORDERS}/id of a?market_ticker={MARKET}", 200, {"order_id": "id of a", "reduced_by": "2.00"}
    )
    found = told(script, tmp_path)
    assert found.markets == {MARKET}
    assert [(said.side, said.price, said.left, said.asked, said.is_over) for said in words(found)] == [
        (Side.NO, 4_000, 400, 500, False),
        (Side.NO, 3_900, 200, 300, False),
        (Side.NO, 3_900, 200, 300, True),
    ]
    assert words(found)[0].expires_ns == (START_NS // SECOND + 60) * SECOND
    assert found.over(MARKET, "a") == words(found)[-1]
    assert found.rests_on((MARKET, Side.NO, 1), "a")
    assert not found.rests_on((MARKET, Side.YES, 1), "a")


def test_a_cancel_that_finds_nothing_says_that_it_is_over(tmp_path: Path) -> None:
    script = OwnerScript().ours("yes", "0.4000", "5.00").order("resting", "5.00")
    script.called("DELETE", f"{ORDERS}/id of a", 404, {"error": {"code": "not_found"}})
    script.called("DELETE", f"{ORDERS}/id of b", 404, {"error": {"code": "not_found"}})
    assert [(said.left, said.is_over) for said in words(told(script, tmp_path))] == [(500, False), (0, True)]


def test_what_only_takes_never_rests_and_refusals_say_nothing(tmp_path: Path) -> None:
    answer = {"order_id": "id of a", "fill_count": "0.00", "remaining_count": "0.00"}
    script = OwnerScript().called("POST", ORDERS, 201, answer, placed(time_in_force="immediate_or_cancel"))
    script.called("POST", ORDERS, 400, {"error": {"code": "bad"}}, placed())
    script.called("GET", "/markets", 200, {"markets": [], "cursor": ""})
    found = told(script, tmp_path)
    assert (found.said, found.markets) == ({}, set())


def test_fills_are_counted_once_and_those_of_takers_name_their_trades(tmp_path: Path) -> None:
    script = OwnerScript().ours("yes", "0.4000", "5.00").order("resting", "5.00")
    script.same().filled("2.00", trade="t").filled("2.00", trade="t").filled("1.00", trade="u", taker=True)
    found = told(script, tmp_path)
    place = MARKET, Side.YES, 4_000
    assert [(hit.key, hit.count) for hit in found.hits[place]] == [("a", 200)]
    assert found.took == {"u"}
    at_ns = found.hits[place][0].exchange_ns
    assert found.filled(place, "a", at_ns - 1, at_ns) == 200
    assert found.filled(place, "a", at_ns, at_ns + SECOND) == 0
    assert list(found.came) == ["a"]
