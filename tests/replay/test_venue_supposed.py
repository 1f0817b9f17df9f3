"""Facts that a tape does not hold, answered as the venue's terms suppose them and not otherwise."""

from sample_tapes import START_NS

from core.actions import Fetch
from core.answers import parse_market, parse_series
from core.answers.types import Market, Page, Series
from core.fetched import Fetched
from core.messages.types import BookSnapshot, MarketLifecycle
from core.store import MarketStateStore
from core.ticks import STRUCTURES
from replay.venue.facts import Facts
from replay.venue.supposed import supposed
from replay.venue.terms import VenueTerms

TERMS = VenueTerms(fees="quadratic_with_maker_fees:0.5", ticks="deci_cent")


def store(*messages: object) -> MarketStateStore:
    found = MarketStateStore()
    found.apply(BookSnapshot(sid=1, seq=1, market="KXA-1-X", yes=((4_000, 100),)), START_NS, connection=1)
    for message in messages:
        found.apply(message, START_NS, connection=1)  # type: ignore[arg-type]  # as given
    return found


def asked(path: str, terms: VenueTerms = TERMS, known: MarketStateStore | None = None) -> str:
    """The body of the answer, "" = there is none."""
    known = known or store()
    call = supposed(Fetch(path), terms, Facts(terms, known), START_NS)
    return "" if call is None else call.answer


def test_a_market_whose_book_is_on_the_tape_is_open_with_the_supposed_ticks_and_nothing_else() -> None:
    found = parse_market(asked("/markets/KXA-1-X").encode())
    assert isinstance(found, Market)
    assert (found.ticker, found.event_ticker, found.status) == ("KXA-1-X", "KXA-1", "active")
    assert (found.price_level_structure, found.close_ns, found.result) == ("deci_cent", 0, "")


def test_a_series_charges_what_is_supposed() -> None:
    found = parse_series(asked("/series/KXA").encode())
    assert isinstance(found, Series)
    assert (found.ticker, found.fee_type, found.fee_multiplier) == ("KXA", "quadratic_with_maker_fees", "0.5")


def test_a_market_that_lifecycle_messages_have_closed_is_not_said_to_be_open() -> None:
    known = store(MarketLifecycle(market="KXA-1-X", event="determined", determined_ns=START_NS, result="yes"))
    found = parse_market(asked("/markets/KXA-1-X", known=known).encode())
    assert isinstance(found, Market)
    assert found.status == "determined"
    assert found.result == ""


def test_a_market_that_a_list_told_of_is_answered_by_that_whatever_is_supposed() -> None:
    listed = Market(
        ticker="KXA-1-X", status="active", price_level_structure="linear_cent", close_ns=START_NS + 3_600 * 10**9
    )
    for terms in (VenueTerms(), TERMS):
        known = store()
        facts = Facts(terms, known)
        facts.take(Fetched("/markets", (), Page((listed,)), asked_ns=START_NS))
        call = supposed(Fetch("/markets/KXA-1-X"), terms, facts, START_NS)
        assert call is not None, terms
        found = parse_market(call.answer.encode())
        assert isinstance(found, Market)
        assert (found.price_ranges, found.close_ns) == (STRUCTURES["linear_cent"], listed.close_ns)


def test_nothing_is_answered_that_is_not_supposed_or_not_asked_for_so() -> None:
    assert asked("/markets/KXA-1-X", VenueTerms(fees="quadratic:1")) == ""
    assert asked("/series/KXA", VenueTerms(ticks="linear_cent")) == ""
    assert asked("/markets/KXB-1-X") == ""  # no book of it by now
    assert asked("/markets/KXA-1-X/orderbook") == ""
    assert asked("/events/KXA-1") == ""
