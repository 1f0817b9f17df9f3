"""A walk through a tape, from record to record or instant to instant, that sees when trust in a book comes and goes.

Knows where trust can change: at records that the machine leaves to the engine, and nowhere else (it steps a snapshot
only of a book that is trusted already, and no change that would cost trust). Must not know orders, nor why anybody
walks here. By the column path the machine goes the way between two stops.
"""

from collections.abc import Iterable

from capture.tape.reader import Tape
from core.cells import NEVER
from core.changes import Rejected
from core.engine import Step
from core.gaps import RECONNECT, STALL
from core.lifecycle import Lifecycle
from core.runs import END
from core.window import Window
from replay.backtest.trust import NO_SNAPSHOT, Trust
from replay.player import Player


class Walk:
    """Forward, once, to the end or a last seq. trust: of the markets that are watched, from before the first record on.

    changed: markets whose trust has changed; who reads clears it.
    """

    def __init__(self, tape: Tape, path: str, markets: Iterable[str], last_seq: int = NEVER) -> None:
        self.player = Player(tape, path, checkpoint_records=0)
        self.trust = Trust(markets)
        self.changed: list[str] = []
        self._is_compiled = path == "columns" and self.player.engine.memory.is_compiled
        self._last_seq = last_seq

    @property
    def now_ns(self) -> int:
        """The tape's time at the last record passed, 0 before the first."""
        return self.player.now_ns

    @property
    def is_over(self) -> bool:
        """Whether no record is left."""
        return self.player.finished or self.player.position > self._last_seq

    def window(self, market: str) -> Window:
        """Sight of a market, valid until the next step."""
        return self.player.store.window(market, self.player.now_ns)

    def life(self, market: str) -> Lifecycle:
        """What was said of a market's life."""
        return self.player.store.lifecycle(market)

    def to_seq(self, seq: int) -> bool:
        """Go on until a record is passed; False = stopped before that, or at it, as trust has changed. Never back."""
        return self._go(NEVER, seq)

    def to_ns(self, at_ns: int) -> bool:
        """Go on until every record received at or before an instant is passed; False as `to_seq`."""
        return self._go(at_ns, NEVER)

    def _go(self, last_ns: int, last_seq: int) -> bool:
        one = self._by_machine if self._is_compiled else self._plainly
        last_seq = min(last_seq, self._last_seq)
        while not self.player.finished and self.player.position <= last_seq and one(last_ns, last_seq):
            if self.changed:
                return False
        return True

    def _by_machine(self, last_ns: int, last_seq: int) -> bool:
        """Up to the next place where trust may change; False = that was the end of the way."""
        if self.player.stride(last_ns, last_seq) == END:
            return False
        self._saw(self.player.step()[1])
        return True

    def _plainly(self, last_ns: int, last_seq: int) -> bool:
        """The same, record by record."""
        until_ns = None if last_ns == NEVER else last_ns
        for _, step in self.player.play(until_ns, None if last_seq == NEVER else last_seq):
            self._saw(step)
            if self.changed:
                return True
        return False

    def _saw(self, step: Step) -> None:
        """See what a record that the engine has stepped did to trust."""
        market = getattr(step.message, "market", "")
        if step.gaps or step.message is None:
            self._look(self.trust.markets, step)
        elif market:
            self._look((market,), step)

    def _look(self, markets: tuple[str, ...], step: Step | None = None) -> None:
        now_ns = self.player.now_ns
        for market in markets:
            trusted = self.window(market).is_trusted
            if step is not None and step.healed and market == getattr(step.message, "market", ""):
                since_ns, reason = _lost_by(market, step)
                self.trust.told(market, now_ns, trusted=False, since_ns=since_ns, reason=reason)
            since_ns, reason = (-1, "") if trusted or step is None else _lost_by(market, step)
            if self.trust.told(market, now_ns, trusted=trusted, since_ns=since_ns, reason=reason):
                self.changed.append(market)


def _lost_by(market: str, step: Step) -> tuple[int, str]:
    """Since when (-1 = now) and why a market's book is not to be trusted, where it was until this step."""
    gaps = [gap for gap in step.gaps if not gap.markets or market in gap.markets or gap.reason in (RECONNECT, STALL)]
    if gaps:
        first = min(gaps, key=lambda gap: gap.at_ns)
        return first.at_ns, first.reason
    return -1, step.change.value if isinstance(step.change, Rejected) else NO_SNAPSHOT
