"""The live deck: connections that record, the fold that keeps their subscriptions and books right, the heartbeat.

Knows how these are put together, started and stopped in order, and when all of it is healthy. Must not know what is
done with a step, nor where the wanted markets come from.
"""

import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from capture.auth import Credentials
from capture.environments import Environment
from capture.fold import Fold
from capture.hook import Hook, OnStep
from capture.limits import DEFAULT_LIMITS, WireLimits
from capture.link import Link, LinkState, LinkStatus, Taken, TakenTexts
from capture.pulse import Pulse
from capture.tape.errors import DiskError
from capture.tape.writer import TapeWriter
from capture.wire import Wire
from core.commands import MARKET_CHANNELS
from core.conversation import DeskOptions
from core.desk import DeskStatus as SlotTalk
from core.desks import UNWANT, WANT, Desks
from core.engine import Counts
from core.gaps import Gap
from core.records import Control, Kind, encode_payload
from core.views import ConnectionView, MarketView

WS_PATH: Final = "/trade-api/ws/v2"
"""What the signature of an upgrade covers (protocol 2.2)."""

HEARD_S: Final = 30.0
"""Healthy means that bytes came within this (RELIABILITY P16); so for the durable seq."""

MARKETS_PER_CONTROL: Final = 2_000
"""Markets named by one CONTROL record: some 60 kB."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeckOptions:
    """How to record. Times in seconds; see core.conversation.DeskOptions and capture.limits.WireLimits.

    connections: markets are split over so many. max_tries: of a connection in a row before giving up, 0 = for ever.
    fold_rest_s: the fold, and with it `on_step`, takes up what came once in so long; 0 = each record at once.
    """

    connections: int = 1
    channels: tuple[str, ...] = MARKET_CHANNELS
    use_yes_price: bool = False
    data_deadline_s: float = 120.0
    ack_wait_s: float = 10.0
    snapshot_wait_s: float = 10.0
    probe_wait_s: float = 10.0
    audit_quiet_s: float = 900.0
    audit_every_s: float = 30.0
    list_every_s: float = 300.0
    markets_per_command: int = 256
    heartbeat_s: float = 1.0
    max_tries: int = 0
    fold_rest_s: float = 0.0
    limits: WireLimits = DEFAULT_LIMITS

    def desk(self) -> DeskOptions:
        """What of it concerns the conversation."""
        names = DeskOptions.__dataclass_fields__
        return DeskOptions(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """One connection slot. heard_age_s: since anything came on its open connection, -1 = there is none."""

    link: LinkStatus
    talk: SlotTalk
    heard_age_s: float


@dataclass(frozen=True, slots=True)
class DeckStatus:
    """The deck at one instant. why_not: every reason why it is not healthy, one sentence each.

    wanted, unplaced: markets, and those that cannot be had with why. gaps: opened since the session began, closed ones
    included. lag_records: that the fold is behind the log's head. now_ns: the tape's time.
    """

    healthy: bool
    why_not: tuple[str, ...]
    fatal: str
    slots: tuple[SlotStatus, ...]
    wanted: int
    unplaced: tuple[tuple[str, str], ...]
    open_gaps: tuple[Gap, ...]
    gaps: int
    counts: Counts
    head_seq: int
    durable_seq: int
    lag_records: int
    now_ns: int
    hook: str = ""


@dataclass(frozen=True, slots=True)
class _Picture:
    """What a status takes from the fold, all of one instant."""

    talks: tuple[SlotTalk, ...]
    connections: tuple[ConnectionView, ...]
    unplaced: tuple[tuple[str, str], ...]
    open_gaps: tuple[Gap, ...]
    gaps: int
    counts: Counts
    now_ns: int


class Deck:
    """Records a session's connections onto its tape; one deck to a session. `start` once, `stop` once.

    on_step: called for every record of the session, in order, in a thread of its own; see capture.hook.
    """

    def __init__(
        self,
        writer: TapeWriter,
        environment: Environment,
        credentials: Credentials,
        options: DeckOptions | None = None,
        *,
        on_step: OnStep | None = None,
    ) -> None:
        self._writer = writer
        self._options = options = DeckOptions() if options is None else options
        self._credentials = credentials
        self._url = environment.ws_url
        self._wanting = threading.Lock()
        self._wanted: dict[str, None] = {}
        self._told: dict[str, None] = {}
        self._is_started = self._is_stopped = False
        self._follower = writer.follow("fold", rest_s=options.fold_rest_s)
        self._hook = None if on_step is None else Hook(on_step, writer)
        numbers = itertools.count(options.connections + 1)
        self._links = [
            Link(
                slot,
                self._url,
                self._make_wire,
                writer,
                numbers=numbers,
                dice=random.Random(),
                max_tries=options.max_tries,
            )
            for slot in range(options.connections)
        ]
        desks = Desks(options.connections, options.desk())
        self._fold = Fold(self._follower, desks, self._links, writer, self._hook)
        self._pulse = Pulse(writer, options.heartbeat_s, lags=self._lags, woke=self._woke, each=self._say_wanted)

    def start(self) -> None:
        """Connect and record from now on."""
        assert not self._is_started, "a deck is started once"
        # another would number its connections alike, and frames of theirs would pass for late ones of the first deck's
        first = self._writer.claims.setdefault("deck", self)
        assert first is self, "one deck to a session: begin another session, or keep the deck"
        self._is_started = True
        if self._hook is not None:
            self._hook.start()
        self._fold.start()
        self._pulse.start()
        for link in self._links:
            link.start()

    def want(self, markets: Sequence[str]) -> None:
        """Record these markets and no others; any thread. It is on the tape, as CONTROL, before it is done."""
        with self._wanting:
            self._wanted = dict.fromkeys(markets)
        self._say_wanted()

    def view(self, market: str) -> MarketView:
        """The frozen picture of a market; any thread."""
        return self._fold.view(market)

    def read(self, what: Callable[[Desks], T]) -> T:
        """What a function makes of the desks and their engine at one instant; any thread. It must change nothing."""
        return self._fold.read(what)

    @property
    def fatal(self) -> str:
        """Why a person has to do something, "" = nobody has to; the deck tries on where trying can still help."""
        if self._fold.failed:
            return f"the fold was stopped by a bug: {self._fold.failed}; report it and start again"
        for link in self._links:
            status = link.status
            if status.is_key_refused:
                return f"the exchange refused the key again and again: {status.last_error}; check it with its owner"
            if status.state is LinkState.GAVE_UP:
                return f"{self._url}: gave up after {status.tries} tries: {status.last_error}"
        return ""

    def status(self) -> DeckStatus:
        """Everything about the deck, now; any thread."""
        picture = self._fold.read(_picture)
        heard = {view.number: view.heard_ns for view in picture.connections if view.is_open}
        slots = tuple(
            SlotStatus(
                link, talk, (picture.now_ns - heard[link.connection]) / 1e9 if link.connection in heard else -1.0
            )
            for link, talk in zip((link.status for link in self._links), picture.talks, strict=True)
        )
        why_not = (*self._troubles(), *_slot_troubles(slots), *_gap_troubles(picture.open_gaps))
        return DeckStatus(
            healthy=not why_not,
            why_not=why_not,
            fatal=self.fatal,
            slots=slots,
            wanted=len(self._wanted),
            unplaced=picture.unplaced,
            open_gaps=picture.open_gaps,
            gaps=picture.gaps,
            counts=picture.counts,
            head_seq=self._writer.head_seq,
            durable_seq=self._writer.durable_seq,
            lag_records=self._follower.lag,
            now_ns=picture.now_ns,
            hook="" if self._hook is None else self._hook.detached,
        )

    def stop(self, timeout_s: float = 2.0) -> None:
        """Say goodbye on every connection and end; everything received is appended. More than once is fine.

        A connection whose peer takes nothing any more is cut when half of the time is over.
        """
        if self._is_stopped:
            return
        self._is_stopped = True
        began_s = time.monotonic()
        until_s, cut_s = began_s + timeout_s, began_s + timeout_s / 2
        # readers, then the fold, then whoever was called by it (RELIABILITY P17)
        for link in self._links:  # each in a thread: a goodbye may have to wait for the peer
            threading.Thread(target=link.stop, name="deck-goodbye", daemon=True).start()
        self._pulse.stop(cut_s - time.monotonic())
        for ended_by_s in (cut_s, until_s - timeout_s / 8):
            for link in self._links:
                if not link.join(ended_by_s - time.monotonic()):
                    link.abort()
        self._fold.stop(until_s - time.monotonic())
        self._follower.close()
        if self._hook is not None:
            self._hook.stop(until_s - time.monotonic())

    def _make_wire(self, taken: Taken, taken_texts: TakenTexts) -> Wire:
        return Wire(self._url, self._headers, taken, self._options.limits, taken_texts=taken_texts)

    def _headers(self) -> dict[str, str]:
        return self._credentials.headers("GET", WS_PATH, time.time_ns() // 1_000_000)

    def _lags(self) -> dict[str, int]:
        lags = {self._follower.name: self._follower.lag}
        return lags if self._hook is None else lags | {"on_step": self._hook.lag}

    def _woke(self, why: str) -> None:
        for link in self._links:
            link.hurry(why)

    def _say_wanted(self) -> None:
        """Put on the tape what is wanted and was not told yet; the next heartbeat tries again if the disk refuses."""
        with self._wanting:
            added = [market for market in self._wanted if market not in self._told]
            removed = [market for market in self._told if market not in self._wanted]
            try:
                for action, markets in ((UNWANT, removed), (WANT, added)):
                    for start in range(0, len(markets), MARKETS_PER_CONTROL):
                        part = tuple(markets[start : start + MARKETS_PER_CONTROL])
                        self._writer.append(Kind.CONTROL, encode_payload(Control(action, part)))
                        for market in part:
                            self._told.pop(market, None)
                        if action == WANT:
                            self._told.update(dict.fromkeys(part))
            except DiskError:
                return

    def _troubles(self) -> list[str]:
        """What is wrong with our own parts, and with the tape."""
        troubles = [trouble for trouble in (self.fatal, self._writer.problem) if trouble]
        parts: dict[str, Fold | Pulse | Link] = {"fold": self._fold, "pulse": self._pulse}
        parts.update({f"link {link.slot}": link for link in self._links})
        if self._is_started and not self._is_stopped:
            troubles += [f"the {name} thread is not running" for name, part in parts.items() if not part.is_alive]
        if self._pulse.failed:
            troubles.append(f"the heartbeat was disturbed by a bug: {self._pulse.failed}")
        if self._pulse.durable_age_s > HEARD_S:
            troubles.append(f"nothing has become durable for {self._pulse.durable_age_s:.0f} s")
        if self._follower.is_lagging:
            troubles.append(f"the fold is {self._follower.lag} records behind")
        return troubles


def _picture(desks: Desks) -> _Picture:
    engine = desks.engine
    gaps = tuple(entry.gap for entry in engine.connections.open_gaps)
    return _Picture(
        desks.status(),
        engine.connections.views(),
        tuple(sorted(desks.placement.unplaced.items())),
        gaps,
        engine.connections.last_gap,
        engine.counts.copy(),
        engine.now_ns,
    )


def _slot_troubles(slots: Sequence[SlotStatus]) -> list[str]:
    troubles = []
    for slot in slots:
        link, name = slot.link, f"connection slot {slot.link.slot}"
        if link.state is not LinkState.UP:
            troubles.append(f"{name} is {link.state}" + (f": {link.last_error}" if link.last_error else ""))
        elif slot.heard_age_s > HEARD_S:
            troubles.append(f"{name} has heard nothing for {slot.heard_age_s:.0f} s")
        elif not slot.talk.is_complete:
            given_up = [f"{s.channel}: {s.given_up}" for s in slot.talk.subscriptions if s.given_up]
            troubles.append(f"{name} is not subscribed to all that is wanted" + "".join(f"; {g}" for g in given_up))
    return troubles


def _gap_troubles(gaps: Sequence[Gap]) -> list[str]:
    return [f"gap {gap.number} ({gap.reason}) is open" for gap in gaps]
