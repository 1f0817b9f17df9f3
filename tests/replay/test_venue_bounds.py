"""What must hold of every backtest, whatever the tape and the strategy: held against counts made here, of the tape."""

import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from bounds import within
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_tapes import MILLI, Script, make_tape
from seers import Cast, Trader, play, spec
from venues import LIMITS, Deed, ask, backtest, bid
from wild import MARKETS, wild

from capture.tape.reader import Tape
from core.actions import BookSide
from core.money import DOLLAR
from replay.hosted import Hosted
from replay.player import Player
from replay.venue import told
from replay.venue.terms import QUEUES, Latency, VenueTerms

SEEDS = st.integers(0, 2**32)
DEEDS = ("place", "place", "place", "amend", "cancel")
EXAMPLES = settings(max_examples=5, deadline=None)


def terms_of(dice: random.Random, queue: str = "") -> VenueTerms:
    spans = [dice.choice((1, 3 * MILLI, 40 * MILLI)) for _ in range(2)]
    return VenueTerms(
        queue or dice.choice(QUEUES),
        Latency(0, spans[0], spans[1]),
        cash=10**9,
        fees="quadratic:1",
        ticks="linear_cent",
    )


def side_of(dice: random.Random) -> Callable[..., Deed]:
    return bid if dice.randrange(2) else ask


def with_bids(script: Script, dice: random.Random) -> Script:
    """The wild recordings' trades are all of buyers; here every other one is of a seller."""
    records = []
    for record in script.records:
        if b'"taker_side":"yes"' in record.payload and dice.randrange(2):
            payload = record.payload.replace(b'"taker_side":"yes"', b'"taker_side":"no"')
            record = msgspec.structs.replace(record, payload=payload)
        records.append(record)
    script.records = records
    return script


def happened(tape: Tape, terms: VenueTerms, seed: int, **around: Any) -> tuple[list[told.Happening], Any]:
    heard: list[told.Happening] = []
    cast = (spec("seer", Trader, seed=seed, every=2, deeds=DEEDS),)
    played = play(tape, "bytes", cast, venue=terms, seed=seed, run_terms=LIMITS, listener=heard.append, **around)
    return heard, played


@given(SEEDS)
@EXAMPLES
def test_money_adds_up_and_no_fill_is_better_than_the_tape(seed: int) -> None:
    dice = random.Random(seed)
    script, terms = with_bids(wild(seed, 60), dice), terms_of(dice)
    heard: list[told.Happening] = []
    with tempfile.TemporaryDirectory() as path:
        tape = script.tape(Path(path) / "tape")
        cast = (spec("seer", Trader, seed=seed, every=2, deeds=DEEDS),)
        hosted = Hosted(
            tape, "bytes", cast, load=Cast().load, venue=terms, seed=seed, run_terms=LIMITS, listener=heard.append
        )
        venue, at = hosted.venue, 0
        assert venue is not None
        cash, held = terms.cash, Counter[str]()
        for _ in hosted.play():
            for happening in heard[at:]:
                cash += _moved(happening, held)
            at = len(heard)
            assert venue.cash == cash
            assert {m: position for m, (position, _) in venue.positions().items() if position} == {
                m: count for m, count in held.items() if count
            }
        within(tape, heard)


def _moved(happening: told.Happening, held: Counter[str]) -> int:
    """What a happening brings in, counted contract by contract: what is sold to close brings a dollar less the other
    side's price."""
    if isinstance(happening, told.Settled):
        held[happening.market] = 0
        return happening.money
    if not isinstance(happening, told.Filled):
        return 0
    signed = happening.count if happening.side is BookSide.BID else -happening.count
    before = held[happening.market]
    held[happening.market] += signed
    # a yes contract is worth its price, a no contract the rest: money = - change of yes * price - no contracts' dollars
    dollars = (max(-held[happening.market], 0) - max(-before, 0)) * DOLLAR
    return -signed * happening.price - dollars - happening.fee


