from hypothesis import given
from hypothesis import strategies as st

from core.rings import RING_CAPACITY, Pool, Ring


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
    pool = Pool(capacity=capacity)  # one item more than rings: with fewer the pool grows, and that is not part of the state
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
