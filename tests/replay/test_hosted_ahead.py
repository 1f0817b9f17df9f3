"""The machine ahead of strategies: `Hosted.run` decides and leaves what `Hosted.play` does record by record."""

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lived import LiveRun
from lived import _outcome as outcome_of
from sample_tapes import MILLI, SECOND, START_NS, Script, make_tape
from seers import (
    DEEDS,
    KINDS,
    Cast,
    Choosy,
    ChoosyEveryone,
    Everyone,
    Seer,
    SeerParams,
    Trader,
    compare,
    needs_numba,
    play,
    ran,
    spec,
)
from ways_played import counted
from wild import MARKETS, busy, wild

from core.actions import Cancel, Decision, Done, Outcome, StrategySpec
from core.ahead import Ahead
from core.cells import NEVER
from core.context import Context
from core.copies import machine
from core.records import Kind, StoredGap, encode_payload
from core.strategy import Strategy
from core.window import Window
from replay import open_tape
from replay.hosted import Hosted
from replay.importer import import_recording
from replay.pace import CELLS_A_STOP, SINGLES
from replay.parity import judge
from replay.synthetic import Plan, write_recording

pytestmark = needs_numba

RUN: Path = Path(__file__).resolve().parents[2] / "data" / "fixtures" / "run-1" / "tape"
DAY_NS = 86_400 * SECOND
SEEDS = st.integers(0, 2**32)
EXAMPLES = settings(max_examples=25, deadline=None)


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    machine(is_compiled=True)


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def _given(strategy: Strategy, _spec: StrategySpec) -> Strategy:
    return strategy


def cast_of(dice: random.Random) -> tuple[StrategySpec, ...]:
    """One strategy or two, of any kind."""
    kinds = [KINDS[dice.choice(sorted(KINDS))] for _ in range(dice.choice((1, 1, 2)))]
    return tuple(
        spec(
            f"seer-{number}", kind, seed=dice.randrange(2**32), every=dice.choice((0, 1, 4, 15, 40)),
            fails=dice.randrange(3) == 0,
        )
        for number, kind in enumerate(kinds)
    )  # fmt: skip


# ------------------------------------------------------------------ anything, on any tape


@given(SEEDS)
@EXAMPLES
def test_a_what_if_decides_and_sees_the_same_with_the_machine_ahead(seed: int) -> None:
    dice = random.Random(seed)
    script = wild(seed, dice.choice((20, 60)), sessions=dice.choice((1, 1, 2)))
    casts = cast_of(dice)
    with tempfile.TemporaryDirectory() as path:
        tape = script.tape(Path(path) / "tape", segment_records=dice.choice((40, 1_000_000)))
        expected = play(tape, "bytes", casts)
        compare(expected, play(tape, "columns", casts))
        compare(
            expected,
            ran(
                tape,
                casts,
                least=dice.choice((1, 2, 8, 512)),
                singles=dice.choice((1, 3, 20)),
                cells=dice.choice((1, 64, NEVER)),
            ),
        )


