"""What no backtest may break, held against the tape record by record: nothing here asks the venue why."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from capture.tape.reader import Tape
from core.actions import BookSide
from core.messages.types import BookDelta, BookSnapshot, Side, Trade
from core.money import DOLLAR
from replay.player import Player
from replay.venue import told


def within(tape: Tape, heard: Iterable[told.Happening], *, order_ns: int = 0) -> Counter[str]:
    """Check every fill against the record that it is said to come of, and against its own order; fills by why.

    Nothing is filled before an order was decided and `order_ns` have passed, at another price than its own, at a price
    that the market did not reach then, or for more than came; what takes gets what the book held then, no more.
    """
    happenings = list(heard)
    arrived = {h.client_order_id: h for h in happenings if isinstance(h, told.Arrived)}
    prices = {key: [h.price] for key, h in arrived.items()}
    counts = {key: h.count for key, h in arrived.items()}
    filled, by_record, whys = Counter[str](), Counter[tuple[Any, ...]](), Counter[str]()
    come = _records(tape, {h.seq for h in happenings if isinstance(h, told.Filled)})
    for happening in happenings:
        if isinstance(happening, told.Amended):
            prices[happening.client_order_id].append(happening.price)
            counts[happening.client_order_id] = happening.count
        if not isinstance(happening, told.Filled):
            continue
        key, whys[happening.why] = happening.client_order_id, whys[happening.why] + 1
        filled[key] += happening.count
        assert 0 < filled[key] <= counts[key]
        assert arrived[key].decided_ns + order_ns <= arrived[key].at_ns <= happening.at_ns < happening.told_ns
        message, books = come[happening.seq]
        if happening.is_taker:
            limit = prices[key][-1]
            assert happening.price <= limit if happening.side is BookSide.BID else happening.price >= limit
            came: tuple[Any, ...] = (happening.seq, happening.market, happening.side, happening.price)
            most = books[happening.market].get((happening.side, happening.price), 0)
        else:
            assert happening.price == prices[key][-1]
            came = happening.seq, happening.side
            most = _most(happening, message)
        by_record[came] += happening.count
        assert by_record[came] <= most
    return whys


def _records(tape: Tape, wanted: set[int]) -> dict[int, tuple[Any, dict[str, Any]]]:
    """Of these records the message, and what could be taken after it: contracts by market, taker's side and price."""
    found: dict[int, tuple[Any, dict[str, Any]]] = {}
    player = Player(tape, "bytes", checkpoint_records=0)
    for seq in sorted(wanted):
        player.advance(until_seq=seq - 1)
        for record, step in player.play(until_seq=seq):
            assert record.seq == seq
            found[seq] = step.message, {name: _offers(state) for name, state in player.store.states().items()}
    return found


def _offers(state: Any) -> dict[tuple[BookSide, int], int]:
    offers = {(BookSide.ASK, price): size for price, size in state.book.yes.levels()}
    return offers | {(BookSide.BID, DOLLAR - price): size for price, size in state.book.no.levels()}


def _most(fill: told.Filled, message: Any) -> int:
    """How much the record that a maker's fill is said to come of can have filled; that it is such a record."""
    is_bid = fill.side is BookSide.BID
    assert message.market == fill.market
    if fill.why in ("trade", "through"):
        assert isinstance(message, Trade)
        assert not message.is_block
        assert (message.price == fill.price) == (fill.why == "trade")
        assert message.price <= fill.price if is_bid else message.price >= fill.price
        assert message.taker is (Side.NO if is_bid else Side.YES)
        return message.count
    if fill.why == "gap":
        assert isinstance(message, BookSnapshot)
        assert not fill.trusted
        offers = message.no if is_bid else message.yes
        return sum(size for at, size in offers if (DOLLAR - at <= fill.price if is_bid else at >= fill.price))
    assert isinstance(message, BookDelta)
    assert fill.why == "crossed"
    offered = DOLLAR - message.price if message.side is Side.NO else message.price
    assert offered <= fill.price if is_bid else offered >= fill.price
    return message.delta
