"""What a tape tells of the orders of the account that recorded it: by order frames, fills, and answers of REST.

Knows where such things are said. Must not know books. The whole tape is read beforehand: a fill is told milliseconds
after the change of the book that it was, and what became of an order in a gap only after the gap. Prices on the scale
of the order's own ladder, counts 1/100 contract, times Unix ns.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from capture.tape.reader import Tape
from core.answers import parse_cancelled, parse_placed
from core.answers.types import OrderAnswer, Page
from core.fetched import endpoint_of
from core.fetched import read as read_answer
from core.messages import decode
from core.messages.types import BookDelta, Fill, Malformed, Side, UserOrder
from core.money import DOLLAR, parse_price, parse_size
from core.records import Kind, RestCall, decode_rest
from core.times import SECOND_NS

Place: TypeAlias = tuple[str, Side, int]
"""A level: market, ladder, price on it."""

_PRIVATE: Final = pa.array(["fill", "user_order"], pa.string())
_COLUMNS: Final = ("seq", "at_ns", "kind", "type", "complete", "payload")
_ORDER: Final = re.compile(r"/portfolio/events/orders(?:/([^/]+))?(/amend)?")
_PLACED: Final = (200, 201)
_GONE: Final = 404
_NEVER_RESTS: Final = ("immediate_or_cancel", "fill_or_kill")


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of an order once. seq, at_ns: of the record. since_ns: by the exchange's clock, when it came to be
    so. left: what rests, or, of one that is over, what rested before. asked: filled or not. created_ns, expires_ns: 0 =
    not told."""

    seq: int
    at_ns: int
    since_ns: int
    side: Side
    price: int
    left: int
    asked: int
    is_over: bool = False
    created_ns: int = 0
    expires_ns: int = 0


@dataclass(slots=True)
class Hit:
    """A fill of an order that rested. is_used: its change of the book was found."""

    key: str
    at_ns: int
    exchange_ns: int
    count: int
    is_used: bool = False


