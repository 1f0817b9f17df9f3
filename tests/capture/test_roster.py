"""Which markets are wanted when, and which are followed until their result is there."""

import pytest

from capture import roster as roster_module
from capture.roster import LEAD_NS, LINGER_NS, Listed, Roster
from capture.selection import Selection
from core.messages.types import MarketLifecycle
from core.times import SECOND_NS

NOW_NS = 1_786_410_000 * SECOND_NS
SERIES = Selection(series=("KXA",))


def listed(ticker: str = "KXA-1-T5", status: str = "active", *, open_ns: int = 0) -> Listed:
    """A market as a listing shows it."""
    return Listed(ticker, ticker.rpartition("-")[0], status, open_ns)


def lifecycle(event: str, ticker: str = "KXA-1-T5", **more: object) -> MarketLifecycle:
    """A lifecycle message."""
    return MarketLifecycle(market=ticker, event=event, **more)  # type: ignore[arg-type]  # fields by name


def test_a_covered_market_is_wanted_as_soon_as_it_is_listed_and_is_new_once() -> None:
    roster = Roster(SERIES)
    assert roster.saw(listed(), NOW_NS)
    assert not roster.saw(listed(), NOW_NS)
    assert not roster.saw(listed("KXB-1-T5"), NOW_NS)
    assert roster.wanted(NOW_NS) == ("KXA-1-T5",)
    assert roster.followed() == ("KXA-1-T5",)
    assert "KXA-1-T5" in roster
    assert len(roster) == 1


def test_the_series_that_was_listed_counts_more_than_the_ticker() -> None:
    roster = Roster(SERIES)
    assert roster.saw(listed("OTHER-1-T5"), NOW_NS, series="KXA")
    assert not roster.saw(listed("KXA-1-T5"), NOW_NS, series="KXB")


def test_a_market_that_opens_later_is_wanted_shortly_before() -> None:
    roster = Roster(SERIES)
    open_ns = NOW_NS + 3_600 * SECOND_NS
    roster.saw(listed(status="initialized", open_ns=open_ns), NOW_NS)
    assert roster.wanted(NOW_NS) == roster.wanted(open_ns - LEAD_NS - 1) == ()
    assert roster.wanted(open_ns - LEAD_NS) == ("KXA-1-T5",)
    assert roster.followed() == ("KXA-1-T5",)


def test_a_market_is_found_by_its_lifecycle_message_too() -> None:
    roster = Roster(SERIES)
    open_ns = NOW_NS + 60 * SECOND_NS
    assert roster.heard(lifecycle("created", event_ticker="KXA-1", open_ns=open_ns), NOW_NS)
    assert roster.wanted(NOW_NS) == ()
    assert roster.wanted(open_ns) == ("KXA-1-T5",)
    assert roster.event_of("KXA-1-T5") == "KXA-1"
    assert roster.events() == ("KXA-1",)
    assert not roster.heard(lifecycle("created", "KXB-1-T5"), NOW_NS)
    assert not roster.heard(lifecycle("determined", "KXA-1-T9"), NOW_NS), "what is over is not begun"


def test_a_settled_market_stays_subscribed_for_a_while_and_followed_until_it_is_final() -> None:
    roster = Roster(SERIES)
    roster.saw(listed(), NOW_NS)
    roster.heard(lifecycle("determined", result="yes"), NOW_NS)
    assert roster.wanted(NOW_NS + LINGER_NS) == ("KXA-1-T5",), "determined is not settled"
    roster.heard(lifecycle("settled"), NOW_NS)
    assert roster.wanted(NOW_NS + LINGER_NS - 1) == ("KXA-1-T5",)
    assert roster.wanted(NOW_NS + LINGER_NS) == ()
    assert roster.prune(NOW_NS + LINGER_NS) == (), "its finalized Market is not on the tape yet"
    roster.saw(listed(status="finalized"), NOW_NS + LINGER_NS)
    assert roster.followed() == ()
    assert roster.prune(NOW_NS + LINGER_NS) == ("KXA-1-T5",)
    assert len(roster) == 0


def test_a_market_that_rest_shows_as_final_ends_without_any_message() -> None:
    roster = Roster(SERIES)
    roster.saw(listed(), NOW_NS)
    roster.saw(listed(status="finalized"), NOW_NS)
    assert roster.prune(NOW_NS) == (), "it still lingers"
    assert roster.prune(NOW_NS + LINGER_NS) == ("KXA-1-T5",)


def test_a_market_that_is_over_is_not_begun() -> None:
    roster = Roster(SERIES)
    assert not roster.saw(listed(status="finalized"), NOW_NS)
    assert len(roster) == 0


def test_what_an_earlier_session_left_is_followed_but_not_subscribed() -> None:
    roster = Roster(SERIES)
    roster.follow("KXB-1-T5")
    assert roster.wanted(NOW_NS) == ()
    assert roster.followed() == ("KXB-1-T5",)
    roster.saw(listed("KXB-1-T5", "closed"), NOW_NS)
    assert roster.wanted(NOW_NS) == ()
    roster.saw(listed("KXB-1-T5", "finalized"), NOW_NS)
    assert roster.prune(NOW_NS) == ("KXB-1-T5",), "nothing lingers that was not subscribed"


def test_what_an_earlier_session_left_is_subscribed_when_it_is_selected_again() -> None:
    roster = Roster(SERIES)
    roster.follow("KXA-1-T5")
    assert not roster.saw(listed(), NOW_NS)
    assert roster.wanted(NOW_NS) == ("KXA-1-T5",)


def test_combos_are_left_out_whatever_their_ticker() -> None:
    roster = Roster(Selection(everything=True))
    assert not roster.saw(Listed("KXODD-1", "KXODD", "active", combo=True), NOW_NS)
    assert Roster(Selection(everything=True, combos=True)).saw(Listed("KXODD-1", "KXODD", combo=True), NOW_NS)
    assert Roster(Selection(markets=("KXODD-1",))).saw(Listed("KXODD-1", "KXODD", combo=True), NOW_NS)


def test_a_market_that_is_gone_is_dropped() -> None:
    roster = Roster(SERIES)
    roster.saw(listed(), NOW_NS)
    roster.drop("KXA-1-T5")
    roster.drop("KXA-1-T5")
    assert roster.wanted(NOW_NS) == roster.followed() == ()
    assert roster.event_of("KXA-1-T5") == ""


def test_more_markets_than_the_limit_are_counted_and_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "MAX_MARKETS", 1)
    roster = Roster(SERIES)
    roster.saw(listed(), NOW_NS)
    assert not roster.saw(listed("KXA-1-T6"), NOW_NS)
    assert not roster.heard(lifecycle("created", "KXA-1-T7"), NOW_NS)
    roster.follow("KXA-1-T8")
    assert (len(roster), roster.refused) == (1, 2)
