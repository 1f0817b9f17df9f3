"""Pausing, stepping, seeking and pacing a tape that is served."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastloop import run
from house import House
from sample_tapes import SECOND, story
from showing import A, ask, books, opened, show

from core.errors import ConfigError
from replay.exchange.playhead import MAX
from replay.exchange.taped import TapedVenue


def test_pause_step_and_resume_say_where_they_are(tmp_path: Path) -> None:
    script = books(opened())
    for _ in range(9):
        script.wait(SECOND).delta(A, "yes", "0.4100", "1.00")

    async def moves(venue: TapedVenue, house: House) -> None:
        await house.until(lambda house: len(house.shown) == 3)
        paused = await ask(venue, "pause")
        assert (paused["state"], paused["next_seq"], paused["published"]) == ("paused", 7, 3)
        await asyncio.sleep(100)
        assert len(house.shown) == 3
        stepped = await ask(venue, "step", count=4)
        assert (stepped["next_seq"], stepped["published"]) == (11, 7)
        assert (await ask(venue, "speed", speed="max"))["speed"] == "max"
        await ask(venue, "resume")

    house, venue = show(script, tmp_path / "tape", moves, speed=1.0)
    assert len(house.shown) == 10
    ended = venue.projector.status()
    assert (ended["state"], ended["next_seq"], ended["records"]) == ("ended", 14, 14)


def test_seek_disconnects_everybody_and_the_books_are_those_of_the_place(tmp_path: Path) -> None:
    script = story()
    seq = next(record.seq for record in script.records if b'"trade-' in record.payload) + 20

    async def seek(venue: TapedVenue, house: House) -> None:
        await house.until(lambda house: len(house.shown) == 4)
        await ask(venue, "pause")
        moved = await ask(venue, "seek", seq=seq)
        assert (moved["next_seq"], moved["state"]) == (seq, "paused")
        assert house.log[-1].startswith("disconnected by 1012 the playhead was moved after 4")
        book = venue.snapshot(A, yes_price=False)
        await ask(venue, "seek", seq=0)
        assert venue.snapshot(A, yes_price=False) is None
        await ask(venue, "step", count=seq)
        again = venue.snapshot(A, yes_price=False)
        assert book is not None and again == book
        await ask(venue, "resume")

    house, venue = show(script, tmp_path / "tape", seek, speed=1.0)
    assert venue.projector.state == "ended"
    del house


def test_seek_by_time_and_after_the_end(tmp_path: Path) -> None:
    script = books(opened(step_ns=0))
    for _ in range(9):
        script.wait(SECOND).delta(A, "yes", "0.4100", "1.00")
    tape = script.tape(tmp_path / "tape")

    async def main() -> None:
        venue, house = TapedVenue.of(tape, speed=MAX), House()
        await venue.play(house)
        assert venue.projector.state == "ended"
        shown = len(house.shown)
        moved = await ask(venue, "seek", time=str(script.records[0].at_ns + 4 * SECOND))
        assert moved["next_seq"] == 9
        await house.until(lambda house: len(house.shown) == shown + 5)

    run(main())


def test_steps_at_the_end_of_the_tape_return(tmp_path: Path) -> None:
    async def step(venue: TapedVenue, house: House) -> None:
        status = await ask(venue, "step", count=500)
        assert status["state"] == "ended"
        assert len(house.shown) == 1

    _, venue = show(books(opened()), tmp_path / "tape", step, start="paused")
    assert run(step_again(venue))["state"] == "ended"


async def step_again(venue: TapedVenue) -> Mapping[str, Any]:
    return await ask(venue, "step")


@pytest.mark.parametrize(
    ("control", "arguments", "words"),
    [
        ("step", {"count": 0}, "count 0 is not from 1"),
        ("step", {"count": "many"}, "count 'many' is no whole number"),
        ("speed", {"speed": "fast"}, "write 1, 10 or max"),
        ("seek", {}, "either time or seq"),
        ("seek", {"time": "end", "seq": 1}, "either time or seq"),
        ("seek", {"seq": 1}, "does not play yet"),
    ],
)
def test_controls_that_make_no_sense_are_refused(tmp_path: Path, control: str, arguments: Any, words: str) -> None:
    venue = TapedVenue(books(opened()).tape(tmp_path / "tape"))
    with pytest.raises(ConfigError, match=words):
        run(venue.controls[control](arguments))  # type: ignore[arg-type]  # it is a coroutine
