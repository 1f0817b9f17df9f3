"""The simulated venue, scene by scene: what becomes of an order, exactly."""

import msgspec
import pytest
from sample_tapes import MILLI
from venues import LIMITS, MARKET, TERMS, Day, Told, amend, ask, backtest, bid, cancel, ms

from core.errors import ConfigError
from replay.venue import told
from replay.venue.terms import Latency, VenueTerms

SOON = 10_000  # ms: a tape's end at which nothing is left open


def test_an_order_comes_to_rest_behind_everybody_and_its_answer_takes_its_time() -> None:
    found = backtest(Day().at(SOON).ping(), {100: bid(4_000, 300)})
    arrived, rested, answered = found.happened[:3]
    assert isinstance(arrived, told.Arrived) and ms(arrived.at_ns) == 105 and ms(arrived.decided_ns) == 100
    assert isinstance(rested, told.Rested) and (ms(rested.at_ns), rested.ahead) == (105, 1_000)
    assert isinstance(answered, told.Answered) and (ms(answered.told_ns), answered.refused) == (110, "")
    assert found.orders == [(110, "resting", 0, "")]


def test_a_queue_drains_by_trades_and_what_is_left_of_a_trade_fills() -> None:
    day = Day().at(200).traded("0.4000", "10.00", "no").delta(MARKET, "yes", "0.4000", "-10.00")
    day.at(300).traded("0.4000", "2.00", "no").at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300)})
    assert found.fills == [(300, 4_000, 200, "trade", True)]
    assert ("fill", 305.0, 4_000, 200, 200) in found.actor.seen
    assert found.actor.seen[-1] == ("position", 305.0, MARKET, 200)


def test_a_trade_through_the_price_fills_whoever_is_ahead() -> None:
    day = Day().at(200).traded("0.3900", "2.00", "no").at(SOON).ping()
    assert backtest(day, {100: bid(4_000, 300)}).fills == [(200, 4_000, 200, "through", True)]


def test_nothing_fills_before_the_order_has_arrived() -> None:
    day = Day().at(104).traded("0.3900", "2.00", "no").at(106).traded("0.3900", "1.00", "no").at(SOON).ping()
    assert backtest(day, {100: bid(4_000, 300)}).fills == [(106, 4_000, 100, "through", True)]


def test_an_order_takes_the_book_as_it_is_when_it_arrives() -> None:
    """The offer at 50 goes while the order is on its way; the one at 51 comes into reach, better than its limit."""
    day = Day().at(103).delta(MARKET, "no", "0.5000", "-10.00").at(SOON).ping()
    found = backtest(day, {100: bid(5_500, 300, post_only=False)})
    assert found.fills == [(105, 5_100, 300, "took", True)]
    assert found.ends == [(105, "executed")]
    fill = found.of(told.Filled)[0]
    assert (fill.fee, fill.is_taker, fill.rested_ns) == (52_500, True, -1)  # 0.07 * 3 * 0.51 * 0.49, up to $0.0001


def test_what_was_taken_is_not_taken_again_until_as_much_has_left() -> None:
    day = Day().at(300).delta(MARKET, "no", "0.5000", "-4.00").at(SOON).ping()
    deeds = {
        100: bid(5_000, 800, ioc=True), 200: bid(5_000, 800, ioc=True), 400: bid(5_000, 800, ioc=True),
        500: bid(5_100, 2_000, ioc=True),
    }  # fmt: skip
    found = backtest(day, deeds)
    # 10 are there: 8, then 2; 4 leave, which are of those taken: 6 are left, all taken.
    assert [fill[:3] for fill in found.fills] == [(105, 5_000, 800), (205, 5_000, 200), (505, 5_100, 1_000)]
    assert found.ends == [(105, "executed"), (205, "canceled"), (405, "canceled"), (505, "canceled")]


def test_what_is_offered_anew_can_be_taken() -> None:
    day = Day().at(200).delta(MARKET, "no", "0.5000", "3.00").at(SOON).ping()
    found = backtest(day, {100: bid(5_000, 1_000, ioc=True), 300: bid(5_000, 1_000, ioc=True)})
    assert [fill[:3] for fill in found.fills] == [(105, 5_000, 1_000), (305, 5_000, 300)]


def test_post_only_is_refused_where_it_would_cross() -> None:
    found = backtest(Day().at(SOON).ping(), {100: bid(5_000, 300), 200: bid(4_900, 300)})
    assert found.ends == [(105, "refused:invalid_order")]
    assert found.orders[0] == (110, "gone", 0, "invalid_order")


