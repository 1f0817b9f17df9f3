import time
from collections import Counter

import msgspec
import pytest
from deck import (
    BTC,
    GOLD,
    HOURLY,
    HOURLY_FRAMES,
    MS,
    OUTAGE,
    SHORT,
    Deck,
    begun,
    delta,
    gold_files,
    ok,
    session_record,
    snapshot,
    subscribed,
    ticker,
    told,
    trade,
)
from hypothesis import given
from hypothesis import strategies as st
from tapes import needs_tapes

from core.changes import Change, ChangeKind, Rejected
from core.engine import MAX_NAMES, OTHER, Counts, Engine, Step
from core.messages import BookDelta, Communication, ErrorReply, Malformed, Ok, Side, Unknown, Unsubscribed
from core.records import Coverage, Kind, Record, RestCall, StoredGap
from core.state import dump, load


@pytest.fixture
def deck() -> Deck:
    """A connection with a book of A and B and a trade subscription."""
    deck = Deck()
    deck.opened(1)
    for message in (subscribed(), subscribed(2, "trade", 2), snapshot(1, "A"), snapshot(2, "B"), trade(1)):
        deck.frame(message)
    return deck


def gaps(*steps: Step) -> list[tuple[str, int | None]]:
    """(reason, until_ns) of the gaps of steps."""
    return [(gap.reason, gap.until_ns) for step in steps for gap in step.gaps]


# ------------------------------------------------------------------ a step


def test_a_text_frame_is_decoded_unless_its_message_comes_along() -> None:
    engine = begun(Coverage())
    frame = b'{"type":"trade","sid":2,"seq":1,"msg":{"trade_id":"t","market_ticker":"M","yes_price_dollars":"0.4200",'
    frame += (
        b'"no_price_dollars":"0.5800","count_fp":"2.00","taker_side":"no","taker_outcome_side":"no","ts":1795435201}}'
    )
    step = engine.step(Record(1, 5, 0, 1, Kind.FRAME, frame))
    assert step.change == Change("M", ChangeKind.TRADE)
    assert engine.store.view("M").traded_size == 200
    again = begun(Coverage())
    assert again.step(Record(1, 5, 0, 1, Kind.FRAME, b""), step.message) == step


def test_a_step_says_what_time_it_is_and_that_is_the_engines_time() -> None:
    engine = begun(Coverage())
    assert engine.step(Record(1, 700, 0, 0, Kind.TICK, b"")).now_ns == engine.now_ns == 700
    assert engine.step(Record(2, 600, 0, 0, Kind.TICK, b"")).now_ns == engine.now_ns == 700


def test_a_record_that_is_not_the_next_is_our_own_mistake() -> None:
    engine = begun(Coverage())
    with pytest.raises(AssertionError, match="record 5 where 1 is due"):
        engine.step(Record(5, 0, 0, 0, Kind.TICK, b""))


def test_an_engine_may_start_at_any_session_of_a_tape() -> None:
    engine = Engine()
    engine.step(msgspec.structs.replace(session_record(Coverage()), seq=900))
    assert engine.next_seq == 901


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.value >= Kind.REST and kind.name[:3] != "GAP"])
def test_records_of_our_own_that_say_nothing_change_nothing(deck: Deck, kind: Kind) -> None:
    before = deck.engine.store.save()
    step = deck.put(kind, b"{}")
    assert (step.message, step.change, step.gaps) == (None, None, ())
    assert deck.engine.store.save() == before


def test_frames_that_are_no_text_are_proof_of_life(deck: Deck) -> None:
    for kind in (Kind.FRAME_PING, Kind.FRAME_PONG, Kind.FRAME_BINARY, Kind.FRAME_CLOSE):
        deck.put(kind, b"heartbeat", connection=1)
        assert deck.engine.connections.views()[0].heard_ns == deck.now_ns
    assert deck.engine.counts.frames == 9


# ------------------------------------------------------------------ what is counted


def test_frames_are_counted_by_type_and_oddities_by_name() -> None:
    deck = Deck()
    deck.frame(snapshot(1))
    deck.frame(delta(2))
    deck.frame(msgspec.structs.replace(delta(3), unknown_fields=("msg.new", "other")))
    deck.frame(Unknown(type="novelty"))
    deck.frame(Communication(type="rfq_created", market="M"))
    deck.frame(Malformed("not-json"))
    deck.frame(Malformed("not-json"))
    deck.frame(delta(3))
    deck.put(Kind.FRAME_PING, connection=1)
    counts = deck.engine.counts
    assert (counts.records, counts.frames) == (10, 9)
    assert counts.by_type == {"orderbook_snapshot": 1, "orderbook_delta": 3, "novelty": 1, "rfq_created": 1}
    assert counts.unknown == {"orderbook_delta.msg.new": 1, "orderbook_delta.other": 1, "type:novelty": 1}
    assert counts.malformed == {"not-json": 2}
    assert counts.rejected == {"out_of_order": 1}
    assert {type(name) for name in counts.rejected} == {str}


