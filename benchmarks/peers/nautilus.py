"""nautilus_trader: `nautilus.py prepare|memory|catalog PLACE STRATEGY`.

memory: a BacktestEngine that is given objects made beforehand; their making is timed as a part of its own and not
counted. catalog: a BacktestNode that streams a ParquetDataCatalog, which `prepare` wrote, in chunks. Snapshots come as
a CLEAR and the levels with F_SNAPSHOT; only at F_LAST does the strategy look. buffer_deltas stays off: with it the
engine drops the callbacks of snapshots. A "." in a symbol would be a wildcard and give no book, so it is replaced.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import nautilus_trader
import numpy as np
from nautilus_trader.backtest.config import (
    BacktestDataConfig,
    BacktestEngineConfig,
    BacktestRunConfig,
    BacktestVenueConfig,
)
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.node import BacktestNode
from nautilus_trader.config import ImportableStrategyConfig, LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, QuoteTick, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    AssetClass,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
    RecordFlag,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import BinaryOption
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from nautilus_trader.trading.strategy import Strategy

from benchmarks.job import EVERY, Clock, Seen, report

VENUE: Final = "KALSHI"
MODULE: Final = "benchmarks.peers.nautilus"
CHUNK: Final = 100_000
CLEAR, LEVEL, TRADE, LAST, SNAPSHOT = 0, 1, 2, 1, 2
_LAST: Final = int(RecordFlag.F_LAST)


LATEST: Final[list[Any]] = []


class WatchConfig(StrategyConfig, frozen=True):  # type: ignore[misc, call-arg]  # its base is of a package that mypy does not see
    """every: look at each record, else at each change of the top."""

    every: bool
    symbols: list[str]


class Watch(Strategy):  # type: ignore[misc]  # as above
    """EVERY."""

    def __init__(self, config: WatchConfig) -> None:
        super().__init__(config)
        LATEST.append(self)
        self.books = self.tight = self.trades = self.tickers = self.changes = 0
        self.bids = self.volume = self.top_bids = 0.0
        self._books: dict[Any, Any] = {}
        self._tops: dict[Any, Any] = {}

    def on_start(self) -> None:
        """Hear of every market; TOP needs books alone."""
        for symbol in self.config.symbols:
            instrument = InstrumentId(Symbol(symbol), Venue(VENUE))
            self.subscribe_order_book_deltas(instrument, BookType.L2_MBP)
            if self.config.every:
                self.subscribe_trade_ticks(instrument)
                self.subscribe_quote_ticks(instrument)

    def on_order_book_deltas(self, deltas: Any) -> None:
        """EVERY."""
        if not deltas.flags & _LAST:
            return
        instrument = deltas.instrument_id
        book = self._books.get(instrument)
        if book is None:
            book = self._books[instrument] = self.cache.order_book(instrument)
        self.books += 1
        bid = book.best_bid_price()
        if bid is not None:
            self.bids += bid.as_double()
            spread = book.spread()
            if spread is not None and spread <= 0.0200001:
                self.tight += 1

    def on_trade_tick(self, tick: Any) -> None:
        """EVERY."""
        self.trades += 1
        self.volume += tick.size.as_double()

    def on_quote_tick(self, tick: Any) -> None:
        """EVERY: a ticker."""
        del tick
        self.tickers += 1

    def seen(self) -> Seen:
        """In the units of the job."""
        bids, volume, top_bids = round(self.bids * 10_000), round(self.volume * 100), round(self.top_bids * 10_000)
        return Seen(self.books, bids, self.tight, self.trades, volume, self.tickers, self.changes, top_bids)


class WatchTop(Watch):
    """TOP."""

    def on_order_book_deltas(self, deltas: Any) -> None:
        """TOP: nobody but the strategy knows whether it has changed."""
        if not deltas.flags & _LAST:
            return
        instrument = deltas.instrument_id
        book = self._books.get(instrument)
        if book is None:
            book = self._books[instrument] = self.cache.order_book(instrument)
        bid = book.best_bid_price()
        top = (bid, book.best_bid_size(), book.best_ask_price(), book.best_ask_size())
        if self._tops.get(instrument) != top:
            self._tops[instrument] = top
            self.changes += 1
            if bid is not None:
                self.top_bids += bid.as_double()


def instruments(symbols: list[str]) -> list[Any]:
    """A binary option for each market."""
    ids = [InstrumentId(Symbol(symbol), Venue(VENUE)) for symbol in symbols]
    tick, lot = Price.from_str("0.0001"), Quantity.from_str("0.01")
    far = 4_000_000_000_000_000_000
    return [BinaryOption(name, name.symbol, AssetClass.ALTERNATIVE, USD, 4, 2, tick, lot, 0, far, 0, 0) for name in ids]


def objects(place: Path, ids: list[Any], *, grouped: bool) -> list[Any]:
    """Every row as an object. grouped: the rows of a frame in one OrderBookDeltas, else each alone."""
    prices = [Price(value / 10_000, 4) for value in range(10_001)]
    found: list[Any] = []
    group: list[Any] = []
    for at_ns, kind, market, bid, flags, price, size, price2, size2 in np.load(place / "rows.npy").tolist():
        name = ids[market]
        if kind in (CLEAR, LEVEL):
            delta = _delta(name, (kind, bid, flags), prices[price], size, at_ns)
            if not grouped:
                found.append(delta)
                continue
            group.append(delta)
            if flags & LAST:
                found.append(OrderBookDeltas(name, group))
                group = []
        elif kind == TRADE:
            side = AggressorSide.BUYER if bid else AggressorSide.SELLER
            size = Quantity(size / 100, 2)
            found.append(TradeTick(name, prices[price], size, side, TradeId(str(len(found))), at_ns, at_ns))
        else:
            sizes = Quantity(size / 100, 2), Quantity(size2 / 100, 2)
            found.append(QuoteTick(name, prices[price], prices[price2], *sizes, at_ns, at_ns))
    return found


def _delta(name: Any, what: tuple[int, int, int], price: Any, size: int, at_ns: int) -> Any:
    kind, bid, flags = what
    marks = (_LAST if flags & LAST else 0) | (int(RecordFlag.F_SNAPSHOT) if flags & SNAPSHOT else 0)
    if kind == CLEAR:
        order = BookOrder(OrderSide.NO_ORDER_SIDE, Price(0, 4), Quantity(0, 2), 0)
        return OrderBookDelta(name, BookAction.CLEAR, order, marks, 0, at_ns, at_ns)
    side = OrderSide.BUY if bid else OrderSide.SELL
    action = BookAction.UPDATE if size else BookAction.DELETE
    order = BookOrder(side, price, Quantity(size / 100, 2), 0)
    return OrderBookDelta(name, action, order, marks, 0, at_ns, at_ns)


def quiet(**rest: Any) -> Any:
    """An engine's configuration without log, and without checks of orders that nobody places."""
    return BacktestEngineConfig(
        logging=LoggingConfig(bypass_logging=True),
        risk_engine=RiskEngineConfig(bypass=True),
        run_analysis=False,
        **rest,
    )


