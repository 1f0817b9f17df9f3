"""The fold that runs strategies: a record and what it did come in, decisions go out, live and in replay alike.

Knows which hook a record concerns, whose turn it is, and that a decision is taken at its record or never. Must not know
where records come from nor what is done with decisions. A SESSION begins everything anew, strategies included.
"""

from collections.abc import Callable
from typing import Any, Final

from core.actions import (
    Action,
    Progress,
    RunTerms,
    StrategySpec,
    Subscribe,
    Unsubscribe,
    decode_tick,
    terms_of,
)
from core.ahead import Ahead
from core.cells import H_AT, NEVER
from core.context import Account, Context
from core.decider import Decider, Reaction
from core.dice import Dice
from core.engine import Engine, Step
from core.glance import Blocks, Glance
from core.health import Health
from core.hearing import Hearing, Parts
from core.inquiry import News
from core.lookout import BEATS, Lookout
from core.records import Kind, Record, decode_control, decode_session
from core.reference import Reference
from core.seats import Run, Seat, Seats, directly
from core.strategy import Strategy
from core.times import SECOND_NS
from core.trading import Trading
from core.wakes import Wakes
from core.window import Window

Load = Callable[[StrategySpec], Strategy]

_TEXT: Final = int(Kind.FRAME)
_OWN: Final = (int(Kind.DECISION), int(Kind.PROGRESS))


