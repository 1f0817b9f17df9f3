"""A tape is played with its own strategies, or with others in their place."""

from pathlib import Path

import pytest
from lived import lived, market_day
from sample_tapes import make_tape

from capture.tape.errors import TapeError
from core.actions import Decision, Place, Say, StrategySpec
from core.records import Kind, Record, encode_payload
from core.state import decision_digest
from replay.hosted import Hosted

PATHS = pytest.mark.parametrize("path", ["bytes", "columns"])
OTHER = (StrategySpec("other", "pupils:Quoter", {"size": 300}),)


def decided(hosted: Hosted, until_seq: int | None = None) -> list[Decision]:
    return [decision for _, _, reaction in hosted.play(until_seq) for decision in reaction.decisions]


@PATHS
def test_a_faithful_replay_takes_the_decisions_of_the_run(tmp_path: Path, path: str) -> None:
    records = lived()
    hosted = Hosted(make_tape(tmp_path / "tape", records), path)
    recorded = [record.payload for record in records if record.kind == Kind.DECISION]
    assert [encode_payload(decision) for decision in decided(hosted)] == recorded
    assert hosted.decisions == len(recorded)
    assert hosted.digest.hexdigest() == decision_digest(recorded)
    assert not list((tmp_path / "tape").rglob("*checkpoint*/*"))


def test_it_stops_where_it_is_told(tmp_path: Path) -> None:
    tape = make_tape(tmp_path / "tape", lived())
    whole = decided(Hosted(tape))
    assert decided(Hosted(tape), 40) == [decision for decision in whole if decision.cause <= 40]


@PATHS
@pytest.mark.parametrize("is_run", [True, False])
def test_a_what_if_passes_over_what_the_run_did(tmp_path: Path, path: str, is_run: bool) -> None:
    records = lived() if is_run else market_day().records
    found = decided(Hosted(make_tape(tmp_path / "tape", records), path, OTHER))
    orders = [decision.action for decision in found if isinstance(decision.action, Place)]
    assert {decision.strategy for decision in found} == {"other"}  # no order is answered, so none can be cancelled
    assert [order.count for order in orders] == [300] * len(orders)
    assert [decision.number for decision in found] == list(range(1, len(found) + 1))
    said = [decision for decision in found if isinstance(decision.action, Say)]
    assert len(said) == 3  # a timer of a second, in 3.6 seconds
    frames = {record.seq for record in records if record.kind == Kind.FRAME}
    assert {decision.cause for decision in found} <= frames


def test_a_record_of_the_run_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    records = lived()
    at = next(record.seq for record in records if record.kind == Kind.OUTCOME)
    records[at] = Record(at, records[at].at_ns, 0, 0, Kind.OUTCOME, b"[]")
    with pytest.raises(TapeError, match=f"record {at} is no OUTCOME"):
        decided(Hosted(make_tape(tmp_path / "tape", records)))
