"""What is freed is given back: looked at in a process of its own, for it holds for all of one."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
sys.path.insert(0, {root!r})
import numpy as np
import pyarrow as pa
from capture.tape.thrift import give_back

def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) / 1024

if {frugal}:
    give_back()
for size in range(1, 17):  # the C library learns to keep blocks as large as those it has seen freed
    np.ones(size << 17)
before = resident()
blocks = [np.ones(2 << 17) for _ in range(40)]
last = np.ones(2 << 17)  # lies above them: what is below cannot be cut off the heap
del blocks
print(resident() - before, pa.default_memory_pool().backend_name)
"""


def kept_mb(frugal: bool) -> tuple[float, str]:
    """(MB still resident after 80 MB were freed, Arrow's allocator)."""
    program = PROGRAM.format(root=str(ROOT), frugal=frugal)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    mb, pool = done.stdout.split()
    return float(mb), pool


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large_blocks_that_are_freed_go_back_to_the_system() -> None:
    mb, pool = kept_mb(frugal=True)
    assert mb < 8 and pool == "system"
