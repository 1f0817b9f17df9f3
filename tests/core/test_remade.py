"""Messages made again from columns, from every row or from a few."""

import pytest
from deck import delta, snapshot, ticker, trade

from core.columns import ColumnBuilder
from core.messages import Malformed, Message, Side
from core.remade import WINDOW, Messages, messages

TOLD: list[Message] = [
    snapshot(1, yes=((4_000, 100), (4_100, 5)), no=((5_500, 20),)),
    delta(2, 4_100, -5),
    delta(3, 5_500, 7, Side.NO, market="N"),
    ticker(yes_bid=4_000, yes_ask=4_500, volume=12, market_id="i"),
    trade(1),
    snapshot(4),
]


def builder(*rows: Message | Malformed) -> ColumnBuilder:
    made = ColumnBuilder(len(rows))
    for row, message in enumerate(rows):
        made.put(row, message)
    return made


def test_every_row_gives_its_message() -> None:
    assert list(messages(builder(*TOLD).finish())) == TOLD


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("row", range(len(TOLD)))
def test_one_row_gives_its_message_whatever_is_asked_for_beside_it(dense: bool, row: int) -> None:
    assert Messages(builder(*TOLD).finish(), dense=dense).at(row) == TOLD[row]


@pytest.mark.parametrize("dense", [True, False])
def test_a_row_that_does_not_hold_its_whole_message_gives_none(dense: bool) -> None:
    made = Messages(builder(Malformed("no-type"), TOLD[0]).finish(), dense=dense)
    assert (made.at(0), made.at(1)) == (None, TOLD[0])


@pytest.mark.parametrize("dense", [True, False])
def test_rows_far_apart_give_their_messages_in_any_order(dense: bool) -> None:
    count = 2 * WINDOW + 3
    told = {0: TOLD[0], WINDOW - 1: TOLD[3], WINDOW: TOLD[4], 2 * WINDOW: TOLD[5], count - 1: TOLD[2]}
    built = ColumnBuilder(count)
    for row, message in told.items():
        built.put(row, message)
    made = Messages(built.finish(), dense=dense)
    asked = [*told, WINDOW - 1, 1, *reversed(told), count - 2]
    assert [made.at(row) for row in asked] == [told.get(row) for row in asked]
