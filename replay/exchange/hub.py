"""The middle of the exchange: commands in, numbered frames out, one queue for each session. Sans I/O.

Knows sessions and subscriptions. Must not know sockets, books or keys; time comes from the clock it is given.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from replay.exchange.desk import Desk
from replay.exchange.framing import BINARY, close_payload, frame
from replay.exchange.options import CURRENT, ServerOptions
from replay.exchange.outbox import Ending, Outbox, Wire
from replay.exchange.port import ABNORMAL, UNSEQUENCED, Audience, Publication, Template, Venue
from replay.exchange.sessions import Index, Session, Subscription

ROOM_FRAMES: Final = 2_048
"""A queue shorter than this has room: a few writes' worth, so that a venue that waits never starves a writer."""

BREATH_CALLS: Final = 256
"""How often a venue may find room at once before the others get a turn."""


class Meddler(Protocol):
    """What faults need to get between the hub and the queues."""

    def admits(self, subscription: Subscription, market: str) -> bool:
        """Before a data frame is numbered: False = it never happens for this subscription."""

    def data(self, subscription: Subscription, market: str, payload: bytes) -> None:
        """Put a numbered data frame, or what becomes of it, into its session's queue."""

    def command(self, session: Session) -> None:
        """A command of this session is about to be carried out; its number is session.commands."""

    def reply(self, session: Session, payload: bytes) -> None:
        """Put a reply, or what becomes of it, into the session's queue."""

    def outlives(self, subscription: Subscription) -> bool:
        """True = frames of this ended subscription still come for a while; the meddler ends that."""


