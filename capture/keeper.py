"""Keeps the set of recorded markets and the facts about them up to date, in a thread of its own.

Knows the order of the chores: hear news, discover, look at what is due, say what is wanted, say what is followed. Must
not know how any of them works. Whatever the exchange or the disk does here is tried again later; it never ends the
thread, and recording never waits for it.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from capture.answer_log import AnswerLog
from capture.catalogue import Catalogue
from capture.discovery import Discovery, Found
from capture.facts import DOUBT_S, Due, Facts, Subject
from capture.following import Journal
from capture.inbox import Inbox, News
from capture.link import Appender
from capture.roster import Listed, Roster
from capture.tape.errors import TapeError
from core.errors import AuthError, ExchangeError
from core.messages.types import EventFeeUpdate, EventLifecycle, MarketLifecycle
from core.records import Control, Fault, Kind, encode_payload
from core.times import SECOND_NS

WORK_S: Final = 0.25
"""Between two looks while there are more to take: 40 tokens a second of the smallest tier's 200 (protocol 11.1)."""

IDLE_S: Final = 1.0
"""Between two rounds when nothing is due."""

FAULT_S: Final = 30.0
"""Before the next round after one that was ended by a fault of our own."""

BATCH: Final = 50
"""Tickers asked for at once; the longest fit a URL of 4,000 characters."""

FIRST_NS: Final = 5 * SECOND_NS
"""How long after it was created a market is asked for; sooner, REST may not know it yet (protocol 8.8)."""


class Chore(Protocol):
    """Something more to do once in every round; it may raise ExchangeError and AuthError."""

    def round(self) -> None:
        """Do what is due."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What the keeper works with. want: takes the markets to be subscribed. wall_ns: the wall clock (Unix ns)."""

    catalogue: Catalogue
    answers: AnswerLog
    inbox: Inbox
    writer: Appender
    want: Callable[[tuple[str, ...]], None]
    wall_ns: Callable[[], int] = time.time_ns
    lost_books: Chore | None = None


