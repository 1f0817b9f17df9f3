"""Bytes a frame on disk, raw payload and typed columns together, against the same lines in gzip (level 6)."""

import gzip

from benchmarks.measure import ratio, show
from benchmarks.recordings import Recording, recordings
from capture.tape.reader import Tape
from replay.importer import ImportOptions, import_recording


def row(recording: Recording, tape: Tape) -> list[str]:
    """One line of the table."""
    text = b"".join(recording.lines())
    frames = sum(1 for record in tape.records() if record.kind == 1)
    packed, sealed = len(gzip.compress(text, 6)), sum(entry.bytes for entry in tape.segments)
    per_frame = (len(text) / frames, packed / frames, sealed / frames)
    return [recording.name, f"{frames:,}", *(f"{value:.1f}" for value in per_frame), ratio(sealed, packed)]


def main() -> None:
    """Import each recording and compare sizes."""
    with recordings() as (found, place):
        rows = []
        for number, recording in enumerate(found):
            out = place / f"tape-{number}"
            import_recording(recording.files, out, ImportOptions(filtered=recording.filtered))
            rows.append(row(recording, Tape.open(out)))
    header = ("bytes a frame", "frames", "JSONL", "gzip -6", "tape", "tape/gzip")
    show(
        "Size on disk",
        header,
        rows,
        ["tape = sealed segments: every byte of the recording, and typed columns beside it"],
    )


if __name__ == "__main__":
    main()
