"""What scripts may ask of any local exchange: counts, and faults while it runs.

Knows hub, gate and arsenal, and installs the faults' go-betweens with the first fault. Must not know HTTP.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from core.errors import ConfigError
from replay.exchange.arsenal import Arsenal
from replay.exchange.clock import Clock
from replay.exchange.faulting import Saboteur
from replay.exchange.faults import parse
from replay.exchange.gate import Gate
from replay.exchange.hub import Hub
from replay.exchange.port import RestAnswer
from replay.exchange.rest_faults import Hang, RestSaboteur

Control = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]

TICK_S: Final = 0.02
"""How often time is looked at once there are faults."""


class Controls:
    """The controls of one server; all on its event loop."""

    def __init__(self, hub: Hub, gate: Gate, clock: Clock, seed: int) -> None:
        self._hub = hub
        self._gate = gate
        self._saboteur: Saboteur | None = None
        self._rest_saboteur: RestSaboteur | None = None
        self._ticking: asyncio.Task[None] | None = None
        self.arsenal = Arsenal(hub, clock, seed)

    @property
    def calls(self) -> Mapping[str, Control]:
        """stats; inject {fault}; faults (what waits and what was done); clear."""
        return {"stats": self._stats, "inject": self._inject, "faults": self._faults, "clear": self._clear}

    def start(self, faults: Iterable[str]) -> None:
        """Arm the faults that the exchange begins with."""
        for fault in faults:
            self.inject(fault)

    def stop(self) -> None:
        """No fault acts by time any more."""
        if self._ticking is not None:
            self._ticking.cancel()

    def inject(self, text: str) -> None:
        """Arm a fault; a text that cannot be read is a ConfigError."""
        fault = parse(text)
        if self._saboteur is None:
            self._saboteur = self._hub.meddler = Saboteur(self.arsenal, self._hub)
            self._rest_saboteur = self._gate.meddler = RestSaboteur(self.arsenal)
            self._ticking = asyncio.get_running_loop().create_task(self._tick(self._saboteur))
        self.arsenal.inject(fault)

    def upgrade(self) -> RestAnswer | Hang | None:
        """What a fault makes of a WebSocket upgrade; None = nothing."""
        return None if self._rest_saboteur is None else self._rest_saboteur.upgrade()

    async def _tick(self, saboteur: Saboteur) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.arsenal.tick()
            saboteur.tick()

    async def _inject(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(arguments.get("fault"), str):
            raise ConfigError('inject takes a fault, as {"fault": "drop@frames=100"}')
        self.inject(arguments["fault"])
        return {"waiting": self.arsenal.waiting}

    async def _faults(self, _arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"waiting": self.arsenal.waiting, "injected": [msgspec.to_builtins(done) for done in self.arsenal.log]}

    async def _clear(self, _arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.arsenal.clear()
        return {}

    async def _stats(self, _arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        lobby = self._hub.lobby
        sessions = [
            {
                "session": session.number,
                "account": session.account,
                "open": session.number in lobby.sessions,
                "frames": session.out.frames_sent,
                "bytes": session.out.bytes_sent,
                "queued": len(session.out),
                "commands": session.commands,
                "subscriptions": {str(sid): held.channel for sid, held in session.by_sid.items()},
            }
            for session in (*lobby.past, *lobby.sessions.values())
        ]
        return {"sessions": sessions, "subscriptions": self._hub.subscriptions, "faults": len(self.arsenal.log)}
