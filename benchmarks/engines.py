"""Every engine of the comparison: how it is started, what of it counts, and what is known to make it see otherwise."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.job import BARE, COMPARED, EVERY, TOP, Seen
from benchmarks.rooms import CRYPTOFEED, HFTBACKTEST, NAUTILUS, PANDAS, ROOT, Missing, Room, program, python_in
from benchmarks.workload import Workload

RUN_S: Final = 3_600

OURS: Final = "tapedeck"
LOOP: Final = "json and dicts"


@dataclass(frozen=True, slots=True)
class Engine:
    """One way to do the job. module: started with the mode, the place of the input and the strategy.

    room: its environment, None = ours. uncounted: parts whose seconds are not counted. is_prepared: it has a stored
    form of its own that is made before. is_compiled: its strategy is. why: what is known to make its checksum differ.
    """

    name: str
    module: str
    mode: str
    strategies: tuple[str, ...]
    room: Room | None = None
    uncounted: tuple[str, ...] = ()
    is_prepared: bool = False
    is_compiled: bool = False
    why: str = ""

    def command(self, workload: Workload, mode: str, strategy: str) -> list[str]:
        """What is run; raises Missing."""
        if self.module.endswith(".cpp"):
            start = [program(ROOT / "benchmarks" / self.module, workload.place)]
        else:
            python = sys.executable if self.room is None else python_in(self.room)
            start = [python, "-W", "ignore", "-m", f"benchmarks.{self.module}"]
        return [*start, mode, str(workload.place), strategy]

    def prepare(self, workload: Workload) -> None:
        """Have the peer make its own stored form; raises Missing."""
        if self.is_prepared:
            _said(self.command(workload, "prepare", EVERY))

    def run(self, workload: Workload, strategy: str) -> "Outcome":
        """Do the job once; raises Missing."""
        found = _said(self.command(workload, self.mode, strategy))
        seconds, cpu = (
            sum(took for part, took in found[what].items() if part not in self.uncounted) for what in ("parts", "cpu")
        )
        seen, expected = Seen(**found["seen"]), workload.expected
        wrong = tuple(
            name
            for name in COMPARED[strategy]
            if name not in found["unseen"] and getattr(seen, name) != getattr(expected, name)
        )
        return Outcome(seconds, cpu, found["peak_mb"], found["version"], wrong)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run took, in seconds and MB. wrong: parts of the checksum that are not what they must be."""

    seconds: float
    cpu_s: float
    peak_mb: float
    version: str
    wrong: tuple[str, ...]


def _said(command: list[str]) -> dict[str, Any]:
    """The line of JSON that a command ends with, {} if it says nothing; raises Missing with its last words."""
    try:
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=RUN_S)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"not done after {RUN_S} s") from error
    if done.returncode:
        raise Missing(f"fails: {(done.stderr.strip() or 'no word').splitlines()[-1][:160]}")
    lines = done.stdout.strip().splitlines()
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return found


_CROSSED: Final = "it takes a crossed book for an error of the data and removes the other side's best"

COMPILED: Final = f"{OURS}, compiled"
BY_BYTES: Final = f"{OURS}, byte path"
NAUTILUS_MEMORY: Final = "nautilus_trader, memory"
NAUTILUS_CATALOG: Final = "nautilus_trader, catalog"
PLAYBACK: Final = "cryptofeed playback"
HFT_ALL: Final = "hftbacktest, all markets"
HFT_ONE: Final = "hftbacktest, one by one"
PARSE: Final = "simdjson, parsing on demand"

_CPP: Final = "peers/simdjson.cpp"

ENGINES: Final = (
    Engine(OURS, "ours", "columns", (TOP, EVERY, BARE)),
    Engine(BY_BYTES, "ours", "bytes", (EVERY, BARE)),
    Engine(NAUTILUS_MEMORY, "peers.nautilus", "memory", (TOP, EVERY), NAUTILUS, uncounted=("objects",)),
    Engine(NAUTILUS_CATALOG, "peers.nautilus", "catalog", (TOP, EVERY), NAUTILUS, is_prepared=True),
    Engine(PLAYBACK, "peers.feed", "playback", (TOP, EVERY), CRYPTOFEED, is_prepared=True),
    Engine(LOOP, "peers.loops", "json", (TOP, EVERY, BARE)),
    Engine(f"{LOOP}, from gzip", "peers.loops", "json-gz", (EVERY,)),
    Engine("pandas, itertuples", "peers.loops", "pandas", (TOP, EVERY), PANDAS),
    Engine(COMPILED, "ours", "compiled", (TOP, EVERY), is_compiled=True),
    Engine(
        HFT_ALL, "peers.hft", "together", (TOP, EVERY), HFTBACKTEST, is_prepared=True, is_compiled=True, why=_CROSSED
    ),
    Engine(HFT_ONE, "peers.hft", "apart", (EVERY,), HFTBACKTEST, is_prepared=True, is_compiled=True, why=_CROSSED),
    Engine("simdjson, parsing to trees", _CPP, "dom", (BARE,), is_compiled=True),
    Engine(PARSE, _CPP, "fields", (BARE,), is_compiled=True),
    Engine("simdjson, books", _CPP, "books", (TOP, EVERY), is_compiled=True),
)


Say = Callable[[str], None]


def available(workload: Workload, say: Say) -> list[Engine]:
    """The engines that can be run here, their own input made; of the others the reason is said."""
    found = []
    for engine in ENGINES:
        try:
            engine.prepare(workload)
            engine.command(workload, engine.mode, EVERY)
        except Missing as reason:
            say(f"  skipped: {engine.name}: {reason}")
        else:
            found.append(engine)
    return found
