"""When Markets, Events and Series are asked for."""

from capture.facts import (
    CHANGE_NS,
    DAY_NS,
    DOUBT_S,
    GONE_TRIES,
    HOUR_NS,
    MINUTE_NS,
    RETRY_NS,
    SPREAD_S,
    Due,
    Facts,
    Subject,
)
from capture.roster import Listed
from core.times import SECOND_NS

NOW_NS = 1_786_410_000 * SECOND_NS  # 01:00 of a UTC day
DAY_START_NS = NOW_NS - NOW_NS % DAY_NS
MARKET = Due(Subject.MARKET, "KXA-1-T5")


def next_due_ns(facts: Facts, from_ns: int, until_ns: int) -> int:
    """The first instant in the span at which something is due, by halving; 0 when nothing is."""
    if not facts.due(until_ns, 1):
        return 0
    low, high = from_ns, until_ns
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if facts.due(middle, 1) else (middle, high)
    return high


def test_what_is_needed_is_due_at_once_and_only_once_on_the_agenda() -> None:
    facts = Facts()
    for _ in range(2):
        facts.need(Subject.EVENT, "KXA-1", NOW_NS)
    assert facts.due(NOW_NS, 10) == (Due(Subject.EVENT, "KXA-1"),)
    assert facts.due(NOW_NS - 1, 10) == ()
    assert len(facts) == 1


def test_what_was_seen_is_due_in_the_first_hour_of_the_next_day() -> None:
    facts = Facts()
    names = [f"KXA-{n}" for n in range(50)]
    for name in names:
        facts.saw(Subject.EVENT, name, NOW_NS)
    tomorrow_ns = DAY_START_NS + DAY_NS
    assert facts.due(tomorrow_ns - 1, 100) == ()
    assert 10 < len(facts.due(tomorrow_ns + SPREAD_S * SECOND_NS // 2, 100)) < 40, "they are spread"
    assert len(facts.due(tomorrow_ns + SPREAD_S * SECOND_NS, 100)) == 50


def test_the_result_is_looked_for_from_a_minute_after_the_close() -> None:
    facts = Facts()
    close_ns = NOW_NS + 10 * MINUTE_NS
    facts.saw_market(Listed("KXA-1-T5", status="active", close_ns=close_ns), NOW_NS)
    assert next_due_ns(facts, NOW_NS, NOW_NS + HOUR_NS) == close_ns + MINUTE_NS


def test_a_result_that_is_late_is_looked_for_less_and_less_often_but_always() -> None:
    facts = Facts()
    market = Listed("KXA-1-T5", status="closed", close_ns=NOW_NS)
    waits = []
    now_ns = NOW_NS + MINUTE_NS
    for _ in range(40):
        facts.saw_market(market, now_ns)
        after_ns = next_due_ns(facts, now_ns, now_ns + DAY_NS)
        waits.append(after_ns - now_ns)
        now_ns = after_ns
    assert waits[0] == MINUTE_NS
    assert waits[-1] <= HOUR_NS
    assert max(waits) == HOUR_NS
    assert sum(waits[:8]) < HOUR_NS


def test_a_finalized_market_is_not_looked_at_again() -> None:
    facts = Facts()
    facts.need(*MARKET, NOW_NS)
    facts.saw_market(Listed(MARKET.name, status="finalized", close_ns=NOW_NS), NOW_NS)
    assert len(facts) == 0


def test_a_change_is_looked_at_once_caches_have_forgotten_what_was_before() -> None:
    facts = Facts()
    facts.saw_market(Listed(MARKET.name, status="active", close_ns=NOW_NS + DAY_NS), NOW_NS)
    facts.changed(*MARKET, NOW_NS)
    assert next_due_ns(facts, NOW_NS, NOW_NS + HOUR_NS) == NOW_NS + CHANGE_NS
    facts.changed(Subject.MARKET, "KXB-1", NOW_NS)
    assert len(facts) == 1, "a change of what we have nothing to do with is no concern"


def test_after_a_gap_everything_is_looked_at_again_but_not_at_once() -> None:
    facts = Facts()
    for number in range(100):
        facts.saw(Subject.SERIES, f"KX{number}", NOW_NS)
    facts.doubt(NOW_NS)
    assert 20 < len(facts.due(NOW_NS + DOUBT_S * SECOND_NS // 2, 100)) < 80
    assert len(facts.due(NOW_NS + DOUBT_S * SECOND_NS, 100)) == 100


def test_a_failed_look_is_repeated_after_waits_that_double_up_to_a_limit() -> None:
    facts = Facts()
    facts.need(*MARKET, NOW_NS)
    waits, now_ns = [], NOW_NS
    for _ in range(12):
        assert facts.failed(MARKET, now_ns)
        after_ns = next_due_ns(facts, now_ns, now_ns + DAY_NS)
        waits.append(after_ns - now_ns)
        now_ns = after_ns
    assert waits[:3] == [RETRY_NS[0], 2 * RETRY_NS[0], 4 * RETRY_NS[0]]
    assert waits[-1] == RETRY_NS[1]


def test_success_makes_the_next_failure_the_first_one_again() -> None:
    facts = Facts()
    facts.failed(MARKET, NOW_NS)
    facts.failed(MARKET, NOW_NS)
    facts.saw_market(Listed(MARKET.name, status="active"), NOW_NS)
    facts.failed(MARKET, NOW_NS)
    assert next_due_ns(facts, NOW_NS, NOW_NS + DAY_NS) == NOW_NS + RETRY_NS[0]


def test_what_the_exchange_does_not_have_is_given_up_after_some_tries() -> None:
    facts = Facts()
    facts.need(*MARKET, NOW_NS)
    kept = [facts.failed(MARKET, NOW_NS, missing=True) for _ in range(GONE_TRIES)]
    assert kept == [True] * (GONE_TRIES - 1) + [False]
    assert len(facts) == 0


def test_an_outage_of_the_exchange_never_makes_us_give_up() -> None:
    facts = Facts()
    assert all(facts.failed(MARKET, NOW_NS) for _ in range(GONE_TRIES * 10))


def test_only_one_subject_is_asked_for_at_a_time_the_longest_due_first() -> None:
    facts = Facts()
    facts.need(Subject.EVENT, "KXA-1", NOW_NS)
    facts.need(Subject.MARKET, "KXA-1-T2", NOW_NS - 2)
    facts.need(Subject.MARKET, "KXA-1-T1", NOW_NS - 1)
    assert facts.due(NOW_NS, 10) == (Due(Subject.MARKET, "KXA-1-T2"), Due(Subject.MARKET, "KXA-1-T1"))
    assert facts.due(NOW_NS, 1) == (Due(Subject.MARKET, "KXA-1-T2"),)
    facts.drop(Subject.MARKET, "KXA-1-T2")
    assert facts.due(NOW_NS, 1) == (Due(Subject.MARKET, "KXA-1-T1"),)


def test_a_market_without_a_closing_time_is_looked_at_daily() -> None:
    facts = Facts()
    facts.saw_market(Listed(MARKET.name, status="active"), NOW_NS)
    assert facts.due(NOW_NS + DAY_NS + HOUR_NS, 1)


def test_what_is_nobodys_concern_any_more_is_taken_off_the_agenda() -> None:
    facts = Facts()
    for name in ("KXA-1", "KXA-2"):
        facts.need(Subject.EVENT, name, NOW_NS)
    facts.need(Subject.SERIES, "KXA", NOW_NS)
    facts.retain(Subject.EVENT, ["KXA-2"])
    assert facts.due(NOW_NS, 10) == (Due(Subject.EVENT, "KXA-2"),)
    assert len(facts) == 2
