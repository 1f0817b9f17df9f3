"""No look-ahead in a backtest: every tape of its result on which something was decided, tried with other futures.

Knows what a result was made of. Must not know how a future is falsified (`replay.causality`).
"""

from pathlib import Path
from typing import Any

import msgspec

from core.errors import ConfigError
from replay.backtest.proof import changes
from replay.backtest.result import Result
from replay.backtest.run import cast, in_order, run_terms, spans_of
from replay.backtest.setup import setup_of
from replay.causality import Causality, examine
from replay.progress import Progress, silent


class Foresight(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `tapedeck causality RESULT`. tapes: of each on which something was decided, up to the first that is
    not causal. changed: what is no longer as it was when the result was made."""

    result: str
    causal: bool
    tapes: tuple[Causality, ...]
    changed: tuple[str, ...]


def examine_result(directory: Path, *, places: int, seed: int, progress: Progress = silent, **around: Any) -> Foresight:
    """Play every tape again as it is and with false futures: what was decided and what happened must stay as it was.

    Progress in tapes. Raises ResultError, ConfigError where nothing was decided, TapeError.
    """
    result = Result.read(directory)
    setup = setup_of(result.manifest)
    spans = spans_of(setup, in_order(setup))
    decided = sorted(set(result.tables["decisions"].column("tape").to_pylist()))
    if not decided:
        raise ConfigError(f"{directory}: nothing was decided, so there is nothing to examine")
    found: list[Causality] = []
    for number in decided:
        span, cash = spans[number], _cash(result, number)
        staged = {
            "venue": msgspec.structs.replace(setup.venue, cash=cash), "seed": setup.seed,
            "run_terms": run_terms(setup), "from_ns": span.from_ns or 0,
        }  # fmt: skip
        last_seq = result.manifest["tapes"][number]["records"] - 1
        found.append(
            examine(span.tape, cast(setup), places=places, seed=seed, staged=staged, last_seq=last_seq, **around)
        )
        progress(len(found), len(decided))
        if not found[-1].causal:
            break
    return Foresight(
        result=str(directory),
        causal=all(one.causal for one in found),
        tapes=tuple(found),
        changed=tuple(changes(result)),
    )


def _cash(result: Result, number: int) -> int:
    """What the account had when a tape began."""
    rows = result.tables["equity"].select(["tape", "cash"]).to_pylist()
    return next((int(row["cash"]) for row in rows if row["tape"] == number), int(result.manifest["start_cash"]))
