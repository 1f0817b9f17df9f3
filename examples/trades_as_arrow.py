"""Traded contracts and mean price of each market, from the typed columns alone: `trades_as_arrow.py TAPE`."""

import sys

import pyarrow as pa
import pyarrow.compute as pc

from replay import open_tape


def main(path: str) -> None:
    """Print one row a market; prices come in 1/10,000 dollar, sizes in 1/100 contract."""
    pieces = [
        table.filter(pc.equal(table.column("type"), "trade")).select(["market", "price", "size"])
        for table in open_tape(path).tables(columns=["type", "market", "price", "size"])
    ]
    trades = pa.concat_tables(
        piece.set_column(0, "market", piece.column("market").cast(pa.string())) for piece in pieces
    )
    trades = trades.append_column("worth", pc.multiply(trades.column("price").cast(pa.int64()), trades.column("size")))
    for row in trades.group_by("market").aggregate([("size", "sum"), ("worth", "sum"), ("size", "count")]).to_pylist():
        contracts, mean = row["size_sum"] / 100, row["worth_sum"] / row["size_sum"] / 10_000
        print(
            f"{row['market']:<32} {row['size_count']:>6} trades {contracts:>12,.2f} contracts, mean price ${mean:.4f}"
        )


if __name__ == "__main__":
    main(sys.argv[1])
