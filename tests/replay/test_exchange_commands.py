"""Commands that make no sense, each with the error that answers it (protocol 5.2); nothing is touched by them."""

import pytest
from exchange_venue import MARKETS, trade
from hub_table import Table, error, places

from replay.exchange.commands import ListSubscriptions, Subscribe, Unsubscribe, Update, Wanted, parse
from replay.exchange.sessions import Terms


@pytest.fixture
def table() -> Table:
    return Table()


def test_commands_are_values() -> None:
    assert parse('{"id":1,"cmd":"list_subscriptions"}') == ListSubscriptions(1)
    assert parse(b'{"id":2,"cmd":"unsubscribe","params":{"sids":[3,4]}}') == Unsubscribe(2, (3, 4))
    subscribe = (
        '{"id":3,"cmd":"subscribe","params":{"channels":["ticker","ticker"],"market_ticker":"A","use_yes_price":true}}'
    )
    assert parse(subscribe) == Subscribe(3, ("ticker",), Wanted(("A",)), Terms(use_yes_price=True))
    update = '{"id":4,"cmd":"update_subscription","params":{"sids":[7],"action":"add_markets","market_ids":["b","b"]}}'
    assert parse(update) == Update(4, 7, "add_markets", Wanted((), ("b",)))


@pytest.mark.parametrize(
    ("text", "code", "number"),
    [
        ("not json", 1, None),
        ("[1,2]", 1, None),
        ("7", 1, None),
        ("", 1, None),
        (b"\xff\xfe", 1, None),
        ('{"id":"one","cmd":"subscribe"}', 11, None),
        ('{"id":-1,"cmd":"subscribe"}', 11, None),
        ('{"id":true,"cmd":"subscribe"}', 11, None),
        ('{"id":5}', 5, 5),
        ('{"id":5,"cmd":"dance"}', 5, 5),
        ('{"id":5,"cmd":["subscribe"]}', 5, 5),
        ('{"id":5,"cmd":"subscribe"}', 2, 5),
        ('{"id":5,"cmd":"subscribe","params":[]}', 11, 5),
        ('{"id":5,"cmd":"subscribe","params":{}}', 3, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":[]}}', 3, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":"trade"}}', 11, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":[1]}}', 11, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["orderbook_delta"]}}', 14, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["trade"],"market_tickers":[]}}', 11, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["trade"],"market_tickers":"A"}}', 11, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["trade"],"market_ticker":7}}', 11, 5),
        (
            '{"id":5,"cmd":"subscribe","params":{"channels":["trade"],"market_ticker":"A","market_tickers":["A"]}}',
            11,
            5,
        ),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["ticker"],"market_ticker":"A","market_id":"b"}}', 11, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["trade"],"market_id":"b"}}', 11, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["trade"],"use_yes_price":"yes"}}', 11, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["communications"],"user_filter":"all"}}', 11, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["communications"],"shard_factor":0}}', 19, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["communications"],"shard_key":0}}', 20, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["communications"],"shard_factor":4,"shard_key":4}}', 21, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["communications"],"shard_factor":101,"shard_key":1}}', 22, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["communications"],"shard_factor":"4"}}', 11, 5),
        ('{"id":5,"cmd":"subscribe","params":{"channels":["orderbook"]}}', 8, 5),
        ('{"id":5,"cmd":"unsubscribe"}', 2, 5),
        ('{"id":5,"cmd":"unsubscribe","params":{}}', 4, 5),
        ('{"id":5,"cmd":"unsubscribe","params":{"sids":[]}}', 4, 5),
        ('{"id":5,"cmd":"unsubscribe","params":{"sids":["1"]}}', 11, 5),
        ('{"id":5,"cmd":"unsubscribe","params":{"sids":[9]}}', 7, 5),
        ('{"id":5,"cmd":"update_subscription"}', 2, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"action":"add_markets","market_ticker":"A"}}', 12, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sid":1,"sids":[1],"action":"add_markets"}}', 12, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sids":[1,2],"action":"add_markets"}}', 12, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sids":[],"action":"add_markets"}}', 12, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sid":"1","action":"add_markets"}}', 11, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sid":1}}', 15, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sid":1,"action":"juggle"}}', 13, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sid":1,"action":{}}}', 13, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sid":1,"action":"add_markets"}}', 14, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sid":1,"action":"get_snapshot"}}', 14, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sid":9,"action":"get_snapshot","market_ticker":"A"}}', 7, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sid":1,"action":"get_snapshot","market_ticker":"A"}}', 13, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sid":2,"action":"add_markets","market_ticker":"A"}}', 13, 5),
        ('{"id":5,"cmd":"update_subscription","params":{"sid":1,"action":"add_markets","market_id":"b"}}', 11, 5),
    ],
)
def test_a_command_that_makes_no_sense_is_answered_by_its_error(
    table: Table, text: str | bytes, code: int, number: int | None
) -> None:
    table.send("subscribe", channels=["trade", "market_lifecycle_v2"])
    frames = table.raw(text)
    assert error(frames) == code
    assert frames[0].get("id") == number
    assert places(frames) == [(None, None)]


def test_an_unscoped_error_takes_no_slot(table: Table) -> None:
    table.send("subscribe", channels=["trade"])
    table.send("update_subscription", sid=1, action="juggle")
    table.publish(trade(MARKETS[0], 1))
    assert places(table.queued()) == [(1, 1)]
