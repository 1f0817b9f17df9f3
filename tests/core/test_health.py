from core.health import Flag, Limits, flags, is_silent, is_stale
from core.views import ConnectionView, MarketView

LIMITS = Limits(market_ns=100, connection_ns=50)
HEALTHY = MarketView(market="M", trusted=True, owner=(1, 2), heard_ns=1_000)


def connection(number: int = 1, *, heard_ns: int = 1_000, is_open: bool = True) -> ConnectionView:
    return ConnectionView(number, is_open, 0, heard_ns, ())


def test_a_market_is_stale_when_nothing_was_heard_of_it_within_the_limit() -> None:
    assert not is_stale(HEALTHY, 1_100, 100)
    assert is_stale(HEALTHY, 1_101, 100)


def test_a_market_never_heard_of_is_stale_at_any_time() -> None:
    assert is_stale(MarketView(market="M"), 0, 100)
    assert is_stale(MarketView(market="M"), 50, 100)


def test_a_connection_is_silent_when_nothing_came_within_the_limit_or_it_is_gone() -> None:
    assert not is_silent(connection(), 1_050, 50)
    assert is_silent(connection(), 1_051, 50)
    assert is_silent(connection(is_open=False), 1_000, 50)


def test_a_healthy_market_has_no_flag() -> None:
    assert flags(HEALTHY, (connection(),), 1_010, LIMITS) == ()


def test_every_reason_is_named() -> None:
    bad = MarketView(market="M", owner=(1, 2), heard_ns=1_000, yes=((6_000, 1),), no=((5_000, 1),))
    assert flags(bad, (connection(),), 2_000, LIMITS) == (Flag.UNTRUSTED, Flag.STALE, Flag.SILENT, Flag.CROSSED)


def test_only_the_connection_that_feeds_the_book_counts() -> None:
    others = (connection(1, heard_ns=0), connection(2))
    assert flags(HEALTHY, others, 1_010, LIMITS) == (Flag.SILENT,)
    assert flags(HEALTHY, (connection(2, heard_ns=0), connection(1)), 1_010, LIMITS) == ()


def test_a_book_whose_connection_is_forgotten_is_silent() -> None:
    assert flags(HEALTHY, (), 1_010, LIMITS) == (Flag.SILENT,)


def test_a_book_of_nobody_is_untrusted_and_no_more() -> None:
    left = MarketView(market="M", heard_ns=1_000)
    assert flags(left, (), 1_010, LIMITS) == (Flag.UNTRUSTED,)
