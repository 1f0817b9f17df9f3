import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from deck import (
    BTC,
    GOLD,
    GOLD_WINDOWS,
    OUTAGE,
    SHORT,
    Deck,
    begun,
    delta,
    gold_files,
    ok,
    snapshot,
    subscribed,
    ticker,
    told,
    trade,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from tapes import but_the_longest, needs_tapes
from wild import wild

from core.columns import ColumnBuilder
from core.engine import Engine
from core.messages import (
    ErrorReply,
    Fill,
    Malformed,
    MarketLifecycle,
    MarketPosition,
    Message,
    Side,
    Unknown,
    Unsubscribed,
    UserOrder,
)
from core.records import Coverage, Kind, Record, StoredGap
from core.remade import messages
from core.state import STATE_VERSION, DecisionDigest, StateError, decision_digest, digest, dump, load
from core.store import Brief

ROOT = Path(__file__).resolve().parents[2]

MESSAGES = st.one_of(
    st.builds(subscribed, st.integers(1, 3), st.sampled_from(["orderbook_delta", "trade"]), st.integers(1, 3)),
    st.builds(snapshot, st.integers(1, 20), st.sampled_from("ABC"), sid=st.integers(1, 3)),
    st.builds(
        delta,
        st.integers(1, 20),
        st.sampled_from([3_999, 4_000, 4_001]),
        st.integers(-120, 120),
        st.sampled_from(Side),
        market=st.sampled_from("ABC"),
        sid=st.integers(1, 3),
    ),
    st.builds(trade, st.integers(1, 9), market=st.sampled_from("ABC")),
    st.builds(ticker, st.sampled_from("ABC"), yes_bid=st.integers(0, 3)),
    st.builds(ok, st.integers(1, 20), st.sampled_from("ABC"), sid=st.integers(1, 3)),
    st.builds(Unsubscribed, sid=st.integers(1, 3), seq=st.integers(0, 20)),
    st.builds(ErrorReply, sid=st.integers(0, 3), seq=st.integers(0, 20), code=st.sampled_from([10, 25, 26])),
    st.builds(MarketLifecycle, market=st.sampled_from("ABC"), event=st.sampled_from(["created", "settled"])),
    st.builds(MarketPosition, market=st.just("A"), position=st.integers(-5, 5), subaccount=st.integers(0, 2)),
    st.builds(
        UserOrder,
        market=st.just("A"),
        order_id=st.sampled_from("xyz"),
        status=st.sampled_from(["resting", "canceled"]),
        side=st.just(Side.YES),
        price=st.just(1),
        fill_count=st.integers(0, 3),
    ),
    st.builds(
        Fill,
        market=st.just("A"),
        trade_id=st.sampled_from("pqr"),
        order_id=st.just("x"),
        side=st.just(Side.NO),
        price=st.just(1),
        count=st.just(1),
        post_position=st.integers(-3, 3),
    ),
    st.builds(Unknown, type=st.sampled_from(["new", "newer"]), unknown_fields=st.just(("msg.a",))),
    st.builds(Malformed, st.sampled_from(["not-json", "no-type"])),
)
SCRIPTS = st.lists(
    st.tuples(st.just("frame"), MESSAGES, st.integers(1, 3))
    | st.tuples(st.just("opened"), st.integers(1, 4), st.integers(0, 4))
    | st.tuples(st.sampled_from(["closed", "ping", "session", "gap", "sent"]), st.integers(1, 4), st.booleans()),
    max_size=60,
)
COVERAGES = st.builds(Coverage, connections=st.booleans(), control=st.booleans(), filtered=st.booleans())


def play(deck: Deck, script: list[Any], coverage: Coverage) -> list[Any]:
    """Every step of a script of any kinds of records."""
    steps = []
    for what, first, second in script:
        match what:
            case "frame":
                steps.append(deck.frame(first, connection=second))
            case "opened":
                steps.append(deck.opened(first, second))
            case "closed":
                steps.append(deck.closed(first))
            case "ping":
                steps.append(deck.put(Kind.FRAME_PING, connection=first, after_ns=(1 + 30_000 * second) * 1_000_000))
            case "gap":
                kind = Kind.GAP_OPEN if second else Kind.GAP_CLOSE
                steps.append(deck.gap_record(kind, StoredGap("disk_full", markets=("A",) if first > 2 else ())))
            case "sent":
                params = {"channels": ["orderbook_delta"], "use_yes_price": second}
                steps.append(deck.sent({"id": first, "cmd": "subscribe", "params": params}))
            case _:
                steps.append(deck.session(coverage))
    return steps


@given(SCRIPTS, COVERAGES, st.integers(0, 60))
@settings(max_examples=200)
def test_going_on_from_a_dump_is_the_same_as_never_having_stopped(
    script: list[Any], coverage: Coverage, pause: int
) -> None:
    deck = Deck(coverage)
    play(deck, script[:pause], coverage)
    dumped = dump(deck.engine)
    again = load(dumped)
    assert dump(again) == dumped
    other = Deck.__new__(Deck)
    other.engine, other.now_ns = again, deck.now_ns
    assert play(deck, script[pause:], coverage) == play(other, script[pause:], coverage)
    assert dump(deck.engine) == dump(again)


def test_dumping_changes_nothing_and_the_next_step_changes_the_dump() -> None:
    deck = Deck()
    deck.frame(snapshot(1))
    first = dump(deck.engine)
    assert dump(deck.engine) == first
    deck.frame(delta(2))
    assert dump(deck.engine) != first


def test_the_order_in_which_markets_and_names_were_met_does_not_show() -> None:
    one, other = Deck(), Deck()
    for deck, order in ((one, "ABC"), (other, "CAB")):
        for market in order:
            deck.frame(ticker(market), after_ns=0)
            deck.frame(Malformed(market), after_ns=0)
    assert digest(one.engine) == digest(other.engine)


def test_a_brief_state_has_one_market_as_it_is_and_the_connections_whole() -> None:
    engine = Engine()
    for record in wild(3, 200).records:
        engine.step(record)
    view = engine.store.view("KXTEST-A")
    assert len(view.trades) > 5
    whole, brief = dump(engine), Brief(5, "KXTEST-A")
    for loaded in (load(whole, brief), load(dump(engine, brief)), load(dump(engine, Brief(5)), brief)):
        found = loaded.store.view("KXTEST-A")
        assert loaded.store.markets() == ("KXTEST-A",)
        assert found.trades == view.trades[-5:]
        assert (found.yes, found.no, found.trusted, found.owner) == (view.yes, view.no, view.trusted, view.owner)
        assert loaded.connections.save() == engine.connections.save()
        assert loaded.now_ns == engine.now_ns
    assert load(dump(engine, Brief(5))).store.markets() == engine.store.markets()
    assert load(whole, Brief(5, "KXNONE")).store.markets() == ()


def test_a_digest_is_that_of_the_dump() -> None:
    engine = Deck().engine
    assert digest(engine) == digest(load(dump(engine)))
    assert len(digest(engine)) == 64


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xc1",
        b"not a state",
        msgspec.msgpack.encode(None),
        msgspec.msgpack.encode((STATE_VERSION, {})),
        msgspec.msgpack.encode((STATE_VERSION,)),
        msgspec.msgpack.encode((STATE_VERSION, {"next_seq": "x"})),
    ],
)
def test_bytes_that_are_no_state_are_refused(garbage: bytes) -> None:
    with pytest.raises(StateError):
        load(garbage)


