"""SQL over a tape that a recorder writes and seals meanwhile: each answer is of its first n records, for some n."""

import json
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import forked
import pytest
from recorded_exchange import Recording, recorded_exchange

from capture.tape.reader import Tape
from core.changes import Change
from core.messages.types import BookDelta
from core.records import Kind
from replay import Player
from replay.books import markets_of
from replay.sql import connect

pytestmark = pytest.mark.integration

ROLL_BYTES: Final = 64 << 10
"""Some two hundred frames: several segments are sealed a second."""

LOADED_ROLL_BYTES: Final = 8 * ROLL_BYTES
"""The same in a long recording, which would have a thousand segments else and be asked ever more slowly."""

LOADED: Final = 20.0
"""Speed that makes about 2,000 frames a second of the made-up recording."""

QUICK: Final = 8.0
"""Slower, for the recording is short and is not to be over before the questions are."""

TAIL: Final = 1_000
"""Records whose bytes are looked at: where the sealed part ends and the hot log begins is among the last."""

VIEWS: Final = {
    "deltas": "orderbook_delta",
    "snapshots": "orderbook_snapshot",
    "trades": "trade",
    "tickers": "ticker",
}
QUESTIONS: Final = 11
"""Of one connection."""

ALL: Final = "select count(*), count(distinct seq), min(seq), max(seq) from records"
BY_TYPE: Final = "select type, count(*) from messages group by type"
BYTES: Final = "select seq, kind, payload from records where seq > ? order by seq"
TRUST: Final = "select count(*) filter (where trusted), count(*) filter (where refused is null) from deltas"


@dataclass(frozen=True, slots=True)
class Look:
    """What one connection was told: how many records, by what type, the last of them, deltas trusted and taken in."""

    records: int
    segments: int
    types: dict[str, int]
    tail: list[tuple[int, str, bytes]]
    trust: tuple[int, int]
    book: list[tuple[str, int, int]]


def look(path: Path, market: str) -> Look:
    """Ask everything of the tape as it is now, and hold what its own answers say against one another."""
    with connect(path) as connection:

        def rows(query: str, *values: Any) -> list[Any]:
            return connection.execute(query, values or None).fetchall()

        ((records, segments, ended),) = rows("select records, segments, ended from tapes")
        assert ended == "recording"
        assert rows(ALL) == [(records, records, 0, records - 1)], "each record once, from the first on"
        types = dict(rows(BY_TYPE))
        kinds = dict(rows("select kind, count(*) from frames group by kind"))
        assert sum(types.values()) == kinds["FRAME"]
        for view, name in VIEWS.items():
            assert rows(f"select count(*) from {view}") == [(types.get(name, 0),)]
        tail = rows(BYTES, records - 1 - TAIL)
        (trust,) = rows(TRUST)
        book = rows("select side, price_e4, size_e2 from book_at(?) order by side, price_e4", market)
        assert rows(ALL) == [(records, records, 0, records - 1)], "the answer does not change meanwhile"
    return Look(records, segments, types, tail, trust, book)


def require_right(looks: list[Look], tape: Tape, market: str) -> None:
    """Each look is what the whole tape has up to there, and none went back."""
    assert all(before.records <= after.records for before, after in pairwise(looks))
    records, types, trust = list[tuple[int, str, bytes]](), Counter[str](), [0, 0]
    due, player = iter(looks), Player(tape, "bytes")
    at = next(due, None)
    for record, step in player.play():
        records.append((record.seq, Kind(record.kind).name, record.payload))
        if record.kind == Kind.FRAME:
            types[json.loads(record.payload)["type"]] += 1
        if isinstance(step.message, BookDelta):
            trust[0] += player.store.states()[step.message.market].trusted
            trust[1] += isinstance(step.change, Change)
        while at is not None and record.seq == at.records - 1:
            assert at.types == types
            assert at.tail == records[-TAIL:]
            view = player.store.view(market)
            levels = [("no", *level) for level in view.no] + [("yes", *level) for level in view.yes]
            assert at.book == levels
            assert at.trust == tuple(trust)
            at = next(due, None)
    assert at is None


def ask_while_recording(
    place: Path, *, looks_due: int, frames: int, speed: float, commands: int, roll_bytes: int = ROLL_BYTES
) -> None:
    """Record under load, ask so often meanwhile, by commands too, and hold all of it against the tape in the end."""
    path, looks = place / "tape", list[Look]()
    with (
        recorded_exchange(place, frames=frames, speed=speed) as exchange,
        Recording(exchange, path, "--all", roll_bytes=roll_bytes) as recording,
    ):
        recording.wait_state("recording")
        market = markets_of(Tape.open(place / "source"))[0]
        for number in range(looks_due):
            looks.append(look(path, market))
            if number % (looks_due // commands) == 0:
                by_command(path, looks[-1].records)
        assert recording.stop()[0] == 0
    tape = Tape.open(path)
    require_right(looks, tape, market)
    grown = sum(before.records < after.records for before, after in pairwise(looks))
    sealed = sum(before.segments < after.segments for before, after in pairwise(looks))
    asked = f"{looks_due} connections, {QUESTIONS * looks_due + commands} questions"
    print(f"{asked}, {looks[-1].records} records, sealed between {sealed} times, grown {grown} times")  # noqa: T201  the figures, for -s
    assert grown >= looks_due // 2
    assert sealed >= min(looks_due // 4, 20), "segments were sealed between two connections"


def by_command(path: Path, least: int) -> None:
    """The same question to a process of its own."""
    done = forked.run("sql", str(path), ALL.replace("select ", "select 1 as one, "), "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    _, count, distinct, first, last = row.values()
    assert (count, first, last) == (distinct, 0, count - 1)
    assert count >= least


def test_queries_while_a_recorder_writes_and_seals_are_of_a_prefix(tmp_path: Path) -> None:
    ask_while_recording(tmp_path, looks_due=8, frames=4_000, speed=QUICK, commands=1)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_thousand_queries_under_load_are_of_a_prefix(tmp_path: Path) -> None:
    ask_while_recording(
        tmp_path, looks_due=100, frames=250_000, speed=LOADED, commands=10, roll_bytes=LOADED_ROLL_BYTES
    )
