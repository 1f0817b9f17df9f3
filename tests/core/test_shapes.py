"""Shapes: what may be learned, what a hole may hold, and that filling the holes gives the very bytes back."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.columns import NULL, ColumnBuilder, text_list
from core.messages import decode
from core.shapes import (
    FIELDS,
    FIRST_DAY,
    LAST_DAY,
    MAX_SHAPES,
    PATTERNS,
    ShapeBook,
    civil_from_days,
    fill_hole,
    parse_shape,
    read_hole,
    render_each,
)
from core.times import END_NS, FIRST_NS, SECOND_NS, days_from_civil

DELTA = (
    b'{"type":"orderbook_delta","sid":2,"seq":17,"msg":{"market_ticker":"KXA-26-T50","market_id":"0b9f-11",'
    b'"price_dollars":"0.4200","delta_fp":"-2.00","side":"yes","ts":"2026-08-10T22:45:38.602314Z",'
    b'"ts_ms":1786401938602}}\n'
)
TRADE = (
    b'{"type":"trade","sid":1,"seq":3,"msg":{"trade_id":"c0ffee00-1111","market_ticker":"KXA-26-T50",'
    b'"yes_price_dollars":"0.4200","no_price_dollars":"0.5800","count_fp":"2.50","taker_side":"no",'
    b'"taker_outcome_side":"no","taker_book_side":"ask","is_block_trade":false,"ts":1795435201,"ts_ms":1795435201502}}'
)
TICKER = (
    b'{"type":"ticker","sid":3,"msg":{"market_id":"0b9f-11","market_ticker":"KXA-26-T50","price_dollars":"0.4300",'
    b'"yes_bid_dollars":"0.4200","yes_ask_dollars":"1.0000","volume_fp":"33896.00","open_interest_fp":"0.00",'
    b'"dollar_volume":0,"dollar_open_interest":-10,"yes_bid_size_fp":"11.50","yes_ask_size_fp":"22.00",'
    b'"last_trade_size_fp":"2.00","ts":1795435201,"ts_ms":1795435201502,"time":"2026-11-23T12:00:01.502Z"},'
    b'"sending_ts_ms":1795435201503}'
)


def learned(*payloads: bytes) -> ShapeBook:
    book = ShapeBook()
    for payload in payloads:
        book.learn(payload, decode(payload))
    return book


def match(book: ShapeBook, payload: bytes) -> ColumnBuilder | None:
    builder = ColumnBuilder(1)
    return builder if book.match(payload, 0, builder) else None


@pytest.mark.parametrize("payload", [DELTA, TRADE, TICKER])
def test_a_learned_frame_is_rebuilt_byte_for_byte_from_its_columns(payload: bytes) -> None:
    book = learned(payload)
    builder = match(book, payload)
    assert builder is not None
    assert render_each(book, builder.finish()) == [payload]


SPACED = DELTA.replace(b":", b": ").replace(b",", b", ").replace(b"T22: 45: 38", b"T22:45:38")


@pytest.mark.parametrize("payload", [SPACED, b" " + TRADE, TICKER.replace(b'"type":', b'"type" :')])
def test_spaces_are_part_of_a_shape(payload: bytes) -> None:
    book = learned(payload)
    builder = match(book, payload)
    assert builder is not None
    assert render_each(book, builder.finish()) == [payload]


@pytest.mark.parametrize("payload", [DELTA, TRADE, TICKER])
def test_a_shape_survives_being_written_down(payload: bytes) -> None:
    book = learned(payload)
    assert book.texts and ShapeBook(book.texts).shapes == book.shapes


def test_a_shape_fits_other_values_in_the_same_places() -> None:
    builder = match(learned(DELTA), DELTA.replace(b'"seq":17', b'"seq":999').replace(b"-2.00", b"0.07"))
    assert builder is not None
    columns = builder.finish()
    assert columns.ints["exchange_seq"][0] == 999
    assert columns.ints["size"][0] == 7
    assert columns.ints["clock"][0] == NULL
    assert text_list(columns.texts["market"]) == ["KXA-26-T50"]
    assert columns.complete[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"0.4200"', b'"0.42"'),  # the same price in another text
        (b'"0.4200"', b'"1.0001"'),
        (b'"0.4200"', b'"-0.4200"'),
        (b'"-2.00"', b'"-0.00"'),
        (b'"-2.00"', b'"-2.0"'),
        (b'"-2.00"', b'"-02.00"'),
        (b'"-2.00"', b'"99999999999999.00"'),
        (b'"sid":2,', b'"sid":3000000000,'),  # the decoder refuses it: wider than the column
        (b'"seq":17', b'"seq":017'),
        (b'"seq":17', b'"seq":0'),
        (b'"seq":17', b'"seq":17.0'),
        (b'"seq":17', b'"seq":1e1'),
        (b'"seq":17', b'"seq": 17'),
        (b'"yes"', b'"Yes"'),
        (b"1786401938602", b"1786401938603"),  # the two stamps disagree
        (b"22:45:38.602314Z", b"22:45:38.6023140Z"),
        (b"22:45:38.602314Z", b"22:45:60.602314Z"),
        (b"2026-08-10T", b"2026-02-30T"),
        (b"2026-08-10T", b"1999-08-10T"),
        (b"KXA-26-T50", b"KXA\\u0041"),
        (b"KXA-26-T50", b"KX\xc3\xa9"),
        (b"}}\n", b"}}"),
        (b"}}\n", b"}}\n\n"),
        (b'"sid":2', b'"sid":2,"sid":3'),
    ],
)
def test_a_frame_that_is_not_exactly_of_the_shape_is_left_alone(old: bytes, new: bytes) -> None:
    assert match(learned(DELTA), DELTA.replace(old, new)) is None


def test_what_a_shape_says_is_what_the_decoder_says_at_the_edges_of_every_hole() -> None:
    edges = {
        b'"0.4200"': [b'"0.0000"', b'"1.0000"', b'"0.0001"', b'"0.9999"'],
        b'"-2.00"': [b'"0.00"', b'"9999999999999.99"', b'"-9999999999999.99"', b'"0.01"'],
        b'"seq":17': [b'"seq":1', b'"seq":999999999999999'],
    }
    book = learned(DELTA)
    for old, news in edges.items():
        for new in news:
            payload = DELTA.replace(old, new)
            shaped, decoded = match(book, payload), ColumnBuilder(1)
            decoded.put(0, decode(payload))
            assert shaped is not None, new
            assert decoded.complete[0], new
            assert (shaped.matrix == decoded.matrix).all(), new


@pytest.mark.parametrize(
    "payload",
    [
        DELTA.replace(b'"side":"yes"', b'"side":"yes","mood":"good"'),  # a text we have no column for
        DELTA.replace(b'"side":"yes"', b'"side":"yes","side":"no"'),  # which one counts?
        DELTA.replace(b'"side":"yes"', b'"side":"yes","client_order_id":"x"'),
        b'{"type":"orderbook_snapshot","sid":1,"seq":2,"msg":{"market_ticker":"M","market_id":"i"}}',
        b'{"type":"subscribed","id":1,"msg":{"channel":"trade","sid":1}}',
        b"not json",
        DELTA.replace(b"KXA-26-T50", "KX«id:id»".encode()),
    ],
)
def test_frames_whose_columns_do_not_say_everything_are_not_learned(payload: bytes) -> None:
    assert learned(payload).texts == []


def test_the_number_of_shapes_is_bounded() -> None:
    words = [b'"f%s":true,' % (b"x" * n) for n in range(MAX_SHAPES + 5)]
    book = ShapeBook()
    message = decode(DELTA)
    for word in words:
        book.learn(DELTA.replace(b'"side"', word + b'"side"'), message)
    assert len(book.shapes) <= MAX_SHAPES


def test_a_text_that_is_no_shape_is_refused() -> None:
    for text in ("", "{}", '{"type":"trade","sid":«sid:colour»}', '{"type":"nothing","sid":«sid:sid»}'):
        with pytest.raises(ValueError, match="not a shape"):
            parse_shape(text)


def test_every_format_in_use_has_a_pattern() -> None:
    used = {form for fields in FIELDS.values() for _, form in fields.values()}
    assert used == set(PATTERNS)


@given(days=st.integers(FIRST_DAY, LAST_DAY - 1))
@settings(deadline=None)
def test_dates_go_there_and_back(days: int) -> None:
    assert days_from_civil(*civil_from_days(days)) == days


@given(form=st.sampled_from(sorted(PATTERNS)), data=st.data())
@settings(deadline=None, max_examples=300)
def test_a_text_that_a_hole_accepts_is_the_only_text_of_its_value(form: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(re.compile(PATTERNS[form], re.ASCII), fullmatch=True)).encode()
    value = read_hole(form, text)
    if value is not None:
        assert fill_hole(form, value) == text


def test_shapes_accept_the_same_span_of_time_as_the_decoder() -> None:
    assert (FIRST_DAY * 86_400, LAST_DAY * 86_400) == (FIRST_NS // SECOND_NS, END_NS // SECOND_NS)