def test_a_state_of_another_version_is_refused_by_name() -> None:
    with pytest.raises(StateError, match=f"state version {STATE_VERSION + 1}"):
        load(msgspec.msgpack.encode((STATE_VERSION + 1, "whatever that version holds")))


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_damaged_state_is_refused_or_loads_but_never_raises_anything_else(place: int, flip: int) -> None:
    deck = Deck()
    deck.frame(snapshot(1))
    damaged = bytearray(dump(deck.engine))
    damaged[place % len(damaged)] ^= flip
    for state in (bytes(damaged), bytes(damaged[:place])):
        try:
            load(state)
        except StateError:
            continue


def lived() -> bytes:
    """The state of an engine of which everything is known."""
    deck = Deck()
    deck.opened(1)
    deck.sent({"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta"], "use_yes_price": True}})
    for message in (
        subscribed(), subscribed(2, "trade", 2), snapshot(1, "A", no=((4_400, 5),)), snapshot(2, "B"), delta(3, 4_001),
        trade(1, "odd"), trade(2, "0e3b1f5a-9d0c-4b8e-8a54-000000000001"), ticker("A", yes_bid=5),
        ticker("C", yes_ask=5), delta(9, market="A"),
        UserOrder(market="A", order_id="o", status="resting", side=Side.YES, price=1),
        Fill(market="A", trade_id="t", order_id="o", side=Side.NO, price=1, count=1),
        MarketPosition(market="A", position=5),
    ):  # fmt: skip
        deck.frame(message)
    deck.closed(1)
    return dump(deck.engine)


