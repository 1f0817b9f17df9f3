"""Learned shapes: frames that differ only in values we hold as columns are stored as those columns.

Most frames of a recording repeat a few texts with other numbers in them. A shape is such a text with holes, one
for each value. A frame belongs to a shape only when filling the holes from its columns gives back its very bytes,
so its payload need not be stored a second time, and its columns are right because its bytes say so. Shapes are
learned from decoded frames, so a new field or key order costs nothing but a new shape. The first shape has
number 1; number 0 means "payload kept".

Must not know files. `core.scan` does the same as `match` and `render` here, compiled, over whole batches.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np

from core.columns import INT_COLUMNS, NULL, ColumnBuilder, Columns, text_list
from core.messages.types import Malformed, Message, type_of
from core.times import days_from_civil

MAX_SHAPES: Final = 32  # a recording of one dialect needs about five; the rest is room for changes of dialect
FIRST_DAY: Final = 10_957  # 2000-01-01, the earliest time a stamp may name (core.times)
LAST_DAY: Final = 47_847  # 2101-01-01, exclusive

_OPEN, _CLOSE = "«", "»"

Formats = dict[str, tuple[str, str]]
_HEAD: Final[Formats] = {"sid": ("sid", "sid"), "seq": ("exchange_seq", "id"), "sending_ts_ms": ("sending_ms", "id")}
_NAMES: Final[Formats] = {"market_ticker": ("market", "text"), "market_id": ("market_id", "text")}
FIELDS: Final[dict[str, Formats]] = {
    "orderbook_delta": {
        **_HEAD,
        **_NAMES,
        "price_dollars": ("price", "dec4"),
        "delta_fp": ("size", "dec2"),
        "side": ("side", "side"),
        "clock": ("clock", "id"),
        "ts": ("exchange_us", "rfc"),
        "ts_ms": ("exchange_us", "ms"),
    },
    "trade": {
        **_HEAD,
        "market_ticker": ("market", "text"),
        "trade_id": ("trade_id", "text"),
        "yes_price_dollars": ("price", "dec4"),
        "no_price_dollars": ("price", "rest4"),
        "count_fp": ("size", "pos2"),
        "taker_side": ("side", "side"),
        "taker_outcome_side": ("side", "side"),
        "taker_book_side": ("side", "book"),
        "is_block_trade": ("is_block", "bool"),
        "ts": ("exchange_us", "sec"),
        "ts_ms": ("exchange_us", "ms"),
    },
    "ticker": {
        **_HEAD,
        **_NAMES,
        "price_dollars": ("price", "dec4"),
        "yes_bid_dollars": ("yes_bid", "dec4"),
        "yes_ask_dollars": ("yes_ask", "dec4"),
        "yes_bid_size_fp": ("yes_bid_size", "pos2"),
        "yes_ask_size_fp": ("yes_ask_size", "pos2"),
        "last_trade_size_fp": ("last_trade_size", "pos2"),
        "volume_fp": ("volume", "pos2"),
        "open_interest_fp": ("open_interest", "pos2"),
        "dollar_volume": ("dollar_volume", "int"),
        "dollar_open_interest": ("dollar_open_interest", "int"),
        "ts": ("exchange_us", "sec"),
        "ts_ms": ("exchange_us", "ms"),
        "time": ("exchange_us", "rfc"),
    },
}
"""Key of a frame -> (column, format of its text), for the types whose columns hold the whole message."""

_INT = r"(?:0|-?[1-9]\d{0,14})"
_DEC4 = r"(?:0\.\d{4}|1\.0000)"
_POS2 = r"(?:0|[1-9]\d{0,12})\.\d\d"
_RFC = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{0,5}[1-9])?Z"
PATTERNS: Final = {
    "sid": r"[1-9]\d{0,8}",  # the column has 32 bits
    "id": r"[1-9]\d{0,14}",  # zero means "not given" in the columns
    "int": _INT,
    "dec4": _DEC4,
    "rest4": _DEC4,
    "dec2": "-?" + _POS2,
    "pos2": _POS2,
    "side": "yes|no",
    "book": "bid|ask",
    "text": r"[A-Za-z0-9._:+-]{1,128}",
    "rfc": _RFC,
    "ms": _INT,
    "sec": _INT,
    "bool": "true|false",
}
"""The only texts a hole of each format may hold: those that `fill` gives back."""

PRECISION: Final = {"rfc": 2, "ms": 1, "sec": 0, "rest4": -1}
"""Where several holes show one column, the most precise one sets it and the others must agree with it."""

_MEMBER: Final = re.compile(rb'"([a-z_]+)"\s*:\s*(?:"([^"\\]*)"|(-?[0-9][0-9.eE+-]*|true|false|null))')


class Hole(msgspec.Struct, frozen=True):
    """A place for one value: which column, in which format, and whether this hole sets the column or only agrees."""

    column: str
    format: str
    sets: bool


class Shape(msgspec.Struct, frozen=True):
    """A frame's text with holes: `literals[0] hole[0] literals[1] ... hole[-1] literals[-1]`."""

    text: str
    type: str
    literals: tuple[bytes, ...]
    holes: tuple[Hole, ...]


