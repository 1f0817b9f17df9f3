"""Whether those are there for whom a tape plays: waiting until enough have subscribed and no more are coming.

Knows how many subscriptions there are and when one last grew. Must not know tapes. Everything is called on the event
loop.
"""

import asyncio

from replay.exchange.port import Audience


class Attendance:
    """Watches the subscriptions of an audience. settle_s: so long nobody must have subscribed to anything more."""

    def __init__(self, audience: Audience, settle_s: float) -> None:
        self._audience = audience
        self._settle_s = settle_s
        self._changed = asyncio.Event()
        self._grown_s = asyncio.get_running_loop().time()
        self._interrupted = False
        audience.on_subscribed(self._grown)

    async def gather(self, count: int, patience_s: float | None = None) -> bool:
        """Wait for so many subscriptions; False after patience_s (None = for ever), or when interrupted."""
        loop = asyncio.get_running_loop()
        give_up_s = None if patience_s is None else loop.time() + patience_s
        while not self._interrupted:
            now_s = loop.time()
            settled_s = self._grown_s + self._settle_s
            enough = self._audience.subscriptions >= count
            if enough and now_s >= settled_s:
                return True
            if give_up_s is not None and now_s >= give_up_s:
                return False
            deadlines = [moment for moment in (give_up_s, settled_s if enough else None) if moment is not None]
            await self._wait(min(deadlines) - now_s if deadlines else None)
        self._interrupted = False
        return False

    def interrupt(self) -> None:
        """Whoever waits, or is the next to wait, goes on at once."""
        self._interrupted = True
        self._changed.set()

    def _grown(self) -> None:
        self._grown_s = asyncio.get_running_loop().time()
        self._changed.set()

    async def _wait(self, span_s: float | None) -> None:
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), span_s)
        except TimeoutError:
            return
