"""A made-up recording that looks like a real one: for the demo, for tests and for benchmarks.

Knows how the exchange's frames look and which rules a recording obeys: numbering without holes, books that are never
negative nor crossed, every trade with its delta. The same plan gives the same bytes on every machine: its dice are
integers. Must not know tapes: what it writes is imported like any recording.
"""

import gzip
from bisect import bisect
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import accumulate, chain
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import msgspec

from replay.dialects.btc15m import CONNECTED, Line

START_NS: Final = 1_790_000_000 * 10**9  # 2026-09-21T13:33:20Z

_DOLLAR: Final = 10_000
_MAX_LEVELS: Final = 40  # a ladder; real ones have 20 to 100
_BOOK_SID, _TICKER_SID, _TRADE_SID = 1, 2, 3
_TRADES, _TICKERS, _SNAPSHOTS = 41, 51, 1  # of 1,024 happenings; the rest are deltas: the mix of real recordings
_EARLY_TRADES: Final = 51  # of 1,024 trades come before their delta
_TENTH_CENT: Final = 102  # of 1,024 markets have prices of a tenth of a cent
_FRACTIONAL: Final = 624  # of 1,024 sizes are not whole contracts
_PAUSES_US: Final = (0, 0, 0, 40, 150, 400, 900, 1_800, 3_500, 6_000, 9_000, 13_000, 18_000, 24_000, 33_000, 50_000)
_POPULARITY_SLOTS: Final = 1 << 16
_DISTANCES: Final = (
    *(0,) * 14, *(1,) * 10, *(2,) * 8, *(3,) * 6, *(4,) * 5, *(5,) * 4, *(6,) * 3, *(7,) * 2, 8, 9, 10, 11, 12, 13, 15,
    17, 19, 22, 25, 29,
)  # fmt: skip
"""How many steps below the best things happen, each as likely as the others; a quarter at the best, as really."""

_LINES_AT_ONCE: Final = 2_048
_PRICES: Final = tuple(f"{price // _DOLLAR}.{price % _DOLLAR:04d}" for price in range(_DOLLAR + 1))


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to make. frames: text frames in all. reconnects: how often the connection is lost, evenly spread."""

    frames: int
    markets: int = 20
    seed: int = 0
    reconnects: int = 0
    start_ns: int = START_NS


class Event(NamedTuple):
    """A frame received at `at_ns` (Unix ns), or, where `frame` is None, a connection opened."""

    at_ns: int
    connection: int
    frame: str | None


def recording(plan: Plan) -> Iterator[Event]:
    """The events of a plan in the order of their receipt."""
    return _Exchange(plan).events()


def write_recording(path: Path, plan: Plan) -> None:
    """Write a recording in the btc15m dialect, gzipped when the name ends in .gz; raises OSError."""
    encode = msgspec.json.Encoder().encode_lines
    with ExitStack() as stack:
        raw = stack.enter_context(path.open("wb"))
        packed = path.name.endswith(".gz")
        out = stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0)) if packed else raw
        lines: list[Line] = []
        for at_ns, connection, frame in recording(plan):
            lines.append(Line(at_ns, connection, frame, CONNECTED if frame is None else None))
            if len(lines) == _LINES_AT_ONCE:
                out.write(encode(lines))
                lines.clear()
        out.write(encode(lines))


class _Market:
    """A market's book as the exchange has it, and the texts that its frames repeat."""

    __slots__ = ("best", "bids", "id", "interest", "last", "middle", "names", "step", "ticker", "volume")

    def __init__(self, index: int, dice: Random) -> None:
        self.ticker = f"KXDEMO-26SEP21-T{index + 1}"
        self.id = _uuid(dice.getrandbits(128))
        self.names = f'"market_ticker":"{self.ticker}","market_id":"{self.id}"'
        self.step = 10 if dice.getrandbits(10) < _TENTH_CENT else 100
        middle = (1_000 + dice.getrandbits(13)) // self.step * self.step
        self.bids: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.best = [0, 0]
        for distance in range(1, 13):
            for side, top in ((0, middle), (1, _DOLLAR - middle)):
                if top > distance * self.step:
                    self.change(side, top - distance * self.step, size_of(dice.getrandbits(30)))
        self.volume = dice.getrandbits(24)
        self.interest = dice.getrandbits(23)
        self.last = self.middle = middle

    def wander(self, *, up: bool) -> None:
        """What the market thinks the price is goes a step up or down, and stays away from the ends."""
        middle = self.middle + (self.step if up else -self.step)
        if 10 * self.step < middle < _DOLLAR - 10 * self.step:
            self.middle = middle

    def change(self, side: int, price: int, delta: int) -> None:
        """Add to a level or take from it."""
        bids = self.bids[side]
        size = bids.get(price, 0) + delta
        assert size >= 0, "nobody can take what is not there"
        if size:
            bids[price] = size
            self.best[side] = max(self.best[side], price)
        else:
            del bids[price]
            if price == self.best[side]:
                self.best[side] = max(bids, default=0)

    def ladder(self, side: int) -> str:
        """A side as a snapshot shows it, with its comma; an empty side is not mentioned."""
        levels = ",".join(f'["{_PRICES[price]}","{_size(size)}"]' for price, size in sorted(self.bids[side].items()))
        return f',"{("yes", "no")[side]}_dollars_fp":[{levels}]' if levels else ""


