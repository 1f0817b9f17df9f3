"""How long a page over an hour of tape keeps one waiting, in a real browser: first paint, jumps, steps, the next gap.

The tape is that of `benchmarks.hour`, in the page cache. Seen: book, record and list stand at the new place, and are
painted. Settled: prices, decisions and their reasons, too. The server's CPU is told because it stays the same where the
machine is busy with others.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.request import urlopen

from benchmarks.hour import FRAMES, MARKETS, hour
from benchmarks.measure import QUICK, REPETITIONS, show
from benchmarks.rooms import ROOT
from benchmarks.workload import inputs
from capture.tape.reader import Tape
from replay.view.milestones import SPACING

JUMPS: Final = 3 if QUICK else 20
STEPS: Final = 3 if QUICK else 20
STARTS: Final = REPETITIONS
PATIENCE_S: Final = 120.0
WIDE: Final = {"width": 1440, "height": 900}
QUIET: Final = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

WATCH: Final = """
({ act, value }) => new Promise((done) => {
  const clock = document.getElementById("seq");
  const before = clock.textContent;
  const start = performance.now();
  let seen = 0;
  const look = () => {
    if (!seen && clock.textContent !== before) seen = performance.now() - start;
    if (seen && !document.documentElement.dataset.asking) return done([seen, performance.now() - start]);
    if (performance.now() - start > 20_000) return done([NaN, NaN]);
    requestAnimationFrame(look);
  };
  if (act === "link") location.hash = value;
  else document.body.dispatchEvent(new KeyboardEvent("keydown", { key: value, bubbles: true }));
  requestAnimationFrame(look);
})
"""
"""Does something and waits: ms until the place is another one, and until no question is under way any more."""


class Server:
    """`tapedeck view` in a process of its own. ready_s: from its start until it listens."""

    def __init__(self, tape: Path) -> None:
        start = time.perf_counter()
        command = [sys.executable, "-m", "tapedeck", "view", str(tape), "--json"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["url"]
        self.start, self.ready_s = start, time.perf_counter() - start

    def cpu_s(self) -> float:
        """CPU seconds so far, of all its threads; 0 where the system does not tell."""
        stat = Path(f"/proc/{self._process.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def known(self) -> dict[str, Any]:
        """What it says of the tape."""
        with urlopen(f"{self.url.partition('#')[0]}api/tape") as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def wait(self) -> None:
        """Until it has gone through the whole tape."""
        patience = time.monotonic() + PATIENCE_S
        while (known := self.known())["surveyed"] + SPACING < known["records"]:
            assert time.monotonic() < patience, f"{known['surveyed']} of {known['records']} records after a long time"
            time.sleep(0.2)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate()
        assert self._process.returncode == 0, f"the server ended with {self._process.returncode}"


@contextmanager
def page_of(browser: Any) -> Iterator[Any]:
    """A page in a context of its own, nothing of it cached."""
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    yield page
    context.close()


def opened(browser: Any, tape: Path) -> tuple[float, float, float, float]:
    """The server and the page begun: s until it listens, ms to the first paint, to the book, to all of it."""
    server = Server(tape)
    try:
        with page_of(browser) as page:
            page.add_init_script(_TOLD)
            page.goto(server.url)
            page.wait_for_function("() => window.settled")
            paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            return server.ready_s, paint, page.evaluate("window.stood"), page.evaluate("window.settled")
    finally:
        server.stop()


_TOLD: Final = """
const look = () => {
  const clock = document.getElementById("seq");
  if (!window.stood && clock?.textContent) window.stood = performance.now();
  const { ready, asking } = document.documentElement.dataset;
  if (ready && !asking) window.settled = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def starts(browser: Any, tape: Path) -> None:
    """First paint: of a tape that nobody has opened, and of one that somebody has."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for name in ("never opened", "opened before"):
        for _ in range(STARTS):
            if name == "never opened":
                shutil.rmtree(tape / "checkpoints", ignore_errors=True)
                (tape / "checkpoints").mkdir(exist_ok=True)
            found.setdefault(name, []).append(opened(browser, tape))
        server = Server(tape)
        server.wait()  # what it has gone through is left behind for the next one
        server.stop()
    rows = []
    for name, values in found.items():
        for what, column in (
            ("server listens", [1000 * ready for ready, *_ in values]),
            ("first paint", [paint for _, paint, *_ in values]),
            ("book and records stand", [stood for *_, stood, _ in values]),
            ("all of it stands", [settled for *_, settled in values]),
        ):
            rows.append([f"{name}: {what}", *spread(column)])
    notes = [f"server: from the start of its process; the rest: from the page's own start; {STARTS} each"]
    show("Opening, ms", ("", "median", "least", "most"), rows, notes)


def moves(browser: Any, tape: Path, title: str, *, is_known: bool) -> None:
    """Jumps, steps, gaps and decisions. is_known: once the server has gone through the whole tape."""
    dice = Random(1)
    server = Server(tape)
    try:
        if is_known:
            server.wait()
        known = server.known()
        names = [name for name, _ in known["markets"]][:20]
        ends = known["first_ms"], known["last_ms"]
        with page_of(browser) as page:
            page.goto(server.url)
            page.wait_for_selector("html[data-ready]:not([data-asking])")
            rows = []
            for what, act, values in (
                ("a jump", "link", [f"#ms={dice.uniform(*ends):.3f}" for _ in range(JUMPS)]),
                (
                    "a jump to another market",
                    "link",
                    [f"#ms={dice.uniform(*ends):.3f}&market={dice.choice(names)}" for _ in range(JUMPS)],
                ),
                ("a step", "key", ["ArrowRight"] * STEPS),
                ("a step back", "key", ["ArrowLeft"] * STEPS),
                ("ten on", "key", ["End", "Home"]),
                ("the next gap", "key", ["]"] * (2 if QUICK else 4)),
                ("the next decision", "key", ["d"] * STEPS),
                ("the decision before", "key", ["D"] * STEPS),
                ("this market's next", "key", ["."] * STEPS),
            ):
                cpu = server.cpu_s()
                took = [page.evaluate(WATCH, {"act": act, "value": value}) for value in values]
                cpu = (server.cpu_s() - cpu) / len(values) * 1000
                seen, settled = ([value[place] for value in took] for place in (0, 1))
                rows.append([what, str(len(values)), *spread(seen), *spread(settled), f"{cpu:.0f}"])
    finally:
        server.stop()
    header = (title, "times", "seen", "least", "most", "settled", "least", "most", "server CPU")
    show(f"Moving, ms, {title}", header, rows, ["seen, settled: medians, from the key or the link until it is painted"])


def spread(values: Sequence[float]) -> tuple[str, str, str]:
    """Median, least, most."""
    return f"{statistics.median(values):.0f}", f"{min(values):.0f}", f"{max(values):.0f}"


def main() -> None:
    """Open, then move."""
    if CHROMIUM is None:
        print("\nView: not measured, there is no Chromium on this machine (apt install chromium)\n\n\n")
        return
    from playwright.sync_api import sync_playwright

    with inputs() as place, sync_playwright() as playwright:
        tape = hour(place)
        entries = Tape.open(tape).manifest.entries
        lasts_s = (entries[-1].last_ns - entries[0].first_ns) / 1e9
        size_mb = sum(entry.bytes for entry in entries) / 1e6
        print(f"\n{FRAMES:,} frames of {MARKETS} markets in {lasts_s:,.0f} s, {size_mb:,.0f} MB")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        starts(browser, tape)
        moves(browser, tape, "the tape is known", is_known=True)
        moves(browser, tape, "while it is gone through", is_known=False)
        browser.close()


if __name__ == "__main__":
    main()
