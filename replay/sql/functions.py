"""The functions that views and macros call: what neither columns nor SQL alone can tell of a tape.

Knows names, types and how rows come out. All of them take and give Arrow arrays; none is called before somebody asks.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.messages import decode
from core.messages.types import Malformed
from replay import query
from replay.ledger import OPEN, GapRow
from replay.sql.facts import facts
from replay.sql.source import Known, Source
from replay.sql.tops import grid, tops
from replay.when import parse_duration, parse_time

_ARROW: Final = {
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "UTINYINT": pa.uint8(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR": pa.string(),
    "BLOB": pa.binary(),
    "VARCHAR[]": pa.list_(pa.string()),
    "INTEGER[]": pa.list_(pa.int32()),
    "BIGINT[]": pa.list_(pa.int64()),
}

Fields = Mapping[str, str]

_SCOPE: Final = {"connection": "INTEGER", "sid": "INTEGER", "markets": "VARCHAR[]"}
_SPAN: Final = dict.fromkeys(("expected", "got", "from_ns", "until_ns", "opened_seq", "closed_seq"), "BIGINT")
_TOP: Final = {
    **dict.fromkeys(("seq", "at_ns"), "BIGINT"),
    "bid_e4": "INTEGER",
    "bid_size_e2": "BIGINT",
    "ask_e4": "INTEGER",
    "ask_size_e2": "BIGINT",
    "trusted": "BOOLEAN",
}

LISTS: Final[dict[str, Fields]] = {
    "_gaps": {"number": "BIGINT", "reason": "VARCHAR", **_SCOPE, **_SPAN},
    "_connections": {
        **dict.fromkeys(("connection", "session"), "INTEGER"),
        **dict.fromkeys(("opened_ns", "closed_ns", "last_frame_ns", "frames"), "BIGINT"),
        "replaces": "INTEGER",
        "implied": "BOOLEAN",
    },
    "_refusals": {"seq": "BIGINT", "reason": "VARCHAR"},
    "_clocks": dict.fromkeys(("seq", "base_ns", "base_mono_ns"), "BIGINT"),
    "_emptied": {"seq": "BIGINT", "market": "VARCHAR", "side": "UTINYINT", "price": "INTEGER"},
    "_scales": {"seq": "BIGINT", "connection": "INTEGER", "sid": "INTEGER", "yes_price": "BOOLEAN"},
    "_carried": {
        "seq": "BIGINT",
        "market": "VARCHAR",
        **{
            f"{side}_{what}": kind
            for side in ("yes", "no")
            for what, kind in (("price", "INTEGER[]"), ("size", "BIGINT[]"))
        },
    },
    "_facts": {
        **dict.fromkeys(("market", "event", "title", "status", "result"), "VARCHAR"),
        **dict.fromkeys(("open_ns", "close_ns", "settled_ns", "settlement_value", "told_seq"), "BIGINT"),
    },
    "_tops": _TOP,
    "_grid": {
        **_TOP,
        **dict.fromkeys(("bid_levels", "ask_levels"), "INTEGER"),
        **dict.fromkeys(("bid_depth_e2", "ask_depth_e2", "bid_near_e2", "ask_near_e2"), "BIGINT"),
    },
}
"""Functions that give a list of rows, and the columns of these."""

_HOUR: Final = re.compile(r".*[+-]\d\d", re.DOTALL)
_CLOCK: Final = re.compile(r"(?:(\d+) days? ?)?(?:(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?")


def add_all(connection: query.Connection, source: Source) -> None:
    """Add every function to a connection."""
    plain: dict[str, tuple[Callable[..., Any], str]] = {
        "_ns": (_each(ns, "BIGINT"), "VARCHAR BIGINT"),
        "_span_ns": (_each(span_ns, "BIGINT"), "VARCHAR BIGINT"),
        "_seq_at": (_each(source.seq_at, "BIGINT"), "VARCHAR BIGINT BIGINT"),
        "_message": (_each(message, "VARCHAR"), "BLOB VARCHAR"),
        "_payload": (_by_tape(source.payloads, "BLOB"), "VARCHAR BIGINT BLOB"),
        "_refused": (
            _by_tape(lambda tape, seqs: refused(source.known(tape), seqs), "VARCHAR"),
            "VARCHAR BIGINT VARCHAR",
        ),
        "_trusted": (_trusted(source), "VARCHAR VARCHAR BIGINT BOOLEAN"),
        "_covered": (_covered(source), "VARCHAR INTEGER INTEGER VARCHAR BIGINT BOOLEAN"),
    }
    for name, (function, kinds) in plain.items():
        query.add_function(connection, name, function, kinds.split())
    listed: dict[str, tuple[Callable[..., Iterable[Any]], str]] = {
        "_gaps": (lambda tape: [gap_row(row) for row in source.known(tape).ledger.gaps], "VARCHAR"),
        "_connections": (lambda tape: _rows(source.known(tape).tally.connections), "VARCHAR"),
        "_refusals": (lambda tape: _rows(source.known(tape).ledger.refused), "VARCHAR"),
        "_clocks": (lambda tape: _rows(source.known(tape).ledger.clocks), "VARCHAR"),
        "_emptied": (lambda tape: _rows(source.known(tape).ledger.emptied), "VARCHAR"),
        "_scales": (lambda tape: _rows(source.known(tape).ledger.scales), "VARCHAR"),
        "_carried": (lambda tape: carried(source.known(tape)), "VARCHAR"),
        "_facts": (lambda tape: facts(source, tape), "VARCHAR"),
        "_tops": (lambda tape, market: tops(source, tape, market), "VARCHAR VARCHAR"),
        "_grid": (lambda tape, market, every_ns: grid(source, tape, market, every_ns), "VARCHAR VARCHAR BIGINT"),
    }
    for name, (rows, kinds) in listed.items():
        kind = f"STRUCT({', '.join(f'{field} {type_}' for field, type_ in LISTS[name].items())})[]"
        query.add_function(connection, name, _listing(rows, LISTS[name]), [*kinds.split(), kind])


def ns(text: str) -> int:
    """Unix ns of a time as every command takes it, or as DuckDB writes its own; `end` is later than any.

    Raises ValueError.
    """
    found = parse_time(text + ":00" if _HOUR.fullmatch(text) and ":" in text else text)
    return OPEN if found is None else found


def span_ns(text: str) -> int:
    """Nanoseconds of a span as every command takes it (100ms, 1s, 5m), or of an INTERVAL. Raises ValueError."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        return parse_duration(text)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[:4])
    micros = int((found[5] or "").ljust(6, "0"))
    total = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000_000 + micros
    if total <= 0:
        raise ValueError(f"{text!r} is no span of time; write 100ms, 1s or 5m")
    return total * 1_000


