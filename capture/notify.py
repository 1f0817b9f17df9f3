"""Telling somebody elsewhere: a command or a URL is given each notice, and a URL is visited while all is well.

Knows how a notice leaves, in a thread of its own. Must not know what is worth telling. Whatever goes wrong here is
counted and never reaches the recorder.
"""

import os
import queue
import shlex
import subprocess
import threading
import urllib.error
import urllib.request
from typing import Final
from urllib.parse import urlsplit

import msgspec

from core.errors import ConfigError

QUEUE: Final = 100
"""Notices that wait while one is delivered; more are dropped and counted, for the newest ones say the same."""

TIMEOUT_S: Final = 10.0
"""How long a command or an answer is waited for."""

BEAT_S: Final = 60.0
"""How often the outgoing heartbeat is sent; watchdog services count in minutes."""

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class Notice(msgspec.Struct, frozen=True):
    """One thing worth telling. kind: gap_opened, gap_closed, disk, key_refused, unhealthy, healthy, stopped ...

    text: one sentence for people. at_ns: Unix ns.
    """

    kind: str
    text: str
    at_ns: int
    tape: str = ""


def parse_target(target: str) -> str:
    """The command or URL as given; ConfigError when it can be neither."""
    scheme = urlsplit(target).scheme
    if scheme in ("http", "https"):
        return require_url(target)
    try:
        words = shlex.split(target)
    except ValueError as error:
        raise ConfigError(f"--notify {target!r}: cannot be read as a command ({error}); check its quotes") from None
    if not words:
        raise ConfigError("--notify is empty; give a command or an http(s) URL")
    return target


def require_url(url: str) -> str:
    """The URL as given; ConfigError when it is none, or plain http to another machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{url!r} is no http(s) URL; give one such as https://example.org/ping")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigError(f"{url!r} is plain http to another machine, which anybody on the way can read; use https")
    return url


class Notifier:
    """Delivers notices to one target, in order, in a thread of its own.

    A command gets the notice as JSON on its standard input and in TAPEDECK_KIND and TAPEDECK_TEXT; a URL gets it as a
    POST. delivered, failed, dropped: counts. problem: why the last one failed, empty when it did not.
    """

    def __init__(self, target: str) -> None:
        self.delivered = self.failed = self.dropped = 0
        self.problem = ""
        self._target = parse_target(target)
        self._waiting: queue.Queue[Notice | None] = queue.Queue(QUEUE)
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
        self._thread.start()

    def tell(self, notice: Notice) -> None:
        """Hand a notice over; returns at once."""
        try:
            self._waiting.put_nowait(notice)
        except queue.Full:
            self.dropped += 1

    def close(self, timeout_s: float = TIMEOUT_S) -> None:
        """Deliver what waits, for so long at most."""
        try:
            self._waiting.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (notice := self._waiting.get()) is not None:
            try:
                self._deliver(notice)
            except (OSError, subprocess.SubprocessError, ValueError) as error:
                self.failed += 1
                self.problem = f"--notify: {_reason(error)}"
            else:
                self.delivered += 1
                self.problem = ""

    def _deliver(self, notice: Notice) -> None:
        body = msgspec.json.encode(notice)
        if urlsplit(self._target).scheme in ("http", "https"):
            visit(self._target, body)
            return
        secrets = ("KALSHI_ACCESS_KEY", "KALSHI_PRIVATE_KEY_PATH")
        environment = {name: value for name, value in os.environ.items() if name not in secrets}
        subprocess.run(
            shlex.split(self._target),
            input=body,
            env={**environment, "TAPEDECK_KIND": notice.kind, "TAPEDECK_TEXT": notice.text},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
        )


class Beacon:
    """Visits a URL every `every_s` as long as nobody says that recording is unhealthy: a dead machine is silent.

    beats, failed: counts. problem: why the last visit failed, empty when it did not.
    """

    def __init__(self, url: str, every_s: float = BEAT_S) -> None:
        self.beats = self.failed = 0
        self.problem = ""
        self._url = require_url(url)
        self._every_s = every_s
        self._is_healthy = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat-url", daemon=True)
        self._thread.start()

    def observe(self, healthy: bool) -> None:
        """How recording is now."""
        self._is_healthy = healthy

    def close(self) -> None:
        """Send no more; a visit under way ends by itself."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            if not self._is_healthy:
                continue
            try:
                visit(self._url, None)
            except (OSError, ValueError) as error:
                self.failed += 1
                self.problem = f"--heartbeat-url: {_reason(error)}"
            else:
                self.beats += 1
                self.problem = ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A notice goes where the operator said and nowhere else."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def visit(url: str, body: bytes | None) -> None:
    """GET (no body) or POST JSON; raises OSError when the answer is not a success."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
        answer.read(1)


def _reason(error: Exception) -> str:
    """What went wrong, without the URL or the command line, which may hold a token."""
    if isinstance(error, urllib.error.HTTPError):
        return f"answered with status {error.code}"
    if isinstance(error, subprocess.CalledProcessError):
        return f"the command ended with code {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"the command took longer than {TIMEOUT_S:.0f} s"
    if isinstance(error, urllib.error.URLError):
        return f"cannot be reached: {type(error.reason).__name__}"
    return type(error).__name__
