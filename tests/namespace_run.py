"""A deck and an exchange in a network namespace of their own, whose packets are lost: run by tests/test_packet_loss.py.

As a script: `unshare -n python tests/namespace_run.py FAULT PLACE SILENT_S`. Rules and interfaces are those of the
namespace, which ends with the process, so nothing of this reaches the machine. The tape is left in PLACE; one line of
JSON says what the exchange sent.
"""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from exchange_venue import MARKETS
from live import LIMITS, Live, live, until

from core.records import Kind
from replay.exchange.framing import TEXT

PATIENCE_S: Final = 60.0
ROUNDS: Final = 40
LOSS: Final = "-p tcp -m statistic --mode random --probability 0.1 -j DROP"
CUTS: Final = {
    "blackhole": ("iptables -w -I INPUT -p tcp -j DROP", "iptables -w -D INPUT -p tcp -j DROP"),
    "interface": ("ip link set lo down", "ip link set lo up"),
}


def do(command: str) -> None:
    """A command that has to work."""
    subprocess.run(command.split(), check=True, timeout=PATIENCE_S)


def cut_off(found: Live, off: str, on: str) -> None:
    """Everything is lost until the connection is found dead; then nothing is any more."""
    do(off)
    found.say(count=5)  # books change meanwhile
    until(lambda: found.kinds(Kind.CLOSED), "the end of the connection", PATIENCE_S)
    do(on)
    until(lambda: len(found.kinds(Kind.OPENED)) > 1, "the next connection", PATIENCE_S)


def lose_some(found: Live) -> None:
    """A tenth of all packets is lost, of frames and of what acknowledges them."""
    do(f"iptables -w -I INPUT {LOSS}")
    for _ in range(ROUNDS):
        found.say(count=3)
        found.wait_right()
    do(f"iptables -w -D INPUT {LOSS}")


def main(fault: str, place: str, silent_s: float) -> None:
    """One fault, and the way back to right books."""
    do("ip link set lo up")
    limits = dataclasses.replace(LIMITS, connect_s=1.0, silent_s=silent_s)
    with live(Path(place), limits=limits, server={"ping_every_s": silent_s / 4}) as found:
        if fault == "loss":
            lose_some(found)
        else:
            cut_off(found, *CUTS[fault])
        found.say(market=MARKETS[1], count=3)
        found.wait_right()
        found.wait_healthy()
        sent = [[f.payload.decode() for f in session.kept if f.opcode == TEXT] for session in found.exchange.sent]
    sys.stdout.write(json.dumps(sent) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
