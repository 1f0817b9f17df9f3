"""`tapedeck capture` as operators use it: a process, a local exchange over a real socket, signals."""

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from console import Cli, assert_refused, console
from recorded_exchange import PATIENCE_S, ROOT, Recording, frames_on, kinds_on, recorded_exchange, url_of

from capture.tape.reader import Ended, Tape
from capture.tape.verify import verify
from capture.warming import COMPILING
from core.records import Kind, decode_gap, decode_session
from replay.exchange.framing import TEXT
from replay.exchange.local import LocalExchange

pytestmark = pytest.mark.integration

cli = pytest.fixture(console)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[LocalExchange]:
    """A few hundred frames of three markets."""
    with recorded_exchange(tmp_path) as running:
        yield running


def sent_frames(exchange: LocalExchange) -> list[bytes]:
    """The text frames that the exchange sent, session after session."""
    return [frame.payload for session in exchange.sent for frame in session.kept if frame.opcode == TEXT]


def test_what_the_exchange_sends_is_on_the_tape_byte_for_byte(exchange: LocalExchange, tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    with Recording(exchange, tape, "--all") as recording:
        recording.wait_state("recording")
        assert exchange.wait_played(PATIENCE_S)
        code, last = recording.stop()
    assert code == 0
    assert frames_on(tape) == sent_frames(exchange)
    assert last["frames"] >= len(frames_on(tape)) >= 600
    assert last["gaps"] == 0
    assert verify(tape, deep=True).whole
    assert Tape.open(tape).ended is Ended.CLEAN_STOP
    records = list(Tape.open(tape).records())
    asked = next(r for r in records if r.kind == Kind.CONTROL and b'"stop"' in r.payload)
    assert records[-1].kind == Kind.CLEAN_STOP
    assert records[-1].mono_ns - asked.mono_ns < 2_000_000_000, "everything received is durable within 2 s"


def test_a_restart_goes_on_with_the_tape_and_says_how_long_nothing_was_recorded(
    exchange: LocalExchange, tmp_path: Path
) -> None:
    tape = tmp_path / "tape"
    for _ in range(2):
        with Recording(exchange, tape, "--series", "KXDEMO") as recording:
            recording.wait_state("recording")
            assert recording.stop()[0] == 0
    records = list(Tape.open(tape).records())
    sessions = [decode_session(record.payload) for record in records if record.kind == Kind.SESSION]
    assert len({session.uuid for session in sessions}) == 2
    assert {session.environment for session in sessions} == {url_of(exchange)}
    downs = [decode_gap(record.payload) for record in records if record.kind == Kind.GAP_CLOSE]
    assert [gap.reason for gap in downs] == ["down"]
    assert 0 < downs[0].from_ns < downs[0].until_ns
    assert verify(tape, deep=True).whole


def test_after_a_kill_the_next_start_recovers_and_says_so(exchange: LocalExchange, tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    with Recording(exchange, tape, "--all") as recording:
        recording.wait_state("recording")
        recording.send(signal.SIGKILL)
        assert recording.ended()[0] == -signal.SIGKILL
    before = frames_on(tape)
    with Recording(exchange, tape, "--all") as recording:
        assert recording.line()["note"].startswith("recovery: ")
        recording.wait_state("recording")
        assert recording.stop()[0] == 0
    assert frames_on(tape)[: len(before)] == before
    assert Kind.GAP_OPEN in kinds_on(tape)
    assert verify(tape, deep=True).whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_other_signals_stop_it_as_gracefully(exchange: LocalExchange, tmp_path: Path, number: signal.Signals) -> None:
    tape = tmp_path / "tape"
    with Recording(exchange, tape, "--all") as recording:
        recording.wait_state("recording")
        began_s = time.monotonic()
        recording.send(number)
        code, _, err = recording.ended()
    assert (code, err) == (0, "")
    assert time.monotonic() - began_s < PATIENCE_S / 2
    assert Tape.open(tape).ended is Ended.CLEAN_STOP


def test_it_stops_by_itself_when_its_time_is_over(exchange: LocalExchange, tmp_path: Path) -> None:
    with Recording(exchange, tmp_path / "tape", "--all", "--for", "1s") as recording:
        code, lines, _ = recording.ended()
    assert code == 0
    assert lines[-1]["stopped"]["state"] == "stopped"
    assert Tape.open(tmp_path / "tape").ended is Ended.CLEAN_STOP


def test_an_output_that_nobody_reads_and_a_full_one_do_not_stop_recording(
    exchange: LocalExchange, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tapedeck", "capture", "--env", url_of(exchange), "--all", "--for", "2s", "--out"]
    environ = {**os.environ, **exchange.environ()}
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone, Path("/dev/full").open("wb") as full:
        tapes = {tmp_path / "gone": gone, tmp_path / "full": full}
        running = [
            subprocess.Popen([*command, str(tape)], cwd=ROOT, env=environ, stdout=output)
            for tape, output in tapes.items()
        ]
        codes = [process.wait(PATIENCE_S) for process in running]
    assert codes == [0, 0]
    for tape in tapes:
        assert Tape.open(tape).ended is Ended.CLEAN_STOP
        assert Kind.FRAME in kinds_on(tape)


def test_a_recorder_leaves_no_core_dump_and_ignores_what_limit_there_was(
    exchange: LocalExchange, tmp_path: Path
) -> None:
    with Recording(exchange, tmp_path / "tape", "--all") as recording:
        recording.wait_state("recording")
        assert resource.prlimit(recording.pid, resource.RLIMIT_CORE) == (0, 0)
        recording.stop()


def test_a_dry_run_tells_and_records_nothing(exchange: LocalExchange, tmp_path: Path, cli: Cli) -> None:
    ran = cli("capture", "--env", url_of(exchange), "--all", "--dry-run", "--out", tmp_path / "tape", "--json")
    assert len(ran.json["markets"]) == 3
    assert ran.json["free_bytes"] > 0
    assert "estimate" in ran.json["rests_on"]
    assert not (tmp_path / "tape").exists()


def test_two_recorders_of_one_tape_and_a_tape_of_another_exchange_are_refused(
    exchange: LocalExchange, tmp_path: Path
) -> None:
    tape = tmp_path / "tape"
    with Recording(exchange, tape, "--all") as first:
        first.wait_state("recording")
        with Recording(exchange, tape, "--all") as second:
            code, lines, err = second.ended()
        assert (code, lines) == (2, [])
        assert "another process" in err
        first.stop()
    other = tmp_path / "other"
    other.mkdir()
    with recorded_exchange(other) as elsewhere, Recording(elsewhere, tape, "--all") as third:
        code, lines, err = third.ended()
    assert (code, lines) == (2, [])
    assert "use one tape for each" in err


def refused(exchange: LocalExchange, tmp_path: Path, *arguments: str, **environ: str) -> str:
    """What a start that was refused complained of; nothing was recorded."""
    tape = tmp_path / "refused"
    with Recording(exchange, tape, *arguments, environ={**exchange.environ(), **environ}) as recording:
        code, lines, err = recording.ended()
    assert (code, [line for line in lines if line != {"note": COMPILING}]) == (2, [])
    assert len(err.splitlines()) == 1, err
    assert not tape.exists()
    return err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing is selected"),
        (("--market", "KXNONE-1"), "there is no market KXNONE-1"),
        (("--series", "KXNONE"), "there is no series KXNONE"),
        (("--event", "KXNONE-1"), "there is no event KXNONE-1"),
        (("--series", "KX NONE"), "is no ticker"),
        (("--all", "--channel", "orderbook"), "'orderbook' does not exist"),
        (("--all", "--ca-file", "/nowhere/ca.pem"), "no such file"),
        (("--all", "--metrics-port", "1"), "--metrics-port 1"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_anything_is(
    exchange: LocalExchange, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    if "--metrics-port" in arguments and os.geteuid() == 0:
        arguments = ("--all", "--metrics-port", str(exchange.port))
        words = f"--metrics-port {exchange.port}"
    assert words in refused(exchange, tmp_path, *arguments)


def test_a_key_that_is_missing_readable_by_others_or_no_key_is_refused(exchange: LocalExchange, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    text = exchange.private_key_path.read_text()
    for path, mode, content in ((tmp_path / "none.pem", 0, ""), (key, 0o644, text), (key, 0o600, "no key")):
        if mode:
            key.write_text(content)
            key.chmod(mode)
        err = refused(exchange, tmp_path, "--all", KALSHI_PRIVATE_KEY_PATH=str(path))
        assert path.name in err
        assert "PRIVATE KEY" not in err
    assert "KALSHI_ACCESS_KEY" in refused(exchange, tmp_path, "--all", KALSHI_ACCESS_KEY="")


def test_no_network_and_a_wrong_host_are_refused_at_the_start(tmp_path: Path, cli: Cli) -> None:
    ran = cli("capture", "--env", "http://example.org", "--all", "--dry-run", "--out", tmp_path / "tape")
    assert_refused(ran, "https://example.org")
    ran = cli("capture", "--env", "production", "--all", "--dry-run", "--out", tmp_path / "tape")
    assert_refused(ran, "production", "demo")


def test_the_status_can_be_read_by_a_program(exchange: LocalExchange, tmp_path: Path) -> None:
    with Recording(exchange, tmp_path / "tape", "--all") as recording:
        status = recording.wait_state("recording")
        recording.stop()
    assert status["healthy"] is True
    assert status["markets"] == 3
    assert status["links"][0]["up"] is True
    assert json.dumps(status).count(exchange.access_key) == 0


def test_metrics_and_notices_go_where_they_were_asked_to(exchange: LocalExchange, tmp_path: Path) -> None:
    notices = tmp_path / "notices"
    script = f"import sys; open({str(notices)!r}, 'ab').write(sys.stdin.buffer.read() + b'\\n')"
    told = f"{sys.executable} -c {shlex.quote(script)}"
    with Recording(exchange, tmp_path / "tape", "--all", "--metrics-port", "0", "--notify", told) as recording:
        url = recording.complaint().split()[-1]
        recording.wait_state("recording")
        with urllib.request.urlopen(f"{url}/health", timeout=20) as answer:
            assert json.load(answer)["healthy"] is True
        recording.send(signal.SIGTERM)
        assert recording.ended()[0] == 0
    assert [json.loads(line)["kind"] for line in notices.read_text().splitlines()][-1] == "stopped"
