"""Lost connections, lost frames, late frames: recorded sessions, and what a fault makes of them, through the engine."""

import json
import random
from functools import cache
from pathlib import Path

import msgspec
import pytest
from deck import BTC, GOLD, MS, OUTAGE, SECOND, SHORT, Deck, Told, begun, delta, gold_files, snapshot, subscribed, told
from exchange_venue import MARKETS
from live import live, until
from places import local, recording
from refused_link import refused
from removal import check_removed, gaps_of, removable, run, without
from tapes import needs_tapes

from capture.answer_log import AnswerLog
from capture.api import Api
from capture.link import LinkState
from capture.lost_books import LostBooks
from capture.rest import RestClient
from core.changes import Rejected
from core.engine import Step
from core.messages import BookSnapshot, ErrorReply, Trade, Unsubscribed
from core.records import Coverage, Kind, Opened, Record, encode_payload
from core.state import digest, dump, load
from replay.exchange.local import LocalExchange
from replay.exchange.sandbox import SandboxOptions, SandboxVenue

# ------------------------------------------------------------------ as recorded


@needs_tapes
def test_a_reconnect_that_nobody_recorded_shows_in_the_numbers() -> None:
    tape = told(*gold_files("102030-30"))
    engine = begun(GOLD)
    found = {index: step.gaps for index, step in enumerate(run(engine, tape), start=1) if step.gaps}
    assert list(found) == [4_080]  # the line of the recording
    (gap,) = found[4_080]
    record, message = tape[4_079]
    assert isinstance(message, BookSnapshot)
    assert message.seq == 22
    assert (gap.reason, gap.connection, gap.expected, gap.got) == ("reconnect", 1, None, None)
    assert gap.until_ns == record.at_ns
    assert record.at_ns - gap.at_ns == 11_541 * MS
    assert gap.markets == (message.market,)
    assert engine.store.view(message.market).trusted


@needs_tapes
def test_three_connections_with_two_reconnects_and_no_missing_frame() -> None:
    tape = told(OUTAGE)
    opened = [record for record, _ in tape if record.kind == Kind.OPENED]
    engine = begun(BTC)
    gaps = gaps_of(run(engine, tape))
    last_before = [max(r.at_ns for r, _ in tape if r.at_ns < replaced.at_ns) for replaced in opened[1:]]
    assert [(gap.reason, gap.connection, gap.at_ns, gap.until_ns) for gap in gaps] == [
        ("reconnect", 1, last_before[0], opened[1].at_ns),
        ("reconnect", 2, last_before[1], opened[2].at_ns),
    ]
    assert [round(((gap.until_ns or 0) - gap.at_ns) / SECOND, 1) for gap in gaps] == [22.3, 17.6]
    assert engine.connections.opened == 3
    assert [view.is_open for view in engine.connections.views()] == [False, False, True]
    assert engine.counts.rejected == {}


@needs_tapes
def test_books_are_not_trusted_between_a_reconnect_and_their_own_snapshot() -> None:
    engine = begun(BTC)
    for record, message in told(OUTAGE):
        step = engine.step(record, message)
        if record.kind == Kind.OPENED and engine.connections.opened == 2:
            (market,) = engine.store.markets()
            assert not engine.store.view(market).trusted
            assert engine.store.view(market).yes  # what was left is still there to be seen
        if isinstance(message, BookSnapshot):
            assert engine.store.view(message.market).trusted
            assert engine.store.view(message.market).owner == (record.connection, message.sid)
            assert not isinstance(step.change, Rejected)


@needs_tapes
def test_the_market_that_closed_during_an_outage_stays_untrusted_and_its_successor_is_trusted() -> None:
    engine = begun(BTC)
    run(engine, told(OUTAGE))
    old, new = engine.store.markets()
    assert [engine.store.view(market).trusted for market in (old, new)] == [False, True]


# ------------------------------------------------------------------ one frame removed


@needs_tapes
def test_any_one_missing_frame_is_exactly_one_gap_at_its_place_and_its_books_lose_their_trust() -> None:
    tape = told(OUTAGE)
    seed = 20_260_513
    places = random.Random(seed).sample(removable(tape), 200)
    for place in places:
        engine, steps = without(place, place + 40)
        assert any(step.gaps for step in steps), f"seed {seed}, record {place}"
        gap = check_removed(place, steps)
        for market in gap.markets:
            seen_again = any(isinstance(step.message, BookSnapshot) for step in steps)
            assert engine.store.view(market).trusted is seen_again