def parse_shape(text: str) -> Shape:
    """The shape of its stored text, such as `{"type":"ticker","sid":«sid:int»}`; ValueError when it is none."""
    parts = re.split(f"{_OPEN}([a-z_]+):([a-z0-9]+){_CLOSE}", text)
    literals = tuple(part.encode() for part in parts[0::3])
    named = list(zip(parts[1::3], parts[2::3], strict=True))
    kind = re.search(r'"type"\s*:\s*"([a-z_]+)"', text)
    if kind is None or kind[1] not in FIELDS or not named or any(form not in PATTERNS for _, form in named):
        raise ValueError(f"not a shape: {text[:80]!r}")
    best: dict[str, int] = {}
    for index, (column, form) in enumerate(named):
        if column not in best or PRECISION.get(form, 0) > PRECISION.get(named[best[column]][1], 0):
            best[column] = index
    holes = tuple(Hole(column, form, best[column] == index) for index, (column, form) in enumerate(named))
    return Shape(text, kind[1], literals, holes)


def _template(payload: bytes, kind: str) -> str | None:
    """The payload with its known values replaced by holes; None when something else in it could vary."""
    fields = FIELDS[kind]
    seen: set[bytes] = set()
    pieces: list[str] = []
    end = 0
    for member in _MEMBER.finditer(payload):
        key, text, scalar = member[1], member[2], member[3]
        value = text if text is not None else scalar
        if key in seen:
            return None
        seen.add(key)
        field = fields.get(key.decode())
        if field is None:
            if key == b"type" or scalar in (b"true", b"false"):
                continue
            return None
        start = member.start(2) if text is not None else member.start(3)
        if re.fullmatch(PATTERNS[field[1]].encode(), value) is None:
            return None
        pieces += [payload[end:start].decode(), f"{_OPEN}{field[0]}:{field[1]}{_CLOSE}"]
        end = start + len(value)
    pieces.append(payload[end:].decode())
    literal = "".join(pieces[0::2])
    return None if _OPEN in literal or _CLOSE in literal or "[" in literal else "".join(pieces)


