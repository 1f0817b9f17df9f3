"""A local exchange that plays a small made-up recording, and the recorder run against it as a process."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import forked

from capture.tape.reader import Tape
from core.records import Kind
from replay.exchange.local import LocalExchange
from replay.exchange.options import ServerOptions
from replay.exchange.taped import TapedVenue
from replay.importer import ImportOptions, import_recording
from replay.synthetic import Plan, write_recording

ROOT: Final = Path(__file__).resolve().parents[1]
PATIENCE_S: Final = 60.0
"""How long a test waits for what must happen; only a failure takes that long."""


@contextmanager
def recorded_exchange(
    place: Path,
    *,
    frames: int = 600,
    markets: int = 3,
    reconnects: int = 0,
    speed: float = 50.0,
    tls: tuple[Path, Path] | None = None,
) -> Iterator[LocalExchange]:
    """An exchange that plays a recording with so many frames and disconnects to whoever comes.

    tls: PEM files of its certificate and the key; None = in the clear.
    """
    recording, tape = place / "recording.jsonl", place / "source"
    write_recording(recording, Plan(frames=frames, markets=markets, reconnects=reconnects))
    import_recording([recording], tape, ImportOptions())
    venue = TapedVenue.of(Tape.open(tape), speed=speed)
    certificate, key = tls or (None, None)
    options = ServerOptions(keep_frames=True, dialect=venue.dialect, tls_certificate=certificate, tls_key=key)
    with LocalExchange(venue, options) as exchange:
        yield exchange


def url_of(exchange: LocalExchange) -> str:
    """What --env takes."""
    return exchange.rest_url.removesuffix("/trade-api/v2")


class Recording:
    """`tapedeck capture` as a process of its own that writes JSON lines; a context manager that leaves none behind.

    roll_bytes: as for a forked command.
    """

    def __init__(
        self,
        exchange: LocalExchange,
        tape: Path,
        *arguments: str,
        environ: dict[str, str] | None = None,
        roll_bytes: int = 0,
    ) -> None:
        variables = {**os.environ, **(exchange.environ() if environ is None else environ)}
        command = ("capture", "--env", url_of(exchange), "--out", str(tape), "--json", *arguments)
        self.tape = tape
        self._process = forked.Command(*command, environ=variables, often=True, roll_bytes=roll_bytes)

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def line(self) -> dict[str, Any]:
        """The next line that it says; AssertionError when it ended instead."""
        text = self._process.stdout.readline()
        assert text, self._process.ended().stderr.decode()
        found: dict[str, Any] = json.loads(text)
        return found

    def complaint(self) -> str:
        """The next line on its standard error."""
        return self._process.stderr.readline().decode()

    def wait_state(self, state: str) -> dict[str, Any]:
        """Read lines until a status has this state; that status."""
        while True:
            status: dict[str, Any] = self.line().get("status", {})
            if status.get("state") == state:
                return status

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        self._process.send(number)

    def ended(self) -> tuple[int, list[dict[str, Any]], str]:
        """Wait for its end: exit code, the lines that were left, and what it complained of."""
        code, out, err = self._process.ended(PATIENCE_S)
        return code, [json.loads(line) for line in out.splitlines()], err.decode()

    def stop(self) -> tuple[int, dict[str, Any]]:
        """SIGTERM: exit code and last status."""
        self.send(signal.SIGTERM)
        code, lines, err = self.ended()
        assert not err, err
        last: dict[str, Any] = lines[-1]["stopped"]
        return code, last


def frames_on(tape: Path) -> list[bytes]:
    """The text frames of a tape, in order."""
    return [record.payload for record in Tape.open(tape).records() if record.kind == Kind.FRAME]


def kinds_on(tape: Path) -> list[Kind]:
    """What the records of a tape are, in order."""
    return [Kind(record.kind) for record in Tape.open(tape).records()]
