"""Parity in two processes: what differs between them is told, and so is why."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from lived import lived
from pupils import Quoter
from sample_tapes import make_tape

from core.errors import ConfigError
from core.records import Kind
from replay.twofold import BOTH, SEEDS, prove

pytestmark = pytest.mark.integration


def test_a_strategy_that_walks_a_set_is_found_by_the_second_hash_seed_and_by_the_lint(tmp_path: Path) -> None:
    records = lived("pupils_impure:WalksASet")
    found = prove(make_tape(tmp_path / "tape", records), "columns")
    assert not found.equal
    assert found.disagreement.startswith("decides differently under another PYTHONHASHSEED")
    assert found.hash_seeds[1] in SEEDS
    assert found.first_difference is not None
    assert found.first_difference.seq == next(r.seq for r in records if r.kind == Kind.DECISION) - 1
    assert found.first_difference.fields == ("action.text",)
    assert "walks through a set in no order" in found.findings[-1].what


def test_what_the_second_process_cannot_do_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("only_here")
    vars(module).update(Quoter=Quoter)
    monkeypatch.setitem(sys.modules, "only_here", module)
    tape = make_tape(tmp_path / "tape", lived("only_here:Quoter"))
    with pytest.raises(ConfigError, match=r"under another PYTHONHASHSEED failed: .* no module 'only_here'"):
        prove(tape, BOTH)
