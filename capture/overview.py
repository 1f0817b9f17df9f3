"""The daemon's status, put together from its parts once a second.

Knows what each part tells of itself. Must not know how it is shown, nor change anything.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from capture.answer_log import AnswerLog
from capture.deck import Deck, DeckStatus, SlotStatus
from capture.inbox import Inbox
from capture.keeper import Keeper
from capture.link import LinkState
from capture.maintenance import Poller
from capture.reporting import Reporter
from capture.rest import RestClient
from capture.space import DiskWatch
from capture.status import DaemonStatus, DiskStatus, GapStatus, LinkStatus, State, TradeStatus
from capture.tape.writer import TapeWriter
from core.gaps import Gap

RATE_S: Final = 5
"""Seconds over which frames a second are counted."""

START_NS: Final = 60 * 10**9
"""So long a start may take before a connection that is not up is trouble."""

SKEW_NS: Final = 5 * 10**9
"""A clock that is off by more is remarked upon: 10 s are taken by the exchange, 30 s are not (protocol 2.4)."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the daemon is made of. trading: tells of the strategies beside it, None = there are none."""

    writer: TapeWriter
    client: RestClient
    deck: Deck
    keeper: Keeper
    poller: Poller
    answers: AnswerLog
    inbox: Inbox
    disk: DiskWatch
    reporter: Reporter
    trading: Callable[[], TradeStatus] | None = None


class Overview:
    """Makes a status whenever it is asked to; one thread asks."""

    def __init__(self, parts: Parts, tape: str, environment: str, session: str) -> None:
        self._parts = parts
        self._blank = DaemonStatus(
            at_ns=0,
            started_ns=time.time_ns(),
            tape=tape,
            environment=environment,
            session=session,
            state=State.STARTING,
        )
        self._counted: deque[tuple[int, int]] = deque(maxlen=RATE_S + 1)  # (monotonic ns, frames)
        self._was_up = False

    def status(self, ending: State | None = None, why: str = "", exit_code: int = 0) -> DaemonStatus:
        """The status now. `ending`: STOPPING or STOPPED, when that is so, with why and the exit code."""
        parts, now_ns = self._parts, time.time_ns()
        deck = parts.deck.status()
        disk = parts.disk.look(now_ns, parts.writer.problem)
        self._was_up = self._was_up or all(slot.link.state is LinkState.UP for slot in deck.slots)
        state = ending or self._state(deck, disk, now_ns)
        if not ending:
            why = self._why(deck, disk, state)
        return msgspec.structs.replace(
            self._blank,
            at_ns=now_ns,
            state=state,
            healthy=state is State.RECORDING,
            why=why,
            frames=deck.counts.frames,
            bytes=parts.inbox.bytes,
            frames_per_s=self._rate(deck.counts.frames),
            markets=max(parts.keeper.markets, deck.wanted),  # strategies want some of their own
            refused=len(_refused(deck)),
            followed=parts.keeper.followed,
            links=tuple(map(_link, deck.slots)),
            open_gaps=tuple(map(_gap, deck.open_gaps)),
            gaps=deck.gaps,
            head_seq=deck.head_seq,
            durable_seq=deck.durable_seq,
            lag_records=deck.lag_records,
            disk=disk,
            rest=parts.answers.status(
                paused=parts.poller.is_paused,
                clock_offset_ns=parts.client.clock_offset_ns,
                unread=sum(tuple(parts.client.unread.values())),  # a copy: other threads add reasons
            ),
            key_refused=parts.answers.key_refused or any(slot.link.is_key_refused for slot in deck.slots),
            malformed=sum(deck.counts.malformed.values()),
            rejected=sum(deck.counts.rejected.values()),
            unknown=sum(deck.counts.unknown.values()),
            lost_lines=parts.reporter.lost,
            exit_code=exit_code,
            trading=None if parts.trading is None else parts.trading(),
        )

    def _state(self, deck: DeckStatus, disk: DiskStatus, now_ns: int) -> State:
        if disk.problem:
            return State.UNHEALTHY
        if self._parts.poller.is_paused:
            return State.MAINTENANCE
        if deck.healthy:
            return State.RECORDING
        is_new = not self._was_up and now_ns - self._blank.started_ns < START_NS
        return State.STARTING if is_new else State.UNHEALTHY

    def _why(self, deck: DeckStatus, disk: DiskStatus, state: State) -> str:
        troubles = (disk.problem or "; ".join(deck.why_not)) if state is not State.RECORDING else ""
        return "; ".join(filter(None, (troubles, self._remark(deck))))

    def _remark(self, deck: DeckStatus) -> str:
        """What an operator should look at although recording is all right, "" = nothing."""
        parts = self._parts
        offset_ns = parts.client.clock_offset_ns or 0
        remarks = [
            parts.keeper.problem if parts.keeper.faults else "",
            parts.poller.problem,
            f"news of markets is not heard any more: {deck.hook}" if deck.hook else "",
        ]
        if abs(offset_ns) > SKEW_NS:
            way = "behind" if offset_ns > 0 else "ahead of"
            remarks.append(f"this clock is more than {SKEW_NS // 10**9} s {way} the exchange's: set it right")
        return "; ".join(filter(None, remarks))

    def _rate(self, frames: int) -> float:
        """Frames a second over the last seconds."""
        now_ns = time.monotonic_ns()
        self._counted.append((now_ns, frames))
        then_ns, before = self._counted[0]
        return (frames - before) * 1e9 / (now_ns - then_ns) if now_ns > then_ns else 0.0


def _refused(deck: DeckStatus) -> frozenset[str]:
    """The markets that cannot be had on at least one channel."""
    refused = {market for market, _ in deck.unplaced}
    for slot in deck.slots:
        for subscription in slot.talk.subscriptions:
            refused.update(market for market, _ in subscription.refused)
    return frozenset(refused)


def _link(slot: SlotStatus) -> LinkStatus:
    link = slot.link
    return LinkStatus(
        slot=link.slot,
        state=link.state.value,
        up=link.state is LinkState.UP,
        number=link.connection,
        tries=link.tries,
        subscriptions=sum(subscription.is_live for subscription in slot.talk.subscriptions),
        heard_age_s=round(slot.heard_age_s, 3),
        error=link.last_error,
    )


def _gap(gap: Gap) -> GapStatus:
    return GapStatus(
        number=gap.number,
        reason=gap.reason,
        since_ns=gap.at_ns,
        connection=gap.connection,
        markets=len(gap.markets),
    )
