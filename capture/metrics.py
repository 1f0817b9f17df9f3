"""The daemon's status for machines: Prometheus metrics and a health answer, over HTTP on loopback only.

Knows the latest `DaemonStatus` and how it is written. Must not know how any of it is found out. No label of a metric
holds anything an exchange sent, so their number is bounded.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import msgspec
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from capture.status import DaemonStatus, State
from core.errors import ConfigError

HOST: Final = "127.0.0.1"
_NAMES: Final = (HOST, "localhost", "[::1]", "::1")

_GAUGES: Final[dict[str, tuple[str, Callable[[DaemonStatus], float]]]] = {
    "healthy": ("1 while recording is healthy", lambda s: s.healthy),
    "uptime_seconds": ("Seconds since the daemon started", lambda s: s.up_s),
    "frames_per_second": ("Frames received, over the last seconds", lambda s: s.frames_per_s),
    "markets": ("Markets that are recorded now", lambda s: s.markets),
    "markets_followed": ("Markets whose settlement is not on the tape yet", lambda s: s.followed),
    "connections_up": ("Connections that are up", lambda s: sum(link.up for link in s.links)),
    "connections": ("Connections that should be up", lambda s: len(s.links)),
    "gaps_open": ("Gaps that are open", lambda s: len(s.open_gaps)),
    "lag_records": ("Records that the live store is behind the tape", lambda s: s.lag_records),
    "undurable_records": ("Records that a power cut would cost now", lambda s: max(s.head_seq - s.durable_seq, 0)),
    "disk_free_bytes": ("Free bytes on the tape's disk", lambda s: s.disk.free_bytes),
    "disk_low": ("1 when somebody should make room", lambda s: s.disk.low),
    "disk_problem": ("1 while nothing can be recorded or sealed", lambda s: bool(s.disk.problem)),
    "exchange_paused": ("1 while the exchange is paused", lambda s: s.rest.paused),
    "key_refused": ("1 while the exchange refuses the key", lambda s: s.key_refused),
}

_COUNTERS: Final[dict[str, tuple[str, Callable[[DaemonStatus], float]]]] = {
    "frames": ("Frames received in this session", lambda s: s.frames),
    "frame_bytes": ("Bytes of the frames received in this session", lambda s: s.bytes),
    "gaps": ("Gaps opened in this session", lambda s: s.gaps),
    "malformed_messages": ("Messages that could not be read", lambda s: s.malformed),
    "rejected_messages": ("Messages that the store did not apply", lambda s: s.rejected),
    "unknown_messages": ("Messages of types that are not known", lambda s: s.unknown),
    "rest_calls": ("REST attempts in this session", lambda s: s.rest.calls),
    "rest_failures": ("REST attempts that failed", lambda s: s.rest.failed),
    "rest_unread_items": ("Items of REST listings that could not be read", lambda s: s.rest.unread),
    "lost_status_lines": ("Status lines that nobody took", lambda s: s.lost_lines),
}


class Health(msgspec.Struct, frozen=True):
    """The answer of /health; status 200 when healthy or in maintenance, else 503. why: "" = all is well."""

    healthy: bool
    state: str
    why: str
    tape: str
    frames: int
    gaps_open: int


class Metrics(Collector):
    """Serves `/metrics` and `/health` until closed; `observe` is a Watcher. `port` 0 picks a free one.

    Raises ConfigError when the port is taken or not allowed.
    """

    def __init__(self, port: int) -> None:
        self._status: DaemonStatus | None = None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        self._metrics_app = make_wsgi_app(registry)
        try:
            self._server = make_server(HOST, port, self._app, server_class=_Server, handler_class=_Quiet)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(
                f"--metrics-port {port}: cannot listen on {HOST}: {reason}; choose another port, 0 picks a free one"
            ) from None
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)
        self._thread.start()

    def observe(self, status: DaemonStatus) -> None:
        """What the next answers tell."""
        self._status = status

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def collect(self) -> Iterator[Metric]:
        """Every metric, of the latest status; none before the first."""
        status = self._status
        if status is None:
            return
        for name, (text, value) in _GAUGES.items():
            yield GaugeMetricFamily(f"tapedeck_{name}", text, value=value(status))
        for name, (text, value) in _COUNTERS.items():
            yield CounterMetricFamily(f"tapedeck_{name}", text, value=value(status))
        if status.disk.days is not None:
            yield GaugeMetricFamily("tapedeck_disk_days_left", "Days until the disk is full", value=status.disk.days)
        if status.rest.clock_offset_s is not None:
            text = "Seconds that the exchange's clock is ahead of ours"
            yield GaugeMetricFamily("tapedeck_clock_offset_seconds", text, value=status.rest.clock_offset_s)
        states = GaugeMetricFamily("tapedeck_state", "1 for the state that the daemon is in", labels=["state"])
        for state in State:
            states.add_metric([str(state)], float(state is status.state))
        yield states

    def _app(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ.get("HTTP_HOST", "").rpartition(":")[0] not in _NAMES:
            return _answer(start, "403 Forbidden", b'{"error":"only asked by its own machine"}')
        match environ.get("PATH_INFO"):
            case "/metrics":
                body: Iterable[bytes] = self._metrics_app(environ, start)
                return body
            case "/health" | "/healthz":
                health = self._health()
                fine = health.healthy or health.state == State.MAINTENANCE
                return _answer(start, "200 OK" if fine else "503 Service Unavailable", msgspec.json.encode(health))
            case _:
                return _answer(start, "404 Not Found", b'{"error":"there are /metrics and /health"}')

    def _health(self) -> Health:
        status = self._status
        if status is None:
            return Health(False, State.STARTING, "the daemon has just started", "", 0, 0)
        return Health(
            status.healthy, status.state, status.why, status.tape, status.frames, gaps_open=len(status.open_gaps)
        )


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """A scrape every few seconds is nothing to print, and a visitor that says nothing is not waited for."""

    timeout = 10

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _answer(start: Any, status: str, body: bytes) -> list[bytes]:
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
