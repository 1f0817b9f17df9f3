"""What the tape's REST answers and private frames are to a backtest: facts, latencies, answers, or somebody else's."""

from typing import Any

import msgspec
import pytest
from sample_tapes import MILLI
from venues import MARKET, TERMS, Actor, Day, Told, answered, ask, backtest, bid, ms

from core.actions import Done, Outcome
from core.context import Context
from core.errors import ConfigError
from core.fees import FeeType
from core.records import Kind, RestCall, encode_payload
from replay.venue import told
from replay.venue.delays import Delays
from replay.venue.facts import fee_terms
from replay.venue.terms import Latency, VenueTerms

SOON = 10_000
SILENT = msgspec.structs.replace(TERMS, fees="", ticks="")
EVENT = MARKET.rpartition("-")[0]


def with_facts(day: Day, fee_type: str = "quadratic_with_maker_fees", multiplier: float = 1) -> Day:
    """The market and its series as REST tells of them."""
    market = {
        "ticker": MARKET, "event_ticker": EVENT, "status": "active", "price_level_structure": "deci_cent",
        "open_time": "2020-01-01T00:00:00Z", "close_time": "2030-01-01T00:00:00Z",
    }  # fmt: skip
    series = {"ticker": MARKET.partition("-")[0], "fee_type": fee_type, "fee_multiplier": multiplier}
    answered(day, f"/markets/{MARKET}", {"market": market})
    return answered(day, f"/series/{series['ticker']}", {"series": series})


def fetching(path: str, **params: str) -> Any:
    def do(_actor: Actor, ctx: Context) -> None:
        ctx.fetch(path, **params)

    return do


def test_fees_and_ticks_are_those_that_the_tape_tells() -> None:
    day = with_facts(Day(), multiplier=0.5).at(200).traded("0.3900", "1.00", "no").at(SOON).ping()
    found = backtest(day, {100: bid(4_010, 100), 300: bid(5_000, 100, ioc=True)}, SILENT)
    # 0.0175 * 0.5 * 0.401 * 0.599 and 0.07 * 0.5 * 0.5 * 0.5, up to $0.0001
    assert [(fill.price, fill.fee) for fill in found.of(told.Filled)] == [(4_010, 2_200), (5_000, 8_800)]
    assert found.venue is not None
    assert not [said for said in found.venue.assumptions() if "does not tell" in said]


@pytest.mark.parametrize("told_type", ["flat", "margin_market_maker_program_fees", "novel"])
def test_fees_that_nobody_can_count_are_an_error_or_supposed_in_words(told_type: str) -> None:
    """They are charged by no formula that is published: a number for them would be made up."""
    day = with_facts(Day(), told_type).at(SOON).ping()
    with pytest.raises(ConfigError, match=f"{MARKET}: what the tape tells of its fees is no formula that is known"):
        backtest(day, {100: bid(5_000, 100, ioc=True)}, SILENT)
    found = backtest(day, {100: bid(5_000, 100, ioc=True)}, msgspec.structs.replace(SILENT, fees="quadratic:2"))
    assert [fill.fee for fill in found.of(told.Filled)] == [35_000]
    assert found.venue is not None
    assert f"the tape does not tell the fees of {MARKET}: quadratic:2 (supposed)" in found.venue.assumptions()


def test_fees_that_were_supposed_before_the_tape_told_them_stay_an_assumption() -> None:
    """As where an answer about the series was fetched days later: the fills were charged what was supposed."""
    day = with_facts(Day().at(SOON), multiplier=0.5).ping()
    found = backtest(day, {100: bid(5_000, 100, ioc=True)}, TERMS)
    assert [fill.fee for fill in found.of(told.Filled)] == [17_500]
    assert found.venue is not None
    words = "quadratic:1 (supposed), then quadratic_with_maker_fees:0.5 (told by the tape)"
    assert found.venue.exchange.facts.fee_words(MARKET) == words
    assert f"the tape does not tell the fees of {MARKET}: {words}" in found.venue.assumptions()


def test_an_event_that_charges_otherwise_does_so_from_then_on() -> None:
    day = with_facts(Day())
    body = {"event_ticker": EVENT, "fee_type_override": "quadratic", "fee_multiplier_override": 2}
    day.at(500).frame({"type": "event_fee_update", "sid": 3, "seq": day.skip(sid=3).numbers[1, 3], "msg": body})
    found = backtest(day.at(SOON).ping(), {100: bid(5_000, 100, ioc=True), 600: bid(5_000, 100, ioc=True)}, SILENT)
    assert [fill.fee for fill in found.of(told.Filled)] == [17_500, 35_000]


def test_the_exchange_takes_no_orders_while_its_status_says_so_and_pulls_what_goes_at_a_pause() -> None:
    day = Day()
    for at_ms, trading in ((500, False), (2_000, True)):
        answered(day.at(at_ms), "/exchange/status", {"exchange_active": True, "trading_active": trading})
    found = backtest(day.at(SOON).ping(), {100: bid(4_000, 100), 600: bid(4_000, 100), 2_100: bid(4_000, 100)})
    assert found.ends[:2] == [(500, "canceled"), (605, "refused:trading_is_paused")]
    assert [ms(rested.at_ns) for rested in found.of(told.Rested)] == [105, 2_105]


