"""Work on a tape that ends in the middle, as if killed right after one of its steps: for a process of its own."""

import os
from pathlib import Path

from capture.tape import segment
from capture.tape.layout import Layout
from capture.tape.manifest import Manifest
from capture.tape.sealer import Step, rebuild_segment, seal_hot_segment


def work_until(root: Path, work: str, wanted: Step) -> None:
    """Seal segment 3 ("seal") or rebuild the first ("rebuild"); exit code 9 after the wanted step, 0 at the end."""

    def die(step: Step) -> None:
        if step == wanted:
            os._exit(9)

    if work == "seal":
        seal_hot_segment(root, 3, hook=die)
    else:
        segment.ZSTD_LEVEL = 1  # type: ignore[misc]  # as a newer program might: the file comes out different
        rebuild_segment(root, Manifest.load(Layout(root)).entries[0], hook=die)
    os._exit(0)
