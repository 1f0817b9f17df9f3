"""Messages made again from typed columns: the inverse of how `core.columns` fills them.

Knows which rows hold the whole message. Must not touch payloads.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from core.columns import NULL, Columns, Texts
from core.messages.types import BookDelta, BookSnapshot, Message, Side, Ticker, Trade

_SIDES: Final = (Side.YES, Side.YES, Side.NO)


class Messages:
    """The messages that columns hold, made when asked for; no payload is touched.

    dense: most rows will be asked for, so the columns become lists first (0.2 us a row); else each costs some 2 us.
    """

    __slots__ = ("_cells", "_complete", "_makers", "_types", "dense")

    def __init__(self, columns: Columns, *, dense: bool) -> None:
        self.dense = dense
        types = columns.texts["type"]
        self._makers = [*(_MAKERS.get(value) for value in types.values), None]  # code -1 is the last
        self._types: Any = types.codes.tolist() if dense else types.codes
        self._complete: Any = columns.complete.tolist() if dense else columns.complete
        self._cells = _Cells(columns, dense=dense)

    def at(self, row: int) -> Message | None:
        """The message of a row that is complete, None for the others."""
        make = self._makers[self._types[row]]
        return make(self._cells, row) if make is not None and self._complete[row] else None


def messages(columns: Columns) -> Iterator[Message | None]:
    """The message of each row that is complete, None for the others."""
    return map(Messages(columns, dense=True).at, range(columns.rows))


class _Cells:
    """Columns to be read one cell at a time: as lists where most cells are, as memory where few are."""

    __slots__ = ("clock", "columns", "ints", "market", "market_id", "sending_ms", "seq", "sid", "us")

    def __init__(self, columns: Columns, *, dense: bool) -> None:
        self.columns = columns
        ints = columns.ints
        zeroed = {
            name: _cells(np.where(ints[name] == NULL, 0, ints[name]), dense)
            for name in ("sid", "exchange_seq", "clock", "sending_ms", "exchange_us")
        }
        self.sid, self.seq = zeroed["sid"], zeroed["exchange_seq"]
        self.clock, self.sending_ms, self.us = zeroed["clock"], zeroed["sending_ms"], zeroed["exchange_us"]
        self.ints = {name: _cells(ints[name], dense) for name in ("side", "price", "size")}
        self.market = _Strings(columns.texts["market"], dense)
        self.market_id = _Strings(columns.texts["market_id"], dense)

    def optional(self, name: str, row: int) -> int | None:
        value = int(self.columns.ints[name][row])
        return None if value == NULL else value


class _Strings:
    """A text column one cell at a time, "" for null."""

    __slots__ = ("_codes", "_values")

    def __init__(self, texts: Texts, dense: bool) -> None:
        self._values = [*texts.values, ""]  # code -1 is the last
        self._codes = _cells(texts.codes, dense)

    def __getitem__(self, row: int) -> str:
        text: str = self._values[self._codes[row]]
        return text


def _cells(values: Any, dense: bool) -> Any:
    """What gives Python integers by row."""
    return values.tolist() if dense else memoryview(np.ascontiguousarray(values))  # type: ignore[arg-type]  # numpy's arrays are buffers


def _make_delta(cells: _Cells, row: int) -> BookDelta:
    return BookDelta(
        sid=cells.sid[row],
        seq=cells.seq[row],
        sending_ms=cells.sending_ms[row],
        market=cells.market[row],
        side=_SIDES[cells.ints["side"][row]],
        price=cells.ints["price"][row],
        delta=cells.ints["size"][row],
        exchange_ns=cells.us[row] * 1000,
        market_id=cells.market_id[row],
        clock=cells.clock[row],
    )


def _make_snapshot(cells: _Cells, row: int) -> BookSnapshot:
    lists = cells.columns.lists
    sides = []
    for side in ("yes", "no"):
        prices, sizes = lists[f"{side}_price"], lists[f"{side}_size"]
        span = slice(int(prices.offsets[row]), int(prices.offsets[row + 1]))
        sides.append(tuple(zip(prices.values[span].tolist(), sizes.values[span].tolist(), strict=True)))
    return BookSnapshot(
        sid=cells.sid[row],
        seq=cells.seq[row],
        sending_ms=cells.sending_ms[row],
        market=cells.market[row],
        yes=sides[0],
        no=sides[1],
        market_id=cells.market_id[row],
        clock=cells.clock[row],
    )


def _make_ticker(cells: _Cells, row: int) -> Ticker:
    return Ticker(
        sid=cells.sid[row],
        seq=cells.seq[row],
        sending_ms=cells.sending_ms[row],
        market=cells.market[row],
        price=cells.optional("price", row),
        yes_bid=cells.optional("yes_bid", row),
        yes_ask=cells.optional("yes_ask", row),
        yes_bid_size=cells.optional("yes_bid_size", row),
        yes_ask_size=cells.optional("yes_ask_size", row),
        last_trade_size=cells.optional("last_trade_size", row),
        volume=cells.optional("volume", row),
        open_interest=cells.optional("open_interest", row),
        dollar_volume=cells.optional("dollar_volume", row),
        dollar_open_interest=cells.optional("dollar_open_interest", row),
        exchange_ns=cells.us[row] * 1000,
        market_id=cells.market_id[row],
    )


def _make_trade(cells: _Cells, row: int) -> Trade:
    trade_ids = cells.columns.texts["trade_id"]
    return Trade(
        sid=cells.sid[row],
        seq=cells.seq[row],
        sending_ms=cells.sending_ms[row],
        market=cells.market[row],
        trade_id=trade_ids.values[trade_ids.codes[row]],
        price=cells.ints["price"][row],
        count=cells.ints["size"][row],
        taker=_SIDES[cells.ints["side"][row]],
        is_block=bool(cells.columns.ints["is_block"][row] == 1),
        exchange_ns=cells.us[row] * 1000,
    )


_MAKERS: Final = {
    "orderbook_delta": _make_delta,
    "orderbook_snapshot": _make_snapshot,
    "ticker": _make_ticker,
    "trade": _make_trade,
}
