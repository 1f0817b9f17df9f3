"""No look-ahead: what sees further than the record it is given is caught, what does not is not."""

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import msgspec
import pytest
from lived import lived, market_day
from pupils import Quoter, QuoterParams
from sample_tapes import make_tape

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from capture.tape.typed import columns_of
from core.actions import StrategySpec
from core.columns import Columns, Numbers
from core.window import Window
from replay import feed
from replay.causality import examine
from replay.futures import Future
from replay.hosted import AROUND, Hosted

SPEC = (StrategySpec("other", "pupils:Quoter"),)


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    return make_tape(tmp_path_factory.mktemp("causality") / "tape", lived(), segment_records=60)


@pytest.mark.parametrize("strategies", [(), SPEC])
def test_a_strategy_that_looks_at_what_it_is_given_is_causal(tape: Tape, strategies: tuple[StrategySpec, ...]) -> None:
    found = examine(tape, strategies, places=4)
    assert found.causal
    assert found.look_ahead is None
    assert found.decisions > 15
    assert [trial.future for trial in found.trials][::2] == [Future.CUT] * 4
    assert {trial.future for trial in found.trials} == set(Future)
    bounds = [round(tape.head_seq * number / 4) for number in range(5)]
    places = [trial.place for trial in found.trials][::2]
    assert all(low <= place <= high for low, place, high in zip(bounds, places, bounds[1:], strict=False))


def test_the_same_seed_gives_the_same_places(tape: Tape) -> None:
    one, same, other = (examine(tape, places=2, seed=seed).trials for seed in (1, 1, 2))
    assert one == same != other


class Peeker(Quoter):
    """Bids at the last price of the table that is being read."""

    def choose(self, market: Window) -> int:
        frame = inspect.currentframe()
        while frame is not None and not isinstance(frame.f_locals.get("self"), Hosted):
            frame = frame.f_back
        assert frame is not None
        batch = frame.f_locals["self"].player._feed._batch
        prices = [price for price in batch.columns.ints["price"].tolist() if price > 0]
        return prices[-1] if prices else market.bid or 0


class Remembers(Quoter):
    """Bids higher by each time it was made."""

    made: ClassVar[list[int]] = []

    def __init__(self, params: QuoterParams) -> None:
        super().__init__(params)
        self.made.append(1)

    def choose(self, market: Window) -> int:
        return (market.bid or 0) + len(self.made)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classes above under the name of a module."""
    module = ModuleType("causality_pupils")
    vars(module).update(Peeker=Peeker, Remembers=Remembers)
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("here")
def test_a_strategy_that_finds_the_rest_of_the_table_is_caught(tape: Tape) -> None:
    found = examine(tape, (StrategySpec("peeker", "causality_pupils:Peeker"),), places=4)
    assert not found.causal
    assert found.look_ahead is not None
    assert found.look_ahead.cause <= found.look_ahead.place
    assert found.look_ahead.decided != found.look_ahead.instead
    assert not found.trials[-1].same


@pytest.mark.usefixtures("here")
def test_a_strategy_that_is_another_each_time_is_called_unsteady_rather_than_far_sighted(tape: Tape) -> None:
    found = examine(tape, (StrategySpec("remembers", "causality_pupils:Remembers"),), places=4)
    assert not found.causal
    assert found.unsteady
    assert found.look_ahead is None


def test_a_reader_that_takes_prices_from_the_next_row_is_caught(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = columns_of

    def ahead(table: Any) -> Columns:
        columns = honest(table)
        prices, lists = columns.ints["price"].copy(), columns.lists["yes_price"].present
        both = (prices[:-1] > 0) & (prices[1:] > 0) & ~lists[:-1]
        prices[:-1][both] = prices[1:][both]
        return msgspec.structs.replace(columns, ints=Numbers({**dict(columns.ints.items()), "price": prices}))

    monkeypatch.setattr(feed, "columns_of", ahead)
    found = examine(tape, places=20)
    assert not found.causal
    assert found.look_ahead is not None
    assert found.look_ahead.cause == found.look_ahead.place
    assert found.look_ahead.kind == "FRAME"


def test_a_tape_on_which_nothing_is_decided_is_refused(tmp_path: Path) -> None:
    tape = make_tape(tmp_path / "tape", market_day(2).records)
    with pytest.raises(TapeError, match=r"nothing was decided.*--strategy"):
        examine(tape)


def test_a_strategy_that_is_not_pure_is_not_causal(tape: Tape) -> None:
    found = examine(tape, (StrategySpec("pupil", "pupils_impure:ReadsClock"),), places=2, **AROUND)
    assert not found.causal
    assert "reads the clock" in found.impure
