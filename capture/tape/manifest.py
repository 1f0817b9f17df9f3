"""The manifest: one checksummed line for each thing that happened to a tape's sealed segments, naming the one before.

Knows how lines follow each other and how one is added. Must not know what is in a segment. `prev` in a line is the
SHA-256 of the whole line before. The last line alone may be broken by a crash (a torn tail); anything else that does
not fit is damage.
"""

import fcntl
import os
from hashlib import sha256

import msgspec

from capture.tape.errors import TapeDamaged, TapeError, TapeFormat, disk_error
from capture.tape.layout import FILE_MODE, FORMAT_VERSION, Label, Layout, fsync_dir
from capture.tape.lines import (
    Archived,
    Entry,
    Facts,
    Fault,
    FileMark,
    Genesis,
    Line,
    Pruned,
    Replaced,
    Sealed,
    chain_after,
    chain_start,
    changed,
    decode_line,
    encode_line,
    genesis_line,
    segment_file,
)


class Manifest:
    """The manifest of one tape, read once; whoever holds the tape's lock may append.

    genesis: None when the first line is unreadable. faults: lines that are damaged (a torn tail is none).
    torn_bytes: length of a broken last line. sound: how many of `entries` come before the first fault.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.genesis: Genesis | None = None
        self.faults: list[Fault] = []
        self.torn_bytes = 0
        self.sound = 0
        self._entries: dict[int, Entry] = {}
        self._size = 0
        self._tip: str | None = ""  # None = the line before is unreadable

    @classmethod
    def create(cls, layout: Layout, label: Label) -> "Manifest":
        """Start the manifest of a new tape, durably; raises DiskError, TapeError when there is one."""
        try:
            fd = os.open(layout.manifest, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
            os.close(fd)
            fsync_dir(layout.root)
        except FileExistsError:
            raise TapeError(f"{layout.manifest}: exists already; choose another name for the new tape") from None
        except OSError as error:
            raise disk_error(error, layout.manifest, "start the manifest") from error
        manifest = cls(layout)
        manifest._append(genesis_line(label))
        return manifest

    @classmethod
    def load(cls, layout: Layout) -> "Manifest":
        """Read and check the manifest; what is wrong is told by `faults` and `torn_bytes`.

        Raises TapeDamaged when there is none, TapeFormat when it is of a newer version.
        """
        try:
            content = layout.manifest.read_bytes()
        except FileNotFoundError:
            what = "is missing: the tape's segments cannot be vouched for; `tapedeck recover` makes it again"
            raise TapeDamaged(f"{layout.manifest}: {what}") from None
        except OSError as error:
            raise disk_error(error, layout.manifest, "read the manifest") from error
        manifest = cls(layout)
        manifest._read(content)
        return manifest

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every segment that was ever sealed, in order."""
        return tuple(self._entries.values())

    @property
    def last(self) -> Entry | None:
        """The newest segment."""
        return next(reversed(self._entries.values()), None)

    @property
    def next_seq(self) -> int:
        """The seq that the next sealed record must have."""
        return self.last.last_seq + 1 if self.last else 0

    @property
    def chain(self) -> str:
        """What the next segment follows."""
        if self.last:
            return self.last.chain
        return chain_start(self.genesis.label.uuid) if self.genesis else ""

    def entry(self, number: int) -> Entry | None:
        """The segment of that number, None when it was never sealed."""
        return self._entries.get(number)

    def require_sound(self) -> None:
        """Raises TapeDamaged when a line is damaged or torn: nothing may be appended then."""
        if self.faults:
            fault = self.faults[0]
            raise TapeDamaged(
                f"{self.layout.manifest}: line {fault.line} {fault.what}; `tapedeck recover` makes it again"
            )
        if self.torn_bytes:
            raise TapeDamaged(
                f"{self.layout.manifest}: the last {self.torn_bytes} bytes are no whole line; run `tapedeck recover`"
            )

    def seal(self, facts: Facts, mark: FileMark) -> Entry:
        """Commit a sealed segment whose file is in place; raises DiskError, TapeDamaged."""
        fields = msgspec.structs.asdict(facts)
        self._append(Sealed(**fields, file=segment_file(self.layout, facts), bytes=mark.bytes, sha256=mark.sha256))
        return self._entries[facts.number]

    def replace(self, number: int, new: FileMark, in_place: FileMark, decoder: int) -> Entry:
        """Announce a new file for a segment; the one in place stays right until the next one is announced."""
        line = Replaced(
            number=number,
            bytes=new.bytes,
            sha256=new.sha256,
            former_bytes=in_place.bytes,
            former_sha256=in_place.sha256,
            decoder=decoder,
        )
        self._append(line)
        return self._entries[number]

    def archive(self, number: int, place: str) -> Entry:
        """Mark a segment as moved to `place`; its hash stays known."""
        entry = self._known(number)
        self._append(Archived(number=number, place=place, sha256=entry.sha256))
        return self._entries[number]

    def prune(self, number: int) -> Entry:
        """Mark a segment as deleted on purpose."""
        self._known(number)
        self._append(Pruned(number=number))
        return self._entries[number]

    def _known(self, number: int) -> Entry:
        self.require_sound()
        entry = self._entries.get(number)
        if entry is None:
            raise TapeError(f"{self.layout.manifest}: names no segment {number}; `tapedeck info` lists them")
        return entry

    def _append(self, line: Line) -> None:
        self.require_sound()
        whole = msgspec.structs.replace(line, prev=self._tip)
        misfit = self._misfit(whole)
        assert misfit is None, misfit
        encoded = encode_line(whole)
        try:
            append_durably(self.layout, encoded, self._size)
        except OSError as problem:
            raise disk_error(problem, self.layout.manifest, "append to the manifest") from problem
        self._take(whole, encoded)

    def _read(self, content: bytes) -> None:
        lines = _split(content)
        if not lines:
            self.faults.append(Fault(1, "is missing: the file is empty"))
        for index, raw in enumerate(lines):
            line = decode_line(raw)
            if isinstance(line, Genesis) and line.format > FORMAT_VERSION:
                raise TapeFormat(
                    f"{self.layout.manifest}: has format version {line.format}, this program reads up to "
                    f"{FORMAT_VERSION}; use a newer Tapedeck"
                )
            if line is None and index and index == len(lines) - 1:
                self.torn_bytes = len(raw)
                return
            fault = "is not what was written" if line is None else self._misfit(line)
            if line is None or fault is not None:
                self.faults.append(Fault(index + 1, fault or ""))
                self._advance(None if line is None else raw, len(raw))
            else:
                self._take(line, raw)

    def _misfit(self, line: Line) -> str | None:
        """Why a whole line cannot stand here; None when it can."""
        if self._tip is not None and line.prev != self._tip:
            return "does not follow the line before it"
        match line:
            case Genesis():
                return None if self._size == 0 else "starts the manifest a second time"
            case Sealed():
                return _misplaced(self, line)
            case Replaced() | Archived() | Pruned():
                return None if line.number in self._entries else f"names segment {line.number}, which was never sealed"

    def _advance(self, raw: bytes | None, size: int) -> None:
        self._tip = None if raw is None else sha256(raw).hexdigest()
        self._size += size

    def _take(self, line: Line, raw: bytes) -> None:
        self._advance(raw, len(raw))
        match line:
            case Genesis():
                self.genesis = line
            case Sealed():
                fields = {name: getattr(line, name) for name in Entry.__struct_fields__ if hasattr(line, name)}
                self._entries[line.number] = Entry(**fields)
                if not self.faults:
                    self.sound = len(self._entries)
            case Replaced() | Archived() | Pruned():
                self._entries[line.number] = changed(self._entries[line.number], line)


