"""Small recordings played to a house: scripts to play, and the playing of them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from fastloop import run
from house import House
from sample_tapes import Script

from core.records import Kind
from replay.exchange.playhead import MAX
from replay.exchange.taped import TapedVenue

A, B = "KXTEST-A", "KXTEST-B"
HOUSE = ("seats", "comes_s", "returns_s", "apart_s")
LEVELS = [("0.4000", "10.00"), ("0.4550", "2.50")]


def opened(**session: Any) -> Script:
    """A recording that has just subscribed to books (sid 1) and trades (sid 2)."""
    return Script(**session).session().opened().subscribed(1).subscribed(2, "trade")


def books(script: Script, connection: int = 1) -> Script:
    return script.snapshot(A, LEVELS, [("0.5000", "7.00")], connection=connection)


def frames(script: Script) -> list[bytes]:
    return [record.payload for record in script.records if record.kind == Kind.FRAME]


def numbered(payload: bytes) -> Any:
    """A frame with the numbers that a house gives to all of them."""
    body = json.loads(payload)
    return {**body, **{name: 1 for name in ("sid", "seq") if name in body}}


Play = Callable[[TapedVenue, House], Awaitable[Any]]


def show(script: Script, path: Path, play: Play | None = None, **options: Any) -> tuple[House, TapedVenue]:
    """Play a recording to its end, or as `play` says."""
    tape = script.tape(path)
    seats: dict[str, Any] = {name: options.pop(name) for name in HOUSE if name in options}

    async def main() -> tuple[House, TapedVenue]:
        venue = TapedVenue.of(tape, **{"speed": MAX, **options})
        house = House(**seats)
        playing = asyncio.create_task(venue.play(house))
        if play is not None:
            await play(venue, house)
        await playing
        return house, venue

    return run(main())


async def ask(venue: TapedVenue, control: str, **arguments: Any) -> Mapping[str, Any]:
    return await venue.controls[control](arguments)