def message(payload: bytes) -> str | None:
    """A frame as it was understood, as JSON in whole units (`core.messages`); None when it says nothing."""
    found = decode(payload)
    return None if isinstance(found, Malformed) else msgspec.json.encode(found).decode()


def refused(known: Known, seqs: Any) -> list[str | None] | None:
    """Why the store changed nothing at each of these records, None where it did not; None when it refused none."""
    if not len(known.refused_seqs):
        return None
    near = np.minimum(np.searchsorted(known.refused_seqs, seqs), len(known.refused_seqs) - 1)
    hits = known.refused_seqs[near] == seqs
    if not hits.any():
        return None
    return [known.refused[seq] if hit else None for seq, hit in zip(seqs.tolist(), hits.tolist(), strict=True)]


def gap_row(row: GapRow) -> dict[str, Any]:
    """A gap as SQL has it; closed_seq None = it is open."""
    gap = row.gap
    return {
        **{name: getattr(gap, name) for name in ("number", "reason", "connection", "sid", "expected", "got")},
        "markets": list(gap.markets),
        "from_ns": gap.at_ns,
        "until_ns": gap.until_ns,
        "opened_seq": row.opened_seq,
        "closed_seq": None if row.closed_seq == OPEN else row.closed_seq,
    }


def carried(known: Known) -> Iterable[dict[str, Any]]:
    """Books with which sessions began, as SQL has them."""
    for row in known.ledger.carried:
        book = {f"{side}_price": [price for price, _ in levels] for side, levels in (("yes", row.yes), ("no", row.no))}
        book |= {f"{side}_size": [size for _, size in levels] for side, levels in (("yes", row.yes), ("no", row.no))}
        yield {"seq": row.seq, "market": row.market, **book}


def _rows(rows: Iterable[Any]) -> list[Any]:
    return [msgspec.to_builtins(row) for row in rows]


def _each(function: Callable[..., Any], kind: str) -> Callable[..., Any]:
    """A function of single values as one of arrays; null where any argument is."""

    def _over(*columns: Any) -> Any:
        seen: dict[tuple[Any, ...], Any] = {}
        out = []
        for values in zip(*(column.to_pylist() for column in columns), strict=True):
            if values not in seen:
                seen[values] = None if None in values else function(*values)
            out.append(seen[values])
        return pa.array(out, _ARROW[kind])

    return _over


