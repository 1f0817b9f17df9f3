"""Every dialect: its lines become records, its records become the same lines, and what is odd is kept."""

import io
import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import frames_of, lines_of
from tapes import TAPES, but_the_longest, needs_tapes

from core.messages import Malformed, decode
from core.records import Closed, Kind, Opened, decode_opened, encode_payload
from replay.dialects import DIALECTS, BadLineError, Dialect, Item, Rows, recognise
from replay.dialects.base import EARLIEST_NS, LATEST_NS, MAX_CONNECTION, MAX_REST
from replay.dialects.btc15m import opened_line
from replay.dialects.frames import stamp_ns

GOLD, BTC, HOURLY = DIALECTS["gold15m"], DIALECTS["btc15m"], DIALECTS["hourly-btc"]
FRAMES, BLANK, MARKED = DIALECTS["frames"], DIALECTS["frames-blank"], DIALECTS["frames-marked"]
MS = 1_786_401_938_338
NS = MS * 1_000_000

DELTA = (
    b'{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"KX-A","price_dollars":"0.4700",'
    b'"delta_fp":"-3.00","side":"yes","ts_ms":1781159489957}}'
)
ACK = b'{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":1}}'
SETTLED = b'{"type":"market_lifecycle_v2","sid":1,"msg":{"market_ticker":"A","settled_ts":1784500206,"event_type":"x"}}'

RECORDINGS = (
    ("gold15m/101900-00/2026-08-10.ndjson.gz", "gold15m", 23_003),
    ("gold15m/102000-00/2026-08-10.ndjson.gz", "gold15m", 47_653),
    ("gold15m/102000-00/2026-08-11.ndjson.gz", "gold15m", 5),
    ("gold15m/102030-30/2026-08-11.ndjson.gz", "gold15m", 34_334),
    ("gold15m/102115-15/2026-08-11.ndjson.gz", "gold15m", 184_861),
    ("btc15m/short-30s.jsonl.gz", "btc15m", 2_997),
    ("btc15m/outage-22s.jsonl.gz", "btc15m", 102_558),
    ("hourly-btc/kalshi_ws_frames.jsonl", "hourly-btc", 74),
    ("channels/captured_lifecycle_frames.jsonl", "frames", 2),
    ("channels/live-10-channels-20260520.txt", "frames-marked", 21),
    ("rest/fortuna/ws__orderbook_trade_noleg.jsonl", "frames-blank", 7),
    ("rest/fortuna/ws__orderbook_trade_yes.jsonl", "frames-blank", 5),
)


def read(dialect: Dialect, *texts: bytes) -> tuple[Rows, bytes]:
    """The records of some texts, and what is left over."""
    parser = dialect.parser()
    rows = Rows([], [], [], [], [])
    for text in texts:
        more = parser.parse(text)
        rows.at_ns += more.at_ns
        rows.connection += more.connection
        rows.kind += more.kind
        rows.payloads += more.payloads
        rows.sources += more.sources
    return rows, parser.rest()


def written(dialect: Dialect, rows: Rows, rest: bytes) -> bytes:
    """The text of records, as an export writes it."""
    numbers = zip(rows.at_ns, rows.connection, rows.kind, rows.payloads, strict=True)
    lines = [dialect.line(Item(*item)) for item in numbers]
    return b"".join(line if kept is None else kept for line, kept in zip(lines, rows.sources, strict=True)) + rest


def assert_comes_back(dialect: Dialect, text: bytes) -> Rows:
    rows, rest = read(dialect, text)
    assert written(dialect, rows, rest) == text
    return rows


@needs_tapes
@pytest.mark.parametrize(("name", "dialect", "lines"), but_the_longest(RECORDINGS))
def test_every_real_recording_is_recognised_and_comes_back_byte_for_byte(name: str, dialect: str, lines: int) -> None:
    raw_lines = lines_of(TAPES / name)
    text = b"\n".join(raw_lines) + b"\n" if not dialect.startswith("frames-") else (TAPES / name).read_bytes()
    found = recognise(text)
    assert found is DIALECTS[dialect]
    rows = assert_comes_back(found, text)
    assert len(rows.at_ns) == lines
    odd = [source for source in rows.sources if source is not None]
    assert len(odd) == dialect.startswith("frames-")  # the first frame has no separator before it


