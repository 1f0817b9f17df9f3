import random
from typing import Any

import msgspec
import pytest
from deck import (
    BTC,
    GOLD,
    GOLD_WINDOWS,
    HOURLY,
    HOURLY_FRAMES,
    OUTAGE,
    SHORT,
    delta,
    gold_files,
    ok,
    snapshot,
    subscribed,
    ticker,
    told,
    trade,
)
from hypothesis import given
from hypothesis import strategies as st
from tapes import but_the_longest, needs_tapes

from core.gaps import Gap
from core.messages import BookSnapshot, Malformed, Message, Unsubscribed
from core.numbering import Order
from core.records import Closed, Coverage, Kind, Opened, Record, Session, StoredGap, encode_payload
from core.session import STALL_NS, Connections, SavedConnections, Verdict

SECOND = 1_000_000_000


def record(kind: Kind, payload: msgspec.Struct | bytes = b"", connection: int = 0) -> Record:
    raw = payload if isinstance(payload, bytes) else encode_payload(payload)
    return Record(0, 0, 0, connection, kind, raw)


def begun(coverage: Coverage | None = None) -> Connections:
    connections = Connections()
    session = Session("a-uuid", "prod", coverage=coverage or Coverage())
    connections.observe_record(record(Kind.SESSION, session), 0)
    return connections


def opened(connections: Connections, number: int, replaces: int = 0, now_ns: int = 0) -> tuple[Gap, ...]:
    return connections.observe_record(record(Kind.OPENED, Opened(replaces=replaces), number), now_ns)


def said(connections: Connections, *messages: Message, number: int = 1, now_ns: int = 0) -> list[Verdict]:
    """The verdicts on messages, their snapshots accepted."""
    verdicts = []
    for message in messages:
        verdicts.append(connections.observe(number, message, now_ns))
        if isinstance(message, BookSnapshot):
            connections.snapshot_seen(number, message.sid, message.market, now_ns)
    return verdicts


def reasons(verdicts: list[Verdict]) -> list[str]:
    return [gap.reason for verdict in verdicts for gap in verdict.gaps]


def test_frames_in_order_cost_no_new_verdict() -> None:
    connections = begun()
    opened(connections, 1)
    verdicts = said(connections, subscribed(), snapshot(1), delta(2), delta(3))
    assert verdicts[-1] == Verdict(Order.IN_ORDER)
    assert verdicts[-1] is verdicts[-2]


def test_the_same_sids_on_several_connections_count_for_themselves() -> None:
    connections = begun()
    for number in (1, 2):
        opened(connections, number)
        said(connections, subscribed(), snapshot(1), number=number)
    assert reasons(said(connections, delta(2), delta(3), number=1)) == []
    (verdict,) = said(connections, delta(4), number=2)
    assert [(gap.connection, gap.expected, gap.got) for gap in verdict.gaps] == [(2, 2, 4)]
    assert reasons(said(connections, delta(4), number=1)) == []


def test_frames_of_a_connection_that_is_over_are_dead() -> None:
    connections = begun()
    opened(connections, 1)
    said(connections, subscribed(), snapshot(1))
    opened(connections, 2, replaces=1)
    assert [verdict.order for verdict in said(connections, delta(2), ticker(), subscribed())] == [Order.DEAD] * 3
    assert connections.heard(1, 5) == ()


def test_a_connection_nobody_announced_is_there_when_its_first_frame_is() -> None:
    connections = begun(Coverage(connections=False))
    assert connections.opened == 0
    said(connections, delta(5_000))
    assert connections.opened == 1


def test_a_malformed_frame_is_proof_of_life_and_its_number_is_missed_afterwards() -> None:
    connections = begun()
    opened(connections, 1)
    said(connections, subscribed(), snapshot(1), now_ns=1)
    assert connections.observe(1, Malformed("not-json"), 7) == Verdict(Order.IN_ORDER)
    assert connections.views()[0].heard_ns == 7
    (verdict,) = said(connections, delta(3), now_ns=8)
    assert [(gap.expected, gap.got, gap.at_ns) for gap in verdict.gaps] == [(2, 3, 1)]


def test_silence_of_more_than_two_pings_and_a_half_is_a_gap_found_by_whatever_breaks_it() -> None:
    connections = begun()
    opened(connections, 1)
    said(connections, subscribed(), snapshot(1), now_ns=SECOND)
    assert connections.heard(1, SECOND + STALL_NS) == ()
    (gap,) = connections.heard(1, 2 * SECOND + 2 * STALL_NS)
    assert (gap.reason, gap.connection, gap.sid, gap.markets) == ("stall", 1, 0, ("M",))
    assert (gap.at_ns, gap.until_ns) == (SECOND + STALL_NS, 2 * SECOND + 2 * STALL_NS)
    (verdict,) = said(connections, delta(2), now_ns=4 * SECOND + 3 * STALL_NS)
    assert [gap.reason for gap in verdict.gaps] == ["stall"]
    assert verdict.order is Order.IN_ORDER
    assert connections.observe(1, Malformed("x"), 6 * SECOND + 4 * STALL_NS).gaps[0].reason == "stall"


