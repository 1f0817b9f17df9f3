"""Notices leave by a command or a URL; nothing that goes wrong on the way comes back as an exception."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from capture.notify import QUEUE, Beacon, Notice, Notifier, parse_target, require_url
from core.errors import ConfigError

NOTICE = Notice("gap_opened", "connection 1 lost", 1_790_000_000_000_000_000, "tapes/prod")
WAIT_S = 20.0


class Listener:
    """A server on loopback that keeps what was sent to it; `status` is its answer to everything."""

    def __init__(self) -> None:
        self.status = 200
        self.location = ""
        self.bodies: list[bytes] = []
        self.came = threading.Semaphore(0)
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._take()

            def do_POST(self) -> None:
                self._take()

            def log_message(self, *_: object) -> None:
                pass

            def _take(self) -> None:
                listener.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                self.send_response(listener.status)
                if listener.location:
                    self.send_header("Location", listener.location)
                self.send_header("Content-Length", "0")
                self.end_headers()
                listener.came.release()

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/secret-token"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def test_a_url_is_posted_the_notice(listener: Listener) -> None:
    notifier = Notifier(listener.url)
    notifier.tell(NOTICE)
    notifier.close()
    assert [json.loads(body) for body in listener.bodies] == [json.loads(json.dumps(_fields(NOTICE)))]
    assert (notifier.delivered, notifier.failed, notifier.problem) == (1, 0, "")


def _fields(notice: Notice) -> dict[str, object]:
    return {"kind": notice.kind, "text": notice.text, "at_ns": notice.at_ns, "tape": notice.tape}


def test_a_refusal_is_counted_and_the_next_notice_still_leaves(listener: Listener) -> None:
    listener.status = 500
    notifier = Notifier(listener.url)
    notifier.tell(NOTICE)
    assert listener.came.acquire(timeout=WAIT_S)
    listener.status = 200
    notifier.tell(NOTICE)
    notifier.close()
    assert (notifier.delivered, notifier.failed) == (1, 1)


def test_a_redirect_is_not_followed(listener: Listener) -> None:
    other = Listener()
    listener.status, listener.location = 302, other.url
    notifier = Notifier(listener.url)
    notifier.tell(NOTICE)
    notifier.close()
    other.close()
    assert other.bodies == []
    assert notifier.problem == "--notify: answered with status 302"


def test_a_command_gets_the_notice_on_standard_input_and_no_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KALSHI_ACCESS_KEY", "canary")
    script, out = tmp_path / "told.py", tmp_path / "out.json"
    script.write_text(
        "import json, os, sys\n"
        f"json.dump([sys.stdin.read(), os.environ['TAPEDECK_TEXT'], dict(os.environ)], open({str(out)!r}, 'w'))\n"
    )
    notifier = Notifier(f"{sys.executable} {script}")
    notifier.tell(NOTICE)
    notifier.close(WAIT_S)
    body, text, environment = json.loads(out.read_text())
    assert json.loads(body) == _fields(NOTICE)
    assert text == NOTICE.text
    assert "canary" not in environment.values()


@pytest.mark.parametrize("command", ["false", "/no/such/command", f"{sys.executable} -c 'import sys; sys.exit(3)'"])
def test_a_command_that_fails_is_counted(command: str) -> None:
    notifier = Notifier(command)
    notifier.tell(NOTICE)
    notifier.close(WAIT_S)
    assert (notifier.delivered, notifier.failed) == (0, 1)
    assert notifier.problem


def test_more_notices_than_can_wait_are_dropped_and_counted(listener: Listener) -> None:
    notifier = Notifier(listener.url)
    for _ in range(QUEUE * 5):
        notifier.tell(NOTICE)
    assert notifier.delivered + notifier.dropped + notifier.failed <= QUEUE * 5
    notifier.close(WAIT_S)
    assert notifier.delivered + notifier.dropped == QUEUE * 5
    assert len(listener.bodies) == notifier.delivered


@pytest.mark.parametrize("target", ["", "   ", "a 'b", "http://example.org/x", "https://"])
def test_a_target_that_cannot_be_used_is_refused(target: str) -> None:
    with pytest.raises(ConfigError):
        parse_target(target)


@pytest.mark.parametrize("url", ["ftp://example.org", "example.org", "http://example.org"])
def test_a_heartbeat_goes_to_a_url_that_nobody_can_read_on_the_way(url: str) -> None:
    with pytest.raises(ConfigError):
        require_url(url)


def test_the_heartbeat_visits_only_while_recording_is_healthy(listener: Listener) -> None:
    heartbeat = Beacon(listener.url, every_s=0.01)
    heartbeat.observe(True)
    assert listener.came.acquire(timeout=WAIT_S)
    heartbeat.observe(False)
    heartbeat.close()
    assert heartbeat.failed == 0


def test_a_heartbeat_that_nobody_answers_is_counted(listener: Listener) -> None:
    listener.status = 404
    heartbeat = Beacon(listener.url, every_s=0.01)
    heartbeat.observe(True)
    assert listener.came.acquire(timeout=WAIT_S)
    assert listener.came.acquire(timeout=WAIT_S)
    heartbeat.close()
    assert heartbeat.failed >= 1
    assert "secret-token" not in heartbeat.problem
