"""The strategies of a run at work: whose hook is called when, their timers, and what happens to one that raises.

Knows hooks by name. Must not know records or what a decision is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

from core.context import Context
from core.records import Fault
from core.strategy import TOP, Strategy

MAX_TIMERS: Final = 4_096
"""Timers of one strategy: what sets more at once sets them without end."""

T = TypeVar("T")

Run: TypeAlias = Callable[..., None]
"""Calls a hook with its arguments, within whatever the caller of the host wants around it."""


def directly(hook: Callable[..., None], *arguments: Any) -> None:
    """Call a hook, with nothing around it."""
    hook(*arguments)


@dataclass(slots=True)
class Seat:
    """A strategy at work. hooks: those it overrides. failed: how, "" = it works. timers: when each is due (ns)."""

    number: int
    name: str
    strategy: Strategy
    ctx: Context
    failed: str = ""
    timers: dict[str, int] = field(default_factory=dict)
    hooks: frozenset[str] = frozenset()


class Seats:
    """All strategies of a session in their order. raises: exceptions that are not a strategy's failure.

    faults: of those that failed since it was last emptied.
    """

    __slots__ = ("_failed", "_raises", "_run", "faults", "seats")

    def __init__(self, run: Run, raises: tuple[type[BaseException], ...], failed: Callable[[Seat], None]) -> None:
        """failed: called with a seat whose strategy has just raised."""
        self.seats: list[Seat] = []
        self.faults: list[Fault] = []
        self._run = run
        self._raises = raises
        self._failed = failed

    def add(self, seat: Seat) -> None:
        """One more; it is called after those before it."""
        kind = type(seat.strategy)
        names = [name for name in vars(Strategy) if name.startswith("on_")]
        seat.hooks = frozenset(name for name in names if getattr(kind, name) is not getattr(Strategy, name))
        self.seats.append(seat)

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

    def book(self, market: str, window: Any, *, top_moved: bool) -> None:
        """Tell of a book to those who want to hear of that much."""
        for seat in self.seats:
            is_woken = top_moved or seat.strategy.book_wakes != TOP
            if is_woken and "on_book" in seat.hooks and self._wants(seat, market):
                self.call(seat, "on_book", window)

    def tell(self, hook: str, *arguments: Any, but: Seat | None = None, market: str = "") -> None:
        """Call a hook of everybody, or of those who want to hear of a market."""
        for seat in self.seats:
            if hook in seat.hooks and seat is not but and (not market or self._wants(seat, market)):
                self.call(seat, hook, *arguments)

    def call(self, seat: Seat | None, hook: str, *arguments: Any) -> None:
        """Call a hook, if the strategy has it; whatever it raises ends its strategy and nobody else's."""
        if seat is None or seat.failed or hook not in seat.hooks:
            return
        self._guarded(seat, hook, lambda: self._run(getattr(seat.strategy, hook), seat.ctx, *arguments))

    def _wants(self, seat: Seat, market: str) -> bool:
        """Whether its hooks are to be called about a market."""
        if seat.failed:
            return False
        markets = self._guarded(seat, "markets", seat.strategy.markets)
        return not seat.failed and (markets is None or market in markets)

    def _guarded(self, seat: Seat, what: str, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except self._raises:
            raise
        except Exception as error:
            seat.failed = f"{what}: {type(error).__name__}: {error}"[:300]
            seat.timers.clear()
            self.faults.append(Fault(f"strategy {seat.name}", seat.failed))
            self._failed(seat)
            return None
