from typing import Any

import msgspec
import pytest
from deck import delta, ok, snapshot, ticker, trade
from hypothesis import given, settings
from hypothesis import strategies as st

from core import store as store_module
from core.gaps import RECONNECT, RESTART, SEQUENCE, STALL, TERMINAL, Gap
from core.lifecycle import Phase
from core.machine import MAX_TOTAL
from core.messages import (
    Communication,
    ErrorReply,
    Fill,
    MarketLifecycle,
    MarketPosition,
    Message,
    Ok,
    Side,
    Subscribed,
    Unknown,
    Unsubscribed,
    UserOrder,
)
from core.money import MAX_SIZE
from core.store import Change, ChangeKind, MarketStateStore, Rejected
from core.trade_ids import MAX_TRADE_IDS
from core.views import MarketView, PricePoint


def gap(reason: str = SEQUENCE, connection: int = 0, sid: int = 0, markets: tuple[str, ...] = ()) -> Gap:
    return Gap(1, reason, connection, sid, None, None, 1, 2, markets)


def filled(*messages: Message, connection: int = 0) -> MarketStateStore:
    store = MarketStateStore()
    for now_ns, message in enumerate(messages, start=1):
        assert not isinstance(store.apply(message, now_ns, connection=connection), Rejected)
    return store


# ------------------------------------------------------------------ the book and its owner


def test_an_unknown_market_is_empty_and_untrusted() -> None:
    assert (MarketStateStore().view("M"), MarketStateStore().markets()) == (MarketView(market="M"), ())


def test_a_snapshot_makes_a_book_that_is_trusted_and_owned() -> None:
    store = MarketStateStore()
    assert store.apply(snapshot(7, sid=3), 10, connection=2) == Change("M", ChangeKind.BOOK)
    view = store.view("M")
    assert (view.trusted, view.owner, view.last_seq) == (True, (2, 3), 7)
    assert (view.book_ns, view.heard_ns) == (10, 10)


def test_a_delta_before_its_snapshot_is_refused_and_leaves_no_trace() -> None:
    store = MarketStateStore()
    assert store.apply(delta(1), 5) is Rejected.NO_SNAPSHOT
    assert store.markets() == ()
    store.apply(ticker(), 6)
    assert store.apply(delta(2), 7) is Rejected.NO_SNAPSHOT


def test_deltas_change_the_book_they_belong_to() -> None:
    store = filled(snapshot(1, "A"), snapshot(2, "B"), delta(3, 4_000, 10, market="A"))
    assert store.apply(delta(4, 5_500, 7, Side.NO, market="A"), 9) == Change("A", ChangeKind.BOOK)
    assert (store.view("A").yes, store.view("A").no) == (((4_000, 110),), ((5_500, 7),))
    assert store.view("B").yes == ((4_000, 100),)
    assert store.view("A").book_ns == 9


def test_deltas_of_another_subscription_are_not_the_owners() -> None:
    store = filled(snapshot(1), connection=1)
    assert store.apply(delta(2, sid=2), 5, connection=1) is Rejected.NOT_OWNER
    assert store.apply(delta(2), 5, connection=2) is Rejected.NOT_OWNER
    assert store.view("M").yes == ((4_000, 100),)


def test_the_latest_accepted_snapshot_takes_the_book_over() -> None:
    store = filled(snapshot(5), connection=1)
    assert store.apply(snapshot(1), 5, connection=2) == Change("M", ChangeKind.BOOK)
    assert store.apply(delta(6), 6, connection=1) is Rejected.NOT_OWNER
    assert store.apply(delta(2), 7, connection=2) == Change("M", ChangeKind.BOOK)
    assert store.view("M").owner == (2, 1)


def test_numbers_that_were_passed_are_out_of_order() -> None:
    store = filled(snapshot(5), delta(7))
    assert store.apply(delta(7), 5) is Rejected.OUT_OF_ORDER
    assert store.apply(delta(6), 5) is Rejected.OUT_OF_ORDER
    assert store.apply(snapshot(5), 5) is Rejected.OUT_OF_ORDER
    assert store.view("M").yes == ((4_000, 110),)
    assert store.view("M").heard_ns == 2


def test_an_empty_snapshot_empties_the_book_and_keeps_it_trusted() -> None:
    store = filled(snapshot(1), snapshot(2, yes=(), no=()), snapshot(3, yes=(), no=()))
    assert (store.view("M").yes, store.view("M").no, store.view("M").trusted) == ((), (), True)


