"""Signals: the first is a note, the second the end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from capture.signals import STOPPING, StopSignals

ROOT = Path(__file__).resolve().parents[2]
WAITS = """
import sys
from capture.signals import StopSignals
with StopSignals() as signals:
    print("ready", flush=True)
    signals.wait(60)
    print("asked", signals.received, flush=True)
    sys.stdin.read()
print("done", flush=True)
"""


def waiting() -> "subprocess.Popen[str]":
    """A process that waits for a signal."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", STOPPING)
def test_the_first_signal_is_noted_and_wakes_who_waits(number: signal.Signals) -> None:
    with waiting() as process:
        assert process.stdout is not None
        process.send_signal(number)
        assert process.stdout.readline() == f"asked {int(number)}\n"
        out, _ = process.communicate("", timeout=20)
        assert out == "done\n"
        assert process.returncode == 0


@pytest.mark.parametrize("number", STOPPING)
def test_the_second_signal_ends_the_process_at_once(number: signal.Signals) -> None:
    with waiting() as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline().startswith("asked")
        process.send_signal(number)
        assert process.wait(20) == -number


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    code = (
        "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from capture.signals import StopSignals\n"
        "with StopSignals() as signals:\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    print(signals.wait(0), signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_afterwards_signals_mean_what_they_meant_before() -> None:
    before = [signal.getsignal(number) for number in STOPPING]
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.wait(20)
    assert [signal.getsignal(number) for number in STOPPING] == before


def test_waiting_ends_with_its_time() -> None:
    with StopSignals() as signals:
        begun = time.monotonic()
        assert not signals.wait(0.02)
        assert time.monotonic() - begun < 20
