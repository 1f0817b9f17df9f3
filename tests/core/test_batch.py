"""The batch scanner and the row-by-row way say the same of every frame, and payloads come back byte for byte."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import frames_of
from tapes import TAPES, needs_tapes

from core.batch import decode_columns, render
from core.columns import Columns, text_list
from core.compiled import INSTALLED
from core.messages import decode
from core.money import format_size
from core.records import Kind
from core.remade import messages
from core.shapes import ShapeBook

ROOT = Path(__file__).resolve().parents[2]

DELTA = (
    b'{"type":"orderbook_delta","sid":2,"seq":%d,"msg":{"market_ticker":"KXA-26-T%d","market_id":"0b9f-11",'
    b'"price_dollars":"0.%04d","delta_fp":"%d.00","side":"%s","ts":"2026-08-10T22:45:38.%06dZ","ts_ms":1786401938%03d}}\n'
)
OTHERS = (
    (
        b'{"type":"trade","sid":1,"seq":3,"msg":{"trade_id":"c0ffee00-1111","market_ticker":"KXA-26-T50",'
        b'"yes_price_dollars":"0.4200","no_price_dollars":"0.5800","count_fp":"2.50","taker_side":"no","ts":1795435201,'
        b'"is_block_trade":true,"taker_book_side":"ask","ts_ms":1795435201502}}'
    ),
    (
        b'{"type":"ticker","sid":3,"msg":{"market_id":"0b9f-11","market_ticker":"KXA-26-T50","price_dollars":"0.4300",'
        b'"dollar_volume":-5,"ts":1795435201,"time":"2026-11-23T12:00:01Z"}}'
    ),
    b'{"type":"subscribed","id":1,"msg":{"channel":"trade","sid":1}}',
    b"",
    b"half a fra",
)


def delta(n: int) -> bytes:
    micros = (n * 7919) % 1_000_000 // 10 * 10 + 1
    return DELTA % (n + 1, n % 7, n % 9_999, n % 50 - 25 or 1, b"yes" if n % 3 else b"no", micros, micros // 1000)


def same(left: Columns, right: Columns) -> None:
    assert (left.shape == right.shape).all()
    assert (left.complete == right.complete).all()
    for name, values in left.ints.items():
        assert (values == right.ints[name]).all(), name
    for name, texts in left.texts.items():
        assert text_list(texts) == text_list(right.texts[name]), name
    for name, lists in left.lists.items():
        assert (lists.offsets == right.lists[name].offsets).all(), name
        assert (lists.values == right.lists[name].values).all(), name


def check(payloads: list[bytes], kinds: list[int] | None = None) -> Columns:
    """Both ways agree with each other and with the decoder, and the shaped payloads come back."""
    kinds = kinds or [Kind.FRAME] * len(payloads)
    book = ShapeBook()
    slow = decode_columns(kinds, payloads, book, scan=False)
    assert all(m is None or m == decode(p) for m, p in zip(messages(slow), payloads, strict=True))
    for scan in (False, True):
        same(slow, decode_columns(kinds, payloads, ShapeBook(book.texts), scan=scan))
        buffer, ends = render(book, slow, scan=scan)
        starts = [0, *ends.tolist()]
        rebuilt = [buffer[a:b].tobytes() for a, b in itertools.pairwise(starts)]
        assert rebuilt == [p if shape else b"" for p, shape in zip(payloads, slow.shape, strict=True)]
    return slow


def test_both_ways_agree_on_a_mixed_batch() -> None:
    payloads = [delta(n) for n in range(300)]
    for at, other in enumerate(OTHERS):
        payloads.insert(50 * at, other)
    columns = check(payloads)
    assert int((columns.shape > 0).sum()) >= 300


def test_stamps_of_many_seconds_come_back() -> None:
    stamps = [b"2000-01-01T00:00:00", b"2026-08-10T22:45:38", b"2026-12-31T23:59:59", b"2100-02-28T09:08:07"]
    payloads = [delta(n).replace(b"2026-08-10T22:45:38", stamps[n // 3 % 4]) for n in range(60)]
    payloads = [payload[: payload.index(b',"ts_ms"')] + b"}}" for payload in payloads]
    assert (check(payloads).shape > 0).all()


@given(st.lists(st.integers(-(10**15) + 1, 10**15 - 1), min_size=1, max_size=40))
@settings(deadline=None, max_examples=50)
def test_numbers_of_every_width_come_back(sizes: list[int]) -> None:
    text = b'"delta_fp":"%s"'
    payloads = [delta(1).replace(text % b"-24.00", text % format_size(size).encode()) for size in sizes]
    assert (check(payloads).shape > 0).all()


@pytest.mark.skipif(not INSTALLED, reason="numba is not installed: nothing is compiled")
def test_many_small_batches_are_rendered_by_the_compiled_scanner_like_a_large_one() -> None:
    program = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}, {str(ROOT / "tests" / "core")!r}]
import test_batch
from core.batch import SCAN_ROWS, decode_columns, render
from core.records import Kind
from core.shapes import ShapeBook
payloads, shapes = [test_batch.delta(n) for n in range(64)], ShapeBook()
columns = decode_columns([Kind.FRAME] * 64, payloads, shapes)
for n in range(SCAN_ROWS // 64):
    assert "core.scan" not in sys.modules, n
    assert render(shapes, columns)[0].tobytes() == b"".join(payloads)
assert "core.scan" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_records_that_are_no_text_frames_keep_their_payload_and_say_nothing() -> None:
    payloads = [delta(0), delta(1), b"heartbeat"]
    columns = check(payloads, [Kind.FRAME, Kind.SENT, Kind.FRAME_PING])
    assert columns.shape.tolist() == [1, 0, 0]
    assert columns.texts["type"].codes.tolist() == [0, -1, -1]


def test_an_empty_batch_is_no_trouble() -> None:
    assert check([]).rows == 0
    assert check([b""]).shape.tolist() == [0]


@given(
    row=st.integers(0, 3),
    at=st.integers(0, 400),
    junk=st.binary(max_size=3),
    cut=st.integers(0, 3),
)
@settings(deadline=None, max_examples=400)
def test_both_ways_agree_on_damaged_frames(row: int, at: int, junk: bytes, cut: int) -> None:
    good = [delta(5), *OTHERS[:3]]
    victim = good[row]
    check([*good, victim[:at] + junk + victim[at + cut :]])


@needs_tapes
@pytest.mark.parametrize(
    "recording",
    ["gold15m/102030-30/2026-08-11.ndjson.gz", "btc15m/short-30s.jsonl.gz", "hourly-btc/kalshi_ws_frames.jsonl"],
)
def test_both_ways_agree_on_real_recordings_and_nearly_every_frame_has_a_shape(recording: str) -> None:
    payloads = frames_of(TAPES / recording)
    columns = check(payloads)
    book_changes = columns.texts["type"].values.index("orderbook_delta")
    is_delta = columns.texts["type"].codes == book_changes
    assert (columns.shape[is_delta] > 0).all()
    assert np.count_nonzero(columns.complete) >= np.count_nonzero(is_delta)


@pytest.mark.skipif(not INSTALLED, reason="numba is not installed: everything ran as plain Python already")
def test_without_numba_the_same_functions_run_as_plain_python() -> None:
    program = f"""
import sys
sys.modules["numba"] = None
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}, {str(ROOT / "tests" / "core")!r}]
from core.compiled import INSTALLED
assert not INSTALLED
import test_batch
test_batch.test_both_ways_agree_on_a_mixed_batch()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
