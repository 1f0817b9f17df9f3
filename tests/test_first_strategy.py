"""The strategy of docs/STRATEGIES.md, as it stands there: it is as short as promised, runs, trades, and replays."""

import re
from pathlib import Path
from typing import Final

import pytest
from live_runs import live_run

from capture.tape.reader import Tape
from core.actions import Place
from replay.loading import specify
from replay.parity import judge

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "STRATEGIES.md"


def the_code() -> str:
    """The first block of Python in the document."""
    found = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


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
