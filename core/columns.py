"""The tape's typed columns: what a frame says, as integers and texts beside (or instead of) its bytes.

Knows which columns there are, how a message fills them and how a message is made from them again. A row is
`complete` when its columns hold the whole message; the others are decoded from their payload by whoever needs
them. Must not know Parquet: `capture.tape.segment` maps these arrays to a file.
"""

from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from core.messages.types import BookDelta, BookSnapshot, Malformed, Message, Side, Ticker, Trade, type_of

DECODER_VERSION: Final = 1
"""Goes up whenever the same bytes may give other columns; `verify --deep` and checkpoints compare it."""

NULL: Final = -(1 << 63)
"""Stands for "no value" in every integer array here."""

Ints: TypeAlias = npt.NDArray[np.int64]


class ColumnSpec(msgspec.Struct, frozen=True):
    """Name and type of a typed column: i32, i64, u8, bool, dict (few distinct texts), str, list_i32, list_i64."""

    name: str
    type: str


TYPED: Final = (
    ColumnSpec("type", "dict"),  # the exchange's message type
    ColumnSpec("malformed", "dict"),  # why a text frame says nothing
    ColumnSpec("unknown_fields", "str"),  # comma-separated
    ColumnSpec("complete", "bool"),
    ColumnSpec("sid", "i32"),
    ColumnSpec("exchange_seq", "i64"),
    ColumnSpec("market", "dict"),
    ColumnSpec("market_id", "dict"),
    ColumnSpec("side", "u8"),  # 1 yes, 2 no; of a trade: the taker's outcome
    ColumnSpec("price", "i32"),  # 1/10,000 dollar; of a trade: the yes price
    ColumnSpec("size", "i64"),  # 1/100 contract; of a delta: signed
    ColumnSpec("exchange_us", "i64"),  # Unix microseconds
    ColumnSpec("clock", "i64"),
    ColumnSpec("sending_ms", "i64"),
    ColumnSpec("trade_id", "str"),
    ColumnSpec("is_block", "bool"),  # true or null
    ColumnSpec("yes_bid", "i32"),
    ColumnSpec("yes_ask", "i32"),
    ColumnSpec("yes_bid_size", "i64"),
    ColumnSpec("yes_ask_size", "i64"),
    ColumnSpec("last_trade_size", "i64"),
    ColumnSpec("volume", "i64"),
    ColumnSpec("open_interest", "i64"),
    ColumnSpec("dollar_volume", "i64"),  # whole dollars
    ColumnSpec("dollar_open_interest", "i64"),
    ColumnSpec("yes_price", "list_i32"),
    ColumnSpec("yes_size", "list_i64"),
    ColumnSpec("no_price", "list_i32"),
    ColumnSpec("no_size", "list_i64"),
)

_WIDTHS: Final = {"i32": np.int32, "i64": np.int64, "u8": np.uint8, "bool": np.bool_}

INT_COLUMNS: Final = tuple(c.name for c in TYPED if c.type in ("i32", "i64", "u8") or c.name == "is_block")
TEXT_COLUMNS: Final = tuple(c.name for c in TYPED if c.type in ("dict", "str"))
WIDTHS: Final = {c.name: _WIDTHS[c.type] for c in TYPED if c.type in _WIDTHS}
LIST_COLUMNS: Final = tuple(c.name for c in TYPED if c.type.startswith("list_"))

SIDE_CODES: Final = {Side.YES: 1, Side.NO: 2}

_TICKER_INTS: Final = (
    "price",
    "yes_bid",
    "yes_ask",
    "yes_bid_size",
    "yes_ask_size",
    "last_trade_size",
    "volume",
    "open_interest",
    "dollar_volume",
    "dollar_open_interest",
)


class Texts(msgspec.Struct, frozen=True):
    """A text column: `codes[row]` indexes `values`, -1 is null."""

    codes: npt.NDArray[np.int32]
    values: list[str]


class Lists(msgspec.Struct, frozen=True):
    """A list column: row r holds `values[offsets[r]:offsets[r + 1]]`; `present[r]` False is null."""

    offsets: npt.NDArray[np.int32]
    values: Ints
    present: npt.NDArray[np.bool_]


class Numbers(dict[str, Ints]):
    """Integer columns by name, NULL for no value. What reads tapes may make each only when it is asked for."""

    def some(self, name: str, rows: Ints) -> Ints:
        """Of these rows alone."""
        return self[name][rows]

    def held(self, name: str) -> tuple[Any, Any]:
        """The column as wide as its type, with anything for no value, and where there is a value; not to be written to.

        The second is empty where every row has one, the first where none has.
        """
        column = self[name]
        values: Any = column.astype(WIDTHS[name])
        values.flags.writeable = False
        return values, column != NULL


class Strings(dict[str, Texts]):
    """Text columns by name."""

    def held(self, name: str) -> tuple[Any, Any]:
        """All texts behind each other as bytes, "" for null: where each row's begins and, last, where all end; and the
        bytes. Neither may be written."""
        texts = self[name]
        values = [*(text.encode() for text in texts.values), b""]  # code -1 is the last
        found = [values[code] for code in texts.codes.tolist()]
        bounds = np.zeros(len(found) + 1, np.int32)
        np.cumsum([len(text) for text in found], out=bounds[1:])
        bounds.flags.writeable = False
        return bounds, np.frombuffer(b"".join(found), np.uint8)


