"""Parity proved twice at the same time: in this process, and in another one under another PYTHONHASHSEED.

Knows how the second process is started and what it means when the two disagree. Must not know how decisions are
compared: that is `replay.parity`. A set of strings is walked in another order in the second process, and so a strategy
that walks one decides differently there, unless both orders happen to be the same.
"""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from capture.tape.reader import Tape
from core.errors import ConfigError, TapedeckError
from replay import progress as report
from replay.hosted import AROUND
from replay.parity import Parity, judge

BOTH: Final = "both"
"""The byte path here and the column path there; where they disagree, the column path here too."""

SEEDS: Final = ("4242", "77")
"""PYTHONHASHSEED of the second process: the first of them that is not this one's."""

_PARITIES: Final = msgspec.json.Decoder(Parity)


def prove(tape: Tape, path: str, progress: report.Progress = report.silent) -> Parity:
    """Compare by one path ("bytes", "columns") or BOTH, in two processes. Raises as `judge`, and ConfigError when the
    second process cannot do what this one can.
    """
    first_path, second_path = ("bytes", "columns") if path == BOTH else (path, path)
    own = os.environ.get("PYTHONHASHSEED", "random")
    other = next(seed for seed in SEEDS if seed != own)
    until_seq = tape.head_seq  # where somebody records just now, both have to stop at one record
    with _Second(tape.path, second_path, until_seq, other) as second:
        here = judge(tape, first_path, progress, until_seq=until_seq, **AROUND)
        there = second.result()
    found = msgspec.structs.replace(here, path=path, hash_seeds=(own, other))
    if _agree(here, there):
        return found
    earliest = min(
        (one.first_difference for one in (here, there) if one.first_difference is not None),
        key=lambda difference: difference.seq,
        default=None,
    )
    again = judge(tape, second_path, progress, until_seq=until_seq, **AROUND)
    if path == BOTH and _agree(again, there):
        why = "decides differently by the byte path and by the column path"
    elif not _agree(again, here):
        why = "does not decide the same twice"
    else:
        why = f"decides differently under another PYTHONHASHSEED ({own} and {other})"
    return msgspec.structs.replace(found, equal=False, first_difference=earliest, disagreement=why)


def _agree(one: Parity, other: Parity) -> bool:
    return _essence(one) == _essence(other)


def _essence(parity: Parity) -> tuple[object, ...]:
    """What two replays must have in common; the words of an error may hold an address."""
    difference = parity.first_difference
    place = None if difference is None else (difference.seq, difference.recorded, difference.replayed)
    return parity.equal, parity.decision_digest, parity.decisions, parity.unjudged, place


class _Second:
    """The other process; a context manager that leaves none behind."""

    def __init__(self, tape: Path, path: str, until_seq: int, hash_seed: str) -> None:
        places = os.pathsep.join(place for place in sys.path if place)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "replay.twofold", os.fspath(tape), path, str(until_seq)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": places},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def result(self) -> Parity:
        """What it found, when it is done."""
        out, err = self._process.communicate()
        if self._process.returncode:
            said = err.decode(errors="replace").strip().splitlines()
            raise ConfigError(
                f"the replay under another PYTHONHASHSEED failed: {said[-1] if said else 'no word of why'}"
            )
        return _PARITIES.decode(out)


def _answer(tape: str, path: str, until_seq: str) -> None:
    """The second process: its answer goes to where standard output was; what a strategy prints does not."""
    answer = os.dup(1)
    os.dup2(2, 1)
    try:
        found = msgspec.json.encode(judge(Tape.open(Path(tape)), path, until_seq=int(until_seq), **AROUND))
    except (TapedeckError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from error
    with os.fdopen(answer, "wb") as out:
        out.write(found)


if __name__ == "__main__":
    _answer(*sys.argv[1:])
