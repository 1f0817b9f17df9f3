"""The macros that SQL offers: books, best prices, candles, spreads, depth and lag, as queries with parameters.

Knows SQL text over the views. Must not know DuckDB's connection. A time is what every command takes, or a
TIMESTAMP in UTC; a span is '100ms', '1s', '5m' or an INTERVAL. Names within begin with _: an argument may be a column
of the asker's (`from markets m, bbo(m.market)`), which stands where the parameter stood.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from replay.sql.views import contracts, dollars, moment


class Macro(NamedTuple):
    """A macro: its name, its parameters as SQL has them, what it gives, and its query; scalar: it gives one value."""

    name: str
    parameters: str
    says: str
    query: str
    scalar: bool = False


def _pairs(of: Callable[[str], str], unit: str, *names: str) -> str:
    return ", ".join(f"{of(f'_m.{name}_{unit}')} as {name}, _m.{name}_{unit} as {name}_{unit}" for name in names)


_TIME: Final = f"{moment('_m.at_ns')} as time, _m.at_ns as at_ns"
_TOP: Final = ", ".join(
    (_pairs(dollars, "e4", "bid"), _pairs(contracts, "e2", "bid_size"), _pairs(dollars, "e4", "ask"),
     _pairs(contracts, "e2", "ask_size"), f"{dollars('(_m.ask_e4 - _m.bid_e4)')} as spread")
)  # fmt: skip

BOOK_AT: Final = Macro(
    "book_at",
    "ticker, t := 'end'",
    "a market's book at an instant, every record received by then in it: a row a level, on its side's own scale",
    f"""
    with instant as (
        select name as tape, _seq_at(name, _ns(t::varchar)) as until from internal.tapes
    ), begun as (
        select instant.tape, until, coalesce(max(_m.seq) filter (where _m.seq <= until), -1) as since
        from instant
        left join (select name as tape, unnest(_clocks(name)) as _m from internal.tapes) _c on _c.tape = instant.tape
        group by all
    ), refusals as (
        select name as tape, unnest(_refusals(name), max_depth := 2) from internal.tapes
    ), books as (
        select tape, seq, yes_price_e4 as yes_price, yes_size_e2 as yes_size, no_price_e4 as no_price,
            no_size_e2 as no_size
        from snapshots anti join refusals using (tape, seq) where market = ticker
        union all by name
        select tape, _m.seq, _m.yes_price, _m.yes_size, _m.no_price, _m.no_size
        from (select name as tape, unnest(_carried(name)) as _m from internal.tapes) where _m.market = ticker
    ), book as (
        select books.*, until from books join begun on begun.tape = books.tape and books.seq between since and until
        qualify books.seq = max(books.seq) over (partition by books.tape)
    ), changes as (
        select tape, seq, until, 'yes' as side, unnest(yes_price) as price_e4, unnest(yes_size) as size_e2 from book
        union all
        select tape, seq, until, 'no', unnest(no_price), unnest(no_size) from book
        union all
        select _d.tape, _d.seq, until, _d.side, _d.price_e4, _d.delta_e2
        from (select * from deltas anti join refusals using (tape, seq) where market = ticker) _d
        join book on book.tape = _d.tape and _d.seq > book.seq and _d.seq <= until
    ), emptied as (
        select tape, _m.seq as emptied_seq, if(_m.side = 1, 'yes', 'no') as side, _m.price as price_e4
        from (select name as tape, unnest(_emptied(name)) as _m from internal.tapes) where _m.market = ticker
    ), _m as (
        select tape, until, side, price_e4, sum(size_e2)::bigint as size_e2
        from changes _c where not exists (
            select 1 from emptied _e where _e.tape = _c.tape and _e.side = _c.side and _e.price_e4 = _c.price_e4
            and _e.emptied_seq > _c.seq and _e.emptied_seq <= _c.until
        )
        group by tape, until, side, price_e4
    )
    select tape, until as seq, ticker as market, side, {_pairs(dollars, "e4", "price")},
        {_pairs(contracts, "e2", "size")}, _trusted(tape, ticker, until) as trusted
    from _m where size_e2 > 0 order by tape, side desc, price_e4 desc
    """,
)
BBO: Final = Macro(
    "bbo",
    "ticker",
    "best bid and offer of yes, a row whenever a price, a size or the trust in the book changed",
    f"""
    select tape, _m.seq as seq, {_TIME}, ticker as market, {_TOP}, _m.trusted as trusted
    from (select name as tape, unnest(_tops(name, ticker)) as _m from internal.tapes)
    """,
)
DEPTH: Final = Macro(
    "depth",
    "ticker, every := '1s'",
    "what rests in a book at each multiple of a span while it is recorded; near: within five cents of the best price",
    f"""
    select tape, _m.seq as seq, {_TIME}, ticker as market, {_TOP}, _m.bid_levels as bid_levels,
        _m.ask_levels as ask_levels,
        {_pairs(contracts, "e2", "bid_depth", "ask_depth", "bid_near", "ask_near")}, _m.trusted as trusted
    from (select name as tape, unnest(_grid(name, ticker, _span_ns(every::varchar))) as _m from internal.tapes)
    """,
)
SPREAD: Final = Macro(
    "spread",
    "ticker, every := '1m'",
    "spread, mid price and sizes at the top, averaged over time in each span that was recorded; quoted: the part of it "
    "with both sides",
    f"""
    with moves as (
        select _b.*, least(
            coalesce(lead(_b.at_ns) over (partition by _b.tape order by _b.seq), _t.last_at_ns),
            coalesce(_s.at_ns, _t.last_at_ns)
        ) as until_ns
        from bbo(ticker) _b join internal.tapes _t on _t.name = _b.tape
        asof left join internal.stops _s on _s.tape = _b.tape and _s.seq >= _b.seq
    ), pieces as (
        select *, unnest(generate_series(at_ns // span, greatest(at_ns, until_ns - 1) // span)) as bucket
        from (select *, _span_ns(every::varchar) as span from moves)
    ), _m as (
        select tape, bucket * span as at_ns, bid_e4, ask_e4, bid_size_e2, ask_size_e2, trusted,
            greatest(least(until_ns, (bucket + 1) * span) - greatest(at_ns, bucket * span), 0) as ns,
            if(bid_e4 is null or ask_e4 is null, 0, ns) as quoted_ns
        from pieces
    )
    select tape, {_TIME}, ticker as market,
        sum((ask_e4 - bid_e4) * quoted_ns) / nullif(sum(quoted_ns), 0) / 1e4 as spread,
        {dollars("min(ask_e4 - bid_e4)")} as least_spread, {dollars("max(ask_e4 - bid_e4)")} as most_spread,
        sum((ask_e4 + bid_e4) * quoted_ns) / nullif(sum(quoted_ns), 0) / 2e4 as mid,
        sum(bid_size_e2 * ns) / nullif(sum(ns) filter (where bid_e4 is not null), 0) / 1e2 as bid_size,
        sum(ask_size_e2 * ns) / nullif(sum(ns) filter (where ask_e4 is not null), 0) / 1e2 as ask_size,
        sum(quoted_ns) / nullif(sum(ns), 0) as quoted, bool_and(trusted) as trusted
    from _m group by tape, _m.at_ns order by tape, _m.at_ns
    """,
)
OHLC: Final = Macro(
    "ohlc",
    "ticker, every := '1m'",
    "candles of the trades of a market, by the price of yes; trusted: no gap that may concern it touches the span",
    f"""
    with _m as (
        select tape, span, at_ns // span * span as at_ns,
            arg_min(price_e4, seq) as open_e4, max(price_e4) as high_e4, min(price_e4) as low_e4,
            arg_max(price_e4, seq) as close_e4, sum(count_e2)::bigint as volume_e2, count(*) as trades,
            sum(price_e4 * count_e2) / sum(count_e2) / 1e4 as vwap
        from (
            select tape, seq, at_ns, price_e4, count_e2, _span_ns(every::varchar) as span from trades
            anti join (select name as tape, unnest(_refusals(name), max_depth := 2) from internal.tapes)
            using (tape, seq)
            where market = ticker
        ) group by tape, span, at_ns // span
    )
    select tape, {_TIME}, ticker as market, {_pairs(dollars, "e4", "open", "high", "low", "close")},
        {_pairs(contracts, "e2", "volume")}, trades, vwap,
        not exists (
            select 1 from gaps _g where _g.tape = _m.tape and _g.from_ns < _m.at_ns + span
            and coalesce(_g.until_ns, _m.at_ns + 1) > _m.at_ns
            and (len(_g.markets) = 0 or list_contains(_g.markets, ticker))
        ) as trusted
    from _m order by tape, at_ns
    """,
)
LAG: Final = Macro(
    "lag",
    "every := '1m'",
    "how late frames came after the exchange's time of them, by span; two clocks, so it may be negative",
    f"""
    with _m as (
        select tape, at_ns // span * span as at_ns, count(*) as frames,
            quantile_cont(lag_ms, [0, 0.5, 0.99, 1]) as lags
        from (select *, _span_ns(every::varchar) as span from frames where exchange_us is not null)
        group by tape, at_ns // span * span
    )
    select tape, {_TIME}, frames, lags[1] as least_ms, lags[2] as p50_ms, lags[3] as p99_ms, lags[4] as most_ms
    from _m order by tape, at_ns
    """,
)
SEQ_AT: Final = Macro(
    "seq_at",
    "tape, t",
    "the last record of a tape received by an instant",
    "_seq_at(tape, _ns(t::varchar))",
    scalar=True,
)
TRUSTED: Final = Macro(
    "trusted",
    "tape, ticker, seq",
    "whether nothing is known to be missing from a market's book just after a record",
    "_trusted(tape, ticker, seq)",
    scalar=True,
)
MACROS: Final = (BOOK_AT, BBO, DEPTH, SPREAD, OHLC, LAG, SEQ_AT, TRUSTED)