def test_a_fetch_gets_the_latest_answer_there_is_by_then_or_none() -> None:
    day = answered(Day(), "/markets?status=open", {"markets": [], "cursor": ""})
    day.at(SOON).ping()
    found = backtest(day, {100: fetching("/markets", status="open"), 200: fetching("/markets", status="closed")})
    assert ("rest", 110.0, "/markets") in found.actor.seen
    assert found.actor.seen[-1] == ("failed", 210.0, "/markets")
    assert found.venue is not None and found.venue.not_on_tape == 1


def test_what_is_asked_of_the_account_is_answered_by_the_venue() -> None:
    day = Day().at(SOON).ping()
    found = backtest(day, {100: bid(5_000, 100, ioc=True), 200: fetching("/portfolio/fills", limit="10")})
    assert found.actor.seen[-1] == ("rest", 210.0, "/portfolio/fills")


@pytest.mark.parametrize("path", ["bytes", "columns"])
def test_the_recorded_runs_own_account_is_kept_from_the_strategy(path: str) -> None:
    day = Day().subscribed(4, "fill").subscribed(5, "market_positions")
    position = {"market_ticker": MARKET, "position_fp": "7.00", "user_id": "u"}
    day.at(100).frame({"type": "market_position", "sid": 5, "msg": position})
    fill = {
        "trade_id": "t", "order_id": "o", "client_order_id": "c", "market_ticker": MARKET, "is_taker": False,
        "side": "yes", "yes_price_dollars": "0.4000", "count_fp": "7.00", "ts": 1, "ts_ms": 1_000,
        "post_position_fp": "7.00", "purchased_side": "yes", "fee_cost": "0.0",
    }  # fmt: skip
    day.at(110).frame({"type": "fill", "sid": 4, "msg": fill})
    day.at(203).put(Kind.OUTCOME, encode_payload(Outcome(1, Done.REFUSED, 400, "nobody")), 0)
    answered(day, "/portfolio/balance", {"balance": 1, "balance_dollars": "0.01"}, "decision 1")
    looks: list[object] = []

    def look(_actor: Actor, ctx: Context) -> None:
        view = ctx.market(MARKET).freeze()
        looks.append((view.position, view.fills, view.position_report, ctx.account.position(MARKET)))

    found = backtest(day.at(SOON).ping(), {150: look, 200: bid(4_000, 100)}, path=path)
    assert looks == [(None, (), None, 0)]
    assert [seen for seen in found.actor.seen if seen[0] not in ("order", "rest")] == []
    assert found.orders == [(210, "resting", 0, "")]
    paths = [seen for seen in found.actor.seen if seen[0] == "rest"]
    assert paths == [("rest", 0.0, f"/portfolio/{name}") for name in ("balance", "positions", "orders")]


def test_latency_is_drawn_from_what_the_tape_has_answered_by_then() -> None:
    day = Day()
    for took_ms in (20, 40):
        call = RestCall("POST", "/trade-api/v2/portfolio/events/orders", 201, took_ns=took_ms * MILLI)
        day.at(150 + took_ms).put(Kind.REST, encode_payload(call), 0)
    drawn = msgspec.structs.replace(TERMS, latency=Latency(order_ns=MILLI, answer_ns=MILLI, is_drawn=True))

    def trips(seed: int) -> list[float]:
        deeds = {100 + 100 * n: bid(3_900, 100) for n in range(9)}
        found: Told = backtest(day, deeds, drawn, seed=seed)
        return [ms(arrived.at_ns) % 100 for arrived in found.of(told.Arrived)]

    day.at(SOON).ping()
    assert trips(1)[0] == 1  # nothing was answered yet
    assert set(trips(1)[1:]) == {10, 20}
    assert trips(1) == trips(1)
    assert len({tuple(trips(seed)) for seed in range(5)}) > 1


def test_a_draw_depends_on_what_is_on_its_way_and_on_nothing_else() -> None:
    delays = Delays(Latency(is_drawn=True), 3)
    for took_ns in range(1, 50):
        delays.learn(RestCall("POST", "/trade-api/v2/portfolio/events/orders", 201, took_ns=2 * took_ns))
    before = delays.trip("a")
    delays.trip("b")
    assert delays.trip("a") == before
    assert len({delays.trip(str(n)).out_ns for n in range(50)}) > 10


def test_fees_are_read_from_a_few_words() -> None:
    assert fee_terms("quadratic_with_maker_fees:0.5").multiplier == 5_000
    assert fee_terms("quadratic").fee_type is FeeType.QUADRATIC


def test_sold_contracts_bring_the_rest_of_the_dollar() -> None:
    terms: VenueTerms = TERMS
    found = backtest(Day().at(SOON).ping(), {100: ask(4_000, 200, ioc=True), 300: bid(5_000, 200, ioc=True)}, terms)
    fees = sum(fill.fee for fill in found.of(told.Filled))
    assert found.venue is not None
    assert found.venue.cash == terms.cash - 200 * 1_000 - fees
