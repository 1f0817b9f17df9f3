import zlib

import msgspec
import pytest

from capture.tape.layout import Label
from capture.tape.lines import (
    Archived,
    Entry,
    FileMark,
    Genesis,
    Pruned,
    Replaced,
    Sealed,
    State,
    chain_after,
    chain_start,
    changed,
    decode_line,
    encode_line,
    facts_of,
    genesis_line,
)

ENTRY = Entry(
    number=3,
    rows=10,
    first_seq=20,
    last_seq=29,
    first_ns=1,
    last_ns=2,
    last_kind=31,
    raw_sha256="aa" * 32,
    after="bb" * 32,
    chain="cc" * 32,
    schema=1,
    decoder=1,
    file="data/date=1970-01-01/00000003.parquet",
    bytes=100,
    sha256="dd" * 32,
)


def lines() -> list[Sealed | Replaced | Archived | Pruned]:
    sealed = {name: getattr(ENTRY, name) for name in Sealed.__struct_fields__ if name != "prev"}
    return [
        Sealed(**sealed),
        Replaced(number=3, bytes=5, sha256="ee", former_bytes=100, former_sha256="dd", decoder=2),
        Archived(number=3, place="s3://bucket/3", sha256="ff"),
        Pruned(number=3),
    ]


@pytest.mark.parametrize("line", lines(), ids=lambda line: type(line).__name__)
def test_a_line_reads_back_as_it_was_written(line: Sealed) -> None:
    assert decode_line(encode_line(line)) == line


def test_the_first_line_names_the_label() -> None:
    label = Label(1, "uuid", "prod", writer="someone")
    line = decode_line(encode_line(genesis_line(label)))
    assert isinstance(line, Genesis)
    assert (line.format, line.label, line.label.digest()) == (1, label, label.digest())


def test_any_changed_bit_and_any_cut_of_a_line_is_seen() -> None:
    raw = encode_line(lines()[2])
    for bit in range(len(raw) * 8):
        altered = bytearray(raw)
        altered[bit // 8] ^= 1 << bit % 8
        assert decode_line(bytes(altered)) is None, f"bit {bit}"
    assert all(decode_line(raw[:length]) is None for length in range(len(raw)))


def test_a_line_of_an_unknown_sort_is_none() -> None:
    known = encode_line(Pruned(number=3))
    body = known[9:-1].replace(b"pruned", b"burned")
    assert decode_line(b"%08x %s\n" % (zlib.crc32(body), body)) is None


def test_the_chain_depends_on_the_tape_on_the_order_and_on_the_content() -> None:
    a, b = "11" * 32, "22" * 32
    start = chain_start("one")
    assert start != chain_start("two")
    assert chain_after(chain_after(start, a), b) != chain_after(chain_after(start, b), a)
    assert len(chain_after(start, a)) == 64


def test_a_replaced_segment_is_right_with_the_new_file_and_with_the_one_in_place() -> None:
    entry = changed(ENTRY, Replaced(number=3, bytes=5, sha256="ee", former_bytes=100, former_sha256="dd", decoder=2))
    assert entry.marks == (FileMark(5, "ee"), FileMark(100, "dd"))
    assert (entry.decoder, entry.chain, entry.state) == (2, ENTRY.chain, State.PRESENT)


def test_an_archived_segment_tells_its_place_and_a_pruned_one_that_it_is_gone() -> None:
    archived = changed(ENTRY, Archived(number=3, place="s3://bucket/3", sha256="ff"))
    assert (archived.state, archived.place, archived.sha256) == (State.ARCHIVED, "s3://bucket/3", "ff")
    assert changed(archived, Pruned(number=3)).state == State.PRUNED


def test_an_entry_holds_the_facts_of_its_file() -> None:
    facts = facts_of(ENTRY)
    assert all(getattr(facts, name) == getattr(ENTRY, name) for name in facts.__struct_fields__)
    assert not isinstance(facts, Entry)


def test_an_entry_that_was_never_replaced_accepts_no_other_file() -> None:
    assert FileMark(-1, "") == ENTRY.marks[1]
    assert msgspec.structs.asdict(ENTRY)["former_sha256"] == ""
