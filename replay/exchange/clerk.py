"""Writes the desk's answers: replies with their places, snapshots and first tickers, lists of what is held.

Knows how an answer is put together. Must not know when it is due.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from replay.exchange import replies
from replay.exchange.commands import Wanted
from replay.exchange.port import BOOK, TICKER, UNSEQUENCED, Template, Venue
from replay.exchange.sessions import Session, Subscription

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


class Clerk:
    """One for all sessions."""

    def __init__(self, counter: Counter, venue: Venue, ts_ms: Callable[[], int | None]) -> None:
        self._counter = counter
        self._venue = venue
        self._ts_ms = ts_ms

    def first_frames(self, subscription: Subscription, new: Iterable[str], wanted: Wanted) -> None:
        """Snapshots for new markets, or the latest tickers for requested ones if they were asked for."""
        if subscription.channel == BOOK:
            self.snapshots(subscription, new, 0)
        elif subscription.channel == TICKER and wanted.initial_snapshot:
            for market in new if wanted else self._venue.markets():
                if template := self._venue.ticker(market):
                    self._counter.deliver(subscription, template, market)

    def snapshots(self, subscription: Subscription, markets: Iterable[str], number: int) -> None:
        """The books of these markets as far as the venue shows them, as the answer to a command (number 0: of none)."""
        for market in markets:
            if template := self._venue.snapshot(market, yes_price=subscription.terms.use_yes_price):
                self._counter.deliver(subscription, replies.with_id(template, number), market)

    def tickers(self, subscription: Subscription, wanted: Wanted, *, forget: bool = False) -> tuple[str, ...]:
        """The tickers that are meant; uuids that nobody knows stand for themselves: listed, and quiet."""
        for market_id in wanted.ids:
            if forget:
                subscription.ids.pop(market_id, None)
            else:
                subscription.ids[market_id] = self._venue.market_of(market_id)
        return wanted.tickers + tuple(self._venue.market_of(market_id) or market_id for market_id in wanted.ids)

    def listed(self, session: Session, number: int) -> None:
        """Every subscription the session holds."""
        held = [(subscription.channel, sid) for sid, subscription in session.by_sid.items()]
        self._counter.reply(session, replies.listed(number, held, self._ts_ms()))

    def subscribed(self, subscription: Subscription, number: int) -> None:
        """A new subscription and its sid."""
        reply = replies.subscribed(number, subscription.channel, subscription.sid, self._ts_ms())
        self._counter.reply(subscription.session, reply)

    def unsubscribed(self, subscription: Subscription, number: int) -> None:
        """The subscription's end and its last slot."""
        place = (subscription.sid, subscription.next_seq())
        self._counter.reply(subscription.session, replies.unsubscribed(number, place, self._ts_ms()))

    def feed_list(self, subscription: Subscription, number: int, action: str) -> None:
        """What a feed offers: nothing, for no venue has one."""
        place = (subscription.sid, subscription.next_seq())
        msg = {feed_key(subscription.channel): list[str]()}
        reply = replies.feed_list(f"{subscription.channel}_{action}", number, place, msg, self._ts_ms())
        self._counter.reply(subscription.session, reply)

    def ok(self, subscription: Subscription, number: int) -> None:
        """The subscription was changed (or held already): its whole list, unless that is to be skipped."""
        msg: dict[str, list[str]] = {}
        if subscription.channel in FEEDS:
            msg[feed_key(subscription.channel)] = sorted(subscription.indices)
        elif not subscription.terms.skip_ticker_ack and subscription.markets is not None:
            unknown = {market_id for market_id, market in subscription.ids.items() if not market}
            msg["market_tickers"] = sorted(market for market in subscription.markets if market not in unknown)
            if subscription.ids:
                msg["market_ids"] = sorted(subscription.ids)
        place = (subscription.sid, subscription.next_seq())
        self._counter.reply(subscription.session, replies.ok(number, place, msg, self._ts_ms()))

    def refuse(self, session: Session, number: int, code: int) -> None:
        """An error about a command; it takes no slot."""
        self._counter.reply(session, replies.error(number, code, self._ts_ms()))

    def error(self, subscription: Subscription, number: int, code: int, markets: Iterable[str] = ()) -> None:
        """An error about a subscription; it takes a slot where the channel is numbered."""
        seq = 0 if subscription.channel in UNSEQUENCED else subscription.next_seq()
        place = (subscription.sid, seq)
        reply = replies.error(number, code, self._ts_ms(), place=place, markets=markets)
        self._counter.reply(subscription.session, reply)


def feed_key(channel: str) -> str:
    """What the feed's filter is called in its messages."""
    return "underlying_tickers" if channel == "pyth_value" else "index_ids"
