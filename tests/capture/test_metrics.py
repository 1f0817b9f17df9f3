"""What a scraper and a health check are answered, and who is not."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from capture.metrics import Metrics
from capture.status import DaemonStatus, DiskStatus, RestStatus, State
from core.errors import ConfigError

STATUS = DaemonStatus(
    at_ns=1_790_000_005_000_000_000,
    started_ns=1_790_000_000_000_000_000,
    tape="tapes/prod",
    environment="prod",
    session="s",
    state=State.RECORDING,
    healthy=True,
    frames=1_234,
    head_seq=100,
    durable_seq=90,
    disk=DiskStatus(free_bytes=5_000, days=12.5),
    rest=RestStatus(clock_offset_s=-0.25, unread=3),
)


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = Metrics(0)
    yield made
    made.close()


def get(metrics: Metrics, path: str, host: str | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{metrics.port}{path}")
    if host is not None:
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def samples(metrics: Metrics) -> dict[str, float]:
    text = get(metrics, "/metrics")[1].decode()
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_those_of_the_latest_status(metrics: Metrics) -> None:
    metrics.observe(STATUS)
    found = samples(metrics)
    assert found["tapedeck_frames_total"] == 1_234
    assert found["tapedeck_healthy"] == 1
    assert found["tapedeck_rest_unread_items_total"] == 3
    assert found["tapedeck_uptime_seconds"] == 5
    assert found["tapedeck_undurable_records"] == 10
    assert found["tapedeck_disk_days_left"] == 12.5
    assert found["tapedeck_clock_offset_seconds"] == -0.25
    assert (found["tapedeck_staterecording"], found["tapedeck_statestopped"]) == (1, 0)
    metrics.observe(msgspec.structs.replace(STATUS, frames=1_235, state=State.STOPPED))
    assert samples(metrics)["tapedeck_frames_total"] == 1_235


def test_before_the_first_status_nothing_is_claimed(metrics: Metrics) -> None:
    assert samples(metrics) == {}
    code, body = get(metrics, "/health")
    assert (code, json.loads(body)["healthy"]) == (503, False)


@pytest.mark.parametrize(
    ("state", "healthy", "code"),
    [(State.RECORDING, True, 200), (State.MAINTENANCE, False, 200), (State.UNHEALTHY, False, 503)],
)
def test_the_health_answers_code_is_for_machines(metrics: Metrics, state: State, healthy: bool, code: int) -> None:
    metrics.observe(msgspec.structs.replace(STATUS, state=state, healthy=healthy, why="because"))
    answered, body = get(metrics, "/health")
    assert answered == code
    assert json.loads(body) == {
        "healthy": healthy,
        "state": str(state),
        "why": "because",
        "tape": "tapes/prod",
        "frames": 1_234,
        "gaps_open": 0,
    }


def test_nothing_else_is_there(metrics: Metrics) -> None:
    assert get(metrics, "/")[0] == 404


def test_a_page_of_another_host_is_not_answered(metrics: Metrics) -> None:
    assert get(metrics, "/metrics", host="evil.example:80")[0] == 403


def test_only_this_machine_is_listened_to(metrics: Metrics) -> None:
    assert metrics._server.socket.getsockname()[0] == "127.0.0.1"


def test_a_taken_port_is_named_with_a_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--metrics-port {port}: .*choose another port"):
            Metrics(port)


def test_an_impossible_port_is_refused() -> None:
    with pytest.raises(ConfigError, match="70000"):
        Metrics(70_000)
