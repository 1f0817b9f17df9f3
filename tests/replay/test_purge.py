"""Own orders taken out of a tape's book: held against what everybody else truly had, and rule by rule."""

from pathlib import Path
from typing import Any

import pytest
from owner import MARKET, OwnerScript
from sample_tapes import SECOND, Script
from wild import wild

from capture.tape.reader import Tape
from core.actions import RunTerms
from core.messages.types import BookDelta, BookSnapshot, Trade
from core.times import SECOND_NS
from replay.loading import specify
from replay.player import Player
from replay.purge import Purge, find
from replay.purged import purge_of, purged
from replay.rehearsal import Rehearsal, Ways
from replay.truth import LIMITS

Ladders = tuple[dict[int, int], dict[int, int]]
RECONNECTS = (10, 25, 40)


def others(run: Rehearsal, market: str) -> Ladders:
    """What everybody else truly has in a market now, by price: the yes ladder and the no ladder."""
    reads = run.venue.engine.reads
    book = reads.book(market)
    yes, no = dict(book.yes), dict(book.no)
    for order in reads.resting("trader", market):
        ladder = yes if order.book_side.value == "bid" else no
        ladder[order.own_price] -= order.remaining
    return {p: size for p, size in yes.items() if size}, {p: size for p, size in no.items() if size}


class Lived:
    """A Market Maker and a Joiner on one account, and what others had after each of some records."""

    def __init__(self, path: Path) -> None:
        run = Rehearsal(3, rate=60, ways=Ways(feed_ns=0))
        maker = {"markets": run.markets, "half_spread": 20, "edge": 0, "size": 1_000, "tolerance": 0}
        specs = (
            specify("maker", "strategies.market_maker:MarketMaker", maker),
            specify("joiner", "replay.truth:Joiner", {"markets": run.markets, "every_s": 14, "life_s": 13}),
        )
        run.begin(RunTerms(specs, LIMITS))
        self.others: dict[int, dict[str, Ladders]] = {}
        self.resting = 0
        for number in range(60):
            run.run(2 * SECOND_NS)
            if number in RECONNECTS:
                run.reconnect(3 * SECOND_NS)
                run.run(SECOND_NS)
            self.others[len(run.records) - 1] = {market: others(run, market) for market in run.markets}
            self.resting += len(run.venue.engine.reads.resting("trader"))
        self.tape = run.tape(path)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return Lived(tmp_path_factory.mktemp("purge") / "tape")


def books(player: Player, markets: Any) -> dict[str, Ladders]:
    states = player.store.states()
    return {
        market: (dict(states[market].book.yes.levels()), dict(states[market].book.no.levels())) for market in markets
    }


@pytest.mark.parametrize("path", ["bytes", "columns"])
def test_what_is_left_is_what_everybody_else_had(lived: Lived, path: str) -> None:
    player = Player(purged(lived.tape), path, checkpoint_records=0)
    assert lived.resting > 100
    for seq, others in lived.others.items():
        player.advance(until_seq=seq)
        assert books(player, others) == others
    assert player.engine.counts.rejected == {}
    found = find(lived.tape)
    assert found.orders > 40
    assert found.snapshots >= len(RECONNECTS)
    assert found.changes > 500
    assert (found.trades, found.taken, found.missed, found.excess) == (0, 0, 0, 0)


# ------------------------------------------------------------------ rule by rule


def left(script: Script, path: Path) -> tuple[list[Any], Purge]:
    """What remains at 0.40 after each change of the book, by both paths; and what was done."""
    tape = script.tape(path)
    found = []
    for way in ("bytes", "columns"):
        player = Player(purged(tape), way, checkpoint_records=0)
        found.append(
            [
                player.store.window(MARKET, 0).size_at(4_000, bids=True)
                for _, step in player.play()
                if isinstance(step.message, BookDelta | BookSnapshot)
            ]
        )
        assert player.engine.counts.rejected == {}
    assert found[0] == found[1]
    return found[0], purge_of(purged(tape))


def test_orders_come_are_filled_and_go_and_the_book_without_them_stands_still(tmp_path: Path) -> None:
    script = OwnerScript().ours("yes", "0.4000", "5.00").order("resting", "5.00")
    script.same().delta(MARKET, "yes", "0.4000", "-2.00").trade(MARKET, "0.4000", "2.00", taker="no").filled("2.00")
    script.same().filled("1.00").delta(MARKET, "yes", "0.4000", "-1.00")
    script.delta(MARKET, "yes", "0.4000", "-3.00")  # somebody else
    script.ours("yes", "0.4000", "-2.00").order("canceled", "0.00", "3.00")
    sizes, found = left(script, tmp_path / "tape")
    assert sizes == [1_000, 1_000, 1_000, 1_000, 700, 700]
    assert found.summary() == {**dict.fromkeys(found.summary(), 0), "orders": 1, "changes": 4}
    trades = [step.message for _, step in Player(purged(Tape.open(tmp_path / "tape"))).play()]
    assert [trade.is_block for trade in trades if isinstance(trade, Trade)] == [False]


