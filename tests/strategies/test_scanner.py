"""The Scanner's decisions, record by record, at an exchange of which the test writes every word."""

import json
from typing import Any

import pytest
from strategy_rest import UNANSWERED, Asked, outcome_of, rest_record
from strategy_run import Cast, Run, decided, replayed

from core.actions import GO, Decision, Fetch, Say, Select, Subscribe, Tick, Unsubscribe
from core.engine import Engine
from core.errors import ConfigError
from core.records import Control, Kind, Opened, encode_payload
from core.strategy import read_params
from core.times import SECOND_NS
from replay.exchange.port import RestAnswer
from strategies.scanner import Scanner

BOOK = {"yes_dollars": [["0.3000", "50.00"], ["0.4000", "10.00"]], "no_dollars": [["0.5800", "20.00"]]}
LISTING = "/markets"


def market(ticker: str, **fields: Any) -> dict[str, Any]:
    plain = {"ticker": ticker, "event_ticker": ticker.rpartition("-")[0], "status": "active", "volume_fp": "100.00"}
    return plain | fields


def listing(*tickers: str, cursor: str = "", **volumes: str) -> dict[str, Any]:
    return {"markets": [market(t, volume_fp=volumes.get(t, "100.00")) for t in tickers], "cursor": cursor}


class Hand:
    """A scanner and an exchange of which every word is written by the test. It answers in the order it is asked."""

    def __init__(self, **params: Any) -> None:
        self.casts = [Cast("scan", Scanner, {"series": ["KXA"]} | params)]
        self.todo: list[Decision] = []
        self.run = Run(Engine(), self.casts, self.todo.append)
        self.volumes: dict[str, str] = {}
        self.book: dict[str, Any] = BOOK
        self._seq = 0
        began = self.run.begin()
        self.run.react(began, self.run.engine.step(began))
        self.put(Kind.OPENED, Opened("wss://exchange.test"), 1)
        self.put(Kind.CONTROL, Control(GO))

    @property
    def scanner(self) -> Scanner:
        found: Scanner = self.run.strategy()
        return found

    def put(self, kind: Kind, payload: Any, connection: int = 0) -> None:
        self.run.put(kind, encode_payload(payload), connection)

    def wait(self, seconds: int = 1) -> None:
        """Timers go off in time, and a ping comes every second."""
        for _ in range(seconds):
            self.run.now_ns += SECOND_NS
            self.run.put(Kind.FRAME_PING, b"", 1)
            if 0 < self.run.host.next_wake_ns <= self.run.now_ns:
                self.put(Kind.TICK, Tick(self.run.now_ns))

    def asked(self) -> Fetch | None:
        """What is fetched and not answered yet."""
        return next((d.action for d in self.todo if isinstance(d.action, Fetch)), None)

    def answer(self, body: Any = None, status: int = 200) -> Fetch:
        """Answer what was fetched first; None = no answer comes."""
        decision = next(d for d in self.todo if isinstance(d.action, Fetch))
        self.todo.remove(decision)
        fetch = decision.action
        assert isinstance(fetch, Fetch)
        found = UNANSWERED if body is None else RestAnswer(status, json.dumps(body).encode())
        self.run.put(
            Kind.REST, rest_record(Asked("GET", fetch.path, fetch.params), found, f"decision {decision.number}")
        )
        self.put(Kind.OUTCOME, outcome_of(decision.number, "GET", found))
        return fetch

    def books(self, *tickers: str, seconds: int = 1) -> None:
        """Let so much time pass and answer everything with the same book."""
        for _ in range(seconds):
            self.wait()
            while (asked := self.asked()) is not None:
                if asked.path == "/markets/orderbooks":
                    names = [value for _, value in asked.params]
                    self.answer({"orderbooks": [{"ticker": name, "orderbook_fp": self.book} for name in names]})
                elif asked.path == LISTING:
                    self.answer(listing(*tickers, **self.volumes))
                else:
                    self.answer({"market": market(asked.path.rpartition("/")[2])})

    def life(self, ticker: str, event: str, **fields: Any) -> None:
        self._seq += 1
        msg = {"event_type": event, "market_ticker": ticker, "event_ticker": ticker.rpartition("-")[0]} | fields
        frame = {"type": "market_lifecycle_v2", "sid": 1, "seq": self._seq, "msg": msg}
        self.run.put(Kind.FRAME, json.dumps(frame).encode(), 1)

    def watched(self) -> list[str]:
        return sorted(quote.market for quote in self.scanner.quotes(self.run.now_ns))


