from copies import EACH_COPY
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cells import Memory
from core.rings import RING_CAPACITY, CellRing, Pool, Ring


def test_a_ring_gives_its_items_oldest_first() -> None:
    ring = Ring[int](Pool(), (1, 2))
    ring.append(3)
    assert ring.items() == (1, 2, 3)


def test_a_ring_holds_its_last_items() -> None:
    pool = Pool()
    ring = Ring[int](pool)
    for item in range(RING_CAPACITY + 10):
        ring.append(item)
    assert ring.items() == tuple(range(10, RING_CAPACITY + 10))
    assert pool.used == RING_CAPACITY


def test_the_pool_counts_what_all_rings_hold() -> None:
    pool = Pool()
    first, second = Ring[int](pool, (1, 2)), Ring[str](pool)
    second.append("a")
    assert pool.used == 3
    first.release()
    assert pool.used == 1


def test_when_the_pool_is_full_the_longest_ring_gives_way_and_the_short_one_keeps_everything() -> None:
    pool = Pool(capacity=100)
    quiet, busy = Ring[int](pool, (1, 2, 3)), Ring[int](pool)
    for item in range(1_000):
        busy.append(item)
        assert pool.used <= 100
    assert quiet.items() == (1, 2, 3)
    assert busy.items()[-1] == 999
    assert len(busy.items()) >= 32


def test_room_is_made_for_many_appends_at_once() -> None:
    pool = Pool(capacity=400)
    rings = [Ring[int](pool, range(100)) for _ in range(4)]
    rings[0].append(100)
    assert pool.used <= 300
    assert [len(ring.items()) for ring in rings] == [65, 64, 64, 64]  # room is made first, then the item comes
    assert rings[0].items()[-1] == 100
    assert rings[1].items() == tuple(range(36, 100))


def test_with_more_rings_than_room_each_keeps_its_last_item() -> None:
    pool = Pool(capacity=4)
    rings = [Ring[int](pool) for _ in range(10)]
    for item in range(3):
        for ring in rings:
            ring.append(item)
    assert [ring.items()[-1] for ring in rings] == [2] * 10
    assert pool.used == sum(len(ring.items()) for ring in rings) <= 20


@given(st.lists(st.tuples(st.integers(0, 5), st.integers()), max_size=300), st.integers(7, 60), st.integers(0, 300))
def test_rings_made_again_from_their_items_go_on_alike(told: list[tuple[int, int]], capacity: int, pause: int) -> None:
    pool = Pool(
        capacity=capacity
    )  # one item more than rings: with fewer the pool grows, and that is not part of the state
    rings = [Ring[int](pool) for _ in range(6)]
    for which, item in told[:pause]:
        rings[which].append(item)
    other_pool = Pool(capacity=capacity)
    others = [Ring[int](other_pool, ring.items()) for ring in rings]
    for which, item in told[pause:]:
        rings[which].append(item)
        others[which].append(item)
    assert [ring.items() for ring in rings] == [ring.items() for ring in others]
    assert pool.used == other_pool.used == sum(len(ring.items()) for ring in rings)


# ------------------------------------------------------------------ the same in cells


class RingModel:
    """Rings of a pool, as plain lists."""

    def __init__(self, rings: int, capacity: int) -> None:
        self.items: list[list[int]] = [[] for _ in range(rings)]
        self.capacity = capacity

    @property
    def used(self) -> int:
        return sum(map(len, self.items))

    def append(self, which: int, item: int) -> None:
        if len(self.items[which]) == RING_CAPACITY:
            del self.items[which][0]
        elif self.used >= self.capacity:
            longest = RING_CAPACITY
            while self.used > self.capacity * 3 // 4 and longest > 1:
                longest //= 2
                self.items = [items[-longest:] for items in self.items]
            self.capacity = max(self.capacity, self.used + 1)
        self.items[which].append(item)


RUNS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from((1, 2, 7, 9, 300, 1_100))), max_size=12)


@EACH_COPY
@given(runs=RUNS, capacity=st.sampled_from((2, 5, 60, 900, 3_000, 100_000)), cells=st.sampled_from((1, 3)))
@settings(max_examples=40, deadline=None)
def test_rings_in_cells_keep_what_rings_of_objects_keep(
    is_compiled: bool, runs: list[tuple[int, int]], capacity: int, cells: int
) -> None:
    memory = Memory(is_compiled)
    pool, objects = Pool(memory, capacity), Pool(capacity=capacity)
    places = [memory.take(4) for _ in range(4)]
    before = memory.used
    rings, others = [CellRing(pool, at, cells) for at in places], [Ring[int](objects) for _ in places]
    model, item = RingModel(4, capacity), 0
    for which, times in runs:
        for _ in range(times):
            item += 1
            rings[which].append([item, -item, item][:cells])
            others[which].append(item)
            model.append(which, item)
        assert [[value[0] for value in ring.items()] for ring in rings] == model.items
        assert [list(ring.items()) for ring in others] == model.items
        assert all(list(value) == [value[0], -value[0], value[0]][:cells] for ring in rings for value in ring.items())
        last = rings[which].last()
        assert last is not None and last[0] == item
        assert pool.used == objects.used == model.used
        assert pool.capacity == objects.capacity == model.capacity
    for ring in rings:
        ring.release()
    assert (pool.used, memory.used) == (0, before)


@EACH_COPY
def test_a_ring_in_cells_is_filled_anew(is_compiled: bool) -> None:
    pool = Pool(Memory(is_compiled))
    ring = CellRing(pool, pool.memory.take(4), 2)
    assert (ring.last(), list(ring.items())) == (None, [])
    ring.fill([(number, 0) for number in range(30)])
    ring.fill([(1, 2), (3, 4)])
    assert [tuple(item) for item in ring.items()] == [(1, 2), (3, 4)]
    assert pool.used == len(ring) == 2


def test_the_newest_of_ascending_items_are_found_from_the_end() -> None:
    pool = Pool()
    ring = CellRing(pool, pool.memory.take(4), 2)
    for number in range(RING_CAPACITY + 40):
        ring.append((number // 2, number))
    last = RING_CAPACITY + 39
    assert [number for _, number in ring.items(after=last // 2 - 1)] == [last - 1, last]
    assert list(ring.items(after=last // 2)) == []
    assert len(list(ring.items(after=0))) == len(list(ring.items())) == RING_CAPACITY
