"""Runs every benchmark, or those that are named, each in a process of its own so that none fills another's memory.

`--quick` only shows that they run. `--rounds=N` repeats more or less often. `--write` also puts what was printed into
docs/BENCHMARKS.md, each benchmark's in its own place.
"""

import subprocess
import sys
from typing import Final

from benchmarks.measure import QUICK, facts
from benchmarks.page import PAGE, put

ALL: Final = (
    "comparison",
    "scaling",
    "stages",
    "queries",
    "storage",
    "import_speed",
    "replay_speed",
    "byte_path",
    "parallel",
    "memory",
    "capture_speed",
    "sealing_speed",
    "view_speed",
)
WRITE: Final = "--write"


def run(name: str, options: list[str]) -> tuple[int, str]:
    """Exit code, and what it printed, which is shown as it comes."""
    command = [sys.executable, "-u", "-m", f"benchmarks.{name}", *options]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            said.append(line)
    return process.returncode, "".join(said)


def main() -> int:
    """Exit code of the first benchmark that fails, else 0."""
    options = [argument for argument in sys.argv[1:] if argument.startswith("-") and argument != WRITE]
    chosen = [argument for argument in sys.argv[1:] if not argument.startswith("-")] or ALL
    if QUICK and WRITE in sys.argv:
        print("figures of --quick mean nothing and are not written")
        return 2
    print(facts(), flush=True)
    for name in chosen:
        code, said = run(name, options)
        if code:
            return code
        if WRITE in sys.argv:
            PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), name, f"{facts()}\n{said}"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
