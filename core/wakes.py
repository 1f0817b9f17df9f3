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

Calls: TypeAlias = list[tuple[Seat, Context, Callable[..., None]]]

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
        self._calls: dict[int, tuple[Window, Calls]] = {}
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
        ahead, known, seats = self._ahead, self._calls, self._seats
        are_choosy = seats.are_choosy
        asks = self.glance is not None  # the machine has asked: whoever is called is called for certain
        self._message_at = message_at
        self.is_disturbed = False
        for place, key in enumerate(ahead.keys):
            window, calls = known.get(key) or self._of(key)
            ahead.place = place
            ahead.told = window
            for seat, ctx, call in calls:
                if seat.failed:
                    continue
                seats.called = seats.called or seat.glance is None or asks
                try:
                    call(ctx, window)
                except seats.raises:
                    raise
                except Exception as error:
                    seats.end(seat, _HOOKS[key % WHYS], error)
            if are_choosy and seats.called and ahead.is_ahead and seats.refresh():
                ahead.settle()
                self.set_all()
            if self.is_disturbed or not ahead.is_ahead:
                return False
        return True

    def _of(self, key: int) -> tuple[Window, Calls]:
        """Whom a wake concerns, and their sight of its market; the memory is not touched."""
        found = self._calls.get(key)
        if found is None:
            at, why = divmod(key, WHYS)
            state = state_at(self._engine.store, at)
            window = self._windows.get(state.market)
            if window is None or window.state is not state:
                window = self._windows[state.market] = Window(state.market, state, self._ahead)
            calls = [(seat, seat.ctx, self._call(seat, why)) for seat in self._told_of(state.market, why)]
            found = self._calls[key] = window, calls
        return found

    def _told_of(self, market: str, why: int) -> list[Seat]:
        """Who wants to hear of that happening to a market."""
        name = _HOOKS[why]
        seats = [seat for seat in self._seats.seats if name in seat.hooks and seat.wants(market)]
        return [seat for seat in seats if why != BOOK_WOKE or seat.strategy.book_wakes != TOP]

    def _call(self, seat: Seat, why: int) -> Callable[..., None]:
        """What is called with context and window, once the machine has run ahead and has not asked the glance."""
        hook = self._seats.bound(seat, _HOOKS[why])

        def with_message(ctx: Context, window: Window) -> None:
            hook(ctx, window, self._message_at(self._ahead.row))

        def after_glance(ctx: Context, window: Window) -> None:
            message = self._message_at(self._ahead.row) if why == TRADE_WOKE else None
            if self._looks(seat, window, why, message):
                self._seats.called = True
                hook(ctx, window, *([] if message is None else [message]))

        if seat.glance is not None and self.glance is None:
            return after_glance
        return with_message if why == TRADE_WOKE else hook

    def _looks(self, seat: Seat, window: Window, why: int, message: Any) -> bool:
        return self._seats.looks(seat, window, message, is_ticker=why == TICKER_WOKE)
