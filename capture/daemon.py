"""The recorder that is left running: starts everything in order, watches, and stops everything in order.

Knows the parts and their order. Must not know what any of them does. Once started it ends only by a signal, by its
time, or because the deck gave up (a key that is refused, or a limit of tries that the operator set).
"""

import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec

from capture.answer_log import AnswerLog
from capture.api import Api
from capture.auth import Credentials
from capture.catalogue import Catalogue
from capture.deck import Deck, DeckOptions
from capture.discovery import Discovery, Found
from capture.environments import Environment
from capture.following import unfinished
from capture.inbox import Inbox
from capture.keeper import Hands, Keeper
from capture.lost_books import LostBooks
from capture.maintenance import Poller
from capture.overview import Overview, Parts
from capture.reporting import Reporter
from capture.rest import RestClient, RestOptions
from capture.roster import Roster
from capture.selection import PUBLIC_CHANNELS, Selection
from capture.signals import StopSignals
from capture.space import DiskWatch
from capture.startup import new_session, open_writer, require_writable
from capture.status import DaemonStatus, State, TradeStatus, Watcher, format_span
from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from capture.tape.writer import TapeWriter
from capture.trading.wanted import Wanted
from capture.warming import warm
from capture.wire import WireLimits
from core.errors import ConfigError, ExchangeError
from core.records import Control, Kind, Session, encode_payload

EVERY_S: Final = 1.0
"""How often the status is made: what a terminal shows, and what watchers see."""

STOP_S: Final = 1.5
"""What the connections get of the 2 s within which everything received has to be durable (RELIABILITY P11)."""

REST_TRIES: Final = 3
"""At one request: what is not answered then is asked for again later, and a start without a network soon says so."""

FOLD_REST_S: Final = 0.05
"""The fold repairs and keeps books here, which nobody waits for: the thread that wakes for every frame costs half as
much again as the one that wakes twenty times a second."""

COMPANION_S: Final = 30.0
"""What strategies that lag get to take in the last records, which are durable by then; the tape is sealed after it."""

JOIN_S: Final = 0.2
"""What a thread that was told to end, and whose request was aborted, gets to do so; it appends nothing that matters."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why recording stops. exit_code: 0 = as it was told to."""

    why: str
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What to record, where, and how.

    for_s: stop after so long, 0 = never. rest_share: the part of the account's REST budget that is ours. max_tries: of
    a connection in a row before giving up, 0 = for ever. ca_file: trusted instead of the system's authorities;
    ConfigError when there is none.
    """

    environment: Environment
    tape: Path
    selection: Selection
    channels: tuple[str, ...] = PUBLIC_CHANNELS
    connections: int = 1
    for_s: float = 0.0
    rest_share: float = 1.0
    max_tries: int = 0
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ConfigError(f"--ca-file {self.ca_file}: there is no such file; give a PEM file of authorities")

    def described(self) -> dict[str, object]:
        """What the configuration's digest is made of; nothing here is secret."""
        return {
            "environment": self.environment.name,
            "markets": self.selection.markets,
            "series": self.selection.series,
            "events": self.selection.events,
            "all": self.selection.everything,
            "combos": self.selection.combos,
            "channels": self.channels,
            "connections": self.connections,
            "for_s": self.for_s,
            "rest_share": self.rest_share,
            "max_tries": self.max_tries,
        }


class Companion(Protocol):
    """What a recorder may have beside it: a run of strategies. Called in this order, by the main thread."""

    def session(self, session: Session) -> Session:
        """The session with what else it has to say."""

    def assemble(
        self, writer: TapeWriter, deck: Deck, client: RestClient, wanted: Wanted, note: Callable[[str], None]
    ) -> None:
        """Put it together."""

    def start(self) -> None:
        """Begin; the deck has begun."""

    @property
    def summary(self) -> TradeStatus:
        """What it does now, for the status; never waits."""

    @property
    def fatal(self) -> str:
        """Why recording has to end with it, "" = it has not to."""

    def wind_down(self) -> None:
        """End what it does out there; connections and REST are still there."""

    def stop(self, timeout_s: float) -> None:
        """End; nothing more comes onto the tape but what it says itself."""

    @property
    def exit_code(self) -> int:
        """The program's, if recording itself went well."""

    def last_words(self) -> list[str]:
        """What there is to say at the end."""


