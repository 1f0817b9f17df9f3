"""Lines for whoever looks on: one that is rewritten on a terminal, plain ones in a pipe or a file, or JSON.

Knows one file descriptor. Must not know the daemon. Nothing that happens there (a reader that went away or stands
still, a terminal that is stopped, a full disk) may hold up or stop recording: lines leave in a thread of their own, and
what cannot leave is dropped and counted.
"""

import contextlib
import os
import queue
import shutil
import threading
from datetime import UTC, datetime
from typing import Final

import msgspec

from capture.status import DaemonStatus, final_line, is_news, status_line
from core.printable import printable
from core.times import SECOND_NS

QUEUE: Final = 64
"""Lines that wait for a reader who does not read; the newest are dropped, for the reader will see their gist later."""

CLOSE_S: Final = 0.5
"""How long the last lines are waited for at the end; a reader that stands still gets no more of the stop's 2 s."""

_CLEAR: Final = "\r\x1b[2K"  # to the beginning of the line, and erase it
_NARROWEST: Final = 20  # columns


class Reporter:
    """Writes to a descriptor, which stays the caller's.

    lost: lines that were dropped. as_json: each line is an object: {"note": ...}, {"status": ...}, {"stopped": ...}.
    """

    def __init__(self, fd: int, *, as_json: bool = False) -> None:
        self.lost = 0
        self._fd = fd
        self._as_json = as_json
        self._is_terminal = not as_json and _is_terminal(fd)
        self._is_dirty = False  # a status stands on the terminal's last line
        self._last: DaemonStatus | None = None
        self._lines: queue.Queue[bytes | None] = queue.Queue(QUEUE)
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def note(self, text: str) -> None:
        """Say something once."""
        if self._as_json:
            self._put_json({"note": text})
        else:
            self._put(self._fresh() + printable(text) + "\n")

    def status(self, status: DaemonStatus) -> None:
        """Show the present status: always on a terminal, elsewhere when it is news."""
        if self._is_terminal:
            width = max(shutil.get_terminal_size().columns - 1, _NARROWEST)
            self._put(_CLEAR + status_line(status)[:width])
            self._is_dirty = True
        elif is_news(self._last, status):
            self._last = status
            if self._as_json:
                self._put_json({"status": status})
            else:
                self._put(f"{_clock(status.at_ns)} {status_line(status)}\n")

    def stopped(self, status: DaemonStatus) -> None:
        """Say what came of it all."""
        if self._as_json:
            self._put_json({"stopped": status})
        else:
            self._put(f"{self._fresh()}{final_line(status)}\n")

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Let the last lines out, for so long at most. Later lines are lost."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=timeout_s)
            self._thread.join(timeout_s)

    def _fresh(self) -> str:
        """What makes the terminal's last line empty."""
        was_dirty, self._is_dirty = self._is_dirty, False
        return _CLEAR if was_dirty else ""

    def _put_json(self, value: object) -> None:
        self._put(msgspec.json.encode(value).decode() + "\n")

    def _put(self, text: str) -> None:
        try:
            self._lines.put_nowait(text.encode("utf-8", "replace"))
        except queue.Full:
            self.lost += 1

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                while line:
                    line = line[os.write(self._fd, line) :]
            except OSError:
                self.lost += 1


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False


def _clock(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // SECOND_NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