def _by_tape(function: Callable[[str, Any], Any], kind: str) -> Callable[..., Any]:
    """A function of a tape and an array of seqs as one of two arrays. None instead of values: there are none."""

    def _over(tapes: Any, seqs: Any) -> Any:
        numbers, groups = _numbers(seqs), _groups(tapes)
        if len(groups) == 1 and len(groups[0][1]) == len(seqs):
            values = function(groups[0][0], numbers)
            return pa.nulls(len(seqs), _ARROW[kind]) if values is None else pa.array(values, _ARROW[kind])
        out: list[Any] = [None] * len(seqs)
        for tape, places in groups:
            values = function(tape, numbers[places])
            for place, value in zip(places.tolist(), values, strict=True) if values is not None else ():
                out[place] = value
        return pa.array(out, _ARROW[kind])

    return _over


def _trusted(source: Source) -> Callable[..., Any]:
    def _over(tapes: Any, markets: Any, seqs: Any) -> Any:
        numbers, out = _numbers(seqs), np.zeros(len(seqs), np.bool_)
        of_tapes, of_markets = _groups(tapes), _groups(markets)
        for tape, of_tape in of_tapes:
            known = source.known(tape)
            for market, places in of_markets:
                if len(of_tape) == len(seqs):
                    whole = len(places) == len(seqs)
                    out[places] = known.trusted(market, numbers if whole else numbers[places])
                else:
                    both = np.intersect1d(places, of_tape)
                    out[both] = known.trusted(market, numbers[both])
        return pa.array(out)

    return _over


def _covered(source: Source) -> Callable[..., Any]:
    """Whether a gap is open that a record (its connection, sid and market) may concern."""

    def _over(tapes: Any, connections: Any, sids: Any, markets: Any, seqs: Any) -> Any:
        numbers, out = _numbers(seqs), np.zeros(len(seqs), np.bool_)
        connection, sid = _numbers(connections), _numbers(sids)
        for tape, places in _groups(tapes):
            of_tape = np.zeros(len(seqs), np.bool_)
            of_tape[places] = True
            for row in source.known(tape).ledger.gaps:
                gap = row.gap
                hit = of_tape & (numbers >= row.opened_seq) & (numbers < row.closed_seq)
                if gap.connection:
                    hit &= connection == gap.connection
                if gap.sid:
                    hit &= sid == gap.sid
                if gap.markets and hit.any():
                    hit &= np.isin(np.array(markets.to_pylist(), object), list(gap.markets))
                out |= hit
        return pa.array(out)

    return _over


def _listing(function: Callable[..., Iterable[Any]], fields: Fields) -> Callable[..., Any]:
    """A function that gives rows, as one of arrays that gives a list of them for each.

    A row has its values by name, or all of them in the order of `fields`.
    """

    def _values(row: Any) -> tuple[Any, ...]:
        return row if isinstance(row, tuple) else tuple(row.get(name) for name in fields)

    def _over(*columns: Any) -> Any:
        rows: list[tuple[Any, ...]] = []
        ends = [0]
        is_null = []
        for values in zip(*(column.to_pylist() for column in columns), strict=True):
            is_null.append(None in values)
            rows += [] if is_null[-1] else map(_values, function(*values))
            ends.append(len(rows))
        columns_out = list(zip(*rows, strict=True)) or [()] * len(fields)
        arrays = [pa.array(values, _ARROW[kind]) for values, kind in zip(columns_out, fields.values(), strict=True)]
        return pa.ListArray.from_arrays(
            pa.array(ends, pa.int32()), pa.StructArray.from_arrays(arrays, list(fields)), mask=pa.array(is_null)
        )

    return _over


def _groups(texts: Any) -> list[tuple[str, Any]]:
    """Each text of an array, and where it stands; nulls left out."""
    only = texts[0].as_py() if len(texts) else None
    if only is not None and only == texts[-1].as_py() and pc.all(pc.equal(texts, only), skip_nulls=False).as_py():
        return [(only, np.arange(len(texts)))]  # most often so, and quicker than to encode it
    encoded = texts.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return [(text, np.flatnonzero(codes == code)) for code, text in enumerate(encoded.dictionary.to_pylist())]


def _numbers(column: Any) -> Any:
    """An array of whole numbers; 0 for null."""
    return (column.fill_null(0) if column.null_count else column).to_numpy()