LIVED = lived()


@given(st.integers(0, len(LIVED) - 1), st.integers(1, 255), st.integers(0, 12))
@settings(max_examples=400)
def test_a_damaged_state_of_a_long_life_raises_nothing_else_either(place: int, flip: int, cut: int) -> None:
    flipped, put = bytearray(LIVED), bytearray(LIVED)
    flipped[place] ^= flip
    put[place : place + cut] = b"\xcf" + bytes([flip] * 8)  # a number, mostly one that no cell can hold
    for state in (bytes(flipped), bytes(put), LIVED[:place]):
        try:
            load(state)
        except StateError:
            continue


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, -1, 10_001])
def test_numbers_that_cannot_be_are_refused_or_kept_but_raise_nothing_else(number: int) -> None:
    whole = msgspec.msgpack.decode(LIVED)
    spots = list(numbers_in(whole))
    assert len(spots) > 100
    for holder, key in spots:
        kept, holder[key] = holder[key], number
        try:
            load(msgspec.msgpack.encode(whole))
        except StateError:
            pass
        finally:
            holder[key] = kept


def numbers_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """(list or dict, index or key) of every number."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if type(inner) is int:
            yield value, key
        elif isinstance(inner, dict | list):
            yield from numbers_in(inner)


def test_the_digest_of_no_decisions_is_a_constant() -> None:
    assert decision_digest() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_of_decisions_knows_where_each_ends() -> None:
    assert decision_digest([b"ab", b"c"]) != decision_digest([b"a", b"bc"]) != decision_digest([b"abc"])


def test_a_digest_of_decisions_can_be_looked_at_on_the_way() -> None:
    digest_ = DecisionDigest()
    for count in range(3):
        assert digest_.hexdigest() == decision_digest([b"ab", b"c"][:count])
        digest_.add([b"ab", b"c", b""][count])


def by_columns(tape: tuple[tuple[Record, Any], ...]) -> list[tuple[Record, Message | None]]:
    """The tape as a reader of columns steps it: no payload where the columns hold the whole message."""
    builder = ColumnBuilder(len(tape))
    for row, (_, message) in enumerate(tape):
        if message is not None:
            builder.put(row, message)
    rebuilt = messages(builder.finish())
    return [
        (record if message is None else msgspec.structs.replace(record, payload=b""), message)
        for (record, _), message in zip(tape, rebuilt, strict=True)
    ]


TAPES_AND_COVERAGES = [(window, GOLD) for window in GOLD_WINDOWS] + [("short", BTC), ("outage", BTC)]


def recording(name: str) -> tuple[tuple[Record, Any], ...]:
    return told(*({"short": [SHORT], "outage": [OUTAGE]}.get(name) or gold_files(name)))


@needs_tapes
@pytest.mark.parametrize(("name", "coverage"), but_the_longest(TAPES_AND_COVERAGES))
def test_a_recording_gives_one_digest_by_every_way(name: str, coverage: Coverage) -> None:
    tape = recording(name)
    rng = random.Random(3)
    stops = sorted(rng.sample(range(1, len(tape)), 3))
    live, columns = begun(coverage), begun(coverage)
    checkpoints: dict[int, bytes] = {}
    for index, (record, message) in enumerate(tape):
        if index in stops:
            checkpoints[index] = dump(live)
        live.step(record, message)
    for record, message in by_columns(tape):
        columns.step(record, message)
    expected = digest(live)
    assert digest(columns) == expected
    for index, state in checkpoints.items():
        engine = load(state)
        assert dump(engine) == state
        for record, message in tape[index:]:
            engine.step(record, message)
        assert digest(engine) == expected, f"from the checkpoint before {index}"


PROGRAM = """
import sys
from deck import SHORT, BTC, begun, records_of
from core.state import digest
engine = begun(BTC)
for record in records_of(SHORT):
    engine.step(record)
print(digest(engine))
"""


@needs_tapes
def test_a_recording_gives_one_digest_under_every_hash_seed() -> None:
    digests = set()
    for seed in ("0", "1", "random"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(run.stdout.strip())
    engine = begun(BTC)
    for record, message in told(SHORT):
        engine.step(record, message)
    assert digests == {digest(engine)}


def test_an_engine_that_stepped_nothing_can_be_dumped() -> None:
    assert digest(load(dump(Engine()))) == digest(Engine())
