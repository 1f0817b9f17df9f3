"""What the daemon says of itself, once a second: one immutable value, and that value as a line for people.

Knows the words of a status. Must not know how any of it is found out, nor where the lines go.
"""

from enum import StrEnum
from typing import Final, Protocol

import msgspec

from core.printable import printable
from core.times import SECOND_NS

MINUTE_NS: Final = 60 * SECOND_NS
TRADING_NS: Final = 10 * SECOND_NS
"""How often orders and money that move are news."""

_POSITIONS: Final = 4  # shown in a line
_BEHIND: Final = 1_000  # records; fewer are a matter of milliseconds
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400
_LONG_DAYS: Final = 1_000  # more days than anybody plans for are not worth a figure


class State(StrEnum):
    """What the daemon is doing, in one word."""

    STARTING = "starting"  # not every connection has been up yet
    RECORDING = "recording"
    MAINTENANCE = "maintenance"  # the exchange is paused: nothing is wrong here
    UNHEALTHY = "unhealthy"  # recording, or trying to, and something of RELIABILITY P16 does not hold
    STOPPING = "stopping"
    STOPPED = "stopped"


class LinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One of the connections. number: that of its present socket, 0 = none so far. tries: failed ones since it was up.

    heard_age_s: since its last frame of any kind, -1 = never. error: why it was lost or refused last, "" = never.
    """

    slot: int
    state: str
    up: bool
    number: int = 0
    tries: int = 0
    subscriptions: int = 0
    heard_age_s: float = -1.0
    error: str = ""


class GapStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A gap that is open. number: unique within the tape. markets: of how many, 0 = everything of its connection.

    connection: 0 = all of them. since_ns: the tape's time (Unix ns) of the last instant that is vouched for.
    """

    number: int
    reason: str
    since_ns: int
    connection: int = 0
    markets: int = 0


class DiskStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Room for the tape. bytes_per_day: what the tape grows by, 0 = not known yet. days: until full, None = not known.

    low: an operator should act. problem: why nothing can be recorded or sealed just now, one sentence, "" = all well.
    """

    free_bytes: int = 0
    bytes_per_day: int = 0
    days: float | None = None
    low: bool = False
    problem: str = ""


class RestStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The REST side. calls, failed: attempts since the start. error: the last failure, "" = the last one went well.

    paused: the exchange says, or its schedule, that it is paused. clock_offset_s: its clock minus ours, None = unknown.
    unread: items of listings that could not be read and were left out.
    """

    calls: int = 0
    failed: int = 0
    error: str = ""
    paused: bool = False
    clock_offset_s: float | None = None
    unread: int = 0


class TradeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A run's strategies. Money in 1/1,000,000 dollar, positions in 1/100 contract: positive = yes, negative = no.

    orders: that may rest. day_pnl: won or lost today, what is held at what it would bring now. cash None = not told.
    refused: decisions that a limit or the state of things forbade. stale: orders that were too late to be sent.
    declined: orders that the exchange did not take, as after the run's order group has ended them.
    lag_records: that the strategies are behind the tape's head. health: why nothing is placed just now, "" = it is.
    failed: strategies that ended by an error, each with how.
    """

    strategies: tuple[str, ...] = ()
    paper: bool = False
    orders: int = 0
    positions: tuple[tuple[str, int], ...] = ()
    cash: int | None = None
    day_pnl: int = 0
    fills: int = 0
    fees: int = 0
    decisions: int = 0
    refused: int = 0
    stale: int = 0
    declined: int = 0
    lag_records: int = 0
    health: str = ""
    failed: tuple[str, ...] = ()


class DaemonStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon at one instant. Counts are of this session unless said otherwise.

    at_ns, started_ns: wall clock (Unix ns). why: the reason for a state that is not healthy, one sentence, "" = none.
    frames: received, control frames included. bytes: of the frames received. frames_per_s: over the last seconds.
    markets: wanted now. refused: how many of them cannot be had, the exchange does not let us. followed: markets whose
    settlement is not on the tape yet, those of earlier sessions included.
    gaps: opened since the start, closed ones included. lag_records: that the fold is behind the tape's head.
    durable_seq: see TapeWriter. key_refused: the exchange did not accept the key the last time it was asked.
    malformed, rejected, unknown: messages that could not be read, were not applied, or are of types we do not know.
    lost_lines: status lines that nobody took. exit_code: once stopped, the program's; until then 0. trading: None = no
    strategies run.
    """

    at_ns: int
    started_ns: int
    tape: str
    environment: str
    session: str
    state: State
    healthy: bool = False
    why: str = ""
    frames: int = 0
    bytes: int = 0
    frames_per_s: float = 0.0
    markets: int = 0
    refused: int = 0
    followed: int = 0
    links: tuple[LinkStatus, ...] = ()
    open_gaps: tuple[GapStatus, ...] = ()
    gaps: int = 0
    head_seq: int = -1
    durable_seq: int = -1
    lag_records: int = 0
    disk: DiskStatus = DiskStatus()
    rest: RestStatus = RestStatus()
    key_refused: bool = False
    malformed: int = 0
    rejected: int = 0
    unknown: int = 0
    lost_lines: int = 0
    exit_code: int = 0
    trading: TradeStatus | None = None

    @property
    def up_s(self) -> float:
        """Seconds since the start."""
        return (self.at_ns - self.started_ns) / SECOND_NS


