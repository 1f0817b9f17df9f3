"""What a journal was worth: the tape is walked through once more, and everything is valued where it counts.

Knows when a row is due: at each fill, settlement and change of trust, once a second while something is held or rests,
and so long after a fill as mark-outs want. Must not know strategies. Decisions are over by then, so nothing here can
change one.
"""

from bisect import insort
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec
import pyarrow as pa

from capture.tape.reader import Tape
from core.cells import NEVER
from core.times import SECOND_NS
from replay.backtest.columns import Rows, table_of
from replay.backtest.journal import Journal
from replay.backtest.marks import mark, mid, result
from replay.backtest.money import Account, Mark, Unbalanced
from replay.backtest.resting import Resting
from replay.backtest.tables import EQUITY, FILLS, POSITIONS, SPANS
from replay.backtest.trust import Trust
from replay.backtest.walk import Walk
from replay.player import coming
from replay.venue.told import Amended, Answered, Arrived, Determined, Ended, Filled, Rested, Settled

Placed: TypeAlias = Arrived | Rested | Filled | Amended | Ended | Determined | Settled
"""What happens at the venue."""

HORIZONS_NS: Final = (SECOND_NS, 10 * SECOND_NS, 60 * SECOND_NS)
"""How long after a fill the mid price is looked at, for the columns mark_1s, mark_10s, mark_60s."""

GRID_NS: Final = SECOND_NS

SILENCE_NS: Final = 60 * SECOND_NS
"""A longer stretch of tape without a record has no rows of the grid: nobody was there, and nothing can change."""

_TRUSTED: Final = EQUITY.get_field_index("trusted")
_RAW_EQUITY: Final = EQUITY.set(_TRUSTED, pa.field("trusted", pa.int32()))


class MarketSum(msgspec.Struct):
    """What came of a market: money won, fees included, and how much of it in spans that were trusted."""

    pnl: int = 0
    pnl_trusted: int = 0
    position: int = 0
    mark: Mark | None = None
    settlement: int | None = None
    settled_ns: int | None = None


class Measured(msgspec.Struct):
    """What one tape's journal was worth. end_ns: the last instant of the tape that was played."""

    fills: pa.Table
    equity: pa.Table
    positions: pa.Table
    spans: pa.Table
    markets: dict[str, MarketSum]
    end_ns: int


def measure(
    tape: Tape, journal: Journal, account: Account, path: str = "columns", *, from_ns: int = 0,
    closes: Mapping[str, int] | None = None,
) -> Measured:  # fmt: skip
    """Walk through a tape with its journal; the account takes part in what happened, and goes on to the next tape.

    from_ns: when the run began, 0 = with the tape. closes: when markets closed, as far as is known in the end.
    Raises Unbalanced when the books do not agree, TapeDamaged.
    """
    meter = _Meter(Walk(tape, path, journal.interest, journal.last_seq), journal, account, closes or {})
    meter.run(from_ns)
    return meter.measured()


