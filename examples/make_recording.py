"""Writes a made-up recording as another recorder would have left it: `make_recording.py FILE.jsonl.gz`."""

import sys
from pathlib import Path

from replay.synthetic import Plan, write_recording

PLAN = Plan(frames=20_000, markets=12, seed=7, reconnects=1)


def main(path: str) -> None:
    """Always the same bytes: the plan holds the seed."""
    write_recording(Path(path), PLAN)
    print(f"{path}: {PLAN.frames:,} frames, {PLAN.markets} markets, {PLAN.reconnects} reconnect")


if __name__ == "__main__":
    main(sys.argv[1])
