"""A tape and what a venue might have told on it, written by hand: for tests of what is made from happenings."""

from pathlib import Path
from typing import Any, Self

from sample_tapes import MILLI, SECOND, START_NS, Script

from capture.tape.reader import Tape
from core.actions import BookSide, Decision, Place
from core.decider import Reaction
from core.records import Kind, Record, Session, encode_payload
from replay.backtest.journal import Journal
from replay.venue.told import Amended, Answered, Arrived, Ended, Filled, Rested, Settled

MARKET = "KXTEST-A"
OTHER = "KXTEST-B"


def quiet_tape(path: Path, *, seconds: int = 90, gap_at_s: int | None = None) -> Tape:
    """Two books of 0.40 bid, 0.60 offered. In the seconds 1 to 10 the first one rises to 0.50, cent by cent, in the
    next ten it falls back, and so on; record 5 + n comes at second n.

    gap_at_s: from that second on frames are missing; the books come back 5 s later, and the bid rises only.
    """
    script = Script(step_ns=0).session().opened().subscribed(1).subscribed(2, "trade")
    _books(script)
    for second in range(1, seconds + 1):
        script.now_ns = START_NS + second * SECOND
        if gap_at_s is not None and second == gap_at_s:
            script.skip(3)
        if gap_at_s is not None and second == gap_at_s + 5:
            _books(script)
            continue
        turn, place = divmod(second - 1, 10)
        rises = turn % 2 == 0 or (gap_at_s is not None and second > gap_at_s)
        script.delta(
            MARKET, "yes", f"0.{4100 + 100 * (place if rises else 9 - place):04d}", "1.00" if rises else "-1.00"
        )
    return script.stop().tape(path)


def _books(script: Script) -> None:
    for market in (MARKET, OTHER):
        script.snapshot(market, [("0.4000", "10.00")], [("0.4000", "7.00")])


class Told:
    """A journal in the making. Every order is placed and decided `0.1 s` before it arrives."""

    def __init__(self, tape: int = 0) -> None:
        self.journal = Journal(tape)
        self.journal.took(
            Record(0, START_NS, 0, 0, Kind.SESSION, encode_payload(Session("u", "test"))), START_NS, Reaction()
        )
        self.now_ns = START_NS
        self.number = 0
        self._orders: dict[str, tuple[str, BookSide]] = {}

    def at(self, seconds: float) -> Self:
        """What follows happens so long after the tape's beginning."""
        self.now_ns = START_NS + round(seconds * 1_000) * MILLI
        return self

    def place(self, side: BookSide, price: int, count: int, market: str = MARKET, *, refused: str = "") -> str:
        """An order is decided, arrives (unless the run's limits refuse it) and is answered."""
        self.number += 1
        key, decided_ns = f"td-hand-{self.number}", self.now_ns - 100 * MILLI
        place = Place(market=market, client_order_id=key, side=side, price=price, count=count)
        decision = Decision(self.number, 7, 0, "hand", place, refused)
        self.journal.took(None, decided_ns, Reaction([decision]))
        if not refused:
            self._orders[key] = market, side
            self.tell(
                Arrived(self.now_ns, key, "hand", market, side, price, count, True, False, decided_ns, True),
                Rested(self.now_ns, key, 300),
                Answered(self.now_ns + 50 * MILLI, key, ""),
            )
        return key

    def fill(self, key: str, price: int, count: int, *, seq: int, fee: int = 0, **more: Any) -> Self:
        """Some of it trades."""
        market, side = self._orders[key]
        told: dict[str, Any] = {"is_taker": False, "why": "trade", "rested_ns": SECOND, "trusted": True, **more}
        told |= {"at_ns": self.now_ns, "told_ns": self.now_ns + MILLI, "seq": seq, "trade_id": f"made-{seq}"}
        told |= {"client_order_id": key, "market": market, "side": side}
        return self.tell(Filled(price=price, count=count, fee=fee, **told))

    def end(self, key: str, end: str) -> Self:
        """It is over."""
        return self.tell(Ended(self.now_ns, key, end))

    def amend(self, key: str, price: int, count: int) -> Self:
        """It has another price."""
        return self.tell(Amended(self.now_ns, key, price, count))

    def settle(self, market: str, price: int, position: int, money: int) -> Self:
        """It pays."""
        return self.tell(Settled(self.now_ns, market, price, position, money))

    def tell(self, *happenings: Any) -> Self:
        """Anything."""
        for happening in happenings:
            self.journal.heard(happening)
        return self
