"""What REST answered on a tape so far, by request: what a strategy that asks during a backtest is told.

Knows requests and answers as texts. Must not know what they mean.
"""

from collections import OrderedDict
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlencode

from core.actions import Fetch
from core.fetched import endpoint_of
from core.records import RestCall

MAX_BYTES: Final = 64_000_000
"""Answers kept, by their texts; those that were new longest ago go first."""

ROOT: Final = "/trade-api/v2"

_Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]


class Library:
    """The latest answer to each request."""

    __slots__ = ("_answers", "_bytes")

    def __init__(self) -> None:
        self._answers: OrderedDict[_Key, tuple[RestCall, int]] = OrderedDict()
        self._bytes = 0

    def observe(self, call: RestCall, now_ns: int) -> None:
        """Take note of an answer on the tape; requests that failed say nothing."""
        path = endpoint_of(call)
        if call.method != "GET" or not 200 <= call.status < 300 or call.error or not path:
            return
        key = path, tuple(parse_qsl(call.path.partition("?")[2], keep_blank_values=True))
        before = self._answers.pop(key, None)
        self._bytes += _size(call) - (0 if before is None else _size(before[0]))
        self._answers[key] = call, now_ns - call.took_ns
        while self._bytes > MAX_BYTES and len(self._answers) > 1:
            self._bytes -= _size(self._answers.popitem(last=False)[1][0])

    def find(self, asked: Fetch) -> tuple[RestCall, int] | None:
        """The latest answer to this very request and when it was asked for (ns), None = the tape has none by now."""
        return self._answers.get((asked.path, asked.params))


def path_of(asked: Fetch) -> str:
    """A request's path from the root, with its query."""
    return ROOT + asked.path + ("?" + urlencode(asked.params) if asked.params else "")


def _size(call: RestCall) -> int:
    return len(call.answer) + len(call.answer_base64)
