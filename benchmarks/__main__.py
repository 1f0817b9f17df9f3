"""Runs every benchmark, or those that are named, each in a process of its own so that none fills another's memory.

`--quick` only shows that they run. `--rounds=N` repeats more or less often. `--write` also puts what was printed into
docs/BENCHMARKS.md, each benchmark's in its own place.
"""

import argparse
import subprocess
import sys
from typing import Final

from benchmarks.measure import QUICK, ROUNDS, facts
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
    """Exit code of the first benchmark that fails, else 0. A word that means nothing ends it before anything is run."""
    asked = _asked()
    if QUICK and asked.write:
        print("figures of --quick mean nothing and are not written")
        return 2
    options = [word for word in sys.argv[1:] if word == "--quick" or word.startswith(ROUNDS)]
    print(facts(), flush=True)
    for name in asked.names or ALL:
        code, said = run(name, options)
        if code:
            return code
        if asked.write:
            PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), name, f"{facts()}\n{said}"), encoding="utf-8")
    return 0


def _asked() -> argparse.Namespace:
    what = (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=what, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}; all, where none is named")
    parser.add_argument("--quick", action="store_true", help="only show that they run")
    parser.add_argument("--rounds", type=int, metavar="N", help="repeat so often; given as --rounds=N")
    parser.add_argument("--write", action="store_true", help="put what is printed into docs/BENCHMARKS.md")
    asked = parser.parse_args()
    for name in asked.names:
        if name not in ALL:
            parser.error(f"no benchmark {name!r}; there are {', '.join(ALL)}")
    if asked.rounds is not None and (asked.rounds < 1 or not any(word.startswith(ROUNDS) for word in sys.argv)):
        parser.error("repetitions are given as --rounds=N, N at least 1")
    return asked


if __name__ == "__main__":
    sys.exit(main())