class ShapeBook:
    """The shapes of a segment, in the order of their numbers (the first is 1)."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        """Raises ValueError when a stored text is no shape."""
        self.shapes: list[Shape] = []
        self._patterns: list[re.Pattern[bytes]] = []
        self._refused: set[str] = set()
        for text in texts:
            self._add(parse_shape(text))

    @property
    def texts(self) -> list[str]:
        """What a segment stores, so that its payloads can be rebuilt."""
        return [shape.text for shape in self.shapes]

    def _add(self, shape: Shape) -> int:
        pattern = b"".join(
            re.escape(literal) + b"(" + PATTERNS[hole.format].encode() + b")"
            for literal, hole in zip(shape.literals, shape.holes, strict=False)
        )
        self.shapes.append(shape)
        self._patterns.append(re.compile(pattern + re.escape(shape.literals[-1])))
        return len(self.shapes)

    def match(self, payload: bytes, row: int, builder: ColumnBuilder) -> bool:
        """Fill the row's columns from the payload if a shape fits it exactly; False leaves the row untouched."""
        for number, (shape, pattern) in enumerate(zip(self.shapes, self._patterns, strict=True), start=1):
            found = pattern.fullmatch(payload)
            if found is None:
                continue
            values = _values(shape, found.groups())
            if values is None:
                continue
            _put(builder, row, shape, values)
            builder.shape[row] = number
            return True
        return False

    def learn(self, payload: bytes, message: Message | Malformed) -> bool:
        """Make a shape of a decoded frame if its columns hold all that varies in it; True when one was added."""
        if isinstance(message, Malformed) or type_of(message) not in FIELDS or len(self.shapes) >= MAX_SHAPES:
            return False
        text = _template(payload, type_of(message))
        if text is None or text in self._refused or any(shape.text == text for shape in self.shapes):
            return False
        trial, decoded = ColumnBuilder(1), ColumnBuilder(1)
        decoded.put(0, message)
        alone = ShapeBook((text,))
        # The proof that this shape says what the decoder says; its literals make it hold for every value in the holes.
        if not (alone.match(payload, 0, trial) and decoded.complete[0] and same_row(trial, decoded)):
            if len(self._refused) < MAX_SHAPES:
                self._refused.add(text)
            return False
        self._add(alone.shapes[0])
        return True


def same_row(left: ColumnBuilder, right: ColumnBuilder) -> bool:
    """Whether two one-row builders hold the same values, shape numbers aside."""
    a, b = left.finish(), right.finish()
    texts = all(
        [a.texts[name].values[c] for c in a.texts[name].codes if c >= 0]
        == [b.texts[name].values[c] for c in b.texts[name].codes if c >= 0]
        for name in a.texts
    )
    ints = all((a.ints[name] == b.ints[name]).all() for name in INT_COLUMNS)
    return bool(texts and ints and (a.complete == b.complete).all())


def _values(shape: Shape, groups: Sequence[bytes]) -> dict[str, int | bytes] | None:
    """The column values that a frame's hole texts set; None when a hole that must agree does not."""
    values: dict[str, int | bytes] = {}
    for hole, text in zip(shape.holes, groups, strict=True):
        if hole.sets:
            value = read_hole(hole.format, text)
            if value is None:
                return None
            values[hole.column] = value
    for hole, text in zip(shape.holes, groups, strict=True):
        if not hole.sets and fill_hole(hole.format, values[hole.column]) != text:
            return None
    return values


def _put(builder: ColumnBuilder, row: int, shape: Shape, values: dict[str, int | bytes]) -> None:
    builder.put_text("type", row, shape.type)
    builder.complete[row] = True
    for column, value in values.items():
        if isinstance(value, int):
            builder.ints[column][row] = value
        else:
            builder.put_text(column, row, value.decode())


def read_hole(form: str, text: bytes) -> int | bytes | None:
    """The value of a hole's text (which fits the format's pattern); None when `fill_hole` would not give it back."""
    return _READERS[form](text)


def fill_hole(form: str, value: int | bytes) -> bytes:
    """The text of a hole: the one and only text of its format that means this value."""
    return value if isinstance(value, bytes) else _FILLERS[form](value)


def _read_signed(text: bytes) -> int | None:
    value = int(text.replace(b".", b""))
    return None if value == 0 and text[:1] == b"-" else value


def _fill_signed(value: int) -> bytes:
    return (b"-" if value < 0 else b"") + b"%d.%02d" % divmod(abs(value), 100)


def _read_code(text: bytes) -> int:
    return 1 if text in (b"yes", b"bid") else 2


def _in_span(us: int) -> int | None:
    return us if FIRST_DAY * 86_400_000_000 <= us < LAST_DAY * 86_400_000_000 else None


