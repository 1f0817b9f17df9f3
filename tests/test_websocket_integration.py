"""A real connection, at a sandbox and with credentials at Kalshi itself; then real recordings as tapes.

The tests of the connection are the same for both places. Those of Kalshi are marked `live`, place no order, and are
skipped unless KALSHI_ACCESS_KEY and KALSHI_PRIVATE_KEY_PATH are set; KALSHI_ENV says where (demo by default). The
recordings are imported, replayed and held against the recordings read plainly.
"""

import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from imported import BTC, GOLD, RECORDINGS, SMALL, files_of, tape_of
from live import until
from places import SIX, Place, Recording, kalshi, local, recording
from recordings import frames_of
from tapes import but_the_longest, needs_tapes

from capture.auth import Credentials
from capture.link import LinkState
from capture.tape.verify import verify
from core import state
from core.desks import Desks
from core.engine import Engine
from core.gaps import Gap
from core.messages import (
    BookDelta,
    BookSnapshot,
    Malformed,
    Message,
    Subscribed,
    Ticker,
    Trade,
    Unknown,
    decode,
    type_of,
)
from core.money import format_price, format_size, parse_price, parse_size
from core.records import Kind, Record, decode_opened
from replay import Player, Tape
from replay.exchange.local import LocalExchange
from replay.exchange.sandbox import SandboxOptions, SandboxVenue
from replay.exporter import export_jsonl
from replay.importer import ImportOptions, import_recording
from replay.player import PATHS
from replay.rebuild import rebuild
from replay.run import Span, compare
from replay.summary import Info, summarize
from replay.synthetic import Plan, write_recording

pytestmark = pytest.mark.integration

EACH = pytest.mark.parametrize("name", but_the_longest(sorted(RECORDINGS)))
SECOND = 1_000_000_000


def info_of(name: str) -> Info:
    return summarize(tape_of(name))


def plain_frames(name: str) -> list[bytes]:
    return [frame for file in files_of(name) for frame in frames_of(file)]


# ------------------------------------------------------------------ what came in is there


@needs_tapes
@EACH
def test_every_frame_is_there_byte_for_byte_in_order(name: str) -> None:
    frames = [record.payload for record in tape_of(name).records() if record.kind == Kind.FRAME]
    assert frames == plain_frames(name)
    assert len(frames) == RECORDINGS[name].frames


@needs_tapes
@EACH
def test_counts_are_those_of_the_source_and_nothing_is_malformed(name: str) -> None:
    info = info_of(name)
    parsed = [json.loads(frame) for frame in plain_frames(name)]
    markets = {frame["msg"]["market_ticker"] for frame in parsed if "market_ticker" in frame.get("msg", ())}
    assert info.by_type == Counter(frame["type"] for frame in parsed)
    assert info.frames == len(parsed)
    assert info.malformed == {}
    assert info.unknown == {}
    assert info.markets == tuple(sorted(markets))
    assert info.filtered is RECORDINGS[name].filtered


@needs_tapes
@EACH
def test_it_verifies_deeply(name: str) -> None:
    report = verify(tape_of(name).path, deep=True)
    assert report.whole, report.problems
    assert report.ended == "clean_stop"


@needs_tapes
@pytest.mark.parametrize(
    "name", but_the_longest(sorted({*RECORDINGS} - {*SMALL}))
)  # there the fixed cost of a Parquet file shows
def test_it_takes_less_room_than_the_packed_recording(name: str) -> None:
    held = sum(path.stat().st_size for path in tape_of(name).path.rglob("*.parquet"))
    assert held < sum(file.stat().st_size for file in files_of(name)) / 2


@needs_tapes
@EACH
def test_an_export_gives_the_lines_back(name: str, tmp_path: Path) -> None:
    export_jsonl(tape_of(name), tmp_path / "again")
    lines = [gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes() for f in files_of(name)]
    assert (tmp_path / "again").read_bytes() == b"".join(lines)


# ------------------------------------------------------------------ what the numbering and the clock show