@needs_tapes
@pytest.mark.parametrize(
    "name", but_the_longest(name for name, dialect, _ in RECORDINGS if not dialect.startswith("frames"))
)
def test_the_frames_of_real_recordings_are_what_a_plain_reader_finds(name: str) -> None:
    path: Path = TAPES / name
    found = recognise(lines_of(path)[0])
    assert found is not None
    rows, _ = read(found, b"\n".join(lines_of(path)) + b"\n")
    frames = [payload for kind, payload in zip(rows.kind, rows.payloads, strict=True) if kind == Kind.FRAME]
    assert frames == frames_of(path)


def test_a_gold_line_gives_the_frame_as_it_lies_in_the_line() -> None:
    event = b'{ "type" : "x", "n":1.0e1 }'
    rows, rest = read(GOLD, b'{"recv_ms":%d,"event":%b}\n' % (MS, event))
    assert (rows.at_ns, rows.connection, rows.kind) == ([NS], [1], [Kind.FRAME])
    assert (rows.payloads, rows.sources, rest) == ([event], [None], b"")


def test_a_btc_line_gives_the_recorded_text_with_its_newline() -> None:
    rows, _ = read(BTC, b'{"recv_ns":%d,"conn":3,"raw":"{\\"type\\":\\"x\\"}\\n"}\n' % NS)
    assert (rows.at_ns, rows.connection, rows.kind) == ([NS], [3], [Kind.FRAME])
    assert (rows.payloads, rows.sources) == ([b'{"type":"x"}\n'], [None])


def test_an_hourly_line_is_spaced_and_escaped_as_python_does() -> None:
    payload = '{"name":"Zürich 🎲"}\n'.encode()
    line = (json.dumps({"recv_ts_ns": NS, "raw": payload.decode()}) + "\n").encode()
    rows, _ = read(HOURLY, line)
    assert (rows.at_ns, rows.payloads, rows.sources) == ([NS], [payload], [None])


def test_connections_replace_the_one_opened_before_them() -> None:
    text = b"".join(b'{"recv_ns":%d,"conn":%d,"event":"connected"}\n' % (NS + conn, conn) for conn in (1, 2, 5, 5))
    rows = assert_comes_back(BTC, text)
    assert rows.kind == [Kind.OPENED] * 4
    assert [decode_opened(payload).replaces for payload in rows.payloads] == [0, 1, 2, 5]
    assert rows.sources == [None] * 4


def test_a_connection_may_name_the_one_it_replaces() -> None:
    text = opened_line(Item(NS, 1, Kind.OPENED, b""), 0) + opened_line(Item(NS, 2, Kind.OPENED, b""), 0)
    rows = assert_comes_back(BTC, text)
    assert [decode_opened(payload).replaces for payload in rows.payloads] == [0, 0]
    assert rows.sources == text.splitlines(keepends=True)


@pytest.mark.parametrize(("word", "kept"), [(b"closed", False), (b"disconnected", True)])
def test_the_end_of_a_connection_is_a_record(word: bytes, kept: bool) -> None:
    line = b'{"recv_ns":%d,"conn":2,"event":"%b"}\n' % (NS, word)
    rows = assert_comes_back(BTC, line)
    assert (rows.kind, rows.payloads) == ([Kind.CLOSED], [encode_payload(Closed())])
    assert rows.sources == [line if kept else None]


def test_a_note_that_is_no_record_goes_along_with_the_next() -> None:
    note = b'{"recv_ns":%d,"conn":2,"event":"tired"}\n' % NS
    line = b'{"recv_ns":%d,"conn":2,"raw":"{}"}\n' % NS
    rows, rest = read(BTC, note + line)
    assert (rows.payloads, rows.sources, rest) == ([b"{}"], [note + line], b"")
    assert read(BTC, line + note) == (Rows([NS], [2], [Kind.FRAME], [b"{}"], [None]), note)


