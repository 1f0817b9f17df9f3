"""The subscriptions of one connection: brings what the exchange confirmed to what is wanted, whatever it answers.

Knows every error code of protocol 5.2 and what to do about it. Must not know books: what a snapshot heals is
`core.repairs`' affair.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from core import commands, gaps
from core.asking import Asked, Asking, Verb
from core.channel import Channel, Wish
from core.commands import BOOK, Command, Refuse, Tell
from core.messages.types import ErrorReply, Ok, Subscribed, SubscriptionList, Unsubscribed
from core.numbering import TERMINAL_CODES
from core.records import StoredGap

MAX_TRIES: Final = 2
"""Commands are repeated once; a peer that answers neither is not listening (RELIABILITY X20)."""

NO_SUCH_SID: Final = 7
UNKNOWN_CHANNEL: Final = (8, 9)  # unknown name; needs authentication
UNSUPPORTED_ACTION: Final = 13
FULL: Final = 26
MARKETS_WRONG: Final = (11, 14, 16)  # 16 is retired: market not found
ALWAYS_WRONG: Final = (11, 14, 24, 28)
"""Codes that a channel without markets would be answered with again."""


class Subscriber:
    """What one connection is subscribed to; a new one is made for each connection.

    out: takes commands. report: of markets refused and channels given up, kept by whoever outlives the connection.
    """

    def __init__(
        self, connection: int, channels: Sequence[str], asking: Asking, *, size: int, use_yes_price: bool,
        out: Callable[[Command], None],
    ) -> None:  # fmt: skip
        self.channels = {name: Channel(name) for name in channels}
        self.listing_due = False
        self._connection = connection
        self._asking = asking
        self._size = size
        self._use_yes_price = use_yes_price
        self._out = out

    @property
    def book(self) -> Channel | None:
        """The channel of order books, None when it is not recorded."""
        return self.channels.get(BOOK)

    def plan(self, wanted: dict[str, None], now_ns: int) -> None:
        """Ask for what is missing, and for the end of what is not wanted."""
        for channel in self.channels.values():
            for wish in channel.wishes(wanted, now_ns, self._size):
                self._asking.ask(_asked(channel, wish, self._use_yes_price))

    def list_all(self) -> None:
        """Ask the exchange what it thinks we are subscribed to."""
        self.listing_due = False
        sids = tuple(f"{channel.name} {channel.sid}" for channel in self.channels.values() if channel.sid)
        self._asking.ask(Asked(Verb.LIST, "", 0, sids, commands.list_subscriptions))

    def overdue(self, asked: Asked) -> str:
        """It was not answered in time, and is asked once more; then why to give up the connection, "" = not yet."""
        if asked.tries < MAX_TRIES:
            self._asking.repeat(asked)
            return ""
        what = f"{asked.verb} {asked.channel}".rstrip()
        return f"no answer to {what!r}, asked {asked.tries} times"

    def unsent(self, asked: Asked, now_ns: int) -> None:
        """It could not be sent; it is asked for again in a while."""
        channel = self.channels.get(asked.channel)
        if channel is not None:
            channel.over(asked.markets)
            channel.pause(now_ns, f"could not send {asked.verb!r}")

    def subscribed(self, message: Subscribed, now_ns: int) -> None:
        """A channel was accepted."""
        asked = self._asking.answer(message.id)
        channel = self.channels.get(message.channel)
        if channel is None:
            return
        markets = asked.markets if asked is not None and asked.channel == channel.name else ()
        channel.confirmed(message.sid, markets, now_ns)
        if asked is not None:
            channel.over(markets)

    def ok(self, message: Ok, now_ns: int) -> None:
        """A subscription was changed, or had been there already."""
        asked = self._asking.answer(message.id)
        channel = self._of(asked.channel if asked is not None else "", message.sid)
        if channel is None:
            return
        added = asked.markets if asked is not None and asked.verb in (Verb.SUBSCRIBE, Verb.ADD) else ()
        if message.markets is not None:
            lost = channel.listed(message.sid or channel.sid, message.markets, added, now_ns)
            if lost:
                self._out(Refuse(self._connection, tuple(lost), f"{channel.name}: left out of the exchange's list"))
        elif asked is not None:
            channel.confirmed(message.sid or channel.sid, added, now_ns)
            if asked.verb is Verb.DELETE:
                for market in asked.markets:
                    channel.on.pop(market, None)
                    channel.gone.pop(market, None)
        if asked is not None:
            channel.over(asked.markets)

    def unsubscribed(self, message: Unsubscribed) -> None:
        """A subscription is over, as we asked."""
        asked = self._asking.answer(message.id)
        channel = self._of("", message.sid)
        if channel is not None:
            channel.dropped()
            if asked is not None:
                channel.over(asked.markets)

    def listed(self, message: SubscriptionList, now_ns: int) -> None:
        """What the exchange thinks we are subscribed to: what it does not know any more is subscribed anew (X12)."""
        asked = self._asking.answer(message.id)
        if asked is None or asked.verb is not Verb.LIST:
            return
        there = {f"{name} {sid}" for name, sid in message.subscriptions}
        for channel in self.channels.values():
            held = f"{channel.name} {channel.sid}"
            if not channel.sid or held not in asked.markets:
                continue
            if held in there:
                channel.vouched_ns = now_ns
            else:
                gap = StoredGap(
                    gaps.MUTE, self._connection, channel.sid, tuple(sorted(channel.on)), channel.vouched_ns, now_ns,
                    detail=f"the exchange dropped the subscription to {channel.name} without a word",
                )  # fmt: skip
                self._out(Tell(gap))
                self.died(channel, now_ns, "dropped by the exchange without a word")

    def refused(self, message: ErrorReply, now_ns: int) -> None:
        """An error, whatever it is about."""
        why = f"error {message.code}: {message.text}"[:200]
        asked = self._asking.answer(message.id)
        if asked is None:
            self._unasked(message, why, now_ns)
            return
        channel = self.channels.get(asked.channel)
        if channel is None:
            return
        channel.over(asked.markets)
        self._judge(channel, asked, message, why, now_ns=now_ns)

    def died(self, channel: Channel, now_ns: int, why: str) -> None:
        """The subscription is dead on the exchange's side; it is subscribed anew, after a while if this repeats."""
        for asked in self._asking:
            if asked.channel == channel.name:
                self._asking.drop(asked)
        channel.died(now_ns, why)

    def _judge(self, channel: Channel, asked: Asked, message: ErrorReply, why: str, *, now_ns: int) -> None:
        code = message.code
        named = tuple(market for market in asked.markets if market in message.markets) or asked.markets
        if code in UNKNOWN_CHANNEL or (code in ALWAYS_WRONG and not asked.markets):
            channel.given_up = channel.trouble = why
        elif code in TERMINAL_CODES or code == NO_SUCH_SID:
            self.died(channel, now_ns, why)
        elif code == FULL:
            self._refuse(channel, named, why, is_full=True)
        elif code in MARKETS_WRONG and asked.verb is not Verb.DELETE:
            if len(named) > 1 and named == asked.markets:
                channel.halve(named)
            else:
                self._refuse(channel, named, why)
        elif code == UNSUPPORTED_ACTION and asked.verb is Verb.ADD:
            channel.adds_by_subscribe = True
        else:
            channel.pause(now_ns, why)

    def _unasked(self, message: ErrorReply, why: str, now_ns: int) -> None:
        """An error that answers nothing, or something a second time."""
        before = self._asking.answered(message.id)
        channel = self._of(before.channel if before is not None else "", message.sid)
        if channel is None:
            self.listing_due = True  # something is wrong, and this tells with what
        elif message.code in TERMINAL_CODES or message.code == NO_SUCH_SID:
            self.died(channel, now_ns, why)
        elif message.code == FULL and before is not None:
            named = tuple(market for market in before.markets if market in message.markets)
            for market in named:
                channel.on.pop(market, None)
            self._refuse(channel, named, why, is_full=True)
        else:
            channel.trouble = why

    def _refuse(self, channel: Channel, markets: tuple[str, ...], why: str, *, is_full: bool = False) -> None:
        channel.refused.update(dict.fromkeys(markets, why))
        channel.trouble = why
        if markets:
            self._out(Refuse(self._connection, markets, f"{channel.name}: {why}", is_full))

    def _of(self, name: str, sid: int) -> Channel | None:
        channel = self.channels.get(name)
        if channel is None and sid:
            channel = next((other for other in self.channels.values() if other.sid == sid), None)
        return channel


def _asked(channel: Channel, wish: Wish, use_yes_price: bool) -> Asked:
    encode: Callable[[int], bytes]
    match wish.verb:
        case Verb.SUBSCRIBE:
            encode = partial(
                commands.subscribe, channel=channel.name, markets=wish.markets, use_yes_price=use_yes_price
            )
        case Verb.UNSUBSCRIBE:
            encode = partial(commands.unsubscribe, sid=channel.sid)
        case _:
            action = "add_markets" if wish.verb is Verb.ADD else "delete_markets"
            encode = partial(
                commands.update, sid=channel.sid, action=action, markets=wish.markets, channel=channel.name
            )
    return Asked(wish.verb, channel.name, channel.sid, wish.markets, encode)
