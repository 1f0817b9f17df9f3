"""Messages made again from typed columns: the inverse of how `core.columns` fills them.

Knows which rows hold the whole message. Must not touch payloads.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from core.columns import NULL, Columns, Texts
from core.messages.types import BookDelta, BookSnapshot, Message, Side, Ticker, Trade

WINDOW: Final = 4_096
"""Rows whose cells are lists at a time: those of a whole batch took 17 MB."""

_SIDES: Final = (Side.YES, Side.YES, Side.NO)
_ZEROED: Final = ("sid", "exchange_seq", "clock", "sending_ms", "exchange_us")
"""Where 0 says that there is none."""


class Messages:
    """The messages that columns hold, made when asked for; no payload is touched.

    dense: most rows will be asked for, so the columns become lists first, WINDOW rows at a time (0.2 us a row); else
    each costs some 2 us.
    """

    __slots__ = ("_cells", "_columns", "_complete", "_makers", "_stop", "_types", "dense")

    def __init__(self, columns: Columns, *, dense: bool) -> None:
        self.dense = dense
        self._columns = columns
        self._makers = [*(_MAKERS.get(value) for value in columns.texts["type"].values), None]  # code -1 is the last
        self._look_at(0)

    def at(self, row: int) -> Message | None:
        """The message of a row that is complete, None for the others."""
        if not self._cells.start <= row < self._stop:
            self._look_at(row)
        place = row - self._cells.start
        make = self._makers[self._types[place]]
        return make(self._cells, place) if make is not None and self._complete[place] else None

    def _look_at(self, start: int) -> None:
        stop = min(start + WINDOW, self._columns.rows) if self.dense else self._columns.rows
        types, complete = self._columns.texts["type"].codes[start:stop], self._columns.complete[start:stop]
        self._types: Any = types.tolist() if self.dense else types
        self._complete: Any = complete.tolist() if self.dense else complete
        self._cells = _Cells(self._columns, start, stop, dense=self.dense)
        self._stop = stop


def messages(columns: Columns) -> Iterator[Message | None]:
    """The message of each row that is complete, None for the others."""
    return map(Messages(columns, dense=True).at, range(columns.rows))


class _Cells:
    """Some rows of columns to be read one cell at a time: as lists where most cells are, as memory where few are.

    Rows count from `start`.
    """

    __slots__ = ("clock", "columns", "ints", "market", "market_id", "sending_ms", "seq", "sid", "start", "us")

    def __init__(self, columns: Columns, start: int, stop: int, *, dense: bool) -> None:
        self.columns, self.start = columns, start
        rows = slice(start, stop)
        parts = {name: columns.ints[name][rows] for name in (*_ZEROED, "side", "price", "size")}
        zeroed = {name: _cells(np.where(parts[name] == NULL, 0, parts[name]), dense) for name in _ZEROED}
        self.sid, self.seq = zeroed["sid"], zeroed["exchange_seq"]
        self.clock, self.sending_ms, self.us = zeroed["clock"], zeroed["sending_ms"], zeroed["exchange_us"]
        self.ints = {name: _cells(parts[name], dense) for name in ("side", "price", "size")}
        self.market = _Strings(columns.texts["market"], rows, dense)
        self.market_id = _Strings(columns.texts["market_id"], rows, dense)

    def optional(self, name: str, row: int) -> int | None:
        value = int(self.columns.ints[name][self.start + row])
        return None if value == NULL else value


class _Strings:
    """A text column one cell at a time, "" for null."""

    __slots__ = ("_codes", "_values")

    def __init__(self, texts: Texts, rows: slice, dense: bool) -> None:
        self._values = [*texts.values, ""]  # code -1 is the last
        self._codes = _cells(texts.codes[rows], dense)

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
        place = cells.start + row
        span = slice(int(prices.offsets[place]), int(prices.offsets[place + 1]))
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
        trade_id=trade_ids.values[trade_ids.codes[cells.start + row]],
        price=cells.ints["price"][row],
        count=cells.ints["size"][row],
        taker=_SIDES[cells.ints["side"][row]],
        is_block=bool(cells.columns.ints["is_block"][cells.start + row] == 1),
        exchange_ns=cells.us[row] * 1000,
    )


_MAKERS: Final = {
    "orderbook_delta": _make_delta,
    "orderbook_snapshot": _make_snapshot,
    "ticker": _make_ticker,
    "trade": _make_trade,
}
