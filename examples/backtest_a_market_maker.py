"""The Market Maker on a tape, cell by cell, as in a notebook: `backtest_a_market_maker.py TAPE`."""

# %% What is tried, and before which venue
import sys

import pyarrow.compute as pc

from replay.backtest.run import backtest, strategy
from replay.venue.terms import Latency, VenueTerms

TAPE = sys.argv[1]

maker = strategy("strategies.market_maker:MarketMaker", name="maker", half_spread=60, edge=10, size=300, pace_ms=200)
venue = VenueTerms(
    queue="power@1",
    latency=Latency(order_ns=20_000_000, answer_ns=20_000_000),
    fees="quadratic:1",  # supposed where the tape does not tell
    ticks="linear_cent",
)

# %% One backtest
result = backtest(TAPE, maker, venue=venue, markets=["*"])
print(f"{result.totals['orders']} orders, {result.totals['fills']} fills, orders hash {result.orders_hash[:16]}")
print(f"won ${result.totals['pnl'] / 1e6:.4f}, of it in doubt ${result.totals['pnl_untrusted'] / 1e6:.4f}")
for note in result.manifest["notes"]:
    print("note:", note)

# %% Its fills as an Arrow table: what a contract had gained 10 s later, by market
fills = result.tables["fills"]
gain = pc.subtract(fills.column("mark_10s"), pc.cast(fills.column("price"), "double"))
signed = pc.if_else(pc.equal(fills.column("side"), "bid"), gain, pc.negate(gain))
fills = fills.select(["market", "count"]).append_column("gain", signed)
fills = fills.set_column(0, "market", pc.cast(fills.column("market"), "string"))
for row in fills.group_by("market").aggregate([("gain", "mean"), ("count", "sum")]).to_pylist():
    gained = "not known" if row["gain_mean"] is None else f"{row['gain_mean'] / 100:+.2f} cents"
    print(f"{row['market']:<32} {row['count_sum'] / 100:>10.2f} contracts, 10 s later {gained}")

# %% The same strategy by the most and the least careful queue model: what lies between is not known
for queue in ("pessimistic@1", "optimistic@1"):
    other = backtest(
        TAPE, maker, venue=VenueTerms(queue, venue.latency, fees=venue.fees, ticks=venue.ticks), markets=["*"]
    )
    print(f"{queue:<16} {other.totals['fills']:>5} fills, ${other.totals['pnl'] / 1e6:.4f}")
