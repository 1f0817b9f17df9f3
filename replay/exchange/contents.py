"""What a tape holds, as far as those who ask before it plays must know: its markets and their ids.

Knows one pass over a few columns. Must not know frames.
"""

from typing import Final

import msgspec

from capture.tape.reader import Tape
from core.records import Kind

COLUMNS: Final = ("at_ns", "kind", "market", "market_id", "sending_ms")


class Contents(msgspec.Struct, frozen=True):
    """markets: every one that a frame names, sorted. ids: market by uuid. has_rest: REST answers were recorded.

    has_sending_ms: its frames carry `sending_ts_ms`, so replies beside them should too. begun_ns: when its first
    record was written (Unix ns, 0 = it has none).
    """

    markets: tuple[str, ...]
    ids: dict[str, str]
    has_rest: bool
    has_sending_ms: bool
    begun_ns: int = 0


def contents_of(tape: Tape) -> Contents:
    """Read through a tape once. Raises TapeDamaged, TapeError."""
    markets: set[str] = set()
    ids: dict[str, str] = {}
    has_rest = has_sending_ms = False
    begun_ns = 0
    for table in tape.tables(list(COLUMNS)):
        pairs = table.select(["market", "market_id"]).group_by(["market", "market_id"]).aggregate([]).to_pydict()
        for market, market_id in zip(pairs["market"], pairs["market_id"], strict=True):
            if market:
                markets.add(market)
                if market_id:
                    ids[market_id] = market
        has_rest = has_rest or Kind.REST in table.column("kind").unique().to_pylist()
        if not begun_ns and table.num_rows:
            begun_ns = table.column("at_ns")[0].as_py()
        sending_ms = table.column("sending_ms")
        has_sending_ms = has_sending_ms or sending_ms.null_count < len(sending_ms)
    return Contents(tuple(sorted(markets)), dict(sorted(ids.items())), has_rest, has_sending_ms, begun_ns)
