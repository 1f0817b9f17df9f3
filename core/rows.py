"""A batch of records as the machine steps it: one row of integers each, made from the tape's typed columns.

Knows which records the machine can step by itself; all others are rows for Python. Must not know what a step does.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from core.cells import M_ID, NULL
from core.columns import Columns
from core.market import TICKER_VALUES, MarketState
from core.records import Kind
from core.runs import (
    DELTA,
    O_NOW,
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

_BY_KIND: Final = np.full(256, OTHER, np.int64)
"""What a record of a kind is; -1: what its message says."""
_BY_KIND[[int(kind) for kind in _QUIET]] = QUIET
_BY_KIND[int(Kind.FRAME)] = -1

_EVERYWHERE: Final = np.empty(0, np.bool_)
"""Flags of a column that has a value in every row."""


class Room:
    """Memory for the cells of one batch after another; for each to take pages of its own cost as much as filling it.

    Who is given cells gives up those of before.
    """

    __slots__ = ("_cells",)

    def __init__(self) -> None:
        self._cells = np.empty(0, np.int64)

    def cells(self, count: int) -> Ints:
        """So many, holding anything."""
        if len(self._cells) < count:
            self._cells = np.empty(count * 9 // 8, np.int64)
        return self._cells[:count]


class Rows:
    """One batch. cells: what `core.engine.Engine.run` takes; rows: how many, which is also the stride of columns."""

    __slots__ = ("_at_ns", "_codes", "_market_ids", "_markets", "_mono_ns", "_places", "cells", "rows")

    def __init__(
        self, numbers: Sequence[Any], columns: Columns, only: str | None = None, room: Room | None = None
    ) -> None:
        """Of records in seq order without a hole: at_ns, mono_ns, connection, kind, and their typed columns.

        only: a market. Books and trades of all others, and every ticker, are rows that change nothing.
        room: for the cells (default: their own).
        """
        from core.row_kernels import lay_out, tell_apart  # imports numba

        rows = self.rows = columns.rows
        self._at_ns, self._mono_ns, connection, kind = numbers
        ints, texts = columns.ints, columns.texts
        types, markets = texts["type"], texts["market"]
        self._markets = markets.values
        self._codes = {market: code for code, market in enumerate(self._markets)}
        self._market_ids = {text: code for code, text in enumerate(texts["market_id"].values)}
        self._places = rows * ROW_COLUMNS + 1
        what = np.empty(rows, np.int64)
        by_type = np.array([*(_WHATS.get(text, OTHER) for text in types.values), OTHER], np.int64)
        one = 0 if only is None else self._codes.get(only, -1)
        tell_apart(what, kind, _BY_KIND, columns.complete, types.codes, by_type, markets.codes, only is not None, one)
        more = _More(what, columns, self._places + len(self._markets))
        self.cells = (room or Room()).cells(more.end)
        self.cells[self._places - 1 : self._places + len(self._markets)] = 0
        for place, values in more.parts:
            self.cells[place : place + len(values)] = values
        raw = [ints.held(name)[0] for name in ("side", "price", "size")]
        lay_out(
            self.cells, what, more.places, _EVERYWHERE, connection, markets.codes, self._places,
            *ints.held("sid"), *ints.held("exchange_seq"), *raw, *ints.held("clock"),
        )  # fmt: skip

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
        from core.row_kernels import ids_in_halves  # imports numba

        rows = np.flatnonzero(what == TRADE)
        ints = columns.ints
        table = np.empty((len(rows), 7), np.int64)
        for index, name in enumerate(("price", "size", "side")):
            table[:, index] = ints.some(name, rows)
        table[:, 3] = ints.some("is_block", rows) == 1
        table[:, 4] = _known(ints.some("exchange_us", rows)) * 1000
        ids_in_halves(table, rows, what, *columns.texts.held("trade_id"))
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
        """How many levels a side has, then prices and sizes of yes, and of no: of all snapshots in a few calls, for one
        call a snapshot cost more than all other columns."""
        rows = np.flatnonzero(what == SNAPSHOT)
        bounds = [columns.lists[f"{side}_price"].offsets.astype(np.int64) for side in ("yes", "no")]
        levels = [bound[rows + 1] - bound[rows] for bound in bounds]
        lengths = 2 + 2 * (levels[0] + levels[1])
        ends = np.cumsum(lengths)
        table = np.empty(int(lengths.sum()), np.int64)
        at = ends - lengths
        for index, count in enumerate(levels):
            table[at + index] = count
        at += 2
        for side, bound, count in zip(("yes", "no"), bounds, levels, strict=True):
            within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)  # which level of its side
            source = np.repeat(bound[rows], count) + within
            for name in (f"{side}_price", f"{side}_size"):
                table[np.repeat(at, count) + within] = columns.lists[name].values[source]
                at += count
        self.places[rows] = self.end + ends - lengths
        self.parts.append((self.end, table))
        self.end += len(table)


def _known(values: Ints) -> Ints:
    return np.where(values == NULL, 0, values)