@pytest.fixture
def hand() -> Hand:
    """A scanner that watches KXA-1 and KXA-2."""
    made = Hand()
    made.answer(listing("KXA-1", "KXA-2"))
    return made


def test_parameters_are_read_from_text_and_have_limits() -> None:
    params = read_params(Scanner, {"series": "KXA, KXB", "use_websocket": "false", "top": "3"})
    assert (params.series, params.use_websocket, params.top) == (("KXA", "KXB"), False, 3)
    for name, value in (("top", "0"), ("stale_s", "1"), ("status", "settled"), ("weight_depth", "101"), ("tops", "1")):
        with pytest.raises(ConfigError, match=name):
            read_params(Scanner, {name: value})


def test_listings_are_read_page_by_page_and_markets_subscribed_to_in_one_decision() -> None:
    hand = Hand()
    first = hand.answer(listing("KXA-2", "KXA-3", cursor="next"))
    assert (first.path, first.params) == (LISTING, (("series_ticker", "KXA"), ("status", "open"), ("limit", "1000")))
    assert hand.watched() == []
    second = hand.answer(listing("KXA-1"))
    assert second.params == (*first.params, ("cursor", "next"))
    assert hand.run.actions(Subscribe) == [Subscribe(("KXA-1", "KXA-2", "KXA-3"))]
    assert hand.asked() is None


def test_what_somebody_else_asked_for_is_no_answer() -> None:
    hand = Hand()
    for params in ((("series_ticker", "KXB"), ("status", "open"), ("limit", "1000")), ()):
        found = RestAnswer(200, json.dumps(listing("KXB-1")).encode())
        hand.run.put(Kind.REST, rest_record(Asked("GET", LISTING, params), found, "somebody"))
    assert hand.watched() == []
    hand.answer(listing("KXA-1"))
    assert hand.watched() == ["KXA-1"]


def test_a_page_that_does_not_come_is_asked_for_again_later_and_nothing_is_lost() -> None:
    hand = Hand()
    hand.answer(listing("KXA-1", cursor="next"))
    for wait_s in (2, 4, 8):
        lost = hand.answer(None)
        assert dict(lost.params)["cursor"] == "next"
        hand.wait(wait_s - 1)
        assert hand.asked() is None
        hand.wait(2)
    hand.answer(listing("KXA-2"))
    assert hand.watched() == ["KXA-1", "KXA-2"]


def test_a_request_of_which_nothing_is_ever_heard_is_made_again() -> None:
    hand = Hand()
    hand.wait(31)
    assert len(hand.run.actions(Fetch)) == 1
    hand.wait(3)
    assert len(hand.run.actions(Fetch)) == 2


def test_what_the_next_listing_does_not_have_is_let_go_and_what_is_new_is_watched(hand: Hand) -> None:
    hand.books("KXA-2", "KXA-3", seconds=301)
    assert hand.watched() == ["KXA-2", "KXA-3"]
    assert hand.run.actions(Unsubscribe) == [Unsubscribe(("KXA-1",))]
    assert hand.run.actions(Subscribe)[1:] == [Subscribe(("KXA-3",))]


def next_walk(hand: Hand) -> None:
    """Go on until the listing is asked for again and not answered."""
    while True:
        hand.wait()
        while (asked := hand.asked()) is not None:
            if ("series_ticker", "KXA") in asked.params:
                return
            hand.answer(listing("KXA-1") if asked.path == LISTING else {"orderbooks": []})


def test_a_market_met_while_a_walk_is_under_way_is_not_let_go_because_it_was_not_on_its_pages(hand: Hand) -> None:
    next_walk(hand)
    hand.life("KXA-9", "activated")
    hand.answer(listing("KXA-1", cursor="next"))
    while (asked := hand.asked()) is None or asked.path != "/markets/KXA-9":
        hand.answer({"orderbooks": []})
    hand.answer({"market": market("KXA-9")})
    assert dict(hand.answer(listing("KXA-2")).params)["cursor"] == "next"
    assert hand.watched() == ["KXA-1", "KXA-2", "KXA-9"]


def test_a_listing_of_which_some_cannot_be_read_lets_nothing_go(hand: Hand) -> None:
    next_walk(hand)
    hand.answer({"markets": [market("KXA-1"), {"ticker": 5}], "cursor": ""})
    assert hand.watched() == ["KXA-1", "KXA-2"]


def test_no_more_is_watched_than_max_markets() -> None:
    hand = Hand(max_markets=2)
    hand.answer(listing("KXA-1", "KXA-2", "KXA-3"))
    hand.life("KXA-4", "activated")
    hand.wait()
    while hand.asked() is not None:
        hand.answer({"market": market("KXA-4")})
    assert hand.watched() == ["KXA-1", "KXA-2"]


