"""Carries out a client's commands: who gets which reply, which numbers, which first frames (protocol 4 to 6).

Knows the rules of subscribing. Must not know sockets, faults or where frames come from: it asks the venue.

Chosen where the protocol is silent: what was asked for a filtered channel that is held without a filter changes
nothing; a `subscribe` without markets to a held, filtered channel widens it to all; `add_markets` to an unfiltered
subscription narrows it to what is named; every sid-scoped reply takes a slot, on unsequenced channels too.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol, assert_never

from replay.exchange import replies
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
    Wanted,
    parse,
)
from replay.exchange.options import Limits
from replay.exchange.port import BOOK, CHANNELS, TICKER, UNFILTERED, UNSEQUENCED, Template, Venue
from replay.exchange.sessions import Index, Session, Subscription

_INDICES: Final = ("subscribe_indices", "unsubscribe_indices", "indexlist")
_UNDERLYINGS: Final = ("subscribe_underlyings", "unsubscribe_underlyings", "underlying_list")
FEEDS: Final = {"cfbenchmarks_value": _INDICES, "cfbenchmarks_value_5hz": _INDICES, "pyth_value": _UNDERLYINGS}
"""Channels that are filtered by something else than markets, and the actions they know."""


class Counter(Protocol):
    """What the desk hands its output to."""

    def reply(self, session: Session, payload: bytes) -> None:
        """Send a reply."""

    def deliver(self, subscription: Subscription, template: Template, market: str) -> None:
        """Number a data frame for this subscription and send it."""

    def subscribed(self) -> None:
        """Something was added to a subscription."""

    def ended(self, subscription: Subscription) -> None:
        """A client ended a subscription; its last reply has been sent."""


class Desk:
    """One for all sessions."""

    def __init__(
        self, counter: Counter, index: Index, venue: Venue, *, limits: Limits, ts_ms: Callable[[], int | None]
    ):
        self._counter = counter
        self._index = index
        self._venue = venue
        self._limits = limits
        self._ts_ms = ts_ms

    def receive(self, session: Session, text: str | bytes) -> None:
        """Carry out one command and answer it."""
        command = parse(text)
        match command:
            case Refused(id=number, code=code):
                self._refuse(session, number, code)
            case Subscribe():
                for channel in command.channels:
                    self._subscribe(session, channel, command)
            case Unsubscribe():
                for sid in command.sids:
                    self._unsubscribe(session, command.id, sid)
            case Update():
                self._update(session, command)
            case ListSubscriptions(id=number):
                held = [(subscription.channel, sid) for sid, subscription in session.by_sid.items()]
                self._counter.reply(session, replies.listed(number, held, self._ts_ms()))
            case _:
                assert_never(command)

    def kill(self, subscription: Subscription, code: int) -> None:
        """End a subscription from the server's side by a terminal error (10 or 25)."""
        self._error(subscription, 0, code)
        self._index.remove(subscription)
        subscription.session.close(subscription)

    def busy(self, session: Session, text: str | bytes) -> None:
        """Answer a command that came too fast (error 27), scoped to the subscription it names."""
        command = parse(text)
        number = command.id
        subscription = session.by_sid.get(command.sid) if isinstance(command, Update) else None
        if subscription is None:
            self._refuse(session, number, 27)
        else:
            self._error(subscription, number, 27)

    def _subscribe(self, session: Session, channel: str, command: Subscribe) -> None:
        wanted = command.wanted
        if channel not in CHANNELS:
            self._refuse(session, command.id, 8)
        elif wanted.ids and channel not in (TICKER, *UNFILTERED):
            self._refuse(session, command.id, 11)
        elif channel == BOOK and not wanted:
            self._refuse(session, command.id, 14)
        elif held := session.by_channel.get(channel):
            self._extend(held, command)
        elif wanted and channel not in UNFILTERED and self._too_many(len(wanted.tickers) + len(wanted.ids)):
            self._refuse(session, command.id, 26)
        else:
            self._open(session, channel, command)

    def _open(self, session: Session, channel: str, command: Subscribe) -> None:
        subscription = session.open(channel, command.terms)
        wanted = command.wanted
        if channel in FEEDS:
            subscription.indices = dict.fromkeys(wanted.feeds)
        elif wanted and channel not in UNFILTERED:
            subscription.markets = dict.fromkeys(self._tickers(subscription, wanted))
        self._counter.reply(session, replies.subscribed(command.id, channel, subscription.sid, self._ts_ms()))
        self._index.add(subscription)
        self._first_frames(subscription, tuple(subscription.markets or ()), wanted)
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
            tickers = self._tickers(subscription, wanted)
            if self._too_many(len({*subscription.markets, *tickers})):
                self._error(subscription, command.id, 26, tickers)
                return
            new = self._index.widen(subscription, tickers)
        self._ok(subscription, command.id)
        self._first_frames(subscription, new, wanted)
        self._counter.subscribed()

    def _unsubscribe(self, session: Session, number: int, sid: int) -> None:
        subscription = session.by_sid.get(sid)
        if subscription is None:
            self._refuse(session, number, 7)
            return
        self._index.remove(subscription)
        session.close(subscription)
        place = (sid, subscription.next_seq())
        self._counter.reply(session, replies.unsubscribed(number, place, self._ts_ms()))
        self._counter.ended(subscription)

    def _update(self, session: Session, command: Update) -> None:
        subscription = session.by_sid.get(command.sid)
        if subscription is None:
            self._refuse(session, command.id, 7)
        elif command.action in FEED_ADD + FEED_DELETE + FEED_LIST:
            self._update_feed(subscription, command)
        elif not _supports(subscription.channel, command.action):
            self._refuse(session, command.id, 13)
        elif command.wanted.ids and subscription.channel != TICKER:
            self._refuse(session, command.id, 11)
        elif command.action == SNAPSHOT:
            self._snapshots(subscription, command.wanted.tickers, command.id)
        elif command.action == ADD:
            self._add(subscription, command)
        else:
            assert command.action == DELETE
            self._index.narrow(subscription, self._tickers(subscription, command.wanted, forget=True))
            self._ok(subscription, command.id)

    def _add(self, subscription: Subscription, command: Update) -> None:
        tickers = self._tickers(subscription, command.wanted)
        if self._too_many(len({*(subscription.markets or ()), *tickers})):
            self._error(subscription, command.id, 26, tickers)
            return
        if subscription.markets is None:
            self._index.refilter(subscription, ())
        new = self._index.widen(subscription, tickers)
        self._ok(subscription, command.id)
        self._first_frames(subscription, new, command.wanted)
        self._counter.subscribed()

    def _update_feed(self, subscription: Subscription, command: Update) -> None:
        if command.action not in FEEDS.get(subscription.channel, ()):
            self._refuse(subscription.session, command.id, 13)
            return
        if command.action in FEED_ADD:
            subscription.indices.update(dict.fromkeys(command.wanted.feeds))
        elif command.action in FEED_DELETE:
            for feed in command.wanted.feeds:
                subscription.indices.pop(feed, None)
        else:
            name = f"{subscription.channel}_{command.action}"
            place = (subscription.sid, subscription.next_seq())
            msg = {_feed_key(subscription.channel): list[str]()}
            reply = replies.feed_list(name, command.id, place, msg, self._ts_ms())
            self._counter.reply(subscription.session, reply)
            return
        self._ok(subscription, command.id)

    def _first_frames(self, subscription: Subscription, new: Iterable[str], wanted: Wanted) -> None:
        """Snapshots for new markets, or the latest tickers for requested ones if they were asked for."""
        if subscription.channel == BOOK:
            self._snapshots(subscription, new, 0)
        elif subscription.channel == TICKER and wanted.initial_snapshot:
            for market in new if wanted else self._venue.markets():
                if template := self._venue.ticker(market):
                    self._counter.deliver(subscription, template, market)

    def _snapshots(self, subscription: Subscription, markets: Iterable[str], number: int) -> None:
        for market in markets:
            if template := self._venue.snapshot(market, yes_price=subscription.terms.use_yes_price):
                self._counter.deliver(subscription, replies.with_id(template, number), market)

    def _tickers(self, subscription: Subscription, wanted: Wanted, *, forget: bool = False) -> tuple[str, ...]:
        """The tickers that are meant; uuids that nobody knows stand for themselves: listed, and quiet."""
        for market_id in wanted.ids:
            if forget:
                subscription.ids.pop(market_id, None)
            else:
                subscription.ids[market_id] = self._venue.market_of(market_id)
        return wanted.tickers + tuple(self._venue.market_of(market_id) or market_id for market_id in wanted.ids)

    def _ok(self, subscription: Subscription, number: int) -> None:
        msg: dict[str, list[str]] = {}
        if subscription.channel in FEEDS:
            msg[_feed_key(subscription.channel)] = sorted(subscription.indices)
        elif not subscription.terms.skip_ticker_ack and subscription.markets is not None:
            unknown = {market_id for market_id, market in subscription.ids.items() if not market}
            msg["market_tickers"] = sorted(market for market in subscription.markets if market not in unknown)
            if subscription.ids:
                msg["market_ids"] = sorted(subscription.ids)
        place = (subscription.sid, subscription.next_seq())
        self._counter.reply(subscription.session, replies.ok(number, place, msg, self._ts_ms()))

    def _refuse(self, session: Session, number: int, code: int) -> None:
        self._counter.reply(session, replies.error(number, code, self._ts_ms()))

    def _error(self, subscription: Subscription, number: int, code: int, markets: Iterable[str] = ()) -> None:
        """An error about a subscription; it takes a slot where the channel is numbered."""
        seq = 0 if subscription.channel in UNSEQUENCED else subscription.next_seq()
        place = (subscription.sid, seq)
        reply = replies.error(number, code, self._ts_ms(), place=place, markets=markets)
        self._counter.reply(subscription.session, reply)

    def _too_many(self, count: int) -> bool:
        limit = self._limits.markets_per_subscription
        return bool(limit) and count > limit


def _supports(channel: str, action: str) -> bool:
    if action == SNAPSHOT:
        return channel == BOOK
    return channel not in UNFILTERED and channel not in FEEDS


def _feed_key(channel: str) -> str:
    return "underlying_tickers" if channel == "pyth_value" else "index_ids"
