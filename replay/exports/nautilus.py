"""A tape as a ParquetDataCatalog of nautilus_trader, written by that library itself, and `index.json` beside it.

The one door to nautilus_trader, which is no dependency: whoever imports this module has it installed. Knows which of
its objects says what. Text from outside never reaches it unchecked: a letter beyond ASCII ends the process.
"""

import functools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import nautilus_trader
import numpy as np
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import BookOrder, InstrumentClose, OrderBookDelta, QuoteTick, TradeTick
from nautilus_trader.model.enums import (
    AggressorSide,
    AssetClass,
    BookAction,
    InstrumentCloseType,
    OrderSide,
    RecordFlag,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import BinaryOption
from nautilus_trader.model.objects import QUANTITY_MAX, Price, Quantity
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from core.lifecycle import Lifecycle
from core.messages.types import MarketLifecycle, Side, Ticker, Trade
from core.money import DOLLAR, format_size
from replay.exports.folder import Names, new_folder
from replay.exports.spool import Spool, Spools
from replay.exports.terms import LOTS, TICKS, Choice, Exported, coarsest
from replay.exports.walk import Changed, Cleared, Happened, Told, Walk, Whole
from replay.progress import Progress, silent

VERSION: Final[str] = nautilus_trader.__version__
VENUE: Final = "KALSHI"

OBJECTS: Final = 1 << 16
"""Objects of the library that are made at a time, and rows of a file of the catalog."""

MAX_SIZE: Final = int(QUANTITY_MAX) * 100
"""1/100 contract; less where the library was built without its high precision."""

FAR_NS: Final = 4_000_000_000_000_000_000
"""When a market ends of which the tape does not say when (2096)."""

LAST, SNAPSHOT = int(RecordFlag.F_LAST), int(RecordFlag.F_SNAPSHOT)
_CLEAR, _BID, _ASK = 0, 1, 2
_TIMES: Final = [("event_ns", "<u8"), ("now_ns", "<u8")]
_DELTA: Final = np.dtype([("what", "u1"), ("flags", "u1"), ("price", "<i8"), ("size", "<i8"), ("seq", "<u8"), *_TIMES])
_TRADE: Final = np.dtype([("bought", "?"), ("price", "<i8"), ("size", "<i8"), ("trade_id", "S36"), *_TIMES])
_QUOTE: Final = np.dtype([("bid", "<i8"), ("ask", "<i8"), ("bid_size", "<i8"), ("ask_size", "<i8"), *_TIMES])
_CLOSE: Final = np.dtype([("price", "<i8"), *_TIMES])
_ID: Final = re.compile(r"[!-~]{1,36}")


def export_nautilus(tape: Tape, out: Path, choice: Choice, progress: Progress = silent) -> Exported:
    """Write a new folder, whole or not at all; progress in records.

    A book that loses its trust is cleared, and comes back as a snapshot. Raises MarketNotFound, TapeError (also of a
    size that the library cannot hold), TapeDamaged, DiskError.
    """
    walk = Walk(tape, choice)
    with new_folder(out) as folder:
        catalog = _Catalog(folder)
        for move in walk.moves(progress):
            catalog.take(move)
        files = catalog.finish(walk)
    return Exported(
        out=str(out),
        format="nautilus",
        files=files,
        markets=len(catalog.markets),
        rows={**catalog.rows, "books cleared": walk.cleared},
        left_out=dict(sorted((walk.left_out + catalog.left_out).items())),
        changed=dict(catalog.changed),
    )


class _Market:
    """One market on its way into the catalog: a spool for each kind of object. first_ns: when it was first told of."""

    def __init__(self, spools: Spools, place: Path, first_ns: int) -> None:
        self.deltas = spools.new(place.with_suffix(".deltas"), _DELTA)
        self.trades = spools.new(place.with_suffix(".trades"), _TRADE)
        self.quotes = spools.new(place.with_suffix(".quotes"), _QUOTE)
        self.closes = spools.new(place.with_suffix(".closes"), _CLOSE)
        self.first_ns = first_ns
        self.is_settled = False
        self.prices: set[int] = set()
        self.sizes: set[int] = set()


class _Catalog:
    """All markets while they are written."""

    def __init__(self, folder: Path) -> None:
        self.markets: dict[str, _Market] = {}
        self.rows = dict.fromkeys(("levels", "snapshots", "snapshot levels", "trades", "quotes", "closes"), 0)
        self.left_out: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self._folder = folder
        self._spools = Spools()
        self._names = Names(_symbol)
        self._catalog = ParquetDataCatalog(str(folder.resolve()))

    def take(self, move: Happened) -> None:
        """Take in what happened."""
        match move:
            case Changed(is_bid=is_bid, price=price, size=size):
                self.rows["levels"] += 1
                self._deltas(move, [(_BID if is_bid else _ASK, LAST, price, size)])
            case Whole(bids=bids, asks=asks):
                self.rows["snapshots"] += 1
                self.rows["snapshot levels"] += len(bids) + len(asks)
                levels = [(side, SNAPSHOT, *level) for side, ladder in ((_BID, bids), (_ASK, asks)) for level in ladder]
                rows = [(_CLEAR, SNAPSHOT, 0, 0), *levels]
                what, flags, price, size = rows[-1]
                self._deltas(move, [*rows[:-1], (what, flags | LAST, price, size)])
            case Cleared():
                self._deltas(move, [(_CLEAR, SNAPSHOT | LAST, 0, 0)])
            case Told(message=Trade() as trade):
                self._trade(move, trade)
            case Told(message=Ticker() as ticker):
                self._quote(move, ticker)
            case Told(message=MarketLifecycle() as life):
                self._life(move, life)

    def finish(self, walk: Walk) -> int:
        """Write everything through the library; how many files there are."""
        self._spools.flush()
        index = []
        for name, market in sorted(self.markets.items()):
            instrument = self._instrument(name, market, walk.player.store.lifecycle(name))
            self._catalog.write_data([instrument])
            for spool, make in (
                (market.deltas, _delta), (market.trades, _trade), (market.quotes, _quote), (market.closes, _close)
            ):  # fmt: skip
                for objects in _chunks(spool, functools.partial(make, instrument.id)):
                    self._catalog.write_data(objects)
                spool.remove()
            index.append({"market": name, "instrument_id": str(instrument.id)})
        about = {"nautilus_trader": VERSION, "markets": index}
        (self._folder / "index.json").write_text(json.dumps(about, indent=1) + "\n", encoding="ascii")
        return sum(1 for path in self._folder.rglob("*") if path.is_file())

    def _deltas(self, move: Happened, rows: list[tuple[int, int, int, int]]) -> None:
        market = self._market(move)
        times = self._times(move)
        for what, flags, price, size in rows:
            self._met(move, market, price, size)
            self._spools.put(market.deltas, (what, flags, price, size, max(move.seq, 0), *times))

    def _trade(self, move: Told, trade: Trade) -> None:
        if trade.is_block or not trade.count:
            self.left_out["block trades" if trade.is_block else "trades of nothing"] += 1
            return
        trade_id = trade.trade_id
        if not _ID.fullmatch(trade_id):
            trade_id = f"seq-{move.seq}"
            self.changed["ids of trades that it does not take: seq instead"] += 1
        market = self._market(move)
        self._met(move, market, trade.price, trade.count)
        self.rows["trades"] += 1
        row = (trade.taker is Side.YES, trade.price, trade.count, trade_id.encode(), *self._times(move))
        self._spools.put(market.trades, row)

    def _quote(self, move: Told, ticker: Ticker) -> None:
        values = (ticker.yes_bid, ticker.yes_ask, ticker.yes_bid_size, ticker.yes_ask_size)
        if None in values:
            self.left_out["tickers without both prices and sizes"] += 1
            return
        market = self._market(move)
        for price, size in ((ticker.yes_bid, ticker.yes_bid_size), (ticker.yes_ask, ticker.yes_ask_size)):
            self._met(move, market, price or 0, size or 0)
        self.rows["quotes"] += 1
        self._spools.put(market.quotes, (*values, *self._times(move)))

    def _life(self, move: Told, life: MarketLifecycle) -> None:
        """What a yes contract pays is told once, when it is first said."""
        market = self._market(move)
        if life.settlement_value is None or market.is_settled:
            self.left_out["lifecycle messages that say no settlement value"] += 1
            return
        market.is_settled = True
        self.rows["closes"] += 1
        self._spools.put(market.closes, (life.settlement_value, *self._times(move)))

    def _market(self, move: Happened) -> _Market:
        market = self.markets.get(move.market)
        if market is None:
            place = self._folder / f"{self._names.of(move.market)}.rows"
            market = self.markets[move.market] = _Market(self._spools, place, move.now_ns)
        return market

    def _met(self, move: Happened, market: _Market, price: int, size: int) -> None:
        if size > MAX_SIZE:
            limit = f"nautilus_trader's limit of {MAX_SIZE // 100:,}"
            raise TapeError(f"record {move.seq}: a size of {format_size(size)} contracts is above {limit}")
        market.prices.add(price)
        market.sizes.add(size % 100)

    def _times(self, move: Happened) -> tuple[int, int]:
        if not move.exchange_ns:
            self.changed["exchange times that no frame tells: ours instead"] += 1
        return move.exchange_ns or move.now_ns, move.now_ns

    def _instrument(self, name: str, market: _Market, life: Lifecycle) -> Any:
        symbol = self._names.of(name)
        return BinaryOption(
            instrument_id=InstrumentId(Symbol(symbol), Venue(VENUE)),
            raw_symbol=Symbol(name if name.isascii() and name.isprintable() and name.strip() else symbol),
            asset_class=AssetClass.ALTERNATIVE,
            currency=USD,
            price_precision=4,
            size_precision=2,
            price_increment=_price(coarsest(TICKS, market.prices)),
            size_increment=_quantity(coarsest(LOTS, market.sizes)),
            activation_ns=life.open_ns,
            expiration_ns=life.close_ns or FAR_NS,
            ts_event=market.first_ns,
            ts_init=market.first_ns,
            outcome="Yes",
        )


def _symbol(market: str) -> str:
    """A symbol that is no path, no pattern (`.`, `*`) and no spread (`_`): `-` for all but letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "-", market) or "-"


def _chunks(spool: Spool, make: Any) -> Iterator[list[Any]]:
    """The objects of a spool in lists that may be files: no two of them hold the same instant."""
    held: list[Any] = []
    for piece in spool.pieces(OBJECTS):
        if held:
            cut = next((at for at in range(len(held), 0, -1) if held[at - 1].ts_init < held[-1].ts_init), 0)
            if cut:
                yield held[:cut]
            held = held[cut:]
        held += [make(*row) for row in piece.tolist()]
    if held:
        yield held


@functools.lru_cache(maxsize=DOLLAR + 1)
def _price(price: int) -> Any:
    return Price(price / DOLLAR, 4)


@functools.lru_cache(maxsize=1 << 16)
def _quantity(size: int) -> Any:
    return Quantity(size / 100, 2)


def _delta(name: Any, *row: Any) -> Any:
    what, flags, price, size, seq, event_ns, now_ns = row
    if what == _CLEAR:
        nothing = BookOrder(OrderSide.NO_ORDER_SIDE, _price(0), _quantity(0), 0)
        return OrderBookDelta(name, BookAction.CLEAR, nothing, flags, seq, event_ns, now_ns)
    order = BookOrder(OrderSide.BUY if what == _BID else OrderSide.SELL, _price(price), _quantity(size), 0)
    action = BookAction.DELETE if not size else BookAction.ADD if flags & SNAPSHOT else BookAction.UPDATE
    return OrderBookDelta(name, action, order, flags, seq, event_ns, now_ns)


def _trade(name: Any, *row: Any) -> Any:
    bought, price, size, trade_id, event_ns, now_ns = row
    side = AggressorSide.BUYER if bought else AggressorSide.SELLER
    return TradeTick(name, _price(price), _quantity(size), side, TradeId(trade_id.decode()), event_ns, now_ns)


def _quote(name: Any, *row: Any) -> Any:
    bid, ask, bid_size, ask_size, event_ns, now_ns = row
    return QuoteTick(name, _price(bid), _price(ask), _quantity(bid_size), _quantity(ask_size), event_ns, now_ns)


def _close(name: Any, *row: Any) -> Any:
    price, event_ns, now_ns = row
    return InstrumentClose(name, _price(price), InstrumentCloseType.CONTRACT_EXPIRED, event_ns, now_ns)
