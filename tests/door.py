"""A `tapedeck` for shells that starts at once: it has the command forked where everything is imported (see forked).

The program that a shell runs hands over its arguments, directory, environment and outputs, passes signals on, and ends
with the command's exit code.
"""

import contextlib
import json
import socket
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, Self

import forked

PROGRAM: Final = """#!{python} -IS
import json, os, signal, socket, sys

peer = socket.socket(socket.AF_UNIX)
peer.connect({path!r})
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(peer, [len(asked).to_bytes(4, "big")], [1, 2])
peer.sendall(asked)
answers = peer.makefile()
pid = int(answers.readline())
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: os.kill(pid, number))
code = int(answers.readline())
sys.exit(code if code >= 0 else 128 - code)
"""


class Door:
    """The program at `path`, and who carries out what it is asked for; a context manager."""

    def __init__(self, path: Path) -> None:
        place = path.with_name(f"{path.name}.socket")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(place))
        self._listener.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        path.write_text(PROGRAM.format(python=sys.executable, path=str(place)))
        path.chmod(0o755)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # the listener was shut down
            while True:
                threading.Thread(target=_carry_out, args=(self._listener.accept()[0],), daemon=True).start()


def _carry_out(peer: socket.socket) -> None:
    with peer, peer.makefile("rb") as asked:
        size, outputs, *_ = socket.recv_fds(peer, 4, 2)
        arguments, place, variables = json.loads(asked.read(int.from_bytes(size, "big")))
        ends = [Connection(number, readable=False) for number in outputs]
        with forked.started(arguments, Path(place), variables, *ends) as process:
            peer.sendall(b"%d\n" % (process.pid or 0))
            process.join()
            peer.sendall(b"%d\n" % (process.exitcode or 0))
