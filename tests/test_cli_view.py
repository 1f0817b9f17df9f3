"""`tapedeck view` as people and scripts start it: one line when ready, who is refused, a clean stop, clear refusals."""

import http.client
import json
import signal
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from console import Cli, assert_refused, console
from program import first_lines, running
from sample_tapes import story

STOPPED_S: Final = 30.0


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs `tapedeck` with these arguments in this process."""
    return console(capsys, monkeypatch)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A sealed tape."""
    return story(4).tape(tmp_path / "tape").path


def status(port: int, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=STOPPED_S)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    found = connection.getresponse().status
    connection.close()
    return found


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_ready_by_one_line_answers_this_machine_only_and_stops_when_told(
    tape: Path, number: signal.Signals
) -> None:
    with running("view", tape, "--market", "KXTEST-B", "--json") as process:
        ready = json.loads(first_lines(process, 1)[0])
        assert list(ready) == ["url", "tape"]
        url = urlsplit(ready["url"])
        assert (url.hostname, url.fragment) == ("127.0.0.1", "market=KXTEST-B")
        port = url.port or 0
        assert status(port, "/") == status(port, "/api/tape") == 200
        for tunnel in ("localhost:1", "127.0.0.1:65535"):
            assert status(port, "/api/tape", Host=tunnel, Origin=f"http://{tunnel}") == 200
        assert status(port, "/api/tape", Host="evil.example") == 403
        assert status(port, "/api/tape", Origin="https://evil.example") == 403
        process.send_signal(number)
        out, err = process.communicate(timeout=STOPPED_S)
        assert (process.returncode, out, err) == (0, "", "")
    with pytest.raises(ConnectionRefusedError):
        status(port, "/")


@pytest.mark.integration
def test_it_tells_people_where_to_look_and_takes_the_port_it_is_given(tape: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as spare:
        port = spare.getsockname()[1]
    with running("view", tape, "--port", port) as process:
        assert first_lines(process, 2) == [f"Open http://127.0.0.1:{port}/\n", "Stop with Ctrl-C.\n"]
        assert status(port, "/") == 200


def test_what_cannot_be_shown_is_refused_in_a_sentence(cli: Cli, tape: Path, tmp_path: Path) -> None:
    assert_refused(cli("view", tmp_path / "none"), "is no tape")
    assert_refused(cli("view", tape, "--port", 70_000), "port 70000 is not between 0 (any free one) and 65535")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert_refused(cli("view", tape, "--port", port), f"cannot listen on 127.0.0.1 port {port}")
    missing = cli("view", tape, "--market", "KXTEST-C")
    assert missing.code == 1
    assert "no market KXTEST-C on this tape" in missing.err
