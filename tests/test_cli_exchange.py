"""`tapedeck serve` and `tapedeck sandbox` as scripts drive them: one line when ready, a clean stop, clear refusals."""

import json
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket
from console import Cli, assert_refused, console
from exchange_client import WS_PATH, signature
from program import first_lines, running
from sample_tapes import story

import tapedeck_exchange
from replay.exchange.faults import KINDS


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs `tapedeck` with these arguments in this process."""
    return console(capsys, monkeypatch)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A sealed tape of several segments."""
    return story().tape(tmp_path / "tape", segment_records=40).path


def connect(ready: dict[str, Any]) -> websocket.WebSocket:
    """A signed connection by what the ready line says."""
    timestamp = str(int(time.time() * 1_000))
    headers = {
        "KALSHI-ACCESS-KEY": ready["access_key"],
        "KALSHI-ACCESS-TIMESTAMP": timestamp,
        "KALSHI-ACCESS-SIGNATURE": signature(Path(ready["private_key_path"]), f"{timestamp}GET{WS_PATH}"),
    }
    return websocket.create_connection(ready["ws_url"], 10, header=headers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_is_ready_by_one_line_and_stops_when_told(tape: Path, number: signal.Signals) -> None:
    with running("serve", tape, "--speed", "max", "--json") as process:
        ready = json.loads(first_lines(process, 1)[0])
        assert list(ready) == ["rest_url", "ws_url", "access_key", "private_key_path"]
        client = connect(ready)
        client.send('{"id":1,"cmd":"list_subscriptions"}')
        assert json.loads(client.recv())["id"] == 1
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")
        assert client.recv_data(control_frame=True)[0] == websocket.ABNF.OPCODE_CLOSE
        client.shutdown()  # type: ignore[no-untyped-call]  # the library's own
        assert not Path(ready["private_key_path"]).exists()


def test_serve_tells_people_what_to_export(tape: Path) -> None:
    with running("serve", tape) as process:
        text = "".join(first_lines(process, 5))
    assert re.search(r"^REST +http://127\.0\.0\.1:\d+/trade-api/v2$", text, re.MULTILINE)
    assert re.search(r"^WebSocket +ws://127\.0\.0\.1:\d+/trade-api/ws/v2$", text, re.MULTILINE)
    assert re.search(r"^  export KALSHI_ACCESS_KEY=[0-9a-f-]{36}$", text, re.MULTILINE)
    assert re.search(r"^  export KALSHI_PRIVATE_KEY_PATH=\S+\.pem$", text, re.MULTILINE)


def test_serve_lets_the_given_key_in_and_does_the_given_faults(tape: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    script = tmp_path / "faults.txt"
    script.write_text("# one bad start\nhttp@upgrade,status=502\n")
    arguments = ("--access-key", "my-key", "--key", key, "--faults", script, "--fault", "close@commands=1,code=4000")
    with running("serve", tape, "--json", *arguments) as process:
        ready = json.loads(first_lines(process, 1)[0])
        assert (ready["access_key"], ready["private_key_path"]) == ("my-key", str(key))
        with pytest.raises(websocket.WebSocketBadStatusException):
            connect(ready)
        client = connect(ready)
        client.send('{"id":1,"cmd":"list_subscriptions"}')
        assert json.loads(client.recv())["id"] == 1
        assert client.recv_data(control_frame=True) == (websocket.ABNF.OPCODE_CLOSE, (4_000).to_bytes(2, "big"))
        client.shutdown()  # type: ignore[no-untyped-call]  # the library's own
        control = ready["rest_url"].replace("/trade-api/v2", "/tapedeck/faults")
        done = requests.post(control, timeout=10).json()["injected"]
        assert [entry["kind"] for entry in done] == ["http", "close"]


def test_the_sandbox_trades_with_whoever_has_the_key() -> None:
    with running("sandbox", "--markets", 5, "--rate", 200, "--seed", 3, "--json") as process:
        ready = json.loads(first_lines(process, 1)[0])
        found = requests.get(ready["rest_url"] + "/markets?status=open&limit=1000", timeout=10).json()["markets"][:5]
        client = connect(ready)
        tickers = [market["ticker"] for market in found]
        params = {"channels": ["orderbook_delta"], "market_tickers": tickers, "use_yes_price": False}
        client.send(json.dumps({"id": 1, "cmd": "subscribe", "params": params}))
        frames = [json.loads(client.recv()) for _ in range(12)]
        assert [frame["type"] for frame in frames[:6]] == ["subscribed", *["orderbook_snapshot"] * 5]
        assert [frame["seq"] for frame in frames[1:]] == list(range(1, 12))
        client.shutdown()  # type: ignore[no-untyped-call]  # the library's own
        process.send_signal(signal.SIGTERM)
        assert (*process.communicate(timeout=10), process.returncode) == ("", "", 0)


def test_a_sandbox_that_cannot_be_is_one_sentence(cli: Cli) -> None:
    assert_refused(cli("sandbox", "--markets", 0), "--markets 0", "from 1 to")
    assert_refused(cli("sandbox", "--rate", "1e9"), "--rate", "from 0 to")
    assert_refused(cli("sandbox", "--speed", "fast"), "'fast'", "write 1, 10 or max")


@pytest.mark.parametrize("command", ["serve", "sandbox"])
def test_every_fault_is_in_the_help_and_explained_on_demand(cli: Cli, command: str) -> None:
    help_text = re.sub(r"\s+", " ", cli(command, "--help").out)
    assert [kind for kind in KINDS if not re.search(rf"\b{kind}\b", help_text)] == []
    triggers = {trigger for kind in KINDS.values() for trigger in kind.triggers}
    assert [trigger for trigger in sorted(triggers) if trigger not in tapedeck_exchange.FAULTS_HELP] == []
    listed = cli(command, "--list-faults")
    assert listed.code == 0
    assert [line.partition("@")[0] for line in listed.out.splitlines()] == list(KINDS)


def test_what_cannot_be_served_is_one_sentence(cli: Cli, tape: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert_refused(cli("serve", tape, "--port", port), f"port {port}", "choose another port")
    assert_refused(cli("serve", tmp_path / "nowhere"), "nowhere", "no tape")
    assert_refused(cli("serve", tape, "--speed", "fast"), "'fast'", "write 1, 10 or max")
    assert_refused(cli("serve", tape, "--fault", "explode@now"), "'explode'", "there are drop, repeat")
    assert_refused(cli("serve", tape, "--faults", tmp_path / "none.txt"), "none.txt", "cannot be read")
    assert_refused(cli("serve", tape, "--access-key", "a"), "give both or neither")
    assert_refused(cli("serve", tape, "--access-key", "a", "--key", tmp_path / "k.pem"), "k.pem", "check its path")
    (tmp_path / "k.pem").write_text("not a key")
    assert_refused(
        cli("serve", tape, "--access-key", "a", "--key", tmp_path / "k.pem"), "k.pem", "no RSA or Ed25519 key"
    )
    assert_refused(cli("serve", tape, "--tls-cert", tmp_path / "k.pem"), "give both or neither")
    tls = ("--tls-cert", tmp_path / "k.pem", "--tls-key", tmp_path / "k.pem")
    assert_refused(cli("serve", tape, *tls), "k.pem", "no certificate and its key")
