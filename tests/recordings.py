"""The frames of the real recordings, read plainly and without Tapedeck's own importer, as a second opinion."""

import gzip
import json
from pathlib import Path


def lines_of(path: Path) -> list[bytes]:
    """The lines of a recording, gzip or not, line ends left out."""
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    return [line for line in raw.split(b"\n") if line]


def frames_of(path: Path) -> list[bytes]:
    """The frames of a gold15m, btc15m or hourly-btc recording, as the recorder received them."""
    frames = []
    for line in lines_of(path):
        entry = json.loads(line)
        if "raw" in entry:
            frames.append(entry["raw"].encode())
        elif isinstance(entry["event"], dict):
            frames.append(line[line.index(b',"event":') + 9 : -1])
    return frames
