"""Plays a tape to an audience: the loop that takes each record when it is due and does what it means.

Knows the order of things: what was lost, whom to wait for, which frame goes out. Must not know what a record means
(`position` says) nor how sessions are numbered. Everything is called on the event loop.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from core.errors import ConfigError
from core.messages import Malformed, Message
from core.records import Kind
from replay.exchange.attendance import Attendance
from replay.exchange.frames import is_reply
from replay.exchange.outages import NOBODY, Outages
from replay.exchange.playhead import MAX, Playhead, format_speed
from replay.exchange.port import Audience, Template
from replay.exchange.position import Effect, Lost, Position
from replay.exchange.reel import Reel
from replay.when import format_time

ON_SUBSCRIPTION: Final = "subscription"
AT_ONCE: Final = "now"
PAUSED: Final = "paused"
STARTS: Final = (ON_SUBSCRIPTION, AT_ONCE, PAUSED)

TURN_RECORDS: Final = 64
"""Records played before everybody else on the event loop gets a turn: about a millisecond."""

MOVED: Final = Lost(1012, "the playhead was moved")
"""How clients learn of a seek: what they hold belongs to another time, so they begin anew."""

_TEXT: Final = int(Kind.FRAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class TapedOptions:
    """How a tape is played. Raises ConfigError.

    speed: tape seconds a second, playhead.MAX = as fast as the clients read. start: when play begins: with the first
    subscription, now, or when told to. settle_s: so long nobody may have subscribed to more before play begins or goes
    on after a disconnect. patience_s: so long clients are waited for after a disconnect.
    """

    speed: float = 1.0
    start: str = ON_SUBSCRIPTION
    settle_s: float = 0.25
    patience_s: float = 30.0

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise ConfigError(f"start {self.start!r} is none of {', '.join(STARTS)}")


class Projector:
    """One tape and its playhead.

    state: "waiting" for a subscription, "playing", "ended". published: frames so far. left_out: data and replies that
    were not, by reason. position: everything before it was played.
    """

    def __init__(self, tape: Tape, options: TapedOptions) -> None:
        self.position = Position()
        self.playhead = Playhead(options.speed, paused=options.start == PAUSED)
        self.state = "waiting"
        self.published = 0
        self.left_out: Counter[str] = Counter()
        self._tape = tape
        self._options = options
        self._reel = Reel(tape)
        self._audience: Audience | None = None
        self._attendance: Attendance | None = None
        self._turn = 0
        self._outages = Outages(options.patience_s)
        self._target: tuple[int | None, int | None] | None = None
        self._arrived: asyncio.Future[None] | None = None
        self._encore: asyncio.Task[None] | None = None

    async def play(self, audience: Audience) -> None:
        """Play to the end of the tape. Raises TapeDamaged, TapeError. Afterwards `seek` plays on by itself."""
        self._audience = audience
        self._attendance = attendance = Attendance(audience, self._options.settle_s)
        self._outages.attach(audience, attendance)
        await self._prelude()
        if self._options.start == ON_SUBSCRIPTION and not self.playhead.paused:
            await attendance.gather(1)
        await self._run()

    def knows_book(self, market: str) -> bool:
        """Whether the book at the playhead is what clients should have: trusted, and nothing of it is on its way."""
        outages = self._outages
        if market == outages.unsent:
            return False
        view = self.position.book(market)
        return view.trusted and view.owner is not None and view.owner[0] != outages.doomed

    def ticker(self, market: str) -> Template | None:
        """The latest ticker frame at the playhead, None where it is of a connection that is lost."""
        position = self.position
        return None if position.ticker_connection(market) == self._outages.doomed else position.ticker(market)

    def go(self) -> None:
        """Go on, without waiting for anybody any longer."""
        self.playhead.resume()
        if self._attendance is not None and self.state == "waiting":
            self._attendance.interrupt()

    async def step(self, count: int) -> None:
        """Play so many records and stand still; returns when they were played, or none was left."""
        if self.state == "ended":
            return
        self.playhead.pause()
        steps = asyncio.ensure_future(self.playhead.step(count))
        if self._attendance is not None and self.state == "waiting":
            self._attendance.interrupt()
        await steps

    async def seek(self, *, until_ns: int | None = None, until_seq: int | None = None) -> None:
        """Move to just after an instant or a seq; returns when there. Clients are disconnected.

        Raises ConfigError before play began, TapeDamaged, TapeError.
        """
        if self._audience is None:
            raise ConfigError("the tape does not play yet; seek when the exchange is up")
        while self._arrived is not None:
            await asyncio.wait([self._arrived])
        self._arrived = asyncio.get_running_loop().create_future()
        self._target = until_ns, until_seq
        self.playhead.interrupt()
        if self._attendance is not None:
            self._attendance.interrupt()
        if self.state == "ended":
            self._encore = asyncio.create_task(self._run())
        await self._arrived

    def status(self) -> Mapping[str, Any]:
        """Where it is, in plain values."""
        now_ns = self.position.now_ns
        return {
            "state": "paused" if self.playhead.paused and self.state != "ended" else self.state,
            "speed": format_speed(self.playhead.speed),
            "next_seq": self.position.next_seq,
            "records": self._tape.head_seq + 1,
            "now_ns": now_ns,
            "time": format_time(now_ns),
            "published": self.published,
            "disconnects": self._outages.count,
            "left_out": {name: count for name, count in sorted(self.left_out.items()) if name},
        }

    async def _prelude(self) -> None:
        """Take what comes before the first data frame as having happened: REST answers that clients ask for first."""
        reel = self._reel
        while reel.ready or await reel.fill():
            record, _, message = reel.ready[0]
            if record.kind == Kind.FRAME_BINARY or _is_data(message):
                return
            reel.ready.popleft()
            self.left_out[self.position.step(record, message).left_out] += 1

    async def _run(self) -> None:
        self.state = "playing"
        while True:
            if self._target is not None:
                await self._move(*self._target)
            elif self._reel.ready or await self._reel.fill():
                await self._next()
            elif self._target is None:
                break
        self.state = "ended"
        self.playhead.end()

    async def _next(self) -> None:
        record, now_ns, message = self._reel.ready[0]
        outages = self._outages
        if outages.awaited and record.kind == _TEXT:
            await outages.regather()
            self.playhead.forgive(now_ns)
        if not self.playhead.is_due(now_ns):
            if record.kind == Kind.OPENED:
                outages.foresee(record, self.position)
            if not await self.playhead.reach(now_ns):
                return
        self._reel.ready.popleft()
        effect = self.position.step(record, message)
        if effect.lost is not None or effect.skips:
            await self._suffer(effect, now_ns)
        self._show(effect)
        self._turn += 1
        if not self._turn % TURN_RECORDS:
            await self._breathe()

    def _show(self, effect: Effect) -> None:
        audience = self._audience
        assert audience is not None, "nothing is played before there is an audience"
        if effect.publication is not None:
            audience.publish(effect.publication)
        elif effect.broadcast is not None:
            audience.broadcast(effect.broadcast, binary=effect.binary)
        if effect.left_out:
            self.left_out[effect.left_out] += 1
        if effect.publication is None and effect.broadcast is None:
            return
        self.published += 1
        self._outages.is_fresh = False

    async def _suffer(self, effect: Effect, now_ns: int) -> None:
        """What comes before the frame: the recorder lost its connection, or frames."""
        assert self._audience is not None, "nothing is played before there is an audience"
        outages = self._outages
        if effect.lost is not None:
            outages.doomed = NOBODY
            if not outages.is_fresh:
                outages.disconnect(effect.lost)
        for channel, count in effect.skips:
            self._audience.skip(channel, count)
        if outages.awaited and (effect.publication is not None or effect.broadcast is not None):
            await outages.regather(effect.market)
            self.playhead.forgive(now_ns)

    async def _breathe(self) -> None:
        audience, attendance = self._audience, self._attendance
        assert audience is not None and attendance is not None, "nothing is played before there is an audience"
        if self.playhead.speed == MAX:
            await audience.drained()
            if not audience.subscriptions and self._options.start != AT_ONCE and not self._outages.awaited:
                await attendance.gather(1)
        await asyncio.sleep(0)

    async def _move(self, until_ns: int | None, until_seq: int | None) -> None:
        arrived, self._target = self._arrived, None
        assert arrived is not None, "whoever sets a target waits for it"
        try:
            position = await asyncio.to_thread(Position.at, self._tape, until_ns=until_ns, until_seq=until_seq)
        except TapeError as error:
            arrived.set_exception(error)
        else:
            await self._reel.close()
            self.position = position
            self._reel = Reel(self._tape, position.next_seq, position.timeline())
            self._outages.doomed = NOBODY
            self.playhead.rebase()
            if self._audience is not None and self._audience.subscriptions:
                self._outages.disconnect(MOVED)
            arrived.set_result(None)
        finally:
            self._arrived = None


def _is_data(message: Message | Malformed | None) -> bool:
    return message is not None and (isinstance(message, Malformed) or not is_reply(message))
