"""A recorded live run that was tampered with: parity finds the first decision that was affected, and names its record.

The run is data/fixtures/run-1: real orders and fills at a sandbox. Bytes of the tape are changed, never a decision.
"""

import re
import shutil
from pathlib import Path
from typing import Final

import msgspec
import pytest
from lived import anew
from sample_tapes import make_tape

from core.actions import Decision, decode_decision
from core.records import Kind, Record
from replay import open_tape
from replay.parity import Difference, judge

RUN: Final = Path(__file__).resolve().parents[1] / "data" / "fixtures" / "run-1" / "tape"
TRIED: Final = 3
"""Deciding records of each kind that are tampered with."""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """The run's records; a tape is never read where the evidence lies."""
    copy = tmp_path_factory.mktemp("run") / "tape"
    shutil.copytree(RUN, copy)
    return list(open_tape(copy).records())


def first_decisions(records: list[Record]) -> dict[int, Decision]:
    """The first decision of each record that led to one, by the record's seq."""
    first: dict[int, Decision] = {}
    for record in records:
        if record.kind == Kind.DECISION:
            decision = decode_decision(record.payload)
            first.setdefault(decision.cause, decision)
    return first


def deciding_deltas(records: list[Record]) -> list[int]:
    """Seqs of changes of a book that led to a decision."""
    deciding = first_decisions(records)
    return [seq for seq in deciding if b'"orderbook_delta"' in records[seq].payload][:TRIED]


def difference(records: list[Record], place: Path) -> Difference:
    """What parity says of a tape of these records."""
    make_tape(place, anew(records))
    found = judge(open_tape(place), "columns")
    assert not found.equal and found.first_difference is not None
    return found.first_difference


def with_payload(records: list[Record], payloads: dict[int, bytes]) -> list[Record]:
    return [msgspec.structs.replace(r, payload=payloads[r.seq]) if r.seq in payloads else r for r in records]


def test_the_untouched_run_is_equal(records: list[Record], tmp_path: Path) -> None:
    make_tape(tmp_path / "tape", anew(records))
    assert judge(open_tape(tmp_path / "tape"), "columns").equal


def test_a_tick_that_was_taken_out_shows_at_the_decision_it_led_to(records: list[Record], tmp_path: Path) -> None:
    deciding = first_decisions(records)
    for tick in [seq for seq in deciding if records[seq].kind == Kind.TICK][:TRIED]:
        found = difference([record for record in records if record.seq != tick], tmp_path / f"{tick}")
        assert found.recorded is not None and found.replayed is None
        assert found.recorded.number == deciding[tick].number
        assert found.seq == tick - 1, "where the tick was"


def test_a_price_that_was_changed_shows_at_its_record(records: list[Record], tmp_path: Path) -> None:
    deciding = first_decisions(records)
    for seq in deciding_deltas(records):
        price = re.search(rb'"price_dollars":"0\.(\d{4})"', records[seq].payload)
        assert price is not None
        other = records[seq].payload.replace(price[0], b'"price_dollars":"0.%04d"' % (int(price[1]) - 100))
        found = difference(with_payload(records, {seq: other}), tmp_path / f"{seq}")
        assert found.recorded is not None
        assert (found.seq, found.recorded.number) == (seq, deciding[seq].number)


def test_two_frames_that_were_swapped_show_at_the_first_of_them(records: list[Record], tmp_path: Path) -> None:
    deciding = first_decisions(records)
    for seq in deciding_deltas(records):
        one = records[seq]
        two = next(r for r in records[seq + 1 :] if r.connection == one.connection and b"orderbook_delta" in r.payload)
        swapped = with_payload(records, {one.seq: two.payload, two.seq: one.payload})
        found = difference(swapped, tmp_path / f"{seq}")
        assert found.recorded is not None
        assert (found.seq, found.recorded.number) == (seq, deciding[seq].number)
