"""Whether all is well enough to trade: the connections, the exchange, the run's losses, and each market's book.

Knows where each of these is told. Must not know what anybody does about it.
"""

from typing import Final

from core.engine import Engine
from core.health import Health
from core.records import Kind
from core.reference import Reference
from core.session import STALL_NS
from core.trading import Trading
from core.window import Window

BEATS: Final = (int(Kind.HEARTBEAT), int(Kind.TICK))
"""Records that come about once a second, or when somebody wants to be woken."""

_TELL_HOURS: Final = (int(Kind.REST), int(Kind.CONTROL), *BEATS)


class Lookout:
    """The health of one session as it was when last looked at: looking is too dear for every frame."""

    __slots__ = ("_alive", "_engine", "_reference", "_trading", "health")

    def __init__(self, engine: Engine, reference: Reference, trading: Trading) -> None:
        self._engine = engine
        self._reference = reference
        self._trading = trading
        self._alive: dict[int, int] = {}
        self.health = Health()

    def look(self, kind: int, now_ns: int) -> None:
        """See how it is after a record of this kind."""
        alive = self._engine.connections.alive()
        self._alive = {number: heard_ns for number, heard_ns in alive.items() if now_ns - heard_ns <= STALL_NS}
        risk = self._trading.risk
        self.health = Health(
            is_connected=bool(self._alive),
            is_trading=self._reference.is_trading(),
            pause_ns=self._reference.pause_ns(now_ns) if kind in _TELL_HOURS else self.health.pause_ns,
            halted=risk.halt() if kind in BEATS or kind == Kind.CONTROL else risk.halted,
            is_started=self._trading.is_started,
        )

    def flaw(self, window: Window) -> str:
        """Why a market's book is not to be acted upon now, "" = it is."""
        if not window.is_trusted:
            return "untrusted"
        if window.connection not in self._alive:
            return "silent"
        bid, ask = window.bid, window.ask
        return "crossed" if bid is not None and ask is not None and bid >= ask else ""

    def heard_ns(self, window: Window) -> int:
        """When the connection of a market's book last brought anything, pings included, as far as looked at: a second
        ago at most. 0 = it is silent, or nobody's."""
        return self._alive.get(window.connection, 0)