class _Meter:
    """One walk with everything that is noted on it."""

    def __init__(self, walk: Walk, journal: Journal, account: Account, closes: Mapping[str, int]) -> None:
        self._walk, self._journal, self._account = walk, journal, account
        self._closes = closes
        self._resting = Resting()
        self._equity, self._positions = Rows(_RAW_EQUITY), Rows(POSITIONS)
        self._fills: list[list[Any]] = []
        self._dues: list[tuple[int, int, int]] = []  # instant, number of a fill, which horizon
        self._row_ns = 0  # of the next row of the grid, 0 = none is due
        self._marks: dict[str, Mark] = {}
        self._sums: dict[str, MarketSum] = {}
        self._worth: dict[str, tuple[int, int]] = {}  # by market: when it was valued last, and what was won by then
        self._pieces: list[tuple[str, int, int, int, bool]] = []
        self._actives: dict[tuple[str, ...], int] = {}
        self._results: dict[str, int] = {}  # by market, as the venue knows it: by REST as well
        self._trust = walk.trust
        self._frames_ns = journal.frames_ns[1] or NEVER  # the end of all frames, where answers follow

    def run(self, from_ns: int) -> None:
        """Through the whole journal, and on to the end. There is a row where the run begins and at the last record."""
        self._go(NEVER, 0)
        self._go(from_ns - 1, NEVER)
        if self._walk.now_ns:
            self._row(max(self._walk.now_ns, from_ns))
        for happening in self._journal.happenings:
            if not isinstance(happening, Answered):  # when it is told, not when it happens
                self._advance(*_place(happening))
                self._happen(happening)
        self._advance(NEVER, NEVER)
        self._finish(self._walk.now_ns)

    def _advance(self, at_ns: int, seq: int) -> None:
        """Go on to just before an instant, or to a record at it, by way of every row that is due earlier."""
        frames_ns = self._frames_ns
        if at_ns > frames_ns:  # what follows are answers, which put no book in doubt
            self._frames_ns = NEVER
            self._advance(frames_ns + 1, NEVER)
            self._trust.finish(frames_ns)
            self._walk.trust = Trust(())
        while (due_ns := self._due_ns) < at_ns:
            self._go(due_ns, NEVER)
            if self._walk.is_over and self._walk.now_ns < due_ns:
                return
            self._due(due_ns)
        self._go(at_ns - 1 if seq == NEVER else NEVER, seq)

    def _go(self, until_ns: int, seq: int) -> None:
        walk = self._walk
        while not (walk.to_ns(until_ns) if seq == NEVER else walk.to_seq(seq)):
            active = self._active()
            is_row = any(market in active for market in walk.changed)
            walk.changed.clear()
            if is_row:
                self._row(walk.now_ns)

    @property
    def _due_ns(self) -> int:
        due_ns = self._dues[0][0] if self._dues else NEVER
        return min(due_ns, self._row_ns or NEVER)

    def _due(self, due_ns: int) -> None:
        while self._dues and self._dues[0][0] <= due_ns:
            _, number, horizon = self._dues.pop(0)
            fill = self._fills[number]
            fill[_MARKS[horizon]] = mid(self._walk.window(fill[_MARKET]))
        if 0 < self._row_ns <= due_ns:
            self._row(due_ns)
            self._row_ns += GRID_NS
            next_ns = coming(self._walk.player)
            if next_ns is not None and next_ns - due_ns > SILENCE_NS:
                self._row_ns = max(self._row_ns, next_ns // GRID_NS * GRID_NS)

    def _happen(self, happening: Placed) -> None:
        if isinstance(happening, Filled):
            self._fill(happening)
        elif isinstance(happening, Settled):
            self._settle(happening)
        elif isinstance(happening, Determined):
            self._results[happening.market] = happening.price
        self._resting.happened(happening)
        if isinstance(happening, Filled | Settled):
            self._row(happening.at_ns)
        is_active = bool(self._resting.count or self._account.held())
        if is_active and not self._row_ns:
            self._row_ns = (happening.at_ns // GRID_NS + 1) * GRID_NS
        elif not is_active:
            self._row_ns = 0

    def _fill(self, told: Filled) -> None:
        market, account = told.market, self._account
        self._value(market, told.at_ns)
        held = account.fill(market, told.side, told.price, told.count, told.fee)
        self._value(market, told.at_ns, trusted=told.trusted)
        row = [
            self._journal.tape, told.at_ns, told.told_ns, told.seq, told.trade_id, told.client_order_id,
            self._strategy(told.client_order_id), market, told.side.value, told.price, told.count, told.fee,
            told.is_taker, held.position, account.cash, told.why, told.trusted,
            None if told.rested_ns < 0 else told.rested_ns, mid(self._walk.window(market)), None, None, None, None,
        ]  # fmt: skip
        for horizon, wait_ns in enumerate(HORIZONS_NS):
            insort(self._dues, (told.at_ns + wait_ns, len(self._fills), horizon))
        self._fills.append(row)
        value = self._marks[market].value if held.position else 0
        self._positions.add((self._journal.tape, told.at_ns, market, held.position, held.cost, value))

    def _strategy(self, key: str) -> str:
        placed = self._journal.placed.get(key)
        return "" if placed is None else placed[1]

    def _settle(self, told: Settled) -> None:
        market = told.market
        self._value(market, told.at_ns)
        position = self._account.holding(market).position
        paid = self._account.settle(market, told.price)
        if (position, paid) != (told.position, told.money):
            raise Unbalanced(
                f"{market}: the venue paid {told.money} for {told.position}, by our books it is {paid} for {position}"
            )
        found = self._sums.setdefault(market, MarketSum())
        found.settlement, found.settled_ns = told.price, told.at_ns
        self._value(market, told.at_ns)
        self._positions.add((self._journal.tape, told.at_ns, market, 0, 0, 0))

    def _value(self, market: str, at_ns: int, *, trusted: bool = True) -> None:
        """See what has been won in a market since it was valued last."""
        held = self._account.holding(market)
        if held.position:
            last, told = self._marks.get(market), self._results.get(market)
            self._marks[market] = mark(held, self._walk.window(market), last, told)
        won = self._account.pnl(market, self._marks[market].value if held.position else 0)
        since_ns, before = self._worth.get(market, (at_ns, 0))
        if won != before:
            self._pieces.append((market, since_ns, at_ns, won - before, trusted))
        self._worth[market] = at_ns, won

    def _active(self) -> tuple[str, ...]:
        """Markets in which something is held or rests."""
        return tuple(sorted({held.market for held in self._account.held()} | set(self._resting.markets)))

    def _row(self, at_ns: int) -> None:
        """A row of equity, for which the books are checked."""
        account = self._account
        held = account.held()
        for holding in held:
            self._value(holding.market, at_ns)
        value = account.check(self._marks)
        cash, exposure = account.cash, sum(holding.cost for holding in held) + self._resting.cost
        active = self._actives.setdefault(self._active(), len(self._actives))
        self._equity.add(
            (self._journal.tape, at_ns, cash, value, account.fees, cash + value, exposure, self._resting.count, active)
        )

    def _finish(self, end_ns: int) -> None:
        """The tape is over: what is still held stays as it is marked."""
        if end_ns:
            self._row(end_ns)
        self._trust.finish(end_ns)
        for market, close_ns in self._closes.items():
            self._trust.closed(market, close_ns)
        for market, (_, won) in self._worth.items():
            found = self._sums.setdefault(market, MarketSum())
            found.pnl = won
            found.position = self._account.holding(market).position
            found.mark = self._marks[market] if found.position else None
            value = self._results.get(market, result(self._walk.life(market)))
            found.settlement = value if found.settlement is None else found.settlement
        for market, from_ns, until_ns, won, trusted in self._pieces:
            if trusted and self._trust.was(market, from_ns, until_ns):
                self._sums[market].pnl_trusted += won
        self._account.next_tape(self._marks)
        for fill in self._fills:
            fill[_SETTLEMENT] = self._sums[fill[_MARKET]].settlement

    def measured(self) -> Measured:
        """All of it, when the walk is over."""
        trust, tape = self._trust, self._journal.tape
        spans = [
            (tape, span.from_ns, span.until_ns, span.reason, span.market)
            for span in trust.spans(self._journal.interest)
        ]
        return Measured(
            fills=table_of(FILLS, [tuple(fill) for fill in self._fills]),
            equity=self._trusted(self._equity.table()),
            positions=self._positions.table(),
            spans=table_of(SPANS, spans),
            markets=dict(sorted(self._sums.items())),
            end_ns=self._walk.now_ns,
        )

    def _trusted(self, raw: pa.Table) -> pa.Table:
        """Equity with whether every market in play was trusted, which is only known when the tape is over."""
        actives, trust = list(self._actives), self._trust
        marked = zip(raw.column("at_ns").to_pylist(), raw.column("trusted").to_pylist(), strict=True)
        told = [all(trust.was(market, at_ns, at_ns) for market in actives[number]) for at_ns, number in marked]
        return raw.set_column(_TRUSTED, EQUITY.field(_TRUSTED), pa.array(told, pa.bool_())).cast(EQUITY)


_MARKET: Final = FILLS.get_field_index("market")
_MARKS: Final = tuple(FILLS.get_field_index(name) for name in ("mark_1s", "mark_10s", "mark_60s"))
_SETTLEMENT: Final = FILLS.get_field_index("settlement")


def _place(happening: Placed) -> tuple[int, int]:
    """When it happened, and the record that it came with, NEVER = it came between two records."""
    is_at_record = isinstance(happening, Filled) and not happening.is_taker
    return happening.at_ns, happening.seq if isinstance(happening, Filled) and is_at_record else NEVER
