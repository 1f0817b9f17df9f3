"""A backtest's result as the report wants it, made from a tape's own books and trades by a plain quoter.

It is no simulation to learn from: it exists so that tests of the report need no backtest. Each second it bids at the
best bid and offers at the best offer, behind whoever is there; public trades that reach its price fill it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Any, Final

import pyarrow as pa
from sample_tapes import START_NS as START_NS
from sample_tapes import Script

from capture.tape.reader import Tape
from core.messages.types import Side, Trade
from core.money import DOLLAR
from replay import Player
from replay.backtest.tables import TABLES

SECOND: Final = 1_000_000_000
WAY_NS: Final = 50_000_000
SIZE: Final = 500
START_CASH: Final = 1_000_000_000
MARKS: Final = (("mark_1s", SECOND), ("mark_10s", 10 * SECOND), ("mark_60s", 60 * SECOND))


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What the report reads."""

    tables: Mapping[str, pa.Table]
    manifest: Mapping[str, Any]


@dataclass
class _Order:
    row: dict[str, Any]
    left: int
    ahead: int


@dataclass
class Quoter:
    """The quoter of one market on one tape, with the rows that it leaves."""

    market: str
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in TABLES})
    resting: dict[str, _Order] = field(default_factory=dict)
    position: int = 0
    cash: int = START_CASH
    fees: int = 0
    mids: list[tuple[int, float | None]] = field(default_factory=list)
    trusted: bool = True
    doubted_ns: int | None = None

    def tick(self, now_ns: int, seq: int, view: Any) -> None:
        """Once a second: doubt, quote, value."""
        bid, ask = view.yes_bid, view.yes_ask
        self._trust(now_ns, view.trusted)
        mid = (bid[0] + ask[0]) / 2 if bid and ask else None
        self.mids.append((now_ns, mid))
        for side, level in (("bid", bid), ("ask", ask)):
            order = self.resting.get(side)
            wanted = level and view.trusted and abs(self.position + (SIZE if side == "bid" else -SIZE)) <= 20 * SIZE
            if order and (not wanted or order.row["price"] != level[0]):
                self._end(side, now_ns, "canceled", seq)
                order = None
            if wanted and not order:
                self._place(side, level, now_ns, seq)
        value = round(self.position * (mid if mid is not None else DOLLAR / 2))
        self._equity(now_ns, value)

    def trade(self, now_ns: int, seq: int, trade: Trade) -> None:
        """A public trade: the taker's yes meets offers, the taker's no meets bids."""
        side = "ask" if trade.taker is Side.YES else "bid"
        order = self.resting.get(side)
        if order is None or now_ns < order.row["arrived_ns"]:
            return
        price = order.row["price"]
        if (trade.price < price) if side == "ask" else (trade.price > price):
            return
        order.ahead, spare = max(order.ahead - trade.count, 0), max(trade.count - order.ahead, 0)
        count = min(spare, order.left)
        if count:
            self._fill(side, count, now_ns, seq)

    def _place(self, side: str, level: tuple[int, int], now_ns: int, seq: int) -> None:
        number = len(self.rows["orders"]) + 1
        place = {"do": "place", "market": self.market, "client_order_id": f"o{number}", "side": side, "price": level[0]}
        action = json.dumps(place)
        row = {
            "tape": 0,
            "client_order_id": f"o{number}",
            "strategy": "quoter",
            "market": self.market,
            "side": side,
            "price": level[0],
            "count": SIZE,
            "post_only": True,
            "ioc": False,
            "decided_ns": now_ns,
            "filled": 0,
            "amendments": 0,
            "fees": 0,
            "end": "resting",
            "trusted": True,
            "arrived_ns": now_ns + WAY_NS + number * 7919 % 9_000_000,
            "answered_ns": now_ns + 2 * WAY_NS + number * 104729 % 23_000_000,
            "ended_ns": None,
            "ahead": level[1],
        }
        self._decide("place", now_ns, seq, action)
        self.rows["orders"].append(row)
        self.resting[side] = _Order(row, SIZE, level[1] // 20)

    def _end(self, side: str, now_ns: int, how: str, seq: int) -> None:
        order = self.resting.pop(side)
        order.row["end"], order.row["ended_ns"] = how, max(now_ns, order.row["arrived_ns"] + 1)
        if how == "canceled":
            action = json.dumps(
                {"do": "cancel", "market": self.market, "client_order_id": order.row["client_order_id"]}
            )
            self._decide("cancel", now_ns, seq, action)

    def _decide(self, do: str, now_ns: int, seq: int, action: str) -> None:
        self.rows["decisions"].append(
            {
                "tape": 0,
                "session": 0,
                "number": len(self.rows["decisions"]) + 1,
                "cause": seq,
                "at_ns": now_ns,
                "strategy": "quoter",
                "do": do,
                "market": self.market,
                "action": action,
                "refused": "",
            }
        )

    def _fill(self, side: str, count: int, now_ns: int, seq: int) -> None:
        order = self.resting[side]
        price, sign = order.row["price"], 1 if side == "bid" else -1
        fee = -(-175 * count * price * (DOLLAR - price) // (10_000 * DOLLAR * 100)) * 100
        self.cash -= sign * price * count + fee
        self.fees += fee
        self.position += sign * count
        order.left -= count
        order.row["filled"] += count
        order.row["fees"] += fee
        self.rows["fills"].append(
            {
                "tape": 0,
                "at_ns": now_ns,
                "told_ns": now_ns + WAY_NS,
                "seq": seq,
                "trade_id": f"t{seq}",
                "client_order_id": order.row["client_order_id"],
                "strategy": "quoter",
                "market": self.market,
                "side": side,
                "price": price,
                "count": count,
                "fee": fee,
                "is_taker": len(self.rows["fills"]) % 9 == 8,
                "position": self.position,
                "cash": self.cash,
                "why": "trade",
                "trusted": self.trusted,
                "rested_ns": now_ns - order.row["arrived_ns"],
            }
        )
        self._held(now_ns, self.position * price)
        self._equity(now_ns, self.position * price)
        if not order.left:
            self._end(side, now_ns, "executed", seq)

    def _held(self, now_ns: int, value: int) -> None:
        self.rows["positions"].append(
            {
                "tape": 0,
                "at_ns": now_ns,
                "market": self.market,
                "position": self.position,
                "cost": 0,
                "value": value,
            }
        )

    def _equity(self, now_ns: int, value: int) -> None:
        self.rows["equity"].append(
            {
                "tape": 0,
                "at_ns": now_ns,
                "cash": self.cash,
                "value": value,
                "fees": self.fees,
                "equity": self.cash + value,
                "exposure": abs(value),
                "orders": len(self.resting),
                "trusted": self.trusted,
            }
        )

    def _trust(self, now_ns: int, trusted: bool) -> None:
        if not trusted and self.doubted_ns is None:
            self.doubted_ns = now_ns
        if trusted and self.doubted_ns is not None:
            self.doubt(self.doubted_ns, now_ns)
            self.doubted_ns = None
        self.trusted = trusted

    def doubt(self, from_ns: int, until_ns: int, reason: str = "reconnect") -> None:
        """A span that was not to be trusted."""
        self.rows["spans"].append(
            {"tape": 0, "from_ns": from_ns, "until_ns": until_ns, "reason": reason, "market": self.market}
        )

    def finish(self, now_ns: int, settlement: int | None) -> None:
        """The tape is over: settle or mark, and look up what fills were worth later."""
        for fill in self.rows["fills"]:
            fill["mid"] = self._mid(fill["at_ns"])
            for name, after_ns in MARKS:
                fill[name] = self._mid(fill["at_ns"] + after_ns)
            fill["settlement"] = settlement
        last = next((mid for _, mid in reversed(self.mids) if mid is not None), None)
        mark = settlement if settlement is not None else last
        value = round(self.position * (mark or 0))
        pnl = self.cash + value - START_CASH
        self._equity(now_ns, value)
        untrusted = pnl // 5 if self.rows["spans"] else 0
        sides = {side: sum(f["count"] for f in self.rows["fills"] if f["side"] == side) for side in ("bid", "ask")}
        self.rows["markets"].append(
            {
                "tape": 0,
                "market": self.market,
                "orders": len(self.rows["orders"]),
                "fills": len(self.rows["fills"]),
                "bought": sides["bid"],
                "sold": sides["ask"],
                "fees": self.fees,
                "pnl": pnl,
                "pnl_trusted": pnl - untrusted,
                "pnl_untrusted": untrusted,
                "position": 0 if settlement is not None else self.position,
                "mark_by": "settled" if settlement is not None else "mid" if self.position else "flat",
                "fee_terms": "quadratic:1 (supposed)",
                "mark": None if settlement is not None else last,
                "settlement": settlement,
                "settled_ns": now_ns if settlement is not None else None,
            }
        )

    def _mid(self, at_ns: int) -> float | None:
        if not self.mids or at_ns > self.mids[-1][0]:
            return None
        return next((mid for known_ns, mid in reversed(self.mids) if known_ns <= at_ns), None)


def quote(tape: Tape, markets: Sequence[str], settlements: Mapping[str, int] | None = None) -> SampleResult:
    """What quoters of these markets leave behind; settlements: what a yes contract of a market paid."""
    quoters = {market: Quoter(market) for market in markets}
    player = Player(tape, "columns", checkpoint_records=0)
    first_ns = next_ns = 0
    for record, step in player.play():
        now_ns = player.now_ns
        first_ns = first_ns or now_ns
        message = step.message
        if isinstance(message, Trade) and message.market in quoters:
            quoters[message.market].trade(now_ns, record.seq, message)
        if now_ns >= next_ns:
            for market, quoter in quoters.items():
                quoter.tick(now_ns, record.seq, player.store.view(market))
            next_ns = max(next_ns + SECOND, now_ns)
    for market, quoter in quoters.items():
        quoter.finish(player.now_ns, (settlements or {}).get(market))
    rows = {name: [row for quoter in quoters.values() for row in quoter.rows[name]] for name in TABLES}
    for name, time in (("decisions", "at_ns"), ("orders", "decided_ns"), ("fills", "at_ns"), ("positions", "at_ns")):
        rows[name].sort(key=itemgetter(time))
    return result_of(rows, tape, first_ns, player.now_ns)


def result_of(rows: Mapping[str, list[dict[str, Any]]], tape: Tape, first_ns: int, last_ns: int) -> SampleResult:
    """A result of rows; equity of several markets is not summed, so such rows are for one market."""
    tables = {name: pa.Table.from_pylist(rows.get(name, []), schema=schema) for name, schema in TABLES.items()}
    manifest = {
        "schema": 1,
        "tapedeck": "0.1.0",
        "command": ["tapedeck", "backtest", tape.path.name, "--strategy", "quoter"],
        "tapes": [
            {
                "path": str(tape.path),
                "digest": "0" * 64,
                "from_ns": first_ns,
                "until_ns": last_ns,
                "records": tape.head_seq + 1,
            }
        ],
        "strategies": [{"name": "quoter", "path": "tests:Quoter", "params": {"size": SIZE}}],
        "seed": 7,
        "venue": {"queue": "power@1"},
        "hold": {},
        "orders_hash": "ab" * 32,
        "start_cash": START_CASH,
        "assumptions": [
            "Our orders change nothing of what others did.",
            "Orders take 50 ms to the venue and answers 50 ms back: the tape holds no round trip.",
        ],
        "totals": {},
    }
    return SampleResult(tables, manifest)


def empty(tape_path: Path = Path("absent")) -> SampleResult:
    """A result of a strategy that did nothing at all."""
    tables = {name: schema.empty_table() for name, schema in TABLES.items()}
    span = {"from_ns": START_NS, "until_ns": START_NS + 60 * SECOND}
    manifest = {
        "schema": 1,
        "tapedeck": "0.1.0",
        "command": [],
        "seed": 0,
        "venue": {},
        "hold": {},
        "orders_hash": "",
        "tapes": [{"path": str(tape_path), "digest": "", "records": 9, **span}],
        "strategies": [{"name": "idle", "path": "x:Idle", "params": {}}],
        "start_cash": START_CASH,
        "assumptions": [],
        "totals": {},
    }
    return SampleResult(tables, manifest)


DEEP: Final = 12


def walk(seconds: int = 90, seed: int = 5) -> Script:
    """A market KXTEST-A whose price walks in cents while both sides are traded, and a still KXTEST-B; after a third of
    the time a lost frame and its snapshot."""
    dice, script, mid = Random(seed), Script(step_ns=2_000_000), 50
    script.session().opened().subscribed(1).subscribed(2, "trade")
    _snapshots(script, mid)
    for turn in range(seconds * 10):
        if turn == seconds * 10 // 3:
            script.skip(2).delta("KXTEST-A", "yes", "0.0100", "1.00").wait(2 * SECOND)
            _snapshots(script, mid)
        if turn % 4 == 0:
            way = dice.choice((-1, 1)) if 20 < mid < 80 else (1 if mid < 50 else -1)
            # A cent more to bid or to offer on one side, a cent less on the other, and so at both far ends.
            near, far = ("yes", "no") if way > 0 else ("no", "yes")
            price = mid if way > 0 else 100 - mid
            _level(script, near, price, 10)
            _level(script, far, 100 - price - 1, -10)
            _level(script, near, price - DEEP, -10)
            _level(script, far, 100 - price - 1 - DEEP, 10)
            mid += way
        taker = dice.choice(("yes", "no"))
        script.trade(
            "KXTEST-A", f"0.{mid + (1 if taker == 'yes' else -1):02d}00", f"{dice.randrange(1, 9)}.50", taker=taker
        )
        script.wait(90_000_000)
    return script.stop()


def _snapshots(script: Script, mid: int) -> None:
    sides = [[(f"0.{first - level:02d}00", "10.00") for level in range(1, DEEP + 1)] for first in (mid, 100 - mid)]
    script.snapshot("KXTEST-A", sides[0], sides[1])
    script.snapshot("KXTEST-B", [("0.1000", "1.00")], [("0.8000", "2.00")])


def _level(script: Script, side: str, price: int, count: int) -> None:
    script.delta("KXTEST-A", side, f"0.{price:02d}00", f"{count}.00")
