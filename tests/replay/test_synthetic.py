"""The made-up recording keeps the rules that real ones keep, and is always the same."""

import gzip
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from core.messages import BookDelta, BookSnapshot, Malformed, Message, Ok, Side, Subscribed, Ticker, Trade, decode
from replay.dialects import DIALECTS
from replay.synthetic import Event, Plan, recording, size_of, write_recording

PLAN = Plan(frames=30_000, markets=30, seed=5, reconnects=2)
SEQUENCED = (BookDelta, BookSnapshot, Ok, Trade)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return list(recording(PLAN))


def messages(events: list[Event]) -> Iterator[Message]:
    for event in events:
        if event.frame is not None:
            message = decode(event.frame.encode())
            assert not isinstance(message, Malformed), event.frame
            assert not message.unknown_fields
            yield message


def text_of(plan: Plan, tmp_path: Path) -> bytes:
    path = tmp_path / f"{plan.seed}-{plan.frames}.jsonl"
    write_recording(path, plan)
    return path.read_bytes()


def test_the_same_plan_gives_the_same_bytes_everywhere(tmp_path: Path) -> None:
    text = text_of(Plan(frames=5000, markets=7, seed=3, reconnects=1), tmp_path)
    assert sha256(text).hexdigest()[:16] == "9686650f0a54bd92"


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    assert text_of(Plan(frames=50, seed=1), tmp_path) != text_of(Plan(frames=50, seed=2), tmp_path)


def test_a_shorter_recording_is_the_beginning_of_a_longer_one(tmp_path: Path) -> None:
    short, long = (text_of(Plan(frames=frames), tmp_path) for frames in (300, 3000))
    assert long.startswith(short)


def test_it_holds_as_many_frames_as_asked_for_and_a_mix_like_real_ones(events: list[Event]) -> None:
    counts = Counter(type(message) for message in messages(events))
    assert sum(counts.values()) == PLAN.frames
    assert counts[Subscribed] == 9
    assert counts[Ok] == 3
    assert 0.88 < counts[BookDelta] / PLAN.frames < 0.93
    assert 0.03 < counts[Trade] / PLAN.frames < 0.05
    assert 0.04 < counts[Ticker] / PLAN.frames < 0.06
    assert counts[BookSnapshot] > 3 * PLAN.markets


def test_a_few_markets_have_most_of_the_traffic() -> None:
    many = list(recording(Plan(frames=20_000, markets=200, seed=1)))
    counts = Counter(message.market for message in messages(many) if isinstance(message, BookDelta))
    assert counts["KXDEMO-26SEP21-T1"] > 5 * counts["KXDEMO-26SEP21-T20"] > 0
    assert len(counts) > 150
    fine = {message.market for message in messages(many) if isinstance(message, BookDelta) and message.price % 100}
    assert 8 <= len(fine) <= 40


def test_times_never_go_back_and_receipt_follows_the_exchange(events: list[Event]) -> None:
    times = [event.at_ns for event in events]
    assert times == sorted(times)
    for event in events:
        message = decode((event.frame or "").encode())
        if isinstance(message, BookDelta):
            assert 0 < event.at_ns - message.exchange_ns < 10**9


def test_every_connection_numbers_its_subscriptions_from_one_without_a_hole(events: list[Event]) -> None:
    assert [event.connection for event in events if event.frame is None] == [1, 2, 3]
    for connection in (1, 2, 3):
        mine = [event for event in events if event.connection == connection]
        assert mine[0].frame is None
        for sid in (1, 3):
            seqs = [m.seq for m in messages(mine) if isinstance(m, SEQUENCED) and m.sid == sid]
            assert seqs == list(range(1, len(seqs) + 1))


def test_between_connections_nothing_is_received_for_seconds(events: list[Event]) -> None:
    pairs = [(a, b) for a, b in pairwise(events) if b.frame is None]
    assert len(pairs) == 2
    assert all(after.at_ns - before.at_ns > 2 * 10**9 for before, after in pairs)


def test_books_are_never_negative_nor_crossed_and_snapshots_agree_with_deltas(events: list[Event]) -> None:
    books: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
    agreed = 0
    for event in events:
        if event.frame is None:
            books.clear()
            continue
        message = decode(event.frame.encode())
        if isinstance(message, BookSnapshot):
            fresh = (dict(message.yes), dict(message.no))
            agreed += message.market in books
            assert books.get(message.market, fresh) == fresh
            books[message.market] = fresh
        elif isinstance(message, BookDelta):
            side = books[message.market][message.side == Side.NO]
            side[message.price] = side.get(message.price, 0) + message.delta
            assert side[message.price] >= 0
            if not side[message.price]:
                del side[message.price]
            yes, no = books[message.market]
            assert max(yes) + max(no) < 10_000
    assert agreed > 5


def test_every_trade_has_its_delta_beside_it(events: list[Event]) -> None:
    frames = [message for message in messages(events) if not isinstance(message, Ticker | BookSnapshot)]
    early = 0
    for before, trade, after in zip(frames, frames[1:], frames[2:], strict=False):
        if isinstance(trade, Trade):
            expected = (Side.NO if trade.taker == Side.YES else Side.YES, -trade.count, trade.exchange_ns // 10**6)
            price = trade.price if trade.taker == Side.NO else 10_000 - trade.price
            deltas = [
                (delta.side, delta.delta, delta.exchange_ns // 10**6)
                for delta in (before, after)
                if isinstance(delta, BookDelta) and (delta.market, delta.price) == (trade.market, price)
            ]
            assert expected in deltas
            early += deltas[0] != expected or not isinstance(before, BookDelta)
    trades = [message for message in frames if isinstance(message, Trade)]
    assert 0 < early < len(trades) / 5
    assert len({trade.trade_id for trade in trades}) == len(trades)


def test_sizes_are_positive_and_often_fractional() -> None:
    sizes = [size_of(bits * 6_700_417 % (1 << 30)) for bits in range(10_000)]
    assert min(sizes) >= 100
    assert 0.55 < sum(size % 100 != 0 for size in sizes) / len(sizes) < 0.65


def test_a_name_ending_in_gz_is_gzipped(tmp_path: Path) -> None:
    plan = Plan(frames=2000)
    write_recording(tmp_path / "a.jsonl.gz", plan)
    packed = (tmp_path / "a.jsonl.gz").read_bytes()
    assert gzip.decompress(packed) == text_of(plan, tmp_path)
    write_recording(tmp_path / "b.jsonl.gz", plan)
    assert (tmp_path / "b.jsonl.gz").read_bytes() == packed


def test_it_is_written_just_as_the_dialect_writes(tmp_path: Path) -> None:
    plan = Plan(frames=3000, reconnects=1)
    rows = DIALECTS["btc15m"].parser().parse(text_of(plan, tmp_path))
    assert set(rows.sources) == {None}
    assert [payload.decode() for payload in rows.payloads if payload.startswith(b'{"type"')] == [
        event.frame for event in recording(plan) if event.frame is not None
    ]


@pytest.mark.parametrize("frames", [0, 1, 2, 5, 40])
def test_small_plans_are_cut_where_they_end(frames: int) -> None:
    plan = msgspec.structs.replace(PLAN, frames=frames)
    assert sum(event.frame is not None for event in recording(plan)) == frames


def test_one_market_is_enough() -> None:
    assert len(list(messages(list(recording(Plan(frames=2000, markets=1)))))) == 2000
