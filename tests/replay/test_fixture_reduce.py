"""Delta debugging: what is left cannot be made smaller by any one part, and what is needed is never lost."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from replay.fixture.reduce import reduced


@given(st.integers(0, 60), st.sets(st.integers(0, 59)))
def test_of_what_needs_some_parts_just_these_are_left(count: int, needed: set[int]) -> None:
    needed = {part for part in needed if part < count}
    assert reduced(range(count), lambda kept: needed <= set(kept)) == sorted(needed)


@given(st.integers(1, 24), st.integers(0, 2**32))
def test_of_what_fails_by_chance_nothing_single_can_go(count: int, seed: int) -> None:
    def fails(kept: Sequence[int]) -> bool:
        return len(kept) == count or hash((seed, tuple(kept))) % 3 == 0

    left = reduced(range(count), fails)
    assert fails(left) and left == sorted(left)
    assert [part for part in left if fails([other for other in left if other != part])] == []


def test_few_questions_find_few_parts_among_many() -> None:
    asked = []

    def fails(kept: Sequence[int]) -> bool:
        asked.append(len(kept))
        return {17, 4_000, 9_001} <= set(kept)

    assert reduced(range(10_000), fails) == [17, 4_000, 9_001]
    assert len(asked) < 140  # about 3 * 2 * log2(10,000 / 3), and a pass of single parts


def test_when_enough_was_asked_no_more_is_and_what_is_left_still_fails() -> None:
    asked: list[int] = []

    def fails(kept: Sequence[int]) -> bool:
        asked.append(len(kept))
        return {5, 7} <= set(kept)

    left = reduced(range(64), fails, lambda: len(asked) >= 4)
    assert len(asked) == 4 and 2 < len(left) < 64 and {5, 7} <= set(left)
    assert reduced(range(64), fails, lambda: True) == list(range(64))


def test_nothing_is_left_of_what_fails_without_anything() -> None:
    assert reduced([1, 2, 3], lambda _: True) == []
    assert reduced([], lambda _: True) == []
