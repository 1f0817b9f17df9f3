"""A tape written out as lines: imported records as the bytes they came from, live ones in the btc15m dialect.

Knows which dialect each session speaks. Must not know how a tape stores a record.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from capture.tape.errors import TapeError, TapeFormat, disk_error
from capture.tape.layout import fsync_dir
from capture.tape.reader import Tape
from core.records import Kind, decode_opened, decode_session
from replay.dialects import DIALECTS, Dialect, Item
from replay.dialects.btc15m import opened_line
from replay.progress import Progress, silent

STDOUT: Final = Path("-")
_LIVE: Final = DIALECTS["btc15m"]
_COLUMNS: Final = ("at_ns", "connection", "kind", "payload", "source")


class ExportReport(msgspec.Struct, frozen=True):
    """What was written. skipped: records of live sessions for which the lines have no form, by name of their kind."""

    out: str
    records: int
    frames: int
    bytes: int
    skipped: dict[str, int]


def export_jsonl(tape: Tape, out: Path, progress: Progress = silent) -> ExportReport:
    """Write the tape's lines to a new file, whole or not at all, or to standard output when `out` is "-".

    Progress in records. Raises TapeError when `out` exists, DiskError, TapeDamaged (what precedes the damage has then
    been written to standard output, and no file is made).
    """
    writer = _Lines()
    total = tape.head_seq + 1
    done = size = 0
    with _opened(out) as file:
        for table in tape.tables(_COLUMNS, payloads=True):
            text = b"".join(writer.lines(table))
            file.write(text)
            size += len(text)
            done += table.num_rows
            progress(done, total)
    return ExportReport(str(out), writer.written, writer.frames, size, dict(sorted(writer.skipped.items())))


class _Lines:
    """Goes through a tape's records in order and keeps what a line needs to know of those before it."""

    def __init__(self) -> None:
        self.written = self.frames = 0
        self.skipped: Counter[str] = Counter()
        self._dialect: Dialect = _LIVE
        self._imported = False
        self._opened = 0  # the connection that an import would take the next one to replace
        self._first_of_session = True

    def lines(self, table: Any) -> Iterator[bytes]:
        """The lines of some records, with their ends."""
        columns = [table.column(name).to_pylist() for name in _COLUMNS]
        for at_ns, connection, kind, payload, source in zip(*columns, strict=True):
            if kind == Kind.SESSION:
                self._session(payload)
            if kind == Kind.REST:
                self.skipped[Kind.REST.name] += 1
                continue
            line = source if source is not None else self._line(Item(at_ns, connection, kind, payload))
            if line:
                self.written += 1
                self.frames += kind == Kind.FRAME
                yield line
            elif not self._imported:
                self.skipped[Kind(kind).name] += 1

    def _session(self, payload: bytes) -> None:
        sources = decode_session(payload).sources
        self._imported = bool(sources)
        self._first_of_session = True
        self._dialect = _LIVE
        if sources:
            name = sources[0].dialect
            if name not in DIALECTS:
                raise TapeFormat(f"{sources[0].name}: was imported as {name!r}, unknown here; use a newer Tapedeck")
            self._dialect = DIALECTS[name]

    def _line(self, item: Item) -> bytes:
        if item.kind != Kind.OPENED or self._imported:
            return self._dialect.line(item)
        replaces, derived = decode_opened(item.payload).replaces, self._opened
        restarted = self._first_of_session and not replaces  # the session before it is over: what it had is lost
        self._opened, self._first_of_session = item.connection, False
        return _LIVE.line(item) if replaces == derived or restarted else opened_line(item, replaces)


@contextmanager
def _opened(out: Path) -> Iterator[IO[bytes]]:
    if out == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if os.path.lexists(out):
        raise TapeError(f"{out}: exists already; choose another name or remove it")
    aside = out.with_name(out.name + ".partial")
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.rename(out)
        fsync_dir(out.parent)
    except OSError as error:
        raise disk_error(error, out, "write the export") from error
    finally:
        aside.unlink(missing_ok=True)