ODD_LINES = (
    (GOLD, b'{"recv_ms": %d, "event": {"type":"x"}}\n' % MS, b'{"type":"x"}'),
    (GOLD, b'{"recv_ms":%d,"event":{"type":"x"},"more":1}\n' % MS, b'{"type":"x"}'),
    (GOLD, b'{"event":{"type":"x"},"recv_ms":%d}\n' % MS, b'{"type":"x"}'),
    (GOLD, b'{"recv_ms":%d,"event":{"type":"x"}}\r\n' % MS, b'{"type":"x"}'),
    (GOLD, b'\n\n{"recv_ms":%d,"event":{"type":"x"}}\n' % MS, b'{"type":"x"}'),
    (GOLD, b'{"recv_ms":%d,"event":{"type":"x"}}' % MS, b'{"type":"x"}'),
    (GOLD, b'{"recv_ms":1,"recv_ms":%d,"event":{"type":"x"}}\n' % MS, b'{"type":"x"}'),
    (BTC, b'{"recv_ns":%d,"conn":1,"raw":"\\u007b}"}\n' % NS, b"{}"),
    (BTC, b'{"recv_ns":%d,"conn":1,"raw":"{}","event":"connected"}\n' % NS, b"{}"),
    (BTC, b'{"recv_ns":%d,"conn":1,"raw":"{}","event":""}\n' % NS, b"{}"),
    (BTC, b'{"recv_ns":%d,"conn":1,"raw":"\xc3\xa9","note":"\\udce9"}\n' % NS, "é".encode()),
    (HOURLY, b'{"recv_ts_ns":%d,"raw":"{}"}\n' % NS, b"{}"),
    (FRAMES, b" " + DELTA + b"\n", DELTA),
    (BLANK, DELTA + b"\n", DELTA),
    (MARKED, b"\n;;\n" + DELTA + b"\n", DELTA),
)


@pytest.mark.parametrize(("dialect", "text", "payload"), ODD_LINES)
def test_a_line_written_otherwise_keeps_its_bytes(dialect: Dialect, text: bytes, payload: bytes) -> None:
    rows = assert_comes_back(dialect, text)
    assert rows.payloads == [payload]
    assert rows.sources == [text]


def test_one_odd_line_costs_its_neighbours_nothing() -> None:
    line = b'{"recv_ms":%d,"event":{}}\n' % MS
    rows = assert_comes_back(GOLD, line + b"\n" + line + line)
    assert rows.sources == [None, b"\n" + line, None]


def test_blank_lines_at_the_end_are_handed_out_once() -> None:
    parser = GOLD.parser()
    parser.parse(b'{"recv_ms":%d,"event":{}}\n\n \n' % MS)
    assert (parser.rest(), parser.rest()) == (b"\n \n", b"")


def test_what_is_left_over_goes_before_the_first_line_of_the_next_text() -> None:
    line = b'{"recv_ms":%d,"event":{}}\n' % MS
    rows, rest = read(GOLD, line + b"\n", line)
    assert (rows.sources, rest) == ([None, b"\n" + line], b"")


def test_a_lone_surrogate_stands_for_the_byte_it_was_made_of() -> None:
    lines = b'{"recv_ns":%d,"conn":1,"raw":"a\\udcffb"}\n' % NS
    assert assert_comes_back(BTC, lines).payloads == [b"a\xffb"]
    other = b'{"recv_ns":%d,"conn":1,"raw":"\\ud800"}\n' % NS
    assert assert_comes_back(BTC, other).payloads == [b"\xed\xa0\x80"]


def test_an_escaped_lone_surrogate_inside_a_frame_is_the_frames_own_business() -> None:
    line = b'{"recv_ms":%d,"event":{"type":"\\ud800"}}\n' % MS
    rows = assert_comes_back(GOLD, line)
    assert (rows.payloads, rows.sources) == ([b'{"type":"\\ud800"}'], [None])


