"""Every fault of a session, live: what capture records, what it does, and that the books are right afterwards.

docs/FAULTS.md holds the same as a table; `python tests/fault_runs.py` writes it.
"""

from pathlib import Path

import pytest
from fault_cases import CASES, ELSEWHERE, Case
from fault_runs import BEGIN, END, cells_of, documented, run

from replay.exchange.faults import KINDS

ROOT = Path(__file__).resolve().parents[1]
ALIKE = {
    *(f"close@now,code={code}" for code in (1_008, 1_009, 1_011, 1_012, 3_000)),
    *(f"http@upgrade,status={status}" for status in (403, 502)),
}
"""Done as another code of its kind is, by capture and by the exchange: only slow tests run these as well."""

LINES = [line for line in documented().splitlines() if line.startswith("| **`")]


@pytest.mark.integration
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.fault, marks=[pytest.mark.slow] if case.fault in ALIKE else []) for case in CASES],
)
def test_a_fault_is_recorded_repaired_and_in_the_table(case: Case, tmp_path: Path) -> None:
    row = run(case, tmp_path)
    assert row.gaps == case.gaps
    assert row.lost == 0 or case.may_lose
    assert row.is_equal == case.is_awaited
    assert (row.fell_s != -1.0) == case.falls
    assert (row.fell_s == -2.0) == (not case.is_awaited)
    assert row.cells in [cells_of(line) for line in LINES if line.count(" | ") == 5]


def test_the_table_has_a_row_for_every_kind_of_fault_and_for_nothing_else() -> None:
    faults = [line.split("`")[1] for line in LINES]
    assert {fault.partition("@")[0] for fault in faults} == set(KINDS)
    assert faults == [case.fault for case in CASES] + [fault for fault, *_ in ELSEWHERE]


def test_the_tests_that_the_table_names_for_rest_exist() -> None:
    for _, file, name, _ in ELSEWHERE:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_the_table_stands_at_the_end_of_the_document() -> None:
    assert documented().startswith(BEGIN)
    assert (ROOT / "docs" / "FAULTS.md").read_text(encoding="utf-8").rstrip().endswith(END)
