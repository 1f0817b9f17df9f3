"""One consistent cut of a tape for SQL: the sealed segments by name, and everything after them as one Arrow table.

Knows that sealed segments never change, so that a list of them and the rest, read once, stay what they are while the
tape grows. Must not know SQL. Bytes are not hashed here, as that would mean to read them all: `tapedeck verify` does.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from capture.tape import schema
from capture.tape.errors import TapeDamaged, TapeError
from capture.tape.lines import Entry, State
from capture.tape.reader import Tape

_LOOKS: Final = 3
"""How often a tape that is being recorded or decoded anew is looked at before a file of another size is damage."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Records 0 to last_seq (-1 = none) of a tape. name: how SQL calls it. files: sealed; hot: a table of SCHEMA."""

    name: str
    tape: Tape
    files: tuple[Path, ...]
    hot: Any
    last_seq: int

    @property
    def path(self) -> Path:
        """The tape's directory."""
        return self.tape.path


def take(path: Path, name: str = "") -> Cut:
    """The tape as it is now. name: default the directory's.

    Raises TapeFormat, TapeDamaged, and TapeError where a segment was archived or deleted.
    """
    for look in range(_LOOKS):
        tape = Tape.open(path)
        if tape.manifest.faults:
            tape.manifest.require_sound()
        try:
            root = path.resolve()
            files = tuple(_file(root, entry) for entry in tape.segments)
            break
        except TapeDamaged:
            if look == _LOOKS - 1:
                raise
    first = tape.manifest.next_seq
    tables = list(tape.tables(from_seq=first))
    hot = pa.concat_tables(tables) if tables else schema.SCHEMA.empty_table()
    return Cut(name or path.resolve().name, tape, files, _plain(hot), first + hot.num_rows - 1)


def take_all(paths: list[Path]) -> list[Cut]:
    """A cut of each tape, in order. Those whose directories have the same name are called by their paths.

    Raises as `take`; TapeError when one is named twice.
    """
    whole = [path.resolve() for path in paths]
    names = [path.name for path in whole]
    for place, path in enumerate(whole):
        if path in whole[:place]:
            raise TapeError(f"{paths[place]}: is named twice; its records would count twice")
    return [take(path, name if names.count(name) == 1 else str(path)) for path, name in zip(whole, names, strict=True)]


def _file(root: Path, entry: Entry) -> Path:
    """The real place of a segment's file. root: of the tape."""
    path = root / entry.file
    if entry.state is not State.PRESENT:
        where = f"was archived to {entry.place}" if entry.state is State.ARCHIVED else "was deleted on purpose"
        raise TapeError(f"{path}: records {entry.first_seq} to {entry.last_seq}: the segment {where}")
    place = Path(os.path.realpath(path))
    if not place.is_relative_to(root):
        raise TapeDamaged(f"{path}: leads out of the tape's directory; run `tapedeck verify`")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise TapeDamaged(f"{path}: is missing ({error.strerror}); restore it from a copy") from error
    if size not in (mark.bytes for mark in entry.marks):
        raise TapeDamaged(f"{path}: has {size} bytes where {entry.bytes} were sealed; restore it from a copy")
    return place


def _plain(table: Any) -> Any:
    """Texts as texts: what DuckDB makes of dictionaries of several batches differs from what it reads from files."""
    fields = [
        pa.field(field.name, pa.string()) if pa.types.is_dictionary(field.type) else field for field in table.schema
    ]
    return table.cast(pa.schema(fields))


NO_ROWS: Final = _plain(schema.SCHEMA.empty_table())
"""A table as `hot` is, of nothing."""
