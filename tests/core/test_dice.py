"""Tests of the dice: known numbers, fair sides, the same stream from the same seed."""

from collections import Counter

import pytest

from core.dice import Dice

SPLITMIX64 = {  # Vigna's splitmix64.c, as other implementations print it
    0: (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC),
    1234567: (6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431),
}


@pytest.mark.parametrize("seed", sorted(SPLITMIX64))
def test_the_numbers_are_those_of_splitmix64(seed: int) -> None:
    dice = Dice(seed)
    assert tuple(dice.bits() for _ in range(4)) == SPLITMIX64[seed]


def test_only_64_bits_of_a_seed_count() -> None:
    assert Dice(5).bits() == Dice(5 + 2**64).bits()
    assert Dice(-1).bits() == Dice(2**64 - 1).bits()


def test_sides_come_up_alike() -> None:
    dice = Dice(1)
    counts = Counter(dice.below(6) for _ in range(6_000))
    assert sorted(counts) == list(range(6))
    assert all(850 < count < 1_150 for count in counts.values())
    assert Dice(1).below(1) == 0
    assert Dice(0).below(2**64) == SPLITMIX64[0][0]


def test_numbers_beyond_the_last_fair_one_are_thrown_again() -> None:
    limit = 2**63 + 1  # more than half of all numbers are too high
    expected = [bits for bits in SPLITMIX64[0] if bits < limit]
    dice = Dice(0)
    assert [dice.below(limit) for _ in expected] == expected


@pytest.mark.parametrize("limit", [0, -1, 2**64 + 1])
def test_there_are_no_dice_without_sides(limit: int) -> None:
    with pytest.raises(ValueError, match=f"{limit} sides, from 1 to 2"):
        Dice(0).below(limit)


def test_uniform_numbers_lie_from_0_to_below_1() -> None:
    dice = Dice(3)
    found = [dice.uniform() for _ in range(2_000)]
    assert 0 <= min(found) < 0.01
    assert 0.99 < max(found) < 1
    assert 0.47 < sum(found) / len(found) < 0.53
    assert Dice(0).uniform() == (SPLITMIX64[0][0] >> 11) / 2**53


def test_a_choice_is_one_of_them() -> None:
    dice = Dice(4)
    assert {dice.choice("abc") for _ in range(50)} == set("abc")
