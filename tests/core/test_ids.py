from collections import OrderedDict
from typing import Any

import pytest
from copies import EACH_COPY
from fates import ODD_IDS, UUID
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cells import Memory
from core.ids import ODD, Ids, SeenIds
from core.trade_ids import MAX_TRADE_IDS

OF_ODD_HALF = "80000000-0000-0000-0000-{:012x}"
uuids = st.uuids().map(str)
texts = uuids | st.text() | st.sampled_from(ODD_IDS) | uuids.map(str.upper) | uuids.map(lambda text: text[:-1])
texts |= st.integers(0, 2**48 - 1).map(OF_ODD_HALF.format) | uuids.map(lambda text: text.replace("-", ""))


@given(st.lists(texts))
def test_every_text_comes_back_as_it_was(told: list[str]) -> None:
    ids = Ids()
    halves = [ids.halves(text) for text in told]
    assert [ids.text(high, low) for high, low in halves] == told
    assert [ids.halves(text) for text in told] == halves
    assert all(-(2**63) <= half < 2**63 for pair in halves for half in pair)
    assert len(set(halves)) == len(set(told))


@pytest.mark.parametrize(
    ("text", "is_odd"),
    [
        (UUID.format(7), False),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", False),
        ("00000000-0000-0000-0000-000000000000", False),
        (OF_ODD_HALF.format(7), True),  # its first half is what marks the odd ones
        (UUID.format(7).upper(), True),
        (UUID.format(7) + "\n", True),
        (UUID.format(7).replace("-", ""), True),
        (UUID.format(7)[1:] + "-", True),
        ("\u0660" + UUID.format(7)[1:], True),  # a digit, but none of ours
        ("", True),
    ],
)
def test_only_what_the_exchange_writes_is_kept_as_numbers(text: str, is_odd: bool) -> None:
    ids = Ids()
    high, low = ids.halves(text)
    assert (high == ODD) == is_odd
    assert len(ids) == is_odd
    assert ids.text(high, low) == text


def test_texts_that_nobody_knows_any_more_are_forgotten_and_their_numbers_are_not_given_again() -> None:
    ids = Ids()
    kept, gone = ids.halves("kept"), ids.halves("gone")
    ids.keep([kept[1]])
    assert len(ids) == 1
    assert ids.text(*kept) == "kept"
    assert ids.halves("kept") == kept
    with pytest.raises(KeyError):
        ids.text(*gone)
    assert ids.halves("gone") not in (kept, gone)
    assert ids.halves("new")[1] > gone[1]


class Model:
    """The last MAX_TRADE_IDS different ids. last_gone: the one that was forgotten last."""

    last_gone = ""

    def __init__(self) -> None:
        self.keys: OrderedDict[str, None] = OrderedDict()

    def add(self, text: str) -> bool:
        if text in self.keys:
            return False
        self.keys[text] = None
        if len(self.keys) > MAX_TRADE_IDS:
            self.last_gone, _ = self.keys.popitem(last=False)
        return True


def crowded(number: int, homes: int) -> str:
    """An id whose home in the hash table is one of so few, the last slot and the first ones among them."""
    return f"00000000-0000-0000-{number:04x}-{(number % homes - homes // 2) % 2**15:012x}"


def knows(memory: Memory, ids: Ids, text: str) -> bool:
    """Whether an id is remembered; it is not by asking."""
    return bool(memory.plain[memory.machine.seen_cell(memory.m, *ids.halves(text))])


@EACH_COPY
@given(
    told=st.lists(st.integers(0, 300) | st.integers(0, 20), max_size=80),
    homes=st.sampled_from((1, 2, 5, 40)),
    start=st.integers(0, 5_000),
)
@settings(max_examples=8, deadline=None)
def test_ids_that_crowd_the_table_are_seen_once_until_they_are_the_oldest(
    is_compiled: bool, told: list[int], homes: int, start: int
) -> None:
    memory, ids = Memory(is_compiled), Ids()
    seen, model = SeenIds(memory, ids), Model()
    # nearly full of ids that have a home each, so that the crowd is forgotten amid the test
    for number in range(MAX_TRADE_IDS - 30):
        text = crowded(number % 200, homes) if number < 30 else f"11111111-0000-0000-0000-{number + start:012x}"
        assert (seen.add(text) is not None) == model.add(text)
    for number in told:
        text = crowded(number, homes)
        assert (seen.add(text) is not None) == model.add(text)
        for other in {crowded(number, homes): None for number in (*told[:9], *range(0, 30, 4))}:
            assert knows(memory, ids, other) == (other in model.keys)
    assert list(seen.keys()) == list(model.keys)


@EACH_COPY
@pytest.mark.parametrize("homes", [1, 3, 64])
def test_one_crowd_follows_another_through_a_full_table(is_compiled: bool, homes: int) -> None:
    memory, ids = Memory(is_compiled), Ids()
    seen, model = SeenIds(memory, ids), Model()
    texts_ = [crowded(number, homes) for number in range(60)]
    for turn in range(3):
        for text in texts_[20 * turn : 20 * turn + 20] + texts_:
            assert (seen.add(text) is not None) == model.add(text)
        for number in range(MAX_TRADE_IDS - 30):
            low = (number * 7 + turn * 1_000_003) % 2**40
            text = f"22222222-0000-0000-0000-{low:012x}"
            assert (seen.add(text) is not None) == model.add(text)
            if model.last_gone.startswith("00000000"):
                model.last_gone = ""
                assert [knows(memory, ids, other) for other in texts_] == [other in model.keys for other in texts_]
    assert list(seen.keys()) == list(model.keys)
    for text in [*model.keys][:100]:
        assert seen.add(text) is None


@EACH_COPY
def test_ids_remembered_again_are_the_only_ones_and_give_their_cells_back(is_compiled: bool) -> None:
    memory, ids = Memory(is_compiled), Ids()
    seen = SeenIds(memory, ids)
    assert (seen.keys(), memory.used) == ((), 0)
    told: list[Any] = [UUID.format(number) for number in range(5)] + list(ODD_IDS)
    for text in told:
        seen.add(text)
    assert seen.keys() == tuple(told)
    assert seen.odd() == {ids.halves(text)[1] for text in ODD_IDS}
    used = memory.used
    seen.reset(told[2:])
    assert (seen.keys(), memory.used) == (tuple(told[2:]), used)
    assert seen.add(told[0]) == ids.halves(told[0])
    assert seen.add(told[3]) is None
    seen.reset()
    assert (seen.keys(), seen.odd(), memory.used) == ((), set(), 0)
