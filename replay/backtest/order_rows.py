"""Each order's life as one row: from its placing to its end, out of what the venue told.

Pure: happenings in, rows of the table `orders` out. Must not know money or prices of markets.
"""

from dataclasses import dataclass
from typing import Any, Final

from core.actions import Place
from replay.backtest.journal import Journal
from replay.venue.told import Amended, Answered, Arrived, Ended, Filled, Rested

RESTING: Final = "resting"
"""The end of an order that had none when the tape was over."""


@dataclass(slots=True)
class _Life:
    place: Place
    strategy: str
    decided_ns: int
    price: int
    count: int
    trusted: bool = False
    arrived_ns: int | None = None
    answered_ns: int | None = None
    ended_ns: int | None = None
    ahead: int | None = None
    filled: int = 0
    amendments: int = 0
    fees: int = 0
    end: str = RESTING


def order_rows(journal: Journal) -> list[tuple[Any, ...]]:
    """Rows in the order in which the orders were decided; an order on its way when the tape ended has not arrived."""
    lives = {
        key: _Life(place, strategy, decided_ns, place.price, place.count)
        for key, (place, strategy, decided_ns) in journal.placed.items()
    }
    for happening in journal.happenings:
        life = lives.get(getattr(happening, "client_order_id", ""))
        if life is not None:
            _tell(life, happening)
    return [(journal.tape, key, *_row(life)) for key, life in lives.items()]


def _row(life: _Life) -> tuple[Any, ...]:
    """The columns of the table from `strategy` on."""
    place = life.place
    return (
        life.strategy, place.market, place.side.value, life.price, life.count, place.post_only, place.ioc,
        life.decided_ns, life.filled, life.amendments, life.fees, life.end, life.trusted, life.arrived_ns,
        life.answered_ns, life.ended_ns, life.ahead,
    )  # fmt: skip


def _tell(life: _Life, happening: Any) -> None:
    match happening:
        case Arrived():
            life.arrived_ns, life.decided_ns, life.trusted = happening.at_ns, happening.decided_ns, happening.trusted
        case Rested():
            life.ahead = happening.ahead if life.ahead is None else life.ahead
        case Filled():
            life.filled += happening.count
            life.fees += happening.fee
        case Amended():
            life.amendments += 1
            life.price, life.count = happening.price, happening.count
        case Answered():
            life.answered_ns = happening.told_ns
        case Ended():
            life.end, life.ended_ns = happening.end, happening.at_ns
