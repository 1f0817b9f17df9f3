"""Pace, pause, step and speed, on a loop whose clock jumps."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from fastloop import run

from core.errors import ConfigError
from replay.exchange.playhead import MAX, Playhead, format_speed, parse_speed

SECOND = 1_000_000_000


def now_s() -> float:
    return round(asyncio.get_running_loop().time(), 3)


async def played(head: Playhead, *seconds: float) -> list[float]:
    """When the records of these tape times were played."""
    times = []
    for at_s in seconds:
        assert await head.reach(int(at_s * SECOND))
        times.append(now_s())
    return times


def test_records_are_played_with_the_spacing_of_the_tape() -> None:
    assert run(played(Playhead(1.0), 100, 101, 101, 105.5)) == [0, 1, 1, 5.5]


def test_ten_times_the_speed_takes_a_tenth_of_the_time() -> None:
    assert run(played(Playhead(10.0), 100, 110, 130)) == [0, 1, 3]


def test_at_full_speed_nothing_is_waited_for() -> None:
    assert run(played(Playhead(MAX), 100, 200, 10_000)) == [0, 0, 0]


def test_a_late_record_is_made_up_for_unless_it_is_forgiven() -> None:
    async def late(*, forgive: bool) -> list[float]:
        head = Playhead(1.0)
        await head.reach(100 * SECOND)
        await asyncio.sleep(5)
        if forgive:
            head.forgive(101 * SECOND)
        return await played(head, 101, 103, 110)

    assert run(late(forgive=False)) == [5, 5, 10]
    assert run(late(forgive=True)) == [5, 7, 14]


def during(head: Playhead, seconds: tuple[float, ...], *moves: tuple[float, Any]) -> Coroutine[Any, Any, list[float]]:
    """When records are played while moves are made at some times."""

    async def both() -> list[float]:
        loop = asyncio.get_running_loop()
        for at_s, move in moves:
            loop.call_at(at_s, move)
        return await played(head, *seconds)

    return both()


def test_a_pause_in_the_middle_of_a_silence_keeps_the_rest_of_it() -> None:
    head = Playhead(1.0)
    assert run(during(head, (0, 10, 20), (4, head.pause), (104, head.resume))) == [0, 110, 120]


def test_pausing_twice_is_pausing_once() -> None:
    head = Playhead(1.0)
    assert run(during(head, (0, 10), (4, head.pause), (5, head.pause), (6, head.resume), (7, head.resume))) == [0, 12]


def test_another_speed_counts_from_where_it_was_set() -> None:
    head = Playhead(1.0)
    assert run(during(head, (0, 10, 20), (4, lambda: head.set_speed(2.0)))) == [0, 7, 12]


def test_full_speed_and_back_again() -> None:
    head = Playhead(1.0)

    async def both() -> list[float]:
        loop = asyncio.get_running_loop()
        loop.call_at(4, head.set_speed, MAX)
        first = await played(head, 0, 10, 20)
        head.set_speed(10.0)
        return [*first, *await played(head, 30)]

    assert run(both()) == [0, 4, 4, 5]


def test_a_paused_playhead_starts_when_it_is_told_to() -> None:
    head = Playhead(1.0, paused=True)
    assert run(during(head, (0, 2), (9, head.resume))) == [9, 11]


def test_steps_play_so_many_records_and_stand_still_again() -> None:
    async def stepped() -> tuple[list[float], bool, bool]:
        head = Playhead(1.0)
        times: list[float] = []

        async def play() -> None:
            for at_s in (0, 50, 100, 150, 200):
                await head.reach(at_s * SECOND)
                times.append(now_s())

        playing = asyncio.create_task(play())
        await asyncio.sleep(1)
        await head.step(2)
        await asyncio.sleep(500)
        stood = len(times) == 3 and head.paused
        await head.step()
        await asyncio.sleep(1)
        head.resume()
        await playing
        return times, stood, head.paused

    assert run(stepped()) == ([0, 1, 1, 501, 552], True, False)


def test_whoever_waits_for_steps_that_are_not_there_is_let_go_at_the_end() -> None:
    async def stepped() -> bool:
        head = Playhead(1.0, paused=True)
        steps = asyncio.create_task(head.step(5))
        await head.reach(0)
        head.end()
        await steps
        return head.paused

    assert run(stepped())


def test_an_interruption_ends_the_wait_and_is_over_then() -> None:
    async def interrupted() -> tuple[bool, float, bool]:
        head = Playhead(1.0)
        await head.reach(0)
        asyncio.get_running_loop().call_at(3, head.interrupt)
        first = await head.reach(60 * SECOND)
        at_s = now_s()
        head.rebase()
        return first, at_s, await head.reach(60 * SECOND)

    assert run(interrupted()) == (False, 3, True)


@pytest.mark.parametrize(("text", "speed"), [("1", 1.0), ("10", 10.0), ("0.5", 0.5), ("max", MAX), ("MAX", MAX)])
def test_a_speed_is_a_number_or_max(text: str, speed: float) -> None:
    assert parse_speed(text) == speed
    assert format_speed(speed) == text.lower()


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf", "1e9", ""])
def test_another_speed_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write 1, 10 or max"):
        parse_speed(text)