def test_silence_proves_nothing_where_pings_were_not_recorded() -> None:
    connections = begun(Coverage(control=False))
    opened(connections, 1)
    said(connections, subscribed(), snapshot(1), now_ns=SECOND)
    assert reasons(said(connections, delta(2), now_ns=10 * STALL_NS)) == []


def test_a_silence_and_a_missing_number_are_two_gaps() -> None:
    connections = begun()
    opened(connections, 1)
    said(connections, subscribed(), snapshot(1), now_ns=SECOND)
    assert reasons(said(connections, delta(5), now_ns=3 * STALL_NS)) == ["stall", "sequence"]


def test_a_quiet_connection_does_not_stall_before_it_was_opened() -> None:
    connections = begun()
    opened(connections, 1, now_ns=10 * STALL_NS)
    assert connections.heard(1, 11 * STALL_NS) == ()


def test_a_close_and_the_next_open_bound_a_reconnect() -> None:
    connections = begun()
    opened(connections, 1)
    said(connections, subscribed(), snapshot(1), now_ns=5)
    (lost,) = connections.observe_record(record(Kind.CLOSED, Closed(1006, "reset"), 1), 8)
    assert (lost.reason, lost.at_ns, lost.until_ns, lost.markets) == ("reconnect", 5, None, ("M",))
    (found,) = opened(connections, 2, replaces=1, now_ns=20)
    assert found == msgspec.structs.replace(lost, until_ns=20)


def test_a_lost_connection_names_every_market_that_came_on_it() -> None:
    connections = begun()
    opened(connections, 1)
    said(connections, subscribed(), subscribed(2, "trade", 2), subscribed(3, "ticker", 3))
    said(connections, snapshot(1, "B"), trade(1, market="D"), trade(2, market="A"), ticker("C"), ok(2, "B", "E"))
    (gap,) = opened(connections, 2, replaces=1)
    assert gap.markets == ("A", "B", "C", "D", "E")


def test_stored_gaps_are_told_as_they_were_stored() -> None:
    connections = begun()
    (gap,) = connections.observe_record(record(Kind.GAP_OPEN, StoredGap("disk_full")), 30)
    assert (gap.number, gap.reason, gap.at_ns, gap.until_ns) == (1, "disk_full", 30, None)
    (gap,) = connections.observe_record(record(Kind.GAP_CLOSE, StoredGap("disk_full")), 40)
    assert (gap.number, gap.until_ns) == (1, 40)


def test_a_new_session_knows_no_connection_and_numbers_its_gaps_on() -> None:
    connections = begun()
    opened(connections, 1)
    said(connections, subscribed(), snapshot(1), delta(3))
    over = connections.observe_record(record(Kind.SESSION, Session("b", "prod")), 50)
    assert [(gap.number, gap.until_ns) for gap in over] == [(1, 50)]
    assert connections.views() == ()
    opened(connections, 1)
    (verdict,) = said(connections, subscribed(), snapshot(2))[1:]
    assert [gap.number for gap in verdict.gaps] == [2]
    assert connections.opened == 2


def test_what_was_sent_says_how_prices_are_written() -> None:
    connections = begun()
    opened(connections, 1)
    command = b'{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"],"use_yes_price":true}}'
    connections.observe_record(record(Kind.SENT, command, 1), 0)
    verdicts = said(connections, subscribed(), snapshot(1), delta(2), delta(9))
    assert [verdict.use_yes_price for verdict in verdicts] == [True] * 4


@pytest.mark.parametrize("kind", [Kind.TICK, Kind.HEARTBEAT, Kind.REST, Kind.CLEAN_STOP, Kind.SENT_PING])
def test_other_kinds_say_nothing_about_connections(kind: Kind) -> None:
    connections = begun()
    before = connections.save()
    assert connections.observe_record(record(kind), 10) == ()
    assert connections.save() == before


def test_views_show_the_connections_in_the_order_of_their_numbers() -> None:
    connections = begun()
    for number in (2, 1):
        opened(connections, number)
    connections.observe_record(record(Kind.CLOSED, Closed(), 2), 8)
    assert [(view.number, view.is_open) for view in connections.views()] == [(1, True), (2, False)]


def test_a_goodbye_because_recording_ends_is_no_gap() -> None:
    connections = begun()
    opened(connections, 1)
    assert connections.observe_record(record(Kind.CLOSED, Closed(1000, "stopped", final=True), 1), 8) == ()
    assert connections.save().open_gaps == ()
    assert [view.is_open for view in connections.views()] == [False]


def test_a_snapshot_of_a_connection_that_is_not_here_is_no_error() -> None:
    assert begun().snapshot_seen(9, 1, "M", 10) == ()


