"""Whom the machine wakes, and telling of a stretch at once until somebody is in the way; the whole in test_hosted."""

from typing import Any

import pytest
from port import Listener
from seers import needs_numba
from stretch import MARKET, NOW_NS, known, rows

from core.ahead import Ahead
from core.cells import H_IS_WATCHED, M_TOLD, M_WAKES, UNTOLD, WAKE_BOOK, WAKE_TICKER, WAKE_TOP, WAKE_TRADE
from core.context import Context
from core.glance import Blocks, Glance
from core.messages.types import BookDelta, Side
from core.runs import BOOK_WOKE, TOP_WOKE, TRADE_WOKE
from core.seats import Seat, Seats, directly
from core.strategy import EVERY, Strategy
from core.wakes import Wakes
from core.window import Window

MOVES = tuple((4_100, 100 if row % 2 == 0 else -100) for row in range(6))


class Deadline(Exception):  # noqa: N818  what the caller of the host raises
    """Not the strategy's failure."""


class Books(Strategy):
    """Notes best bids; does what it is told at a call. wanted: what `markets` says."""

    def __init__(self, todo: Any = None, at: int = -1) -> None:
        super().__init__(None)
        self.seen: list[Any] = []
        self.todo, self.at = todo, at
        self.wanted: tuple[str, ...] | None = None
        self.asked = 0

    def markets(self) -> tuple[str, ...] | None:
        self.asked += 1
        return self.wanted

    def on_book(self, _ctx: Context, market: Window) -> None:
        self.seen.append((market.bid, market.now_ns))
        if len(self.seen) == self.at:
            self.todo(self, market)


class Every(Books):
    """Of every change."""

    book_wakes = EVERY


class Heard(Books):
    """Of trades, too."""

    def on_trade(self, _ctx: Context, market: Window, trade: Any) -> None:
        self.seen.append((market.market, trade))


class Floor:
    """Wakes of strategies, on an engine that knows one market."""

    def __init__(self, *strategies: Strategy, is_compiled: bool = False) -> None:
        self.engine, self.at = known(is_compiled=is_compiled)
        self.ahead = Ahead(
            self.engine.memory, lambda: (self.at,), lambda _row, now_ns: setattr(self.ahead, "now_ns", now_ns)
        )
        self.failed: list[str] = []
        self.seats = Seats(directly, (Deadline,), self._fail)
        for number, strategy in enumerate(strategies):
            self.seats.add(Seat(number, "abc"[number], strategy, None))  # type: ignore[arg-type]  # nobody asks it
        self.wakes = Wakes(self.engine, self.seats, self.ahead)
        self.wakes.set_all()

    def tell(self, *deltas: tuple[int, int]) -> bool:
        """Step these ahead and tell of them; whether all was told."""
        cells = rows(self.engine, *deltas)
        self.ahead.run(cells, len(deltas), 0, len(deltas), self.wakes.glance)
        return self.wakes.tell_ahead(lambda row: f"message {row}")

    def _fail(self, seat: Seat) -> None:
        self.failed.append(seat.name)
        self.wakes.disturb()


def book() -> BookDelta:
    return BookDelta(sid=1, seq=9, market=MARKET, side=Side.YES, price=4_000, delta=1)


def test_a_market_wakes_for_what_strategies_hear_of_it() -> None:
    for strategies, bits in (
        ((), 0), ((Books(),), WAKE_TOP), ((Every(),), WAKE_BOOK), ((Books(), Every()), WAKE_TOP | WAKE_BOOK),
        ((Listener(),), WAKE_TOP | WAKE_TRADE | WAKE_TICKER), ((Strategy(None),), 0),
    ):  # fmt: skip
        floor = Floor(*strategies)
        assert floor.engine.memory.plain[floor.at + M_WAKES] == bits


def test_best_prices_are_taken_to_be_untold_when_a_session_begins() -> None:
    floor = Floor(Books())
    floor.engine.memory.plain[floor.at + M_TOLD] = 4_000
    Wakes(floor.engine, floor.seats, floor.ahead)
    assert floor.engine.memory.plain[floor.at + M_TOLD] == UNTOLD


def test_a_record_of_python_has_its_market_watched_and_a_shuffle_all_of_them() -> None:
    floor = Floor(Books())
    plain, cell = floor.engine.memory.plain, floor.at + M_WAKES
    plain[cell] = 0
    floor.wakes.watch(None)
    assert (plain[H_IS_WATCHED], plain[cell]) == (1, WAKE_TOP), "the first is for all"
    plain[cell] = 0
    floor.wakes.watch(None)
    assert plain[cell] == 0
    floor.wakes.watch(book())
    assert plain[cell] == WAKE_TOP
    plain[cell] = 0
    floor.engine.store.shuffles += 1
    floor.wakes.watch(None)
    assert plain[cell] == WAKE_TOP
    alone = Floor()
    alone.wakes.watch(None)
    assert alone.engine.memory.plain[H_IS_WATCHED] == 0


def test_a_wake_is_told_to_those_it_concerns() -> None:
    top, every, trades = Books(), Every(), Heard()
    floor = Floor(top, every, trades)
    floor.wakes.tell(BOOK_WOKE, floor.at, None)
    assert [len(strategy.seen) for strategy in (top, every, trades)] == [0, 1, 0]
    floor.wakes.tell(TOP_WOKE, floor.at, None)
    assert [len(strategy.seen) for strategy in (top, every, trades)] == [1, 2, 1]
    floor.wakes.tell(TRADE_WOKE, floor.at, "a trade")
    assert trades.seen[-1] == (MARKET, "a trade")
    assert floor.seats.called