@given(SEEDS)
@EXAMPLES
def test_no_more_is_taken_than_was_offered_within_the_limit(seed: int) -> None:
    """Takers only: of one record's book never more than it holds."""
    dice = random.Random(seed)
    script, terms = wild(seed, 40), terms_of(dice)
    prices = [100 * dice.randrange(35, 65) for _ in range(12)]
    deeds = {
        50 + 200 * n: side_of(dice)(price, dice.choice((100, 900, 3_000)), ioc=True, market=MARKETS[n % 3])
        for n, price in enumerate(prices)
    }  # fmt: skip
    found = backtest(script, deeds, terms)
    limits = {h.client_order_id: h.price for h in found.of(told.Arrived)}
    taken = Counter[tuple[int, str, BookSide, int]]()
    with tempfile.TemporaryDirectory() as path:
        player = Player(script.tape(Path(path) / "tape"))
        for fill in found.of(told.Filled):
            assert fill.is_taker
            limit = limits[fill.client_order_id]
            assert fill.price <= limit if fill.side is BookSide.BID else fill.price >= limit
            player.advance(until_seq=fill.seq)
            window = player.store.window(fill.market, player.now_ns)
            assert window.is_trusted
            key = fill.seq, fill.market, fill.side, fill.price
            taken[key] += fill.count
            assert taken[key] <= window.size_at(fill.price, bids=fill.side is BookSide.ASK)


@given(SEEDS)
@EXAMPLES
def test_the_pessimist_never_has_more_filled_than_the_optimist(seed: int) -> None:
    dice = random.Random(seed)
    script = with_bids(wild(seed, 60), dice)
    deeds = {
        50 + 150 * n: side_of(dice)(100 * dice.randrange(38, 52), 400, market=dice.choice(MARKETS))
        for n in range(15)
    }  # fmt: skip
    filled = []
    for queue in QUEUES:
        found = backtest(script, deeds, terms_of(random.Random(seed), queue))
        fills = Counter[str]()
        for fill in found.of(told.Filled):
            fills[fill.client_order_id] += fill.count
        filled.append(fills.total())
    assert filled[QUEUES.index("pessimistic@1")] == min(filled)
    assert filled[QUEUES.index("optimistic@1")] == max(filled)


@given(SEEDS)
@EXAMPLES
def test_what_comes_later_changes_nothing_before(seed: int) -> None:
    dice = random.Random(seed)
    script, terms = with_bids(wild(seed, 40), dice), terms_of(dice)
    place = dice.randrange(len(script.records) // 2, len(script.records))
    with tempfile.TemporaryDirectory() as path:
        whole = script.tape(Path(path) / "whole")
        cut = make_tape(Path(path) / "cut", script.records[: place + 1])
        heard: list[list[Any]] = [[], []]
        for tape, into in zip((whole, cut), heard, strict=True):
            cast = (spec("seer", Trader, seed=seed, every=2, deeds=DEEDS),)
            hosted = Hosted(
                tape, "columns", cast, load=Cast().load, venue=terms, seed=seed, run_terms=LIMITS, listener=into.append
            )
            into += [decision for _, _, reaction in hosted.play(place) for decision in reaction.decisions]
    count = len(heard[0])
    assert heard[0] == heard[1][:count]
    assert all(h.at_ns <= script.records[place].at_ns for h in heard[1][count:] if isinstance(h, told.Filled))


_PROGRAM = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {root!r}]
from hashlib import sha256
from test_venue_bounds import happened, terms_of, with_bids
from wild import wild
import random
from capture.tape.reader import Tape
heard, played = happened(Tape.open(Path({tape!r})), terms_of(random.Random(5)), 5)
print(len(heard), sha256(repr(heard).encode()).hexdigest(), played.decision_digest)
"""


def test_another_hash_seed_and_another_process_change_nothing(tmp_path: Path) -> None:
    tape = with_bids(wild(5, 60), random.Random(5)).tape(tmp_path / "tape")
    tests = Path(__file__).resolve().parents[1]
    program = _PROGRAM.format(tests=str(tests), root=str(tests.parent), tape=str(tape.path))
    program = program.replace("sys.path[:0] = [", f"sys.path[:0] = [{str(tests / 'replay')!r}, ")
    said = [
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=True,
        ).stdout
        for seed in ("1", "77")
    ]  # fmt: skip
    assert said[0] == said[1]
    assert int(said[0].split()[0]) > 5
