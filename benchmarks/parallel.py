"""What a second process brings when several tapes are replayed: four equal tapes, two at a time against one."""

import shutil
from pathlib import Path

from benchmarks.measure import REPETITIONS, interleaved, rate, ratio, show
from benchmarks.recordings import recordings
from capture.tape.reader import Tape
from replay.importer import ImportOptions, import_recording
from replay.many import Result, Terms, Unplayed, cores, play_all
from replay.run import Comparison

TAPES = 4
JOBS = 2


class Replays:
    """Replays all tapes with so many processes; remembers the states they led to."""

    def __init__(self, tapes: list[Path], path: str, jobs: int) -> None:
        self._tapes = tapes
        self._terms = Terms(path=path)
        self._jobs = jobs
        self.digests: set[str] = set()

    def __call__(self) -> None:
        self.digests |= {digest_of(result) for result in play_all(self._tapes, self._terms, self._jobs)}


def digest_of(result: Result) -> str:
    """The state that a replay led to."""
    assert not isinstance(result, Unplayed | Comparison), result
    return result.state_digest


def main() -> None:
    """The first recording, as so many tapes."""
    rows = []
    with recordings() as (found, place):
        recording = found[0]
        tapes = [place / f"tape-{number}" for number in range(TAPES)]
        import_recording(recording.files, tapes[0], ImportOptions(filtered=recording.filtered))
        for tape in tapes[1:]:
            shutil.copytree(tapes[0], tape)
        records = TAPES * (Tape.open(tapes[0]).head_seq + 1)
        for path in ("bytes", "columns"):
            cases = {jobs: Replays(tapes, path, jobs) for jobs in (1, JOBS)}
            cases[JOBS]()  # compiles, and leaves checkpoints
            took = interleaved({str(jobs): run for jobs, run in cases.items()})
            assert len(cases[1].digests | cases[JOBS].digests) == 1, "equal tapes, equal states"
            one, two = took["1"], took[str(JOBS)]
            rows.append([f"{path}, {recording.name}", rate(records, one), rate(records, two), ratio(one, two)])
    notes = [
        f"{TAPES} equal tapes, {records // TAPES:,} records each, on {cores()} cores; processes started anew each time",
        f"medians of {REPETITIONS}, taking turns; the states are equal",
    ]
    show("Replay of several tapes", ("records a second", "1 job", f"{JOBS} jobs", "speed-up"), rows, notes)


if __name__ == "__main__":
    main()