BAD_LINES = (
    (GOLD, b'{"recv_ms":%d,"event":{"type":"orderb' % MS, ""),
    (GOLD, b'{"recv_ms":%d,"event":{}}{"recv_ms":%d,"event":{}}' % (MS, MS), ""),
    (GOLD, b'{"recv_ms":%d,"event":{"a":"\\ud800"}' % MS, ""),
    (GOLD, b'{"recv_ms":%d.5,"event":{}}' % MS, ""),
    (GOLD, b'{"recv_ms":%d}' % MS, ""),
    (GOLD, b'{"recv_ms":%d,"event":{}}' % (MS // 1000), "2000"),
    (GOLD, b'{"recv_ms":%d,"event":{}}' % (MS * 1000), "2100"),
    (GOLD, b'{"recv_ms":%d,"event":%b}' % (MS, b"[" * 100_000), ""),
    (BTC, b'{"recv_ns":%d,"conn":1}' % NS, "neither"),
    (BTC, b'{"recv_ns":%d,"conn":-1,"raw":"{}"}' % NS, "conn"),
    (BTC, b'{"recv_ns":%d,"conn":%d,"raw":"{}"}' % (NS, MAX_CONNECTION + 1), "conn"),
    (BTC, b'{"recv_ns":%d,"conn":1,"raw":"{}"}' % MS, "2000"),
    (BTC, b'{"recv_ns":%d,"conn":1,"raw":"\xff"}' % NS, "utf-8"),
    (BTC, b'{"recv_ns":%d,"conn":1,"raw":5}' % NS, "str"),
    (HOURLY, b"recv_ts_ns,raw", ""),
    (FRAMES, b"<html>", ""),
    (MARKED, b";", ""),
)


@pytest.mark.parametrize(("dialect", "bad", "reason"), BAD_LINES)
def test_a_bad_line_is_named_by_its_place(dialect: Dialect, bad: bytes, reason: str) -> None:
    good = dialect.line(Item(NS, 1, Kind.FRAME, b'{"type":"x"}'))
    with pytest.raises(BadLineError) as caught:
        dialect.parser().parse(good + good + bad + b"\n" + good)
    assert caught.value.line == (good + good).count(b"\n")
    assert caught.value.offset == 2 * len(good)
    assert reason in caught.value.reason


def test_a_bad_line_changes_nothing_of_what_was_left_over() -> None:
    parser = GOLD.parser()
    parser.parse(b"\n")
    with pytest.raises(BadLineError):
        parser.parse(b"\n\nbad")
    assert parser.rest() == b"\n"


def test_bytes_without_end_that_hold_no_frame_are_refused() -> None:
    parser = GOLD.parser()
    half = b" " * (MAX_REST // 2) + b"\n"
    parser.parse(half)
    with pytest.raises(BadLineError, match="hold no frame"):
        parser.parse(half)


def test_bare_frames_get_the_latest_time_named_so_far() -> None:
    early = DELTA.replace(b"1781159489957", b"1781159480000")
    rows, _ = read(FRAMES, b"\n".join([ACK, DELTA, early, ACK]) + b"\n")
    assert rows.at_ns == [1_781_159_489_957_000_000] * 4
    assert rows.payloads == [ACK, DELTA, early, ACK]


def test_bare_frames_without_any_time_have_none() -> None:
    rows, _ = read(FRAMES, ACK + b"\n")
    assert rows.at_ns == [0]


def test_a_frame_the_decoder_does_not_understand_is_a_frame_still() -> None:
    assert read(FRAMES, b"[1,2]\n")[0].payloads == [b"[1,2]"]


@pytest.mark.parametrize(
    ("frame", "at_ns"),
    [
        (DELTA, 1_781_159_489_957_000_000),
        (DELTA.replace(b'"msg"', b'"sending_ts_ms":1781159489999,"msg"'), 1_781_159_489_999_000_000),
        (SETTLED, 1_784_500_206_000_000_000),
        (ACK, 0),
        (b"[]", 0),
    ],
)
def test_the_time_of_a_bare_frame_is_what_it_says_itself(frame: bytes, at_ns: int) -> None:
    assert stamp_ns(decode(frame)) == at_ns
    assert isinstance(decode(b"[]"), Malformed)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b'{"recv_ms":1,"event":{}}\n', "gold15m"),
        (b'{"event":{},"recv_ms":1}', "gold15m"),
        (b'{"recv_ns":1,"conn":1,"event":"connected"}\n', "btc15m"),
        (b'{"recv_ns":1,"conn":1,"raw":"\\udcff"}\n', "btc15m"),
        (b'{"recv_ts_ns": 1, "raw": ""}\n', "hourly-btc"),
        (ACK + b"\n" + DELTA + b"\n", "frames"),
        (ACK + b"\n\n" + DELTA + b"\n", "frames-blank"),
        (ACK + b"\n;;\n" + DELTA + b"\n", "frames-marked"),
        (ACK + b"\n\n;;\n" + DELTA + b"\n", "frames-marked"),
        (ACK + b"\n", "frames"),
        (b'\n\ngarbage\n{"recv_ms":1,"event":{}}\n', "gold15m"),
        (b"garbage\n" * 20 + b'{"recv_ms":1,"event":{}}\n', None),
        (b'{"recv_ms":1,"eve', None),
        (b'{"error":{"code":"x"}}\n', None),
        (b'{"type":"binary"}\n', None),
        (b'{"recv_ns":1,"conn":1}\n', None),
        (b"recv_ms,event\n1,2\n", None),
        (b"[" * 100_000, None),
        (b"\x00\xff\n", None),
        (b"", None),
    ],
)
def test_a_dialect_is_recognised_by_the_first_lines(head: bytes, name: str | None) -> None:
    found = recognise(head)
    assert (found.name if found else None) == name