@dataclass(slots=True)
class OwnOrders:
    """All of it. markets: in which something was ours. said: by market and order, in the order of the tape. hits: by
    level. took: ids of the trades in which we were the taker. came: seq of the record by which an order of ours
    came into the book. An order is called by its client_order_id, if it has one.
    """

    markets: set[str] = field(default_factory=set)
    said: dict[str, dict[str, list[Said]]] = field(default_factory=dict)
    hits: dict[Place, list[Hit]] = field(default_factory=dict)
    took: set[str] = field(default_factory=set)
    came: dict[str, int] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)  # by order_id
    _homes: dict[str, str] = field(default_factory=dict)  # markets by order_id
    _fills: set[tuple[str, str]] = field(default_factory=set)

    def order(self, seq: int, at_ns: int, told: UserOrder | OrderAnswer) -> None:
        """An order stands so."""
        is_over = told.status != "resting"
        said = Said(
            seq, at_ns, told.updated_ns or told.created_ns, told.side, _own(told.side, told.price),
            told.initial_count - told.fill_count if is_over else told.remaining_count, told.initial_count, is_over,
            told.created_ns, told.expiration_ns,
        )  # fmt: skip
        self._say(told.market, told.order_id, told.client_order_id, said)

    def fill(self, at_ns: int, fill: Fill) -> None:
        """An order was filled; told by several connections it counts once."""
        key = self._key(fill.order_id, fill.client_order_id)
        if (fill.trade_id, key) in self._fills:
            return
        self._fills.add((fill.trade_id, key))
        self.markets.add(fill.market)
        if fill.is_taker:
            self.took.add(fill.trade_id)
            return
        place = fill.market, fill.side, _own(fill.side, fill.price)
        self.hits.setdefault(place, []).append(Hit(key, at_ns, fill.exchange_ns, fill.count))

    def called(self, seq: int, at_ns: int, call: RestCall) -> None:
        """A request and its answer."""
        found = _ORDER.fullmatch(endpoint_of(call))
        if found is None:
            fetched = read_answer(call, at_ns)
            value = None if fetched is None else fetched.value
            for order in value.items if isinstance(value, Page) else (value,):
                if isinstance(order, OrderAnswer):
                    self.order(seq, at_ns, order)
        elif call.method == "POST" and call.status in _PLACED:
            self._placed(seq, at_ns, call)
        elif call.method == "DELETE" and found[1]:
            self._cancelled(seq, at_ns, call, found[1])

    def over(self, market: str, key: str) -> Said | None:
        """The last word on an order, if that is its end."""
        said = self.said.get(market, {}).get(key)
        return said[-1] if said and said[-1].is_over else None

    def rests_on(self, place: Place, key: str) -> bool:
        """Whether an order is known to be one of this ladder: what it takes is on the other."""
        said = self.said.get(place[0], {}).get(key)
        return said is not None and said[0].side is place[1]

    def filled(self, place: Place, key: str, since_ns: int, until_ns: int) -> int:
        """How much of an order was filled after an instant of the exchange's, up to another."""
        return sum(
            hit.count for hit in self.hits.get(place, ()) if hit.key == key and since_ns < hit.exchange_ns <= until_ns
        )

    def _placed(self, seq: int, at_ns: int, call: RestCall) -> None:
        """One order was placed or amended."""
        answer = parse_placed(call.answer.encode())
        if isinstance(answer, Malformed) or len(answer) != 1 or answer[0].error is not None:
            return
        placed = answer[0]
        try:
            asked = msgspec.json.decode(call.body, type=_Asked)
            price, count = parse_price(asked.price), parse_size(asked.count)
        except (msgspec.DecodeError, ValueError):
            return
        side = Side.YES if asked.side == "bid" else Side.NO
        since_ns = placed.at_ns or at_ns
        said = Said(
            seq, at_ns, since_ns, side, _own(side, price), count - placed.fill_count, count, count <= placed.fill_count,
            since_ns, asked.expiration_time * SECOND_NS,
        )  # fmt: skip
        if asked.time_in_force not in _NEVER_RESTS:
            self._say(asked.ticker, placed.order_id, asked.client_order_id, said)

    def _cancelled(self, seq: int, at_ns: int, call: RestCall, order_id: str) -> None:
        """An order is over; whatever has no such order says so too."""
        market = self._homes.get(order_id, "")
        known = self.said.get(market, {}).get(self._keys.get(order_id, ""))
        if not known or call.status not in (*_PLACED, _GONE):
            return
        left, since_ns = 0, at_ns
        if call.status != _GONE:
            answer = parse_cancelled(call.answer.encode())
            if isinstance(answer, Malformed) or not answer:
                return
            left, since_ns = answer[0].reduced_by, answer[0].at_ns or at_ns
        last = known[-1]
        said = Said(seq, at_ns, since_ns, last.side, last.price, left, last.asked, True, last.created_ns)
        if not last.is_over:
            self._say(market, order_id, "", said)

    def _say(self, market: str, order_id: str, client_order_id: str, said: Said) -> None:
        self.markets.add(market)
        self._homes[order_id] = market
        self.said.setdefault(market, {}).setdefault(self._key(order_id, client_order_id), []).append(said)

    def _key(self, order_id: str, client_order_id: str) -> str:
        return self._keys.setdefault(order_id, client_order_id or order_id)


class _Asked(msgspec.Struct):
    """The body of a request for an order (protocol 13.3)."""

    ticker: str
    side: str
    price: str
    count: str
    client_order_id: str = ""
    expiration_time: int = 0
    time_in_force: str = ""


def own_orders(tape: Tape) -> OwnOrders:
    """Read what is private on a tape, found by its columns. Raises TapeDamaged, TapeError as reading does."""
    found = OwnOrders()
    for seq, at_ns, kind, payload in _private(tape):
        if kind == Kind.REST:
            if b"/portfolio/" in payload:
                found.called(seq, at_ns, decode_rest(payload))
            continue
        match decode(payload):
            case Fill() as fill:
                found.fill(at_ns, fill)
            case UserOrder() as order:
                found.order(seq, at_ns, order)
            case BookDelta() as delta if delta.client_order_id:
                found.markets.add(delta.market)
                if delta.delta > 0:
                    found.came.setdefault(delta.client_order_id, seq)
            case _:
                pass
    return found


def _private(tape: Tape) -> Iterator[tuple[int, int, int, bytes]]:
    """Seq, at_ns, kind and payload of the records that may tell of the account."""
    for table in tape.tables(_COLUMNS):
        types, kinds = table.column("type").cast(pa.string()), table.column("kind")
        is_odd = pc.and_(pc.equal(types, "orderbook_delta").fill_null(False), pc.invert(table.column("complete")))
        is_said = pc.or_(pc.is_in(types, value_set=_PRIVATE), pc.equal(kinds, int(Kind.REST)))
        found = table.filter(pc.or_(is_odd, is_said))
        names = ("seq", "at_ns", "kind", "payload")
        yield from zip(*(found.column(name).to_pylist() for name in names), strict=True)


def _own(side: Side, price: int) -> int:
    return price if side is Side.YES else DOLLAR - price
