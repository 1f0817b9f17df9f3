"""core.commands: the JSON of our commands, against the examples of the protocol."""

import json

import pytest

from core import commands


def test_books_always_say_how_no_side_prices_are_to_be_written() -> None:
    assert json.loads(commands.subscribe(1, "orderbook_delta", ("A", "B"))) == {
        "id": 1,
        "cmd": "subscribe",
        "params": {"channels": ["orderbook_delta"], "market_tickers": ["A", "B"], "use_yes_price": False},
    }
    assert b'"use_yes_price":true' in commands.subscribe(1, "orderbook_delta", ("A",), use_yes_price=True)


@pytest.mark.parametrize(
    ("channel", "markets", "extra"),
    [
        ("ticker", ("A",), {"market_tickers": ["A"], "send_initial_snapshot": True}),
        ("trade", ("A",), {"market_tickers": ["A"]}),
        ("fill", (), {}),
        ("market_lifecycle_v2", (), {}),
        ("cfbenchmarks_value", (), {"index_ids": ["all"]}),
        ("pyth_value", (), {"underlying_tickers": ["all"]}),
    ],
)
def test_every_channel_gets_the_options_it_needs(
    channel: str, markets: tuple[str, ...], extra: dict[str, object]
) -> None:
    assert json.loads(commands.subscribe(2, channel, markets))["params"] == {"channels": [channel]} | extra


def test_a_subscription_is_changed_by_its_sid() -> None:
    assert json.loads(commands.update(3, 7, "get_snapshot", ("A",))) == {
        "id": 3,
        "cmd": "update_subscription",
        "params": {"sid": 7, "action": "get_snapshot", "market_tickers": ["A"]},
    }
    assert b"send_initial_snapshot" in commands.update(3, 7, "add_markets", ("A",), channel="ticker")
    assert b"send_initial_snapshot" not in commands.update(3, 7, "delete_markets", ("A",), channel="ticker")
    assert commands.unsubscribe(4, 7) == b'{"id":4,"cmd":"unsubscribe","params":{"sids":[7]}}'
    assert commands.list_subscriptions(5) == b'{"id":5,"cmd":"list_subscriptions"}'


@pytest.mark.parametrize(
    ("payload", "number"),
    [(b'{"id":12,"cmd":"x"}', 12), (b'{"cmd":"x"}', 0), (b"\xff", 0), (b"[]", 0), (b'{"id":"1"}', 0)],
)
def test_the_id_of_any_bytes(payload: bytes, number: int) -> None:
    assert commands.command_id(payload) == number
