"""Every REST request and its answer on the tape, and what they show of the exchange's health.

Knows the writer and the count of what it refused. Must not know what was asked. What is asked before there is a tape
(is there such a market?) is kept and becomes the first REST records of the session.
"""

import threading
from typing import Final

from capture.status import RestStatus
from capture.tape.errors import TapeError
from capture.tape.writer import TapeWriter
from core.records import Kind, RestCall, encode_payload
from core.times import SECOND_NS

MAX_EARLY: Final = 2_000
"""Answers kept until there is a tape; a survey of everything there is takes some hundred."""

_REFUSED: Final = (401, 403)


class AnswerLog:
    """Give it to the REST client as `taken`; any thread. lost: answers that are not on the tape and never will be."""

    def __init__(self) -> None:
        self.lost = 0
        self.key_refused = False
        self._lock = threading.Lock()
        self._writer: TapeWriter | None = None
        self._early: list[RestCall] = []
        self._calls = self._failed = 0
        self._error = ""

    def __call__(self, call: RestCall) -> None:
        """Put a call on the tape. A disk that refuses is the writer's to report; here the answer counts as lost."""
        self._note(call)
        with self._lock:
            if self._writer is None:
                if len(self._early) < MAX_EARLY:
                    self._early.append(call)
                else:
                    self.lost += 1
                return
        self._append(self._writer, call)

    def attach(self, writer: TapeWriter) -> None:
        """There is a tape from now on: what was kept goes onto it first."""
        with self._lock:
            for call in self._early:
                self._append(writer, call)
            self._early.clear()
            self._writer = writer

    def status(self, *, paused: bool, clock_offset_ns: int | None, unread: int = 0) -> RestStatus:
        """What is to be said of the REST side, with what others know of it."""
        offset_s = None if clock_offset_ns is None else round(clock_offset_ns / SECOND_NS, 1)
        return RestStatus(
            calls=self._calls,
            failed=self._failed,
            error=self._error,
            paused=paused,
            clock_offset_s=offset_s,
            unread=unread,
        )

    def _append(self, writer: TapeWriter, call: RestCall) -> None:
        try:
            writer.append(Kind.REST, encode_payload(call))
        except (TapeError, ValueError):
            self.lost += 1

    def _note(self, call: RestCall) -> None:
        self._calls += 1
        if 200 <= call.status < 300 and not call.error:
            self._error = ""
        elif call.status != 404:  # an answer like any other: there is no such thing
            self._failed += 1
            self._error = f"{call.method} {call.path.partition('?')[0]}: {call.error or f'HTTP {call.status}'}"
        if call.status:
            self.key_refused = call.status in _REFUSED
