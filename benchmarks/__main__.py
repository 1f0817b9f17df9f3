"""Runs every benchmark, or those that are named, each in a process of its own so that none fills another's memory.

`--quick` only shows that they run.
"""

import subprocess
import sys
from typing import Final

from benchmarks.measure import facts

ALL: Final = ("storage", "import_speed", "replay_speed", "byte_path", "parallel", "memory", "capture_speed")


def main() -> int:
    """Exit code of the first benchmark that fails, else 0."""
    options = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    chosen = [argument for argument in sys.argv[1:] if not argument.startswith("-")] or ALL
    print(facts(), flush=True)
    for name in chosen:
        code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
