"""A tape with a false future is the true one up to its place, by records and by tables alike."""

import pytest
from sample_tapes import make_tape, story

from capture.tape.reader import Tape
from core.records import Kind, Record
from replay import Player
from replay.futures import FalseFuture, Future

RECORDS = story(30).records
EACH = pytest.mark.parametrize("future", list(Future))


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    return make_tape(tmp_path_factory.mktemp("futures") / "tape", RECORDS, segment_records=50)


@EACH
@pytest.mark.parametrize("after", [0, 30, 49, 50, 120, len(RECORDS) - 1])
def test_up_to_its_place_it_is_the_tape_and_both_paths_see_the_same(tape: Tape, future: Future, after: int) -> None:
    false = FalseFuture(tape, after, future, 1)
    found = list(false.records())
    assert found[: after + 1] == RECORDS[: after + 1]
    assert [record.seq for record in found] == list(range(after + 1 if future is Future.CUT else len(RECORDS)))
    assert false.records(40, 60) is not None
    by_bytes, by_columns = Player(false, "bytes", checkpoint_records=0), Player(false, "columns", checkpoint_records=0)
    assert by_bytes.advance() == by_columns.advance() == len(found)
    assert by_bytes.state_digest() == by_columns.state_digest()


@EACH
def test_what_follows_is_another(tape: Tape, future: Future) -> None:
    after = 40
    false = list(FalseFuture(tape, after, future, 1).records())[after + 1 :]
    assert false != RECORDS[after + 1 :]
    assert false == list(FalseFuture(tape, after, future, 1).records())[after + 1 :]
    if future is Future.PRICES:
        assert [kind_and_length(record) for record in false] == [kind_and_length(record) for record in RECORDS[41:]]
        assert sum(a.payload != b.payload for a, b in zip(false, RECORDS[41:], strict=True)) > len(false) // 2
    if future is Future.SHUFFLED:
        assert sorted(record.payload for record in false) == sorted(record.payload for record in RECORDS[41:])


def kind_and_length(record: Record) -> tuple[int, int]:
    return record.kind, len(record.payload)


def test_only_frames_become_garbage(tape: Tape) -> None:
    false = list(FalseFuture(tape, 10, Future.GARBAGE, 1).records())
    same = [record for record in false[11:] if record.payload == RECORDS[record.seq].payload]
    assert {Kind(record.kind).name for record in same} == {"CLOSED", "OPENED", "CLEAN_STOP"}
