"""More of the views that SQL offers: those of rare records, whose payloads are read when they are asked for.

Knows what of the exchange's account messages, REST answers and our own records is a column. Must not know DuckDB.
"""

from typing import Final

from core.records import Kind
from replay.sql.views import (
    FROM,
    RECORD,
    Column,
    View,
    decoded,
    moment_of,
    money_of,
    own,
    price_of,
    said,
    shape,
    size_of,
)

LIFECYCLE: Final = View(
    "lifecycle",
    "what became of a market, as the exchange told it",
    (
        *RECORD,
        *FROM,
        Column("market", "market", "the ticker"),
        said("event", "created, activated, deactivated, close_date_updated, determined, settled ..."),
        said("result", "yes, no, scalar; null = not told"),
        *price_of("settlement_value", "what a yes contract pays", "m.settlement_value"),
        *moment_of("open", "opens", "nullif(m.open_ns, 0)"),
        *moment_of("close", "closes", "nullif(m.close_ns, 0)"),
        *moment_of("determined", "was determined", "nullif(m.determined_ns, 0)"),
        *moment_of("settled", "was settled", "nullif(m.settled_ns, 0)"),
        said("event_ticker", "the event it belongs to"),
    ),
    decoded(
        shape(
            event="VARCHAR", result="VARCHAR", settlement_value="INTEGER", open_ns="BIGINT", close_ns="BIGINT",
            determined_ns="BIGINT", settled_ns="BIGINT", event_ticker="VARCHAR",
        ),
        "market_lifecycle_v2",
        "multivariate_market_lifecycle",
    ),
)  # fmt: skip
ORDERS: Final = View(
    "orders",
    "our orders as the exchange told of them; counts are totals, not changes",
    (
        *RECORD,
        Column("connection", "connection", "the socket it came on"),
        Column("market", "market", "the ticker"),
        said("order_id", "the exchange's id"),
        said("client_order_id", "ours"),
        said("status", "resting, canceled, executed ..."),
        said("side", "yes or no"),
        *price_of("price", "of yes", "m.price"),
        *size_of("initial_count", "asked for", "m.initial_count"),
        *size_of("fill_count", "filled", "m.fill_count"),
        *size_of("remaining_count", "still resting", "m.remaining_count"),
        *money_of("fees", "paid so far", "(m.taker_fees + m.maker_fees)"),
        said("update_reason", "why it was sent"),
    ),
    decoded(
        shape(
            order_id="VARCHAR", client_order_id="VARCHAR", status="VARCHAR", side="VARCHAR", price="INTEGER",
            initial_count="BIGINT", fill_count="BIGINT", remaining_count="BIGINT", taker_fees="BIGINT",
            maker_fees="BIGINT", update_reason="VARCHAR",
        ),
        "user_order",
    ),
)  # fmt: skip
POSITIONS: Final = View(
    "positions",
    "our positions as the exchange told of them",
    (
        *RECORD,
        Column("connection", "connection", "the socket it came on"),
        Column("market", "market", "the ticker"),
        *size_of("position", "held: positive = yes, negative = no", "m.position"),
        *money_of("position_cost", "what it cost", "m.position_cost"),
        *money_of("realized_pnl", "gained so far", "m.realized_pnl"),
        *money_of("fees_paid", "paid so far", "m.fees_paid"),
    ),
    decoded(
        shape(position="BIGINT", position_cost="BIGINT", realized_pnl="BIGINT", fees_paid="BIGINT"),
        "market_position",
    ),
)
_FILL: Final = shape(
    trade_id="VARCHAR", order_id="VARCHAR", client_order_id="VARCHAR", side="VARCHAR", price="INTEGER", count="BIGINT",
    is_taker="BOOLEAN", fee="BIGINT", post_position="BIGINT",
)  # fmt: skip
_PAPER: Final = """(
    select event.tape, event.seq, event.at_ns, placed.market, 'paper' as venue, {
        'trade_id': event.fill.trade_id, 'order_id': null::varchar, 'client_order_id': event.fill.client_order_id,
        'side': placed.side, 'price': event.fill.price, 'count': event.fill.count,
        'is_taker': coalesce(event.fill.is_taker, false), 'fee': coalesce(event.fill.fee, 0),
        'post_position': null::bigint
    } as m
    from (select tape, seq, at_ns, unnest(m.fills) as fill from internal.outcomes) event
    left join (
        select distinct on (tape, m.action.client_order_id) tape, m.action.client_order_id as id,
            m.action.market as market, case m.action.side when 'bid' then 'yes' else 'no' end as side
        from internal.decisions where m.action.do = 'place' order by seq
    ) placed on placed.tape = event.tape and placed.id = event.fill.client_order_id
)"""
_OUTCOMES: Final = own(
    Kind.OUTCOME,
    shape(
        decision="BIGINT", done="VARCHAR", status="INTEGER", code="VARCHAR", reason="VARCHAR", order_id="VARCHAR",
        filled="BIGINT", remaining="BIGINT",
    )
    + ', "fills": [{' + shape(
        client_order_id="VARCHAR", trade_id="VARCHAR", price="INTEGER", count="BIGINT", fee="BIGINT", is_taker="BOOLEAN"
    ) + "}]",
)  # fmt: skip
_DECISIONS: Final = own(
    Kind.DECISION,
    shape(number="BIGINT", cause="BIGINT", ordinal="INTEGER", strategy="VARCHAR", refused="VARCHAR")
    + ', "action": {' + shape(
        do="VARCHAR", market="VARCHAR", client_order_id="VARCHAR", order_id="VARCHAR", side="VARCHAR", price="INTEGER",
        count="BIGINT", text="VARCHAR", path="VARCHAR",
    ) + "}",
)  # fmt: skip
_IN_SESSION: Final = """(
    select r.*, s.session from {records} r
    asof left join (select tape, seq, seq as session from internal.rows where kind = {kind}) s
    on r.tape = s.tape and r.seq >= s.seq
)"""