@needs_tapes
def test_a_missing_frame_is_the_only_sequence_gap_of_the_whole_recording() -> None:
    tape = told(OUTAGE)
    places = removable(tape)
    chosen = [places[0], places[-1], *random.Random(7).sample(places, 4)]
    for place in chosen:
        engine, steps = without(place, None)
        check_removed(place, steps)
        reports = gaps_of(steps)
        assert [gap.reason for gap in reports].count("sequence") in (1, 2)  # opened, and closed or still open
        assert {gap.number for gap in reports if gap.reason == "sequence"} == {
            gap.number for gap in reports if gap.expected is not None
        }
        assert engine.counts.frames == sum(message is not None for _, message in tape) - 1


@needs_tapes
def test_the_first_snapshot_missing_leaves_a_book_that_is_never_trusted_before_its_own() -> None:
    tape = told(SHORT)
    place = next(index for index, (_, message) in enumerate(tape) if isinstance(message, BookSnapshot))
    engine = begun(BTC)
    steps = run(engine, (*tape[:place], *tape[place + 1 :]))
    (gap,) = gaps_of(steps)
    assert (gap.expected, gap.got, gap.markets) == (1, 2, ())
    assert engine.counts.rejected == {"no_snapshot": len([m for _, m in tape[place + 1 :] if m is not None and m.seq])}
    assert not any(engine.store.view(market).trusted for market in engine.store.markets())


@cache
def numbered_gold() -> tuple[Told, ...]:
    """A gold window as if nothing had been filtered out: the numbers of each subscription follow each other."""
    counted: dict[int, int] = {}
    tape = []
    for record, message in told(*gold_files("101900-00")):
        counted[message.sid] = counted.get(message.sid, 0) + 1
        renumbered = msgspec.structs.replace(message, seq=counted[message.sid])
        tape.append((record, renumbered))
    return tuple(tape)


@needs_tapes
def test_a_missing_trade_is_a_gap_of_its_own_subscription_and_leaves_books_trusted() -> None:
    tape = numbered_gold()
    trades = [index for index, (_, message) in enumerate(tape) if isinstance(message, Trade)]
    for place in random.Random(4).sample(trades[1:-1], 10):
        engine = begun(Coverage(connections=False, control=False))
        steps = run(engine, (*tape[:place], *tape[place + 1 :]))
        (gap,) = gaps_of(steps)
        lost = tape[place][1]
        assert (gap.reason, gap.sid, gap.expected, gap.got) == ("sequence", 2, lost.seq, lost.seq + 1)
        assert gap.until_ns is not None
        assert engine.store.view(lost.market).trusted
        whole = sum(message.count for _, message in tape if isinstance(message, Trade))
        assert engine.store.view(lost.market).traded_size == whole - lost.count


# ------------------------------------------------------------------ frames late, twice, swapped, from elsewhere


@needs_tapes
def test_frames_told_twice_change_nothing() -> None:
    tape = told(SHORT)
    rng = random.Random(12)
    twice = [
        entry for entry in tape for _ in range(1 + (rng.random() < 0.1 and entry[1] is not None and entry[1].seq > 0))
    ]
    plain, repeated = begun(BTC), begun(BTC)
    run(plain, tape)
    assert gaps_of(run(repeated, twice)) == []
    assert repeated.counts.rejected == {"out_of_order": len(twice) - len(tape)}
    assert repeated.store.save() == plain.store.save()


@needs_tapes
def test_two_frames_in_the_wrong_order_are_a_gap_and_a_refusal_and_the_book_is_not_trusted() -> None:
    tape = list(told(SHORT))
    place = next(i for i in range(500, 900) if tape[i][1].seq and tape[i + 1][1].seq)
    tape[place], tape[place + 1] = tape[place + 1], tape[place]
    engine = begun(BTC)
    steps = run(engine, tape)
    assert [gap.reason for gap in gaps_of(steps)] == ["sequence"]
    assert engine.counts.rejected == {"out_of_order": 1}
    assert not engine.store.view(engine.store.markets()[0]).trusted


@needs_tapes
def test_the_last_frames_of_a_connection_that_come_after_its_successor_are_dead() -> None:
    tape = told(OUTAGE)
    reopened = next(index for index, (record, _) in enumerate(tape) if record.kind == Kind.OPENED and index > 0)
    late = tape[reopened - 50 : reopened]
    shuffled = (*tape[: reopened - 50], *tape[reopened : reopened + 5], *late, *tape[reopened + 5 :])
    engine, plain = begun(BTC), begun(BTC)
    steps = run(engine, shuffled)
    run(plain, tape)
    assert engine.counts.rejected == {"dead_subscription": 50}
    assert [gap.reason for gap in gaps_of(steps)] == ["reconnect", "reconnect"]
    new = plain.store.markets()[-1]
    assert (engine.store.view(new).yes, engine.store.view(new).no) == (
        plain.store.view(new).yes,
        plain.store.view(new).no,
    )


