"""A live run in virtual time: the same from the same seed, and one that its own tape tells again."""

from pathlib import Path

import pytest

from core.actions import RunTerms
from core.gaps import RECONNECT
from core.records import Kind
from core.state import DecisionDigest
from core.times import SECOND_NS
from replay.hosted import Hosted
from replay.loading import specify
from replay.player import Player
from replay.rehearsal import Rehearsal, Ways
from replay.truth import LIMITS, Trial, rehearsed

QUICK = Trial("quick", params={"every_s": 3, "life_s": 2})
MAKER = "strategies.market_maker:MarketMaker"


def test_the_same_seed_gives_the_same_tape(tmp_path: Path) -> None:
    one, other, another = (
        list(
            rehearsed(
                seed, 10 * SECOND_NS, tmp_path / name, Trial("quick", params={"every_s": 3, "life_s": 2})
            ).records()
        )
        for seed, name in ((2, "one"), (2, "other"), (3, "another"))
    )
    assert one == other
    assert one != another


@pytest.mark.parametrize("path", ["bytes", "columns"])
def test_a_rehearsal_is_a_live_run_whose_decisions_are_made_again_from_its_tape(tmp_path: Path, path: str) -> None:
    run = Rehearsal(4, ways=Ways(feed_ns=3_000_000))
    spec = specify("maker", MAKER, {"markets": run.markets, "half_spread": 50, "edge": 0})
    run.begin(RunTerms((spec,), LIMITS))
    run.run(20 * SECOND_NS)
    recorded = [record.payload for record in run.records if record.kind == Kind.DECISION]
    hosted = Hosted(run.tape(tmp_path / "tape"), path)
    for _ in hosted.run():
        pass
    assert hosted.decisions == len(recorded) > 20
    assert hosted.digest.hexdigest() == _digest(recorded)
    assert [record.kind for record in run.records].count(Kind.OUTCOME) > 10


def _digest(payloads: list[bytes]) -> str:
    digest = DecisionDigest()
    for payload in payloads:
        digest.add(payload)
    return digest.hexdigest()


def test_a_lost_connection_is_a_gap_and_the_books_come_back_whole(tmp_path: Path) -> None:
    run = Rehearsal(1, ways=Ways(feed_ns=0))
    run.begin(RunTerms())
    run.run(2 * SECOND_NS)
    run.reconnect(2 * SECOND_NS)
    run.run(2 * SECOND_NS)
    player = Player(run.tape(tmp_path / "tape"), checkpoint_records=0)
    gaps = [gap.reason for _, step in player.play() for gap in step.gaps]
    assert RECONNECT in gaps
    assert player.engine.counts.rejected == {}
    for market in run.markets:
        book, truth = player.store.states()[market].book, run.venue.engine.reads.book(market)
        assert (dict(book.yes.levels()), dict(book.no.levels())) == (dict(truth.yes), dict(truth.no))


def test_an_order_is_answered_as_the_exchange_answered_it_and_no_sooner() -> None:
    ways = Ways(feed_ns=1_000_000, order_ns=7_000_000, answer_ns=9_000_000, sigma=0.0)
    run = Rehearsal(1, ways=ways)
    run.begin(RunTerms((specify("joiner", "replay.truth:Joiner", {"markets": run.markets, "every_s": 2}),), LIMITS))
    run.run(5 * SECOND_NS // 2)
    placed = [record for record in run.records if record.kind == Kind.DECISION and b'"do":"place"' in record.payload]
    answered = [record for record in run.records if record.kind == Kind.OUTCOME]
    assert len(placed) > 3
    assert {record.at_ns + 16_000_000 for record in placed} == {record.at_ns for record in answered}
    assert all(b'"took_ns":16000000' in r.payload for r in run.records if b"/portfolio/events/orders" in r.payload)
