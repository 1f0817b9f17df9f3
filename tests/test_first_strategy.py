"""The strategy of docs/STRATEGIES.md, as it stands there: it is as short as promised, runs, trades, and replays."""

import re
from pathlib import Path
from typing import Final

import pytest
from live_runs import live_run

from capture.tape.reader import Tape
from core.actions import Place
from core.copies import machine
from replay.hosted import Hosted
from replay.importer import import_recording
from replay.loading import specify
from replay.parity import judge
from replay.synthetic import Plan, write_recording

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "STRATEGIES.md"


def the_code(number: int = 0) -> str:
    """A block of Python in the document."""
    found: list[str] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return found[number]


def test_it_is_as_short_as_promised() -> None:
    assert len([line for line in the_code().splitlines() if line.strip()]) <= 30


@pytest.mark.integration
def test_it_runs_trades_and_replays(tmp_path: Path) -> None:
    file = tmp_path / "first.py"
    file.write_text(the_code())
    lived = live_run(
        tmp_path, 5, frames=3_000, strategies=lambda markets: (
            specify("First", f"{file}:First", {"markets": ",".join(markets[:4]), "below": "100"}),
        ),
    )  # fmt: skip
    assert lived.status.exit_code == 0 and not lived.trading.failed
    assert any(isinstance(decision.action, Place) for decision in lived.decisions())
    assert lived.account["resting"] == [] and lived.account["balance"] == lived.trading.cash
    found = judge(Tape.open(lived.tape), "columns")
    assert found.equal and found.decisions == len(lived.decisions())


def test_the_glance_says_the_same_by_bytes_by_columns_and_with_the_machine_ahead(tmp_path: Path) -> None:
    file = tmp_path / "narrow.py"
    file.write_text(the_code(1))
    write_recording(tmp_path / "made.jsonl", Plan(frames=3_000, markets=4))
    import_recording([tmp_path / "made.jsonl"], tmp_path / "tape")
    found = set()
    for path in ("bytes", "columns"):
        machine(is_compiled=path == "columns")  # what is made after it has it
        hosted = Hosted(Tape.open(tmp_path / "tape"), path, (specify("Narrow", f"{file}:Narrow", {}),))
        for _, _, reaction in hosted.run():
            assert not reaction.faults
        assert hosted.decisions > 10
        found.add((hosted.decisions, hosted.digest.hexdigest()))
    assert len(found) == 1
