import pytest
from deck import delta, snapshot, ticker, trade
from hypothesis import given
from hypothesis import strategies as st

from core.cells import Memory
from core.messages import MarketLifecycle, Message
from core.subscriptions import (
    MAX_NAMED_MARKETS,
    MAX_PENDING,
    MAX_SUBSCRIPTIONS,
    Connection,
    SavedConnection,
    SavedSubscription,
    Subscription,
    book_subscribe,
)


def a_connection(number: int = 1, opened_ns: int = 0, heard_ns: int = 0) -> Connection:
    return Connection(Memory(), SavedConnection(number, opened_ns, heard_ns))


def a_subscription(markets: dict[str, bool] | None = None) -> Subscription:
    memory = Memory()
    carrier = Connection(memory, SavedConnection(1, 0, 0))
    return Subscription(memory, carrier, SavedSubscription(1, 0, markets=markets or {}))


def test_a_subscription_learns_its_channel_and_its_markets_from_data() -> None:
    subscription = a_subscription()
    subscription.learn(delta(1, market="B"))
    subscription.learn(snapshot(2, "A"))
    assert subscription.channel == "orderbook_delta"
    assert sorted(subscription.markets) == ["A", "B"]
    assert subscription.books() == ()  # the store has accepted no snapshot yet


@pytest.mark.parametrize(("message", "channel"), [(trade(1), "trade"), (ticker(), "ticker")])
def test_channels_follow_from_the_type_of_message(message: Message, channel: str) -> None:
    subscription = a_subscription()
    subscription.learn(message)
    assert subscription.channel == channel


def test_messages_of_unfiltered_channels_name_no_market_of_a_subscription() -> None:
    subscription = a_subscription()
    subscription.learn(MarketLifecycle(market="A", event="created"))
    assert (subscription.channel, subscription.markets) == ("", {})


def test_a_new_list_of_markets_says_which_ones_went() -> None:
    subscription = a_subscription({"A": True, "B": False, "C": True})
    assert subscription.relist(("C", "D")) == ["A", "B"]
    assert subscription.markets == {"C": True, "D": False}
    assert subscription.books() == ("C",)


def test_named_markets_are_bounded() -> None:
    subscription = a_subscription()
    subscription.relist(tuple(f"M{number}" for number in range(MAX_NAMED_MARKETS + 10)))
    subscription.learn(delta(1, market="one more"))
    assert len(subscription.markets) == MAX_NAMED_MARKETS


def test_a_connection_remembers_how_far_an_ended_subscription_had_counted() -> None:
    connection = a_connection()
    connection.add(3, 10).next_seq = 8
    assert connection.last_seq(3) == 7
    connection.end(3)
    assert connection.last_seq(3) == 7
    assert 3 not in connection.subscriptions
    assert connection.last_seq(4) == 0
    connection.add(3, 20)
    assert connection.last_seq(3) == 0
    assert connection.ended == {}


def test_subscriptions_are_bounded() -> None:
    connection = a_connection()
    for sid in range(1, MAX_SUBSCRIPTIONS + 6):
        connection.add(sid, 0)
    assert min(connection.subscriptions) == 6
    for sid in sorted(connection.subscriptions):
        connection.end(sid)
    connection.add(5_000, 0)
    connection.end(5_000)
    assert len(connection.ended) == MAX_SUBSCRIPTIONS
    assert 5_000 in connection.ended


def test_pending_commands_are_bounded() -> None:
    connection = a_connection()
    for command in range(1, MAX_PENDING + 11):
        connection.note_subscribe(command, True)
    assert len(connection.pending) == MAX_PENDING
    assert min(connection.pending) == 11


def test_a_connection_carries_the_markets_of_all_its_subscriptions() -> None:
    connection = a_connection()
    connection.add(1, 0).markets = {"B": True}
    connection.add(2, 0).markets = {"A": False, "B": False}
    assert connection.markets() == ("A", "B")


def test_closing_leaves_nothing_and_renewing_leaves_what_was_sent() -> None:
    for over in (False, True):
        connection = a_connection()
        connection.note_subscribe(1, True)
        connection.add(1, 0)
        connection.add(2, 0)
        connection.end(2)
        if over:
            connection.close()
        else:
            connection.renew(50)
        assert (connection.subscriptions, connection.ended) == ({}, {})
        assert connection.is_open is not over
        assert connection.pending == ({} if over else {1: True})
    assert connection.opened_ns == 0


def test_what_is_saved_shares_nothing_and_has_one_order() -> None:
    connection = a_connection()
    connection.add(2, 0).markets = {"B": True, "A": False}
    connection.add(1, 0)
    connection.note_subscribe(9, True)
    connection.note_subscribe(3, False)
    copy = connection.save()
    assert list(copy.subscriptions) == [1, 2]
    assert list(copy.subscriptions[2].markets) == ["A", "B"]
    assert list(copy.pending) == [3, 9]
    again = Connection(Memory(), copy)
    assert again.save() == copy
    again.subscriptions[2].markets["C"] = True
    again.end(1)
    assert again.save() != copy == connection.save()
    assert "C" not in connection.subscriptions[2].markets
    assert 1 in connection.subscriptions


def test_a_view_shows_what_a_connection_carries() -> None:
    connection = a_connection(7, 5, 6)
    connection.note_subscribe(1, True)
    subscription = connection.add(2, 0)
    subscription.learn(delta(4))
    subscription.next_seq = 5
    (shown,) = connection.view().subscriptions
    assert (shown.sid, shown.channel, shown.last_seq, shown.use_yes_price) == (2, "orderbook_delta", 4, True)
    assert shown.markets == ("M",)


@pytest.mark.parametrize(
    ("payload", "read"),
    [
        (b'{"id":4,"cmd":"subscribe","params":{"channels":["orderbook_delta"],"use_yes_price":true}}', (4, True)),
        (b'{"id":4,"cmd":"subscribe","params":{"channels":["trade","orderbook_delta"]}}', (4, False)),
        (b'{"cmd":"subscribe","params":{"channels":["orderbook_delta"],"use_yes_price":null}}', (0, False)),
        (b'{"id":4,"cmd":"subscribe","params":{"channels":["trade"],"use_yes_price":true}}', None),
        (b'{"id":4,"cmd":"unsubscribe","params":{"sids":[1]}}', None),
        (b'{"id":4,"cmd":"list_subscriptions"}', None),
        (b'{"id":99999999999999999999,"cmd":"subscribe","params":{"channels":["orderbook_delta"]}}', None),
        (b"\xff\xfe", None),
        (b"", None),
        (b"[1,2]", None),
    ],
)
def test_a_sent_subscribe_says_how_prices_will_be_written(payload: bytes, read: tuple[int, bool] | None) -> None:
    assert book_subscribe(payload) == read


@given(st.binary(max_size=60))
def test_nothing_sent_can_raise(payload: bytes) -> None:
    assert book_subscribe(payload) is None
