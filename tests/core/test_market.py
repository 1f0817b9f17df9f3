import msgspec
import pytest

from core.ids import Ids
from core.lifecycle import Lifecycle, Phase
from core.market import NOBODY, MarketState, SavedMarket, restore
from core.messages import Fill, MarketPosition, Side, Ticker, Trade, UserOrder
from core.rings import Pool, Ring
from core.views import MarketView, PricePoint, RecentTrade, RestBook

TRADE = RecentTrade(5, "t1", 4_000, 10, Side.YES, False, 3)
ORDER = UserOrder(market="M", order_id="o1", status="resting", side=Side.NO, price=4_400)
FILL = Fill(market="M", trade_id="t1", order_id="o1", side=Side.NO, price=4_400, count=5)
TOLD = Trade(market="M", trade_id="t1", price=4_000, count=10, taker=Side.YES, exchange_ns=3)


def full(pool: Pool) -> MarketState:
    """A market of which everything is known."""
    state = MarketState("M", pool)
    state.take_trade(TOLD, state.ids.halves(TOLD.trade_id), 5)
    assert state.book.snapshot(((4_000, 100),), ((5_500, 20),), 50, clock=400)
    state.own(1, 2, 30)
    state.fills = Ring(pool, (FILL,))
    state.take_ticker(Ticker(market="M", price=4_100), 60)
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
    assert (view.book_ns, view.heard_ns) == (50, 60)
    assert view.ticker == Ticker(market="M", price=4_100)
    assert (view.trades, view.last_trade, view.traded_size) == ((TRADE,), TRADE, 10)
    assert view.prices == (PricePoint(50, 4_000, 4_500),)
    assert [order.order_id for order in view.orders] == ["o1", "o2"]
    assert view.position == 150
    assert view.fills == (FILL,)


def test_a_view_does_not_change_with_the_market() -> None:
    pool = Pool()
    state = full(pool)
    view = state.view()
    state.book.delta(Side.YES, 4_100, 1, 70)
    state.take_ticker(Ticker(market="M", price=4_200), 80)
    state.disown()
    assert view == full(Pool()).view()


def test_a_book_that_nobody_owns_is_still_there_to_be_seen() -> None:
    state = full(Pool())
    state.disown()
    view = state.view()
    assert (view.trusted, view.owner, view.last_seq) == (False, None, 0)
    assert view.yes == ((4_000, 100),)
    assert state.owner == (NOBODY, 0)


def test_an_empty_side_has_no_price() -> None:
    state = MarketState("M")
    assert state.book.snapshot(((4_000, 100),), (), 4)
    assert state.book.snapshot((), (), 5)
    assert state.view().prices == (PricePoint(4, 4_000, None), PricePoint(5, None, None))


def test_a_market_that_is_released_gives_its_room_back() -> None:
    pool = Pool()
    state = full(pool)
    assert pool.used == 3
    assert pool.memory.used > 0
    state.release()
    assert pool.used == pool.memory.used == 0


def test_a_market_comes_back_from_what_was_saved() -> None:
    pool = Pool()
    for state in (full(Pool()), MarketState("N")):
        packed = msgspec.msgpack.encode(state.save())
        again = restore(msgspec.msgpack.decode(packed, type=SavedMarket), pool, Ids())
        assert again.view() == state.view()
        assert again.positions == state.positions
        assert again.has_book == state.has_book
        assert msgspec.msgpack.encode(again.save()) == packed
    assert pool.used == 3


def test_an_empty_book_comes_back_as_a_book() -> None:
    state = MarketState("M")
    assert not restore(state.save(), Pool(), Ids()).has_book
    assert state.book.snapshot((), ())
    assert restore(state.save(), Pool(), Ids()).has_book


def test_levels_that_no_book_can_have_do_not_come_back() -> None:
    saved = full(Pool()).save()
    saved.view = msgspec.structs.replace(saved.view, yes=((10_001, 1),))
    with pytest.raises(ValueError, match="M: no book has these levels"):
        restore(saved, Pool(), Ids())


def test_a_ticker_that_cells_cannot_hold_is_kept_as_it_came() -> None:
    state = MarketState("M")
    odd = Ticker(market="M", price=4_100, unknown_fields=("msg.new",))
    state.take_ticker(odd, 5)
    assert state.ticker == odd
    plain = Ticker(market="M", yes_bid=4_000, market_id="an id")
    state.take_ticker(plain, 6)
    assert state.ticker == plain


def test_what_is_saved_is_in_one_order() -> None:
    one, other = full(Pool()), full(Pool())
    one.positions, other.positions = {0: 1, 3: 2}, {3: 2, 0: 1}
    assert msgspec.msgpack.encode(one.save()) == msgspec.msgpack.encode(other.save())
