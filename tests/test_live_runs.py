"""Scanner and Market Maker live on a sandbox, over real sockets, half of the runs with faults: what must hold of each.

The replay decides the same, by both paths and under another PYTHONHASHSEED; cash, fees and positions are the exchange's
to the micro-dollar; nothing rests; no limit was exceeded. One run with and one without faults by default, a hundred by
`make runs`.
"""

from pathlib import Path
from typing import Final

import pytest
from live_runs import LIMITS, Lived, faults_of, live_run

from capture.tape.reader import Tape
from core.actions import Amend, Place
from replay.twofold import BOTH, prove

pytestmark = pytest.mark.integration

FRAMES: Final = 20_000
RUNS: Final = 100


def check(lived: Lived, least_decisions: int) -> None:
    """Everything that must hold of a run."""
    assert lived.status.exit_code == 0, lived.status.why
    assert not lived.trading.failed
    account, trading = lived.account, lived.trading
    ours = (trading.cash, trading.fees, dict(trading.positions))
    assert ours == (account["balance"], account["fees_paid"], account["positions"]), lived.faults
    assert account["resting"] == [] and trading.orders == ()
    assert all(abs(position) <= LIMITS.market for position in account["positions"].values())
    orders = [decision.action for decision in lived.decisions() if isinstance(decision.action, Place | Amend)]
    assert all(order.count <= LIMITS.order + LIMITS.market for order in orders)
    judged = prove(Tape.open(lived.tape), BOTH)
    assert judged.equal, judged.first_difference
    assert judged.decisions == len(lived.decisions()) >= least_decisions
    assert not judged.findings


@pytest.mark.parametrize("seed", [2, 3])
def test_a_live_run_and_its_replay_decide_alike_and_the_account_agrees(tmp_path: Path, seed: int) -> None:
    check(live_run(tmp_path, seed, frames=5_000, faults=faults_of(seed) if seed % 2 else ()), 10)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1_000, 1_000 + RUNS))
def test_a_hundred_live_runs(tmp_path: Path, seed: int) -> None:
    lived = live_run(tmp_path, seed, frames=FRAMES, faults=faults_of(seed) if seed % 2 else ())
    assert lived.status.frames >= FRAMES
    check(lived, 20)