class Hub(Audience):
    """All sessions of one server."""

    def __init__(self, venue: Venue, options: ServerOptions, now_ns: Callable[[], int]) -> None:
        self._options = options
        self._now_ns = now_ns
        self.index = Index()
        self.desk = Desk(self, self.index, venue, limits=options.limits, ts_ms=self._ts_ms)
        self.meddler: Meddler | None = None
        self.sessions: dict[int, Session] = {}
        self.past: list[Session] = []
        self._opened = 0
        self._room = asyncio.Event()
        self._calls = 0
        self._on_subscribed: list[Callable[[], None]] = []
        self._rates: dict[int, tuple[int, int]] = {}

    def join(self, account: str, wake: Callable[[], None]) -> Session:
        """A client has connected; `wake` is called whenever its queue has got something."""
        self._opened += 1
        out = Outbox(keeps=self._options.keep_frames, wake=wake)
        session = Session(self._opened, account, out, self._now_ns())
        self.sessions[session.number] = session
        return session

    def leave(self, session: Session) -> None:
        """The connection is gone; what it was sent stays countable."""
        self._silence(session)
        if self.sessions.pop(session.number, None) is not None:
            self.past.append(session)
        self._rates.pop(session.number, None)
        self._room.set()

    def receive(self, session: Session, text: str | bytes) -> None:
        """Carry out a command; its replies and first frames are queued when this returns."""
        session.commands += 1
        if self.meddler is not None:
            self.meddler.command(session)
        if self._is_too_fast(session):
            self.desk.busy(session, text)
        else:
            self.desk.receive(session, text)

    def publish(self, publication: Publication) -> None:
        """Number the frame for each subscription that wants it and queue it there."""
        limit = self._options.limits.queue_frames
        late: list[Subscription] = []
        market, account = publication.market, publication.account
        for subscription in self.index.wanting(publication.channel, market):
            session, terms = subscription.session, subscription.terms
            if account and account != session.account:
                continue
            if terms.shard_factor and not terms.takes(market):
                continue
            if limit and len(session.out) >= limit:
                late.append(subscription)
                continue
            self.deliver(subscription, _fitting(publication, subscription), market)
        for subscription in late:
            self.desk.kill(subscription, 25)

    def deliver(self, subscription: Subscription, template: Template, market: str) -> None:
        """Number a data frame for this subscription and queue it."""
        meddler, session = self.meddler, subscription.session
        if meddler is not None and not meddler.admits(subscription, market):
            return
        if template.between is not None:
            subscription.seq += 1
        payload = template.render(subscription.sid, subscription.seq)
        session.data_frames += 1
        if meddler is None:
            session.out.put(payload)
        else:
            meddler.data(subscription, market, payload)

    def skip(self, channel: str, count: int) -> None:
        """Leave so many numbers out on every subscription of a sequenced channel."""
        if channel not in UNSEQUENCED:
            for subscription in self.index.wanting(channel, ""):
                subscription.seq += count

    def broadcast(self, payload: bytes, *, binary: bool = False) -> None:
        """Queue these very bytes for every session."""
        item = Wire(BINARY, payload, frame(BINARY, payload)) if binary else payload
        for session in self.sessions.values():
            session.out.put(item)

    def reply(self, session: Session, payload: bytes) -> None:
        """Queue a reply."""
        if self.meddler is None:
            session.out.put(payload)
        else:
            self.meddler.reply(session, payload)

    def subscribed(self) -> None:
        """Tell who asked to be told that a subscription has grown."""
        for call in self._on_subscribed:
            call()

    def ended(self, subscription: Subscription) -> None:
        """A client ended a subscription: a fault may let its frames go on for a while."""
        if self.meddler is not None and self.meddler.outlives(subscription):
            self.index.add(subscription)

    async def drained(self) -> None:
        """Return when every client's queue has room; gives the others a turn now and then in any case."""
        self._calls += 1
        if self._calls % BREATH_CALLS == 0:
            await asyncio.sleep(0)
        while any(len(session.out) >= ROOM_FRAMES for session in self.sessions.values()):
            self._room.clear()
            await self._room.wait()

    def moved(self, session: Session) -> None:
        """Some of the session's queue has been written."""
        if len(session.out) < ROOM_FRAMES:
            self._room.set()

    def end(self, session: Session, ending: Ending) -> None:
        """End a session after what is queued; nothing is published to it any more."""
        self._silence(session)
        session.out.put(ending)

    def disconnect_all(self, code: int = 0, reason: str = "") -> None:
        """End every session: by a close frame, (code 0) by a TCP reset, (code 1006) by the end of TCP without one."""
        if code == ABNORMAL:
            ending = Ending()
        else:
            ending = Ending(payload=close_payload(code, reason)) if code else Ending(reset=True)
        for session in tuple(self.sessions.values()):
            self.end(session, ending)

    @property
    def subscriptions(self) -> int:
        """How many subscriptions there are now, over all sessions."""
        return self.index.count

    def on_subscribed(self, call: Callable[[], None]) -> None:
        """Call this after every command that added a market or a channel to a subscription."""
        self._on_subscribed.append(call)

    def _silence(self, session: Session) -> None:
        for subscription in tuple(session.by_sid.values()):
            self.index.remove(subscription)
            session.close(subscription)

    def _ts_ms(self) -> int | None:
        return self._now_ns() // 1_000_000 if self._options.dialect == CURRENT else None

    def _is_too_fast(self, session: Session) -> bool:
        limit = self._options.limits.commands_per_s
        second, count = self._rates.get(session.number, (0, 0))
        now_s = self._now_ns() // 1_000_000_000
        count = count + 1 if second == now_s else 1
        self._rates[session.number] = now_s, count
        return bool(limit) and count > limit


def _fitting(publication: Publication, subscription: Subscription) -> Template:
    """Which of a publication's templates this subscription is shown."""
    yes = subscription.terms.use_yes_price
    if publication.owner and publication.owner == subscription.session.account:
        if yes and publication.owner_yes_template is not None:
            return publication.owner_yes_template
        if publication.owner_template is not None:
            return publication.owner_template
    if yes and publication.yes_template is not None:
        return publication.yes_template
    return publication.template