class Watcher(Protocol):
    """Whoever wants to see each status: metrics, notices, a watchdog.

    Called in the daemon's own thread once a second and a last time with State.STOPPED, so it must return at once.
    What it raises is said once and never stops recording.
    """

    def __call__(self, status: DaemonStatus, /) -> None:
        """Take note of the daemon's state now."""


def status_line(status: DaemonStatus) -> str:
    """One line for people, without a time, and without a control character whatever an exchange may have sent."""
    up = sum(link.up for link in status.links)
    parts = [
        f"{status.state}",
        f"{status.frames_per_s:,.0f} frames/s",
        _count(status.markets, "market") + (f" ({status.refused:,} refused)" if status.refused else ""),
        f"{up}/{len(status.links)} connected",
        _gaps(status),
        f"lag {status.lag_records:,}",
        _disk(status.disk),
    ]
    if status.trading is not None:
        parts.insert(1, trading_words(status.trading))
    if status.why:
        parts.append(status.why)
    return printable("  ".join(parts))


def trading_words(trading: TradeStatus) -> str:
    """What the strategies have and do, for people."""
    shown = [f"{market} {count / 100:+g}" for market, count in trading.positions[:_POSITIONS]]
    more = len(trading.positions) - _POSITIONS
    held = ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")
    parts = [
        f"{'PAPER ' if trading.paper else ''}today {format_gain(trading.day_pnl)}",
        _count(trading.orders, "order"),
        _count(trading.fills, "fill"),
        f"holds {held}" if held else "holds nothing",
    ]
    parts += [f"{trading.stale:,} too late"] if trading.stale else []
    parts += [f"{trading.declined:,} declined by the exchange"] if trading.declined else []
    parts += [f"strategies {trading.lag_records:,} records behind"] if trading.lag_records >= _BEHIND else []
    parts += [trading.health] if trading.health else []
    parts += [f"FAILED {failed}" for failed in trading.failed]
    return "  ".join(parts)


def format_gain(money: int) -> str:
    """1_500_000 is "+$1.50", -20_000 is "-$0.02"."""
    return f"{'-' if money < 0 else '+'}${abs(money) / 1_000_000:,.2f}"


def final_line(status: DaemonStatus) -> str:
    """What came of it all, said at the end."""
    return printable(
        f"stopped after {format_span(status.up_s)}: {_count(status.frames, 'frame')} of "
        f"{_count(status.markets, 'market')} in {status.tape}, {_count(status.gaps, 'gap')}"
        + (f"; {trading_words(msgspec.structs.replace(status.trading, health=''))}" if status.trading else "")
        + (f"; {status.why}" if status.why else "")
    )


def is_news(before: DaemonStatus | None, now: DaemonStatus) -> bool:
    """Whether a line should be printed for this status where lines stay: something changed, or a minute is over.

    `before` is the status of the last line. Figures that move all the time are no news.
    """
    if before is None or now.at_ns - before.at_ns >= MINUTE_NS or _gist(before) != _gist(now):
        return True
    was, trading = before.trading, now.trading
    if was is None or trading is None:
        return was is not trading
    what = trading.positions, trading.fills, trading.health, trading.failed
    if what != (was.positions, was.fills, was.health, was.failed):
        return True
    return now.at_ns - before.at_ns >= TRADING_NS and (trading.orders, trading.day_pnl) != (was.orders, was.day_pnl)


def _gist(status: DaemonStatus) -> tuple[object, ...]:
    return (
        status.state,
        status.why,
        status.markets,
        status.refused,
        status.gaps,
        tuple(gap.number for gap in status.open_gaps),
        tuple(link.up for link in status.links),
        status.disk.low,
        status.disk.problem,
        status.key_refused,
    )


def _gaps(status: DaemonStatus) -> str:
    if not status.open_gaps:
        return _count(status.gaps, "gap")
    reasons = sorted({gap.reason for gap in status.open_gaps})
    return f"{_count(status.gaps, 'gap')}, {len(status.open_gaps):,} open ({', '.join(reasons)})"


def _disk(disk: DiskStatus) -> str:
    if disk.days is None:
        return f"disk {format_bytes(disk.free_bytes)} free"
    days = f"over {_LONG_DAYS:,}" if disk.days > _LONG_DAYS else f"{disk.days:,.0f}"
    return f"disk {days} days{' LOW' if disk.low else ''}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_bytes(count: float) -> str:
    """1_500_000 is "1.5 MB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1_000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1_000
    return f"{count:,.1f} TB"


def format_span(seconds: float) -> str:
    """93_784.0 is "1 d 2 h"; the two largest units that are not zero."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", _DAY_S), ("h", _HOUR_S), ("min", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number or (unit == "s" and not parts):
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2])
