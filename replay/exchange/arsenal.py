"""The faults of one server: armed, done at their times where time is the trigger, and written down.

Knows sessions and the exchange's clock. What happens to single frames, commands and requests is done in faulting.py and
rest_faults.py, which ask here.
"""

from collections.abc import Iterator
from random import Random

from replay.exchange.armed import Armed, Injected
from replay.exchange.clock import Clock
from replay.exchange.faults import ACTION, KINDS, Fault
from replay.exchange.framing import close_payload
from replay.exchange.hub import Hub
from replay.exchange.outbox import FOR_EVER, Ending, Pause
from replay.exchange.sessions import Session, Subscription


class Arsenal:
    """One per server. log: what was done, in order."""

    def __init__(self, hub: Hub, clock: Clock, seed: int) -> None:
        self._hub = hub
        self._clock = clock
        self._seed = seed
        self._made = 0
        self._started_ns = Clock.true_ns()
        self._mutes: list[tuple[Armed, int]] = []
        self._jumps: list[tuple[int, int]] = []
        self._armed: list[Armed] = []
        self.log: list[Injected] = []

    def inject(self, fault: Fault) -> None:
        """Arm a fault; one that can act at once, and is to, has acted when this returns."""
        self._made += 1
        armed = Armed(fault, Random(f"{self._seed}:{self._made}:{fault.text}"))
        if fault.trigger == "now" and fault.kind == "clock":
            self.jump(armed)
        elif fault.trigger == "now" and fault.kind == "mute":
            self._mute(armed)
        elif fault.trigger == "now" and _acts(armed):
            for session in self._sessions(armed):
                self.act(armed, session, None)
        else:
            self._armed.append(armed)

    def clear(self) -> None:
        """Disarm everything and undo what lasts: mutes, stalls, suppressed pings, the clock."""
        self._armed.clear()
        self._mutes.clear()
        self._jumps.clear()
        self._clock.offset_ns = 0
        for session in self._hub.lobby.sessions.values():
            session.no_ping_until_ns = session.no_pong_until_ns = 0
            session.out.release()

    def armed(self, *triggers: str) -> Iterator[Armed]:
        """Faults with one of these triggers that may still act, in the order they were armed."""
        return (armed for armed in self._armed if armed.fault.trigger in triggers)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The texts of the faults that may still act."""
        return tuple(armed.fault.text for armed in self._armed)

    def tick(self) -> None:
        """Act where time is the trigger, and end what has lasted long enough."""
        now_ns = Clock.true_ns()
        self._mutes = [mute for mute in self._mutes if mute[1] > now_ns]
        self._clock.offset_ns -= sum(by_ns for until_ns, by_ns in self._jumps if until_ns <= now_ns)
        self._jumps = [jump for jump in self._jumps if jump[0] > now_ns]
        for armed in tuple(self.armed("after")):
            if armed.fault.kind == "clock":
                if armed.is_due(0, now_ns - self._started_ns):
                    self.jump(armed)
            elif _acts(armed):
                for session in self._sessions(armed):
                    if armed.is_due(session.number, now_ns - session.opened_ns):
                        self.act(armed, session, None)
        self._armed = [armed for armed in self._armed if not armed.is_spent]

    def is_mute(self, subscription: Subscription, market: str) -> bool:
        """Whether frames like this do not happen now."""
        number, channel = subscription.session.number, subscription.channel
        return any(armed.fits(number, channel, market) for armed, _ in self._mutes)

    def jump(self, armed: Armed) -> None:
        """Set the exchange's clock wrong."""
        by_ns = armed.fault.number("by")
        self._clock.offset_ns += by_ns
        if armed.fault.number("for"):
            self._jumps.append((_end(armed.fault), by_ns))
        self.note(armed)

    def act(self, armed: Armed, session: Session, subscription: Subscription | None) -> None:
        """Do something to a session: after the frame of this subscription, or (None) at once."""
        fault = armed.fault
        if fault.kind == "error":
            subscription = subscription or _subscription(session, fault.channel)
            if subscription is not None:
                self.note(armed, session, subscription)
                self._hub.desk.kill(subscription, fault.number("code"))
            return
        if fault.kind == "mute":
            self._mute(armed, session, subscription)
            return
        self.note(armed, session, subscription)
        match fault.kind:
            case "stall" if subscription is None:
                session.out.hold(_end(fault))
            case "stall":
                session.out.put(Pause(fault.number("for") or FOR_EVER))
            case "noping":
                session.no_ping_until_ns = _end(fault)
                session.no_pong_until_ns = _end(fault) if fault.word("pongs") == "no" else 0
            case _:
                self._hub.lobby.end(session, _ending(fault))

    def _mute(self, armed: Armed, session: Session | None = None, subscription: Subscription | None = None) -> None:
        """Sessions that open later are no exception, unless the fault is for one session only."""
        self._mutes.append((armed, _end(armed.fault)))
        self.note(armed, session, subscription)

    def note(self, armed: Armed, session: Session | None = None, subscription: Subscription | None = None) -> None:
        """Write down that a fault was done, about this session's latest data frame."""
        self.log.append(
            Injected(
                Clock.true_ns(),
                armed.fault.text,
                armed.fault.kind,
                session.number if session else 0,
                session.data_frames if session else 0,
                subscription.sid if subscription else 0,
                subscription.seq if subscription else 0,
            )
        )

    def _sessions(self, armed: Armed) -> tuple[Session, ...]:
        only = armed.fault.session
        return tuple(session for session in self._hub.lobby.sessions.values() if only in (0, session.number))


def _acts(armed: Armed) -> bool:
    return KINDS[armed.fault.kind].triggers == ACTION


def _end(fault: Fault) -> int:
    for_ns = fault.number("for")
    return Clock.true_ns() + for_ns if for_ns else FOR_EVER


def _ending(fault: Fault) -> Ending:
    if fault.kind == "reset":
        return Ending(reset=True, linger_s=fault.number("grace") / 1e9)
    if fault.kind == "hangup":
        return Ending()
    payload = close_payload(fault.number("code"), fault.word("reason"))
    return Ending(payload=payload, linger_s=fault.number("linger") / 1e9)


def _subscription(session: Session, channel: str) -> Subscription | None:
    """The one of this channel, or the first there is."""
    if channel:
        return session.by_channel.get(channel)
    return next(iter(session.by_sid.values()), None)