@pytest.mark.parametrize(("held", "watched"), [(0, ["KXA-1", "KXA-3"]), (-300, ["KXA-1", "KXA-2"])])
def test_what_trades_far_more_takes_a_full_lists_place_but_not_that_of_what_is_selected_or_held(
    held: int, watched: list[str]
) -> None:
    hand = Hand(max_markets=2, top=1)
    hand.answer(listing("KXA-1", "KXA-2"))
    hand.books("KXA-1", "KXA-2", seconds=5)
    assert hand.run.actions(Select) == [Select(("KXA-1",))]
    hand.run.host.trading.holdings.hold("KXA-2", held, None)
    hand.volumes["KXA-3"] = "1000.00"
    hand.books("KXA-1", "KXA-2", "KXA-3", seconds=301)
    assert hand.watched() == watched


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("determined", {"determination_ts": 1_795_420_800, "result": "yes"}),
        ("settled", {"settled_ts": 1_795_420_800}),
        ("deactivated", {"is_deactivated": True}),
        ("close_date_updated", {"close_ts": 1_795_420_000}),
    ],
)
def test_a_market_that_ends_is_unsubscribed_at_once_and_selected_no_longer(
    hand: Hand, event: str, fields: dict[str, Any]
) -> None:
    hand.books("KXA-1", "KXA-2", seconds=5)
    assert sorted(hand.run.actions(Select)[-1].markets) == ["KXA-1", "KXA-2"]
    hand.life("KXA-1", event, **fields)
    assert hand.run.actions(Unsubscribe) == [Unsubscribe(("KXA-1",))]
    assert hand.run.actions(Select)[-1] == Select(("KXA-2",))


def test_a_market_leaves_when_its_close_has_passed_without_a_word() -> None:
    hand = Hand(min_close_s=0)
    body = listing("KXA-1")
    body["markets"][0]["close_time"] = "2026-11-23T08:00:10Z"  # ten seconds after the stage's clock begins
    hand.answer(body)
    hand.wait(9)
    assert hand.watched() == ["KXA-1"]
    hand.wait(2)
    assert hand.watched() == [] and hand.run.actions(Unsubscribe) == [Unsubscribe(("KXA-1",))]


def test_a_market_that_is_activated_is_fetched_and_watched_if_it_is_ours(hand: Hand) -> None:
    hand.life("KXB-1", "activated")
    hand.life("KXA-9", "activated")
    hand.wait()
    assert hand.answer({"market": market("KXA-9")}).path == "/markets/KXA-9"
    assert hand.watched() == ["KXA-1", "KXA-2", "KXA-9"]
    assert hand.run.actions(Subscribe)[-1] == Subscribe(("KXA-9",))


def test_a_market_that_is_created_is_watched_from_its_opening_on(hand: Hand) -> None:
    open_s = hand.run.now_ns // SECOND_NS + 30
    hand.life("KXA-9", "created", open_ts=open_s, close_ts=open_s + 900)
    hand.wait()
    hand.answer({"market": market("KXA-9", status="initialized", open_time="2026-11-23T08:00:30Z")})
    assert hand.watched() == ["KXA-1", "KXA-2"]
    hand.books("KXA-1", "KXA-2", seconds=28)
    assert hand.watched() == ["KXA-1", "KXA-2"]
    hand.books("KXA-1", "KXA-2", seconds=2)
    assert hand.watched() == ["KXA-1", "KXA-2", "KXA-9"]


def test_a_name_that_rest_does_not_have_is_asked_for_a_few_times_only(hand: Hand) -> None:
    hand.life("KXA-9", "activated")
    tries = 0
    for _ in range(300):
        hand.wait()
        while (asked := hand.asked()) is not None:
            tries += asked.path == "/markets/KXA-9"
            hand.answer({"error": {"code": "not_found"}}, 404)
    assert tries == 5


def test_names_that_are_no_names_are_never_asked_for(hand: Hand) -> None:
    hand.life("KXA-1/orderbook?x=", "activated")
    hand.wait(2)
    assert hand.asked() is None


