import msgspec

from core.book import Book
from core.lifecycle import Lifecycle, Phase
from core.market import NOBODY, MarketState, SavedMarket, restore
from core.messages import Fill, MarketPosition, Side, Ticker, UserOrder
from core.rings import Pool, Ring
from core.views import MarketView, PricePoint, RecentTrade, RestBook

TRADE = RecentTrade(5, "t1", 4_000, 10, Side.YES, False, 3)
ORDER = UserOrder(market="M", order_id="o1", status="resting", side=Side.NO, price=4_400)
FILL = Fill(market="M", trade_id="t1", order_id="o1", side=Side.NO, price=4_400, count=5)


def full(pool: Pool) -> MarketState:
    """A market of which everything is known."""
    state = MarketState("M")
    state.book = Book()
    state.book.snapshot(((4_000, 100),), ((5_500, 20),))
    state.trusted = True
    state.connection, state.sid, state.last_seq, state.clock = 1, 2, 30, 400
    state.book_ns, state.heard_ns = 50, 60
    state.trades = Ring(pool, (TRADE,))
    state.last_trade, state.traded_size = TRADE, 10
    state.fills = Ring(pool, (FILL,))
    state.note_book_prices(pool, 50)
    state.ticker = Ticker(market="M", price=4_100)
    state.lifecycle = Lifecycle(phase=Phase.ACTIVE, close_ns=900)
    state.positions = {3: -100, 0: 250}
    state.position_report = MarketPosition(market="M", position=250)
    state.orders = {"o2": msgspec.structs.replace(ORDER, order_id="o2"), "o1": ORDER}
    state.rest = RestBook(40, (), ((5_000, 1),))
    return state


def test_a_new_market_shows_that_nothing_is_known() -> None:
    assert MarketState("M").view() == MarketView(market="M")


def test_a_view_shows_all_that_is_known() -> None:
    view = full(Pool()).view()
    assert (view.yes, view.no) == (((4_000, 100),), ((5_500, 20),))
    assert (view.trusted, view.owner, view.last_seq, view.clock) == (True, (1, 2), 30, 400)
    assert (view.trades, view.last_trade, view.traded_size) == ((TRADE,), TRADE, 10)
    assert view.prices == (PricePoint(50, 4_000, 4_500),)
    assert [order.order_id for order in view.orders] == ["o1", "o2"]
    assert view.position == 150
    assert view.fills == (FILL,)


def test_a_view_does_not_change_with_the_market() -> None:
    pool = Pool()
    state = full(pool)
    view = state.view()
    assert state.book is not None
    state.book.delta(Side.YES, 4_000, 1)
    state.note_book_prices(pool, 70)
    state.disown()
    assert view == full(Pool()).view()


def test_a_book_that_nobody_owns_is_still_there_to_be_seen() -> None:
    state = full(Pool())
    state.disown()
    view = state.view()
    assert (view.trusted, view.owner, view.last_seq) == (False, None, 0)
    assert view.yes == ((4_000, 100),)
    assert state.connection == NOBODY


def test_an_empty_side_has_no_price() -> None:
    pool = Pool()
    state = MarketState("M")
    state.book = Book()
    state.note_book_prices(pool, 5)
    assert state.view().prices == (PricePoint(5, None, None),)


def test_a_market_that_is_released_gives_its_room_back() -> None:
    pool = Pool()
    state = full(pool)
    assert pool.used == 3
    state.release()
    assert pool.used == 0


def test_a_market_comes_back_from_what_was_saved() -> None:
    pool = Pool()
    for state in (full(Pool()), MarketState("N")):
        packed = msgspec.msgpack.encode(state.save())
        again = restore(msgspec.msgpack.decode(packed, type=SavedMarket), pool)
        assert again.view() == state.view()
        assert again.positions == state.positions
        assert (again.book is None) == (state.book is None)
        assert msgspec.msgpack.encode(again.save()) == packed
    assert pool.used == 3


def test_an_empty_book_comes_back_as_a_book() -> None:
    state = MarketState("M")
    state.book = Book()
    assert restore(state.save(), Pool()).book is not None


def test_what_is_saved_is_in_one_order() -> None:
    one, other = full(Pool()), full(Pool())
    one.positions, other.positions = {0: 1, 3: 2}, {3: 2, 0: 1}
    assert msgspec.msgpack.encode(one.save()) == msgspec.msgpack.encode(other.save())