@pytest.mark.parametrize(("change", "reason"), [(-101, "negative_size"), (MAX_SIZE, "excessive_size")])
def test_a_size_that_cannot_be_means_that_the_book_is_wrong_until_its_next_snapshot(change: int, reason: str) -> None:
    store = filled(snapshot(1))
    assert store.apply(delta(2, 4_000, change), 5) == Rejected(reason)
    assert not store.view("M").trusted
    assert not isinstance(store.apply(delta(3, 4_100, 5), 6), Rejected)
    assert not store.view("M").trusted
    store.apply(snapshot(4), 7)
    assert store.view("M").trusted


def test_a_snapshot_with_a_size_that_cannot_be_is_refused_and_the_old_book_not_trusted() -> None:
    store = filled(snapshot(1))
    assert store.apply(snapshot(2, yes=((4_000, -1),)), 5) is Rejected.EXCESSIVE_SIZE
    assert (store.view("M").yes, store.view("M").trusted) == (((4_000, 100),), False)


def test_the_exchanges_clock_is_the_newest_one_told() -> None:
    store = MarketStateStore()
    store.apply(msgspec.structs.replace(snapshot(1), clock=40), 1)
    store.apply(msgspec.structs.replace(delta(2), clock=42), 2)
    store.apply(delta(3), 3)
    assert store.view("M").clock == 42
    store.apply(snapshot(4), 4)
    assert store.view("M").clock == 0


def test_no_side_prices_on_the_yes_scale_are_turned_around() -> None:
    plain, yes_scale = MarketStateStore(), MarketStateStore()
    plain.apply(snapshot(1, yes=((4_000, 5),), no=((5_500, 20), (5_600, 17))), 1)
    plain.apply(delta(2, 5_600, 3, Side.NO), 2)
    plain.apply(delta(3, 4_000, 3, Side.YES), 3)
    yes_scale.apply(snapshot(1, yes=((4_000, 5),), no=((4_500, 20), (4_400, 17))), 1, yes_price=True)
    yes_scale.apply(delta(2, 4_400, 3, Side.NO), 2, yes_price=True)
    yes_scale.apply(delta(3, 4_000, 3, Side.YES), 3, yes_price=True)
    assert yes_scale.view("M") == plain.view("M")
    assert plain.view("M").yes_ask == (4_400, 20)


# ------------------------------------------------------------------ trust


@pytest.fixture
def two_connections() -> MarketStateStore:
    """A and B on (1, 1), C on (1, 2), D on (2, 1)."""
    store = MarketStateStore()
    for market, connection, sid in (("A", 1, 1), ("B", 1, 1), ("C", 1, 2), ("D", 2, 1)):
        store.apply(snapshot(9, market, sid=sid), 1, connection=connection)
    return store


@pytest.mark.parametrize(
    ("told", "lost"),
    [
        (gap(SEQUENCE, 1, 1, ("A", "B")), "AB"),
        (gap(SEQUENCE, 1, 3), ""),
        (gap(SEQUENCE, 2, 1, ("D",)), "D"),
        (gap(RECONNECT, 1, markets=("A",)), "ABC"),
        (gap(STALL, 2), "D"),
        (gap(TERMINAL, 1, 2, ("C",)), "C"),
        (gap(RESTART, 1, 1, ("A", "B")), "AB"),
        (gap("down"), "ABCD"),
        (gap("refused", 1), "ABC"),
        (gap("refused", 1, 2), "C"),
        (gap("sequence", 1, 1, ("B",)), "B"),
        (gap("maintenance", markets=("A", "D")), "AD"),
    ],
)
def test_a_gap_takes_the_trust_of_the_books_in_its_scope(
    two_connections: MarketStateStore, told: Gap, lost: str
) -> None:
    two_connections.distrust(told)
    assert "".join(m for m in "ABCD" if not two_connections.view(m).trusted) == lost


@pytest.mark.parametrize(("reason", "kept"), [(SEQUENCE, True), (STALL, True), ("down", True), (RECONNECT, False)])
def test_an_untrusted_book_is_still_followed_while_its_subscription_lives(reason: str, kept: bool) -> None:
    store = filled(snapshot(1), connection=1)
    store.distrust(gap(reason, 1))
    outcome = store.apply(delta(2), 5, connection=1)
    assert outcome == (Change("M", ChangeKind.BOOK) if kept else Rejected.NO_SNAPSHOT)
    assert not store.view("M").trusted


def test_trust_comes_back_with_the_books_own_snapshot_only() -> None:
    store = filled(snapshot(1, "A"), snapshot(2, "B"), connection=1)
    store.distrust(gap(SEQUENCE, 1, 1, ("A", "B")))
    store.apply(snapshot(9, "B"), 5, connection=1)
    assert (store.view("A").trusted, store.view("B").trusted) == (False, True)


def test_after_a_reconnect_the_same_subscription_may_count_from_one() -> None:
    store = filled(snapshot(900), connection=1)
    store.distrust(gap(RECONNECT, 1))
    assert store.view("M").owner is None
    assert store.apply(snapshot(1), 5, connection=1) == Change("M", ChangeKind.BOOK)