class Columns(msgspec.Struct, frozen=True):
    """The typed columns of a stretch of records.

    shape[row]: 0 = the payload is kept as bytes, n = it is rebuilt from the columns by shape n of the ShapeBook.
    ints: INT_COLUMNS with NULL for no value; texts: TEXT_COLUMNS; lists: LIST_COLUMNS.
    """

    rows: int
    shape: npt.NDArray[np.int16]
    complete: npt.NDArray[np.bool_]
    ints: Numbers
    texts: Strings
    lists: dict[str, Lists]


class ColumnBuilder:
    """Fills the columns of `rows` records; rows never put stay null and not complete."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.shape = np.zeros(rows, np.int16)
        self.complete = np.zeros(rows, np.bool_)
        self.matrix = np.full((len(INT_COLUMNS), rows), NULL, np.int64)
        self.ints: dict[str, Ints] = dict(zip(INT_COLUMNS, self.matrix, strict=True))
        self.codes = {name: np.full(rows, -1, np.int32) for name in TEXT_COLUMNS}
        self._values: dict[str, dict[str, int]] = {name: {} for name in TEXT_COLUMNS}
        self._books: list[tuple[int, BookSnapshot]] = []

    def code(self, column: str, text: str) -> int:
        """The dictionary code of a text in its column."""
        values = self._values[column]
        return values.setdefault(text, len(values))

    def put_text(self, column: str, row: int, text: str) -> None:
        """Set a text; the empty text is null."""
        if text:
            self.codes[column][row] = self.code(column, text)

    def put(self, row: int, message: Message | Malformed) -> None:
        """Fill a row from its decoded frame."""
        if isinstance(message, Malformed):
            self.put_text("malformed", row, message.reason)
            return
        self.put_text("type", row, type_of(message))
        self.put_text("market", row, getattr(message, "market", ""))
        self.put_text("unknown_fields", row, ",".join(message.unknown_fields))
        for name, value in (("sid", message.sid), ("exchange_seq", message.seq), ("sending_ms", message.sending_ms)):
            if value:
                self.ints[name][row] = value
        fill = _FILLERS.get(type(message))
        if fill is not None:
            whole = fill(self, row, message)
            self.complete[row] = whole and not message.unknown_fields and not message.id

    def put_book(self, row: int, book: BookSnapshot) -> None:
        """Remember a snapshot's levels; rows must come in rising order."""
        self._books.append((row, book))

    def finish(self) -> Columns:
        """The columns as they stand."""
        texts = Strings({name: Texts(self.codes[name], list(self._values[name])) for name in TEXT_COLUMNS})
        return Columns(self.rows, self.shape, self.complete, Numbers(self.ints), texts, self._lists())

    def _lists(self) -> dict[str, Lists]:
        self._books.sort(key=lambda entry: entry[0])
        present = np.zeros(self.rows, np.bool_)
        lengths = {name: np.zeros(self.rows, np.int32) for name in LIST_COLUMNS}
        values: dict[str, list[int]] = {name: [] for name in LIST_COLUMNS}
        for row, book in self._books:
            present[row] = True
            for side, levels in (("yes", book.yes), ("no", book.no)):
                lengths[f"{side}_price"][row] = lengths[f"{side}_size"][row] = len(levels)
                values[f"{side}_price"] += [price for price, _ in levels]
                values[f"{side}_size"] += [size for _, size in levels]
        lists = {}
        for name in LIST_COLUMNS:
            offsets = np.zeros(self.rows + 1, np.int32)
            np.cumsum(lengths[name], out=offsets[1:])
            lists[name] = Lists(offsets, np.array(values[name], np.int64), present)
        return lists


def _put_exchange_ns(builder: ColumnBuilder, row: int, exchange_ns: int) -> bool:
    if exchange_ns:
        builder.ints["exchange_us"][row] = exchange_ns // 1000
    return exchange_ns % 1000 == 0


def _fill_delta(builder: ColumnBuilder, row: int, message: Any) -> bool:
    ints = builder.ints
    builder.put_text("market_id", row, message.market_id)
    ints["side"][row] = SIDE_CODES[message.side]
    ints["price"][row] = message.price
    ints["size"][row] = message.delta
    if message.clock:
        ints["clock"][row] = message.clock
    return _put_exchange_ns(builder, row, message.exchange_ns) and not message.client_order_id


def _fill_snapshot(builder: ColumnBuilder, row: int, message: Any) -> bool:
    builder.put_text("market_id", row, message.market_id)
    if message.clock:
        builder.ints["clock"][row] = message.clock
    builder.put_book(row, message)
    return True


def _fill_ticker(builder: ColumnBuilder, row: int, message: Any) -> bool:
    builder.put_text("market_id", row, message.market_id)
    for name in _TICKER_INTS:
        value = getattr(message, name)
        if value is not None:
            builder.ints[name][row] = value
    return _put_exchange_ns(builder, row, message.exchange_ns)


def _fill_trade(builder: ColumnBuilder, row: int, message: Any) -> bool:
    ints = builder.ints
    builder.put_text("trade_id", row, message.trade_id)
    ints["side"][row] = SIDE_CODES[message.taker]
    ints["price"][row] = message.price
    ints["size"][row] = message.count
    if message.is_block:
        ints["is_block"][row] = 1
    return _put_exchange_ns(builder, row, message.exchange_ns)


_FILLERS: Final = {BookDelta: _fill_delta, BookSnapshot: _fill_snapshot, Ticker: _fill_ticker, Trade: _fill_trade}


def text_list(texts: Texts) -> list[str]:
    """One text a row, "" for null."""
    values = [*texts.values, ""]  # code -1 is the last
    return [values[code] for code in texts.codes.tolist()]
