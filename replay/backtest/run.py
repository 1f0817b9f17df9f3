"""A backtest: strategies over tapes, one after the other, before the simulated venue, and what came of it.

Knows the order of things: decide, then measure, tape by tape with one account; and what a result has to say of how it
came about. Must not know how anything is shown. Units as in `replay.backtest.tables`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
import pyarrow as pa

from capture.tape.reader import Tape
from core.actions import RiskLimits, RunTerms, StrategySpec
from core.cells import NEVER
from core.errors import ConfigError
from core.version import VERSION
from replay import open_tape
from replay.backtest import chooser
from replay.backtest.columns import table_of
from replay.backtest.journal import Journal
from replay.backtest.market_rows import market_rows
from replay.backtest.measure import Measured, measure
from replay.backtest.money import Account
from replay.backtest.order_rows import order_rows
from replay.backtest.result import SCHEMA, Result, orders_hash
from replay.backtest.setup import Setup
from replay.backtest.spans import Span, between, on_days
from replay.backtest.tables import DECISIONS, MARKETS, ORDERS, TABLES
from replay.backtest.told_of import assumptions, notes
from replay.backtest.totals import totals
from replay.books import markets_of, near_to
from replay.hosted import Hosted
from replay.loading import specify
from replay.progress import Progress, silent
from replay.purged import purge_of, purged
from replay.venue.terms import QUEUES, VenueTerms
from replay.when import parse_time

PROGRESS_RECORDS: Final = 16_384

Named: TypeAlias = StrategySpec | str
"""A strategy: its specification, or its import path with the parameters that it has by itself."""


def strategy(path: str, name: str = "", **params: Any) -> StrategySpec:
    """A strategy by its import path ("package.module:Class", "file.py:Class") and parameters; raises ConfigError."""
    return specify(name or path.rpartition(":")[2], path, params)


def backtest(
    tapes: Sequence[str | Path] | str | Path,
    strategies: Sequence[Named] | Named,
    *,
    venue: VenueTerms | None = None,
    seed: int = 0,
    limits: RiskLimits | None = None,
    markets: Sequence[str] = (),
    start: int | str | None = None,
    end: int | str | None = None,
    group_limit: int = 0,
    progress: Progress = silent,
) -> Result:
    """Run strategies over one tape or several, with one account; see docs/BACKTESTS.md for what is supposed.

    markets: names or patterns such as "KXGOLD15M-*" to be selected for strategies that quote what is selected.
    limits: as those of a live run. group_limit: what all orders may match within 15 s, 1/100 contract, 0 = no limit.
    start: when strategies begin; books and facts are known by then. end: the last
    instant that is played. Either in Unix ns or as the commands take it. Progress in records of all tapes.
    Raises ConfigError for what cannot be, TapeError and TapeDamaged for tapes.
    """
    paths = [tapes] if isinstance(tapes, str | Path) else list(tapes)
    named = [strategies] if isinstance(strategies, str | StrategySpec) else list(strategies)
    setup = Setup(
        tapes=tuple(str(path) for path in paths),
        strategies=tuple(one if isinstance(one, StrategySpec) else strategy(one) for one in named),
        venue=venue or VenueTerms(),
        seed=seed,
        limits=limits or RiskLimits(),
        markets=tuple(markets),
        from_ns=_instant(start),
        until_ns=_instant(end),
        group_limit=group_limit,
    )
    return perform(setup, progress=progress)


def perform(
    setup: Setup,
    *,
    path: str = "columns",
    command: Sequence[str] = (),
    around: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Result:
    """Run what a setup says by one path. command: the words it was asked for by. around: see `replay.hosted.AROUND`.

    Raises as `backtest`.
    """
    tapes = in_order(setup)
    _require(setup)
    absent = _absent(setup.markets, tapes)
    work = _Work(setup, path, dict(around or {}), Account(setup.venue.cash))
    spans = spans_of(setup, tapes)
    whole = sum(span.tape.head_seq + 1 for span in spans)
    done = 0
    for number, span in enumerate(spans):
        work.play(number, span, lambda seq, done=done: progress(done + seq, whole))
        done += span.tape.head_seq + 1
        progress(done, whole)
    return work.result(command, absent)


def spans_of(setup: Setup, tapes: Sequence[Tape]) -> list[Span]:
    """What is played of the tapes, in order, with books that are without the orders of the accounts that recorded them;
    raises ConfigError where nothing is."""
    inside = [purged(tape) for tape in tapes if _reaches(tape, setup)]
    whole = [span for tape in inside for span in (on_days(tape, setup.days) if setup.days else [Span(tape)])]
    spans = [part for span in whole if (part := between(span, setup.from_ns, setup.until_ns)) is not None]
    if not spans:
        raise ConfigError("no tape has anything in the time that is to be played")
    return spans


def _reaches(tape: Tape, setup: Setup) -> bool:
    """Whether a tape has anything between the instants of a setup; an empty one counts, so that it is told of."""
    if tape.head_seq < 0:
        return True
    last = next(tape.records(tape.head_seq, tape.head_seq))
    begins_late = setup.until_ns is not None and _first_ns(tape) > setup.until_ns
    return not begins_late and not (setup.from_ns is not None and last.at_ns < setup.from_ns)


def _instant(at: int | str | None) -> int | None:
    try:
        return parse_time(at) if isinstance(at, str) else at
    except ValueError as error:
        raise ConfigError(str(error)) from error


def in_order(setup: Setup) -> list[Tape]:
    """The tapes in the order of their first records, however they were named; raises ConfigError, TapeError."""
    if not setup.tapes:
        raise ConfigError("a backtest needs a tape; name one or more")
    opened = [open_tape(path) for path in setup.tapes]
    starts = {str(tape.path): _first_ns(tape) for tape in opened}
    if len({tape.path.resolve() for tape in opened}) < len(opened):
        raise ConfigError("a tape is named twice; each is played once")
    return sorted(opened, key=lambda tape: (starts[str(tape.path)], str(tape.path)))


def run_terms(setup: Setup) -> RunTerms:
    """What the run of a setup holds to."""
    return RunTerms(limits=setup.limits, order_life_s=setup.order_life_s, group_limit=setup.group_limit)


def cast(setup: Setup) -> tuple[StrategySpec, ...]:
    """The strategies that run: those of the setup, and whoever selects markets for them."""
    if not setup.markets:
        return setup.strategies
    return (specify(chooser.NAME, chooser.PATH, {"markets": setup.markets}), *setup.strategies)


def _require(setup: Setup) -> None:
    """Raises ConfigError for what can be told before anything runs."""
    if not setup.strategies:
        raise ConfigError("a backtest needs a strategy; name one or more")
    names = [spec.name for spec in cast(setup)]
    if len(set(names)) < len(names):
        raise ConfigError(f"two strategies have the same name: {', '.join(names)}")
    if setup.venue.queue not in QUEUES:
        raise ConfigError(f"queue model {setup.venue.queue!r} is none of {', '.join(QUEUES)}")
    if setup.venue.cash <= 0:
        raise ConfigError(f"cash {setup.venue.cash / 1_000_000:g} dollars is nothing to trade with; give more than 0")
    if setup.group_limit < 0:
        raise ConfigError(f"a group limit of {setup.group_limit / 100:g} contracts cannot be; give 0 for none")
    latency = setup.venue.latency
    for name in ("feed_ns", "order_ns", "answer_ns"):
        if getattr(latency, name) < 0:
            raise ConfigError(f"latency {name.removesuffix('_ns')} of {getattr(latency, name)} ns is before its cause")


def _absent(patterns: Sequence[str], tapes: Sequence[Tape]) -> list[str]:
    """The patterns that no market of the tapes fits; raises ConfigError where that is all of them.

    Some may be absent: those of a market that only another part of a sweep has. An empty tape has none at all.
    """
    wanted = [pattern for pattern in patterns if pattern != chooser.ANY]
    known = sorted({market for tape in tapes for market in markets_of(tape)}) if wanted else []
    absent = [one for one in wanted if known and not any(map(chooser.fitting(one).fullmatch, known))]
    if absent and len(absent) == len(patterns):
        raise ConfigError(f"no market of the tapes fits {', '.join(absent)}{near_to(absent[0], known)}")
    return absent


def _first_ns(tape: Tape) -> int:
    first = next(tape.records(0, 0), None)
    return 0 if first is None else first.at_ns


class _Work:
    """A backtest as far as it has come."""

    def __init__(self, setup: Setup, path: str, around: dict[str, Any], account: Account) -> None:
        self._setup, self._path, self._around, self._account = setup, path, around, account
        self._tables: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
        self._tapes: list[dict[str, Any]] = []
        self._assumed: dict[str, None] = {}
        self._faults: list[dict[str, Any]] = []
        self._failed = 0
        self._slow_glances: dict[str, None] = {}
        self._unanswered = 0

    def play(self, number: int, span: Span, progress: Any) -> None:
        """One tape, or a part of it, with what there is by now."""
        tape, journal = span.tape, Journal(number)
        venue = msgspec.structs.replace(self._setup.venue, cash=self._account.cash)
        hosted = Hosted(
            tape, self._path, cast(self._setup), venue=venue, seed=self._setup.seed, listener=journal.heard,
            run_terms=run_terms(self._setup), from_ns=span.from_ns or 0, **self._around,
        )  # fmt: skip
        told = 0
        for seq, record, reaction in hosted.run(until_ns=span.until_ns):
            journal.took(record, hosted.host.now_ns, reaction)
            if seq >= told + PROGRESS_RECORDS:
                told = seq
                progress(seq)
        journal.last_seq = hosted.player.position - 1
        assert hosted.venue is not None, "it was given one"
        times = {market: hosted.venue.exchange.facts.times(market) for market in journal.interest}
        closes = {market: close_ns for market, (_, close_ns) in times.items() if close_ns < NEVER}
        measured = measure(tape, journal, self._account, self._path, from_ns=span.from_ns or 0, closes=closes)
        self._keep(span, journal, measured, hosted)

    def _keep(self, span: Span, journal: Journal, measured: Measured, hosted: Hosted) -> None:
        assert hosted.venue is not None, "it was given one"
        facts = hosted.venue.exchange.facts
        orders = table_of(ORDERS, order_rows(journal))
        rows = market_rows(journal.tape, orders, measured.fills, measured.markets, facts.fee_words)
        made = {
            "decisions": table_of(DECISIONS, journal.decisions), "orders": orders, "markets": table_of(MARKETS, rows),
            "fills": measured.fills, "equity": measured.equity, "positions": measured.positions,
            "spans": measured.spans,
        }  # fmt: skip
        for name, table in made.items():
            self._tables[name].append(table)
        first_ns = measured.equity.column("at_ns")[0].as_py() if measured.equity.num_rows else 0
        frames_ns, tape = journal.frames_ns, span.tape
        self._tapes.append(
            {
                "path": str(tape.path), "digest": tape.manifest.chain, "from_ns": max(frames_ns[0], first_ns),
                "until_ns": frames_ns[1] or measured.end_ns, "records": journal.last_seq + 1,
            }
        )  # fmt: skip
        self._assumed.update(dict.fromkeys([*hosted.venue.assumptions(), *purge_of(tape).sentences()]))
        if purge_of(tape).is_any:
            self._tapes[-1]["own_orders"] = purge_of(tape).summary()
        self._faults += [{"tape": journal.tape, "where": fault.where, "error": fault.error} for fault in journal.faults]
        self._failed += journal.failed
        self._slow_glances.update(dict.fromkeys(hosted.host.wakes.slow_glances))
        self._unanswered += hosted.venue.not_on_tape

    def result(self, command: Iterable[str], absent: list[str]) -> Result:
        """All of it. absent: patterns that no market fits."""
        tables = {name: joined(parts, TABLES[name]) for name, parts in self._tables.items()}
        start_cash = self._setup.venue.cash
        sums = {**totals(tables, start_cash), "failed": self._failed, "not_on_tape": self._unanswered}
        manifest = {
            "schema": SCHEMA,
            "tapedeck": VERSION,
            "command": list(command),
            "tapes": self._tapes,
            **self._setup.manifest(),
            "absent_markets": absent,
            "assumptions": assumptions(self._setup, self._assumed, self._tapes),
            "orders_hash": orders_hash(tables),
            "start_cash": start_cash,
            "totals": sums,
            "faults": self._faults,
            "slow_glances": list(self._slow_glances),
        }
        manifest["notes"] = notes(manifest, tables)
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(manifest))  # as it is when read from a file
        return Result(tables, plain)


def joined(parts: list[pa.Table], schema: pa.Schema) -> pa.Table:
    """Tables end to end, as one."""
    if not parts:
        return table_of(schema, [])
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()
