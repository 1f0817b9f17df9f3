import pytest

from core.gaps import SEQUENCE, Gap, OpenGap
from core.records import Coverage
from core.sockets import MAX_CLOSED, Sockets
from core.subscriptions import Connection


def told(reports: tuple[Gap, ...]) -> list[tuple[int, str, int, int, int | None]]:
    return [(gap.number, gap.reason, gap.connection, gap.at_ns, gap.until_ns) for gap in reports]


def carrying(sockets: Sockets, number: int, *markets: str, heard_ns: int = 50) -> Connection:
    connection = sockets.open(number, 10)
    connection.heard_ns = heard_ns
    connection.add(1, 10).markets = dict.fromkeys(markets, True)
    return connection


def test_the_first_connection_is_no_gap() -> None:
    sockets = Sockets()
    assert sockets.opened_as(1, 0, 10) == ()
    assert sockets.opened == 1


def test_a_replaced_connection_is_a_gap_from_when_it_was_last_heard_until_its_successor_is_up() -> None:
    sockets = Sockets()
    carrying(sockets, 1, "B", "A")
    (gap,) = sockets.opened_as(2, 1, 90)
    assert told((gap,)) == [(1, "reconnect", 1, 50, 90)]
    assert gap.markets == ("A", "B")
    assert not sockets.connections[1].is_open
    assert sockets.connections[2].is_open


def test_a_close_opens_the_gap_at_once_and_the_successor_closes_it() -> None:
    sockets = Sockets()
    carrying(sockets, 1, "A")
    assert told(sockets.closed(1, 60)) == [(1, "reconnect", 1, 50, None)]
    assert sockets.closed(1, 61) == ()
    assert told(sockets.opened_as(2, 1, 90)) == [(1, "reconnect", 1, 50, 90)]
    assert sockets.opened_as(3, 1, 95) == ()  # its loss is told already


def test_the_same_number_opened_again_is_a_reconnect() -> None:
    sockets = Sockets()
    carrying(sockets, 1, "A")
    assert told(sockets.opened_as(1, 0, 90)) == [(1, "reconnect", 1, 50, 90)]
    assert told(sockets.opened_as(1, 1, 95)) == [(2, "reconnect", 1, 90, 95)]
    sockets.closed(1, 96)
    assert told(sockets.opened_as(1, 0, 99)) == [(3, "reconnect", 1, 95, 99)]
    assert sockets.connections[1].subscriptions == {}


def test_a_further_connection_beside_others_is_no_gap() -> None:
    sockets = Sockets()
    carrying(sockets, 1, "A")
    assert sockets.opened_as(2, 0, 90) == ()
    assert sockets.connections[1].is_open


def test_what_replaces_a_connection_that_is_not_here_is_a_gap_since_the_session_began() -> None:
    sockets = Sockets()
    sockets.begin(Coverage(), 5)
    assert told(sockets.opened_as(7, 6, 90)) == [(1, "reconnect", 6, 5, 90)]


def test_a_close_of_a_connection_that_is_not_here_says_nothing() -> None:
    assert Sockets().closed(4, 10) == ()


def test_the_gaps_of_a_lost_connections_subscriptions_end_with_it() -> None:
    sockets = Sockets()
    carrying(sockets, 1, "A")
    gap = sockets.gaps.new(SEQUENCE, 1, 1, at_ns=40, markets=("A",), missing=(4, 6))
    sockets.gaps.keep(OpenGap(gap, ("A",)), 45)
    assert told(sockets.closed(1, 60)) == [(1, "sequence", 1, 40, 60), (2, "reconnect", 1, 50, None)]


def test_numbering_that_begins_again_makes_another_connection_of_it() -> None:
    sockets = Sockets()
    connection = carrying(sockets, 1, "A")
    assert told(sockets.renumbered(connection, 70)) == [(1, "reconnect", 1, 50, 70)]
    assert sockets.opened == 2
    assert (connection.opened_ns, connection.subscriptions) == (70, {})


def test_a_session_starts_with_nothing_and_ends_what_was_open() -> None:
    sockets = Sockets()
    carrying(sockets, 1, "A")
    sockets.closed(1, 60)
    assert told(sockets.begin(Coverage(filtered=True), 80)) == [(1, "reconnect", 1, 50, 80)]
    assert sockets.connections == {}
    assert sockets.coverage.filtered
    assert sockets.opened == 1  # the tape's count goes on


def test_a_sent_subscribe_is_remembered_even_when_no_connect_was_recorded() -> None:
    sockets = Sockets()
    sockets.sent(1, b'{"id":3,"cmd":"subscribe","params":{"channels":["orderbook_delta"],"use_yes_price":true}}', 10)
    assert sockets.connections[1].pending == {3: True}
    sockets.sent(2, b"anything else", 10)
    assert 2 not in sockets.connections


def test_closed_connections_are_remembered_in_bounds_and_the_open_ones_stay() -> None:
    sockets = Sockets()
    sockets.open(1, 10)
    for number in range(2, MAX_CLOSED + 12):
        sockets.open(number, 10)
        sockets.closed(number, 20)
    assert len(sockets.connections) == MAX_CLOSED + 1
    assert sockets.connections[1].is_open
    assert 2 not in sockets.connections


def test_a_cut_goes_on_with_the_connections_it_kept_and_numbers_their_gaps_anew() -> None:
    before = Sockets()
    carrying(before, 4, "A")
    carrying(before, 5, "B")
    before.gaps.last_number = 70
    before.closed(4, 60)
    kept = (tuple([connection.save() for connection in before.connections.values()]), before.gaps.open_gaps)

    after = Sockets()
    after.begin(Coverage(), 100)
    after.gaps.last_number = 2
    assert told(after.adopt(*kept, 100)) == [(3, "reconnect", 4, 50, None)]
    assert after.opened == 1
    assert told(after.opened_as(6, 4, 120)) == [(3, "reconnect", 4, 50, 120)]


@pytest.mark.parametrize("until_ns", [None, 80])
def test_a_lost_connections_gap_is_open_or_whole(until_ns: int | None) -> None:
    sockets = Sockets()
    connection = carrying(sockets, 1)
    assert told(sockets.lose(connection, 80, until_ns=until_ns)) == [(1, "reconnect", 1, 50, until_ns)]
    assert len(sockets.gaps.open_gaps) == (until_ns is None)
