"""One channel on one connection: what is wanted of it, what the exchange confirmed, and what is to be asked next.

Knows the exchange's rule of one sid per channel and connection. Must not know how an answer is matched to its command
(`core.asking`), nor whether a book can be trusted (`core.repairs`).
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from core.asking import Verb
from core.commands import MARKET_CHANNELS

WINDOW: Final = 8
"""Commands of a channel without an answer at once: the answers set the pace, so no rate limit has to."""

PAUSE_NS: Final = 1_000_000_000
MAX_PAUSE_NS: Final = 60_000_000_000
STEADY_NS: Final = 60_000_000_000
"""A channel that was confirmed for so long begins its pauses anew."""

MAX_LEFT_OUT: Final = 2
"""How often the exchange may leave a market out of its list, without a word, before it is taken for a refusal."""


class Wish(NamedTuple):
    """A command that would bring the channel nearer to what is wanted."""

    verb: Verb
    markets: tuple[str, ...]


@dataclass(slots=True)
class Channel:
    """sid 0 = not subscribed. on: the markets the exchange confirmed. asked: those in commands without an answer.

    refused: market to why it is not asked for again. gone: markets to take out although they are wanted, so that they
    are added anew. given_up: why the whole channel is, "" = it is not. chunks: what to ask for next, already split.
    vouched_ns: when the exchange last said that it is there.
    """

    name: str
    sid: int = 0
    is_live: bool = False
    on: dict[str, None] = field(default_factory=dict)
    asked: dict[str, None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    gone: dict[str, None] = field(default_factory=dict)
    given_up: str = ""
    trouble: str = ""
    chunks: list[tuple[str, ...]] = field(default_factory=list)
    adds_by_subscribe: bool = False
    open_commands: int = 0
    not_before_ns: int = 0
    vouched_ns: int = 0
    _steady_ns: int = 0
    _pause_ns: int = 0
    _left_out: dict[str, int] = field(default_factory=dict)

    @property
    def takes_markets(self) -> bool:
        """False for a channel that is subscribed to as a whole."""
        return self.name in MARKET_CHANNELS

    def is_complete(self, wanted: dict[str, None]) -> bool:
        """True when what is wanted, refusals aside, is what is on."""
        if not self.takes_markets:
            return self.is_live
        return all(market in self.on or market in self.refused for market in wanted)

    def wishes(self, wanted: dict[str, None], now_ns: int, size: int) -> list[Wish]:
        """What to ask for now, at most WINDOW commands of at most `size` markets; they count as asked from then on."""
        if self.given_up or now_ns < self.not_before_ns:
            return []
        if not self.takes_markets:
            return [] if self.is_live or self.open_commands else self._take([Wish(Verb.SUBSCRIBE, ())])
        chunks, self.chunks = self.chunks, []
        missing = [m for m in wanted if m not in self.on and m not in self.asked and m not in self.refused]
        chunks += _split(missing, size)
        add = Verb.ADD if self.sid and not self.adds_by_subscribe else Verb.SUBSCRIBE
        wishes = [Wish(add, chunk) for chunk in chunks]
        surplus = [m for m in self.on if (m not in wanted or m in self.gone) and m not in self.asked]
        if self.sid and surplus:
            if len(surplus) == len(self.on) and not wishes and not self.open_commands:
                wishes.append(Wish(Verb.UNSUBSCRIBE, tuple(surplus)))
            else:
                wishes += [Wish(Verb.DELETE, chunk) for chunk in _split(surplus, size)]
        return self._take(wishes)

    def _take(self, wishes: list[Wish]) -> list[Wish]:
        taken = wishes[: max(WINDOW - self.open_commands, 0)]
        # what was split once stays split; all else is worked out anew next time
        self.chunks = [wish.markets for wish in wishes[len(taken) :] if wish.markets[0] in self.asked]
        self.open_commands += len(taken)
        for wish in taken:
            self.asked.update(dict.fromkeys(wish.markets))
        return taken

    def over(self, markets: tuple[str, ...]) -> None:
        """A command has had its answer: its markets may be asked for again."""
        self.open_commands = max(self.open_commands - 1, 0)
        for market in markets:
            self.asked.pop(market, None)

    def confirmed(self, sid: int, markets: tuple[str, ...], now_ns: int) -> None:
        """`subscribed`: it is live, with these markets."""
        if sid != self.sid:
            self.on.clear()
            self._steady_ns = now_ns
        self.sid, self.is_live, self.vouched_ns = sid, True, now_ns
        self.on.update(dict.fromkeys(markets))

    def listed(self, sid: int, markets: tuple[str, ...], asked: tuple[str, ...], now_ns: int) -> list[str]:
        """`ok` with the whole list of markets after a command that asked for some; those it left out for good."""
        self.confirmed(sid, (), now_ns)
        self.on = dict.fromkeys(markets)
        self.gone = {market: None for market in self.gone if market in self.on}
        lost = []
        for market in asked:
            if market in self.on:
                self._left_out.pop(market, None)
                continue
            count = self._left_out[market] = self._left_out.get(market, 0) + 1
            if count >= MAX_LEFT_OUT:
                self.refused[market] = "left out of the exchange's list"
                lost.append(market)
        return lost

    def dropped(self) -> None:
        """`unsubscribed`: nothing is on."""
        self.sid, self.is_live = 0, False
        self.on.clear()
        self.gone.clear()

    def died(self, now_ns: int, why: str) -> None:
        """The subscription turned out to be over, and whatever was asked of it is void."""
        self.pause(now_ns, why)
        self.dropped()
        self.asked.clear()
        self.chunks.clear()
        self.open_commands = 0

    def pause(self, now_ns: int, why: str) -> None:
        """Ask for nothing for a while, longer each time."""
        self.trouble = why
        if self.is_live and now_ns - self._steady_ns > STEADY_NS:
            self._pause_ns = 0
        self._steady_ns = now_ns
        self._pause_ns = min(self._pause_ns * 2 or PAUSE_NS, MAX_PAUSE_NS)
        self.not_before_ns = now_ns + self._pause_ns

    def halve(self, markets: tuple[str, ...]) -> None:
        """Ask for these in two commands: one of them is wrong, and this finds out which."""
        middle = len(markets) // 2
        for part in (markets[:middle], markets[middle:]):
            self.chunks.append(part)
            self.asked.update(dict.fromkeys(part))


def _split(markets: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(markets[start : start + size]) for start in range(0, len(markets), size)]