def test_an_order_off_the_grid_and_one_that_the_money_does_not_cover_are_refused() -> None:
    terms = msgspec.structs.replace(TERMS, cash=1_000_000)
    deeds = {100: bid(4_050, 100), 200: bid(3_900, 200), 300: bid(3_900, 200), 400: bid(3_900, 50)}
    found = backtest(Day().at(SOON).ping(), deeds, terms)
    assert found.ends == [(105, "refused:invalid_price"), (305, "refused:insufficient_balance")]
    assert len(found.of(told.Rested)) == 2


def test_an_amendment_loses_the_place_when_price_or_size_grows_and_keeps_it_otherwise() -> None:
    day = Day().at(150).traded("0.4000", "4.00", "no").delta(MARKET, "yes", "0.4000", "-4.00").at(SOON).ping()
    found = backtest(
        day, {100: bid(4_000, 300), 200: amend(0, 4_000, 200), 300: amend(0, 4_000, 500), 400: amend(0, 3_900, 500)}
    )
    assert [(ms(rested.at_ns), rested.ahead) for rested in found.of(told.Rested)] == [
        (105, 1_000), (305, 600), (405, 1_000)
    ]  # fmt: skip
    assert [(ms(a.at_ns), a.price, a.count) for a in found.of(told.Amended)] == [
        (205, 4_000, 200), (305, 4_000, 500), (405, 3_900, 500)
    ]  # fmt: skip


def test_a_fill_that_crosses_a_cancel_counts_and_the_cancel_finds_nothing() -> None:
    day = Day().at(203).traded("0.3900", "3.00", "no").at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300), 200: cancel(0)})
    assert found.fills == [(203, 4_000, 300, "through", True)]
    assert found.ends == [(203, "executed")]
    assert found.orders[-3:] == [
        (200, "resting", 0, ""),
        (208, "gone", 300, "executed"),
        (210, "gone", 300, "executed"),
    ]
    assert found.decisions[-1].refused == ""


def test_a_cancel_ends_the_order_and_is_answered() -> None:
    found = backtest(Day().at(SOON).ping(), {100: bid(4_000, 300), 200: cancel(0)})
    assert found.ends == [(205, "canceled")]
    assert found.orders[-1] == (210, "gone", 0, "canceled")


def test_an_order_expires_at_its_second() -> None:
    found = backtest(Day().at(4_500).traded("0.3900", "1.00", "no").at(SOON).ping(), {100: bid(4_000, 300, life_s=3)})
    assert found.ends == [(3_000, "expired")]
    assert found.fills == []
    assert found.orders[-1] == (3_005, "gone", 0, "ExpiryCancel")


def test_an_own_order_in_the_way_ends_the_one_that_comes() -> None:
    found = backtest(Day().at(SOON).ping(), {100: ask(4_500, 200), 200: bid(5_000, 500, post_only=False)})
    assert found.fills == []
    assert found.ends == [(205, "canceled")]


def test_settlement_pays_what_the_tape_says_and_only_then() -> None:
    day = Day().at(1_000).life("determined", determination_ts=1, result="yes", settlement_value="1.0000")
    day.at(2_000).life("settled", settled_ts=2).at(SOON).ping()
    found = backtest(day, {100: bid(5_000, 300, ioc=True), 200: bid(4_000, 100), 1_500: bid(4_000, 100)})
    paid = found.of(told.Settled)
    assert [(ms(p.at_ns), p.market, p.price, p.position, p.money) for p in paid] == [
        (2_000, MARKET, 10_000, 300, 3_000_000)
    ]
    assert found.ends == [(105, "executed"), (1_000, "canceled"), (1_505, "refused:MARKET_INACTIVE")]
    assert found.venue is not None
    assert found.venue.cash == TERMS.cash - 1_500_000 - found.of(told.Filled)[0].fee + 3_000_000
    assert found.venue.positions() == {MARKET: (0, 0)}


def test_in_a_gap_nothing_is_taken_and_fills_are_not_trusted() -> None:
    day = Day().at(200).skip(sid=1).delta(MARKET, "yes", "0.4000", "1.00")
    day.at(400).traded("0.3900", "1.00", "no")
    day.at(600).book().at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300), 300: bid(5_000, 100, ioc=True), 700: bid(5_000, 100, ioc=True)})
    assert found.fills == [(400, 4_000, 100, "through", False), (705, 5_000, 100, "took", True)]
    assert [(ms(a.at_ns), a.trusted) for a in found.of(told.Arrived)] == [(105, True), (305, False), (705, True)]


