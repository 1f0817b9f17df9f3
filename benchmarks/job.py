"""The job that every engine of the comparison does, and the line of JSON in which it says what it saw and what it took.

Only the standard library: peers import it in environments of their own. Prices in 1/10,000 dollar on the yes scale,
sizes in 1/100 contract. The strategies:

EVERY is called at each record. It sums the best yes bid after every change of a book (0 = nobody bids), counts the
changes after which the spread is at most TIGHT, sums the contracts traded, counts trades and tickers.

TOP is called when the best bid, the best offer or the size at one of them has changed, and at a market's first book. It
counts the calls and sums the best yes bid.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

EVERY: Final = "every"
TOP: Final = "top"
BARE: Final = "bare"
"""No strategy at all: every book kept, nobody called."""

TIGHT: Final = 200
"""Two cents."""

Top = tuple[int, int, int, int]


@dataclass(slots=True)
class Seen:
    """What a strategy has seen: the checksum. What an engine has no word for stays 0 and is not compared."""

    books: int = 0
    bids: int = 0
    tight: int = 0
    trades: int = 0
    volume: int = 0
    tickers: int = 0
    changes: int = 0
    top_bids: int = 0


COMPARED: Final = {
    EVERY: ("books", "bids", "tight", "trades", "volume", "tickers"),
    TOP: ("changes", "top_bids"),
    BARE: (),
}
"""Which parts of Seen each strategy fills."""


def peak_mb() -> float:
    """Peak resident size of this process so far, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


class Clock:
    """Wall seconds of the parts of a job, and CPU seconds of all their threads."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def time(self, part: str, run: Callable[[], Any]) -> Any:
        """What `run` returns."""
        start, cpu = time.perf_counter(), time.process_time()
        found = run()
        self.parts[part] = self.parts.get(part, 0.0) + time.perf_counter() - start
        self.cpu[part] = self.cpu.get(part, 0.0) + time.process_time() - cpu
        return found


def report(version: str, frames: int, clock: Clock, seen: Seen, unseen: tuple[str, ...] = ()) -> None:
    """Print the line. unseen: parts of the checksum that this engine has no word for."""
    found = {
        "version": version,
        "frames": frames,
        "parts": clock.parts,
        "cpu": clock.cpu,
        "peak_mb": peak_mb(),
        "seen": asdict(seen),
        "unseen": unseen,
    }
    sys.stdout.write("\n" + json.dumps(found) + "\n")
