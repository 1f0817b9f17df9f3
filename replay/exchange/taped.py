"""A tape as a venue: behind the server stands a recording, played to any number of clients.

Knows how the parts go together: projector, REST, notation. Must not know sockets or sessions.

What a client gets is what the recorder got, frame for frame in the tape's order, with its own numbers. Private
frames go to whoever subscribes to their channel: every client plays the recorder's part. A tape of several
connections is one stream; when one of them was lost, every client is disconnected, and is given the books of the
others as they stand when it subscribes again. Repeats, frames of dead subscriptions and second copies by a redundant
connection are left out, since new numbers would make news of them; numbers that are missing on the tape are missing
for clients too.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Self

from capture.tape.reader import Tape
from core.errors import ConfigError
from core.views import MarketView
from replay.exchange import notation
from replay.exchange.contents import contents_of
from replay.exchange.options import CURRENT, RECORDED
from replay.exchange.playhead import parse_speed
from replay.exchange.port import Audience, RestAnswer, RestRequest, Template
from replay.exchange.projector import Projector, TapedOptions
from replay.exchange.recorded import Recorded
from replay.exchange.taped_rest import TapedRest
from replay.when import parse_time

MAX_STEP: Final = 1_000_000
"""Records in one step; more is a seek."""

Control = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class TapedVenue:
    """Plays one tape. Opening reads a few columns of the whole of it: raises TapeDamaged, TapeError.

    dialect: for ServerOptions, so that replies look like the frames beside them.
    """

    def __init__(self, tape: Tape, options: TapedOptions | None = None) -> None:
        self.projector = Projector(tape, TapedOptions() if options is None else options)
        self._contents = contents_of(tape)
        self._ids = {market: market_id for market_id, market in self._contents.ids.items()}
        self._rest = TapedRest(self)
        self.dialect = CURRENT if self._contents.has_sending_ms else RECORDED

    @classmethod
    def of(cls, tape: Tape, **options: Any) -> Self:
        """The venue with options given by name, as in TapedOptions."""
        return cls(tape, TapedOptions(**options))

    async def play(self, audience: Audience) -> None:
        """See Venue. Returns at the end of the tape; a seek goes on after that. Raises TapeDamaged, TapeError."""
        await self.projector.play(audience)

    def markets(self) -> tuple[str, ...]:
        """Every market that a frame of the tape names, sorted."""
        return self._contents.markets

    def snapshot(self, market: str, *, yes_price: bool) -> Template | None:
        """The book at the playhead, written as the tape writes its books; None where the tape does not know it."""
        if not self.knows_book(market):
            return None
        how, market_id = self.projector.position.notation(), self._ids.get(market, "")
        return notation.snapshot(self.book(market), how, market_id=market_id, yes_price=yes_price)

    def ticker(self, market: str) -> Template | None:
        """The latest ticker frame since the playhead was last moved; None after a disconnect, as for a book."""
        return self.projector.ticker(market)

    def market_of(self, market_id: str) -> str:
        """The ticker of a market's uuid, "" = unknown."""
        return self._contents.ids.get(market_id, "")

    def rest(self, request: RestRequest) -> RestAnswer:
        """See taped_rest."""
        return self._rest.answer(request)

    @property
    def recorded(self) -> Recorded:
        """The REST answers up to the playhead."""
        return self.projector.position.recorded

    @property
    def now_ns(self) -> int:
        """The tape's time at the playhead."""
        return self.projector.position.now_ns

    @property
    def begun_ns(self) -> int:
        """When the tape begins."""
        return self._contents.begun_ns

    def book(self, market: str) -> MarketView:
        """What is known of a market at the playhead."""
        return self.projector.position.book(market)

    def knows_book(self, market: str) -> bool:
        """Whether the book at the playhead is what clients should have."""
        return self.projector.knows_book(market)

    @property
    def controls(self) -> Mapping[str, Control]:
        """pause, resume, step {count}, speed {speed}, seek {time | seq}, status; each answers with the status."""
        controls = Controls(self.projector)
        return {
            "pause": controls.pause,
            "resume": controls.resume,
            "step": controls.step,
            "speed": controls.speed,
            "seek": controls.seek,
            "status": controls.status,
        }


class Controls:
    """What scripts may ask of a projector; arguments that make no sense raise ConfigError."""

    def __init__(self, projector: Projector) -> None:
        self._projector = projector

    async def pause(self, _arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Stand still."""
        self._projector.playhead.pause()
        return self._projector.status()

    async def resume(self, _arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Go on, without waiting for subscriptions."""
        self._projector.go()
        return self._projector.status()

    async def step(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Play `count` records (1 if not given) and stand still."""
        count = _whole(arguments, "count", 1)
        if not 1 <= count <= MAX_STEP:
            raise ConfigError(f"count {count} is not from 1 to {MAX_STEP}; use seek to go further")
        await self._projector.step(count)
        return self._projector.status()

    async def speed(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Another pace: `speed`, a number or max."""
        self._projector.playhead.set_speed(parse_speed(str(arguments["speed"])))
        return self._projector.status()

    async def seek(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Move to `time` (any form that --at takes) or to `seq`, the next record to play."""
        if ("time" in arguments) == ("seq" in arguments):
            raise ConfigError("seek takes either time or seq")
        if "time" in arguments:
            await self._projector.seek(until_ns=parse_time(str(arguments["time"])))
        else:
            await self._projector.seek(until_seq=_whole(arguments, "seq", 0) - 1)
        return self._projector.status()

    async def status(self, _arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Where it is."""
        return self._projector.status()


def _whole(arguments: Mapping[str, Any], name: str, usual: int) -> int:
    value = arguments.get(name, usual)
    try:
        return int(str(value))
    except ValueError:
        raise ConfigError(f"{name} {value!r} is no whole number") from None