def test_a_rest_book_lies_beside_the_real_one_and_restores_no_trust() -> None:
    store = filled(snapshot(1))
    store.distrust(gap("down"))
    assert store.apply_rest_book("M", ((5_000, 1), (100, 2)), (), 9) == Change("M", ChangeKind.REST_BOOK)
    view = store.view("M")
    assert (view.yes, view.trusted, view.book_ns) == (((4_000, 100),), False, 1)
    assert view.rest is not None
    assert (view.rest.now_ns, view.rest.yes) == (9, ((100, 2), (5_000, 1)))


def test_markets_that_left_a_subscription_lose_their_book_and_the_others_keep_it() -> None:
    store = filled(snapshot(1, "A"), snapshot(2, "B"), connection=1)
    assert store.apply(ok(3, "B"), 5, connection=1) == Change("", ChangeKind.SUBSCRIPTION)
    assert (store.view("A").trusted, store.view("B").trusted) == (False, True)
    assert store.apply(delta(4, market="A"), 6, connection=1) is Rejected.NO_SNAPSHOT


@pytest.mark.parametrize("message", [ok(3, "M", "N"), ok(3, sid=2), Unsubscribed(sid=2), Ok(sid=1, seq=3)])
def test_replies_that_take_no_market_away_change_nothing(message: Message) -> None:
    store = filled(snapshot(1), connection=1)
    assert store.apply(message, 5, connection=1) is None
    assert store.apply(Unsubscribed(sid=1), 5, connection=2) is None
    assert store.view("M").trusted


def test_an_ended_subscription_leaves_books_that_stand_still() -> None:
    store = filled(snapshot(1), connection=1)
    assert store.apply(Unsubscribed(sid=1, seq=2), 5, connection=1) == Change("", ChangeKind.SUBSCRIPTION)
    assert (store.view("M").trusted, store.view("M").owner) == (False, None)


# ------------------------------------------------------------------ trades, tickers, prices, the rest


def test_trades_are_kept_in_order_and_added_up() -> None:
    store = filled(trade(1, count=5), trade(2, count=7, price=4_100))
    view = store.view("M")
    assert [(seen.now_ns, seen.price, seen.count) for seen in view.trades] == [(1, 4_000, 5), (2, 4_100, 7)]
    assert view.last_trade == view.trades[-1]
    assert (view.traded_size, view.heard_ns) == (12, 2)


def test_a_trade_that_comes_again_is_refused_on_whatever_connection() -> None:
    store = filled(trade(1, "t1"))
    assert store.apply(trade(9, "t1"), 5, connection=2) is Rejected.DUPLICATE_TRADE
    assert store.view("M").traded_size == 5


def test_trades_known_again_are_bounded() -> None:
    store = MarketStateStore()
    for seq in range(MAX_TRADE_IDS + 1):
        store.apply(trade(seq), seq)
    assert store.apply(trade(1), 1) is Rejected.DUPLICATE_TRADE
    assert store.apply(trade(0), 1) == Change("M", ChangeKind.TRADE)