def test_the_window_of_a_market_is_the_same_while_the_market_is() -> None:
    floor = Floor(Books())
    window = floor.wakes.window(MARKET)
    assert floor.wakes.window(MARKET) is window
    assert floor.wakes.window("none").state is None
    floor.engine.store.reset()
    assert floor.wakes.window(MARKET) is not window


def test_the_machine_has_the_glance_of_the_only_strategy_alone() -> None:
    floor = Floor(Books(), Books())
    memory = floor.engine.memory
    floor.seats.seats[0].glance = Glance(memory, Blocks(memory), lambda *_: True, (0, 0))
    assert floor.wakes.glance is None
    floor.seats.seats.pop()
    assert floor.wakes.glance is None, "it is not compiled"
    floor.seats.seats[0].glance.compiled = "made"
    assert floor.wakes.glance is floor.seats.seats[0].glance


@pytest.mark.parametrize(("is_compiled", "told"), [(False, ()), (True, ("a: because",))])
def test_glances_that_run_from_python_are_slow_where_the_machine_is_compiled(
    is_compiled: bool, told: tuple[str, ...]
) -> None:
    floor = Floor(Books(), Books())
    memory = floor.engine.memory
    glance = floor.seats.seats[0].glance = Glance(memory, Blocks(memory), lambda *_: True, (0, 0))
    memory.is_compiled, glance.compiled, glance.why = is_compiled, None, "because"
    assert floor.wakes.slow_glances == told


def test_what_comes_through_a_glance_and_is_not_its_failure_is_raised() -> None:
    def deadline(*_: Any) -> bool:
        raise Deadline

    floor = Floor(Every())
    memory = floor.engine.memory
    floor.seats.seats[0].glance = Glance(memory, Blocks(memory), deadline, (0, 0))
    with pytest.raises(Deadline):
        floor.wakes.tell(BOOK_WOKE, floor.at, None)
    assert floor.failed == []


@needs_numba
def test_a_stretch_is_told_in_order_with_its_best_prices_and_times() -> None:
    books, every = Books(), Every()
    floor = Floor(books, every, is_compiled=True)
    assert floor.tell(*MOVES, (2_000, 1))
    expected = [(4_000 if row % 2 or row == 6 else 4_100, NOW_NS + row * 1_000_000) for row in range(7)]
    assert (books.seen, every.seen) == (expected[:6], expected)
    assert not floor.wakes.was_cut
    assert not floor.ahead.is_ahead


@needs_numba
@pytest.mark.parametrize("cell", ["depth", "disturbed", "raises"])
def test_it_ends_behind_the_record_at_which_somebody_is_in_the_way(cell: str) -> None:
    floor: Floor

    def todo(_books: Books, market: Window) -> None:
        if cell == "depth":
            assert market.depth(1)[0] == ((4_100, 100),)
        elif cell == "disturbed":
            floor.wakes.disturb()
        else:
            raise ValueError("no")

    first, second = Books(todo, 3), Books()
    floor = Floor(first, second, is_compiled=True)
    assert not floor.tell(*MOVES)
    assert floor.wakes.was_cut
    assert floor.ahead.row == 2
    assert (len(first.seen), second.seen) == (3, first.seen), "the others hear of that record yet"
    assert floor.engine.store.window(MARKET, 0).bid == 4_100
    assert floor.failed == (["a"] if cell == "raises" else [])


@needs_numba
def test_one_that_has_failed_is_not_called() -> None:
    def todo(_books: Books, _market: Window) -> None:
        floor.seats.end(floor.seats.seats[1], "on_selected", ValueError("told"))

    first, second = Books(todo, 2), Books()
    floor = Floor(first, second, is_compiled=True)
    assert not floor.tell(*MOVES)
    assert (len(first.seen), len(second.seen)) == (2, 1)
    floor.wakes.tell(TOP_WOKE, floor.at, None)
    assert (len(first.seen), len(second.seen)) == (3, 1)


@needs_numba
def test_markets_are_asked_for_after_each_record_and_others_end_it() -> None:
    def todo(books: Books, _market: Window) -> None:
        books.wanted = ("another",)

    books = Books(todo, 4)
    floor = Floor(books, is_compiled=True)
    asked = books.asked
    assert not floor.tell(*MOVES)
    assert (len(books.seen), books.asked - asked, floor.ahead.row) == (4, 4, 3)
    assert floor.engine.memory.plain[floor.at + M_WAKES] == 0
    floor.wakes.tell(TOP_WOKE, floor.at, None)
    assert len(books.seen) == 4


@needs_numba
def test_what_is_not_a_strategys_failure_comes_through_with_everything_at_its_record() -> None:
    def todo(_books: Books, _market: Window) -> None:
        raise Deadline

    floor = Floor(Books(todo, 2), is_compiled=True)
    with pytest.raises(Deadline):
        floor.tell(*MOVES)
    assert not floor.ahead.is_ahead
    assert floor.engine.store.window(MARKET, 0).bid == 4_000
    assert floor.failed == []


@needs_numba
def test_a_glance_that_is_not_compiled_is_asked_of_each_record() -> None:
    books = Every()
    floor = Floor(books, is_compiled=True)
    memory = floor.engine.memory
    glance = Glance(memory, Blocks(memory), lambda _ours, *best: bool(str(best[2]) == "4100"), (1, 0))
    glance.compiled = None
    floor.seats.seats[0].glance = glance
    assert not floor.tell((2_000, 1), *MOVES), "it looks into the memory"
    assert books.seen == []
    assert floor.ahead.row == 0
    floor.seats.seats[0].glance = None
