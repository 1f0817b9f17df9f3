"""A made recording of books with as many levels as are wanted: snapshots, then deltas, half of them near the top.

Levels go and come back, so that books stay about as deep as they began and a best price that goes has to be found anew.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from replay.dialects.btc15m import CONNECTED, Line
from replay.synthetic import START_NS

MARKETS: Final = 10
TOP: Final = 4_999
"""Best bid of either side at first, in 1/10,000 dollar: a side has at most that many levels."""

STEP_NS: Final = 10_000_000
NEAR: Final = 4


def frames(count: int, levels: int) -> Iterator[str]:
    """One subscription's frames. levels: of a side, from 1 to TOP."""
    dice = Random(0)
    sides: list[dict[int, int]] = [dict.fromkeys(range(TOP - levels + 1, TOP + 1), 10_000) for _ in range(2 * MARKETS)]
    yield '{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":1}}\n'
    for seq in range(1, count):
        if seq <= MARKETS:
            market = seq - 1
            yes, no = (",".join(f'["0.{price:04d}","100.00"]' for price in side) for side in sides[2 * market :][:2])
            body = f'{names(market)},"yes_dollars_fp":[{yes}],"no_dollars_fp":[{no}]'
            yield f'{{"type":"orderbook_snapshot","sid":1,"seq":{seq},"msg":{{{body}}}}}\n'
            continue
        number = dice.randrange(2 * MARKETS)
        price = TOP - dice.randrange(min(NEAR, levels) if dice.getrandbits(1) else levels)
        held = sides[number].get(price, 0)
        change = -held if held and not dice.getrandbits(2) else 100 * dice.randrange(1, 100)
        sides[number][price] = held + change
        sign, size = "-" if change < 0 else "", abs(change)
        body = (
            f'{names(number // 2)},"price_dollars":"0.{price:04d}","delta_fp":"{sign}{size // 100}.{size % 100:02d}",'
            f'"side":"{("yes", "no")[number % 2]}","ts":"2026-11-23T12:00:01.502Z",'
            f'"ts_ms":{START_NS // 1_000_000 + seq}'
        )
        yield f'{{"type":"orderbook_delta","sid":1,"seq":{seq},"msg":{{{body}}}}}\n'


def names(market: int) -> str:
    """How a frame names a market."""
    return f'"market_ticker":"KXDEEP-26SEP21-T{market}","market_id":"0b9f6a52-6c1e-4d53-9a0e-0d6a6c1f{market:04x}"'


def write_deep(path: Path, count: int, levels: int) -> None:
    """Write a gzipped recording in the btc15m dialect."""
    encode = msgspec.json.Encoder().encode
    with gzip.open(path, "wb", 1) as out:
        out.write(encode(Line(START_NS, 1, event=CONNECTED)) + b"\n")
        for number, frame in enumerate(frames(count, levels)):
            out.write(encode(Line(START_NS + number * STEP_NS, 1, frame)) + b"\n")