@needs_tapes
def test_the_same_market_on_two_connections_at_once_has_one_owner_and_one_book() -> None:
    tape = told(SHORT)
    doubled: list[Told] = []
    for record, message in tape:
        doubled.append((record, message))
        doubled.append((msgspec.structs.replace(record, connection=2), message))
    engine, plain = begun(BTC), begun(BTC)
    assert gaps_of(run(engine, doubled)) == []
    run(plain, tape)
    (market,) = plain.store.markets()
    view = engine.store.view(market)
    assert view.owner == (2, 2)
    assert (view.yes, view.no, view.prices) == (
        plain.store.view(market).yes,
        plain.store.view(market).no,
        plain.store.view(market).prices,
    )
    deltas = sum(message is not None and message.seq > 1 for _, message in tape)
    assert engine.counts.rejected == {"not_owner": deltas}
    at_ns = engine.now_ns + 1
    reopened = Record(0, at_ns, 0, 3, Kind.OPENED, encode_payload(Opened(replaces=2)))
    (gap,) = gaps_of(run(engine, [(reopened, None)]))
    assert (gap.reason, gap.connection) == ("reconnect", 2)
    assert not engine.store.view(market).trusted


@needs_tapes
def test_acknowledgements_that_come_after_the_first_data_change_nothing() -> None:
    tape = list(told(SHORT))
    late = [*tape[:1], *tape[3:20], tape[2], tape[1], *tape[20:]]
    engine, plain = begun(BTC), begun(BTC)
    assert gaps_of(run(engine, late)) == []
    run(plain, tape)
    (market,) = plain.store.markets()
    assert engine.store.view(market).yes == plain.store.view(market).yes
    assert engine.counts.rejected == {}


@needs_tapes
@pytest.mark.parametrize("size", [97, 1_000])
def test_however_a_session_is_interrupted_and_taken_up_again_it_ends_the_same(size: int) -> None:
    tape = told(OUTAGE)[42_000:44_000]
    whole, parts = begun(BTC), begun(BTC)
    steps = run(whole, tape)
    resumed: list[Step] = []
    for start in range(0, len(tape), size):
        parts = load(dump(parts))
        resumed += run(parts, tape[start : start + size])
    assert resumed == steps
    assert digest(parts) == digest(whole)


# ------------------------------------------------------------------ the ways a connection can end


def test_a_closed_connection_is_a_gap_from_its_last_frame_until_the_next_one_is_up() -> None:
    deck = Deck()
    deck.opened(1)
    deck.frame(subscribed())
    heard_ns = deck.frame(snapshot(1)).now_ns
    lost = deck.closed(1, after_ns=3 * SECOND)
    assert [(gap.number, gap.at_ns, gap.until_ns) for gap in lost.gaps] == [(1, heard_ns, None)]
    assert not deck.trusted()
    found = deck.opened(2, replaces=1, after_ns=9 * SECOND)
    assert [(gap.number, gap.at_ns, gap.until_ns) for gap in found.gaps] == [(1, heard_ns, found.now_ns)]
    assert not deck.trusted()
    deck.frame(subscribed(), connection=2)
    assert deck.frame(delta(1), connection=2).change is Rejected.NO_SNAPSHOT
    deck.frame(snapshot(2), connection=2)
    assert deck.trusted()


def test_sids_restart_with_a_new_connection_and_are_not_mixed_up_with_the_old_ones() -> None:
    deck = Deck()
    deck.opened(1)
    for message in (subscribed(1, "trade"), subscribed(2), snapshot(1, sid=2), delta(2, sid=2)):
        deck.frame(message)
    deck.opened(2, replaces=1)
    steps = [deck.frame(m, connection=2) for m in (subscribed(2, "trade"), subscribed(1), snapshot(1), delta(2))]
    assert gaps_of(steps) == []
    assert deck.engine.store.view("M").owner == (2, 1)


def test_a_connection_that_fails_again_and_again_is_a_gap_each_time() -> None:
    deck = Deck()
    deck.opened(1)
    for number in range(2, 12):
        deck.closed(number - 1)
        deck.opened(number, replaces=number - 1)
    assert deck.engine.connections.opened == 11
    assert deck.engine.connections.save().last_gap == 10
    assert deck.engine.connections.save().open_gaps == ()


def test_a_silence_with_pings_is_no_stall_and_without_them_it_is_one() -> None:
    deck = Deck()
    deck.opened(1)
    deck.frame(subscribed())
    deck.frame(snapshot(1))
    for _ in range(6):
        assert deck.put(Kind.FRAME_PING, connection=1, after_ns=10 * SECOND).gaps == ()
    assert deck.trusted()
    (gap,) = deck.frame(delta(2), after_ns=26 * SECOND).gaps
    assert (gap.reason, (gap.until_ns or 0) - gap.at_ns) == ("stall", 26 * SECOND)
    assert not deck.trusted()


