"""The state store on recordings, held against books and trades folded plainly from the same JSON; and its readers.

Readers are the strategies, here with their fallback when a market goes stale, and threads of a live deck.
"""

import json
import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from exchange_venue import MARKETS
from fixture_tapes import fixture_tape
from imported import GOLD, RECORDINGS, tape_of
from live import Live, live
from pair_stage import both, pair, reasons, resting, selected, told_by
from tapes import but_the_longest, needs_tapes

from core.changes import Change, Rejected
from core.health import is_stale
from core.messages import BookDelta, BookSnapshot, Trade
from core.records import Kind
from core.times import SECOND_NS
from replay import Player
from replay.player import PATHS

pytestmark = pytest.mark.integration

EACH = pytest.mark.parametrize("name", but_the_longest(sorted(RECORDINGS)))

WAYS = [
    (name, path)
    for name in sorted(RECORDINGS)
    for path in PATHS
    if path == "columns" or RECORDINGS[name].frames < 60_000
]
"""The large recordings are read by one path here; the paths are compared elsewhere."""

Plain = dict[str, dict[str, dict[int, int]]]


def units(text: str, scale: int) -> int:
    value = Decimal(text) * scale
    assert value == int(value)
    return int(value)


def apply_plainly(books: Plain, frame: dict[str, Any]) -> None:
    """What any reader of the exchange's documentation would do with a book frame; nothing else is touched."""
    msg = frame.get("msg", {})
    match frame["type"]:
        case "orderbook_snapshot":
            books[msg["market_ticker"]] = {
                side: {units(price, 10_000): units(size, 100) for price, size in msg.get(f"{side}_dollars_fp", ())}
                for side in ("yes", "no")
            }
        case "orderbook_delta" if msg["market_ticker"] in books:
            levels = books[msg["market_ticker"]][msg["side"]]
            price = units(msg["price_dollars"], 10_000)
            levels[price] = levels.get(price, 0) + units(msg["delta_fp"], 100)
            assert levels[price] >= 0, "no level of a real book is ever negative"
            if not levels[price]:
                del levels[price]


