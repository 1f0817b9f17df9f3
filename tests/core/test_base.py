import json
from typing import Any

import msgspec
from deck import BTC, OUTAGE, Deck, begun, delta, ok, snapshot, subscribed, ticker, told, trade
from tapes import needs_tapes

from core import base
from core.engine import Engine
from core.gaps import Gap
from core.messages import Message, UserOrder
from core.messages import Side as Outcome
from core.records import Coverage, Kind, Record, Session, StoredGap, encode_payload
from core.state import digest


def busy() -> Deck:
    """Two connections, three markets, an open sequence gap and a lost connection."""
    deck = Deck()
    deck.opened(1)
    deck.opened(2)
    deck.frame(subscribed())
    deck.frame(subscribed(2, "trade", 2))
    for seq, market in enumerate("ABC", start=1):
        deck.frame(snapshot(seq, market))
    deck.frame(trade(1, market="A"))
    deck.frame(trade(2, market="B"))
    deck.frame(delta(9, market="A"))
    deck.frame(snapshot(10, "C"))
    deck.frame(UserOrder(market="A", order_id="o", status="resting", side=Outcome.NO, price=1))
    deck.closed(2)
    return deck


def taken_up(value: Any, coverage: Coverage | None = None) -> tuple[Deck, list[tuple[str, int, int | None]]]:
    """A new tape that begins with this base; the gaps its SESSION reports."""
    deck = Deck(engine=Engine())
    gaps = deck.session(coverage, base=json.loads(json.dumps(value))).gaps
    return deck, [(gap.reason, gap.number, gap.until_ns) for gap in gaps]


def test_a_base_is_json_and_gives_the_same_state_again() -> None:
    deck = busy()
    value = deck.engine.base_state()
    again, _ = taken_up(value)
    assert again.engine.store.save() == deck.engine.store.save()
    assert again.engine.connections.views() == deck.engine.connections.views()


def test_gaps_that_were_open_are_told_again_under_numbers_of_their_own() -> None:
    deck = busy()
    deck.frame(delta(20, market="A"))
    again, gaps = taken_up(deck.engine.base_state())
    assert gaps == [("sequence", 1, None), ("reconnect", 2, None), ("sequence", 3, None)]
    step = again.opened(3, replaces=2)
    assert [(gap.reason, gap.number, gap.until_ns) for gap in step.gaps] == [("reconnect", 2, again.now_ns)]


def test_what_comes_after_a_cut_does_what_it_did_before_it() -> None:
    deck = busy()
    again, _ = taken_up(deck.engine.base_state())
    later: list[Message] = [
        delta(11, market="B"),
        snapshot(12, "A"),
        delta(13, market="A"),
        trade(3),
        trade(2),
        snapshot(14, "B"),
    ]
    for message in later:
        one, other = deck.frame(message), again.frame(message)
        assert one.change == other.change
        assert [(g.reason, g.until_ns is None) for g in one.gaps] == [
            (g.reason, g.until_ns is None) for g in other.gaps
        ]
    assert [deck.trusted(m) for m in "ABC"] == [again.trusted(m) for m in "ABC"] == [True, True, True]


def test_the_end_of_a_gap_that_was_taken_along_takes_no_trust_away() -> None:
    again, _ = taken_up(busy().engine.base_state())
    again.frame(snapshot(11, "A"))
    closing = again.frame(ok(12, "A", "C"))
    assert [(gap.reason, gap.until_ns) for gap in closing.gaps] == [("sequence", again.now_ns)]
    assert [again.trusted(market) for market in "ABC"] == [True, False, True]


def test_a_base_of_some_markets_holds_nothing_of_the_others() -> None:
    value = busy().engine.base_state(["A"])
    again, gaps = taken_up(value, Coverage(filtered=True))
    assert again.engine.store.markets() == ("A",)
    assert [entry.trade_id for entry in again.engine.store.view("A").trades] == ["t1"]
    assert again.engine.connections.views()[0].subscriptions[0].markets == ("A",)
    assert gaps == [("sequence", 1, None), ("reconnect", 2, None)]
    text = json.dumps(value)
    assert '"B"' not in text and '"C"' not in text
    assert [(gap.number, gap.until_ns) for gap in again.frame(snapshot(30, "A")).gaps] == [(1, again.now_ns)]


def test_a_gap_that_waits_only_for_other_markets_is_not_taken_along() -> None:
    _, gaps = taken_up(busy().engine.base_state(["C"]))
    assert gaps == [("reconnect", 1, None)]


def test_a_gap_of_everything_is_taken_along() -> None:
    deck = busy()
    deck.gap_record(Kind.GAP_OPEN, StoredGap("disk_full"))
    _, gaps = taken_up(deck.engine.base_state(["C"]))
    assert [reason for reason, _, _ in gaps] == ["reconnect", "disk_full"]


def test_taking_a_base_changes_nothing() -> None:
    deck = busy()
    before = digest(deck.engine)
    deck.engine.base_state(["A"])
    deck.engine.base_state()
    assert digest(deck.engine) == before


def test_the_same_state_gives_the_same_base_whatever_way_it_was_reached() -> None:
    one, other = Deck(), Deck()
    for deck, order in ((one, "AB"), (other, "BA")):
        for market in order:
            deck.frame(ticker(market), after_ns=0)
    assert base.to_json(base.Base(one.engine.connections.save(), one.engine.store.save())) == other.engine.base_state()


@needs_tapes
def test_a_recording_cut_in_the_middle_ends_as_the_whole_does() -> None:
    tape = told(OUTAGE)
    whole = begun(BTC)
    value = None
    for index, (record, message) in enumerate(tape):
        if index == 30_000:
            value = json.loads(json.dumps(whole.base_state()))
        whole.step(record, message)
    cut = Engine()
    session = Session("a-cut", "prod", coverage=BTC, base=value)
    cut.step(Record(0, tape[29_999][0].at_ns, 0, 0, Kind.SESSION, encode_payload(session)))
    gaps: list[Gap] = []
    for seq, (record, message) in enumerate(tape[30_000:], start=1):
        gaps += cut.step(msgspec.structs.replace(record, seq=seq), message).gaps
    assert cut.store.save() == whole.store.save()
    assert [(gap.reason, gap.connection) for gap in gaps] == [("reconnect", 1), ("reconnect", 2)]