class Host:
    """Runs the strategies that each SESSION names. load: makes a strategy; what it raises ends the fold.

    run: calls a hook; raises: exceptions that come through it and are not the strategy's failure.
    """

    def __init__(
        self, engine: Engine, load: Load, run: Run = directly, raises: tuple[type[BaseException], ...] = ()
    ) -> None:
        self.engine = engine
        self._load = load
        self._run = run
        self._raises = raises
        self._ahead = Ahead(
            engine.memory, lambda: [state.at for state in engine.store.states().values()], self._arrived
        )
        self._seats = Seats(run, raises, self._failed)
        self._seq = 0  # of row 0 of what the machine steps ahead
        self._begin(RunTerms(), "", 0)

    def _begin(self, terms: RunTerms, nonce: str, seed: int) -> None:
        store = self.engine.store
        for seat in self._seats.seats:
            if seat.glance is not None:
                seat.glance.release()
        self.terms = terms
        now_ns = self._ahead.now_ns = self.engine.now_ns
        self.order_life_ns = terms.order_life_s * SECOND_NS
        self.reference = Reference(store)
        self.trading = Trading(terms, store, now_ns)
        self.lookout = Lookout(self.engine, self.reference, self.trading)
        self._seats = Seats(self._run, self._raises, self._failed)
        self.wakes = Wakes(self.engine, self._seats, self._ahead)
        self._decider = Decider(nonce, self._seats, self.trading, self.lookout, self._told)
        parts = Parts(self.reference, self.trading, self.lookout, self._seats, self.wakes, self._decider)
        self._hearing = Hearing(self.engine, self._ahead, parts)
        blocks = Blocks(self.engine.memory)
        for number, spec in enumerate(terms.strategies):
            account = Account(self.trading, spec.name)
            ctx = Context(self, number, self._ask, account, Dice(seed * 1_000_003 + number))
            seat = Seat(number, spec.name, self._load(spec), ctx)
            if seat.strategy.glance is not None:
                seat.glance = Glance(self.engine.memory, blocks, seat.strategy.glance, seat.strategy.numbers)
            self._seats.add(seat)
        self.due_is_stale = False

    @property
    def now_ns(self) -> int:
        """The tape's time at the record that strategies are told of."""
        return self._ahead.now_ns

    @property
    def health(self) -> Health:
        """What concerns all markets at once."""
        return self.lookout.health

    @property
    def selected(self) -> tuple[str, ...]:
        """The markets that a strategy has chosen, best first."""
        return self._decider.selected

    @property
    def decisions(self) -> int:
        """How many decisions were taken in this session."""
        return self._decider.decisions

    @property
    def next_wake_ns(self) -> int:
        """When the next timer is due by the tape's time, 0 = there is none."""
        return self._seats.next_wake_ns

    def progress(self, stepped: int) -> Progress:
        """The payload of a PROGRESS now."""
        risk = self.trading.risk
        return Progress(stepped, self.decisions, self.trading.day, risk.realized, bool(risk.halted))

    def window(self, market: str) -> Window:
        """Sight of a market."""
        return self.wakes.window(market)

    def flaw(self, market: str) -> str:
        """Why a market's book is not to be acted upon now, "" = it is."""
        return self.lookout.flaw(self.window(market))

    def next_id(self) -> str:
        """The client_order_id of the next decision."""
        return self._decider.next_id()

    def wake(self, seat: int, name: str, at_ns: int) -> None:
        """Set a timer of a strategy."""
        self._seats.wake(seat, name, at_ns)
        self.due_is_stale = True
        self.wakes.disturb()

    def react(self, record: Record, step: Step) -> Reaction:
        """Take in the next record, which the engine has just stepped."""
        self._ahead.now_ns = step.now_ns
        reaction = self._decider.begin(record.seq, step.now_ns)
        kind = record.kind
        if kind in _OWN:
            return reaction
        if kind == Kind.SESSION:
            self._session(record)
            return self._concluded(self._decider.reaction)
        if not self._seats.seats:
            return reaction
        self.trading.at(step.now_ns)
        if step.gaps:
            self._hearing.gaps(step.gaps)
        if kind == _TEXT:
            self._hearing.message(step)
        elif kind == Kind.REST:
            self._hearing.rest(record)
        elif kind == Kind.OUTCOME:
            self._hearing.outcome(record)
        elif kind == Kind.TICK:
            self._seats.tick(decode_tick(record.payload).due_ns)
        elif kind == Kind.CONTROL:
            self._hearing.control(decode_control(record.payload))
        if kind != _TEXT:
            self._hearing.look(kind)
        is_beat = kind in BEATS
        if is_beat or self.trading.has_upkeep:
            over, asked = self.trading.upkeep(is_beat=is_beat)
            for news in over:
                self._hearing.news(news)
            for action in asked:
                self._decider.decide(None, action)
        return self._concluded(reaction)

    def woken(self, seq: int, now_ns: int, why: int, message: Any = None) -> Reaction:
        """Take in a record that the machine stepped before `due_ns` and that wakes a strategy: the same as `react`.

        why: as the machine says. message: of a trade.
        """
        self._arrive(seq, now_ns)
        self.wakes.tell(why, self.engine.memory.plain[H_AT], message)
        return self._tended()

    def run_ahead(
        self, rows: tuple[Any, int, int, int], seq: int, message_at: Callable[[int], Any]
    ) -> tuple[int, Reaction]:
        """Have the machine step rows up to `due_ns` and tell of what wakes strategies, until one does something.

        rows: cells, stride, first and last row; seq: of row 0; message_at: the message of a row. Returns the first row
        not stepped, and what the one before it led to. H_STOP says why it stopped, UNDONE and DUE being next.
        """
        self._seq = seq
        stopped = self._ahead.run(*rows, self.wakes.glance)
        if self.wakes.tell_ahead(message_at):
            return stopped, Reaction()
        return self._ahead.row + 1, self._tended()

    @property
    def cells_kept(self) -> int:
        """Cells that were copied for the last `run_ahead`: what a stretch costs however short it is."""
        return self._ahead.kept

    @property
    def row_told(self) -> int:
        """The row of the record that strategies were told of last in `run_ahead`."""
        return self._ahead.row

    @property
    def is_disturbed(self) -> bool:
        """Whether `run_ahead` was ended by a strategy."""
        return self.wakes.was_cut

    @property
    def due_ns(self) -> int:
        """From when on any record leads to something, whatever it is."""
        return self.trading.due_ns if self._seats.seats else NEVER

    def _arrive(self, seq: int, now_ns: int) -> None:
        self._ahead.now_ns = now_ns
        self._decider.begin(seq, now_ns)
        self.trading.at(now_ns)

    def _arrived(self, row: int, now_ns: int) -> None:
        """Everything was brought back to the record of a row."""
        self._arrive(self._seq + row, now_ns)

    def _tended(self) -> Reaction:
        """The end of a record that the machine has stepped."""
        if self.trading.has_upkeep:
            self.due_is_stale = True
            for action in self.trading.upkeep(is_beat=False)[1]:
                self._decider.decide(None, action)
        return self._concluded(self._decider.reaction)

    def _ask(self, seat: int, action: Action) -> str:
        """A strategy asks for something, at the record that it is told of."""
        self.wakes.disturb()
        return self._decider.ask(seat, action)

    def _failed(self, seat: Seat) -> None:
        self.wakes.disturb()
        self.trading.pull(seat.name)

    def _told(self, news: News) -> None:
        self._hearing.news(news)

    def _concluded(self, reaction: Reaction) -> Reaction:
        """The end of a record: strategies that failed, and the markets that they want to hear of now."""
        seats = self._seats
        if seats.called and seats.refresh():
            self.wakes.set_all()
        if seats.faults:
            reaction.faults += seats.faults
            seats.faults.clear()
            self.wakes.set_all()
        return reaction

    def _session(self, record: Record) -> None:
        session = decode_session(record.payload)
        terms = terms_of(session)
        self._begin(RunTerms() if terms is None else terms, session.uuid.replace("-", ""), session.seed)


def wanted_markets(before: dict[str, None], action: Subscribe | Unsubscribe) -> dict[str, None]:
    """The markets on the socket after a decision."""
    if isinstance(action, Subscribe):
        return before | dict.fromkeys(action.markets)
    gone = dict.fromkeys(action.markets)
    return {market: None for market in before if market not in gone}
