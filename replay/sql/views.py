"""The views that SQL offers, each column with what it says: DESIGN 9, documented in docs/SQL.md from here.

Knows SQL text over `internal.rows`, the records of all tapes as they are stored. Must not know DuckDB's connection.

Every view begins with `tape` and `seq`, which name a record. Prices are dollars and sizes contracts, as decimals; the
whole number beside them is what the tape holds: `_e4` in 1/10,000 dollar, `_e2` in 1/100 contract, `_e6` in 1/1,000,000
dollar, `_ns` in ns since 1970. Filters on `type`, `market`, `seq`, `at_ns` and whole prices reach the files.
"""

from typing import Final, NamedTuple

from core.records import Kind


class Column(NamedTuple):
    """A column: its name, its SQL, and what it says."""

    name: str
    sql: str
    says: str


class View(NamedTuple):
    """A view: its name, what a row is, its columns, and where they come from."""

    name: str
    says: str
    columns: tuple[Column, ...]
    source: str


def dollars(sql: str) -> str:
    """A price in 1/10,000 dollar as a decimal."""
    return f"({sql} * 0.0001::decimal(5, 4))::decimal(9, 4)"


def contracts(sql: str) -> str:
    """A size in 1/100 contract as a decimal."""
    return f"({sql} * 0.01::decimal(3, 2))::decimal(18, 2)"


def money(sql: str) -> str:
    """Money in 1/1,000,000 dollar as a decimal."""
    return f"({sql} * 0.000001::decimal(7, 6))::decimal(18, 6)"


def moment(sql: str) -> str:
    """Unix ns as a timestamp in UTC."""
    return f"make_timestamp_ns({sql})"


def side(sql: str) -> str:
    """1 and 2 as words."""
    return f"case {sql} when 1 then 'yes' when 2 then 'no' end"


def price_of(name: str, says: str, sql: str = "") -> tuple[Column, ...]:
    """Two columns: a price as a decimal and as it is held."""
    return (
        Column(name, dollars(sql or name), f"{says}, dollars"),
        Column(f"{name}_e4", sql or name, f"{says}, 1/10,000 dollar"),
    )


def size_of(name: str, says: str, sql: str = "") -> tuple[Column, ...]:
    """Two columns: a size as a decimal and as it is held."""
    return (
        Column(name, contracts(sql or name), f"{says}, contracts"),
        Column(f"{name}_e2", sql or name, f"{says}, 1/100 contract"),
    )


def money_of(name: str, says: str, sql: str = "") -> tuple[Column, ...]:
    """Two columns: money as a decimal and as it is held."""
    return (
        Column(name, money(sql or name), f"{says}, dollars"),
        Column(f"{name}_e6", sql or name, f"{says}, 1/1,000,000 dollar"),
    )


def moment_of(name: str, says: str, sql: str = "") -> tuple[Column, ...]:
    """Two columns: an instant as a timestamp and as Unix ns."""
    return (
        Column(name, moment(sql or f"{name}_ns"), f"{says}, UTC"),
        Column(f"{name}_ns", sql or f"{name}_ns", f"{says}, ns since 1970"),
    )


RECORD: Final = (
    Column("tape", "tape", "the tape's name: its directory's"),
    Column("seq", "seq", "the record's place in its tape: 0, 1, 2 ...; the only order there is"),
    Column("time", moment("at_ns"), "when it was received or written, by the wall clock, UTC"),
    Column("at_ns", "at_ns", "the same in ns since 1970"),
)
FROM: Final = (
    Column("connection", "connection", "the socket it came on, 0 = none"),
    Column("sid", "sid", "the exchange's number of the subscription"),
    Column("exchange_seq", "exchange_seq", "the exchange's number within the subscription"),
)
EXCHANGE: Final = (
    Column("exchange_time", moment("exchange_us * 1000"), "the exchange's own time of it, UTC"),
    Column("exchange_us", "exchange_us", "the same in microseconds since 1970"),
    Column(
        "lag_ms",
        "(at_ns - exchange_us * 1000) / 1e6",
        "received after the exchange's time by so many ms; two clocks, so it may be negative",
    ),
)
_REFUSED: Final = Column(
    "refused", "_refused(tape, seq)", "why the store changed nothing at it, null = it was taken in"
)
_BOOK_TRUSTED: Final = Column(
    "trusted",
    "_trusted(tape, market, seq)",
    "true: nothing is known to be missing from the market's book just after it",
)
_TRUSTED: Final = Column(
    "trusted", "not _covered(tape, connection, sid, market, seq)", "true: no gap that may concern it is open at it"
)
PAYLOAD: Final = "coalesce(payload, _payload(tape, seq))"
_TEXT: Final = f"kind = {int(Kind.FRAME)}"
_FRAMES: Final = f"internal.rows where kind <= {int(Kind.FRAME_CLOSE)}"

_KINDS: Final = "case kind " + " ".join(f"when {int(kind)} then '{kind.name}'" for kind in Kind) + " end"


def _of_type(*types: str) -> str:
    return f"internal.rows where {_TEXT} and type in ({', '.join(repr(name) for name in types)})"


def decoded(shape: str, *types: str) -> str:
    """Frames of these types with what they say in `m`: of those whose columns do not hold it all."""
    return f"(select *, from_json(_message({PAYLOAD}), '{{{shape}}}') as m from {_of_type(*types)})"


