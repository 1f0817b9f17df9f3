"""Tests of whether all is well enough to trade."""

from collections.abc import Callable

from port import Run

from core.messages.types import BookDelta, Side
from core.session import STALL_NS
from core.times import SECOND_NS


def flaw(run: Run, market: str = "M") -> str:
    return run.host.flaw(market)


def test_a_book_is_flawed_when_untrusted_silent_or_crossed() -> None:
    run = Run()
    assert flaw(run) == "untrusted"
    run.book("M", ((4_000, 100),), ((5_000, 100),))
    assert flaw(run) == ""
    run.frame(BookDelta(sid=1, seq=2, market="M", side=Side.NO, price=6_000, delta=5))
    assert flaw(run) == "crossed"
    run.frame(BookDelta(sid=1, seq=3, market="M", side=Side.NO, price=6_000, delta=-5))
    run.beat((STALL_NS + 1) / SECOND_NS)
    assert flaw(run) == "silent"
    run.closed()
    assert flaw(run) == "untrusted"


def test_why_not_to_trade() -> None:
    run = Run()
    changes: tuple[Callable[[], object], ...] = (
        run.go,
        lambda: run.answer("/exchange/status", {"exchange_active": True, "trading_active": False}),
        lambda: run.answer("/exchange/status", {"exchange_active": True, "trading_active": True}),
        run.closed,
        lambda: run.opened(2),
        lambda: run.control("hold"),
    )
    found = []
    for change in changes:
        found.append(run.host.health.why)
        change()
    found.append(run.host.health.why)
    assert found == ["not started", "", "the exchange is paused", "", "not connected", "", "not started"]


def test_the_next_pause_is_known_when_hours_are_told() -> None:
    run = Run()
    assert run.host.health.pause_ns == 0
    run.beat()
    assert run.host.health.pause_ns == run.host.reference.pause_ns(run.now_ns) > 0
