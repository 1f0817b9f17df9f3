"""core.probe: quiet or mute? The courses with an exchange are in test_desks."""

from deck import snapshot

from core.asking import Asked, Asking, Ids
from core.channel import Channel
from core.commands import BOOK, Command, Reconnect, Tell
from core.messages.types import BookSnapshot
from core.probe import AUDIT_SIZE, Probe, Waits
from core.store import MarketStateStore

S = 1_000_000_000


class Watch:
    """A probe on connection 1 with books on sid 1."""

    def __init__(self, *markets: str) -> None:
        self.said: list[Command] = []
        self.store = MarketStateStore()
        self.asking = Asking(1, Ids(), self.said.append)
        self.probe = Probe(1, self.store, self.asking, Waits(120 * S, 900 * S, 30 * S), now_ns=0, out=self.said.append)
        self.channel = Channel(BOOK)
        self.channel.confirmed(1, markets, 0)
        self.seq = 0
        for at, market in enumerate(markets):
            self.bring(market, now_ns=at)

    def bring(self, market: str, *sizes: int, now_ns: int = 0) -> BookSnapshot:
        """A snapshot comes, with one level of 100 or with these."""
        self.seq += 1
        levels = tuple((4_000 + 100 * n, size) for n, size in enumerate(sizes or (100,)))
        message = snapshot(self.seq, market, levels)
        self.store.apply(message, now_ns, connection=1)
        return message

    def tick(self, now_ns: int) -> Asked | None:
        """What a tick asks; it counts as sent at once."""
        before = set(self.asking)
        self.probe.tick(self.channel, now_ns)
        for asked in self.asking:
            if asked not in before:
                asked.sent_ns = now_ns
                return asked
        return None


def test_without_data_the_book_that_moved_last_is_asked_for_and_quiet_doubles_the_patience() -> None:
    watch, now_ns = Watch("A", "B"), 0
    for wait_s in (120, 240, 480, 840):
        assert watch.tick(now_ns + wait_s * S) is None or wait_s == 840
        now_ns += wait_s * S + 1
        asked = watch.tick(now_ns)
        if asked is None:
            continue
        assert asked.markets == ("B",)
        assert watch.tick(now_ns + S) is None, "one question at a time"
        assert watch.probe.answered(asked, watch.bring("B", now_ns=now_ns), now_ns)
    assert watch.probe.done >= 3
    assert not any(isinstance(said, Reconnect | Tell) for said in watch.said)


def test_data_begins_the_deadline_anew() -> None:
    watch = Watch("A")
    watch.probe.touched("A", 100 * S)
    assert watch.tick(220 * S) is None
    assert watch.tick(220 * S + 1) is not None


def test_an_answer_that_differs_ends_the_connection_and_is_told_as_a_gap_since_data_last_came() -> None:
    watch = Watch("A")
    watch.probe.touched("A", 7 * S)
    asked = watch.tick(200 * S)
    assert asked is not None
    watch.probe.answered(asked, watch.bring("A", 100, 5, now_ns=201 * S), 201 * S)
    tell, reconnect = watch.said[-2:]
    assert isinstance(tell, Tell)
    assert (tell.gap.from_ns, tell.gap.until_ns, tell.gap.markets) == (7 * S, 201 * S, ())
    assert isinstance(reconnect, Reconnect)


def test_a_book_that_moved_while_it_was_asked_for_proves_that_all_is_well() -> None:
    watch = Watch("A")
    asked = watch.tick(200 * S)
    assert asked is not None
    watch.probe.touched("A", 200 * S)
    assert watch.probe.answered(asked, watch.bring("A", 7, now_ns=201 * S), 201 * S)
    assert len(watch.said) == 1


def test_data_that_comes_instead_of_an_answer_is_an_answer() -> None:
    watch = Watch("A", "B")
    asked = watch.tick(200 * S)
    assert asked is not None
    watch.probe.touched("A", 205 * S)
    watch.probe.overdue(asked, 211 * S)
    assert len(watch.said) == 1
    assert watch.tick(212 * S) is None


def test_quiet_markets_are_audited_in_turn_those_quiet_for_longest_first() -> None:
    markets = [f"M{n:02}" for n in range(AUDIT_SIZE + 2)]
    watch = Watch(*markets)
    watch.probe.touched("", 1_000 * S)
    first = watch.tick(1_000 * S)
    assert first is not None
    assert first.markets == tuple(markets[:AUDIT_SIZE])
    watch.probe.overdue(first, 1_011 * S)
    assert len(watch.said) == 1, "an audit without an answer is no verdict"
    watch.probe.touched("", 1_030 * S)
    second = watch.tick(1_030 * S)
    assert second is not None
    assert second.markets == tuple(markets[AUDIT_SIZE:])


def test_an_audit_says_nothing_about_the_silence_of_the_others() -> None:
    watch = Watch("A")
    watch.probe.touched("", 1_000 * S)
    asked = watch.tick(1_000 * S)
    assert asked is not None
    assert watch.probe.answered(asked, watch.bring("A", now_ns=1_050 * S), 1_050 * S)
    assert watch.probe.vouched_ns == 1_000 * S
    assert watch.tick(1_120 * S) is None
    assert watch.tick(1_120 * S + 1) is not None


def test_the_first_market_an_audit_finds_mute_is_added_anew_and_the_second_ends_the_connection() -> None:
    watch = Watch("A", "B")
    watch.probe.touched("", 1_000 * S)
    asked = watch.tick(1_000 * S)
    assert asked is not None
    assert not watch.probe.answered(asked, watch.bring("A", 1, now_ns=1_001 * S), 1_001 * S)
    (_, tell) = watch.said
    assert isinstance(tell, Tell)
    assert (tell.gap.markets, tell.gap.from_ns) == (("A",), 0)
    assert watch.probe.answered(asked, watch.bring("B", 1, now_ns=1_001 * S), 1_001 * S)
    assert isinstance(watch.said[-1], Reconnect)


def test_what_cannot_be_asked_is_asked_at_the_next_tick() -> None:
    watch = Watch("A")
    assert watch.tick(200 * S) is not None
    watch.asking.unsent(1)
    watch.probe.unsent()
    assert watch.tick(201 * S) is not None
    watch.probe.restart(202 * S)
    assert watch.tick(203 * S) is None
    assert list(watch.asking) == []
