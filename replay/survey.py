"""Which of the given files are recordings, in what dialect, and in what order they were made.

Reads the beginning of each and the hash of all. Must not know tapes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from capture.tape.errors import TapeError
from core.records import Kind
from replay.dialects import BadLineError, Dialect, Rows, answers, recognise
from replay.sources import FileId, SourceFile, identify


class Recording(msgspec.Struct, frozen=True):
    """A file to import. first_ns: time (Unix ns) of its first record. opens: it begins with a connection."""

    path: Path
    id: FileId
    dialect: Dialect
    first_ns: int
    opens: bool

    @property
    def timed(self) -> bool:
        """Whether its times are those of receipt."""
        return self.dialect.coverage.receive_time

    @property
    def is_answer(self) -> bool:
        """Whether it is a REST answer, which has no frames."""
        return self.dialect.name == answers.NAME


class Survey(msgspec.Struct, frozen=True):
    """Recordings in order of their first time; skipped: files of a given directory that are none."""

    recordings: tuple[Recording, ...]
    skipped: tuple[str, ...]


def survey(paths: Sequence[Path], line_limit: int) -> Survey:
    """Look at files and at directories of them (all the way down); raises TapeError when one is no recording."""
    recordings: list[Recording] = []
    skipped: list[str] = []
    for path in paths:
        if not path.is_dir():
            recordings.append(_require(path, line_limit))
            continue
        inside = [(file, _look(file, line_limit)) for file in _files_of(path)]
        skipped += [str(file) for file, seen in inside if not isinstance(seen, Recording)]
        found = [seen for _, seen in inside if isinstance(seen, Recording)]
        if not found:
            raise TapeError(f"{path}: holds no recording known here; name the files themselves to learn why")
        recordings += found
    if not recordings:
        raise TapeError("no file to import was given; name at least one recording")
    if all(item.is_answer for item in recordings):
        raise TapeError(f"{recordings[0].path}: is a REST answer, and no recording of frames is given with it")
    recordings.sort(key=lambda item: (item.first_ns, str(item.path)))
    _refuse_twins(recordings)
    return Survey(tuple(recordings), tuple(skipped))


def _files_of(directory: Path) -> Iterator[Path]:
    if (directory / "tape.json").exists():
        raise TapeError(f"{directory}: is a tape already; give recordings made by other programs")
    for path in sorted(directory.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(directory).parts)
        if not hidden and path.is_file():
            yield path


def _refuse_twins(recordings: Sequence[Recording]) -> None:
    seen: dict[str, Path] = {}
    for item in recordings:
        other = seen.get(item.id.sha256)
        if other == item.path:
            raise TapeError(f"{other}: was given twice; name it once")
        if other is not None:
            raise TapeError(f"{other} and {item.path} hold the same bytes; give the recording once")
        seen[item.id.sha256] = item.path


def _require(path: Path, line_limit: int) -> Recording:
    seen = _look(path, line_limit)
    if isinstance(seen, Recording):
        return seen
    raise TapeError(f"{path}: {seen}; `tapedeck import --help` lists the recordings that can be imported")


def _look(path: Path, line_limit: int) -> Recording | str:
    """The recording that a file is, or what it is instead; raises TapeError when it cannot be read."""
    with SourceFile(path, line_limit=line_limit) as file:
        first = next(file.lines(), None)
        if first is None:
            return "is empty" if not file.truncated else "is cut off within its first bytes"
    dialect = recognise(first.text)
    if dialect is None:
        return _description(first.text)
    if dialect.name == answers.NAME:
        return _look_at_answer(path, dialect, line_limit)
    rows = _first_rows(dialect, first.text)
    opens = bool(rows.kind) and rows.kind[0] == Kind.OPENED
    return Recording(path, identify(path), dialect, rows.at_ns[0] if rows.at_ns else 0, opens)


def _look_at_answer(path: Path, dialect: Dialect, line_limit: int) -> Recording | str:
    with SourceFile(path, line_limit=line_limit) as file:
        text = file.whole().text
    try:
        rows = dialect.parser().parse(text)
    except BadLineError as error:
        return f"is no recording and no REST answer with the time of its fetch ({error.reason})"
    return Recording(path, identify(path), dialect, rows.at_ns[0], opens=False)


def _first_rows(dialect: Dialect, text: bytes) -> Rows:
    """The records before the first bad line, which is for the import to complain of."""
    try:
        return dialect.parser().parse(text)
    except BadLineError as error:
        return dialect.parser().parse(text[: error.offset])


def _description(text: bytes) -> str:
    line = text.split(b"\n", 1)[0].strip()
    if b"\0" in text[:4096] or not text[:4096].isascii():
        return "is no recording but binary or other data"
    if line[:1] not in (b"{", b"["):
        return f"is no recording: its first line is {line[:40].decode('ascii', 'replace')!r}, not JSON with a frame"
    return "is no recording: its first lines are JSON, but none holds a frame of the exchange with or without a time"