def test_an_overflowing_subscription_ends_while_its_connection_lives_on() -> None:
    deck = Deck()
    deck.opened(1)
    for message in (subscribed(1), subscribed(2, "trade"), snapshot(1)):
        deck.frame(message)
    (gap,) = deck.frame(ErrorReply(sid=1, seq=2, code=25)).gaps
    assert (gap.reason, gap.until_ns) == ("terminal", None)
    assert deck.frame(delta(3)).change is Rejected.DEAD_SUBSCRIPTION
    deck.frame(subscribed(3))
    (closed,) = deck.frame(snapshot(1, sid=3)).gaps
    assert (closed.number, closed.until_ns) == (gap.number, deck.now_ns)
    assert deck.trusted()


def test_unsubscribing_and_subscribing_again_is_no_gap_and_late_frames_are_dead() -> None:
    deck = Deck()
    deck.opened(1)
    told_first = (subscribed(1), snapshot(1), Unsubscribed(sid=1, seq=2), delta(3), subscribed(2), snapshot(1, sid=2))
    steps = [deck.frame(message) for message in told_first]
    assert gaps_of(steps) == []
    assert deck.engine.counts.rejected == {"dead_subscription": 1}
    assert deck.trusted()


# ------------------------------------------------------------------ live: waits, giving up, subscribing anew, REST


def test_waits_double_up_to_a_minute_and_the_connection_comes_when_it_is_let_in(tmp_path: Path) -> None:
    with refused(tmp_path, "http@upgrade,status=503,times=8") as (link, dice):
        until(lambda: link.status.state is LinkState.UP, "the connection")
        assert dice.ceilings == [1, 2, 4, 8, 16, 32, 60, 60]
        assert (link.status.tries, link.status.connected) == (8, 1)


def test_after_the_most_tries_it_gives_up_and_says_why(tmp_path: Path) -> None:
    with refused(tmp_path, "http@upgrade,status=503,times=8", max_tries=3) as (link, dice):
        until(lambda: link.status.state is LinkState.GAVE_UP, "giving up")
        assert (link.status.tries, link.status.connected, len(dice.ceilings)) == (3, 0, 3)
        assert "503" in link.status.last_error


def test_while_away_health_is_down_and_what_was_known_stays_then_all_is_subscribed_to_anew(tmp_path: Path) -> None:
    with live(tmp_path) as found:
        found.say("trade", MARKETS[1], 3)
        until(lambda: len(found.deck.view(MARKETS[1]).trades) == 3, "the trades")
        known = found.deck.view(MARKETS[1])
        found.inject("http@upgrade,status=503,retry=1")
        found.inject("close@now,code=1001")
        until(lambda: not found.deck.status().healthy, "the fall of health")
        until(lambda: not found.deck.view(MARKETS[1]).trusted, "the loss of trust")
        away = found.deck.view(MARKETS[1])
        assert (away.yes, away.trades, away.ticker) == (known.yes, known.trades, known.ticker)
        found.say("delta", MARKETS[1])  # nobody hears of it
        found.wait_right()
        found.wait_healthy()
        back = found.deck.view(MARKETS[1])
        assert back.trades[:3] == known.trades and back.owner is not None and back.owner[0] == 2
        sent = [(record.connection, json.loads(record.payload)) for record in found.kinds(Kind.SENT)]
        asked = [[c["params"] for n, c in sent if (n, c["cmd"]) == (number, "subscribe")] for number in (1, 2)]
        assert asked[0] == asked[1] and len(asked[0]) == 3


def test_a_book_that_the_new_connection_does_not_bring_is_fetched_by_rest_and_stays_untrusted(tmp_path: Path) -> None:
    with LocalExchange(SandboxVenue(SandboxOptions(markets=2, rate=0, seed=3))) as exchange:
        there, answers = local(exchange), AnswerLog()
        market = next(found.ticker for found in there.api().markets(status="open", mve_filter="exclude"))
        with recording(tmp_path, there, [market], channels=("orderbook_delta",), ack_wait_s=60.0) as found:
            until(lambda: found.deck.view(market).trusted, "the book")
            answers.attach(found.writer)
            books = LostBooks(Api(RestClient(there.environment, there.credentials, answers)), found.deck.read)
            exchange.control("inject", fault="stall@commands=1,session=2")
            exchange.control("inject", fault="reset@now")
            until(lambda: found.deck.status().slots[0].link.connection == 2, "the second connection")
            until(lambda: not found.deck.view(market).trusted, "the loss of trust")
            books.round()
            books.round()
            until(lambda: found.deck.view(market).rest, "the book by REST")
            view = found.deck.view(market)
            assert view.rest is not None and (view.rest.yes, view.rest.no) == (view.yes, view.no)
            assert books.asked == 1 and not view.trusted
            exchange.control("clear")
            until(lambda: found.deck.view(market).trusted, "the book by the socket")
