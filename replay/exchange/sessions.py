"""Who is connected and what they are subscribed to, with the numbers that go with it (protocol 6).

Knows sids, seqs and filters, and finds who wants a frame. Must not know frames' contents, commands or sockets.
"""

from collections.abc import Iterable, Sequence
from typing import Final
from zlib import crc32

import msgspec

from replay.exchange.outbox import Outbox
from replay.exchange.port import CHANNELS


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a subscription was opened with and keeps: a later `subscribe` to the same channel changes none of it."""

    use_yes_price: bool = False
    skip_ticker_ack: bool = False
    shard_factor: int = 0
    shard_key: int = 0

    def takes(self, market: str) -> bool:
        """False where another shard has this market."""
        return not self.shard_factor or crc32(market.encode()) % self.shard_factor == self.shard_key


class Subscription:
    """One channel of one session. markets: None = all of them; ids: market uuids it was asked for by, with tickers."""

    __slots__ = ("channel", "ids", "indices", "markets", "seq", "session", "sid", "terms")

    def __init__(self, session: "Session", channel: str, sid: int, terms: Terms) -> None:
        self.session = session
        self.channel = channel
        self.sid = sid
        self.terms = terms
        self.seq = 0
        self.markets: dict[str, None] | None = None
        self.ids: dict[str, str] = {}
        self.indices: dict[str, None] = {}

    def next_seq(self) -> int:
        """Take the next slot; the first is 1."""
        self.seq += 1
        return self.seq


class Session:
    """One client's connection. number: 1, 2, 3 in the order they came, over the server's life."""

    __slots__ = (
        "account", "by_channel", "by_sid", "commands", "data_frames", "late", "next_sid", "no_ping_until_ns",
        "no_pong_until_ns", "number", "opened_ns", "out",
    )  # fmt: skip

    def __init__(self, number: int, account: str, out: Outbox, opened_ns: int) -> None:
        self.number = number
        self.account = account
        self.out = out
        self.opened_ns = opened_ns
        self.by_sid: dict[int, Subscription] = {}
        self.by_channel: dict[str, Subscription] = {}
        self.late: dict[int, Subscription] = {}
        self.next_sid = 1
        self.data_frames = 0
        self.commands = 0
        self.no_ping_until_ns = 0
        self.no_pong_until_ns = 0

    def open(self, channel: str, terms: Terms) -> Subscription:
        """A new subscription under the session's next sid."""
        subscription = Subscription(self, channel, self.next_sid, terms)
        self.next_sid += 1
        self.by_sid[subscription.sid] = subscription
        self.by_channel[channel] = subscription
        return subscription

    def close(self, subscription: Subscription) -> None:
        """Forget a subscription; its sid is never used again in this session."""
        self.by_sid.pop(subscription.sid, None)
        if self.by_channel.get(subscription.channel) is subscription:
            del self.by_channel[subscription.channel]


class _Table:
    """The subscriptions of one channel: all, those without a filter, those by market."""

    __slots__ = ("by_market", "every", "unfiltered")

    def __init__(self) -> None:
        self.every: list[Subscription] = []
        self.unfiltered: list[Subscription] = []
        self.by_market: dict[str, list[Subscription]] = {}


_NOBODY: Final[tuple[Subscription, ...]] = ()


class Index:
    """Finds the subscriptions that want a frame, in the order they were made."""

    def __init__(self) -> None:
        self._tables = {channel: _Table() for channel in CHANNELS}
        self.count = 0

    def add(self, subscription: Subscription) -> None:
        """Take a new subscription in, with the filter it has."""
        self.count += 1
        table = self._tables[subscription.channel]
        table.every.append(subscription)
        if subscription.markets is None:
            table.unfiltered.append(subscription)
        else:
            self._enter(subscription, subscription.markets)

    def remove(self, subscription: Subscription) -> None:
        """Take a subscription out; one that is not in is no error."""
        table = self._tables[subscription.channel]
        if subscription not in table.every:
            return
        self.count -= 1
        table.every.remove(subscription)
        if subscription.markets is None:
            table.unfiltered.remove(subscription)
        else:
            self._strike(subscription, subscription.markets)

    def widen(self, subscription: Subscription, markets: Iterable[str]) -> tuple[str, ...]:
        """Add markets to a filtered subscription; returns those that are new, in order."""
        held = subscription.markets
        if held is None:
            return ()
        new = tuple(dict.fromkeys(market for market in markets if market not in held))
        held.update(dict.fromkeys(new))
        self._enter(subscription, new)
        return new

    def narrow(self, subscription: Subscription, markets: Iterable[str]) -> None:
        """Take markets out of a filtered subscription; unknown ones are ignored."""
        if subscription.markets is not None:
            gone = [market for market in dict.fromkeys(markets) if market in subscription.markets]
            for market in gone:
                del subscription.markets[market]
            self._strike(subscription, gone)

    def refilter(self, subscription: Subscription, markets: Iterable[str] | None) -> None:
        """Replace the whole filter; None = all markets."""
        self.remove(subscription)
        subscription.markets = None if markets is None else dict.fromkeys(markets)
        self.add(subscription)

    def wanting(self, channel: str, market: str) -> Sequence[Subscription]:
        """Who gets a frame of this channel about this market ("" = about none)."""
        table = self._tables[channel]
        if not market:
            return table.every
        some = table.by_market.get(market, _NOBODY)
        return [*table.unfiltered, *some] if table.unfiltered else some

    def _enter(self, subscription: Subscription, markets: Iterable[str]) -> None:
        table = self._tables[subscription.channel].by_market
        for market in markets:
            table.setdefault(market, []).append(subscription)

    def _strike(self, subscription: Subscription, markets: Iterable[str]) -> None:
        table = self._tables[subscription.channel].by_market
        for market in markets:
            table[market].remove(subscription)
            if not table[market]:
                del table[market]
