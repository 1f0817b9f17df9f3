"""Lines against a market in which each contract is an object, and models against each other on anything at all."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import pytest
from fifo import Clock, Fifo, told_to
from hypothesis import given, settings
from hypothesis import strategies as st

from core.actions import BookSide
from replay.venue.line import Fill, Line
from replay.venue.pairing import WINDOW_NS
from replay.venue.queues import MODELS

PRICES: Final = st.integers(40, 42)
SIDES: Final = st.sampled_from([BookSide.BID, BookSide.ASK])
HONEST: Final = tuple(name for name, model in MODELS.items() if not model.is_first)
EXAMPLES: Final = 80

_OTHERS: Final = st.tuples(st.just("others"), SIDES, PRICES, st.integers(1, 6), st.booleans())
_CANCEL: Final = st.tuples(st.just("cancel"), SIDES, PRICES, st.lists(st.integers(0, 9), min_size=1, max_size=5))
_OURS: Final = st.tuples(st.just("ours"), SIDES, PRICES, st.integers(1, 5))
_LESS: Final = st.tuples(st.just("less"), st.integers(0, 5), st.integers(1, 3))
_WAYS: Final = st.tuples(st.booleans(), st.sampled_from([1, WINDOW_NS // 3, 2 * WINDOW_NS]))
_QUIET: Final = st.one_of(_OTHERS, _OTHERS, _OURS, _LESS)
_ANY: Final = st.one_of(_OTHERS, _OTHERS, _CANCEL, _OURS, _LESS)


@dataclass
class Both:
    """A market with us in it, and a line for each model that is told of it."""

    stamped: bool
    fifo: Fifo = field(default_factory=Fifo)
    lines: dict[str, Line] = field(default_factory=lambda: {name: Line(name) for name in MODELS})
    filled: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in MODELS})
    sizes: Counter[str] = field(default_factory=Counter)
    places: dict[str, tuple[BookSide, int]] = field(default_factory=dict)
    now_ns: int = 1
    most: int = 9  # own orders at a price

    def act(self, action: tuple[object, ...], is_late: bool, wait_ns: int) -> None:
        """One thing happens, after a while: without stamps a trade with us, whose change never comes, would within the
        window claim another's."""
        self.now_ns += wait_ns if self.stamped else 2 * WINDOW_NS
        match action:
            case ("others", BookSide() as side, int() as price, int() as count, bool() as rests):
                self._tell(self.fifo.place(side, price, count, rests=rests), is_late)
            case ("cancel", BookSide() as side, int() as price, list() as places):
                self._tell(self.fifo.cancel(side, price, places), is_late)
            case ("ours", BookSide() as side, int() as price, int() as count):
                self._ours(side, price, count)
            case ("less", int() as number, int() as count):
                self._less(f"own-{number}", count)
            case _:
                raise AssertionError(action)

    def _tell(self, news: list[tuple[str, BookSide, int, int, int]], is_late: bool) -> None:
        for name, line in self.lines.items():
            fills = told_to(line, news, Clock(self.now_ns, self.stamped, is_late))
            for fill in fills:
                self.filled[name][fill.key] += fill.count

    def _ours(self, side: BookSide, price: int, count: int) -> None:
        if self.fifo.crosses(side, price) or self._neighbours(side, price) >= self.most:
            return
        key = f"own-{len(self.sizes)}"
        self.sizes[key] = count
        self.places[key] = side, price
        for line in self.lines.values():
            line.rest(key, side, price, count, self.fifo.others(side, price))
        self.fifo.place(side, price, count, owner=key)

    def _neighbours(self, side: BookSide, price: int) -> int:
        line = self.fifo.ladders[side].get(price, [])
        return len({contract.owner for contract in line if contract.owner})

    def _less(self, key: str, count: int) -> None:
        """Our order becomes smaller in every world by the same, as far as something is left of it there."""
        if key not in self.sizes:
            return
        self.fifo.withdraw(key, count)
        for name, line in self.lines.items():
            left = self.sizes[key] - self.filled[name][key]
            if left > count:
                line.shrink(key, left - count)
            else:
                line.drop(key)
        self.sizes[key] -= count


def _check(both: Both) -> None:
    """What must hold at every instant."""
    for key in both.sizes:
        truth = both.fifo.filled[key]
        assert both.filled["pessimistic@1"][key] <= truth <= both.filled["optimistic@1"][key], key
        told = [both.filled[name][key] for name in MODELS]
        assert told == sorted(told), key


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(_ANY, _WAYS), min_size=12, max_size=40), st.booleans())
def test_the_truth_lies_between_the_pessimist_and_the_optimist_at_every_instant(
    actions: list[tuple[tuple[object, ...], tuple[bool, int]]], stamped: bool
) -> None:
    both = Both(stamped)
    for action, (is_late, wait_ns) in actions:
        both.act(action, is_late, wait_ns)
        _check(both)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(_QUIET, _WAYS), min_size=12, max_size=40), st.booleans())
