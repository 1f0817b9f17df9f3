"""An audience for venues: what was published, when, and clients that subscribe again after a disconnect."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from replay.exchange.port import Audience, Publication


class Shown(NamedTuple):
    """A frame: seconds since the house opened, channel ("" = broadcast), market, its bytes with sid 1 and seq 1."""

    at_s: float
    channel: str
    market: str
    payload: bytes


class House(Audience):
    """seats: subscriptions taken at the beginning, and again after each disconnect (returns_s None = never again).

    apart_s: so much later each of them comes back than the one before.
    """

    def __init__(
        self, seats: int = 1, *, comes_s: float = 0.0, returns_s: float | None = 0.5, apart_s: float = 0.0
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._opened_s = self._loop.time()
        self._seats = seats
        self._returns_s = returns_s
        self._apart_s = apart_s
        self._calls: list[Callable[[], None]] = []
        self._taken = 0
        self._changed = asyncio.Event()
        self.shown: list[Shown] = []
        self.publications: list[Publication] = []
        self.log: list[str] = []
        self._loop.call_later(comes_s, self.sit)

    def sit(self, count: int | None = None) -> None:
        """So many have subscribed now, None = everybody."""
        self._taken = self._seats if count is None else count
        self.log.append(f"subscribed at {self.now_s:g}")
        for call in self._calls:
            call()

    def leave(self) -> None:
        """Everybody is gone of their own accord."""
        self._taken = 0

    @property
    def now_s(self) -> float:
        """Seconds since the house opened."""
        return round(self._loop.time() - self._opened_s, 3)

    @property
    def payloads(self) -> list[bytes]:
        """The frames alone."""
        return [shown.payload for shown in self.shown]

    def publish(self, publication: Publication) -> None:
        self.publications.append(publication)
        payload = publication.template.render(1, 1)
        self._note(Shown(self.now_s, publication.channel, publication.market, payload))

    def broadcast(self, payload: bytes, *, binary: bool = False) -> None:
        self._note(Shown(self.now_s, "binary" if binary else "", "", payload))

    def skip(self, channel: str, count: int) -> None:
        self.log.append(f"skip {count} of {channel} after {len(self.shown)}")

    async def drained(self) -> None:
        return

    def disconnect_all(self, code: int = 0, reason: str = "") -> None:
        self.log.append(f"disconnected by {code} {reason}".rstrip() + f" after {len(self.shown)} at {self.now_s:g}")
        self._taken = 0
        if self._returns_s is not None and not self._apart_s:
            self._loop.call_later(self._returns_s, self.sit)
        elif self._returns_s is not None:
            for place in range(self._seats):
                self._loop.call_later(self._returns_s + place * self._apart_s, self.sit, place + 1)

    @property
    def subscriptions(self) -> int:
        return self._taken

    def on_subscribed(self, call: Callable[[], None]) -> None:
        self._calls.append(call)

    async def until(self, reached: Callable[["House"], bool]) -> None:
        """Wait until so much was shown."""
        while not reached(self):
            self._changed.clear()
            await self._changed.wait()

    def _note(self, shown: Shown) -> None:
        self.shown.append(shown)
        self._changed.set()
