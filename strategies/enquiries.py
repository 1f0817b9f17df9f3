"""What a strategy asks by REST, one request at a time, and again later when nothing came of it.

Knows when a request may be made and which answer is its own. Must not know what answers mean. One at a time makes it
plain which request has failed, and a dead exchange is asked ever more seldom.
"""

from typing import Final

import msgspec

from core.context import Context
from core.fetched import Fetched
from core.times import SECOND_NS

Value = str | int | tuple[str, ...]

FIRST_WAIT_NS: Final = 2 * SECOND_NS
LONGEST_WAIT_NS: Final = 60 * SECOND_NS
"""After a failure the next request waits, twice as long after each, up to the longest."""

GIVE_UP_NS: Final = 30 * SECOND_NS
"""A request of which nothing was heard for so long counts as failed: more than any client waits for an answer."""


class Request(msgspec.Struct, frozen=True):
    """One GET. purpose: a word for whoever asked."""

    purpose: str
    path: str
    params: tuple[tuple[str, Value], ...] = ()

    def is_answered_by(self, fetched: Fetched) -> bool:
        """Whether that is the answer to just this, whoever asked for it."""
        asked = (
            (name, str(v)) for name, given in self.params for v in (given if isinstance(given, tuple) else (given,))
        )
        return fetched.path == self.path and sorted(fetched.params) == sorted(pair for pair in asked if pair[1])


class Enquiries:
    """At most one request is under way. failures: in a row."""

    __slots__ = ("_asked_ns", "_next_ns", "failures", "pending")

    def __init__(self) -> None:
        self.pending: Request | None = None
        self.failures = 0
        self._asked_ns = 0
        self._next_ns = 0

    def is_free(self, now_ns: int) -> bool:
        """Whether a request may be made now."""
        return self.pending is None and now_ns >= self._next_ns

    def ask(self, ctx: Context, request: Request) -> None:
        """Make a request."""
        self.pending, self._asked_ns = request, ctx.now_ns
        ctx.fetch(request.path, **dict(request.params))

    def answered(self, fetched: Fetched) -> Request | None:
        """The request that this answers; None = it was not ours."""
        request = self.pending
        if request is None or not request.is_answered_by(fetched):
            return None
        self.pending, self.failures = None, 0
        return request

    def failed(self, path: str, now_ns: int) -> Request | None:
        """A request to this path came to nothing; which one it was, None = it was given up before."""
        request = self.pending
        if request is None or request.path != path:
            return None
        self.pending = None
        wait_ns = min(FIRST_WAIT_NS << min(self.failures, 10), LONGEST_WAIT_NS)
        self.failures += 1
        self._next_ns = now_ns + wait_ns
        return request

    def overdue(self, now_ns: int) -> Request | None:
        """The request that nothing was heard of for too long, which counts as failed from now on."""
        request = self.pending
        if request is None or now_ns - self._asked_ns < GIVE_UP_NS:
            return None
        return self.failed(request.path, now_ns)