def _misplaced(manifest: Manifest, line: Sealed) -> str | None:
    """Why a segment cannot stand behind the manifest's last one; None when it can."""
    try:
        right = chain_after(line.after, line.raw_sha256) == line.chain
        file = segment_file(manifest.layout, line)
    except (ValueError, OverflowError):
        return "holds impossible values"
    if not right or line.file != file or line.rows != line.last_seq - line.first_seq + 1:
        return "contradicts itself"
    last = manifest.last
    follows = line.first_seq >= manifest.next_seq and (last is None or line.number > last.number)
    if not follows or (line.first_seq == manifest.next_seq and line.after != manifest.chain):
        return f"names segment {line.number}, which does not follow the segment before it"
    return None  # a first_seq beyond the next one is a hole: the records are lost, the line is right


def append_durably(layout: Layout, encoded: bytes, size: int) -> None:
    """Append to a manifest of `size` bytes: whole and durable, or not at all. Raises OSError, TapeDamaged.

    Whoever archives a tape that is being recorded adds lines too, so looking at the size and adding go together.
    """
    fd = os.open(layout.manifest, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_size != size:
            raise TapeDamaged(f"{layout.manifest}: was changed by someone else; open the tape again")
        try:
            done = 0
            while done < len(encoded):
                done += os.write(fd, encoded[done:])
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, size)
            raise
    finally:
        os.close(fd)


def _split(content: bytes) -> list[bytes]:
    pieces = content.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])
