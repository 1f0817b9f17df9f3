"""core.repairs: books that are missing, asked for by the gentlest means first; whole courses are in test_desks."""

import pytest
from deck import snapshot

from core.asking import Asked, Asking, Ids, Verb
from core.channel import Channel
from core.commands import BOOK, Command, Reconnect, Send
from core.gaps import Gap
from core.messages.types import ErrorReply
from core.repairs import READD_TRIES, SILENT_NS, Repairs
from core.store import MarketStateStore

S = 1_000_000_000


class Shelf:
    """Books on connection 1, sid 1."""

    def __init__(self, *markets: str, size: int = 100) -> None:
        self.said: list[Command] = []
        self.store = MarketStateStore()
        self.asking = Asking(1, Ids(), self.said.append)
        self.repairs = Repairs(1, self.store, self.asking, size=size, wait_ns=10 * S, out=self.said.append)
        self.channel = Channel(BOOK)
        self.channel.confirmed(1, markets, 0)
        self.seq = 0

    def bring(self, *markets: str, now_ns: int = 0) -> None:
        """Snapshots of these come."""
        for market in markets:
            self.seq += 1
            self.store.apply(snapshot(self.seq, market), now_ns, connection=1)
            self.repairs.snapshot(market, now_ns)

    def spoil(self) -> None:
        """All books lose trust."""
        self.store.distrust(Gap(1, "sequence", 1, 1, 2, 3, 0, None, tuple(self.channel.on)))

    def check(self, now_ns: int) -> list[tuple[str, ...]]:
        """The markets of each get_snapshot that a check brings; they count as sent at once."""
        before = set(self.asking)
        self.repairs.check(self.channel, now_ns)
        new = [asked for asked in self.asking if asked not in before]
        for asked in new:
            asked.sent_ns = now_ns
        return [asked.markets for asked in new]

    def only(self) -> Asked:
        """The one request that is open."""
        (asked,) = self.asking
        assert asked.verb is Verb.SNAPSHOT
        return asked


def test_the_first_snapshot_is_waited_for_as_long_as_others_still_come() -> None:
    shelf = Shelf("A", "B")
    assert shelf.check(0) == []
    shelf.bring("A", now_ns=8 * S)
    assert shelf.check(18 * S) == []
    assert shelf.check(18 * S + 1) == [("B",)]
    assert shelf.repairs.missing == ("B",)


def test_books_that_lost_trust_are_asked_for_at_once_in_batches_and_not_twice() -> None:
    shelf = Shelf("A", "B", "C", size=2)
    shelf.bring("A", "B", "C")
    assert shelf.check(S) == []
    shelf.spoil()
    assert shelf.check(S) == [("A", "B"), ("C",)]
    assert shelf.check(2 * S) == []
    shelf.bring("A", now_ns=2 * S)
    shelf.spoil()
    assert shelf.check(2 * S) == [("A",)], "it was spoilt again after its answer"
    shelf.bring("B", "A", "C")
    assert list(shelf.asking) == []
    assert shelf.check(3 * S) == []
    assert shelf.repairs.has_any


def test_too_many_requests_are_asked_again_after_longer_and_longer_pauses() -> None:
    shelf = Shelf("A")
    shelf.bring("A")
    shelf.spoil()
    now_ns = 0
    for pause_s in (1, 2, 4):
        assert shelf.check(now_ns) == [("A",)]
        asked = shelf.only()
        shelf.asking.answer(shelf.asking._ids.last)
        shelf.repairs.refused(asked, ErrorReply(code=27), now_ns)
        assert shelf.check(now_ns + pause_s * S - 1) == []
        now_ns += pause_s * S


def test_a_request_refused_as_a_whole_is_made_smaller() -> None:
    shelf = Shelf("A", "B", "C", "D")
    shelf.bring("A", "B", "C", "D")
    shelf.spoil()
    shelf.check(0)
    asked = shelf.only()
    shelf.asking.answer(1)
    shelf.repairs.refused(asked, ErrorReply(code=11), 0)
    assert shelf.check(0) == [("A", "B"), ("C", "D")]


@pytest.mark.parametrize("had_book", [True, False])
def test_the_ladder_ends_at_a_new_connection_or_at_patience(had_book: bool) -> None:
    shelf = Shelf("A", "B")
    shelf.bring("B", *["A"] * had_book)
    shelf.spoil()
    now_ns, readded = 0, 0
    for _ in range(160):
        now_ns += S
        shelf.check(now_ns)
        readded += len(shelf.channel.gone)
        shelf.channel.gone.clear()
        for asked in [a for a in shelf.asking if now_ns - a.sent_ns > 10 * S]:
            shelf.repairs.overdue(asked, now_ns)
        shelf.bring("B", now_ns=now_ns)
        if any(isinstance(said, Reconnect) for said in shelf.said):
            break
    assert readded == 1
    assert isinstance(shelf.said[-1], Reconnect) == had_book
    if not had_book:
        shelf.said.clear()
        assert shelf.check(now_ns + SILENT_NS) == [("A",)]
    assert READD_TRIES == 3


def test_what_could_not_be_sent_is_asked_again_in_a_second() -> None:
    shelf = Shelf("A")
    shelf.bring("A")
    shelf.spoil()
    shelf.check(0)
    asked = shelf.asking.unsent(1)
    assert asked is not None
    shelf.repairs.unsent(asked, 0)
    assert shelf.check(0) == []
    assert shelf.check(S) == [("A",)]
    assert all(isinstance(said, Send) for said in shelf.said)