def shape(**fields: str) -> str:
    """Fields of a JSON object and their types, as `from_json` wants them."""
    return ", ".join(f'"{name}": "{kind}"' for name, kind in fields.items())


def own(kind: Kind, shape: str) -> str:
    """Records of a kind of ours with their payload in `m`."""
    return (
        f"(select *, from_json(try(decode(payload)), '{{{shape}}}') as m from internal.rows where kind = {int(kind)})"
    )


def said(name: str, says: str, field: str = "") -> Column:
    """A column that is a field of what a payload says."""
    return Column(name, f"m.{field or name}", says)


RECORDS: Final = View(
    "records",
    "everything on the tape, a row a record",
    (
        *RECORD,
        Column("mono_ns", "mono_ns", "monotonic clock of the same instant, 0 = the recording has none"),
        Column("connection", "connection", "the socket it belongs to, 0 = none"),
        Column("kind", _KINDS, "what it is: FRAME, SENT, REST, DECISION ... (docs/FORMAT.md)"),
        Column("type", "type", "of a text frame: the exchange's message type"),
        Column("market", "market", "the ticker it names"),
        Column("payload", PAYLOAD, "its bytes: a frame as it was on the wire, our own records as JSON"),
    ),
    "internal.rows",
)
FRAMES: Final = View(
    "frames",
    "everything received on a socket, control frames included",
    (
        *RECORD,
        *FROM,
        Column("kind", _KINDS, "FRAME, FRAME_BINARY, FRAME_PING, FRAME_PONG or FRAME_CLOSE"),
        Column("type", "type", "the exchange's message type"),
        Column("market", "market", "the ticker it names"),
        *EXCHANGE,
        Column("malformed", "malformed", "why a text frame says nothing, null = it does"),
        Column("bytes", f"octet_length({PAYLOAD})", "its length"),
        Column("payload", PAYLOAD, "its bytes as they were on the wire"),
    ),
    _FRAMES,
)
MESSAGES: Final = View(
    "messages",
    "text frames as they were understood",
    (
        *RECORD,
        *FROM,
        Column("type", "type", "the exchange's message type"),
        Column("market", "market", "the ticker it names"),
        *EXCHANGE,
        Column("malformed", "malformed", "why it says nothing, null = it does"),
        Column("unknown_fields", "unknown_fields", "names that this version does not know, with commas between"),
        _REFUSED,
        Column("message", f"_message({PAYLOAD})", "what it says as JSON, in whole units"),
        Column("text", f"try(decode({PAYLOAD}))", "the frame's text"),
    ),
    f"internal.rows where {_TEXT}",
)
DELTAS: Final = View(
    "deltas",
    "changes of one level of a book",
    (
        *RECORD,
        *FROM,
        Column("market", "market", "the ticker"),
        Column("side", side("side"), "whose bids: yes or no"),
        *price_of("price", "the level, on its side's own scale", "own_price"),
        *size_of("delta", "by how much it changed", "size"),
        *EXCHANGE,
        _REFUSED,
        _BOOK_TRUSTED,
    ),
    "{own_prices} where type = 'orderbook_delta'",
)
SNAPSHOTS: Final = View(
    "snapshots",
    "whole books, as sent",
    (
        *RECORD,
        *FROM,
        Column("market", "market", "the ticker"),
        Column("levels", "len(yes_price) + len(no_price)", "how many"),
        Column("yes_price_e4", "yes_price", "bids for yes: prices, 1/10,000 dollar"),
        Column("yes_size_e2", "yes_size", "their sizes, 1/100 contract"),
        Column("no_price_e4", "own_no_price", "bids for no: prices on their own scale, 1/10,000 dollar"),
        Column("no_size_e2", "no_size", "their sizes, 1/100 contract"),
        _REFUSED,
        _BOOK_TRUSTED,
    ),
    "{own_prices} where type = 'orderbook_snapshot'",
)
TRADES: Final = View(
    "trades",
    "public trades",
    (
        *RECORD,
        *FROM,
        Column("market", "market", "the ticker"),
        Column("trade_id", "trade_id", "the exchange's id"),
        Column("taker", side("side"), "the outcome that the taker bought: yes or no"),
        *price_of("price", "the price of yes"),
        *size_of("count", "how many", "size"),
        Column("is_block", "coalesce(is_block, false)", "a block trade"),
        *EXCHANGE,
        _REFUSED,
        _TRUSTED,
    ),
    _of_type("trade"),
)
TICKERS: Final = View(
    "tickers",
    "the exchange's summaries of a market",
    (
        *RECORD,
        *FROM,
        Column("market", "market", "the ticker"),
        *price_of("price", "of the last trade"),
        *price_of("yes_bid", "best bid for yes"),
        *price_of("yes_ask", "best offer of yes"),
        *size_of("yes_bid_size", "at the best bid"),
        *size_of("yes_ask_size", "at the best offer"),
        *size_of("last_trade_size", "of the last trade"),
        *size_of("volume", "traded so far"),
        *size_of("open_interest", "open interest"),
        Column("dollar_volume", "dollar_volume", "whole dollars"),
        Column("dollar_open_interest", "dollar_open_interest", "whole dollars"),
        *EXCHANGE,
        _TRUSTED,
    ),
    _of_type("ticker"),
)

MARKET_DATA: Final = (RECORDS, FRAMES, MESSAGES, DELTAS, SNAPSHOTS, TRADES, TICKERS)
"""What comes from the exchange in typed columns."""
