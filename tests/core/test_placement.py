"""core.placement: a market stays on its slot."""

from core.placement import Placement


def test_markets_are_spread_and_stay_where_they_are() -> None:
    placement = Placement(3)
    placement.want(f"M{n}" for n in range(9))
    assert [len(placement.of(slot)) for slot in range(3)] == [3, 3, 3]
    before = [dict(placement.of(slot)) for slot in range(3)]
    placement.unwant(["M0", "M3", "NEVER"])
    placement.want([f"M{n}" for n in range(1, 9) if n != 3])
    assert [list(placement.of(slot)) for slot in (1, 2)] == [list(slot) for slot in before[1:]]
    placement.want(["X", "Y"])
    assert list(placement.of(0)) == ["M6", "X", "Y"]


def test_what_one_slot_cannot_take_goes_to_another_and_last_to_none() -> None:
    placement = Placement(2)
    placement.want(["A"])
    placement.refuse(0, "A", "full", is_full=True)
    assert (list(placement.of(0)), list(placement.of(1))) == ([], ["A"])
    placement.refuse(0, "A", "a late word about it", is_full=True)
    placement.refuse(1, "A", "full", is_full=True)
    assert placement.unplaced == {"A": "full"}
    placement.want(["A"])
    assert placement.unplaced == {}
    assert list(placement.of(0)) == ["A"], "who asks again gets another try"


def test_what_is_wrong_stays_where_it_is_and_is_named() -> None:
    placement = Placement(2)
    placement.want(["A"])
    placement.refuse(0, "A", "error 11", is_full=False)
    assert placement.unplaced == {"A": "error 11"}
    placement.unwant(["A"])
    assert placement.unplaced == {}
    assert not placement.of(0)