def test_names_that_a_server_makes_up_are_counted_in_bounds() -> None:
    deck = Deck()
    for number in range(MAX_NAMES + 7):
        deck.frame(Unknown(type=f"type{number}"))
    counts = deck.engine.counts
    assert len(counts.by_type) == len(counts.unknown) == MAX_NAMES + 1
    assert counts.by_type[OTHER] == counts.unknown[OTHER] == 7


def test_a_copy_of_counts_is_in_one_order_and_shares_nothing() -> None:
    counts = Counts(1, 2, {"b": 1, "a": 2})
    copy = counts.copy()
    assert list(copy.by_type) == ["a", "b"]
    copy.by_type["c"] = 1
    assert "c" not in counts.by_type


# ------------------------------------------------------------------ order, gaps, trust


def test_frames_out_of_order_or_dead_are_refused_before_the_store_sees_them(deck: Deck) -> None:
    assert deck.frame(snapshot(2, "A", yes=((1, 1),))).change is Rejected.OUT_OF_ORDER
    deck.frame(Unsubscribed(sid=2, seq=2))
    assert deck.frame(trade(3)).change is Rejected.DEAD_SUBSCRIPTION
    deck.opened(2, replaces=1)
    assert deck.frame(delta(3, market="A")).change is Rejected.DEAD_SUBSCRIPTION
    assert deck.engine.counts.rejected == {"out_of_order": 1, "dead_subscription": 2}
    assert deck.engine.store.view("A").yes == ((4_000, 100),)


def test_a_missing_frame_makes_all_books_of_its_subscription_untrusted_until_their_own_snapshots(deck: Deck) -> None:
    found = deck.frame(delta(4, market="A"))
    assert [(gap.expected, gap.got, gap.markets) for gap in found.gaps] == [(3, 4, ("A", "B"))]
    assert found.change == Change("A", ChangeKind.BOOK)
    assert not deck.trusted("A") and not deck.trusted("B")
    first = deck.frame(snapshot(5, "A"))
    assert (deck.trusted("A"), deck.trusted("B")) == (True, False)
    second = deck.frame(snapshot(6, "B"))
    assert deck.trusted("B")
    assert gaps(found, first, second) == [("sequence", None), ("sequence", second.now_ns)]


def test_a_missing_trade_leaves_books_trusted(deck: Deck) -> None:
    assert gaps(deck.frame(trade(3))) == [("sequence", deck.now_ns)]
    assert deck.trusted("A") and deck.trusted("B")


def test_a_malformed_frame_that_took_a_number_is_missed(deck: Deck) -> None:
    assert deck.frame(Malformed("delta_fp: not a size")).change is None
    assert gaps(deck.frame(delta(4, market="A"))) == [("sequence", None)]


def test_the_answer_to_get_snapshot_takes_the_next_number_and_restores_trust(deck: Deck) -> None:
    deck.frame(delta(4, market="A"))
    deck.frame(msgspec.structs.replace(snapshot(5, "A"), id=11))
    assert deck.trusted("A")


def test_subscribing_again_is_answered_by_ok_and_the_count_goes_on(deck: Deck) -> None:
    steps = [deck.frame(m) for m in (ok(3, "A", "B", "C"), snapshot(4, "C"), delta(5, market="C"))]
    assert gaps(*steps) == []
    assert [deck.trusted(m) for m in "ABC"] == [True, True, True]


def test_deleted_markets_lose_their_trust_and_the_others_keep_it(deck: Deck) -> None:
    step = deck.frame(ok(3, "B"))
    assert step.change == Change("", ChangeKind.SUBSCRIPTION)
    assert (deck.trusted("A"), deck.trusted("B")) == (False, True)
    assert gaps(deck.frame(delta(5, market="B")), deck.frame(snapshot(6, "B"))) == [
        ("sequence", None),
        ("sequence", deck.now_ns),
    ]


def test_a_subscription_that_is_over_leaves_no_trusted_book(deck: Deck) -> None:
    deck.frame(Unsubscribed(sid=1, seq=3))
    assert not deck.trusted("A") and not deck.trusted("B")


@pytest.mark.parametrize("again", [False, True])
def test_the_end_of_a_gap_takes_no_trust_away(deck: Deck, again: bool) -> None:
    deck.frame(delta(4, market="A"))
    deck.frame(snapshot(5, "A"))
    if again:
        deck.engine = load(dump(deck.engine))
    closing = deck.frame(ok(6, "A"))  # B, for which the gap still waits, is no longer subscribed
    assert gaps(closing) == [("sequence", deck.now_ns)]
    assert deck.trusted("A")


