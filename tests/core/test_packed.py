import numpy as np
import pytest

from core.packed import Packed, packed

VALUES = [b"one", b"", b"three", b"\x00\xff", b""]


def test_strings_come_back_one_by_one_and_all_at_once() -> None:
    found = Packed.of(VALUES)
    assert (len(found), list(found), found.split()) == (5, VALUES, VALUES)
    assert [found[-1], found[-3]] == [b"", b"three"]


@pytest.mark.parametrize("span", [slice(1, 4), slice(0, 0), slice(3, 1), slice(-2, None), slice(None)])
def test_a_run_of_strings_shares_the_memory(span: slice) -> None:
    whole = Packed.of(VALUES)
    run = whole[span]
    assert run.split() == VALUES[span]
    assert not len(run.data) or np.shares_memory(run.data, whole.data)


def test_what_is_not_there_is_refused() -> None:
    for index in (5, -6):
        with pytest.raises(IndexError):
            Packed.of(VALUES)[index]
    with pytest.raises(ValueError, match="no step"):
        Packed.of(VALUES)[::2]


def test_parts_are_joined_in_order() -> None:
    assert Packed.joined([Packed.of(VALUES[:2]), Packed.of([]), Packed.of(VALUES[2:])]).split() == VALUES
    assert Packed.joined([]).split() == []


def test_packing_what_is_packed_copies_nothing() -> None:
    whole = Packed.of(VALUES)
    assert packed(whole) is whole
    assert packed(VALUES).split() == VALUES