class _Exchange:
    """One exchange, one client, one connection at a time."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._dice = Random(plan.seed)
        self._markets = [_Market(index, self._dice) for index in range(plan.markets)]
        self._slots = _popularity(plan.markets)
        self._us = plan.start_ns // 1_000
        self._at_ns = plan.start_ns
        self._second = (0, "")
        self._connection = 0
        self._book_seq = self._trade_seq = 0

    def events(self) -> Iterator[Event]:
        """Everything the client receives."""
        frames, parts = self._plan.frames, self._plan.reconnects + 1
        for part in range(parts):
            if part:
                self._outage()
            self._connection += 1
            self._book_seq = self._trade_seq = 0
            yield Event(self._received_ns(), self._connection, None)
            count = frames * (part + 1) // parts - frames * part // parts
            for _, frame in zip(range(count), chain(self._greeting(), self._traffic()), strict=False):
                yield Event(self._received_ns(), self._connection, frame)

    def _received_ns(self) -> int:
        """When what just happened arrives: 3 to 36 ms later, and never before what happened earlier."""
        self._at_ns = max(self._at_ns, self._us * 1_000 + 3_000_000 + self._dice.getrandbits(25))
        return self._at_ns

    def _outage(self) -> None:
        """Some seconds pass unseen; the books move on."""
        self._us += 2_000_000 + self._dice.getrandbits(24)
        for _ in range(4 * len(self._markets)):
            self._delta(self._pick(self._dice.getrandbits(16)), self._dice.getrandbits(6))

    def _pick(self, bits: int) -> _Market:
        return self._markets[self._slots[bits & (_POPULARITY_SLOTS - 1)]]

    def _greeting(self) -> Iterator[str]:
        """Replies to three subscribe commands, and to one that adds the second half of the markets."""
        channels = (("orderbook_delta", _BOOK_SID), ("ticker", _TICKER_SID), ("trade", _TRADE_SID))
        for number, (channel, sid) in enumerate(channels, start=1):
            yield f'{{"type":"subscribed","id":{number},"msg":{{"channel":"{channel}","sid":{sid}}}}}\n'
        half = (len(self._markets) + 1) // 2
        for market in self._markets[:half]:
            yield self._snapshot(market)
        if half < len(self._markets):
            tickers = ",".join(sorted(f'"{market.ticker}"' for market in self._markets))
            reply = f'{{"type":"ok","id":4,"sid":{_BOOK_SID},"seq":{self._next_book_seq()},'
            yield reply + f'"msg":{{"market_tickers":[{tickers}]}}}}\n'
        for market in self._markets[half:]:
            yield self._snapshot(market)

    def _traffic(self) -> Iterator[str]:
        """Market data without end."""
        getrandbits = self._dice.getrandbits
        while True:
            bits = getrandbits(64)
            market = self._pick(bits)
            self._us += _PAUSES_US[(bits >> 16) & 15]
            choice, bits = (bits >> 20) & 1023, bits >> 30
            if choice >= _TRADES + _TICKERS + _SNAPSHOTS:
                yield self._delta(market, bits)
            elif choice < _TRADES:
                yield from self._trade(market, bits)
            elif choice < _TRADES + _TICKERS:
                yield self._ticker(market)
            else:
                yield self._snapshot(market)

    def _delta(self, market: _Market, bits: int) -> str:
        """Somebody takes from a level near the best, or adds to one near where the market thinks the price is."""
        side, taking, distance = bits & 1, bits & 2, _DISTANCES[(bits >> 2) & 63]
        bids, best = market.bids[side], market.best[side]
        if not (bits >> 9) & 63:
            market.wander(up=bool(bits & 256))
        if len(bids) > _MAX_LEVELS:
            price = min(bids)
            return self._change(market, side, price, -bids[price])
        price = best - distance * market.step
        held = bids.get(price, 0)
        if taking and held and len(bids) > 1:
            taken = held if bits & 32_768 else min(held, size_of(self._dice.getrandbits(30)))
            return self._change(market, side, price, -taken)
        price = (_DOLLAR - market.middle if side else market.middle) - (distance + 1) * market.step
        price = max(min(price, _DOLLAR - market.best[1 - side] - market.step), market.step)
        return self._change(market, side, price, size_of(self._dice.getrandbits(30)))

    def _change(self, market: _Market, side: int, price: int, delta: int) -> str:
        market.change(side, price, delta)
        return (
            f'{{"type":"orderbook_delta","sid":{_BOOK_SID},"seq":{self._next_book_seq()},"msg":{{{market.names},'
            f'"price_dollars":"{_PRICES[price]}","delta_fp":"{_size(delta)}","side":"{("yes", "no")[side]}",'
            f'"ts":"{self._rfc3339()}","ts_ms":{self._us // 1_000}}}}}\n'
        )

    def _trade(self, market: _Market, bits: int) -> Iterator[str]:
        """A taker takes from the best bid of the other outcome: a delta and a trade of the same instant."""
        outcome = bits & 1
        price = market.best[1 - outcome]
        held = market.bids[1 - outcome].get(price, 0)
        count = min(held, size_of(self._dice.getrandbits(30)))
        if count == held and len(market.bids[1 - outcome]) == 1:
            yield self._delta(market, 0)  # the last bid stays, so that there is a price
            return
        market.last = price if outcome else _DOLLAR - price
        market.volume += count
        market.interest += count >> 1
        delta = self._change(market, 1 - outcome, price, -count)
        trade = self._trade_frame(market, outcome, count)
        yield from (trade, delta) if (bits >> 1) & 1023 < _EARLY_TRADES else (delta, trade)

    def _trade_frame(self, market: _Market, outcome: int, count: int) -> str:
        self._trade_seq += 1
        taker = ("yes", "no")[outcome]
        return (
            f'{{"type":"trade","sid":{_TRADE_SID},"seq":{self._trade_seq},"msg":{{'
            f'"trade_id":"{_uuid(self._dice.getrandbits(128))}","market_ticker":"{market.ticker}",'
            f'"yes_price_dollars":"{_PRICES[market.last]}","no_price_dollars":"{_PRICES[_DOLLAR - market.last]}",'
            f'"count_fp":"{_size(count)}","taker_side":"{taker}","taker_outcome_side":"{taker}",'
            f'"taker_book_side":"{("bid", "ask")[outcome]}",'
            f'"ts":{self._us // 1_000_000},"ts_ms":{self._us // 1_000}}}}}\n'
        )

    def _ticker(self, market: _Market) -> str:
        bid, offer = market.best
        dollars = market.volume // 200, market.interest // 200
        return (
            f'{{"type":"ticker","sid":{_TICKER_SID},"msg":{{"market_id":"{market.id}","market_ticker":"{market.ticker}",'
            f'"price_dollars":"{_PRICES[market.last]}","yes_bid_dollars":"{_PRICES[bid]}",'
            f'"yes_ask_dollars":"{_PRICES[_DOLLAR - offer]}","volume_fp":"{_size(market.volume)}",'
            f'"open_interest_fp":"{_size(market.interest)}","dollar_volume":{dollars[0]},'
            f'"dollar_open_interest":{dollars[1]},"yes_bid_size_fp":"{_size(market.bids[0].get(bid, 0))}",'
            f'"yes_ask_size_fp":"{_size(market.bids[1].get(offer, 0))}","last_trade_size_fp":"1.00",'
            f'"ts":{self._us // 1_000_000},"ts_ms":{self._us // 1_000},"time":"{self._rfc3339()}"}}}}\n'
        )

    def _snapshot(self, market: _Market) -> str:
        return (
            f'{{"type":"orderbook_snapshot","sid":{_BOOK_SID},"seq":{self._next_book_seq()},"msg":{{{market.names}'
            f"{market.ladder(0)}{market.ladder(1)}}}}}\n"
        )

    def _next_book_seq(self) -> int:
        self._book_seq += 1
        return self._book_seq

    def _rfc3339(self) -> str:
        """Now, microseconds without trailing zeros, as the exchange writes it."""
        second, fraction = divmod(self._us, 1_000_000)
        if second != self._second[0]:
            self._second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
        return self._second[1] + (f".{fraction:06d}".rstrip("0") if fraction else "") + "Z"


def _popularity(markets: int) -> Sequence[int]:
    """Which market each slot stands for: the n-th gets 1/n of what the first gets."""
    shares = list(accumulate(10**9 // rank for rank in range(1, markets + 1)))
    return [bisect(shares, shares[-1] * slot // _POPULARITY_SLOTS) for slot in range(_POPULARITY_SLOTS)]


def size_of(bits: int) -> int:
    """A quantity in 1/100 contract out of 30 random bits: mostly small, some large, six in ten fractional."""
    contracts = 1 + (bits & 63) * (1 + ((bits >> 6) & 7) ** 3)
    return contracts * 100 + ((bits >> 12) % 99 + 1 if bits >> 20 < _FRACTIONAL else 0)


def _size(size: int) -> str:
    return f"-{-size // 100}.{-size % 100:02d}" if size < 0 else f"{size // 100}.{size % 100:02d}"


def _uuid(bits: int) -> str:
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
