"""A hub without sockets for tests: sessions, what each is sent, and a check of every frame's shape."""

import json
from typing import Any, Final

from exchange_venue import ScriptedVenue
from frame_shapes import faults_of

from replay.exchange.hub import Hub
from replay.exchange.options import ServerOptions
from replay.exchange.port import Publication
from replay.exchange.replies import ERRORS
from replay.exchange.sessions import Session

NOW_NS: Final = 1_795_435_200_000_000_000


class Table:
    """A hub with sessions at it, and what each was sent."""

    def __init__(self, **options: Any) -> None:
        self.venue = ScriptedVenue()
        self.hub = Hub(self.venue, ServerOptions(keep_frames=True, **options), lambda: NOW_NS)
        self.session = self.join()

    def join(self, account: str = "trader") -> Session:
        return self.hub.lobby.join(account, lambda: None)

    def send(self, cmd: str, session: Session | None = None, number: int = 1, **params: Any) -> list[dict[str, Any]]:
        """A command and everything that was queued by it."""
        body = {"id": number, "cmd": cmd, **({"params": params} if params else {})}
        return self.raw(json.dumps(body), session)

    def raw(self, text: str | bytes, session: Session | None = None) -> list[dict[str, Any]]:
        self.hub.receive(session or self.session, text)
        return self.queued(session)

    def queued(self, session: Session | None = None) -> list[dict[str, Any]]:
        """What is queued for a session; every frame must have the shape that the protocol gives it."""
        out = (session or self.session).out
        before = len(out.kept)
        while out.take(0):
            pass
        frames = [json.loads(frame.payload) for frame in out.kept[before:]]
        for frame in frames:
            assert faults_of(frame) == [], frame
            keys = [key for key in ("type", "id", "sid", "seq", "msg", "sending_ts_ms") if key in frame]
            assert list(frame) == keys
        return frames

    def publish(self, *publications: Publication) -> None:
        for publication in publications:
            self.hub.publish(publication)


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    """The types of frames."""
    return [frame["type"] for frame in frames]


def places(frames: list[dict[str, Any]]) -> list[tuple[int | None, int | None]]:
    """The sids and seqs of frames."""
    return [(frame.get("sid"), frame.get("seq")) for frame in frames]


def error(frames: list[dict[str, Any]]) -> int:
    """The code of the only frame, which must be an error with its own text."""
    (frame,) = frames
    assert frame["msg"]["msg"] == ERRORS[frame["msg"]["code"]]
    code: int = frame["msg"]["code"]
    return code