SCRIPT = st.lists(
    st.sampled_from(
        [
            subscribed(),
            subscribed(2, "trade", 2),
            *(snapshot(seq, market) for seq in (1, 2, 3, 6) for market in "AB"),
            *(delta(seq, market=market) for seq in range(1, 8) for market in "AB"),
            *(trade(seq) for seq in (1, 2, 4)),
            ok(4, "A"),
            Unsubscribed(sid=1, seq=5),
            Opened(),
            Opened(replaces=1),
            Closed(),
            Closed(final=True),
            StoredGap("disk_full"),
        ]
    ),
    max_size=40,
)
COVERAGES = (Coverage(), BTC, GOLD, HOURLY)


def folded(connections: Connections, script: list[Any], start: int) -> list[Any]:
    """What a script gives, step by step; connection 1 and 2 take turns."""
    outcomes: list[Any] = []
    for step, item in enumerate(script, start=start):
        number = 1 + step % 2
        match item:
            case Opened():
                outcomes.append(opened(connections, number, item.replaces, step))
            case Closed():
                outcomes.append(connections.observe_record(record(Kind.CLOSED, item, number), step))
            case StoredGap():
                kind = Kind.GAP_CLOSE if step % 3 else Kind.GAP_OPEN
                outcomes.append(connections.observe_record(record(kind, item), step))
            case _:
                outcomes += said(connections, item, number=number, now_ns=step)
    return outcomes


@given(SCRIPT, st.sampled_from(COVERAGES), st.integers(0, 40))
def test_connections_made_again_from_what_was_saved_go_on_alike(
    script: list[Any], coverage: Coverage, pause: int
) -> None:
    connections = begun(coverage)
    folded(connections, script[:pause], 1)
    packed = msgspec.msgpack.encode(connections.save())
    again = Connections(msgspec.msgpack.decode(packed, type=SavedConnections))
    assert msgspec.msgpack.encode(again.save()) == packed
    rest = script[pause:]
    assert folded(connections, rest, pause + 1) == folded(again, rest, pause + 1)
    assert msgspec.msgpack.encode(connections.save()) == msgspec.msgpack.encode(again.save())


@given(SCRIPT, st.sampled_from(COVERAGES))
def test_every_gap_is_reported_once_open_and_at_most_once_closed(script: list[Any], coverage: Coverage) -> None:
    connections = begun(coverage)
    reports: dict[int, list[Gap]] = {}
    for outcome in folded(connections, script, 1):
        for gap in outcome.gaps if isinstance(outcome, Verdict) else outcome:
            reports.setdefault(gap.number, []).append(gap)
    assert list(reports) == sorted(reports)
    for gaps in reports.values():
        assert [gap.until_ns is None for gap in gaps] in ([False], [True], [True, False])
        assert all(gap.at_ns <= (gap.until_ns or gap.at_ns) for gap in gaps)


def fold_tape(tape: tuple[tuple[Record, Any], ...], coverage: Coverage) -> tuple[list[Gap], list[Order], Connections]:
    connections = begun(coverage)
    gaps: list[Gap] = []
    orders = []
    for entry, message in tape:
        if message is None:
            gaps += connections.observe_record(entry, entry.at_ns)
            continue
        verdict = connections.observe(entry.connection, message, entry.at_ns)
        orders.append(verdict.order)
        gaps += verdict.gaps
        if isinstance(message, BookSnapshot):
            gaps += connections.snapshot_seen(entry.connection, message.sid, message.market, entry.at_ns)
    return gaps, orders, connections


@needs_tapes
@pytest.mark.parametrize("window", but_the_longest(GOLD_WINDOWS))
def test_gold_windows_have_no_sequence_gap_and_nothing_out_of_order(window: str) -> None:
    gaps, orders, connections = fold_tape(told(*gold_files(window)), GOLD)
    assert set(orders) == {Order.IN_ORDER}
    reconnects = 1 if window == "102030-30" else 0
    assert [gap.reason for gap in gaps] == ["reconnect"] * reconnects
    assert connections.opened == 1 + reconnects


@needs_tapes
@pytest.mark.parametrize(("path", "count"), [(SHORT, 1), (OUTAGE, 3)])
def test_bitcoin_recordings_have_no_sequence_gap_and_their_reconnects(path: Any, count: int) -> None:
    gaps, orders, connections = fold_tape(told(path), BTC)
    assert set(orders) == {Order.IN_ORDER}
    assert [(gap.reason, gap.connection) for gap in gaps] == [("reconnect", n) for n in range(1, count)]
    assert connections.opened == count


@needs_tapes
def test_the_hourly_recording_has_no_gap_at_all() -> None:
    gaps, orders, connections = fold_tape(told(HOURLY_FRAMES), HOURLY)
    assert (gaps, set(orders), connections.opened) == ([], {Order.IN_ORDER}, 1)


@needs_tapes
def test_a_frame_told_twice_is_found_and_proves_no_gap() -> None:
    tape = list(told(SHORT))
    rng = random.Random(5)
    for _ in range(20):
        place = rng.randrange(4, len(tape))
        repeated = (*tape[: place + 1], *tape[place : place + 1], *tape[place + 1 :])
        gaps, orders, _ = fold_tape(repeated, BTC)
        assert gaps == []
        assert orders.count(Order.OUT_OF_ORDER) == (1 if tape[place][1].seq else 0)
