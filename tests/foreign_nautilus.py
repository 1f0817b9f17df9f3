"""nautilus_trader, as it comes from PyPI, writes and reads a catalog of a tape: run by a Python that has it.

`foreign_nautilus.py TAPE FOLDER`: {"choice": {...}, "objects": N, "instants": {market: [Unix ns]}} comes as JSON on
standard input. What Tapedeck says of its export, and what the library then reads, goes as JSON to standard output.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.enums import AccountType, AggressorSide, BookAction, BookType, OmsType
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.catalog import ParquetDataCatalog
from nautilus_trader.trading.strategy import Strategy

from capture.tape.reader import Tape
from replay.exports import nautilus
from replay.exports.terms import Choice

LAST: Final = nautilus.LAST


class Hear(Strategy):  # type: ignore[misc]  # its base is of a package that mypy does not see
    """Subscribes to everything and counts what it hears."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.heard = {"deltas": 0, "trades": 0, "quotes": 0}

    def on_start(self) -> None:
        """Subscribe."""
        for instrument in self.cache.instruments():
            self.subscribe_order_book_deltas(instrument.id, BookType.L2_MBP)
            self.subscribe_trade_ticks(instrument.id)
            self.subscribe_quote_ticks(instrument.id)

    def on_order_book_deltas(self, deltas: Any) -> None:
        """Some deltas."""
        self.heard["deltas"] += len(deltas.deltas)

    def on_trade_tick(self, _tick: Any) -> None:
        """A trade."""
        self.heard["trades"] += 1

    def on_quote_tick(self, _tick: Any) -> None:
        """A quote."""
        self.heard["quotes"] += 1


def e4(price: Any) -> int:
    """1/10,000 dollar."""
    return int(price.as_decimal() * 10_000)


def e2(size: Any) -> int:
    """1/100 contract."""
    return int(size.as_decimal() * 100)


def ladders(book: Any) -> list[list[list[int]]]:
    """Bids and asks, best last and best first: both ascending."""
    bids, asks = (
        [[e4(level.price), round(level.size() * 100)] for level in side] for side in (book.bids(), book.asks())
    )
    return [bids[::-1], asks]


def books_at(instrument: Any, deltas: list[Any], instants: list[int]) -> list[Any]:
    """Its own book at these instants, which rise."""
    book, found, place = OrderBook(instrument, BookType.L2_MBP), [], 0
    for at_ns in instants:
        while place < len(deltas) and deltas[place].ts_init <= at_ns:
            book.apply_delta(deltas[place])
            place += 1
        found.append(ladders(book))
    return found


def read(catalog: Any, name: str, instants: list[int]) -> dict[str, Any]:
    """What it reads of one market."""
    deltas = catalog.order_book_deltas([name])
    trades = catalog.trade_ticks([name])
    quotes = catalog.quote_ticks([name])
    instrument = catalog.instruments(instrument_ids=[name])[0]
    return {
        "deltas": [[d.sequence, d.ts_event, d.ts_init, int(d.flags), BookAction(d.action).name] for d in deltas],
        "trades": [
            [str(t.trade_id), e4(t.price), e2(t.size), t.aggressor_side == AggressorSide.BUYER, t.ts_event, t.ts_init]
            for t in trades
        ],
        "quotes": [
            [e4(q.bid_price), e4(q.ask_price), e2(q.bid_size), e2(q.ask_size), q.ts_event, q.ts_init] for q in quotes
        ],
        "closes": [[e4(c.close_price), c.ts_init] for c in catalog.instrument_closes([name])],
        "instrument": [
            str(instrument.raw_symbol), str(instrument.price_increment), str(instrument.size_increment),
            instrument.activation_ns, instrument.expiration_ns,
        ],
        "books": books_at(instrument.id, deltas, instants),
    }  # fmt: skip


def engine_over(catalog: Any, names: list[str]) -> dict[str, Any]:
    """Its engine played over these markets, which must have books: what a strategy heard, and the books at the end."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True), risk_engine=RiskEngineConfig(bypass=True), run_analysis=False
        )
    )
    money = [Money(1_000_000, USD)]
    engine.add_venue(Venue("KALSHI"), OmsType.NETTING, AccountType.CASH, money, book_type=BookType.L2_MBP)
    ids = {}
    for instrument in catalog.instruments(instrument_ids=names):
        engine.add_instrument(instrument)
        ids[str(instrument.id)] = instrument.id
    for name in names:  # one by one: it looks only at a list's first object for what there is of an instrument
        for rows in (catalog.order_book_deltas([name]), catalog.trade_ticks([name]), catalog.quote_ticks([name])):
            if rows:
                engine.add_data(rows)
    strategy = Hear(StrategyConfig())
    engine.add_strategy(strategy)
    engine.run()
    books = {name: engine.cache.order_book(ids[name]) for name in names}
    found = {"heard": strategy.heard, "books": {name: ladders(book) if book else None for name, book in books.items()}}
    engine.dispose()
    return found


def main(tape: Path, folder: Path) -> None:
    """Write, read, answer."""
    asked = json.load(sys.stdin)
    nautilus.OBJECTS = asked.get("objects", nautilus.OBJECTS)  # type: ignore[misc]  # smaller files, to have several
    choice = asked.get("choice", {})
    choice["markets"] = tuple(choice.get("markets", ()))
    report = nautilus.export_nautilus(Tape.open(tape), folder, Choice(**choice))
    index = {row["market"]: row["instrument_id"] for row in json.loads((folder / "index.json").read_text())["markets"]}
    catalog = ParquetDataCatalog(str(folder))
    questions = asked.get("instants", {})
    found = {market: read(catalog, name, questions.get(market, [])) for market, name in index.items()}
    answer = {
        "version": nautilus.VERSION,
        "rows": report.rows,
        "left_out": report.left_out,
        "changed": report.changed,
        "files": report.files,
        "index": index,
        "markets": found,
        "engine": engine_over(catalog, [index[market] for market, rows in found.items() if rows["deltas"]]),
    }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