def _in_session(records: str) -> str:
    return _IN_SESSION.format(records=records, kind=int(Kind.SESSION))


FILLS: Final = View(
    "fills",
    "our fills, as the exchange or the paper venue told of them",
    (
        *RECORD,
        Column("venue", "venue", "exchange or paper"),
        Column("market", "market", "the ticker"),
        said("trade_id", "the exchange's id of the trade"),
        said("order_id", "the exchange's id of our order"),
        said("client_order_id", "ours"),
        said("side", "what we bought: yes or no"),
        *price_of("price", "of yes", "m.price"),
        *size_of("count", "how many", "m.count"),
        said("is_taker", "we took, rather than rested"),
        *money_of("fee", "of the whole fill", "m.fee"),
        *size_of("post_position", "held afterwards", "m.post_position"),
    ),
    f"""(
    select tape, seq, at_ns, market, 'exchange' as venue, m from {decoded(_FILL, "fill")} union all by name {_PAPER}
)""",
)
DECISIONS: Final = View(
    "decisions",
    "what strategies decided, why, and what became of it",
    (
        *RECORD,
        Column("session", "session", "seq of the SESSION record that it belongs to"),
        said("number", "1, 2, 3 ... within the session"),
        said("cause", "seq of the record because of which it was taken"),
        said("strategy", "its name; empty = the host's own"),
        said("action", "place, amend, cancel, subscribe, unsubscribe, fetch, select, say", "action.do"),
        said("market", "the ticker", "action.market"),
        said("client_order_id", "our id of the order", "action.client_order_id"),
        said("side", "bid buys yes, ask buys no", "action.side"),
        *price_of("price", "of yes", "m.action.price"),
        *size_of("count", "how many", "m.action.count"),
        said("text", "words for people", "action.text"),
        Column("refused", "coalesce(m.refused, '')", "why it was not carried out; empty = it was"),
        Column("outcome", "o_done", "done, refused, failed; null = nothing is on record"),
        Column("outcome_seq", "o_seq", "the record that says so"),
        Column("reason", "o_reason", "the sentence that came with it"),
        Column("order_id", "o_order_id", "the exchange's id of the order"),
        Column("round_trip_ms", "(o_at_ns - at_ns) / 1e6", "from the decision's record to its outcome's"),
    ),
    f"""(
    select d.*, o.m.done as o_done, o.seq as o_seq, o.m.reason as o_reason, o.m.order_id as o_order_id,
        o.at_ns as o_at_ns
    from {_in_session("internal.decisions")} d
    left join (select * from {_in_session("internal.outcomes")} where m.decision > 0) o
    on o.tape = d.tape and o.session = d.session and o.m.decision = d.m.number
)""",
)
REST: Final = View(
    "rest",
    "REST requests and their answers",
    (
        *RECORD,
        said("method", "GET, POST ..."),
        said("path", "from the root, with its query"),
        Column("status", "coalesce(m.status, 0)", "HTTP status, 0 = there was no answer"),
        Column("took_ms", "m.took_ns / 1e6", "from the request to the last byte"),
        Column("error", "coalesce(m.error, '')", "why there was no answer"),
        Column("why", "coalesce(m.why, '')", "what it was asked for"),
        Column("body", "coalesce(m.body, '')", "what was sent"),
        Column("answer", "coalesce(m.answer, '')", "what was received"),
    ),
    own(
        Kind.REST,
        shape(
            method="VARCHAR", path="VARCHAR", status="INTEGER", took_ns="BIGINT", error="VARCHAR", why="VARCHAR",
            body="VARCHAR", answer="VARCHAR",
        ),
    ),
)  # fmt: skip
SESSIONS: Final = View(
    "sessions",
    "times that the recorder started",
    (
        *RECORD,
        said("uuid", "its name"),
        said("environment", "prod, demo, a URL"),
        said("code", "version that recorded it"),
        Column("sources", "len(m.sources)", "of an import: how many files it was made from"),
    ),
    own(Kind.SESSION, shape(uuid="VARCHAR", environment="VARCHAR", code="VARCHAR") + ', "sources": ["JSON"]'),
)
GAPS: Final = View(
    "gaps",
    "spans in which something may be missing: those the recorder told of and those that the records show",
    (
        Column("tape", "tape", "the tape's name: its directory's"),
        said("number", "1, 2, 3 ... within the tape"),
        said("reason", "sequence, reconnect, stall, down, disk_full ..."),
        Column("connection", "m.connection", "the socket it concerns, 0 = all"),
        Column("sid", "m.sid", "the subscription it concerns, 0 = all"),
        said("markets", "the tickers it concerns, none = all"),
        *moment_of("from", "the last instant vouched for", "m.from_ns"),
        *moment_of("until", "the first one after it; null = it is open", "m.until_ns"),
        Column("seconds", "(m.until_ns - m.from_ns) / 1e9", "how long it was"),
        said("opened_seq", "the record that showed it"),
        said("closed_seq", "the record at which it was over; null = it is open"),
        said("expected", "with reason sequence: the number that was due"),
        said("got", "with reason sequence: the one that came"),
    ),
    "(select name as tape, unnest(_gaps(name)) as m from internal.tapes)",
)
CONNECTIONS: Final = View(
    "connections",
    "sockets",
    (
        Column("tape", "tape", "the tape's name: its directory's"),
        said("connection", "its number"),
        said("session", "1, 2, 3 ...: which start of the recorder it belongs to"),
        *moment_of("opened", "up", "m.opened_ns"),
        *moment_of("closed", "down; null = not seen to close", "m.closed_ns"),
        *moment_of("last_frame", "when anything last came on it", "m.last_frame_ns"),
        said("frames", "received on it"),
        said("replaces", "the socket it took over from, 0 = none"),
        said("implied", "the recording has no record of the connect"),
    ),
    "(select name as tape, unnest(_connections(name)) as m from internal.tapes)",
)
MARKETS: Final = View(
    "markets",
    "the markets of each tape, and what is told of them",
    (
        Column("tape", "tape", "the tape's name: its directory's"),
        Column("market", "market", "the ticker"),
        Column("frames", "frames", "that name it"),
        Column("trades", "trades", "public trades"),
        *size_of("traded", "in these trades", "traded"),
        *moment_of("first", "the first frame that names it", "first_at_ns"),
        *moment_of("last", "the last one", "last_at_ns"),
        said("event", "the event it belongs to; this and what follows is null where no answer or message told it"),
        said("title", "its question"),
        said("status", "active, closed, determined, finalized ..."),
        said("result", "yes, no, scalar"),
        *price_of("settlement_value", "what a yes contract pays", "m.settlement_value"),
        *moment_of("open", "opens", "m.open_ns"),
        *moment_of("close", "closes", "m.close_ns"),
    ),
    """(
    select counted.*, told.m from (
        select tape, market, count(*) as frames, count(*) filter (where type = 'trade') as trades,
            coalesce(sum(size) filter (where type = 'trade'), 0)::bigint as traded,
            min(at_ns) as first_at_ns, max(at_ns) as last_at_ns
        from internal.rows where market is not null group by tape, market
    ) counted
    left join (select name as tape, unnest(_facts(name)) as m from internal.tapes) told
    on told.tape = counted.tape and told.m.market = counted.market
)""",
)
TAPES: Final = View(
    "tapes",
    "the tapes that are asked, as they were when the connection was made",
    (
        Column("tape", "name", "its name in the other views"),
        Column("path", "path", "its directory"),
        Column("environment", "environment", "what was recorded: prod, demo, a URL"),
        Column("records", "records", "how many"),
        Column("segments", "segments", "sealed files"),
        Column("unsealed", "unsealed", "records that are in no sealed file yet"),
        *moment_of("first", "the first record", "first_at_ns"),
        *moment_of("last", "the last one", "last_at_ns"),
        Column("ended", "ended", "clean_stop, gap, unproven, or recording: somebody writes it"),
    ),
    "internal.tapes",
)

_STOPS: Final = f"(select tape, seq, at_ns from internal.rows where kind = {int(Kind.CLEAN_STOP)})"

BEHIND: Final = (("decisions", _DECISIONS), ("outcomes", _OUTCOMES), ("stops", _STOPS))
"""Views behind the views, in a schema of their own: not meant to be asked."""

RARE: Final = (
    LIFECYCLE, ORDERS, FILLS, POSITIONS, REST, CONNECTIONS, GAPS, DECISIONS, MARKETS, SESSIONS, TAPES,
)  # fmt: skip
"""What is read from payloads, or known of the tape as a whole."""
