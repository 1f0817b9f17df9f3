"""core.desk: one slot through the connections that come and go in it; what is said on them is in test_desks."""

import json

from core.commands import Reconnect, Send
from core.conversation import DeskOptions
from core.desk import LEAVE_NS, Desk, slot_channels
from core.store import MarketStateStore

S = 1_000_000_000


def desk(*channels: str) -> Desk:
    return Desk(DeskOptions(), channels or ("trade",), MarketStateStore())


def test_a_slot_without_a_connection_remembers_what_is_wanted_and_asks_for_nothing() -> None:
    slot = desk()
    slot.want({"A": None}, 0)
    slot.tick(S)
    slot.sent(b'{"id":1}', S)
    slot.unsent(1, S)
    assert slot.take() == []
    assert (slot.connection, slot.status().wanted, slot.status().is_complete) == (0, 1, False)
    slot.opened(4, 2 * S)
    (send,) = slot.take()
    assert isinstance(send, Send)
    assert (send.connection, json.loads(send.text)["params"]["market_tickers"]) == (4, ["A"])
    assert slot.take() == []


def test_command_numbers_are_never_used_twice_in_a_slot() -> None:
    slot = desk("fill")
    numbers = []
    for connection in (1, 5, 9):
        slot.opened(connection, 0)
        numbers += [command.id for command in slot.take() if isinstance(command, Send)]
        slot.closed()
    assert numbers == [1, 2, 3]


def test_a_connection_that_was_given_up_is_not_talked_to_and_given_up_again_if_it_stays() -> None:
    slot = desk("fill")
    slot.opened(1, 0)
    slot.take()
    slot.sent(b'{"id":1}', 1)
    slot.tick(11 * S)
    slot.sent(b'{"id":2}', 11 * S)
    slot.tick(22 * S)
    assert isinstance(slot.take()[-1], Reconnect)
    slot.want({"A": None}, 23 * S)
    slot.tick(24 * S)
    assert slot.take() == []
    slot.tick(25 * S + LEAVE_NS)
    assert slot.take() == [Reconnect(1, "it did not end when it should have")]
    slot.closed()
    slot.opened(2, 90 * S)
    assert len(slot.take()) == 1


def test_a_connection_is_given_up_once_however_many_reasons_there_are() -> None:
    slot = desk("fill", "user_orders", "market_positions")
    slot.opened(1, 0)
    for now_ns in (S, 12 * S):
        for number in range(1, 7):
            slot.sent(b'{"id":%d}' % number, now_ns)
        slot.tick(now_ns + 11 * S)
    commands = slot.take()
    assert [type(command) for command in commands] == [Send] * 6 + [Reconnect]


def test_while_it_is_held_nothing_is_asked() -> None:
    slot = desk("trade")
    slot.opened(1, 0)
    slot.hold(0, is_held=True)
    slot.want({"A": None}, 0)
    slot.tick(500 * S)
    assert slot.take() == []
    slot.hold(500 * S, is_held=False)
    slot.tick(501 * S)
    assert [b'"subscribe"' in command.text for command in slot.take() if isinstance(command, Send)] == [False, True]


def test_only_slot_0_has_the_channels_that_cannot_be_split() -> None:
    assert slot_channels(("fill", "trade"), 0) == ("fill", "trade")
    assert slot_channels(("fill", "trade"), 1) == ("trade",)
