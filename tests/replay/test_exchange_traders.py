"""Synthetic traders and listings: books that could be real, from a seed."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from core.times import SECOND_NS
from replay.exchange.engine import MatchingEngine
from replay.exchange.happenings import (
    BookChanged,
    EventCreated,
    Happening,
    Life,
    LifecycleChanged,
    OrderChanged,
    Traded,
)
from replay.exchange.ids import CountingIds
from replay.exchange.listing import KINDS, Listing
from replay.exchange.orders import Reason
from replay.exchange.specs import MarketStatus
from replay.exchange.traders import ACCOUNTS, Cancels, Traders

START_NS = 1_795_420_800 * SECOND_NS


class Floor:
    """An exchange with listings and traders, and nobody else."""

    def __init__(self, seed: int = 1, markets: int = 20, cancels: Cancels = Cancels.ANY) -> None:
        ids, dice = CountingIds(seed), random.Random(seed)
        self.engine = MatchingEngine(ids)
        self.listing = Listing(self.engine, dice, iter(ids, ""))
        self.traders = Traders(self.engine, dice, cancels)
        self.listing.open(markets, START_NS)
        self.now_ns = START_NS
        self.listed = self.engine.drain()

    def act(self, steps: int) -> list[Happening]:
        """What so many actions lead to, one every 5 ms."""
        found: list[Happening] = []
        for _ in range(steps):
            self.now_ns += 5_000_000
            self.traders.step(self.now_ns)
            found += self.engine.drain()
        return found


@pytest.fixture(scope="module")
def busy() -> tuple[Floor, list[Happening]]:
    """A floor after a while, and all that happened."""
    floor = Floor()
    return floor, floor.act(6_000)


def test_the_same_seed_makes_the_same_actions() -> None:
    first, second, third = (Floor(seed).act(300) for seed in (3, 3, 4))
    assert first == second != third


def test_books_have_both_sides_and_are_never_crossed(busy: tuple[Floor, list[Happening]]) -> None:
    floor, _ = busy
    books = [floor.engine.reads.book(market) for market in floor.engine.reads.markets()]
    assert sum(bool(book.yes and book.no) for book in books) > 0.9 * len(books)
    assert all(book.yes[-1][0] + book.no[-1][0] < 10_000 for book in books if book.yes and book.no)
    assert max(len(book.yes) + len(book.no) for book in books) > 10


def test_sizes_have_fractions_and_prices_lie_off_the_cent(busy: tuple[Floor, list[Happening]]) -> None:
    deltas = [told for told in busy[1] if isinstance(told, BookChanged)]
    assert 0.2 < sum(told.delta % 100 != 0 for told in deltas) / len(deltas) < 0.8
    assert sum(told.price % 100 != 0 for told in deltas) > 100
    assert sum(told.price % 10 != 0 for told in deltas) > 10


def test_everything_that_traders_do_is_done(busy: tuple[Floor, list[Happening]]) -> None:
    orders = [told.order for told in busy[1] if isinstance(told, OrderChanged)]
    assert {order.account for order in orders} == set(ACCOUNTS)
    assert {Reason.NONE, Reason.TRADE, Reason.DECREASE} <= {order.reason for order in orders}
    assert {told.taker for told in busy[1] if isinstance(told, Traded)} == {"yes", "no"}


def test_prices_move(busy: tuple[Floor, list[Happening]]) -> None:
    by_market: dict[str, set[int]] = {}
    for told in busy[1]:
        if isinstance(told, Traded):
            by_market.setdefault(told.market, set()).add(told.price)
    assert max(len(prices) for prices in by_market.values()) > 10


def test_some_markets_are_far_busier_than_others_and_some_moments_too(busy: tuple[Floor, list[Happening]]) -> None:
    told = [each for each in busy[1] if isinstance(each, BookChanged)]
    counts = Counter(each.market for each in told).most_common()
    assert counts[0][1] > 4 * counts[-1][1]
    run = longest = 1
    for before, after in pairwise(told):
        run = run + 1 if before.market == after.market else 1
        longest = max(longest, run)
    assert longest >= 15


def test_no_money_is_made_or_lost(busy: tuple[Floor, list[Happening]]) -> None:
    reads = busy[0].engine.reads
    held = sum(reads.balance(account).balance for account in ACCOUNTS)
    assert held + reads.collateral + reads.house == len(ACCOUNTS) * 10**15


def test_traders_leave_markets_alone_that_are_not_open() -> None:
    floor = Floor(markets=1)
    for market in floor.engine.reads.markets():
        floor.engine.life.deactivate(market, floor.now_ns)
    floor.engine.drain()
    assert floor.act(50) == []


def test_what_is_asked_for_is_open_and_every_structure_of_prices_is_there() -> None:
    floor = Floor(markets=23)
    views = [floor.engine.reads.market(market) for market in floor.engine.reads.markets()]
    open_now = [view for view in views if view.status is MarketStatus.ACTIVE]
    combos = [view for view in open_now if view.spec.ticker.startswith("KXMVE")]
    assert (len(open_now) - len(combos), len(combos)) == (23, 2)
    assert {view.spec.price_level_structure for view in views} == {kind.structure for kind in KINDS}
    assert len({view.spec.market_id for view in views}) == len(views)
    events = [told for told in floor.listed if isinstance(told, EventCreated)]
    assert {told.event.fees.fee_type for told in events} == {kind.fees.fee_type for kind in KINDS}


def test_the_rare_things_of_a_life_all_come() -> None:
    floor = Floor()
    for _ in range(60):
        floor.listing.stir(floor.now_ns)
    told = floor.engine.drain()
    turns = {each.event for each in told if isinstance(each, LifecycleChanged)}
    assert turns == {
        Life.PRICE_LEVELS_UPDATED, Life.METADATA_UPDATED, Life.CLOSE_DATE_UPDATED, Life.DEACTIVATED, Life.ACTIVATED,
    }  # fmt: skip


def test_a_result_follows_what_was_paid_for_it() -> None:
    won = 0
    for seed in range(30):
        floor = Floor(seed, markets=5)
        floor.act(400)
        floor.now_ns = floor.listing.next_ns
        floor.engine.advance(floor.now_ns)
        prices = {m: floor.engine.reads.market(m).ticker.price for m in floor.engine.reads.markets()}
        floor.listing.live(floor.now_ns)
        for market, price in prices.items():
            outcome = floor.engine.reads.market(market).outcome
            if outcome is not None and abs(price - 5_000) > 4_000 and price:
                won += 1 if (outcome.settlement_value == 10_000) == (price > 5_000) else -1
    assert won > 0


def test_traders_take_back_what_came_late_or_early_where_that_is_their_rule() -> None:
    ages = {}
    for cancels in Cancels:
        happened = Floor(2, 3, cancels).act(3_000)
        changed = [h for h in happened if isinstance(h, OrderChanged) and h.order.reason is Reason.DECREASE]
        taken = [age for h in changed if (age := h.at_ns - h.order.created_ns)]  # what rests nothing has none
        ages[cancels] = sum(taken) / len(taken)
    assert ages[Cancels.LATE] < ages[Cancels.ANY] < ages[Cancels.EARLY]