@given(SEEDS)
@EXAMPLES
def test_what_a_run_left_on_tape_is_decided_again_wherever_it_stops(seed: int) -> None:
    """Orders that are taken, refused or lost, so that cancels are asked for again; midnight in the middle of some."""
    dice = random.Random(seed)
    start_ns = (START_NS // DAY_NS + 1) * DAY_NS - dice.randrange(1, 9) * SECOND if dice.randrange(2) else START_NS
    script = wild(seed, dice.choice((20, 60)), sessions=dice.choice((1, 1, 2)), start_ns=start_ns)
    live = LiveRun(*cast_of(dice), burst=dice.choice((1, 4, 9)), load=Cast().load, outcome=by_dice(dice)).live(script)
    with tempfile.TemporaryDirectory() as path:
        tape = make_tape(Path(path) / "tape", live.records, segment_records=dice.choice((60, 1_000_000)))
        expected = play(tape, "bytes")
        recorded = [record.payload for record in live.records if record.kind == Kind.DECISION]
        assert [encode_payload(decision) for _, decision in expected.decided] == recorded
        compare(expected, play(tape, "columns"))
        stops = tuple(sorted(dice.sample(range(len(live.records)), 4)))
        compare(
            expected,
            ran(
                tape,
                stops=stops,
                least=dice.choice((1, 2, 8, 512)),
                singles=dice.choice((1, 3, 20)),
                cells=dice.choice((1, 64, NEVER)),
            ),
        )
        ends = tuple(sorted(record.at_ns + dice.randrange(2) for record in dice.sample(live.records, 4)))
        compare(
            expected,
            ran(
                tape,
                ends=ends,
                least=dice.choice((1, 2, 8, 512)),
                singles=dice.choice((1, 3, 20)),
                cells=dice.choice((1, 64, NEVER)),
            ),
        )


def by_dice(dice: random.Random) -> Callable[[Decision], Outcome | None]:
    """What became of a decision: mostly it was done, else it was refused or lost."""

    def outcome(decision: Decision) -> Outcome | None:
        found, throw = outcome_of(decision), dice.randrange(5)
        if found is None or throw > 1:
            return found
        return Outcome(decision.number, Done.REFUSED if throw else Done.FAILED, 400 if throw else 0)

    return outcome


# ------------------------------------------------------------------ every way of playing


def test_every_way_of_playing_is_gone(place: Path) -> None:
    tape = busy(300).tape(place / "tape")
    casts = (spec("a", Trader, seed=5, every=9),)
    expected = play(tape, "columns", casts)
    with counted() as counts:
        compare(expected, ran(tape, casts, least=16, singles=4))
    assert min(counts[name] for name in ("ahead", "rewound", "singly", "due")) > 3, counts


def test_whoever_only_looks_at_the_best_prices_is_never_in_the_way(place: Path) -> None:
    tape = busy(300).tape(place / "tape")
    casts = (spec("a", Trader, every=0), spec("b", Everyone, every=0))
    with counted() as counts:
        found = ran(tape, casts, least=512)
    compare(play(tape, "bytes", casts), found)
    assert len(found.seen[0]) > 300
    assert (counts["rewound"], counts["singly"]) == (0, 0), "timers alone are due"


def test_what_is_met_for_the_first_time_does_not_have_all_that_follows_told_singly(place: Path) -> None:
    """The first trade and the first ticker of each market are for Python: here one record in twenty."""
    frames, markets = 6_000, 100
    write_recording(place / "made.jsonl", Plan(frames=frames, markets=markets))
    import_recording([place / "made.jsonl"], place / "tape")
    with counted() as counts:
        ran(open_tape(place / "tape"), (spec("a", Trader, every=0),), least=512, singles=SINGLES, cells=CELLS_A_STOP)
    assert counts["ahead"] > 10, counts
    assert counts["singly"] < frames // 4, counts


KEPT_CELLS: Final = 768
"""A record, at most: some 2 us of copying."""


@pytest.mark.parametrize("markets", [4, 300])
def test_what_is_kept_for_coming_back_stays_in_proportion_to_the_records(
    markets: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is met for the first time ends a stretch, and what is kept at its beginning grows with the markets."""
    frames = 6_000
    write_recording(place / "made.jsonl", Plan(frames=frames, markets=markets))
    import_recording([place / "made.jsonl"], place / "tape")
    kept = []
    keep = Ahead._keep

    def counting(self: Ahead) -> None:
        keep(self)
        kept.append(self.kept)

    monkeypatch.setattr(Ahead, "_keep", counting)
    ran(open_tape(place / "tape"), (spec("a", Trader, every=0),), least=512, singles=SINGLES, cells=CELLS_A_STOP)
    assert kept
    assert sum(kept) < KEPT_CELLS * frames


@pytest.mark.parametrize("deed", [deed for deed in DEEDS if deed not in ("past", "choose", "fail")])
def test_each_deed_alone_sees_and_does_the_same(deed: str, place: Path) -> None:
    tape = busy(150).tape(place / "tape")
    for every in (1, 7):
        casts = (spec("a", Everyone, every=every, deeds=(deed,)), spec("b", Trader, every=0))
        expected = play(tape, "bytes", casts)
        assert sum(seen[0] == deed for seen in expected.seen[0]) > 10
        with counted() as counts:
            compare(expected, ran(tape, casts))
        assert counts["ahead"]


def test_a_timer_due_where_a_best_price_moves_comes_after_the_book(place: Path) -> None:
    """The machine has looked at the book by then, and the host looks for itself."""

    class Punctual(Seer):
        def on_start(self, ctx: Context) -> None:
            ctx.wake("each", 10 * MILLI)

        def on_timer(self, ctx: Context, name: str) -> None:
            self.seen.append(("timer", ctx.now_ns, ctx.market(MARKETS[0]).bid))
            ctx.wake(name, 10 * MILLI)

    tape = busy(60).tape(place / "tape")
    seen = []
    for is_run in (False, True):
        strategy = Punctual(SeerParams(every=0))
        played = Hosted(tape, "columns", (StrategySpec("a", "", {}),), load=partial(_given, strategy))
        for _ in played.run() if is_run else played.play():
            pass
        seen.append(strategy.seen)
    assert seen[0] == seen[1]
    assert Counter(entry[0] for entry in seen[0])["book"] > 40


def test_a_choice_of_markets_holds_from_the_next_record_on(place: Path) -> None:
    """Whether anything else was done in the hook or not."""
    tape = busy(200).tape(place / "tape")
    for deeds in (("choose",), ("choose", "say"), ("choose", "wake"), ("choose", "depth")):
        casts = (spec("a", Choosy, seed=3, every=5, deeds=deeds), spec("b", ChoosyEveryone, seed=4, every=6))
        expected = play(tape, "bytes", casts)
        assert len({entry[1] for entry in expected.seen[0] if entry[0] == "choose"}) > 2
        compare(expected, ran(tape, casts))
        compare(expected, ran(tape, casts, least=512))


def test_one_that_cannot_name_its_markets_ends_there(place: Path) -> None:
    tape = busy(100).tape(place / "tape")
    casts = (spec("a", Choosy, seed=3, every=2, deeds=("choose",), fails=True), spec("b", Trader, every=0))
    expected = play(tape, "bytes", casts)
    assert ["markets: RuntimeError" in fault.error for _, fault in expected.faults] == [True]
    compare(expected, ran(tape, casts, least=512))


def test_one_that_another_brings_down_is_not_called_of_that_record(place: Path) -> None:
    tape = busy(60).tape(place / "tape")
    casts = (spec("a", Everyone, every=3, deeds=("select",)), spec("b", Everyone, seed=2, every=0, fails=True))
    expected = play(tape, "bytes", casts)
    assert [fault.where for _, fault in expected.faults] == ["strategy b"]
    for least in (1, 512):
        compare(expected, ran(tape, casts, least=least))
    compare(expected, ran(tape, casts, least=1, singles=10_000))


def test_what_is_not_the_strategys_failure_leaves_everything_at_its_record(place: Path) -> None:
    class Stop(Exception):  # noqa: N818  what stands around hooks raises it
        pass

    class Stopping(Everyone):
        def on_book(self, ctx: Context, market: Window) -> None:
            super().on_book(ctx, market)
            if len(self.seen) == 30:
                raise Stop

    tape = busy(100).tape(place / "tape")
    ends = []
    for is_run in (True, False):
        strategy = Stopping(SeerParams(every=0))
        specs = (StrategySpec("a", "", {}),)
        played = Hosted(tape, "columns", specs, raises=(Stop,), load=partial(_given, strategy))
        with pytest.raises(Stop):
            list(played.run() if is_run else played.play())
        ends.append((strategy.seen, played.player.state_digest(), played.player.position))
    assert ends[0] == ends[1]


def test_a_tape_without_strategies_has_nobody_to_tell(place: Path) -> None:
    """Records that say nothing come before the machine has seen a market, with gaps open."""
    script = Script().session().opened().subscribed(1)
    for reason in ("maintenance", "asleep", "disk_full"):
        script.put(Kind.GAP_OPEN, encode_payload(StoredGap(reason)), 0)
    for _ in range(5):
        script.put(Kind.HEARTBEAT, b"{}", 0)
    script.snapshot(MARKETS[0], [("0.4000", "10.00")], []).delta(MARKETS[0], "yes", "0.4100", "1.00")
    tape = script.tape(place / "tape")
    compare(play(tape, "bytes"), ran(tape, least=512))


# ------------------------------------------------------------------ limits, sessions, days, retries


def test_limits_that_fall_into_a_stretch_are_kept(place: Path) -> None:
    script = busy(120)
    tape = script.tape(place / "tape")
    casts = (spec("a", Trader, every=6),)
    for stop in (17, 18, 60, 61):
        played, other = (Hosted(tape, "columns", casts, load=Cast().load) for _ in range(2))
        list(played.play(stop))
        list(other.run(stop))
        assert other.player.position == played.player.position == stop + 1
        assert other.player.state_digest() == played.player.state_digest()
        assert other.digest.hexdigest() == played.digest.hexdigest()
        assert not other.player.finished
    expected = play(tape, "bytes", casts)
    compare(expected, ran(tape, casts, stops=(17, 18, 60, 61), least=512))
    compare(expected, ran(tape, casts, ends=tuple(script.records[seq].at_ns - 1 for seq in (17, 30)), least=512))


def test_a_new_day_begins_in_a_stretch(place: Path) -> None:
    midnight = (START_NS // DAY_NS + 1) * DAY_NS
    tape = busy(150, start_ns=midnight - SECOND).tape(place / "tape")
    casts = (spec("a", Everyone, every=30, deeds=("account",)),)
    hosted = Hosted(tape, "columns", casts, load=Cast().load)
    list(hosted.run())
    assert hosted.host.trading.day == midnight // DAY_NS
    with counted() as counts:
        compare(play(tape, "bytes", casts), ran(tape, casts, least=512))
    assert counts["due"]


def test_a_cancel_that_was_refused_is_asked_for_again_between_wakes(place: Path) -> None:
    """Nobody wants to hear of the market whose records come when the retry is due."""
    script = busy(20)
    for turn in range(400):
        script.delta(MARKETS[1], "yes", "0.2000", "1.00" if turn % 2 else "2.00")

    def outcome(decision: Decision) -> Outcome | None:
        found = outcome_of(decision)
        return Outcome(decision.number, Done.REFUSED, 503) if isinstance(decision.action, Cancel) else found

    casts = (spec("a", Seer, every=2, deeds=("place", "cancel")),)
    live = LiveRun(*casts, load=Cast().load, outcome=outcome).live(script)
    tape = make_tape(place / "tape", live.records)
    expected = play(tape, "bytes")
    assert sum(isinstance(decision.action, Cancel) for _, decision in expected.decided) > 4
    with counted() as counts:
        compare(expected, ran(tape, least=8))
    assert counts["due"]


# ------------------------------------------------------------------ a recorded run


def test_a_run_that_was_recorded_live_decides_as_it_did_with_the_machine_ahead() -> None:
    found = judge(open_tape(RUN), "columns")
    assert found.equal
    for least in (1, 8):
        digests = []
        for is_run in (True, False):
            hosted = Hosted(open_tape(RUN), "columns")
            hosted._pace.rows = least if is_run else 0
            for _ in hosted.run() if is_run else hosted.play():
                pass
            digests.append((hosted.digest.hexdigest(), hosted.decisions, hosted.player.state_digest()))
        assert digests[0] == digests[1]
        assert digests[0][1] == found.decisions