def test_without_a_book_rest_is_asked_after_a_moment_and_then_as_often_as_said() -> None:
    hand = Hand(rest_every_s=7)
    hand.answer(listing("KXA-1"))
    hand.wait(2)
    assert hand.asked() is None
    asked = []
    for second in range(3, 31):
        hand.wait()
        while (fetch := hand.asked()) is not None:
            asked.append((second, fetch.path))
            books = {"orderbooks": [{"ticker": "KXA-1", "orderbook_fp": BOOK}]}
            hand.answer(books if fetch.path == "/markets/orderbooks" else listing("KXA-1"))
    assert [second for second, path in asked if path == "/markets/orderbooks"] == [3, 10, 17, 24]
    assert len(asked) == 8
    quote = hand.scanner.quotes(hand.run.now_ns)[0]
    assert (quote.source, quote.bid, quote.ask, quote.depth) == ("rest", 4_000, 4_200, 2_000)


def test_a_rest_exchange_that_is_dead_is_asked_ever_more_seldom() -> None:
    hand = Hand()
    hand.answer(listing("KXA-1"))
    for _ in range(600):
        hand.wait()
        while hand.asked() is not None:
            hand.answer(None)
    assert 10 <= len(hand.run.actions(Fetch)) <= 20


def test_many_markets_are_asked_about_in_lots_and_only_so_often_a_second() -> None:
    hand = Hand(max_markets=500, rest_per_s=2, rest_every_s=60, use_websocket=False)
    names = [f"KXA-{number:03}" for number in range(250)]
    hand.answer(listing(*names))
    seen = []
    for _ in range(10):
        hand.wait()
        asked = 0
        while (fetch := hand.asked()) is not None:
            asked += 1
            if fetch.path == "/markets/orderbooks":
                seen += [value for _, value in fetch.params]
            hand.answer({"orderbooks": []} if fetch.path == "/markets/orderbooks" else listing(*names))
        assert asked <= 2
    assert seen == names


def test_with_websocket_use_turned_off_nothing_is_subscribed_and_rest_alone_ranks() -> None:
    hand = Hand(use_websocket=False)
    hand.answer(listing("KXA-1", "KXA-2"))
    hand.books("KXA-1", "KXA-2", seconds=3)
    hand.life("KXA-1", "determined")
    assert hand.run.actions(Subscribe) == hand.run.actions(Unsubscribe) == hand.run.actions(Say) == []
    assert [select.markets for select in hand.run.actions(Select)] == [("KXA-1", "KXA-2"), ("KXA-2",)]
    (quote,) = hand.scanner.quotes(hand.run.now_ns)
    assert (quote.source, quote.flaw, quote.why, quote.rank) == ("rest", "turned off", "", 1)


def test_a_selected_market_that_is_unfit_for_a_moment_stays_selected() -> None:
    hand = Hand(use_websocket=False, rest_every_s=1)
    hand.answer(listing("KXA-1"))
    hand.books("KXA-1", seconds=3)
    hand.book = BOOK | {"no_dollars": []}
    hand.books("KXA-1", seconds=5)
    assert hand.scanner.quotes(hand.run.now_ns)[0].ask is None
    hand.book = BOOK
    hand.books("KXA-1", seconds=3)
    assert hand.run.actions(Select) == [Select(("KXA-1",))]
    hand.book = BOOK | {"no_dollars": []}
    hand.books("KXA-1", seconds=8)
    assert hand.run.actions(Select) == [Select(("KXA-1",)), Select(())]
    assert hand.scanner.quotes(hand.run.now_ns)[0].why == "one-sided"


def test_listings_are_asked_for_even_while_rest_stands_in_all_the_time() -> None:
    hand = Hand(use_websocket=False, rest_every_s=1, rest_per_s=1, discover_every_s=10)
    hand.answer(listing("KXA-1"))
    hand.books("KXA-1", "KXA-2", seconds=20)
    assert hand.watched() == ["KXA-1", "KXA-2"]


def test_figures_that_nothing_confirms_any_more_are_old_and_not_ranked() -> None:
    hand = Hand(use_websocket=False, stale_s=20)
    hand.answer(listing("KXA-1"))
    hand.books("KXA-1", seconds=2)
    assert hand.run.actions(Select) == [Select(("KXA-1",))]
    hand.wait(18)
    assert hand.run.actions(Select) == [Select(("KXA-1",))]
    hand.wait(4)
    assert hand.run.actions(Select)[-1] == Select(())
    (quote,) = hand.scanner.quotes(hand.run.now_ns)
    assert (quote.why, quote.score, quote.rank) == ("old data", -1, 0)


def test_the_same_records_give_the_same_decisions(hand: Hand) -> None:
    hand.books("KXA-1", "KXA-2", seconds=10)
    hand.life("KXA-1", "determined")
    hand.wait(3)
    assert replayed(hand.run.records, hand.casts) == decided(hand.run.records) == hand.run.decisions
