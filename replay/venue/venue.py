"""The simulated venue: takes a run's decisions when they arrive, and says what the run is told of it, and when.

Knows delays, the exchange of the backtest, and what the tape says of it. Must not know strategies. Everything has its
instant: what is due is done before the first record of the tape that is as late or later, in the order of the instants,
also between records.
"""

from functools import partial
from typing import Final

import msgspec

from core.actions import Amend, Cancel, Decision, Fetch, Place
from core.cells import NEVER
from core.engine import Engine, Step
from core.records import Kind, Record, RestCall
from replay.exchange.orders import Placed, Refusal
from replay.venue import told, words
from replay.venue.agenda import Agenda
from replay.venue.delays import Delays, Trip
from replay.venue.exchange import ACCOUNT, Exchange, Own
from replay.venue.library import Library, path_of
from replay.venue.supposed import supposed
from replay.venue.teller import TOOK, Teller
from replay.venue.terms import VenueTerms
from replay.venue.watching import Watch
from replay.venue.words import Made

OPENING: Final = (
    Fetch("/portfolio/balance"),
    Fetch("/portfolio/positions", (("limit", "1000"),)),
    Fetch("/portfolio/orders", (("status", "resting"), ("limit", "1000"))),
)
"""What the live shell asks of the account before strategies begin."""

_ASSUMED: Final = (
    "others do what the tape says, whatever our orders do",
    "what we took of a level stays taken until as much has left it on the tape",
    "the exchange's clock is that of the tape; a market closes when the tape says so",
    "while a book is not to be trusted nothing is taken from it; trades that are seen still fill what rests",
    "what rests at a price that others offer at or beyond when the book is seen again after a gap was filled by them",
    "a new session of the tape finds no orders of the one before, but its money and positions",
    "balances are kept to $0.0001, as a direct member's are",
)