def test_a_terminal_error_takes_the_trust_until_the_next_subscription(deck: Deck) -> None:
    assert gaps(deck.frame(ErrorReply(sid=1, seq=3, code=25))) == [("terminal", None)]
    assert not deck.trusted("A")
    deck.frame(subscribed(5, command=3))
    closing = [deck.frame(snapshot(seq, market, sid=5)) for seq, market in enumerate("AB", start=1)]
    assert gaps(*closing) == [("terminal", deck.now_ns)]
    assert deck.trusted("A") and deck.trusted("B")


def test_a_lost_connection_takes_the_trust_of_its_own_books_only(deck: Deck) -> None:
    deck.opened(2)
    deck.frame(subscribed(), connection=2)
    deck.frame(snapshot(1, "B"), connection=2)
    assert gaps(deck.closed(1)) == [("reconnect", None)]
    assert (deck.trusted("A"), deck.trusted("B")) == (False, True)
    assert gaps(deck.opened(3, replaces=1)) == [("reconnect", deck.now_ns)]
    assert (deck.trusted("A"), deck.trusted("B")) == (False, True)


def test_a_stall_takes_the_trust_when_it_is_over(deck: Deck) -> None:
    assert gaps(deck.put(Kind.FRAME_PING, connection=1, after_ns=26_000 * MS)) == [("stall", deck.now_ns)]
    assert not deck.trusted("A")
    assert deck.frame(delta(3, market="A")).change == Change("A", ChangeKind.BOOK)


def test_a_gap_of_the_recorder_takes_the_trust_when_it_opens_and_again_when_it_closes(deck: Deck) -> None:
    deck.gap_record(Kind.GAP_OPEN, StoredGap("disk_full"))
    assert not deck.trusted("A")
    deck.frame(snapshot(3, "A"))
    assert deck.trusted("A")
    deck.gap_record(Kind.GAP_CLOSE, StoredGap("disk_full"))
    assert not deck.trusted("A")


def test_a_sequence_gap_that_a_cut_stored_is_scoped_like_the_one_it_stands_for() -> None:
    deck = Deck(Coverage(filtered=True))
    deck.opened(1)
    for message in (subscribed(), snapshot(1, "A"), snapshot(900, "B")):
        deck.frame(message)
    deck.gap_record(Kind.GAP_CLOSE, StoredGap("sequence", connection=1, sid=1, markets=("A",)))
    assert (deck.trusted("A"), deck.trusted("B")) == (False, True)


def test_subscribed_that_begins_a_live_subscription_anew_takes_the_trust(deck: Deck) -> None:
    assert gaps(deck.frame(subscribed())) == [("restart", None)]
    assert not deck.trusted("A")
    deck.frame(snapshot(1, "A"))
    assert deck.trusted("A")
    assert deck.frame(delta(2, market="B")).change is Rejected.NO_SNAPSHOT


def test_prices_are_read_as_the_subscribe_that_was_sent_asked() -> None:
    deck = Deck()
    deck.opened(1)
    deck.sent({"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta"], "use_yes_price": True}})
    deck.frame(subscribed())
    deck.frame(snapshot(1, no=((4_400, 5),)))
    deck.frame(delta(2, 4_300, 5, Side.NO))
    assert deck.engine.store.view("M").no == ((5_600, 5), (5_700, 5))


# ------------------------------------------------------------------ sessions


def test_a_new_session_forgets_connections_and_markets_and_counts_on(deck: Deck) -> None:
    deck.frame(delta(9, market="A"))
    before = deck.engine.counts.records
    step = deck.session()
    assert gaps(step) == [("sequence", deck.now_ns)]
    assert deck.engine.store.markets() == ()
    assert deck.engine.connections.views() == ()
    assert deck.engine.counts.records == before + 1
    assert deck.frame(delta(10, market="A")).change is Rejected.NO_SNAPSHOT
    deck.frame(snapshot(11, "A"))
    assert [gap.number for gap in deck.frame(delta(20, market="A")).gaps] == [2]
    assert not deck.trusted("A")


def test_a_crash_is_one_gap_whether_the_recorder_says_so_before_or_after_the_new_session(deck: Deck) -> None:
    opening = deck.gap_record(Kind.GAP_OPEN, StoredGap("crash", from_ns=5))
    session = deck.session()
    closing = deck.gap_record(Kind.GAP_CLOSE, StoredGap("crash", until_ns=9))
    reports = [(gap.number, gap.reason, gap.until_ns) for step in (opening, session, closing) for gap in step.gaps]
    assert reports == [(1, "crash", None), (1, "crash", session.now_ns), (1, "crash", 9)]


