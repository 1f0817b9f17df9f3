"""Columns: a message put into a row comes out of it unchanged, and what does not fit is said not to."""

import pytest

from core.columns import DECODER_VERSION, NULL, TYPED, ColumnBuilder, text_list
from core.messages.types import (
    BookDelta,
    BookSnapshot,
    ErrorReply,
    Fill,
    Malformed,
    Message,
    Ok,
    Side,
    Subscribed,
    Ticker,
    Trade,
    Unknown,
)
from core.remade import messages

WHOLE: list[Message] = [
    BookDelta(sid=1, seq=2, market="M", side=Side.NO, price=10_000, delta=-250, exchange_ns=1_786_401_938_602_314_000),
    BookDelta(sid=1, seq=3, market="M", side=Side.YES, price=0, delta=0, market_id="i", clock=9, sending_ms=7),
    BookSnapshot(sid=1, seq=4, market="M", yes=((100, 1), (200, 2)), no=(), market_id="i", clock=5),
    BookSnapshot(sid=1, seq=5, market="M"),
    BookSnapshot(sid=1, seq=6, market="N", no=((9_999, 5),)),
    Ticker(sid=3, market="M"),
    Ticker(
        sid=3,
        market="M",
        price=0,
        yes_bid=1,
        yes_ask=10_000,
        yes_bid_size=2,
        yes_ask_size=3,
        last_trade_size=4,
        volume=5,
        open_interest=6,
        dollar_volume=-7,
        dollar_open_interest=0,
        exchange_ns=1_000,
        market_id="i",
    ),
    Trade(sid=2, seq=1, market="M", trade_id="t1", price=4_200, count=1, taker=Side.YES),
    Trade(sid=2, seq=2, market="M", trade_id="t2", price=4_200, count=1, taker=Side.NO, is_block=True),
]

NOT_WHOLE: list[Message] = [
    BookDelta(sid=1, seq=2, market="M", side=Side.NO, price=1, delta=1, client_order_id="mine"),
    BookDelta(sid=1, seq=2, market="M", side=Side.NO, price=1, delta=1, exchange_ns=1_786_401_938_602_314_001),
    BookDelta(sid=1, seq=2, market="M", side=Side.NO, price=1, delta=1, unknown_fields=("msg.new",)),
    BookSnapshot(id=11, sid=1, seq=9, market="M"),  # answers a command: the id is only in the payload
    Subscribed(id=1, sid=1, channel="trade"),
    Ok(id=1, sid=1, seq=2, markets=("M",)),
    ErrorReply(code=8),
    Fill(sid=4, market="M", trade_id="t", order_id="o", side=Side.YES, price=1, count=1),
    Unknown(type="surprise"),
]


def put(*rows: Message | Malformed) -> ColumnBuilder:
    builder = ColumnBuilder(len(rows))
    for row, message in enumerate(rows):
        builder.put(row, message)
    return builder


def test_a_whole_message_comes_back_from_its_row_equal() -> None:
    assert list(messages(put(*WHOLE).finish())) == WHOLE


@pytest.mark.parametrize("message", NOT_WHOLE, ids=lambda message: type(message).__name__)
def test_a_message_that_does_not_fit_is_left_to_its_payload(message: Message) -> None:
    columns = put(message).finish()
    assert not columns.complete[0]
    assert list(messages(columns)) == [None]


def test_rare_messages_still_say_their_type_market_and_numbers() -> None:
    columns = put(*NOT_WHOLE).finish()
    assert text_list(columns.texts["type"]) == [
        "orderbook_delta",
        "orderbook_delta",
        "orderbook_delta",
        "orderbook_snapshot",
        "subscribed",
        "ok",
        "error",
        "fill",
        "surprise",
    ]
    assert text_list(columns.texts["market"])[7] == "M"
    assert columns.ints["exchange_seq"].tolist()[5] == 2
    assert text_list(columns.texts["unknown_fields"])[2] == "msg.new"


def test_a_malformed_frame_has_its_reason_and_nothing_else() -> None:
    columns = put(Malformed("not-json")).finish()
    assert text_list(columns.texts["malformed"]) == ["not-json"]
    assert text_list(columns.texts["type"]) == [""]
    assert all(values[0] == NULL for values in columns.ints.values())


def test_rows_never_put_are_null() -> None:
    builder = ColumnBuilder(3)
    builder.put(1, WHOLE[2])
    columns = builder.finish()
    assert list(messages(columns)) == [None, WHOLE[2], None]
    assert columns.lists["yes_price"].present.tolist() == [False, True, False]
    assert columns.lists["yes_price"].offsets.tolist() == [0, 0, 2, 2]


def test_column_names_are_unique_and_the_decoder_has_a_version() -> None:
    assert len({column.name for column in TYPED}) == len(TYPED)
    assert DECODER_VERSION >= 1
