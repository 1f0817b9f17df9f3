"""Making a lost or damaged manifest again, from the lines that are left and from what each segment file says of itself.

Knows which segment files can be vouched for, and in which order they fit. Must not know hot segments. Whoever calls
holds the tape's lock.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import msgspec

from capture.tape import segment
from capture.tape.errors import TapeDamaged, disk_error
from capture.tape.layout import Label, Layout, sealed_files, write_durably
from capture.tape.lines import (
    Archived,
    Entry,
    Line,
    Pruned,
    Replaced,
    Sealed,
    State,
    chain_after,
    chain_start,
    encode_line,
    genesis_line,
    segment_file,
)


def vouch(layout: Layout, path: Path) -> Entry:
    """The entry of a segment file that no manifest names, after its whole content was found to be what it says.

    Raises TapeDamaged when it is not, or lies in another segment's place; DiskError.
    """
    file = segment.open_unverified(path)
    facts = file.facts
    try:
        right = segment_file(layout, facts) == layout.relative(path)
        right = right and chain_after(facts.after, facts.raw_sha256) == facts.chain
    except (ValueError, OverflowError):
        right = False
    if not right or file.raw_sha256() != facts.raw_sha256:
        raise TapeDamaged(f"{path}: is not the segment that its name and its own entry promise")
    try:
        mark = segment.mark_of(path)
    except OSError as error:
        raise disk_error(error, path, "read a segment") from error
    return Entry(**msgspec.structs.asdict(facts), file=layout.relative(path), bytes=mark.bytes, sha256=mark.sha256)


def remake_manifest(layout: Layout, label: Label, known: Iterable[Entry]) -> tuple[int, list[str]]:
    """Write the manifest again; how many segments it names now, and a sentence for each file it cannot name.

    known: entries that good lines of the old manifest tell; they are kept, with the file or without it.
    Raises DiskError.
    """
    entries = {entry.number: entry for entry in known}
    problems = []
    for number, path in sealed_files(layout):
        if number not in entries:
            try:
                entries[number] = vouch(layout, path)
            except TapeDamaged as error:
                problems.append(str(error))
    fitting: list[Entry] = []
    for _, entry in sorted(entries.items()):
        if _follows(label, fitting, entry):
            fitting.append(entry)
        else:
            problems.append(f"{layout.root / entry.file}: does not follow the segment before it")
    try:
        write_durably(layout.manifest, _content(label, fitting))
    except OSError as error:
        raise disk_error(error, layout.manifest, "write the manifest again") from error
    return len(fitting), problems


def _follows(label: Label, before: list[Entry], entry: Entry) -> bool:
    """Whether a segment can stand behind those; behind a hole nothing but its number tells."""
    next_seq, chain = (before[-1].last_seq + 1, before[-1].chain) if before else (0, chain_start(label.uuid))
    return entry.first_seq > next_seq or (entry.first_seq == next_seq and entry.after == chain)


def _content(label: Label, entries: Iterable[Entry]) -> bytes:
    lines = [encode_line(genesis_line(label))]
    for entry in entries:
        for line in _lines_of(entry):
            lines.append(encode_line(msgspec.structs.replace(line, prev=sha256(lines[-1]).hexdigest())))
    return b"".join(lines)


def _lines_of(entry: Entry) -> Iterable[Line]:
    """The lines that say what an entry says."""
    fields = {name: getattr(entry, name) for name in Sealed.__struct_fields__ if name != "prev"}
    new, former = entry.marks
    if former.bytes >= 0:
        yield Sealed(**fields | {"bytes": former.bytes, "sha256": former.sha256})
        yield Replaced(
            number=entry.number,
            bytes=new.bytes,
            sha256=new.sha256,
            former_bytes=former.bytes,
            former_sha256=former.sha256,
            decoder=entry.decoder,
        )
    else:
        yield Sealed(**fields)
    match entry.state:
        case State.ARCHIVED:
            yield Archived(number=entry.number, place=entry.place, sha256=entry.sha256)
        case State.PRUNED:
            yield Pruned(number=entry.number)
        case State.PRESENT:
            pass