class Daemon:
    """One run of the recorder, in the main thread. `run` is called once. companion: what runs beside it, if any."""

    def __init__(
        self,
        options: CaptureOptions,
        credentials: Credentials,
        reporter: Reporter,
        watchers: Sequence[Watcher] = (),
        companion: Companion | None = None,
    ) -> None:
        self._companion = companion
        self._options = options
        self._credentials = credentials
        self._reporter = reporter
        self._watchers = list(watchers)
        self._inbox = Inbox()
        self._answers = AnswerLog()
        rest = RestOptions(share=options.rest_share, ca_file=options.ca_file, max_tries=REST_TRIES)
        self._client = RestClient(options.environment, credentials, self._answers, rest)
        self._api = Api(self._client)
        self._discovery = Discovery(options.selection, Catalogue(self._api))

    def run(self) -> DaemonStatus:
        """Record until told to stop; the last status, whose exit_code is the program's.

        Raises TapedeckError when recording cannot begin; then nothing was recorded.
        """
        options = self._options
        with contextlib.ExitStack() as undo:
            undo.callback(self._client.close)
            require_writable(options.tape, options.environment.name)
            self._learn_limits()
            warm(self._reporter.note)  # after the key was accepted: a refusal is told without it
            found = self._discovery.survey(time.time_ns())
            signals = undo.enter_context(StopSignals())
            session = new_session(options.environment.name, options.described())
            if self._companion is not None:
                session = self._companion.session(session)
            writer = open_writer(options.tape, session)
            undo.callback(_close, writer)
            self._answers.attach(writer)
            parts = self._assemble(writer)
            overview = Overview(parts, str(options.tape), options.environment.name, session.uuid)
            self._say_begun(writer, found)
            self._start(parts, found)
            why = self._watch(parts, overview, signals)
            return self._stop(parts, overview, why)

    def _learn_limits(self) -> None:
        """What the account may ask for; also the first proof that the key is accepted. Raises AuthError when not."""
        with contextlib.suppress(ExchangeError):  # then the smallest tier's limits hold
            self._api.limits()

    def _assemble(self, writer: TapeWriter) -> Parts:
        options = self._options
        deck_options = DeckOptions(
            connections=options.connections,
            channels=options.channels,
            max_tries=options.max_tries,
            fold_rest_s=FOLD_REST_S,
            limits=WireLimits(ca_file=options.ca_file),
        )
        deck = Deck(writer, options.environment, self._credentials, deck_options, on_step=self._inbox)
        books = LostBooks(self._api, deck.read)
        wanted = Wanted(deck.want)
        hands = Hands(
            Catalogue(self._api),
            self._answers,
            self._inbox,
            writer,
            lambda markets: wanted.say("selection", markets),
            lost_books=books,
        )
        companion = self._companion
        if companion is not None:
            companion.assemble(writer, deck, self._client, wanted, self._reporter.note)
        return Parts(
            writer=writer,
            client=self._client,
            deck=deck,
            keeper=Keeper(Roster(options.selection), self._discovery, hands),
            poller=Poller(self._api, writer),
            answers=self._answers,
            inbox=self._inbox,
            disk=DiskWatch(options.tape, time.time_ns()),
            reporter=self._reporter,
            trading=None if companion is None else lambda: companion.summary,
        )

    def _start(self, parts: Parts, found: tuple[Found, ...]) -> None:
        """The markets first, so that the first connection subscribes to all of them."""
        parts.keeper.begin(found, self._left_over(parts.writer))
        parts.deck.start()
        if self._companion is not None:
            self._companion.start()
        parts.keeper.start()
        parts.poller.start()

    def _left_over(self, writer: TapeWriter) -> tuple[str, ...]:
        """Markets of earlier sessions whose result is not on the tape."""
        try:
            return unfinished(Tape.open(self._options.tape), writer.session_seq)
        except TapeError as error:
            self._reporter.note(f"what earlier sessions left without a result cannot be read: {error}")
            return ()

    def _watch(self, parts: Parts, overview: Overview, signals: StopSignals) -> Ending:
        """Until there is a reason to stop: which one."""
        for_s, begun_s = self._options.for_s, time.monotonic()
        while True:
            left_s = begun_s + for_s - time.monotonic() if for_s else EVERY_S
            if signals.wait(min(max(left_s, 0.0), EVERY_S)):
                return Ending(signal.Signals(signals.received).name)
            if for_s and time.monotonic() - begun_s >= for_s:
                return Ending(f"{format_span(for_s)} are over")
            if parts.deck.fatal:
                return Ending(parts.deck.fatal, exit_code=2)
            if self._companion is not None and self._companion.fatal:
                return Ending(self._companion.fatal, exit_code=self._companion.exit_code or 1)
            self._show(overview.status())

    def _stop(self, parts: Parts, overview: Overview, ending: Ending) -> DaemonStatus:
        """Everything received is durable within 2 s; then the tape is sealed, however long that takes."""
        companion = self._companion
        if companion is not None:
            companion.wind_down()
        last = overview.status(State.STOPPING)
        self._show(last)
        parts.keeper.stop()
        parts.poller.stop()
        self._client.abort()
        with contextlib.suppress(TapeError):
            parts.writer.append(Kind.CONTROL, encode_payload(Control("stop", detail=ending.why)))
        parts.deck.stop(STOP_S)
        parts.keeper.join(JOIN_S)
        parts.poller.join(JOIN_S)
        if companion is not None:
            companion.stop(COMPANION_S)
        problem = _close(parts.writer)
        code = ending.exit_code or (2 if problem else 0)
        if companion is not None:
            for line in companion.last_words():
                self._reporter.note(line)
            code = code or companion.exit_code
        why = ending.why if ending.exit_code else problem
        status = overview.status(State.STOPPED, why, exit_code=code)
        # that our own goodbye ends the connections is no gap anybody has to hear of
        status = msgspec.structs.replace(status, gaps=last.gaps, open_gaps=last.open_gaps)
        self._show(status)
        self._reporter.stopped(status)
        return status

    def _say_begun(self, writer: TapeWriter, found: tuple[Found, ...]) -> None:
        options, note = self._options, self._reporter.note
        if writer.recovery is not None:
            for line in (*writer.recovery.actions, *writer.recovery.problems):
                note(f"recovery: {line}")
        how = "new tape" if writer.recovery is None else "going on with the tape"
        markets = f"{len(found):,} markets" if self._companion is None else "the markets that strategies ask for"
        note(
            f"recording {options.environment.name} into {options.tape} ({how}): {markets}, "
            f"channels {', '.join(options.channels)}"
        )

    def _show(self, status: DaemonStatus) -> None:
        """To the reporter and every watcher; one that raises is said once and not called again."""
        if status.state is not State.STOPPED:
            self._reporter.status(status)
        for watcher in list(self._watchers):
            try:
                watcher(status)
            except Exception as error:  # whatever it is for, recording is worth more
                self._watchers.remove(watcher)
                self._reporter.note(f"a watcher of the status failed and is left out from now on: {error!r}")


def _close(writer: TapeWriter) -> str:
    """Seal the tape; what went wrong, "" = nothing. More than once is fine."""
    try:
        writer.close()
    except TapeError as error:
        return str(error)
    return ""