# ------------------------------------------------------------------ whatever comes, and what it costs


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b'{"type":"ok"}', b'{"type":"orderbook_delta","sid":1}'])))
def test_nothing_a_server_can_send_raises(payloads: list[bytes]) -> None:
    engine = begun(Coverage())
    for seq, payload in enumerate(payloads, start=1):
        engine.step(Record(seq, seq, 0, 1, Kind.FRAME, payload))
    assert engine.counts.frames == len(payloads)
    assert sum(engine.counts.by_type.values()) + sum(engine.counts.malformed.values()) == len(payloads)


@needs_tapes
@pytest.mark.parametrize(
    ("paths", "coverage"),
    [
        (gold_files("101900-00"), GOLD),
        (gold_files("102000-00"), GOLD),
        ([SHORT], BTC),
        ([OUTAGE], BTC),
        ([HOURLY_FRAMES], HOURLY),
    ],
)
def test_every_frame_of_a_recording_is_counted_and_taken(paths: list[object], coverage: Coverage) -> None:
    tape = told(*paths)
    engine = begun(coverage)
    for record, message in tape:
        assert type(engine.step(record, message).change) is not Rejected
    frames = [message for _, message in tape if message is not None]
    names = {"BookDelta": "orderbook_delta", "BookSnapshot": "orderbook_snapshot", "ErrorReply": "error"}
    expected = Counter(names.get(type(m).__name__, type(m).__name__.lower()) for m in frames)
    assert engine.counts.by_type == expected
    assert (engine.counts.records, engine.counts.frames) == (len(tape) + 1, len(frames))
    assert (engine.counts.malformed, engine.counts.unknown, engine.counts.rejected) == ({}, {}, {})


@pytest.mark.performance
@needs_tapes
def test_a_delta_costs_two_microseconds_to_step() -> None:
    tape = told(OUTAGE)[:42_000]
    best = float("inf")
    for _ in range(5):
        engine = begun(BTC)
        start = time.perf_counter()
        for record, message in tape:
            engine.step(record, message)
        best = min(best, (time.perf_counter() - start) / len(tape))
    assert sum(isinstance(message, BookDelta) for _, message in tape) > 41_000
    assert best < 2e-6, f"{best * 1e9:.0f} ns a record"


def test_replies_and_tickers_go_through_the_same_door(deck: Deck) -> None:
    assert deck.frame(ticker("A")).change == Change("A", ChangeKind.TICKER)
    assert deck.frame(Ok(id=4, sid=1, seq=3)).change is None


# ------------------------------------------------------------------ books by REST


def rest_book(path: str, answer: str, **more: int) -> RestCall:
    return RestCall("GET", f"/trade-api/v2{path}", **({"status": 200} | more), answer=answer)  # type: ignore[arg-type]  # by the tests


ONE_BOOK = '{"orderbook_fp":{"yes_dollars":[["0.4000","1.00"]],"no_dollars":[["0.5000","2.00"]]}}'


def test_a_book_by_rest_is_part_of_the_state_and_of_its_copy(deck: Deck) -> None:
    before = deck.engine.store.view("A")
    step = deck.put(Kind.REST, rest_book("/markets/A/orderbook?depth=5", ONE_BOOK))
    assert (step.message, step.change, step.gaps) == (None, None, ())
    view = deck.engine.store.view("A")
    assert view.rest is not None
    assert (view.rest.yes, view.rest.no, view.rest.now_ns) == (((4_000, 100),), ((5_000, 200),), deck.now_ns)
    assert (view.yes, view.trusted, view.heard_ns) == (before.yes, True, before.heard_ns)
    copy = load(dump(deck.engine))
    assert copy.store.view("A") == view


def test_many_books_by_rest_at_once(deck: Deck) -> None:
    body = ONE_BOOK[1:-1]
    deck.put(
        Kind.REST,
        rest_book("/markets/orderbooks", f'{{"orderbooks":[{{"ticker":"A",{body}}},{{"ticker":"C",{body}}}]}}'),
    )
    assert [deck.engine.store.view(market).rest is not None for market in "ABC"] == [True, False, True]


@pytest.mark.parametrize(
    ("path", "answer", "more"),
    [
        ("/markets/A/orderbook", ONE_BOOK, {"status": 500}),
        ("/markets/A/orderbook", "orderbook", {}),
        ("/markets/A", '{"market":{"ticker":"A","title":"orderbook"}}', {}),
        ("/markets", '{"markets":[{"ticker":"orderbook"}],"cursor":""}', {}),
    ],
)
def test_what_is_no_book_by_rest_changes_nothing(deck: Deck, path: str, answer: str, more: dict[str, int]) -> None:
    deck.put(Kind.REST, rest_book(path, answer, **more))
    assert deck.engine.store.view("A").rest is None