class Venue:
    """One backtest's. not_on_tape: fetches to which the tape holds no answer. Raises ConfigError for terms that cannot
    be, and in most methods when fees or ticks of a market are neither told nor supposed."""

    def __init__(self, terms: VenueTerms, engine: Engine, seed: int = 0, listener: told.Listener | None = None) -> None:
        self._listener = listener or _nobody
        self._agenda = Agenda()
        self._delays = Delays(terms.latency, seed)
        self._engine = engine
        self.exchange = Exchange(terms, engine.store, seed, self._listener)
        self._teller = Teller(self.exchange, self._agenda, self._listener)
        self._library = Library()
        self._watch = Watch(self.exchange, self._teller, self._delays, self._library, self._back)
        self._terms = terms
        self.not_on_tape = 0
        self._supposed: dict[str, None] = {}
        engine.store.hears_account = False

    def saw(self, record: Record, step: Step) -> None:
        """Take in a record of the tape that the engine has stepped. Those that `core.runs.is_ours` says no to may be
        left out when the machine has stepped them."""
        self._watch.saw(record, step)

    @property
    def cash(self) -> int:
        """Money there is now, what backs resting orders included."""
        return self.exchange.engine.reads.balance(ACCOUNT).balance

    def positions(self) -> dict[str, tuple[int, int]]:
        """By market: contracts held (+ yes, - no), and what they cost."""
        return {held.market: (held.position, held.cost) for held in self.exchange.engine.reads.holdings(ACCOUNT)}

    def assumptions(self) -> list[str]:
        """What was supposed, in sentences."""
        said = [f"queue model {self._terms.queue}", *self._delays.assumptions(), *_ASSUMED]
        if self._supposed:
            said.append(
                "requests to which the tape has no answer were answered with what it told otherwise, else as supposed: "
                f"{', '.join(list(self._supposed)[:4])}"
            )
        if self.not_on_tape:
            said.append(f"{self.not_on_tape} requests by REST had no answer on the tape")
        return said + self.exchange.facts.assumptions()

    # ------------------------------------------------------------------ what is due

    @property
    def next_ns(self) -> int:
        """When something is due next, NEVER = nothing is."""
        own_ns = self.exchange.engine.next_due_ns
        return min(self._agenda.next_ns, NEVER if own_ns is None else own_ns)

    def do(self, seq: int) -> list[Made]:
        """Do what is due next, after the tape's record of that seq; what the run is told then."""
        self._teller.seq = seq
        own_ns = self.exchange.engine.next_due_ns
        if own_ns is not None and own_ns <= self._agenda.next_ns:
            self.exchange.engine.advance(own_ns)
            self._teller.news(own_ns, "", self._back)
        else:
            at_ns, task = self._agenda.take()
            task(at_ns)
        return self._teller.take()

    # ------------------------------------------------------------------ what the run does

    def begin(self, seq: int, now_ns: int) -> None:
        """A session begins: what rests of the one before is cancelled."""
        exchange, engine = self.exchange, self.exchange.engine
        self._teller.seq = seq
        exchange.listing.pause(None, now_ns)
        engine.cancel_all(ACCOUNT, now_ns)
        self._teller.news(now_ns, "", self._back, is_mute=True)
        self._teller.forget()
        for own in list(exchange.orders.values()):
            exchange.forget(own)  # on its way, and never there
        for book in exchange.books.values():
            book.clear()

    def fuse(self, limit: int, now_ns: int) -> None:
        """A run begins whose orders have this limit together; see `core.actions.RunTerms.group_limit`."""
        self.exchange.fuse(limit, now_ns)

    def opening(self) -> list[Made]:
        """What a run asks first, and is told at once."""
        return [words.made(Kind.REST, self._teller.desk.ask(asked, "the account before the run")) for asked in OPENING]

    def decided(self, decision: Decision, now_ns: int) -> None:
        """A decision was taken."""
        if decision.refused:
            return
        action, number = decision.action, decision.number
        key = getattr(action, "client_order_id", "")
        trip = self._delays.trip(f"{key}/{number}")
        at_ns = now_ns + trip.out_ns
        match action:
            case Place():
                own = Own(key, decision.strategy, action.market, action.side, action.price, now_ns)
                self.exchange.announce(own)
                self._agenda.plan(at_ns, partial(self._placed, number, action, own, trip))
            case Amend():
                self.exchange.announce_amendment(action)
                self._agenda.plan(at_ns, partial(self._amended, number, action, trip))
            case Cancel():
                self._agenda.plan(at_ns, partial(self._cancelled, number, action, trip))
            case Fetch():
                self._agenda.plan(at_ns, partial(self._fetched, number, action, trip))
            case _:
                pass  # the tape holds what it holds, and words are for people

    def _placed(self, number: int, action: Place, own: Own, trip: Trip, now_ns: int) -> None:
        book = self.exchange.book(own.market)
        self._listener(
            told.Arrived(
                at_ns=now_ns, client_order_id=own.key, strategy=own.strategy, market=own.market, side=own.side,
                price=action.price, count=action.count, post_only=action.post_only, ioc=action.ioc,
                decided_ns=own.decided_ns, trusted=not book.is_lost,
            )
        )  # fmt: skip
        answer = self.exchange.place(own, action, now_ns)
        refused = answer.code if isinstance(answer, Refusal) else ""
        self._answer(number, action, answer, trip, now_ns)
        if refused:
            self._listener(told.Ended(now_ns, own.key, f"refused:{refused}"))
        if isinstance(answer, Placed):
            self.exchange.lay(None, answer.order, now_ns)

    def _amended(self, number: int, action: Amend, trip: Trip, now_ns: int) -> None:
        before = self.exchange.before(action.client_order_id)
        answer = self.exchange.amend(action, now_ns)
        self._answer(number, action, answer, trip, now_ns)
        if isinstance(answer, Placed):
            self.exchange.lay(before, answer.order, now_ns)

    def _cancelled(self, number: int, action: Cancel, trip: Trip, now_ns: int) -> None:
        self._answer(number, action, self.exchange.cancel(action, now_ns), trip, now_ns)

    def _answer(
        self, number: int, action: Place | Amend | Cancel, answer: words.Answer, trip: Trip, now_ns: int
    ) -> None:
        told_ns, then = now_ns + trip.back_ns, None
        if isinstance(action, Place):
            refused = answer.code if isinstance(answer, Refusal) else ""
            then = told.Answered(told_ns, action.client_order_id, refused)
        self._teller.answer(told_ns, [words.made(Kind.OUTCOME, words.outcome(number, action, answer))], then)
        self._teller.news(now_ns, TOOK, lambda _: trip.back_ns)

    def _fetched(self, number: int, action: Fetch, trip: Trip, now_ns: int) -> None:
        told_ns, why = now_ns + trip.back_ns, f"decision {number}"
        call: RestCall | None = None
        if action.path.startswith("/portfolio/"):
            call = self._teller.desk.ask(action, why, trip.out_ns + trip.back_ns)
        elif (found := self._library.find(action)) is not None:
            took_ns = max(told_ns - found[1], 0)  # so that it is known to be as old as it is
            call = msgspec.structs.replace(found[0], path=path_of(action), why=why, took_ns=took_ns)
        elif (answer := supposed(action, self._terms, self.exchange.facts, now_ns)) is not None:
            call = msgspec.structs.replace(answer, why=why, took_ns=trip.out_ns + trip.back_ns)
            self._supposed[action.path] = None
        else:
            self.not_on_tape += 1
        self._teller.answer(told_ns, words.fetched(number, call))

    def _back(self, what: str) -> int:
        return self._delays.trip(what).back_ns


def _nobody(_happening: told.Happening) -> None:
    pass
