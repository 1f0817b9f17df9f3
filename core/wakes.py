"""Whom the machine wakes: which market's happenings concern which strategy, and telling them of a stretch at once.

Knows seats and the cells in which the machine finds out. Must not know records or what is decided.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from core.ahead import Ahead
from core.cells import H_IS_WATCHED, M_TOLD, M_WAKES, UNTOLD
from core.context import Context
from core.engine import Engine
from core.glance import Glance
from core.runs import BOOK_WOKE, TICKER_WOKE, TOP_WOKE, TRADE_WOKE, WHYS
from core.seats import Seat, Seats
from core.store import state_at
from core.strategy import TOP
from core.window import Window

Hook: TypeAlias = Callable[[Context, Window], None]
Call: TypeAlias = tuple[Window, Seat, Context, Hook]
"""Whom a wake concerns: sight of its market; a seat that wants to hear of it, its context, and what is called."""

_HOOKS: Final = {BOOK_WOKE: "on_book", TOP_WOKE: "on_book", TRADE_WOKE: "on_trade", TICKER_WOKE: "on_ticker"}


class Wakes:
    """Those of one session. is_disturbed: a strategy did something, so that nothing may run ahead of it any more.

    was_cut: the last `tell_ahead` ended before everything was told.
    """

    __slots__ = (
        "_ahead",
        "_calls",
        "_engine",
        "_forgotten",
        "_message_at",
        "_seats",
        "_windows",
        "is_disturbed",
        "was_cut",
    )

    def __init__(self, engine: Engine, seats: Seats, ahead: Ahead) -> None:
        self._engine = engine
        self._seats = seats
        self._ahead = ahead
        self._forgotten = -1
        self._calls: dict[int, Call] = {}
        self._windows: dict[str, Window] = {}
        self._message_at: Callable[[int], Any] = lambda _: None
        self.is_disturbed = False
        self.was_cut = False
        plain = engine.memory.plain
        for state in engine.store.states().values():
            plain[state.at + M_TOLD] = plain[state.at + M_TOLD + 2] = UNTOLD

    def window(self, market: str) -> Window:
        """Sight of a market now."""
        state = self._engine.store.states().get(market)
        window = self._windows.get(market)
        if window is None or window.state is not state:
            window = self._windows[market] = Window(market, state, self._ahead)
        return window

    @property
    def glance(self) -> Glance | None:
        """The glance that the machine can have by itself: compiled, and of the only strategy there is."""
        seats = self._seats.seats
        glance = seats[0].glance if len(seats) == 1 else None
        return glance if glance is not None and glance.compiled is not None else None

    def numbers(self, name: str) -> tuple[int, ...]:
        """What the glance of a strategy keeps, markets apart; none without a glance."""
        found = [seat.glance.numbers() for seat in self._seats.seats if seat.name == name and seat.glance is not None]
        return found[0] if found else ()

    @property
    def slow_glances(self) -> tuple[str, ...]:
        """Which strategies' glances run from Python though the machine is compiled, and why."""
        glances = [(seat.name, seat.glance) for seat in self._seats.seats if seat.glance is not None]
        is_compiled = self._engine.memory.is_compiled
        return tuple([f"{name}: {glance.why}" for name, glance in glances if is_compiled and glance.compiled is None])

    def watch(self, message: Any) -> None:
        """Have the machine stop where strategies want to hear of what it steps, after Python has stepped a record."""
        memory, store = self._engine.memory, self._engine.store
        memory.plain[H_IS_WATCHED] = bool(self._seats.seats)
        if self._forgotten != store.shuffles:
            self._forgotten = store.shuffles
            self.set_all()
            return
        state = store.states().get(getattr(message, "market", ""))
        if state is not None:
            self._admit(state.at)
            memory.plain[state.at + M_WAKES] = self._seats.wakes(state.market)

    def set_all(self) -> None:
        """Strategies want to hear of other markets than before."""
        self._calls.clear()
        memory = self._engine.memory
        for state in self._engine.store.states().values():
            self._admit(state.at)
            memory.plain[state.at + M_WAKES] = self._seats.wakes(state.market)

    def _admit(self, at: int) -> None:
        for seat in self._seats.seats:
            if seat.glance is not None:
                seat.glance.admit(at)

    def disturb(self) -> None:
        """A strategy does something: what the machine has done since the record that it was told of is brought back."""
        self.is_disturbed = True
        self._ahead.settle()

    def tell(self, why: int, at: int, message: Any) -> None:
        """Tell of a record that the machine stepped. why, at: as it says; message: of a trade."""
        state = state_at(self._engine.store, at)
        window, name = self.window(state.market), _HOOKS[why]
        arguments = (window, message) if why == TRADE_WOKE else (window,)
        for seat in self._told_of(state.market, why):
            if not seat.failed and self._looks(
                seat, window, why, message
            ):  # one called before it may have made it fail
                self._seats.invoke(seat, name, self._seats.bound(seat, name), *arguments)

    def tell_ahead(self, message_at: Callable[[int], Any]) -> bool:
        """Tell of all that the machine has noted, until a strategy does something; whether everything was told.

        message_at: the message of a row. If not all was told, everything is at the last record that was.
        """
        ahead = self._ahead
        try:
            self.was_cut = not self._tell_all(message_at)
        except BaseException:
            ahead.settle()
            raise
        if self.was_cut:
            ahead.settle()
        else:
            ahead.finish()
        return not self.was_cut

    def _tell_all(self, message_at: Callable[[int], Any]) -> bool:
        """A third of what a strategy in Python costs is spent here: nothing is asked twice."""
        ahead, known, seats = self._ahead, self._calls, self._seats
        are_choosy = seats.are_choosy
        self._message_at = message_at
        self.is_disturbed = False
        for place, key in enumerate(ahead.keys):
            try:
                window, seat, ctx, call = known[key]
            except KeyError:
                window, seat, ctx, call = known[key] = self._of(key)
            ahead.place = place
            ahead.told = window
            try:
                call(ctx, window)
            except seats.raises:
                raise
            except Exception as error:
                seats.end(seat, _HOOKS[key % WHYS], error)
            if are_choosy and seats.called and ahead.is_ahead and seats.refresh():
                ahead.settle()
                self.set_all()
            if not ahead.is_ahead:  # whoever does something or fails has brought everything back
                return False
        return True

    def _of(self, key: int) -> Call:
        """Whom a wake concerns; the memory is not touched."""
        at, why = divmod(key, WHYS)
        state = state_at(self._engine.store, at)
        window = self._windows.get(state.market)
        if window is None or window.state is not state:
            window = self._windows[state.market] = Window(state.market, state, self._ahead)
        calls = [(seat, self._call(seat, why)) for seat in self._told_of(state.market, why)]
        if len(calls) == 1:
            ((seat, call),) = calls
            return window, seat, seat.ctx, call
        seat = self._seats.seats[0]  # it is not meant: the failures of several are seen to where they are called
        return window, seat, seat.ctx, self._several(calls, _HOOKS[why])

    def _several(self, calls: list[tuple[Seat, Hook]], name: str) -> Hook:
        """What calls the hooks of that name of several seats, or of none."""
        seats = self._seats

        def tell(_: Context, window: Window) -> None:
            for seat, call in calls:
                if seat.failed:  # one called before it may have made it fail
                    continue
                try:
                    call(seat.ctx, window)
                except seats.raises:
                    raise
                except Exception as error:
                    seats.end(seat, name, error)

        return tell

    def _told_of(self, market: str, why: int) -> list[Seat]:
        """Who wants to hear of that happening to a market."""
        name = _HOOKS[why]
        seats = [seat for seat in self._seats.seats if name in seat.hooks and seat.wants(market)]
        return [seat for seat in seats if why != BOOK_WOKE or seat.strategy.book_wakes != TOP]

    def _call(self, seat: Seat, why: int) -> Hook:
        """What is called with context and window, once the machine has run ahead and has not asked the glance."""
        seats = self._seats
        hook = seats.bound(seat, _HOOKS[why])

        def with_message(ctx: Context, window: Window) -> None:
            hook(ctx, window, self._message_at(self._ahead.row))

        def after_glance(ctx: Context, window: Window) -> None:
            message = self._message_at(self._ahead.row) if why == TRADE_WOKE else None
            if self._looks(seat, window, why, message):
                seats.called = True
                hook(ctx, window, *([] if message is None else [message]))

        if seat.glance is not None and self.glance is None:
            return after_glance
        plain = with_message if why == TRADE_WOKE else hook

        def counted(ctx: Context, window: Window) -> None:
            seats.called = True
            plain(ctx, window)

        return counted if seats.are_choosy else plain

    def _looks(self, seat: Seat, window: Window, why: int, message: Any) -> bool:
        return self._seats.looks(seat, window, message, is_ticker=why == TICKER_WOKE)
