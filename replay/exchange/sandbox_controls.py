"""What scripts may ask of a sandbox beside the protocol: time, the lives of markets, pauses, and the true accounts.

Knows the names and arguments of controls. What makes no sense raises ConfigError.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from core.errors import ConfigError
from core.times import SECOND_NS
from replay.exchange.engine import MatchingEngine
from replay.exchange.playhead import MAX, format_speed, parse_speed
from replay.exchange.specs import NO_WINS, YES_WINS, Outcome, Result
from replay.exchange.traders import ACCOUNTS
from replay.exchange.views import Pause

T = TypeVar("T")
Control = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]

MAX_STEP: Final = 1_000_000
MAX_ADVANCE_S: Final = 86_400
_PAUSES: Final = {"none": Pause.NONE, "trading": Pause.TRADING, "exchange": Pause.EXCHANGE}


class Machine(Protocol):
    """What controls need of the exchange and what goes on in it."""

    engine: MatchingEngine
    now_ns: int
    steps: int
    frames: int


class Sandbox(Protocol):
    """What controls need of a sandbox."""

    speed: float

    @property
    def machine(self) -> Machine:
        """The exchange and what goes on in it."""

    @property
    def is_paused(self) -> bool:
        """Whether traders and time stand still."""

    def markets(self) -> tuple[str, ...]:
        """Every market, sorted."""

    def pause(self) -> None:
        """Let traders and time stand still."""

    def resume(self) -> None:
        """Go on."""

    def leap(self, *, until_step: int = 0, until_ns: int = 0) -> None:
        """Make steps at once, up to this one and this time, and tell the clients."""

    def act(self, command: Callable[[int], T]) -> T:
        """Do something to the engine now, and tell the clients."""


def controls_of(venue: Sandbox) -> Mapping[str, Control]:
    """The controls by name."""
    controls = Controls(venue)
    return {
        "pause": controls.pause,
        "resume": controls.resume,
        "step": controls.step,
        "advance": controls.advance,
        "speed": controls.speed,
        "settle": controls.settle,
        "activate": controls.activate,
        "deactivate": controls.deactivate,
        "exchange": controls.exchange,
        "totals": controls.totals,
        "status": controls.status,
    }


class Controls:
    """Each answers with what there is to know afterwards."""

    def __init__(self, venue: Sandbox) -> None:
        self._venue = venue

    async def pause(self, _arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let traders and time stand still."""
        self._venue.pause()
        return self._status()

    async def resume(self, _arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Go on."""
        self._venue.resume()
        return self._status()

    async def step(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make `count` steps (1 if not given) at once."""
        count = arguments.get("count", 1)
        if type(count) is not int or not 1 <= count <= MAX_STEP:
            raise ConfigError(f"count {count!r} is no number from 1 to {MAX_STEP}")
        self._venue.leap(until_step=self._venue.machine.steps + count)
        return self._status()

    async def advance(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let `seconds` of the exchange's time pass at once."""
        seconds = arguments.get("seconds", 1)
        if not isinstance(seconds, int | float) or not 0 < seconds <= MAX_ADVANCE_S:
            raise ConfigError(f"seconds {seconds!r} is no number above 0 and up to {MAX_ADVANCE_S}")
        self._venue.leap(until_ns=self._venue.machine.now_ns + int(seconds * SECOND_NS))
        return self._status()

    async def speed(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Go on at `speed`: exchange seconds a second, or max."""
        pace = parse_speed(str(arguments.get("speed", "")))
        self._venue.speed = 0.0 if pace == MAX else pace
        return self._status()

    async def settle(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Determine `market` as `result`: yes, no, or a price that yes pays; it is paid after its timer."""
        market, outcome = self._market(arguments), _outcome(str(arguments.get("result", "yes")))
        self._do(lambda now_ns: self._venue.machine.engine.life.determine(market, outcome, now_ns))
        return self._status()

    async def activate(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Start `market` again."""
        market = self._market(arguments)
        self._do(lambda now_ns: self._venue.machine.engine.life.activate(market, now_ns))
        return self._status()

    async def deactivate(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Stop `market`."""
        market = self._market(arguments)
        self._do(lambda now_ns: self._venue.machine.engine.life.deactivate(market, now_ns))
        return self._status()

    async def exchange(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Pause the exchange: `pause` is none, trading or exchange."""
        pause = _PAUSES.get(str(arguments.get("pause", "")))
        if pause is None:
            raise ConfigError(f"pause {arguments.get('pause')!r} is none of {', '.join(_PAUSES)}")
        self._do(lambda now_ns: self._venue.machine.engine.life.pause(pause, now_ns))
        return self._status()

    async def totals(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """What an account truly has, in our units: balance, reserved, positions, fees, orders that rest."""
        reads = self._venue.machine.engine.reads
        known = [account for account in reads.accounts() if account not in ACCOUNTS]
        account = str(arguments.get("account", *known[:1]))
        if account not in known:
            raise ConfigError(f"account {account!r} is none of {', '.join(known)}")
        balance, holdings = reads.balance(account), reads.holdings(account)
        return {
            "account": account,
            "balance": balance.balance,
            "reserved": balance.reserved,
            "portfolio": balance.portfolio,
            "positions": {holding.market: holding.position for holding in holdings if holding.position},
            "fees_paid": balance.fees_paid,
            "realized_pnl": balance.realized_pnl,
            "resting": [order.order_id for order in reads.resting(account)],
        }

    async def status(self, _arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Where it is."""
        return self._status()

    def _status(self) -> Mapping[str, Any]:
        venue = self._venue
        return {
            "now_ns": venue.machine.now_ns,
            "steps": venue.machine.steps,
            "frames": venue.machine.frames,
            "speed": format_speed(venue.speed or MAX),
            "paused": venue.is_paused,
            "markets": list(venue.markets()),
        }

    def _market(self, arguments: Mapping[str, Any]) -> str:
        market = str(arguments.get("market", ""))
        if market not in self._venue.markets():
            raise ConfigError(f"market {market!r} is not listed; `status` names those that are")
        return market

    def _do(self, command: Callable[[int], object]) -> None:
        try:
            self._venue.act(command)
        except ValueError as error:
            raise ConfigError(str(error)) from None


def _outcome(result: str) -> Outcome:
    if result in ("yes", "no"):
        return YES_WINS if result == "yes" else NO_WINS
    try:
        return Outcome(Result.SCALAR, int(result))
    except ValueError:
        raise ConfigError(f"result {result!r} is neither yes nor no nor a price in 1/10,000 dollar") from None
