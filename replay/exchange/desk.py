"""Carries out a client's commands: who gets which reply, which numbers, which first frames (protocol 4 to 6).

Knows the rules of subscribing. Must not know sockets, faults or where frames come from: it asks the venue.

Chosen where the protocol is silent: what was asked for a filtered channel that is held without a filter changes
nothing; a `subscribe` without markets to a held, filtered channel widens it to all; `add_markets` to an unfiltered
subscription narrows it to what is named; every sid-scoped reply takes a slot, on unsequenced channels too.
"""

from collections.abc import Callable
from typing import assert_never

from replay.exchange.clerk import FEEDS, Clerk, Counter
from replay.exchange.commands import (
    ADD,
    DELETE,
    FEED_ADD,
    FEED_DELETE,
    FEED_LIST,
    SNAPSHOT,
    ListSubscriptions,
    Refused,
    Subscribe,
    Unsubscribe,
    Update,
    parse,
)
from replay.exchange.options import Limits
from replay.exchange.port import BOOK, CHANNELS, TICKER, UNFILTERED, Venue
from replay.exchange.sessions import Index, Session, Subscription


class Desk:
    """One for all sessions."""

    def __init__(
        self, counter: Counter, index: Index, venue: Venue, *, limits: Limits, ts_ms: Callable[[], int | None]
    ) -> None:
        self._counter = counter
        self._index = index
        self._clerk = Clerk(counter, venue, ts_ms)
        self._limits = limits

    def receive(self, session: Session, text: str | bytes) -> None:
        """Carry out one command and answer it."""
        command = parse(text)
        match command:
            case Refused(id=number, code=code):
                self._clerk.refuse(session, number, code)
            case Subscribe():
                for channel in command.channels:
                    self._subscribe(session, channel, command)
            case Unsubscribe():
                for sid in command.sids:
                    self._unsubscribe(session, command.id, sid)
            case Update():
                self._update(session, command)
            case ListSubscriptions(id=number):
                self._clerk.listed(session, number)
            case _:
                assert_never(command)

    def kill(self, subscription: Subscription, code: int) -> None:
        """End a subscription from the server's side by a terminal error (10 or 25)."""
        self._clerk.error(subscription, 0, code)
        self._index.remove(subscription)
        subscription.session.close(subscription)

    def busy(self, session: Session, text: str | bytes) -> None:
        """Answer a command that came too fast (error 27), scoped to the subscription it names."""
        command = parse(text)
        number = command.id
        subscription = session.by_sid.get(command.sid) if isinstance(command, Update) else None
        if subscription is None:
            self._clerk.refuse(session, number, 27)
        else:
            self._clerk.error(subscription, number, 27)

    def _subscribe(self, session: Session, channel: str, command: Subscribe) -> None:
        wanted = command.wanted
        if channel not in CHANNELS:
            self._clerk.refuse(session, command.id, 8)
        elif wanted.ids and channel not in (TICKER, *UNFILTERED):
            self._clerk.refuse(session, command.id, 11)
        elif channel == BOOK and not wanted:
            self._clerk.refuse(session, command.id, 14)
        elif held := session.by_channel.get(channel):
            self._extend(held, command)
        elif wanted and channel not in UNFILTERED and self._too_many(len(wanted.tickers) + len(wanted.ids)):
            self._clerk.refuse(session, command.id, 26)
        else:
            self._open(session, channel, command)

    def _open(self, session: Session, channel: str, command: Subscribe) -> None:
        subscription = session.open(channel, command.terms)
        wanted = command.wanted
        if channel in FEEDS:
            subscription.indices = dict.fromkeys(wanted.feeds)
        elif wanted and channel not in UNFILTERED:
            subscription.markets = dict.fromkeys(self._clerk.tickers(subscription, wanted))
        self._clerk.subscribed(subscription, command.id)
        self._index.add(subscription)
        self._clerk.first_frames(subscription, tuple(subscription.markets or ()), wanted)
        self._counter.subscribed()

    def _extend(self, subscription: Subscription, command: Subscribe) -> None:
        """The channel is held already: new markets join the subscription, and the answer is `ok` (protocol 4.5)."""
        wanted = command.wanted
        new: tuple[str, ...] = ()
        if subscription.channel in FEEDS:
            subscription.indices.update(dict.fromkeys(wanted.feeds))
        elif not wanted and subscription.markets is not None:
            self._index.refilter(subscription, None)
        elif subscription.markets is not None:
            tickers = self._clerk.tickers(subscription, wanted)
            if self._too_many(len({*subscription.markets, *tickers})):
                self._clerk.error(subscription, command.id, 26, tickers)
                return
            new = self._index.widen(subscription, tickers)
        self._clerk.ok(subscription, command.id)
        self._clerk.first_frames(subscription, new, wanted)
        self._counter.subscribed()

    def _unsubscribe(self, session: Session, number: int, sid: int) -> None:
        subscription = session.by_sid.get(sid)
        if subscription is None:
            self._clerk.refuse(session, number, 7)
            return
        self._index.remove(subscription)
        session.close(subscription)
        self._clerk.unsubscribed(subscription, number)
        self._counter.ended(subscription)

    def _update(self, session: Session, command: Update) -> None:
        subscription = session.by_sid.get(command.sid)
        if subscription is None:
            self._clerk.refuse(session, command.id, 7)
        elif command.action in FEED_ADD + FEED_DELETE + FEED_LIST:
            self._update_feed(subscription, command)
        elif not _supports(subscription.channel, command.action):
            self._clerk.refuse(session, command.id, 13)
        elif command.wanted.ids and subscription.channel != TICKER:
            self._clerk.refuse(session, command.id, 11)
        elif command.action == SNAPSHOT:
            self._clerk.snapshots(subscription, command.wanted.tickers, command.id)
        elif command.action == ADD:
            self._add(subscription, command)
        else:
            assert command.action == DELETE
            self._index.narrow(subscription, self._clerk.tickers(subscription, command.wanted, forget=True))
            self._clerk.ok(subscription, command.id)

    def _add(self, subscription: Subscription, command: Update) -> None:
        tickers = self._clerk.tickers(subscription, command.wanted)
        if self._too_many(len({*(subscription.markets or ()), *tickers})):
            self._clerk.error(subscription, command.id, 26, tickers)
            return
        if subscription.markets is None:
            self._index.refilter(subscription, ())
        new = self._index.widen(subscription, tickers)
        self._clerk.ok(subscription, command.id)
        self._clerk.first_frames(subscription, new, command.wanted)
        self._counter.subscribed()

    def _update_feed(self, subscription: Subscription, command: Update) -> None:
        if command.action not in FEEDS.get(subscription.channel, ()):
            self._clerk.refuse(subscription.session, command.id, 13)
            return
        if command.action in FEED_ADD:
            subscription.indices.update(dict.fromkeys(command.wanted.feeds))
        elif command.action in FEED_DELETE:
            for feed in command.wanted.feeds:
                subscription.indices.pop(feed, None)
        else:
            self._clerk.feed_list(subscription, command.id, command.action)
            return
        self._clerk.ok(subscription, command.id)

    def _too_many(self, count: int) -> bool:
        limit = self._limits.markets_per_subscription
        return bool(limit) and count > limit


def _supports(channel: str, action: str) -> bool:
    if action == SNAPSHOT:
        return channel == BOOK
    return channel not in UNFILTERED and channel not in FEEDS