def test_only_what_a_dialect_has_a_line_for_is_written() -> None:
    opened = Item(NS, 1, Kind.OPENED, encode_payload(Opened()))
    assert [name for name, dialect in DIALECTS.items() if dialect.line(opened)] == ["btc15m"]
    assert [name for name, dialect in DIALECTS.items() if dialect.line(Item(NS, 1, Kind.TICK, b""))] == []


TIMES = st.integers(EARLIEST_NS, LATEST_NS - 1)


@given(st.lists(st.tuples(TIMES, st.integers(0, MAX_CONNECTION), st.binary(max_size=60)), max_size=8))
def test_any_bytes_survive_a_btc_line(frames: list[tuple[int, int, bytes]]) -> None:
    items = [Item(at_ns, connection, Kind.FRAME, payload) for at_ns, connection, payload in frames]
    rows = assert_comes_back(BTC, b"".join(map(BTC.line, items)))
    assert list(map(Item, rows.at_ns, rows.connection, rows.kind, rows.payloads)) == items
    assert rows.sources == [None] * len(items)


@given(st.lists(st.tuples(TIMES, st.text(max_size=60)), max_size=8))
def test_any_text_survives_an_hourly_line(frames: list[tuple[int, str]]) -> None:
    items = [Item(at_ns, 1, Kind.FRAME, text.encode()) for at_ns, text in frames]
    rows = assert_comes_back(HOURLY, b"".join(map(HOURLY.line, items)))
    assert list(map(Item, rows.at_ns, rows.connection, rows.kind, rows.payloads)) == items


@given(st.integers(0, 10**9))
def test_however_a_text_is_cut_into_lines_the_records_are_the_same(seed: int) -> None:
    dice = Random(seed)
    pieces = [dice.choice([b"\n", b" \r\n", *_LINES, *_LINES, *_LINES]) for _ in range(dice.randrange(12))]
    text = b"".join(pieces)
    lines = list(io.BytesIO(text))
    cuts = sorted(dice.randrange(len(lines) + 1) for _ in range(3))
    parts = [b"".join(lines[start:end]) for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True)]
    whole, rest = read(BTC, text)
    assert read(BTC, *parts) == (whole, rest)
    assert written(BTC, whole, rest) == text


_LINES = (
    BTC.line(Item(NS, 1, Kind.FRAME, DELTA + b"\n")),
    BTC.line(Item(NS, 2, Kind.FRAME, b"\xff")),
    BTC.line(Item(NS, 2, Kind.OPENED, b"{}")),
    b'{"recv_ns": %d, "conn": 1, "raw": "x"}\n' % NS,
    b'{"recv_ns":%d,"conn":2,"event":"note"}\n' % NS,
)
