"""The middle of the exchange: commands in, numbered frames out, one queue for each session. Sans I/O.

Knows sessions and subscriptions. Must not know sockets, books or keys; time comes from the clock it is given.
"""

from collections.abc import Callable
from typing import Protocol

from replay.exchange.desk import Desk
from replay.exchange.framing import BINARY, frame
from replay.exchange.lobby import Lobby
from replay.exchange.options import CURRENT, ServerOptions
from replay.exchange.outbox import Wire
from replay.exchange.port import UNSEQUENCED, Audience, Publication, Template, Venue
from replay.exchange.sessions import Index, Session, Subscription


class Meddler(Protocol):
    """What faults need to get between the hub and the queues."""

    def admits(self, subscription: Subscription, market: str) -> bool:
        """Before a data frame is numbered: False = it never happens for this subscription."""

    def data(self, subscription: Subscription, payload: bytes) -> None:
        """Put a numbered data frame, or what becomes of it, into its session's queue; `admits` came just before."""

    def command(self, session: Session, text: str | bytes) -> bool:
        """A command has come, the session's session.commands-th; False = the meddler carries it out later."""

    def commanded(self, session: Session) -> None:
        """A command of this session has been carried out."""

    def reply(self, session: Session, payload: bytes) -> None:
        """Put a reply, or what becomes of it, into the session's queue."""

    def outlives(self, subscription: Subscription) -> bool:
        """True = frames of this ended subscription still come for a while; the meddler ends that."""


class Hub(Audience):
    """All sessions of one server and what they are sent."""

    def __init__(self, venue: Venue, options: ServerOptions, now_ns: Callable[[], int]) -> None:
        self._options = options
        self._now_ns = now_ns
        self._on_subscribed: list[Callable[[], None]] = []
        self.index = Index()
        self.lobby = Lobby(self.index, keeps=options.keep_frames)
        self.desk = Desk(self, self.index, venue, limits=options.limits, ts_ms=self._ts_ms)
        self.meddler: Meddler | None = None

    def receive(self, session: Session, text: str | bytes) -> None:
        """Take a command; its replies and first frames are queued when this returns, unless a fault is in between."""
        session.commands += 1
        if self.meddler is None:
            self.carry_out(session, text)
        elif self.meddler.command(session, text):
            self.carry_out(session, text)
            self.meddler.commanded(session)

    def carry_out(self, session: Session, text: str | bytes) -> None:
        """Do what a command says."""
        if self.lobby.is_too_fast(session, self._options.limits.commands_per_s):
            self.desk.busy(session, text)
        else:
            self.desk.receive(session, text)

    def publish(self, publication: Publication) -> None:
        """Number the frame for each subscription that wants it and queue it there."""
        limit = self._options.limits.queue_frames
        late: list[Subscription] = []
        market, account = publication.market, publication.account
        wanting = self.index.wanting(publication.channel, market)
        # A fault may end subscriptions while they are walked through; without faults nothing does.
        for subscription in wanting if self.meddler is None else tuple(wanting):
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
            meddler.data(subscription, payload)

    def skip(self, channel: str, count: int) -> None:
        """Leave so many numbers out on every subscription of a sequenced channel."""
        if channel not in UNSEQUENCED:
            for subscription in self.index.wanting(channel, ""):
                subscription.seq += count

    def broadcast(self, payload: bytes, *, binary: bool = False) -> None:
        """Queue these very bytes for every session."""
        item = Wire(BINARY, payload, frame(BINARY, payload)) if binary else payload
        for session in self.lobby.sessions.values():
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
            subscription.session.late[subscription.sid] = subscription
            self.index.add(subscription)

    async def drained(self) -> None:
        """Return when every client's queue has room."""
        await self.lobby.drained()

    def disconnect_all(self, code: int = 0, reason: str = "") -> None:
        """End every session: see Audience."""
        self.lobby.end_all(code, reason)

    @property
    def subscriptions(self) -> int:
        """How many subscriptions there are now, over all sessions."""
        return self.index.count

    def on_subscribed(self, call: Callable[[], None]) -> None:
        """Call this after every command that added a market or a channel to a subscription."""
        self._on_subscribed.append(call)

    def _ts_ms(self) -> int | None:
        return self._now_ns() // 1_000_000 if self._options.dialect == CURRENT else None


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
