"""Own orders in the public book of a tape: where they stood, and what each frame would have said without them.

Knows what a recorded account tells of itself (`replay.own_orders`; its changes of the book bear a `client_order_id`)
and the taped books. Must not know strategies, nor what is done with its answer.

What others have at a price is what the book has, less what is ours, never below 0: each frame is made to say the change
of that. Fills of our resting orders are taken out of the book and stay among the public trades: their takers came all
the same. What orders of ours took themselves stays gone from the book, since how long it would have been there is not
known, and its trades are marked as block trades, which no resting order is to meet (protocol 8.4): without us nobody
would have come for them. Units as in `core.messages.types`; levels on the scale of their own ladder.
"""

from collections import Counter
from typing import Final, TypeAlias

import msgspec

from capture.tape.reader import Tape
from core.cells import M_BOOK_SUB, S_YES_PRICE
from core.changes import Change
from core.engine import Step
from core.messages.types import BookDelta, BookSnapshot, Level, Side, Trade
from core.money import DOLLAR
from core.records import Kind
from core.times import MILLISECOND_NS, SECOND_NS
from replay.own_orders import OwnOrders, Place, Said, own_orders
from replay.player import Player

LATE_NS: Final = SECOND_NS
"""What is said of an order and the change of the book that it was are on the tape within less of each other."""


NEAR_NS: Final = 5 * MILLISECOND_NS
"""By the exchange's clock a fill may lie so far from its change, if no other fits; no more: others cancel as much."""


class Book(msgspec.Struct, frozen=True):
    """A snapshot without us, each side as its subscription writes it."""

    yes: tuple[Level, ...]
    no: tuple[Level, ...]


class Block(msgspec.Struct, frozen=True):
    """A trade that nobody would have come for without us."""


Edit: TypeAlias = int | Book | Block
"""What a frame is to say: another delta, another book, or that the trade is no public demand."""


