"""The strategies of a run at work: whose hook is called when, their timers, and what happens to one that raises.

Knows hooks by name. Must not know records or what a decision is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

from core.cells import WAKE_BOOK, WAKE_TICKER, WAKE_TOP, WAKE_TRADE
from core.context import Context
from core.glance import Glance
from core.messages.types import Trade
from core.records import Fault
from core.strategy import TOP, Strategy
from core.window import Window

MAX_TIMERS: Final = 4_096
"""Timers of one strategy: what sets more at once sets them without end."""

Run: TypeAlias = Callable[..., None]
"""Calls a hook with its arguments, within whatever the caller of the host wants around it."""


def directly(hook: Callable[..., None], *arguments: Any) -> None:
    """Call a hook, with nothing around it."""
    hook(*arguments)


@dataclass(slots=True)
class Seat:
    """A strategy at work. hooks: those it overrides. failed: how, "" = it works. timers: when each is due (ns).

    wanted: the markets it wants to hear of, None = every one, as it last named them.
    """

    number: int
    name: str
    strategy: Strategy
    ctx: Context
    failed: str = ""
    timers: dict[str, int] = field(default_factory=dict)
    hooks: dict[str, Callable[..., None]] = field(default_factory=dict)
    wanted: frozenset[str] | None = None
    named: tuple[str, ...] | None = None
    glance: Glance | None = None

    def wants(self, market: str) -> bool:
        """Whether its hooks are to be called about a market."""
        return not self.failed and (self.wanted is None or market in self.wanted)

    @property
    def wakes(self) -> int:
        """What of a market that it wants wakes it, as `core.cells` counts that."""
        every = WAKE_BOOK if self.strategy.book_wakes != TOP else WAKE_TOP
        bits = (("on_book", every), ("on_trade", WAKE_TRADE), ("on_ticker", WAKE_TICKER))
        return sum(bit for hook, bit in bits if hook in self.hooks)


class Seats:
    """All strategies of a session in their order. raises: exceptions that are not a strategy's failure.

    faults: of those that failed since it was last emptied. called: a hook was, since `refresh`.
    """

    __slots__ = ("_failed", "_run", "called", "faults", "raises", "seats")

    def __init__(self, run: Run, raises: tuple[type[BaseException], ...], failed: Callable[[Seat], None]) -> None:
        """failed: called with a seat whose strategy has just raised."""
        self.seats: list[Seat] = []
        self.faults: list[Fault] = []
        self.called = False
        self._run = run
        self.raises = raises
        self._failed = failed

    def add(self, seat: Seat) -> None:
        """One more; it is called after those before it."""
        kind = type(seat.strategy)
        names = [name for name in vars(Strategy) if name.startswith("on_")]
        overridden = [name for name in names if getattr(kind, name) is not getattr(Strategy, name)]
        seat.hooks = {name: getattr(seat.strategy, name) for name in overridden}
        self.seats.append(seat)
        self._ask(seat)

    @property
    def are_choosy(self) -> bool:
        """Whether any of them may want to hear of other markets after a hook."""
        return any(type(seat.strategy).markets is not Strategy.markets for seat in self.seats)

    def refresh(self) -> bool:
        """Ask again for which markets hooks are to be called; whether that has changed."""
        self.called = False
        changed = [self._ask(seat) for seat in self.seats]
        return any(changed)

    def wakes(self, market: str) -> int:
        """What of a market wakes anybody."""
        bits = 0
        for seat in self.seats:
            if seat.wants(market):
                bits |= seat.wakes
        return bits

    @property
    def next_wake_ns(self) -> int:
        """When the next timer is due by the tape's time, 0 = there is none."""
        return min((at_ns for seat in self.seats for at_ns in seat.timers.values()), default=0)

    @property
    def heir(self) -> str:
        """The strategy that orders of earlier sessions go to: the first one that listens to orders, or the first."""
        return next((seat.name for seat in self.seats if "on_order" in seat.hooks), self.seats[0].name)

    def named(self, name: str) -> Seat | None:
        """The strategy of this name."""
        return next((seat for seat in self.seats if seat.name == name), None)

    def wake(self, number: int, name: str, at_ns: int) -> None:
        """Set a timer of a strategy; ValueError when it has too many."""
        timers = self.seats[number].timers
        if name not in timers and len(timers) >= MAX_TIMERS:
            raise ValueError(f"{len(timers)} timers are set, the most is {MAX_TIMERS}")
        timers[name] = at_ns

    def tick(self, due_ns: int) -> None:
        """Have the timers go off that are due by then, in the order of their times."""
        due = [
            (at_ns, seat.number, name) for seat in self.seats for name, at_ns in seat.timers.items() if at_ns <= due_ns
        ]
        for at_ns, number, name in sorted(due):
            seat = self.seats[number]
            if seat.timers.get(name) == at_ns:  # one that went off before it may have set it anew
                del seat.timers[name]
                self.call(seat, "on_timer", name)

    def book(self, market: str, window: Window, *, top_moved: bool) -> None:
        """Tell of a book to those who want to hear of that much."""
        for seat in self.seats:
            hook = seat.hooks.get("on_book")
            is_told = hook is not None and (top_moved or seat.strategy.book_wakes != TOP) and seat.wants(market)
            if is_told and self.looks(seat, window):
                self.invoke(seat, "on_book", self.bound(seat, "on_book"), window)

    def trade(self, market: str, window: Window, trade: Trade) -> None:
        """Tell of a trade to those who want to hear of it."""
        for seat in self.seats:
            if "on_trade" in seat.hooks and seat.wants(market) and self.looks(seat, window, trade):
                self.call(seat, "on_trade", window, trade)

    def ticker(self, market: str, window: Window) -> None:
        """Tell of a ticker to those who want to hear of it."""
        for seat in self.seats:
            if "on_ticker" in seat.hooks and seat.wants(market) and self.looks(seat, window, is_ticker=True):
                self.call(seat, "on_ticker", window)

    def tell(self, hook: str, *arguments: Any, but: Seat | None = None, market: str = "") -> None:
        """Call a hook of everybody, or of those who want to hear of a market."""
        for seat in self.seats:
            if hook in seat.hooks and seat is not but and (not market or seat.wants(market)):
                self.call(seat, hook, *arguments)

    def call(self, seat: Seat | None, hook: str, *arguments: Any) -> None:
        """Call a hook, if the strategy has it; whatever it raises ends its strategy and nobody else's."""
        if seat is not None and hook in seat.hooks and not seat.failed:
            self.invoke(seat, hook, self.bound(seat, hook), *arguments)

    def looks(self, seat: Seat, window: Window, trade: Trade | None = None, *, is_ticker: bool = False) -> bool:
        """Whether a strategy's glance, if it has one, says that it is to hear of what has happened; see there."""
        if seat.glance is None:
            return True
        try:
            return seat.glance.look(window, trade, is_ticker=is_ticker)
        except self.raises:
            raise
        except Exception as error:
            self.end(seat, "glance", error)
            return False

    def bound(self, seat: Seat, name: str) -> Callable[..., None]:
        """A hook of a seat as it is to be called."""
        hook = seat.hooks[name]
        return hook if self._run is directly else partial(self._run, hook)

    def invoke(self, seat: Seat, name: str, hook: Callable[..., None], *arguments: Any) -> None:
        """Call what `bound` gave; whatever it raises ends its strategy and nobody else's."""
        self.called = True
        try:
            hook(seat.ctx, *arguments)
        except self.raises:
            raise
        except Exception as error:
            self.end(seat, name, error)

    def _ask(self, seat: Seat) -> bool:
        """Ask a strategy for its markets; whether they are others than before."""
        if type(seat.strategy).markets is Strategy.markets or seat.failed:
            return False
        before = seat.named
        try:
            named = seat.strategy.markets()
            if named is before:
                return False
            seat.named, seat.wanted = named, None if named is None else frozenset(named)
        except self.raises:
            raise
        except Exception as error:
            self.end(seat, "markets", error)
        return seat.named != before

    def end(self, seat: Seat, what: str, error: Exception) -> None:
        """A strategy has raised; it is not called any more."""
        seat.failed = f"{what}: {type(error).__name__}: {error}"[:300]
        seat.timers.clear()
        self.faults.append(Fault(f"strategy {seat.name}", seat.failed))
        self._failed(seat)
