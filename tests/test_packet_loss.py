"""Packets that do not arrive, made by the kernel (RELIABILITY N4, N20, N29): what capture and its tape make of them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from capture.limits import DEFAULT_LIMITS
from capture.tape.reader import Tape
from core.engine import Engine
from core.gaps import RECONNECT, Gap
from core.records import Kind, Record, decode_closed

pytestmark = pytest.mark.integration

HERE: Final = Path(__file__).resolve().parent
SECOND: Final = 1_000_000_000
INBOUND: Final = (Kind.FRAME, Kind.FRAME_PING, Kind.FRAME_PONG)


def why_not() -> str:
    """Why no namespace can be made here, "" = one can."""
    missing = [tool for tool in ("unshare", "ip", "iptables") if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if os.geteuid() != 0:
        return "only root may make a network namespace"
    command = ["unshare", "-n", "iptables", "-w", "-L"]
    tried = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    return (tried.stderr.strip() or "refused") if tried.returncode else ""


def run(fault: str, place: Path, silent_s: float) -> tuple[list[Record], list[list[bytes]]]:
    """What is on the tape, and the text frames that the exchange sent, session by session."""
    reason = why_not()
    if reason:
        pytest.skip(f"no network namespace: {reason}")
    command = ["unshare", "-n", sys.executable, str(HERE / "namespace_run.py"), fault, str(place), str(silent_s)]
    environ = os.environ | {"PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ, timeout=200)
    assert done.returncode == 0, done.stderr
    sent = [[text.encode() for text in session] for session in json.loads(done.stdout)]
    return list(Tape.open(place / "tape").records()), sent


def gaps_of(records: list[Record]) -> list[Gap]:
    """The gaps that a replay finds, as they were when they closed."""
    engine, found = Engine(), {}
    for record in records:
        found.update({gap.number: gap for gap in engine.step(record).gaps})
    return list(found.values())


def assert_found_dead(records: list[Record], silent_s: float) -> None:
    """The first connection ended by its silence, when due, and the only gap is from there to the next one's books."""
    closed = next(record for record in records if record.kind == Kind.CLOSED)
    last = [r for r in records[: closed.seq] if r.connection == closed.connection and r.kind in INBOUND][-1]
    assert decode_closed(closed.payload).reason == f"silent: no byte for {silent_s:g} s"
    assert silent_s * SECOND <= closed.mono_ns - last.mono_ns < 60 / 25 * silent_s * SECOND
    (gap,) = gaps_of(records)
    assert gap.reason == RECONNECT
    assert gap.until_ns is not None
    assert gap.until_ns - gap.at_ns >= silent_s * SECOND
    reopened = next(r for r in records if r.kind == Kind.OPENED and r.seq > closed.seq)
    assert all(r.connection != closed.connection for r in records[reopened.seq :])


@pytest.mark.parametrize("fault", ["blackhole", pytest.param("interface", marks=pytest.mark.slow)])
def test_a_peer_that_is_cut_off_without_a_word_is_found_dead_and_the_books_come_back(
    tmp_path: Path, fault: str
) -> None:
    records, _ = run(fault, tmp_path, 1.0)
    assert_found_dead(records, 1.0)


@pytest.mark.slow
def test_with_the_real_limits_it_is_found_dead_at_25_s(tmp_path: Path) -> None:
    records, _ = run("blackhole", tmp_path, DEFAULT_LIMITS.silent_s)
    assert_found_dead(records, 25.0)


def test_a_tenth_of_all_packets_lost_is_no_gap_no_reconnect_and_no_frame_less(tmp_path: Path) -> None:
    records, sent = run("loss", tmp_path, 10.0)
    assert [r.payload for r in records if r.kind == Kind.FRAME] == sent[0]
    assert len(sent) == len([r for r in records if r.kind == Kind.OPENED]) == 1
    assert len(sent[0]) >= 120
    assert gaps_of(records) == []