@needs_tapes
@pytest.mark.parametrize("name", [*BTC, *SMALL])
def test_contiguous_recordings_have_no_sequence_gap(name: str) -> None:
    assert [gap for gap in info_of(name).gaps if gap["reason"] == "sequence"] == []


@needs_tapes
@pytest.mark.parametrize("name", but_the_longest(GOLD))
def test_a_filtered_recording_claims_no_sequence_gap(name: str) -> None:
    assert [gap for gap in info_of(name).gaps if gap["reason"] == "sequence"] == []


@needs_tapes
def test_the_outage_shows_as_three_connections_two_reconnects_and_two_silences() -> None:
    info = info_of("btc15m/outage-22s")
    assert info.connections == 3
    assert [row.connection for row in info.connection_list] == [1, 2, 3]
    assert [row.opened_ns for row in info.connection_list] == [
        1_778_733_491_828_613_888,
        1_778_733_892_195_760_896,
        1_778_733_923_631_140_096,
    ]
    assert [(gap["reason"], gap["connection"], gap["until_ns"]) for gap in info.gaps] == [
        ("reconnect", 1, 1_778_733_892_195_760_896),
        ("reconnect", 2, 1_778_733_923_631_140_096),
    ]
    assert [round(row.duration_ns / SECOND, 1) for row in info.silences] == [22.4, 17.7]
    assert info.gaps[0]["at_ns"] == info.silences[0].at_ns


@needs_tapes
def test_the_reconnect_of_a_filtered_recording_is_found_by_its_numbering() -> None:
    info = info_of("gold15m/102030-30")
    assert [gap["reason"] for gap in info.gaps] == ["reconnect"]
    gap = info.gaps[0]
    assert round((gap["until_ns"] - gap["at_ns"]) / SECOND, 1) == 11.5
    assert info.connections == 2


# ------------------------------------------------------------------ one state, whatever the way


@needs_tapes
@EACH
def test_both_paths_give_the_same_state_throughout(name: str) -> None:
    comparison = compare(tape_of(name), Span(), every=16_384)
    assert comparison.equal
    assert comparison.by_columns.frames == RECORDINGS[name].frames


@needs_tapes
@pytest.mark.parametrize("name", ["gold15m/101900-00", "btc15m/short-30s"])
def test_every_checkpoint_and_every_segment_size_lead_to_the_same_state(name: str, tmp_path: Path) -> None:
    expected = digest(tape_of(name))
    for rows in (1_000, 7_777):
        path = tmp_path / f"by{rows}"
        options = ImportOptions(environment="prod", filtered=RECORDINGS[name].filtered, segment_rows=rows)
        import_recording(files_of(name), path, options)
        tape = Tape.open(path)
        assert len(tape.segments) > RECORDINGS[name].frames // rows
        every = 1_000
        writing = Player(tape, "columns", checkpoint_records=every)
        writing.advance()
        assert writing.state_digest() == expected
        for seq in range(every - 1, tape.head_seq, every * 7):
            player = Player(tape, "columns", start="checkpoint", checkpoint_records=0)
            assert player.advance(until_seq=seq) == 0
            player.advance()
            assert player.state_digest() == expected
        rebuild(path)
        assert digest(Tape.open(path)) == expected


def digest(tape: Tape) -> str:
    player = Player(tape, "columns", checkpoint_records=0)
    player.advance()
    return player.state_digest()


@needs_tapes
@pytest.mark.parametrize("path", PATHS)
def test_messages_are_those_of_the_frames(path: str) -> None:
    tape = tape_of("btc15m/short-30s")
    sequenced = [
        message.seq for _, message in Player(tape, path).messages() if isinstance(message, Message) and message.seq
    ]
    assert sequenced == list(range(1, len(sequenced) + 1))


# ------------------------------------------------------------------ one frame less


def numbered(records: list[Record]) -> dict[int, dict[str, Any]]:
    """Frames with a number, by their place in the recording; not the last of a subscription, which nobody can miss."""
    frames = {r.seq: json.loads(r.payload) | {"on": r.connection} for r in records if r.kind == Kind.FRAME}
    held = {place: frame for place, frame in frames.items() if "seq" in frame}
    last = {(frame["on"], frame["sid"]): place for place, frame in held.items()}
    return {place: frame for place, frame in held.items() if place not in last.values()}