def test_the_sum_of_trades_stops_where_a_tape_could_not_hold_it() -> None:
    store = MarketStateStore()
    for seq in range(3):
        store.apply(trade(seq, count=MAX_TOTAL // 2), seq)
    assert store.view("M").traded_size == MAX_TOTAL


def test_prices_tell_when_the_best_of_the_book_moved() -> None:
    store = filled(
        snapshot(1, yes=((4_000, 10),), no=((5_500, 10),)),
        delta(2, 3_900, 5),
        delta(3, 4_100, 5),
        delta(4, 4_100, 5),
        delta(5, 4_100, -10),
        delta(6, 5_500, -10, Side.NO),
        snapshot(7, yes=((4_000, 99),)),
    )
    assert store.view("M").prices == (
        PricePoint(1, 4_000, 4_500),
        PricePoint(3, 4_100, 4_500),
        PricePoint(5, 4_000, 4_500),
        PricePoint(6, 4_000, None),
    )


def test_prices_come_from_tickers_while_there_has_been_no_book() -> None:
    store = filled(
        ticker(yes_bid=4_000, yes_ask=4_200),
        ticker(yes_bid=4_000, yes_ask=4_200, price=9),
        ticker(yes_bid=0, yes_ask=10_000),
        snapshot(1, yes=((3_000, 1),)),
        ticker(yes_bid=1, yes_ask=2),
    )
    assert store.view("M").prices == (
        PricePoint(1, 4_000, 4_200),
        PricePoint(3, None, None),
        PricePoint(4, 3_000, None),
    )


def test_lifecycle_orders_fills_and_positions_are_kept() -> None:
    order = UserOrder(market="M", order_id="o", status="resting", side=Side.NO, price=1)
    fill = Fill(market="M", trade_id="t", order_id="o", side=Side.NO, price=1, count=5, post_position=-5)
    store = MarketStateStore()
    told: list[tuple[Message, ChangeKind]] = [
        (MarketLifecycle(market="M", event="created", close_ns=90), ChangeKind.LIFECYCLE),
        (order, ChangeKind.ORDER),
        (fill, ChangeKind.FILL),
        (MarketPosition(market="M", position=-5), ChangeKind.POSITION),
    ]
    for now_ns, (message, kind) in enumerate(told, start=1):
        assert store.apply(message, now_ns) == Change("M", kind)
    view = store.view("M")
    assert (view.lifecycle.phase, view.lifecycle.close_ns) == (Phase.INITIALIZED, 90)
    assert (view.orders, view.fills, view.position) == ((order,), (fill,), -5)
    assert store.apply(fill, 9) is Rejected.DUPLICATE_FILL
    assert store.view("M").heard_ns == 4


@pytest.mark.parametrize(
    "message",
    [Subscribed(channel="trade"), ErrorReply(code=8), Communication(type="rfq_created", market="M"), Unknown(type="x")],
)
def test_what_concerns_no_market_changes_nothing(message: Message) -> None:
    store = MarketStateStore()
    assert (store.apply(message, 5), store.markets()) == (None, ())


def test_markets_are_listed_in_order_until_a_reset_forgets_everything() -> None:
    store = filled(snapshot(1, "B"), trade(1), snapshot(2, "A"))
    assert store.markets() == ("A", "B", "M")
    store.reset()
    assert store.markets() == ()
    assert store.apply(trade(1), 5) == Change("M", ChangeKind.TRADE)


def test_markets_are_bounded_and_the_least_missed_go() -> None:
    bound = store_module.MAX_MARKETS
    store = MarketStateStore()
    store.apply(UserOrder(market="ours", order_id="o", status="resting", side=Side.NO, price=1), 0)
    store.apply(snapshot(1, "trusted"), 0)
    for number in range(bound - 2):
        store.apply(ticker(f"T{number}", yes_bid=1), 1 + number)
    assert len(store.markets()) == bound
    store.apply(ticker("one more"), bound)
    left = store.markets()
    assert len(left) == bound - bound // 8 + 1
    assert {"ours", "trusted", "one more", f"T{bound // 8}", f"T{bound - 3}"} <= set(left)
    assert f"T{bound // 8 - 1}" not in left
    assert store._pool.used == sum(len(store.view(market).prices) for market in left)


def test_orders_of_a_market_that_is_forgotten_count_no_more() -> None:
    store = MarketStateStore()
    store.apply(UserOrder(market="M", order_id="o", status="resting", side=Side.NO, price=1), 0)
    for number in range(store_module.MAX_MARKETS):
        store.apply(MarketPosition(market=f"T{number}", position=1), 1 + number)
    assert "M" not in store.markets()
    assert store._account.working == 0


# ------------------------------------------------------------------ whatever comes


ANY = st.one_of(
    st.builds(snapshot, st.integers(0, 30), st.sampled_from("AB"), sid=st.integers(0, 2)),
    st.builds(
        delta,
        st.integers(0, 30),
        st.integers(3_998, 4_002),
        st.integers(-150, 150),
        st.sampled_from(Side),
        market=st.sampled_from("AB"),
        sid=st.integers(0, 2),
    ),
    st.builds(trade, st.integers(1, 9), market=st.sampled_from("AB")),
    st.builds(ticker, st.sampled_from("AB"), yes_bid=st.integers(0, 3)),
    st.builds(ok, st.integers(0, 9), st.sampled_from("AB")),
    st.just(Unsubscribed(sid=1)),
    st.builds(gap, st.sampled_from([SEQUENCE, RECONNECT, STALL, "down"]), st.integers(0, 2), st.integers(0, 2)),
)


def fold(store: MarketStateStore, script: list[Any], start: int) -> list[Any]:
    outcomes: list[Any] = []
    for now_ns, item in enumerate(script, start=start):
        if isinstance(item, Gap):
            store.distrust(item)
        else:
            connection = 1 + now_ns % 2
            outcomes.append(store.apply(item, now_ns, connection=connection, yes_price=connection == 2))
    return outcomes


@given(st.lists(ANY, max_size=60))
@settings(max_examples=60)
def test_no_level_is_ever_negative_and_nobodys_book_is_never_trusted(script: list[Any]) -> None:
    store = MarketStateStore()
    fold(store, script, 1)
    for market in store.markets():
        view = store.view(market)
        assert all(size > 0 for _, size in (*view.yes, *view.no))
        assert not (view.trusted and view.owner is None)
