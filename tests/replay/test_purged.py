"""A tape without its own account's orders, as a tape: every record has its place, and both ways of reading agree."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from owner import MARKET, OwnerScript
from sample_tapes import SECOND

from capture.tape.reader import Tape
from core.messages import decode
from core.messages.types import BookDelta, BookSnapshot, Trade
from core.records import Kind, Record
from replay.backtest.run import perform
from replay.backtest.setup import Setup
from replay.futures import FalseFuture, Future
from replay.loading import specify
from replay.own_orders import own_orders
from replay.player import Player
from replay.purge import Block, Book
from replay.purged import Purged, purge_of, purged, reworded
from replay.report.building import look
from replay.report.sights import watch
from replay.truth import LIMITS, Trial, rehearsed


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    """An order that rests for a while, in segments of which most tell nothing of it."""
    script = OwnerScript()
    for turn in range(60):
        script.delta(MARKET, "yes", "0.3900", "1.00").trade(MARKET, "0.6000", "1.00")
        if turn == 20:
            script.ours("yes", "0.4000", "5.00").whole(ours=5)
        if turn == 40:
            script.ours("yes", "0.4000", "-5.00")
    return script.stop().tape(tmp_path_factory.mktemp("purged") / "tape", segment_records=40)


def test_only_what_is_told_of_us_is_told_otherwise_and_in_its_place(tape: Tape) -> None:
    without = purged(tape)
    assert isinstance(without, Purged)
    old, new = list(tape.records()), list(without.records())
    changed = [seq for seq, (one, other) in enumerate(zip(old, new, strict=True)) if one != other]
    assert changed == sorted(purge_of(without).edits)
    assert len(changed) == 3
    assert [msgspec.structs.replace(record, payload=b"") for record in old] == [
        msgspec.structs.replace(record, payload=b"") for record in new
    ]
    assert list(without.records(50, 60)) == new[50:61]
    assert b"client_order_id" not in b"".join(record.payload for record in new)


def test_tables_hold_the_same_records_and_only_those_with_changes_are_made_anew(tape: Tape) -> None:
    without = purged(tape)
    whole = list(without.tables(payloads=True))
    payloads = [payload for table in whole for payload in table.column("payload").to_pylist()]
    assert payloads == [record.payload for record in without.records()]
    same = [one.equals(other) for one, other in zip(tape.tables(), without.tables(), strict=True)]
    assert same.count(False) == 2
    assert {tuple(table.column_names) for table in without.tables(["type", "market"], 70)} == {("type", "market")}
    digests = []
    for path in ("bytes", "columns"):
        player = Player(without, path, checkpoint_records=0)
        player.advance()
        digests.append(player.state_digest())
    assert digests[0] == digests[1]


def test_a_false_future_of_it_is_it_up_to_its_place(tape: Tape) -> None:
    without = purged(tape)
    false = FalseFuture(without, 80, Future.CUT, 1)
    assert list(false.records()) == list(without.records(0, 80))


def test_checkpoints_of_the_tape_as_it_lies_are_none_of_it(tape: Tape) -> None:
    lies, without = Player(tape, "bytes", checkpoint_records=20), purged(tape)
    lies.advance()
    before = {path: path.read_bytes() for path in tape.path.rglob("*") if path.is_file()}
    assert Player(tape, "bytes", start="checkpoint").advance(until_seq=100) < 101
    player = Player(without, "bytes", start="checkpoint", checkpoint_records=10)
    assert player.advance(until_seq=100) == 101
    assert player.store.window(MARKET, 0).size_at(4_000, bids=True) == 1_000
    assert {path: path.read_bytes() for path in tape.path.rglob("*") if path.is_file()} == before


def frame(body: dict[str, Any]) -> Record:
    return Record(7, SECOND, 5, 1, int(Kind.FRAME), msgspec.json.encode(body))


def test_frames_of_every_notation_say_what_they_are_made_to_say() -> None:
    msg = {"market_ticker": MARKET, "price": 40, "delta": -5, "side": "yes", "client_order_id": "a", "subaccount": 0}
    delta = reworded(frame({"type": "orderbook_delta", "sid": 1, "seq": 4, "msg": msg}), -125)
    assert delta == msgspec.structs.replace(delta, seq=7, at_ns=SECOND, mono_ns=5, connection=1)
    message = decode(delta.payload)
    assert isinstance(message, BookDelta)
    assert (message.price, message.delta, message.client_order_id, message.seq) == (4_000, -125, "", 4)
    book = {"market_ticker": MARKET, "yes": [[40, 5]], "no": [[40, 5]]}
    found = decode(
        reworded(
            frame({"type": "orderbook_snapshot", "sid": 1, "seq": 5, "msg": book}), Book(((3_900, 200),), ())
        ).payload
    )
    assert isinstance(found, BookSnapshot)
    assert (found.yes, found.no) == (((3_900, 200),), ())
    trade = {
        "trade_id": "t", "market_ticker": MARKET, "yes_price_dollars": "0.4000", "count_fp": "1.00",
        "taker_side": "yes",
    }  # fmt: skip
    block = decode(reworded(frame({"type": "trade", "sid": 2, "msg": trade}), Block()).payload)
    assert isinstance(block, Trade)
    assert (block.is_block, block.count) == (True, 100)


def test_a_backtest_on_the_tape_of_a_live_run_says_whose_orders_it_took_out(tmp_path: Path) -> None:
    lived = rehearsed(5, 20 * SECOND, tmp_path / "tape", Trial("quick", params={"every_s": 5, "life_s": 4}))
    run = lived.manifest.chain, own_orders(lived).markets
    spec = specify("joiner", "replay.truth:Joiner", {"markets": tuple(sorted(run[1])), "every_s": 3})
    setup = Setup(tapes=(str(lived.path),), strategies=(spec,), limits=LIMITS)
    by_columns, by_bytes = (perform(setup, path=path) for path in ("columns", "bytes"))
    assert by_columns.manifest == by_bytes.manifest
    assert by_columns.totals["orders"] > 10
    told = by_columns.manifest["tapes"][0]
    assert told["digest"] == run[0]
    assert told["own_orders"] == purge_of(purged(lived)).summary()
    assert told["own_orders"]["orders"] > 10
    orders = told["own_orders"]["orders"]
    note = f"{orders} orders of the account that recorded {lived.path} are taken out of its book"
    assert note in by_columns.manifest["notes"]
    drawn = [(one.wanted, one.sight) for one in look(by_columns, [lived.path])]
    without, as_it_lies = (watch(seen, [wanted for wanted, _ in drawn]) for seen in (purged(lived), lived))
    assert [sight.books for _, sight in drawn if sight is not None] == [sight.books for sight in without]
    assert [sight.books for sight in without] != [sight.books for sight in as_it_lies]
    begins = f"the {told['own_orders']['orders']} orders that the recorded account had"
    assert any(words.startswith(begins) for words in by_columns.manifest["assumptions"])