def without_one(records: list[Record], places: list[int]) -> Iterator[tuple[int, Engine, list[Record]]]:
    """For each place: the engine just before it, and what follows it, numbered as if it had never been."""
    engine, done = Engine(), 0
    for place in places:
        for record in records[done:place]:
            engine.step(record)
        done = place
        rest = [Record(r.seq - 1, r.at_ns, r.mono_ns, r.connection, r.kind, r.payload) for r in records[place + 1 :]]
        yield place, state.load(state.dump(engine)), rest


def assert_one_gap(engine: Engine, rest: list[Record], lost: dict[str, Any]) -> None:
    """Exactly one sequence gap, where the frame is missing; its books are untrusted until their own next snapshot."""
    first: dict[int, Gap] = {}
    waiting: set[str] = set()
    for record in rest:
        step = engine.step(record)
        for gap in step.gaps:
            if gap.reason == "sequence" and gap.number not in first:
                assert (gap.expected, gap.got, gap.sid) == (lost["seq"], lost["seq"] + 1, lost["sid"])
                assert gap.connection == record.connection == lost["on"]
                first[gap.number] = gap
                waiting = set(gap.markets)
            elif gap.reason == "reconnect":
                waiting = set()
        if isinstance(step.message, BookSnapshot):
            waiting.discard(step.message.market)
        for market in sorted(waiting) if record.seq % 97 == 0 or step.gaps else ():
            assert not engine.store.view(market).trusted
    assert len(first) == 1


def check_random_losses(name: str, count: int) -> None:
    seed = random.randrange(1 << 32)
    records = list(tape_of(name).records())
    candidates = numbered(records)
    places = sorted(random.Random(seed).sample(sorted(candidates), min(count, len(candidates))))
    for place, engine, rest in without_one(records, places):
        try:
            assert_one_gap(engine, rest, candidates[place])
        except AssertionError as error:
            error.add_note(f"without record {place}, of seed {seed}")
            raise


@needs_tapes
@pytest.mark.parametrize(("name", "count"), [("btc15m/short-30s", 60), ("btc15m/outage-22s", 2)])
def test_a_lost_frame_is_one_gap_at_its_place(name: str, count: int) -> None:
    check_random_losses(name, count)


@needs_tapes
@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_two_hundred_lost_frames_are_one_gap_each() -> None:
    check_random_losses("btc15m/outage-22s", 200)