def memory(place: Path, symbols: list[str], clock: Clock, *, every: bool) -> None:
    """A BacktestEngine with everything in memory."""
    options = instruments(symbols)
    found = clock.time("objects", lambda: objects(place, [option.id for option in options], grouped=True))
    engine = BacktestEngine(quiet())
    engine.add_venue(
        Venue(VENUE), OmsType.NETTING, AccountType.CASH, [Money(1_000_000, USD)], book_type=BookType.L2_MBP
    )
    for option in options:
        engine.add_instrument(option)
    engine.add_strategy((Watch if every else WatchTop)(WatchConfig(every=every, symbols=symbols)))
    clock.time("load", lambda: engine.add_data(found, validate=False))
    clock.time("run", engine.run)


def catalog(place: Path, symbols: list[str], clock: Clock, *, every: bool) -> None:
    """A BacktestNode that streams the catalog."""
    names = [f"{name}.{VENUE}" for name in symbols]
    where = {"catalog_path": str(place / "nautilus"), "optimize_file_loading": True}
    data = [
        BacktestDataConfig(data_cls=OrderBookDelta, instrument_id=InstrumentId.from_str(names[0]), **where)
    ]  # it insists on a single one
    if names[1:]:
        data.append(BacktestDataConfig(data_cls=OrderBookDelta, instrument_ids=names[1:], **where))
    data += [BacktestDataConfig(data_cls=kind, instrument_ids=names, **where) for kind in (TradeTick, QuoteTick)]
    kind = "Watch" if every else "WatchTop"
    strategy = ImportableStrategyConfig(
        f"{MODULE}:{kind}", f"{MODULE}:WatchConfig", {"every": every, "symbols": symbols}
    )
    venue = BacktestVenueConfig(
        name=VENUE, oms_type="NETTING", account_type="CASH", starting_balances=["1_000_000 USD"], book_type="L2_MBP"
    )
    run = BacktestRunConfig(
        venues=[venue], data=data, engine=quiet(strategies=[strategy]), chunk_size=CHUNK, raise_exception=True,
        dispose_on_completion=False,
    )  # fmt: skip
    clock.time("run", BacktestNode([run]).run)


def prepare(place: Path, symbols: list[str]) -> None:
    """Write the catalog, when it is not there."""
    if (place / "nautilus").exists():
        return
    options = instruments(symbols)
    found = ParquetDataCatalog(str(place / "nautilus"))
    found.write_data(options)
    rows = objects(place, [option.id for option in options], grouped=False)
    for kind in (OrderBookDelta, TradeTick, QuoteTick):
        found.write_data([row for row in rows if type(row) is kind])


def main(mode: str, place: Path, strategy: str) -> None:
    """Do one job."""
    about = json.loads((place / "about.json").read_text(encoding="utf-8"))
    symbols = [name.replace(".", "p") for name in about["markets"]]
    if mode == "prepare":
        prepare(place, symbols)
        return
    clock = Clock()
    run = memory if mode == "memory" else catalog
    run(place, symbols, clock, every=strategy == EVERY)
    report(nautilus_trader.__version__, about["frames"], clock, LATEST[-1].seen())


if __name__ == "__main__":
    # A node imports this module once more, by its name: there must not be two of them.
    import_module(MODULE).main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