class Keeper:
    """The chores. problem: the last one that failed, one sentence, "" = the last round went well.

    faults: of our own. markets, followed: see DaemonStatus.
    """

    def __init__(self, roster: Roster, discovery: Discovery, hands: Hands) -> None:
        self.problem = ""
        self.faults = self.markets = self.followed = 0
        self._roster = roster
        self._discovery = discovery
        self._hands = hands
        self._facts = Facts()
        self._journal = Journal()
        self._wanted: tuple[str, ...] | None = None
        self._doubt_ns = 0
        self._alone: set[Due] = set()  # what a question about many left out
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def begin(self, found: tuple[Found, ...], unfinished: tuple[str, ...]) -> None:
        """Start from a survey whose answers are on the tape, and from what earlier sessions left without a result."""
        now_ns = self._hands.wall_ns()
        for ticker in unfinished:
            self._roster.follow(ticker)
            self._facts.need(Subject.MARKET, ticker, now_ns)
        self._take(found, now_ns)
        self._settle(now_ns)

    def start(self) -> None:
        """Go on by itself from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Do no more; returns at once. A request that is under way has to be ended by who owns the client."""
        self._ending.set()

    def join(self, timeout_s: float) -> None:
        """Wait until it has ended, for so long at most."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def round(self) -> bool:
        """One round of chores; True when there is more to do at once."""
        hands, now_ns = self._hands, self._hands.wall_ns()
        news, missed = hands.inbox.take()
        for message in news:
            self._hear(message, now_ns)
        if missed and now_ns >= self._doubt_ns:
            self._doubt_ns = now_ns + 6 * DOUBT_S * SECOND_NS
            self._facts.doubt(now_ns)
        is_busy = False
        try:
            self._take(self._discovery.news(now_ns), now_ns)
            if hands.lost_books is not None:
                hands.lost_books.round()
            is_busy = self._look(now_ns)
            self.problem = ""
        except (ExchangeError, AuthError) as error:
            self.problem = str(error)
        self._settle(hands.wall_ns())
        return is_busy

    def _run(self) -> None:
        wait_s = 0.0
        while not self._ending.wait(wait_s):
            try:
                wait_s = WORK_S if self.round() else IDLE_S
            except Exception as error:  # a fault of our own here must not end what only improves a recording
                self.faults += 1
                self.problem = f"fault in the upkeep of markets: {error!r}; please report it"
                with contextlib.suppress(TapeError):
                    self._hands.writer.append(Kind.FAULT, encode_payload(Fault("keeper", repr(error)[:300])))
                wait_s = FAULT_S

    def _hear(self, message: News, now_ns: int) -> None:
        facts = self._facts
        match message:
            case MarketLifecycle():
                if self._roster.heard(message, now_ns):
                    facts.need(Subject.MARKET, message.market, now_ns + FIRST_NS)
                else:
                    facts.changed(Subject.MARKET, message.market, now_ns)
            case EventLifecycle() | EventFeeUpdate():
                facts.changed(Subject.EVENT, message.event_ticker, now_ns)

    def _take(self, found: tuple[Found, ...], now_ns: int) -> None:
        """Markets that a listing showed: they are on the tape by that, unless the disk refused."""
        for listed, series in found:
            self._found(listed, now_ns, series)

    def _look(self, now_ns: int) -> bool:
        """Ask for what is longest due; True when there was something."""
        due = self._facts.due(now_ns, BATCH)
        if not due:
            return False
        if due[0].subject is Subject.SERIES or due[0] in self._alone:
            due = due[:1]
        due = due[:1] + tuple(one for one in due[1:] if one not in self._alone)
        lost = self._hands.answers.lost
        try:
            if len(due) > 1:
                self._look_at_many(due, now_ns)
            else:
                self._look_at(due[0], now_ns)
        except (ExchangeError, AuthError):
            for one in due:
                self._facts.failed(one, now_ns)
            raise
        if self._hands.answers.lost != lost:
            for one in due:
                self._facts.need(*one, now_ns)
                self._facts.failed(one, now_ns)
        return True

    def _look_at_many(self, due: tuple[Due, ...], now_ns: int) -> None:
        """Markets or events by one question; those that the answer leaves out are asked for one by one from then on."""
        names = [one.name for one in due]
        if due[0].subject is Subject.MARKET:
            markets = {listed.ticker: listed for listed in self._hands.catalogue.markets(names)}
            for name in filter(markets.__contains__, names):
                self._found(markets[name], now_ns)
            self._alone.update(one for one in due if one.name not in markets)
            return
        events = self._hands.catalogue.events(names)
        for name in filter(events.__contains__, names):
            _saw_event(self._facts, name, events[name], now_ns)
        self._alone.update(one for one in due if one.name not in events)

    def _look_at(self, due: Due, now_ns: int) -> None:
        catalogue, facts = self._hands.catalogue, self._facts
        match due.subject:
            case Subject.MARKET:
                listed = catalogue.market(due.name)
                if listed is not None:
                    self._alone.discard(due)
                    self._found(listed, now_ns)
                    return
            case Subject.EVENT:
                series = catalogue.series_of_event(due.name)
                if series is not None:
                    self._alone.discard(due)
                    _saw_event(facts, due.name, series, now_ns)
                    return
            case Subject.SERIES:
                if catalogue.has_series(due.name):
                    catalogue.ask_fees(due.name)
                    facts.saw(Subject.SERIES, due.name, now_ns)
                    return
        if facts.failed(due, now_ns, missing=True):
            return
        self._alone.discard(due)
        if due.subject is Subject.MARKET:
            self._roster.drop(due.name)

    def _found(self, listed: Listed, now_ns: int, series: str = "") -> None:
        self._roster.saw(listed, now_ns, series=series)
        if listed.ticker not in self._roster:
            return
        self._facts.saw_market(listed, now_ns)
        if listed.event:
            self._facts.need(Subject.EVENT, listed.event, now_ns)

    def _settle(self, now_ns: int) -> None:
        """Say what is wanted, and write down what is followed."""
        pruned = self._roster.prune(now_ns)
        for ticker in pruned:
            self._facts.drop(Subject.MARKET, ticker)
            self._alone.discard(Due(Subject.MARKET, ticker))
        if pruned:
            events = frozenset(self._roster.events())
            self._facts.retain(Subject.EVENT, events)
            self._alone -= {one for one in self._alone if one.subject is Subject.EVENT and one.name not in events}
        wanted = self._roster.wanted(now_ns)
        if wanted != self._wanted:
            self._wanted = wanted
            self._hands.want(wanted)
        followed = self._roster.followed()
        self.markets, self.followed = len(wanted), len(followed)
        for control in self._journal.update(followed, now_ns):
            self._append(control)

    def _append(self, control: Control) -> None:
        try:
            self._hands.writer.append(Kind.CONTROL, encode_payload(control))
        except TapeError:
            self._journal.forget()


def _saw_event(facts: Facts, name: str, series: str, now_ns: int) -> None:
    facts.saw(Subject.EVENT, name, now_ns)
    if series:
        facts.need(Subject.SERIES, series, now_ns)
