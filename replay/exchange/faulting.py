"""Gets between the hub and the queues: what faults make of frames, commands and replies.

Knows what is due from the arsenal. Must not know sockets or HTTP; what becomes of bytes is in distortions.py.
"""

from replay.exchange import distortions
from replay.exchange.armed import Armed
from replay.exchange.arsenal import Arsenal
from replay.exchange.clock import Clock
from replay.exchange.faults import ACTION, COMMAND, FRAME, KINDS
from replay.exchange.hub import Hub
from replay.exchange.outbox import FOR_EVER, Ending, Item, Pause
from replay.exchange.sessions import Session, Subscription


class _State:
    """What faults have left behind on one session."""

    __slots__ = ("afterwards", "held_back", "late", "loses_replies", "swapped")

    def __init__(self) -> None:
        self.held_back: list[tuple[int, bytes]] = []  # frames that go first (session.data_frames by then), the frame
        self.afterwards: list[Armed] = []  # to act when the command is carried out
        self.swapped: list[tuple[str | bytes, int]] = []  # commands to carry out after the next one, and until when
        self.loses_replies = False
        self.late: dict[int, int] = {}  # sid of an ended subscription, frames still to come


class Saboteur:
    """The hub's meddler."""

    def __init__(self, arsenal: Arsenal, hub: Hub) -> None:
        self._arsenal = arsenal
        self._hub = hub
        self._states: dict[int, _State] = {}
        self._due: list[Armed] = []

    def tick(self) -> None:
        """End what has waited long enough, and forget the sessions that are gone."""
        here = self._hub.lobby.sessions
        self._states = {number: state for number, state in self._states.items() if number in here}
        for session in tuple(here.values()):
            self._carry_out(session, Clock.true_ns())

    def admits(self, subscription: Subscription, market: str) -> bool:
        """Decide what happens to the next data frame, before it is numbered; False = it never happens."""
        if self._arsenal.is_mute(subscription, market):
            return False
        waiting = self._arsenal.armed("frames", "p", "after", "now")
        self._due = [armed for armed in waiting if _hits(armed, subscription, market)]
        if any(armed.fault.kind == "restart" for armed in self._due):
            subscription.seq = 0
        return True

    def data(self, subscription: Subscription, payload: bytes) -> None:
        """Queue a data frame, or what its faults make of it, and act after it."""
        due, self._due = self._due, []
        session = subscription.session
        state = self._state(session)
        items: list[Item] = [payload]
        for armed in due:
            if KINDS[armed.fault.kind].triggers == FRAME:
                self._arsenal.note(armed, session, subscription)
                items = self._distort(armed, items, state, session)
        for item in items:
            session.out.put(item)
        for _, held in [entry for entry in state.held_back if entry[0] <= session.data_frames]:
            session.out.put(held)
        state.held_back = [entry for entry in state.held_back if entry[0] > session.data_frames]
        for armed in due:
            if KINDS[armed.fault.kind].triggers == ACTION:
                self._arsenal.act(armed, session, subscription)
        self._count_late(subscription, state)

    def command(self, session: Session, text: str | bytes) -> bool:
        """A command came; False = it is carried out later."""
        state = self._state(session)
        for armed in tuple(self._arsenal.armed("commands", "p", "now")):
            kind = KINDS[armed.fault.kind]
            concerns = kind.triggers == COMMAND or (kind.triggers == ACTION and armed.fault.trigger == "commands")
            if not concerns or armed.fault.session not in (0, session.number) or not armed.sees(session.number):
                continue
            if kind.triggers == ACTION:
                state.afterwards.append(armed)
                continue
            self._arsenal.note(armed, session)
            if kind.name == "swap":
                state.swapped.append((text, Clock.true_ns() + armed.fault.number("for")))
                return False
            state.loses_replies = True
        return True

    def commanded(self, session: Session) -> None:
        """A command has been carried out: now those that it overtook."""
        state = self._state(session)
        state.loses_replies = False
        afterwards, state.afterwards = state.afterwards, []
        for armed in afterwards:
            self._arsenal.act(armed, session, None)
        self._carry_out(session, FOR_EVER)

    def reply(self, session: Session, payload: bytes) -> None:
        """Queue a reply, unless it is lost."""
        if not self._state(session).loses_replies:
            session.out.put(payload)

    def outlives(self, subscription: Subscription) -> bool:
        """Whether an ended subscription's frames go on for a while."""
        session = subscription.session
        for armed in self._arsenal.armed("unsubscribe"):
            if armed.fits(session.number, subscription.channel, armed.fault.market) and armed.spend(session.number):
                self._state(session).late[subscription.sid] = armed.fault.number("n")
                self._arsenal.note(armed, session, subscription)
                return True
        return False

    def _distort(self, armed: Armed, items: list[Item], state: _State, session: Session) -> list[Item]:
        """What leaves instead of these items, of which the last is the frame, unless a fault took it before."""
        fault, payload = armed.fault, items[-1] if items else None
        if not isinstance(payload, bytes):
            return items
        before = items[:-1]
        match fault.kind:
            case "drop":
                return before
            case "reorder":
                state.held_back.append((session.data_frames + fault.number("n"), payload))
                return before
            case "repeat":
                return [*items, *[payload] * fault.number("n")]
            case "delay":
                return [*before, Pause(fault.number("for")), payload]
            case "oversize" | "unknown" | "malformed":
                return [*before, distortions.novelty(fault), payload]
            case "half" | "giant":
                self._hub.lobby.silence(session)
                return [*before, distortions.broken(payload, fault), Ending(silence=True)]
            case "restart":
                return items
            case _:
                return [*before, distortions.spoilt(payload, fault, armed.dice)]

    def _count_late(self, subscription: Subscription, state: _State) -> None:
        if subscription.sid in state.late:
            state.late[subscription.sid] -= 1
            if state.late[subscription.sid] <= 0:
                del state.late[subscription.sid]
                subscription.session.late.pop(subscription.sid, None)
                self._hub.index.remove(subscription)

    def _carry_out(self, session: Session, now_ns: int) -> None:
        state = self._state(session)
        due = [text for text, until_ns in state.swapped if until_ns <= now_ns]
        state.swapped = [entry for entry in state.swapped if entry[1] > now_ns]
        for text in due:
            self._hub.carry_out(session, text)

    def _state(self, session: Session) -> _State:
        return self._states.setdefault(session.number, _State())


def _hits(armed: Armed, subscription: Subscription, market: str) -> bool:
    """Whether this fault acts on this frame; counts it."""
    session, triggers = subscription.session, KINDS[armed.fault.kind].triggers
    if "frames" not in triggers or not armed.fits(session.number, subscription.channel, market):
        return False
    if armed.fault.trigger == "after":
        return triggers == FRAME and armed.is_due(session.number, Clock.true_ns() - session.opened_ns)
    return armed.sees(session.number)
