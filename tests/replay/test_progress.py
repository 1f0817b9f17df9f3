"""Progress nobody looks at."""

from replay.progress import Progress, silent


def test_silence_takes_any_progress() -> None:
    progress: Progress = silent
    progress(1, 0)