def civil_from_days(days: int) -> tuple[int, int, int]:
    """(year, month, day) of a number of days since 1970-01-01."""
    days += 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


@lru_cache(maxsize=4096)
def _second_text(second: int) -> bytes:
    days, of_day = divmod(second, 86_400)
    hours, rest = divmod(of_day, 3600)
    return b"%04d-%02d-%02dT%02d:%02d:%02d" % (*civil_from_days(days), hours, *divmod(rest, 60))


def _rfc3339(us: int) -> bytes:
    second, fraction = divmod(us, 1_000_000)
    text = _second_text(second)
    return text + (b".%06d" % fraction).rstrip(b"0") + b"Z" if fraction else text + b"Z"


@lru_cache(maxsize=4096)
def _second_of(text: bytes) -> int | None:
    days = days_from_civil(int(text[:4]), int(text[5:7]), int(text[8:10]))
    second = ((days * 24 + int(text[11:13])) * 60 + int(text[14:16])) * 60 + int(text[17:19])
    # February 30th or 25:61 o'clock would come back as another text.
    return second if FIRST_DAY <= days < LAST_DAY and _second_text(second) == text else None


def _read_rfc3339(text: bytes) -> int | None:
    second = _second_of(text[:19])
    if second is None:
        return None
    return second * 1_000_000 + (int(text[20:-1].ljust(6, b"0")) if len(text) > 20 else 0)


def render_each(shapes: ShapeBook, columns: Columns) -> list[bytes]:
    """The payload of every row that has a shape, b"" for the others."""
    payloads = [b""] * columns.rows
    cells: dict[str, list[int] | list[bytes]] = {}
    for row in np.flatnonzero(columns.shape):
        shape = shapes.shapes[int(columns.shape[row]) - 1]
        pieces = [shape.literals[0]]
        for hole, literal in zip(shape.holes, shape.literals[1:], strict=True):
            values = cells.get(hole.column)
            if values is None:
                values = cells[hole.column] = _cells(columns, hole.column)
            pieces += [fill_hole(hole.format, values[row]), literal]
        payloads[row] = b"".join(pieces)
    return payloads


def _cells(columns: Columns, name: str) -> list[int] | list[bytes]:
    if name in columns.ints:
        values: list[int] = columns.ints[name].tolist()
        return values
    return [text.encode() for text in text_list(columns.texts[name])]


_READERS: Final[dict[str, Callable[[bytes], int | bytes | None]]] = {
    "sid": int,
    "id": int,
    "int": int,
    "dec4": lambda text: int(text.replace(b".", b"")),
    "rest4": lambda text: 10_000 - int(text.replace(b".", b"")),
    "dec2": _read_signed,
    "pos2": lambda text: int(text.replace(b".", b"")),
    "side": _read_code,
    "book": _read_code,
    "text": bytes,
    "rfc": _read_rfc3339,
    "ms": lambda text: _in_span(int(text) * 1_000),
    "sec": lambda text: _in_span(int(text) * 1_000_000),
    "bool": lambda text: 1 if text == b"true" else NULL,  # in the columns only a yes is worth a value
}
_FILLERS: Final[dict[str, Callable[[int], bytes]]] = {
    "sid": lambda value: b"%d" % value,
    "id": lambda value: b"%d" % value,
    "int": lambda value: b"%d" % value,
    "dec4": lambda value: b"%d.%04d" % divmod(value, 10_000),
    "rest4": lambda value: b"%d.%04d" % divmod(10_000 - value, 10_000),
    "dec2": _fill_signed,
    "pos2": lambda value: b"%d.%02d" % divmod(value, 100),
    "side": lambda value: b"yes" if value == 1 else b"no",
    "book": lambda value: b"bid" if value == 1 else b"ask",
    "rfc": _rfc3339,
    "ms": lambda value: b"%d" % (value // 1_000),
    "sec": lambda value: b"%d" % (value // 1_000_000),
    "bool": lambda value: b"true" if value == 1 else b"false",
}