def frames_of_tape(name: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(seq, connection, frame) of every text frame, by the plain reader."""
    for record in tape_of(name).records():
        if record.kind == Kind.FRAME:
            yield record.seq, record.connection, json.loads(record.payload)


def check_books(name: str, path: str, stops: int) -> None:
    seed = random.randrange(1 << 32)
    tape = tape_of(name)
    wanted = set(random.Random(seed).sample(range(tape.head_seq + 1), min(stops, tape.head_seq + 1)))
    player, books = Player(tape, path), Plain()
    for seq, _, frame in frames_of_tape(name):
        apply_plainly(books, frame)
        if seq in wanted or frame["type"] == "orderbook_snapshot":
            player.advance(until_seq=seq)
            for market, sides in books.items():
                view = player.store.view(market)
                assert (dict(view.yes), dict(view.no)) == (sides["yes"], sides["no"]), f"record {seq}, seed {seed}"
                assert list(view.yes) == sorted(view.yes)
                assert list(view.no) == sorted(view.no)


@needs_tapes
@pytest.mark.parametrize(("name", "path"), but_the_longest(WAYS))
def test_books_are_those_of_a_plain_reader(name: str, path: str) -> None:
    check_books(name, path, 300)


@needs_tapes
@EACH
def test_nothing_is_rejected_but_what_comes_before_the_first_snapshot(name: str) -> None:
    met: set[str] = set()
    for record, step in Player(tape_of(name), "columns").play():
        market = getattr(step.message, "market", "")
        if isinstance(step.change, Rejected):
            assert step.change is Rejected.NO_SNAPSHOT, f"record {record.seq}: {step.change}"
            assert market not in met
        elif isinstance(step.change, Change) and not isinstance(step.message, BookDelta):
            met.add(market)


@needs_tapes
@pytest.mark.parametrize(("name", "share"), [("btc15m/short-30s", 0.004), ("btc15m/outage-22s", 0.258)])
def test_prices_off_the_cent_keep_levels_of_their_own(name: str, share: float) -> None:
    off_cent = total = 0
    for _, message in Player(tape_of(name), "columns").messages():
        if isinstance(message, BookDelta):
            total += 1
            off_cent += message.price % 100 != 0
    assert off_cent / total == pytest.approx(share, abs=0.001)
    player = Player(tape_of(name), "columns")
    player.advance(until_seq=tape_of(name).head_seq // 2)
    prices = [price for market in player.store.markets() for price, _ in player.store.view(market).yes]
    assert any(price % 100 for price in prices)


@needs_tapes
@pytest.mark.parametrize("name", but_the_longest(GOLD))
def test_every_trade_pairs_with_its_deltas(name: str) -> None:
    """Deltas of the same instant at the complementary price, on the side opposite the taker, cover its count."""
    taken: dict[tuple[str, int, str, int], int] = defaultdict(int)
    trades: dict[tuple[str, int, str, int], int] = defaultdict(int)
    for _, message in Player(tape_of(name), "columns").messages():
        if isinstance(message, BookDelta) and message.delta < 0:
            taken[message.market, message.exchange_ns // 1_000_000, message.side, message.price] -= message.delta
        elif isinstance(message, Trade):
            side = "no" if message.taker == "yes" else "yes"
            price = message.price if side == "yes" else 10_000 - message.price
            trades[message.market, message.exchange_ns // 1_000_000, side, price] += message.count
    first_ms = min((key[1] for key in taken), default=0)
    uncovered = {key: count for key, count in trades.items() if count > taken[key] and key[1] > first_ms}
    assert trades
    assert uncovered == {}


@needs_tapes
@pytest.mark.parametrize(("name", "path"), but_the_longest(way for way in WAYS if way[0] in GOLD))
def test_last_trade_volume_and_rings_agree_with_the_trades(name: str, path: str) -> None:
    volume: dict[str, int] = defaultdict(int)
    seen: dict[str, list[str]] = defaultdict(list)
    player = Player(tape_of(name), path)
    for _, step in player.play():
        if isinstance(step.message, Trade):
            market = step.message.market
            volume[market] += step.message.count
            seen[market].append(step.message.trade_id)
            if len(seen[market]) % 50 == 0:
                view = player.store.view(market)
                assert view.last_trade is not None
                assert view.last_trade.trade_id == seen[market][-1]
                assert view.traded_size == volume[market]
                ring = [trade.trade_id for trade in view.trades]
                assert ring == seen[market][-len(ring) :]
    assert volume
    for market, size in volume.items():
        view = player.store.view(market)
        assert view.traded_size == size
        assert [trade.trade_id for trade in view.trades] == seen[market][-len(view.trades) :]


@needs_tapes
@pytest.mark.parametrize("name", but_the_longest(GOLD))
def test_the_best_prices_ring_is_the_books_history(name: str) -> None:
    player = Player(tape_of(name), "columns")
    history: list[tuple[int, int | None, int | None]] = []
    for _, step in player.play():
        if isinstance(step.change, Change):
            view = player.store.view(step.change.market)
            best = view.yes_bid[0] if view.yes_bid else None, view.yes_ask[0] if view.yes_ask else None
            if view.prices and (not history or history[-1][1:] != best):
                history.append((step.now_ns, *best))
        if len(history) > 400:
            break
    ring = [(point.yes_bid, point.yes_ask) for point in view.prices]
    assert ring == [best[1:] for best in history][-len(ring) :]


@needs_tapes
def test_trust_is_lost_in_the_outage_and_comes_back_with_each_snapshot() -> None:
    player = Player(tape_of("btc15m/outage-22s"), "columns")
    told = []
    for _, step in player.play():
        if step.gaps or isinstance(step.message, BookSnapshot):
            markets = player.store.markets()
            told.append([f"{market[-2:]} {player.store.view(market).trusted}" for market in markets])
    lost, kept = ["45 False"], ["45 True"]
    assert told == [kept, lost, kept, kept, lost, ["45 False", "00 True"]]


@needs_tapes
@pytest.mark.parametrize("name", but_the_longest(GOLD))
def test_a_closed_market_ends_empty_and_trusted(name: str) -> None:
    """At its close the exchange sends a snapshot without either side, which empties the book."""
    player = Player(tape_of(name), "columns")
    player.advance()
    (market,) = player.store.markets()
    view = player.store.view(market)
    assert (view.yes, view.no, view.trusted) == ((), (), True)


# ------------------------------------------------------------------ without the real recordings: sessions of our own


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["imported-1", "sandbox-1", "hot-1"])
def test_messages_of_a_recorded_session_make_the_books_and_trades_of_a_plain_reader(
    name: str, path: str, tmp_path: Path
) -> None:
    player, books, traded = Player(fixture_tape(name, tmp_path), path), Plain(), defaultdict[str, int](int)
    frames = [r for r in fixture_tape(name, tmp_path / "again").records() if r.kind == Kind.FRAME]
    for number, record in enumerate(frames):
        frame = json.loads(record.payload)
        apply_plainly(books, frame)
        if frame["type"] == "trade":
            traded[frame["msg"]["market_ticker"]] += units(frame["msg"]["count_fp"], 100)
        if number % 50 == 0 or record is frames[-1]:
            player.advance(until_seq=record.seq)
            for market, sides in books.items():
                view = player.store.view(market)
                assert (dict(view.yes), dict(view.no)) == (sides["yes"], sides["no"]), f"record {record.seq}"
                assert view.traded_size == traded[market]
    assert books and traded


# ------------------------------------------------------------------ who reads it


def test_scanner_and_market_maker_read_what_the_store_holds_and_cannot_write_to_it() -> None:
    stage = both(pair())
    store = stage.desks.engine.store
    for _ in range(5):
        stage.wait(1)
        for quote in stage.run.strategy("scan").quotes(stage.now_ns):
            view, window = store.view(quote.market), stage.window(quote.market)
            best = view.yes_bid and view.yes_bid[0], view.yes_ask and view.yes_ask[0]
            assert (quote.bid, quote.ask) == best == (window.bid, window.ask)
            assert window.freeze() == view
        for market in resting(stage):
            assert reasons(stage)[market] == "" and store.view(market).trusted
    held = store.view(selected(stage)[0])
    with pytest.raises(AttributeError):
        stage.window(held.market).bid = 1
    with pytest.raises(AttributeError):
        held.trusted = False  # type: ignore[misc]  # that is the point
    stage.wait(5)
    assert held != store.view(held.market)


def test_a_stale_market_is_known_as_such_the_scanner_turns_to_rest_and_the_maker_stops_when_rest_is_mute_too() -> None:
    chosen = selected(both(pair()))
    stage = both(pair({"stale_s": "5", "rest_every_s": "2"}, {"stale_s": "8", "markets": chosen}))
    quiet, *others = chosen
    stage.muted[quiet] = None
    stage.wait(10)
    views = {market: stage.desks.engine.store.view(market) for market in (quiet, *others)}
    assert [market for market, view in views.items() if is_stale(view, stage.now_ns, 5 * SECOND_NS)] == [quiet]
    assert views[quiet].trusted, "nothing of it is known to be missing"
    assert [market for market, source in told_by(stage).items() if source == "rest"] == [quiet]
    assert reasons(stage)[quiet] == "", "REST shows the same book"
    stage.down = True
    stage.wait(12)
    assert reasons(stage)[quiet] == "stale"
    stage.down = False
    stage.muted.clear()
    stage.until(lambda: told_by(stage).get(quiet) == "ws", "the socket's figures")
    stage.until(lambda: reasons(stage)[quiet] != "stale", "the socket's book")


def test_many_readers_see_whole_books_only_while_frames_are_written(tmp_path: Path) -> None:
    """The exchange tells a change by its clock, so that a book that is half written shows."""
    wrong, seen, done = list[str](), set[int](), threading.Event()
    market = MARKETS[0]

    def read(found: Live) -> None:
        newest = 0
        while not done.is_set():
            view = found.deck.view(market)
            if view.yes != ((4_200, 1_000 + 100 * view.clock),) or view.clock < newest or not view.trusted:
                wrong.append(repr(view))
            newest = view.clock
            seen.add(view.clock)

    with live(tmp_path) as found:
        readers = [threading.Thread(target=read, args=(found,)) for _ in range(4)]
        for reader in readers:
            reader.start()
        for _ in range(15):
            found.say("delta", market, 100)
        found.wait_right()
        done.set()
        for reader in readers:
            reader.join()
    assert wrong == [] and len(seen) > 3