def test_where_nobody_cancels_every_model_but_the_optimist_tells_the_truth(
    actions: list[tuple[tuple[object, ...], tuple[bool, int]]], stamped: bool
) -> None:
    both = Both(stamped, most=2)  # of three, the last thinks a little too little of what the second has left
    for action, (is_late, wait_ns) in actions:
        both.act(action, is_late, wait_ns)
        for name in HONEST:
            assert both.filled[name] == both.fifo.filled
            for key, (side, price) in both.places.items():
                if both.fifo.left(key):
                    assert both.lines[name].ahead(key) == both.fifo.ahead(key, side, price)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(_ANY, _WAYS), min_size=12, max_size=40), st.sets(st.integers(0, 9)))
def test_where_only_those_behind_us_cancel_the_pessimist_tells_the_truth(
    actions: list[tuple[tuple[object, ...], tuple[bool, int]]], behind: set[int]
) -> None:
    both = Both(stamped=True, most=2)
    for action, (is_late, wait_ns) in actions:
        if action[0] == "cancel":
            side, price = action[1], action[2]
            assert isinstance(side, BookSide)
            assert isinstance(price, int)
            line = both.fifo.ladders[side].get(price, [])
            last = max((place for place, contract in enumerate(line) if contract.owner), default=-1)
            first = sum(not contract.owner for contract in line[: last + 1])
            both.act(("cancel", side, price, [first + place for place in sorted(behind)]), is_late, wait_ns)
        else:
            both.act(action, is_late, wait_ns)
        assert both.filled["pessimistic@1"] == both.fifo.filled


_CHANGE: Final = st.tuples(st.just("level"), SIDES, PRICES, st.integers(0, 30), st.integers(0, 30))
_TRADE: Final = st.tuples(st.just("trade"), SIDES, PRICES, st.integers(1, 20))
_REST: Final = st.tuples(st.just("rest"), SIDES, PRICES, st.integers(1, 20), st.integers(0, 30))
_SNAPSHOT: Final = st.tuples(st.just("replace"), st.integers(0, 30), st.integers(0, 20))
_WORDS: Final = st.sampled_from([("lost",), ("flush",)])
_ANYTHING: Final = st.one_of(_CHANGE, _CHANGE, _TRADE, _REST, _SNAPSHOT, _WORDS)


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(st.lists(st.tuples(_ANYTHING, st.sampled_from([0, 1, WINDOW_NS])), max_size=60), st.booleans())
def test_models_fill_in_their_order_and_never_more_than_came_whatever_they_are_told(
    things: list[tuple[tuple[object, ...], int]], stamped: bool
) -> None:
    lines = {name: Line(name) for name in MODELS}
    filled: dict[str, Counter[str]] = {name: Counter() for name in MODELS}
    now_ns, keys = 1, 0
    for thing, wait_ns in things:
        now_ns += wait_ns
        keys += thing[0] == "rest"
        for name, line in lines.items():
            fills, most = _told(line, thing, now_ns, now_ns if stamped else 0, f"own-{keys}")
            assert sum(fill.count for fill in fills) <= most
            for fill in fills:
                filled[name][fill.key] += fill.count
        for number in range(1, keys + 1):
            told = [filled[name][f"own-{number}"] for name in MODELS]
            assert told == sorted(told)


def _told(line: Line, thing: tuple[object, ...], now_ns: int, stamp_ns: int, key: str) -> tuple[list[Fill], int]:
    """Tell a line of one thing; what it filled, and the most that it may have."""
    match thing:
        case ("level", BookSide() as side, int() as price, int() as before, int() as after):
            return line.level(now_ns, side, price, before, after, stamp_ns=stamp_ns), max(after - before, 0)
        case ("trade", BookSide() as side, int() as price, int() as count):
            return line.trade(now_ns, side, price, count, stamp_ns=stamp_ns), count
        case ("rest", BookSide() as side, int() as price, int() as count, int() as level):
            line.rest(key, side, price, count, level)
            return [], 0
        case ("replace", int() as size, int() as offered):
            return line.replace(lambda _side, _price: size, lambda _side, _price: offered), 2 * offered  # of each side
        case ("lost",):
            return line.lost(), 0
        case _:
            return line.flush(now_ns), 0


@pytest.mark.parametrize("name", HONEST)
def test_the_reference_itself_serves_who_came_first(name: str) -> None:
    fifo, line = Fifo(), Line(name)
    fifo.place(BookSide.BID, 40, 3)
    fifo.place(BookSide.BID, 40, 2, owner="own-0")
    line.rest("own-0", BookSide.BID, 40, 2, 3)
    fifo.place(BookSide.BID, 40, 3)
    news = fifo.place(BookSide.ASK, 40, 4)
    assert [told for told in news if told[0] == "trade"] == [
        ("trade", BookSide.ASK, 40, 3, 0),
        ("trade", BookSide.ASK, 40, 1, 0),
    ]
    assert fifo.filled["own-0"] == 1
    assert [fill.count for fill in told_to(line, news, Clock(1, stamped=True, is_late=True))] == [1]
