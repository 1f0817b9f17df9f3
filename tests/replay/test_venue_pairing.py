"""How changes of the book and trades find each other."""

from typing import Final

from core.actions import BookSide
from replay.venue.pairing import WINDOW_NS, Pairing, Part

BID: Final = BookSide.BID


def _part(number: int, count: int, *, at_ns: int = 0, price: int = 4_500, stamp_ns: int = 0) -> Part:
    return Part(number, at_ns, BID, price, count, stamp_ns, 10_000)


def test_the_same_size_is_paired_before_what_came_first() -> None:
    pairing = Pairing()
    for number, count in ((1, 300), (2, 500), (3, 200)):
        assert pairing.gone(_part(number, count)) == []
    assert pairing.traded(_part(4, 500)) == [(2, 500)]
    assert pairing.traded(_part(5, 400)) == [(1, 300), (3, 100)]
    assert [(part.number, part.count, part.others) for part in pairing.decided(WINDOW_NS + 1)] == [(3, 100, 9_900)]


def test_another_price_or_another_stamp_is_no_pair_and_no_stamp_is_any() -> None:
    pairing = Pairing()
    pairing.gone(_part(1, 300, stamp_ns=7))
    assert pairing.traded(_part(2, 300, price=4_600, stamp_ns=7)) == []
    assert pairing.traded(_part(3, 300, stamp_ns=8)) == []
    assert pairing.traded(_part(4, 100)) == [(1, 100)]
    assert pairing.traded(_part(5, 300, stamp_ns=7)) == [(1, 200)]


def test_a_trade_waits_for_its_change_no_longer_than_the_window() -> None:
    pairing = Pairing()
    pairing.traded(_part(1, 300))
    pairing.decided(WINDOW_NS)
    assert pairing.gone(_part(2, 100)) == [(1, 100)]
    pairing.decided(WINDOW_NS + 1)
    assert pairing.gone(_part(3, 100)) == []


def test_the_time_of_a_trade_decides_what_left_before_it_but_not_at_it() -> None:
    pairing = Pairing()
    pairing.gone(_part(1, 100, stamp_ns=5))
    pairing.gone(_part(2, 100, stamp_ns=6))
    assert [part.number for part in pairing.decided(0, 6)] == [1]
    assert pairing.waiting(BID, 4_500, 0) == 100
    assert pairing.waiting(BID, 4_500, 2) == 0