@pytest.mark.parametrize("path", ["bytes", "columns"])
def test_a_market_that_is_beyond_our_price_after_a_gap_has_filled_us(path: str) -> None:
    day = Day().at(200).skip(sid=1).delta(MARKET, "yes", "0.3000", "1.00")
    offers = [("0.6100", "1.00"), ("0.6000", "0.50"), ("0.5500", "9.00")]  # of yes at 0.39, 0.40 and 0.45
    day.at(600).snapshot(MARKET, [("0.3800", "25.00")], offers)
    day.at(650).snapshot(MARKET, [("0.3800", "25.00")], offers).at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300), 110: ask(4_600, 300)}, path=path)
    assert found.fills == [(600, 4_000, 150, "gap", False)]


@pytest.mark.parametrize("path", ["bytes", "columns"])
def test_a_gap_that_is_found_by_the_snapshot_that_ends_it_is_one(path: str) -> None:
    """As in imported recordings, where numbering that begins anew is all that tells of a reconnect."""
    day = Day().at(600).skip(sid=1).snapshot(MARKET, [("0.3800", "25.00")], [("0.6000", "0.50")]).at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300), 110: ask(4_600, 300)}, path=path)
    assert found.fills == [(600, 4_000, 50, "gap", False)]


def test_who_comes_while_the_book_is_not_known_stands_behind_all_that_the_next_snapshot_shows() -> None:
    day = Day().at(200).skip(sid=1).delta(MARKET, "yes", "0.4000", "1.00")
    day.at(600).snapshot(MARKET, [("0.4000", "25.00")], [("0.5000", "10.00")]).at(SOON).ping()
    found = backtest(day, {300: bid(4_000, 300)})
    assert [(ms(rested.at_ns), rested.ahead) for rested in found.of(told.Rested)] == [(305, 1_100), (600, 2_500)]


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (VenueTerms(ticks="linear_cent"), "KXTEST-A: the tape does not tell by now what its series charges"),
        (VenueTerms(fees="quadratic:1"), "KXTEST-A: the tape does not tell by now which prices it takes"),
        (VenueTerms(fees="cubic:1"), "fees 'cubic:1' is no fee_type:multiplier"),
        (VenueTerms(fees="quadratic:1", ticks="odd"), "ticks 'odd' is none of"),
        (VenueTerms(queue="lucky@1", fees="quadratic:1", ticks="linear_cent"), "queue model 'lucky@1' is none of"),
    ],
)
def test_what_is_neither_told_nor_supposed_is_an_error_that_names_the_market(terms: VenueTerms, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        backtest(Day().at(SOON).ping(), {100: bid(4_000, 100)}, terms)


def test_what_was_supposed_is_said() -> None:
    found = backtest(Day().at(SOON).ping(), {100: bid(4_000, 100)})
    assert found.venue is not None
    said = found.venue.assumptions()
    assert "queue model pessimistic@1" in said
    assert "orders take 5 ms to the venue, answers and fills 5 ms back" in said
    assert f"the tape does not tell the fees of {MARKET}: quadratic:1 (supposed)" in said
    assert f"the tape does not tell the prices that {MARKET} take: linear_cent is supposed" in said


def test_a_slow_feed_makes_orders_later_not_answers() -> None:
    latency = Latency(feed_ns=3 * MILLI, order_ns=5 * MILLI, answer_ns=5 * MILLI)
    found = backtest(Day().at(SOON).ping(), {100: bid(4_000, 300)}, msgspec.structs.replace(TERMS, latency=latency))
    assert ms(found.of(told.Arrived)[0].at_ns) == 108
    assert ms(found.of(told.Answered)[0].told_ns) == 110


def test_a_run_stays_within_its_own_limits_before_the_venue_hears_of_anything() -> None:
    limits = msgspec.structs.replace(LIMITS.limits, order=200)
    found = backtest(
        Day().at(SOON).ping(), {100: bid(4_000, 300)}, run_terms=msgspec.structs.replace(LIMITS, limits=limits)
    )
    assert found.happened == []
    assert [decision.refused for decision in found.decisions] == ["order of 3.00, the limit is 2.00"]


@pytest.mark.parametrize("path", ["bytes", "columns"])
def test_both_paths_tell_the_same(path: str) -> None:
    day = Day().at(200).traded("0.3900", "2.00", "no").at(SOON).ping()

    def told_by(which: str) -> tuple[list[told.Happening], list[object]]:
        found: Told = backtest(day, {100: bid(4_000, 300), 300: ask(4_000, 100, post_only=False)}, path=which)
        return found.happened, found.actor.seen  # type: ignore[return-value]  # tuples

    assert told_by(path) == told_by("bytes")