def test_a_lost_trade_leaves_books_trusted(tmp_path: Path) -> None:
    write_recording(tmp_path / "r.jsonl", Plan(frames=3_000, markets=3, seed=5))
    import_recording([tmp_path / "r.jsonl"], tmp_path / "tape")
    records = list(Tape.open(tmp_path / "tape").records())
    trades = [place for place, frame in numbered(records).items() if frame["type"] == "trade"]
    place = trades[len(trades) // 2]
    for _, engine, rest in without_one(records, [place]):
        gaps = [gap for record in rest for gap in engine.step(record).gaps]
        assert [gap.reason for gap in gaps] == ["sequence"]
        assert all(engine.store.view(market).trusted for market in engine.store.markets())


# ------------------------------------------------------------------ a real connection, here and at the exchange

FORMATS = {"_dollars": re.compile(r"-?[0-9]+\.[0-9]{4}([0-9]{2})?"), "_fp": re.compile(r"-?[0-9]+\.[0-9]{2}")}
HOUR_NS = 3_600 * SECOND


@pytest.fixture(scope="module", params=["local", pytest.param("kalshi", marks=pytest.mark.live)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """The exchange."""
    if request.param == "kalshi":
        yield kalshi()
        return
    with LocalExchange(SandboxVenue(SandboxOptions(markets=6, rate=400, seed=8))) as exchange:
        yield local(exchange)


@pytest.fixture(scope="module")
def heard(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """Three open markets recorded until something of everything that surely comes has come."""
    listed = islice(place.api().markets(status="open", mve_filter="exclude", limit=200), 200)
    busiest = sorted(listed, key=lambda market: market.volume or 0)[-3:]
    with recording(tmp_path_factory.mktemp("place"), place, [market.ticker for market in busiest]) as found:
        until(lambda: found.deck.status().healthy, "health")
        until(lambda: {*place.surely} <= {type_of(message) for _, message in messages_of(found)}, "its frames")
        until(lambda: any(b"_dollars" in record.payload for record in found.records(Kind.FRAME)), "a price")
        yield found


def messages_of(found: Recording) -> list[tuple[Record, Any]]:
    return [(record, decode(record.payload)) for record in found.records(Kind.FRAME)]


def test_it_connects_and_authenticates(heard: Recording) -> None:
    (slot,) = heard.deck.status().slots
    assert (slot.link.state, slot.link.connected, heard.deck.fatal) == (LinkState.UP, 1, "")
    assert [decode_opened(r.payload).url for r in heard.records(Kind.OPENED)] == [heard.place.environment.ws_url]


def test_a_key_that_is_not_the_accounts_is_refused(place: Place, tmp_path: Path) -> None:
    strange = Credentials(place.credentials.access_key, rsa.generate_private_key(65_537, 2_048))
    with recording(tmp_path, place._replace(credentials=strange), (), max_tries=1) as found:
        until(lambda: found.deck.fatal, "the verdict")
        assert "HTTP 401" in found.deck.fatal
        assert found.records(Kind.OPENED) == []


def test_every_subscription_is_confirmed_and_every_market_has_its_book(heard: Recording) -> None:
    (slot,) = heard.deck.status().slots
    assert {s.channel: s.is_live for s in slot.talk.subscriptions} == dict.fromkeys(SIX, True)
    confirmed = [message.channel for _, message in messages_of(heard) if isinstance(message, Subscribed)]
    assert sorted(confirmed) == sorted(SIX)
    assert len(heard.markets) == 3
    assert all(heard.deck.view(market).trusted for market in heard.markets)


def test_every_frame_is_parsed_and_no_field_of_it_is_unknown(heard: Recording) -> None:
    for record, message in messages_of(heard):
        assert not isinstance(message, Malformed | Unknown), record.payload
        assert message.unknown_fields == (), record.payload


def test_prices_and_sizes_are_fixed_point_texts_that_lose_nothing(heard: Recording) -> None:
    seen = Counter[str]()
    for record in heard.records(Kind.FRAME):
        msg = json.loads(record.payload).get("msg", {})
        texts = [(name, value) for name, value in msg.items() if isinstance(value, str)]
        for side in ("yes_dollars_fp", "no_dollars_fp"):
            for price, size in msg.get(side, ()):
                texts += [("level_dollars", price), ("level_fp", size)]
        for name, text in texts:
            for suffix, pattern in FORMATS.items():
                if name.endswith(suffix):
                    seen[suffix] += 1
                    assert pattern.fullmatch(text), (name, text)
                    assert Decimal(text) == Decimal(reread(suffix, text)), (name, text)
    assert seen["_dollars"] and seen["_fp"]


def reread(suffix: str, text: str) -> str:
    return format_price(parse_price(text)) if suffix == "_dollars" else format_size(parse_size(text))


def test_times_are_of_this_hour_and_in_milliseconds_where_they_say_so(heard: Recording) -> None:
    for record, message in messages_of(heard):
        exchange_ns = getattr(message, "exchange_ns", 0)
        assert not exchange_ns or abs(exchange_ns - record.at_ns) < HOUR_NS, record.payload
        ts_ms = json.loads(record.payload).get("msg", {}).get("ts_ms")
        assert ts_ms is None or exchange_ns // 1_000_000 == ts_ms
        assert exchange_ns or not isinstance(message, BookDelta | Ticker | Trade)


def test_the_tape_replays_to_the_state_that_the_deck_had(heard: Recording) -> None:
    def instant(desks: Desks) -> tuple[int, str]:
        return desks.engine.next_seq - 1, state.digest(desks.engine)

    seq, expected = heard.deck.read(instant)
    player = Player(Tape.open(heard.path))
    player.advance(until_seq=seq)
    assert player.state_digest() == expected
