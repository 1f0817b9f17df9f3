"""A batch of records as the machine steps it: one row of integers each, made from the tape's typed columns.

Knows which records the machine can step by itself; all others are rows for Python. Must not know what a step does.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from core.cells import M_ID, NULL
from core.columns import Columns
from core.ids import LENGTH, ODD, all_halves
from core.market import TICKER_VALUES, MarketState
from core.records import Kind
from core.runs import (
    DELTA,
    O_CLOCK,
    O_CONNECTION,
    O_MARKET,
    O_MORE,
    O_NOW,
    O_PRICE,
    O_SEQ,
    O_SID,
    O_SIDE,
    O_SIZE,
    OTHER,
    QUIET,
    ROW_COLUMNS,
    SNAPSHOT,
    TICKER,
    TRADE,
)
from core.timeline import Timeline

Ints: TypeAlias = npt.NDArray[np.int64]

_WHATS: Final = {
    "orderbook_delta": DELTA,
    "trade": TRADE,
    "ticker": TICKER,
    "orderbook_snapshot": SNAPSHOT,
}
_QUIET: Final = (
    Kind.SENT_BINARY, Kind.SENT_PING, Kind.SENT_PONG, Kind.SENT_CLOSE, Kind.TICK, Kind.DECISION, Kind.OUTCOME,
    Kind.CONTROL, Kind.PROGRESS, Kind.HEARTBEAT, Kind.CLOCK_STEP, Kind.REFUSED, Kind.FAULT, Kind.CLEAN_STOP,
)  # fmt: skip
"""Records that say nothing of connections or markets."""


class Rows:
    """One batch. cells: what `core.engine.Engine.run` takes; rows: how many, which is also the stride of columns."""

    __slots__ = ("_at_ns", "_codes", "_market_ids", "_markets", "_mono_ns", "_places", "cells", "rows")

    def __init__(self, numbers: Sequence[Ints], columns: Columns, only: str | None = None) -> None:
        """Of records in seq order without a hole: at_ns, mono_ns, connection, kind, and their typed columns.

        only: a market. Books and trades of all others, and every ticker, are rows that change nothing.
        """
        rows = self.rows = columns.rows
        self._at_ns, self._mono_ns, connection, kind = numbers
        texts = columns.texts
        self._markets = texts["market"].values
        self._codes = {market: code for code, market in enumerate(self._markets)}
        self._market_ids = {text: code for code, text in enumerate(texts["market_id"].values)}
        self._places = rows * ROW_COLUMNS + 1
        what = _whats(kind, columns)
        if only is not None:
            what[(what > QUIET) & ((texts["market"].codes != self._codes.get(only, -2)) | (what == TICKER))] = QUIET
        more = _More(what, columns, self._places + len(self._markets))
        self.cells = np.zeros(more.end, np.int64)
        for place, values in more.parts:
            self.cells[place : place + len(values)] = values
        ints = columns.ints
        for column, values in (
            (0, what),
            (O_CONNECTION, connection),
            (O_MARKET, texts["market"].codes),
            (O_SID, ints.known("sid")),
            (O_SEQ, ints.known("exchange_seq")),
            (O_SIDE, ints.raw("side")),
            (O_PRICE, ints.raw("price")),
            (O_SIZE, ints.raw("size")),
            (O_CLOCK, ints.known("clock")),
            (O_MORE, more.places),
        ):
            self.cells[column * rows : (column + 1) * rows] = values
        self.cells[O_MARKET * rows : (O_MARKET + 1) * rows] += self._places

    def time(self, timeline: Timeline, first: int) -> None:
        """Set the `now_ns` of all rows from one on, as they follow on a timeline; behind a SESSION they are void."""
        times = timeline.following(self._at_ns[first:], self._mono_ns[first:])
        start = O_NOW * self.rows
        self.cells[start + first : start + self.rows] = times

    def until(self, first: int, last: int, last_ns: int) -> int:
        """The first row from one on, up to another, that is later than an instant; that other when none is."""
        start = O_NOW * self.rows
        return first + int(np.searchsorted(self.cells[start + first : start + last], last_ns, side="right"))

    def find(self, states: Mapping[str, MarketState]) -> None:
        """Take over where every market lies now."""
        for code, market in enumerate(self._markets):
            self._place(code, states.get(market))

    def found(self, market: str, state: MarketState | None) -> None:
        """Take over where one market lies now."""
        code = self._codes.get(market)
        if code is not None:
            self._place(code, state)

    def _place(self, code: int, state: MarketState | None) -> None:
        self.cells[self._places + code] = 0 if state is None else state.at
        if state is not None:
            text = state.market_id
            state.memory.plain[state.at + M_ID] = self._market_ids.get(text, -2) if text else -1


class _More:
    """What the columns of rows do not hold. places: where each row's begins; parts: place, values; end: behind all."""

    def __init__(self, what: Ints, columns: Columns, start: int) -> None:
        self.places = np.zeros(columns.rows, np.int64)
        self.parts: list[tuple[int, Any]] = []
        self.end = start
        self._trades(what, columns)
        self._tickers(what, columns)
        self._snapshots(what, columns)

    def _put(self, rows: Ints, table: Ints) -> None:
        """table: a line for each of these rows."""
        self.places[rows] = self.end + np.arange(len(rows)) * table.shape[1]
        self.parts.append((self.end, table.ravel()))
        self.end += table.size

    def _trades(self, what: Ints, columns: Columns) -> None:
        rows = np.flatnonzero(what == TRADE)
        ints = columns.ints
        table = np.empty((len(rows), 7), np.int64)
        for index, name in enumerate(("price", "size", "side")):
            table[:, index] = ints.some(name, rows)
        table[:, 3] = ints.some("is_block", rows) == 1
        table[:, 4] = _known(ints.some("exchange_us", rows)) * 1000
        fits, letters = columns.texts.letters("trade_id", rows, LENGTH)
        table[:, 5] = ODD
        table[fits, 5:] = all_halves(letters)
        what[rows[table[:, 5] == ODD]] = OTHER  # such an id has a number in the store only
        self._put(rows, table)

    def _tickers(self, what: Ints, columns: Columns) -> None:
        rows = np.flatnonzero(what == TICKER)
        ints = columns.ints
        table = np.empty((len(rows), 3 + len(TICKER_VALUES)), np.int64)
        table[:, 0] = columns.texts["market_id"].codes[rows]
        table[:, 1] = _known(ints.some("sending_ms", rows))
        table[:, 2] = _known(ints.some("exchange_us", rows)) * 1000
        for index, name in enumerate(TICKER_VALUES):
            table[:, 3 + index] = ints.some(name, rows)
        self._put(rows, table)

    def _snapshots(self, what: Ints, columns: Columns) -> None:
        lists = columns.lists
        for row in np.flatnonzero(what == SNAPSHOT).tolist():
            sides = []
            for side in ("yes", "no"):
                prices, sizes = lists[f"{side}_price"], lists[f"{side}_size"]
                span = slice(int(prices.offsets[row]), int(prices.offsets[row + 1]))
                sides.append((prices.values[span], sizes.values[span]))
            (yes, yes_sizes), (no, no_sizes) = sides
            values = np.concatenate(((len(yes), len(no)), yes, yes_sizes, no, no_sizes))
            self.places[row] = self.end
            self.parts.append((self.end, values))
            self.end += len(values)


def _whats(kind: Ints, columns: Columns) -> Ints:
    types = columns.texts["type"]
    by_code = np.array([*(_WHATS.get(text, OTHER) for text in types.values), OTHER], np.int64)  # code -1 is the last
    what = by_code[types.codes]
    what[~columns.complete | (kind != int(Kind.FRAME)) | (columns.texts["market"].codes < 0)] = OTHER
    what[np.isin(kind, [int(quiet) for quiet in _QUIET])] = QUIET
    return what


def _known(values: Ints) -> Ints:
    return np.where(values == NULL, 0, values)