def test_somebody_who_cancels_as_much_just_before_a_fill_is_not_taken_for_it(tmp_path: Path) -> None:
    script = OwnerScript().ours("yes", "0.4000", "5.00").delta(MARKET, "yes", "0.4000", "-2.00").wait(SECOND // 5)
    script.same().delta(MARKET, "yes", "0.4000", "-2.00").filled("2.00").wait(SECOND // 5)
    script.same().wait(2_000_000).delta(MARKET, "yes", "0.4000", "-1.00").filled("1.00")  # told for 2 ms earlier
    sizes, found = left(script, tmp_path / "tape")
    assert sizes == [1_000, 1_000, 800, 800, 800]
    assert found.excess == 0


def test_an_order_that_ends_by_itself_is_told_by_its_order_frame(tmp_path: Path) -> None:
    script = OwnerScript().ours("yes", "0.4000", "5.00").delta(MARKET, "yes", "0.4000", "-5.00").wait(SECOND)
    script.same().delta(MARKET, "yes", "0.4000", "-5.00").order("canceled", "0.00")
    assert left(script, tmp_path / "tape")[0] == [1_000, 1_000, 500, 500]


def test_what_our_orders_take_stays_gone_and_its_trades_are_nobodys_demand(tmp_path: Path) -> None:
    script = OwnerScript().same().ours("no", "0.4000", "-3.00").trade(MARKET, "0.6000", "3.00")
    script.filled("3.00", price="0.6000", taker=True, trade=f"trade-{len(script.records) - 1}")
    sizes, found = left(script, tmp_path / "tape")
    assert sizes == [1_000, 1_000]
    assert (found.taken, found.trades, found.changes) == (300, 1, 1)
    player = Player(purged(Tape.open(tmp_path / "tape")))
    trades = [step.message for _, step in player.play() if isinstance(step.message, Trade)]
    assert [(trade.count, trade.is_block) for trade in trades] == [(300, True)]
    assert player.store.window(MARKET, 0).size_at(6_000, bids=False) == 400


@pytest.mark.parametrize("yes_price", [False, True])
def test_an_offer_of_ours_is_taken_out_on_whichever_scale_it_is_told(tmp_path: Path, yes_price: bool) -> None:
    script = OwnerScript(yes_price=yes_price).ours("no", "0.6000" if yes_price else "0.4000", "5.00").whole()
    tape = script.tape(tmp_path / "tape")
    player = Player(purged(tape), checkpoint_records=0)
    sizes = [
        player.store.window(MARKET, 0).size_at(6_000, bids=False)
        for _, step in player.play()
        if isinstance(step.message, BookDelta | BookSnapshot)
    ]
    assert sizes == [700, 700, 200], "the second snapshot holds both"


def test_an_order_that_rested_before_the_tape_is_in_its_snapshots(tmp_path: Path) -> None:
    listed = {
        "order_id": "id of a", "client_order_id": "a", "ticker": MARKET, "status": "resting", "outcome_side": "yes",
        "side": "yes", "yes_price_dollars": "0.4000", "initial_count_fp": "5.00", "fill_count_fp": "0.00",
        "remaining_count_fp": "5.00", "created_time": "2026-08-10T01:00:00Z",
    }  # fmt: skip
    script = OwnerScript(ours=5)
    script.called("GET", "/portfolio/orders?status=resting", 200, {"orders": [listed], "cursor": ""})
    script.skip().delta(MARKET, "yes", "0.3900", "1.00").whole(ours=5).ours("yes", "0.4000", "-5.00")
    sizes, found = left(script, tmp_path / "tape")
    assert sizes == [1_000, 1_000, 1_000, 1_000]
    assert (found.snapshots, found.missed, found.excess) == (2, 0, 0)


def test_what_is_told_of_by_changes_of_the_book_alone_is_put_right_at_the_orders_end(tmp_path: Path) -> None:
    script = (
        OwnerScript().ours("yes", "0.4000", "5.00").delta(MARKET, "yes", "0.4000", "-2.00")
    )  # a fill that nobody tells of
    script.order("canceled", "0.00", "2.00").ours("yes", "0.4000", "-3.00").wait(2 * SECOND)
    sizes, found = left(script.delta(MARKET, "yes", "0.4000", "1.00"), tmp_path / "tape")
    assert sizes == [1_000, 1_000, 800, 800, 1_100]
    assert found.missed == 200


def test_more_than_there_is_cannot_be_ours(tmp_path: Path) -> None:
    script = OwnerScript().ours("yes", "0.4000", "5.00").delta(MARKET, "yes", "0.4000", "-12.00")
    sizes, found = left(script, tmp_path / "tape")
    assert sizes == [1_000, 1_000, 0]
    assert found.excess == 200
    assert "2.00 contracts of the recorded account were told of where the book held fewer" in found.sentences()


def test_a_tape_without_own_orders_is_the_very_same(tmp_path: Path) -> None:
    tape = wild(3).tape(tmp_path / "tape")
    assert purged(tape) is tape
    assert find(tape).sentences() == ["a tape that tells of no orders of its account is taken to have none in its book"]
