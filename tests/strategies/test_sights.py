"""One market's figures, from a real state store: which source counts when, and that a change of source is no event."""

from core.answers.types import Market
from core.messages.types import BookDelta, BookSnapshot, Side, Ticker, Trade
from core.store import MarketStateStore
from core.times import SECOND_NS
from strategies.ranking import WHOLE
from strategies.sights import ACTIVITY_NS, STEADY_NS, Sight, Source

M = "KXM-1"
START_NS = 1_000 * SECOND_NS
YES, NO = ((3_000, 500), (4_000, 100)), ((5_000, 700), (5_900, 300))


class Seen:
    """A store with a book of one market, and the sight of it."""

    def __init__(self) -> None:
        self.store = MarketStateStore()
        self.now_ns = START_NS
        self.sight = Sight(M, START_NS)
        self.store.apply(BookSnapshot(sid=1, seq=1, market=M, yes=YES, no=NO), START_NS, connection=1)
        self.listed: Market | None = None

    def look(self, flaw: str = "", after_ns: int = SECOND_NS) -> Sight:
        self.now_ns += after_ns
        self.sight.look(self.store.window(M, self.now_ns), self.listed, flaw, self.now_ns)
        return self.sight

    def bid(self, price: int, seq: int) -> None:
        delta = BookDelta(sid=1, seq=seq, market=M, price=price, delta=100, side=Side.YES)
        self.store.apply(delta, self.now_ns + 1, connection=1)

    def rest(self, yes: tuple[tuple[int, int], ...], no: tuple[tuple[int, int], ...] = NO) -> None:
        self.store.apply_rest_book(M, yes, no, self.now_ns + 1)


def state(sight: Sight) -> tuple[object, ...]:
    return sight.bid, sight.ask, sight.depth, sight.volume


def test_figures_are_from_the_websocket_book_while_it_is_well() -> None:
    sight = Seen().look()
    assert (sight.source, sight.bid, sight.ask, sight.depth) == (Source.WEBSOCKET, 4_000, 4_100, 600)
    assert not sight.needs_rest


def test_of_a_market_without_any_book_there_is_nothing() -> None:
    seen = Seen()
    seen.store = MarketStateStore()
    sight = seen.look("untrusted")
    assert (sight.source, sight.bid, sight.ask, sight.read_ns) == (Source.NONE, None, None, 0)


def test_moves_of_the_price_and_trades_are_activity_and_fade() -> None:
    seen = Seen()
    assert seen.look().activity == WHOLE  # the snapshot's price is the first move
    seen.bid(4_050, 2)
    trade = Trade(sid=2, market=M, trade_id="t1", price=4_100, count=200, taker=Side.YES)
    seen.store.apply(trade, seen.now_ns + 2)
    before = seen.look().activity
    assert 2 * WHOLE < before <= 3 * WHOLE
    assert seen.look().activity == before - -(-before * SECOND_NS // ACTIVITY_NS)
    for _ in range(600):
        seen.look()
    assert seen.sight.activity == 0


def test_without_websocket_data_figures_are_held_until_rest_has_answered() -> None:
    seen = Seen()
    before = state(seen.look())
    read_ns = seen.sight.read_ns
    assert state(seen.look("silent")) == before
    assert (seen.sight.source, seen.sight.read_ns) == (Source.WEBSOCKET, read_ns)
    seen.rest(((4_020, 50),))
    sight = seen.look("silent")
    assert (sight.source, sight.bid, sight.ask, sight.depth) == (Source.REST, 4_020, 4_100, 50)


def test_a_rest_book_from_before_the_last_websocket_reading_is_no_news() -> None:
    seen = Seen()
    seen.rest(((1_000, 50),))
    before = state(seen.look())
    assert state(seen.look("silent")) == before
    assert seen.sight.source is Source.WEBSOCKET


def test_rest_is_left_only_when_websocket_data_was_well_for_a_while() -> None:
    seen = Seen()
    seen.look("untrusted")
    seen.rest(YES)
    assert seen.look("untrusted").source is Source.REST
    assert seen.look().source is Source.REST
    assert seen.look("untrusted").source is Source.REST  # a relapse: counting begins anew
    assert seen.look(after_ns=STEADY_NS).source is Source.REST
    assert seen.look(after_ns=STEADY_NS - 1).source is Source.REST
    assert seen.look(after_ns=1).source is Source.WEBSOCKET


def test_there_and_back_over_the_same_book_no_figure_moves_and_activity_only_fades() -> None:
    seen = Seen()
    seen.listed = Market(ticker=M, volume=900, volume_24h=400)
    before, activity = state(seen.look()), [seen.sight.activity]
    for flaw in ("silent", "silent", "untrusted", "", "", "", "", ""):
        seen.rest(YES)
        assert state(seen.look(flaw)) == before
        activity.append(seen.sight.activity)
    assert seen.sight.source is Source.WEBSOCKET
    assert activity == sorted(activity, reverse=True) and activity[-1] > activity[0] * 3 // 4


def test_what_a_rest_book_shows_to_have_moved_is_one_event() -> None:
    seen = Seen()
    seen.look()
    seen.rest(((4_010, 1),))
    before = seen.look("silent").activity
    assert before > WHOLE  # the move from 4,000 on
    seen.rest(((4_010, 999),))
    assert seen.look("silent").activity < before


def test_what_came_while_rest_stood_in_is_not_counted_in_one_lump_afterwards() -> None:
    seen = Seen()
    seen.look("untrusted")
    seen.rest(YES)
    seen.look("untrusted")
    for seq in range(2, 30):
        seen.bid(4_000 + seq, seq)
        seen.look()
        if seen.sight.source is Source.WEBSOCKET:
            break
    assert seq < 29 and seen.sight.activity <= 3 * WHOLE


def test_volume_is_the_largest_total_that_was_told_and_what_the_day_had_of_it() -> None:
    seen = Seen()
    seen.listed = Market(ticker=M, volume=10_000, volume_24h=4_000)
    assert seen.look().volume == 4_000
    seen.store.apply(Ticker(sid=3, market=M, volume=10_500), seen.now_ns)
    assert seen.look().volume == 4_500
    seen.listed = Market(ticker=M, volume=10_000, volume_24h=4_000)  # a cached listing takes nothing back
    assert seen.look("silent").volume == 4_500


def test_without_a_total_the_trades_seen_are_the_volume() -> None:
    seen = Seen()
    seen.store.apply(Trade(sid=2, market=M, trade_id="t1", price=4_100, count=250, taker=Side.NO), seen.now_ns)
    assert seen.look().volume == 250


def test_time_to_the_close_is_at_least_a_moment_when_it_is_known() -> None:
    sight = Seen().look()
    assert sight.figures(0, START_NS).left_ns == 0
    assert sight.figures(START_NS + 5, START_NS).left_ns == 5
    assert sight.figures(START_NS - 5, START_NS).left_ns == 1


def test_what_comes_at_the_very_instant_of_a_look_is_counted_once() -> None:
    seen = Seen()
    seen.look()
    for at_ns in (seen.now_ns, seen.now_ns + 5):
        trade = Trade(sid=2, market=M, trade_id=f"t{at_ns}", price=4_100, count=200, taker=Side.YES)
        seen.store.apply(trade, at_ns)
    before = seen.sight.activity
    assert seen.look(after_ns=5).activity == before - 1 + WHOLE
    assert seen.look(after_ns=5).activity == before - 2 + 2 * WHOLE