class Purge(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be said instead, by seq, and what can be said of it. Contracts in 1/100.

    orders: own orders that were met. changes, snapshots: frames that say something else. taken: contracts that our
    orders took; trades: public trades of that. missed: own contracts that left the book without a word. excess: own
    contracts that were told of where the book held fewer. unsure: own orders of which nothing was heard again after a
    gap.
    """

    edits: dict[int, Edit] = msgspec.field(default_factory=dict)
    orders: int = 0
    changes: int = 0
    snapshots: int = 0
    trades: int = 0
    taken: int = 0
    missed: int = 0
    excess: int = 0
    unsure: int = 0

    @property
    def is_any(self) -> bool:
        """Whether anything was ours."""
        return bool(self.orders or self.edits)

    def sentences(self) -> list[str]:
        """The same for people."""
        if not self.is_any:
            return ["a tape that tells of no orders of its account is taken to have none in its book"]
        met = (
            f"the {self.orders:,} orders that the recorded account had in the book are taken out of it: "
            f"{self.changes:,} changes and {self.snapshots:,} snapshots say what others had; tickers and books by REST "
            "are as they were told; trades with these orders stay, for who took came all the same"
        )
        said = [met]
        if self.taken:
            said.append(
                f"{self.taken / 100:,.2f} contracts that the recorded account took itself stay gone from the book, "
                f"and its {self.trades:,} trades fill nothing"
            )
        doubts = (
            (self.missed / 100, "contracts of the recorded account left the book without a word"),
            (self.excess / 100, "contracts of the recorded account were told of where the book held fewer"),
        )
        said += [f"{count:,.2f} {words}" for count, words in doubts if count]
        if self.unsure:
            said.append(
                f"{self.unsure:,} times after a gap nothing more was heard of an order of the recorded account, which "
                "is taken to have rested on"
            )
        return said

    def summary(self) -> dict[str, int]:
        """The counts alone, for a manifest."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "edits"}


def find(tape: Tape) -> Purge:
    """What of a tape's books is its own account's. Raises TapeDamaged, TapeError as reading does."""
    account = own_orders(tape)
    return _Scan(account).purge(tape) if account.markets else Purge()


class _Scan:
    """Goes through the tape once with its books. shown: what of ours is in the public book, by level and order."""

    def __init__(self, account: OwnOrders) -> None:
        self._account = account
        self._shown: dict[Place, dict[str, int]] = {}
        self._trusted: set[str] = set()
        self._met: dict[str, None] = {}
        self._edits: dict[int, Edit] = {}
        self._counts = Counter[str]()

    def purge(self, tape: Tape) -> Purge:
        """The answer."""
        player = Player(tape, "columns", checkpoint_records=0)
        for record, step in player.play():
            message = step.message
            if step.gaps or record.kind == Kind.SESSION:
                self._trusted.clear()  # those that are trusted still are looked at anew, which changes nothing
            if isinstance(message, Trade) and message.trade_id in self._account.took:
                self._edits[record.seq] = Block()
                self._counts["trades"] += 1
            elif isinstance(message, BookDelta | BookSnapshot) and message.market in self._account.markets:
                self._book(player, record.seq, step, message)
        return Purge(edits=self._edits, orders=len(self._met), **self._counts)

    def _book(self, player: Player, seq: int, step: Step, message: BookDelta | BookSnapshot) -> None:
        state = player.store.states().get(message.market)
        if state is None or type(step.change) is not Change:
            self._trusted.discard(message.market)  # looked at anew by the next change, if that is nothing to it
            return  # refused here, it is refused there: a level without us is the lower one
        plain = state.memory.plain
        subscription = plain[state.at + M_BOOK_SUB]
        is_turned = bool(subscription and plain[subscription + S_YES_PRICE])
        if isinstance(message, BookSnapshot):
            if message.market not in self._trusted:
                self._look(message.market, seq, step.now_ns)
            self._snapshot(seq, message, is_turned)
        else:
            price = DOLLAR - message.price if is_turned and message.side is Side.NO else message.price
            ladder = state.book.yes if message.side is Side.YES else state.book.no
            self._delta(seq, step.now_ns, message, (message.market, message.side, price), ladder.size(price))
        if state.trusted:
            self._trusted.add(message.market)

    # ------------------------------------------------------------------ changes

    def _delta(self, seq: int, now_ns: int, delta: BookDelta, place: Place, after: int) -> None:
        before = after - delta.delta
        without = before - min(self._ours(place), before)
        self._forget(place, seq, now_ns)
        if delta.client_order_id and delta.delta > 0:
            self._show(place, delta.client_order_id, delta.delta)
        elif delta.delta < 0:
            left = self._left(place, now_ns, delta)
            if delta.client_order_id and not self._account.rests_on(place, delta.client_order_id):
                self._counts["taken"] += left
        self._limit(place, after)
        said = after - self._ours(place) - without
        if said != delta.delta or delta.client_order_id:
            self._edits[seq] = said
            self._counts["changes"] += 1

    def _left(self, place: Place, now_ns: int, delta: BookDelta) -> int:
        """Take out of what is shown what of ours has left a level; how much of the change that does not explain."""
        shown, left = self._shown.get(place, {}), -delta.delta
        key = delta.client_order_id
        if key in shown:
            return left - self._hide(place, key, left)
        unused = [hit for hit in self._account.hits.get(place, ()) if not hit.is_used]
        hits = [hit for hit in unused if _is_same(delta, now_ns, hit.exchange_ns, hit.at_ns)]
        if not hits:  # that a fill and its change bear the very same time is likely, not known
            hits = [h for h in unused if h.count == left and abs(h.exchange_ns - delta.exchange_ns) <= NEAR_NS][:1]
        for hit in sorted(hits, key=lambda hit: hit.count != left):
            if hit.count <= left:
                hit.is_used = True
                self._hide(place, hit.key, hit.count)
                left -= hit.count
        for key in list(shown):
            over = self._account.over(place[0], key)
            if over is not None and 0 < shown[key] <= left and _is_same(delta, now_ns, over.since_ns, over.at_ns):
                left -= self._hide(place, key, shown[key])
        return left

    def _forget(self, place: Place, seq: int, now_ns: int) -> None:
        """Orders that were over a while ago are not there any more, though no change of the book has said so."""
        for key, count in list(self._shown.get(place, {}).items()):
            over = self._account.over(place[0], key)
            if over is not None and over.seq < seq and now_ns - over.at_ns > LATE_NS:
                self._counts["missed"] += self._hide(place, key, count)

    # ------------------------------------------------------------------ snapshots

    def _snapshot(self, seq: int, book: BookSnapshot, is_turned: bool) -> None:
        sides: list[tuple[Level, ...]] = []
        is_changed = False
        for side, levels in ((Side.YES, book.yes), (Side.NO, book.no)):
            kept = []
            sizes = Counter[int]()
            for price, size in levels:
                own = DOLLAR - price if is_turned and side is Side.NO else price
                sizes[own] += size
                ours = min(self._ours((book.market, side, own)), size)
                is_changed = is_changed or ours > 0
                if size > ours:
                    kept.append((price, size - ours))
            for place in [place for place in self._shown if place[:2] == (book.market, side)]:
                self._limit(place, sizes[place[2]])
            sides.append(tuple(kept))
        if is_changed:
            self._edits[seq] = Book(*sides)
            self._counts["snapshots"] += 1

    def _look(self, market: str, seq: int, now_ns: int) -> None:
        """The market's book is seen anew: what of ours is in it, by what is said before and after."""
        before = {place: shown for place, shown in self._shown.items() if place[0] == market}
        for place in before:
            del self._shown[place]
        said = self._account.said.get(market, {})
        for (_, side, price), shown in before.items():
            for key, count in shown.items():
                if key not in said:  # known by its changes of the book alone
                    self._counts["unsure"] += 1
                    self._show((market, side, price), key, count)
        for key, words in said.items():
            if words[0].seq < seq or self._account.came.get(key, -1) < seq:  # else it came later, whatever clocks say
                self._resting(market, key, words, seq, now_ns)

    def _resting(self, market: str, key: str, words: list[Said], seq: int, now_ns: int) -> None:
        """Show an order as it rests at a record: rather by what is said next, for what was said last may be old, and
        fills that came meanwhile may be missing."""
        past = next((word for word in reversed(words) if word.seq < seq), None)
        later = next((word for word in words if word.seq > seq), None)
        if later is not None and later.since_ns <= now_ns:
            word, count = later, 0 if later.is_over else later.left
        elif later is not None and later.created_ns <= now_ns and (past is None or _is_unchanged(past, later)):
            word = later
            count = word.left + self._account.filled((market, word.side, word.price), key, now_ns, word.since_ns)
        elif past is not None:
            word = past
            hits = self._account.filled((market, word.side, word.price), key, word.since_ns, now_ns)
            is_over = word.is_over or 0 < word.expires_ns <= now_ns
            count = 0 if is_over else word.left - hits
            self._counts["unsure"] += later is None and count > 0
        else:
            return
        if count > 0:
            self._show((market, word.side, word.price), key, count)

    # ------------------------------------------------------------------ what is shown

    def _ours(self, place: Place) -> int:
        shown = self._shown.get(place)
        return sum(shown.values()) if shown else 0

    def _show(self, place: Place, key: str, count: int) -> None:
        shown = self._shown.setdefault(place, {})
        shown[key] = shown.get(key, 0) + count
        self._met[key] = None

    def _hide(self, place: Place, key: str, most: int) -> int:
        """Take so much of an order out, at most; how much it was."""
        shown = self._shown.get(place, {})
        count = min(shown.get(key, 0), most)
        if key in shown:
            shown[key] -= count
            if not shown[key]:
                del shown[key]
                if not shown:
                    del self._shown[place]
        return count

    def _limit(self, place: Place, size: int) -> None:
        """No more is ours than there is; whoever came last is not there."""
        for key in reversed(list(self._shown.get(place, {}))):
            over = self._ours(place) - size
            if over <= 0:
                return
            self._counts["excess"] += self._hide(place, key, over)


def _is_unchanged(one: Said, other: Said) -> bool:
    return (one.side, one.price, one.asked) == (other.side, other.price, other.asked)


def _is_same(delta: BookDelta, now_ns: int, exchange_ns: int, at_ns: int) -> bool:
    """Whether what is said of an order may be about a change of the book."""
    if delta.exchange_ns and exchange_ns:
        return delta.exchange_ns // MILLISECOND_NS == exchange_ns // MILLISECOND_NS
    return abs(now_ns - at_ns) <= LATE_NS
